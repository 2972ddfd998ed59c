// SPDX-License-Identifier: Apache-2.0

// Gotest runs `go test` with its arguments and prints its output. At the end it prints the longest durations of tests
// and packages, and then the messages of failed tests. If the environment variable RUNC_TRACE_TIMES or
// RUNC_TRACE_FAILED names a file, it appends them to that file instead.
package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
)

const (
	module = "github.com/runc-trace/runc-trace/"
	shown  = 10  // of the longest ones
	worth  = 1.0 // seconds: what took less is not kept
)

// event is a line of `go test -json`: see `go doc test2json` and `go help buildjson`.
type event struct {
	Action      string
	Package     string
	ImportPath  string // instead of Package in the output of a build
	Test        string
	Elapsed     float64
	Output      string
	FailedBuild string // an ImportPath
}

// duration is how long a test or a package took.
type duration struct {
	seconds float64
	what    string
}

// report turns the output of `go test -json` into that of `go test`.
type report struct {
	out     io.Writer
	output  map[string]*strings.Builder // of each test that runs
	longest []duration
	failed  failures
}

func main() {
	r := newReport(os.Stdout)
	err := r.run(os.Args[1:])
	if path := os.Getenv("RUNC_TRACE_TIMES"); path != "" {
		err = errors.Join(err, keep(path, r.times()))
	} else {
		show(os.Stdout, r.longest)
	}
	if path := os.Getenv("RUNC_TRACE_FAILED"); path != "" {
		err = errors.Join(err, keep(path, r.failed.text()))
	} else if text := r.failed.text(); text != "" {
		fmt.Print("\nfailed:\n" + text)
	}
	var failed *exec.ExitError
	if errors.As(err, &failed) {
		os.Exit(failed.ExitCode())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "gotest:", err)
		os.Exit(1)
	}
}

func newReport(out io.Writer) *report {
	return &report{out: out, output: map[string]*strings.Builder{}, failed: failures{output: map[string][]string{}}}
}

// run runs `go test`.
func (r *report) run(args []string) error {
	c := exec.Command("go", append([]string{"test", "-json"}, args...)...)
	c.Stderr = os.Stderr
	stdout, err := c.StdoutPipe()
	if err != nil {
		return err
	}
	if err := c.Start(); err != nil {
		return err
	}
	err = r.read(stdout)
	return errors.Join(err, c.Wait())
}

// read prints events as they come.
func (r *report) read(from io.Reader) error {
	lines := bufio.NewReader(from)
	for {
		line, err := lines.ReadBytes('\n')
		var e event
		if json.Unmarshal(line, &e) == nil && e.Action != "" {
			r.add(e)
		} else {
			r.out.Write(line) // such as a message of go itself
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (r *report) add(e event) {
	r.failed.add(e)
	name := strings.TrimPrefix(e.Package, module)
	top, _, _ := strings.Cut(e.Test, "/") // a subtest's output is shown with its test, if that fails
	key := name + " " + top
	switch {
	case e.Action == "output" && e.Test == "" && e.Output != "PASS\n", e.Action == "build-output":
		fmt.Fprint(r.out, e.Output)
	case e.Action == "output" && e.Test != "":
		if r.output[key] == nil {
			r.output[key] = &strings.Builder{}
		}
		if text := strings.TrimLeft(e.Output, " "); !strings.HasPrefix(text, "=== ") && !strings.HasPrefix(text, "--- PASS") {
			r.output[key].WriteString(e.Output)
		}
	case e.Test != top: // a part of a test has ended
	case e.Action == "pass", e.Action == "fail", e.Action == "skip":
		if text := r.output[key]; text != nil && e.Action == "fail" {
			fmt.Fprint(r.out, text)
		}
		delete(r.output, key)
		if e.Elapsed >= worth {
			r.longest = append(r.longest, duration{e.Elapsed, strings.TrimSpace(key)})
		}
		if e.Test == "" && e.Action == "fail" {
			r.abandoned(name)
		}
	}
}

// abandoned prints what tests had printed that were running when their package ended, as in a panic.
func (r *report) abandoned(name string) {
	for key, text := range r.output {
		if strings.HasPrefix(key, name+" ") {
			fmt.Fprint(r.out, text)
			delete(r.output, key)
		}
	}
}

// keep appends text to a file.
func keep(path, text string) error {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}

// times returns a line for each duration.
func (r *report) times() string {
	var text strings.Builder
	for _, d := range r.longest {
		fmt.Fprintf(&text, "%7.1f s  %s\n", d.seconds, d.what)
	}
	return text.String()
}

// show prints the longest durations.
func show(out io.Writer, times []duration) {
	slices.SortFunc(times, func(a, b duration) int { return cmp.Compare(b.seconds, a.seconds) })
	for i, d := range times[:min(shown, len(times))] {
		if i == 0 {
			fmt.Fprintln(out, "\nlongest durations:")
		}
		fmt.Fprintf(out, "%7.1f s  %s\n", d.seconds, d.what)
	}
}
