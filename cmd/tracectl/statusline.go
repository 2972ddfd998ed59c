// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"sync"

	"github.com/runc-trace/runc-trace/pkg/terminal"
)

// statusLine is the last line of a terminal, with the number of nodes that have answered, or of recordings that were
// read, and notes above it.
type statusLine struct {
	program string
	what    string // is counted: "nodes"

	mu       sync.Mutex
	stderr   io.Writer
	terminal bool
	shown    bool
}

func newStatusLine(stderr io.Writer, program, what string) *statusLine {
	_, isTerminal := terminal.Is(stderr)
	return &statusLine{program: program, what: what, stderr: stderr, terminal: isTerminal}
}

// progress shows how many are done, until all are.
func (l *statusLine) progress(done, total int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.terminal {
		return
	}
	l.clear()
	if done < total {
		fmt.Fprintf(l.stderr, "%d/%d %s", done, total, l.what)
		l.shown = true
	}
}

// note prints a line for the user.
func (l *statusLine) note(text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.clear()
	fmt.Fprintf(l.stderr, "%s: %s\n", l.program, text)
}

// end removes the line.
func (l *statusLine) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.clear()
}

func (l *statusLine) clear() {
	if l.shown {
		fmt.Fprint(l.stderr, "\r\x1b[K")
		l.shown = false
	}
}

// before returns a writer to out, possibly the same terminal, that removes the line before it writes.
func (l *statusLine) before(out io.Writer) io.Writer { return &above{l, out} }

type above struct {
	line *statusLine
	out  io.Writer
}

func (a *above) Write(text []byte) (int, error) {
	a.line.end()
	return a.out.Write(text)
}
