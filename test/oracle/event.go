// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
)

// event is a line of a log: a call, a signal that a thread took, or its end.
type event struct {
	thread int
	call   string // its name; "" of other events
	args   []*value
	// unfinished says that the call never returned, so that only some of its arguments were printed.
	unfinished bool
	// lost says that strace has not seen the result, because the thread ended before strace was told of it.
	lost      bool
	result    string // as printed: "3", "-1 ENOENT", "?"
	note      string // of a result that is a descriptor: the file, the socket
	returned  *value // in parentheses behind the result, if anything is there
	signal    string // that the thread took
	end       string // of the thread: "exited with 1", "killed by SIGSEGV"
	malformed error  // of its arguments
	line      string
}

// key is what two logs have in common if they mean the same event.
func (e *event) key() string {
	switch {
	case e.signal != "":
		return "--- " + e.signal
	case e.end != "":
		return "+++ " + e.end
	}
	return e.call + " = " + e.result
}

var (
	prefix     = regexp.MustCompile(`^(?:\[pid +)?(\d+)\]? +[\d:.]+ (.*)$`)
	begun      = regexp.MustCompile(`^(\w+|\?\?\?)\(`)
	resumed    = regexp.MustCompile(`^<\.\.\. (\S+) resumed>`)
	superseded = regexp.MustCompile(`^\+\+\+ superseded by execve in pid (\d+) \+\+\+$`)
	ended      = regexp.MustCompile(`^\+\+\+ (exited with \d+|killed by \w+)`)
	signalled  = regexp.MustCompile(`^--- (SIG\w+) (.*) ---$`)
	// The result, what -y says of it, what stands in parentheses behind it, and the duration.
	returnedAs = regexp.MustCompile(`^ += (-1 E\w+|-1 errno \d+|\? E\w+|\?|-?\w+)` +
		`((?:<.*?>(?:\(deleted\))?)?)(?: \((.*)\))?(?: <unavailable>)?(?: <[\d.]+>)?$`)
)

// log reads events, in order.
type log struct {
	events []*event
	begun  map[int]string // the first lines of calls, by thread
	last   map[int]*event // the last calls, by thread
}

// parseLog reads the log that strace -f -tt -T -o writes.
func parseLog(r io.Reader) ([]*event, error) {
	l := log{begun: make(map[int]string), last: make(map[int]*event)}
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 64<<20)
	for n := 1; lines.Scan(); n++ {
		if err := l.add(lines.Text()); err != nil {
			return nil, fmt.Errorf("line %d: %w: %s", n, err, lines.Text())
		}
	}
	return l.events, lines.Err()
}

// add reads a line.
func (l *log) add(line string) error {
	m := prefix.FindStringSubmatch(line)
	if m == nil {
		if strings.HasPrefix(line, "strace: ") {
			return nil
		}
		return fmt.Errorf("no thread and time")
	}
	thread, err := strconv.Atoi(m[1])
	if err != nil {
		return err
	}
	text := m[2]
	const mark = " <unfinished ...>"
	if m := superseded.FindStringSubmatch(text); m != nil {
		// Of the first thread, the last call ended unseen. That of the other one returns here.
		l.lose(thread)
		other, _ := strconv.Atoi(m[1])
		l.begun[thread] = l.begun[other]
		delete(l.begun, other)
		return nil
	}
	if m := resumed.FindStringSubmatch(text); m != nil {
		start, ok := l.begun[thread]
		if !ok {
			return fmt.Errorf("%s was not begun", m[1])
		}
		delete(l.begun, thread)
		text = start + text[len(m[0]):]
	} else if strings.HasSuffix(text, mark) && begun.MatchString(text) {
		l.begun[thread] = strings.TrimSuffix(text, mark)
		return nil
	}
	e := &event{thread: thread, line: text}
	if m := ended.FindStringSubmatch(text); m != nil {
		if start, ok := l.begun[thread]; ok {
			// Killed in a call of which the end was never printed.
			delete(l.begun, thread)
			if err := l.call(&event{thread: thread}, start+mark+") = ?"); err != nil {
				return err
			}
		}
		e.end = m[1]
		l.lose(thread)
		l.events = append(l.events, e)
		return nil
	}
	if m := signalled.FindStringSubmatch(text); m != nil {
		v, err := parseValue(m[2])
		if err != nil {
			return err
		}
		e.signal, e.args = m[1], []*value{v}
		l.events = append(l.events, e)
		return nil
	}
	if strings.HasPrefix(text, "--- stopped by ") {
		return nil // only a tracer sees that
	}
	return l.call(e, text)
}

// lose marks the last call of a thread, which has ended, if strace has not seen its result.
func (l *log) lose(thread int) {
	if last := l.last[thread]; last != nil && last.result == "?" {
		last.lost = true
	}
}

// call reads a call that is whole.
func (l *log) call(e *event, text string) (err error) {
	m := begun.FindStringSubmatch(text)
	if m == nil {
		return fmt.Errorf("neither a call, nor a signal, nor an end")
	}
	e.call, e.line = m[1], text
	var rest string
	if e.args, rest, e.unfinished, e.malformed = parseArguments(text[len(m[0]):]); e.malformed != nil {
		const end = ") = "
		e.args, rest = nil, text[max(0, strings.LastIndex(text, end)+1):]
	}
	if m = returnedAs.FindStringSubmatch(rest); m == nil {
		return fmt.Errorf("no result in %q", rest)
	}
	e.unfinished = e.unfinished || strings.Contains(rest, " <unavailable>") // the task was gone when strace looked
	e.result, e.note = m[1], strings.TrimSuffix(m[2], "(deleted)")
	e.note = strings.TrimSuffix(strings.TrimPrefix(e.note, "<"), ">")
	if m[3] != "" && !strings.HasPrefix(e.result, "-1 ") && !strings.HasPrefix(e.result, "? ") {
		args, _, _, err := parseArguments(m[3] + ")")
		if err != nil {
			return fmt.Errorf("behind the result: %w", err)
		}
		e.returned = &value{kind: group, open: '(', parts: args}
	}
	l.events = append(l.events, e)
	l.last[e.thread] = e
	return nil
}

// byThread splits a log.
func byThread(events []*event) map[int][]*event {
	threads := make(map[int][]*event)
	for _, e := range events {
		threads[e.thread] = append(threads[e.thread], e)
	}
	return threads
}
