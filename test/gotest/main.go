// SPDX-License-Identifier: Apache-2.0

// Gotest runs `go test` with its arguments, prints what that prints, and keeps how long tests and packages took: it
// adds a line for each to the file that the environment variable RUNC_TRACE_TIMES names, or else prints the longest
// ones.
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
	Action  string
	Package string
	Test    string
	Elapsed float64
	Output  string
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
}

func main() {
	times, err := run(os.Args[1:], os.Stdout)
	if path := os.Getenv("RUNC_TRACE_TIMES"); path != "" {
		err = errors.Join(err, keep(path, times))
	} else {
		show(os.Stdout, times)
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

// run runs `go test`, and returns what took long.
func run(args []string, out io.Writer) ([]duration, error) {
	c := exec.Command("go", append([]string{"test", "-json"}, args...)...)
	c.Stderr = os.Stderr
	stdout, err := c.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := c.Start(); err != nil {
		return nil, err
	}
	r := report{out: out, output: map[string]*strings.Builder{}}
	err = r.read(stdout)
	return r.longest, errors.Join(err, c.Wait())
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
	name := strings.TrimPrefix(e.Package, module)
	top, _, _ := strings.Cut(e.Test, "/") // what a part of a test prints is shown with the test, if that fails
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

// keep appends durations to a file.
func keep(path string, times []duration) error {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	for _, d := range times {
		fmt.Fprintf(f, "%7.1f s  %s\n", d.seconds, d.what)
	}
	return f.Close()
}

// show prints the longest durations.
func show(out io.Writer, times []duration) {
	slices.SortFunc(times, func(a, b duration) int { return cmp.Compare(b.seconds, a.seconds) })
	for i, d := range times[:min(shown, len(times))] {
		if i == 0 {
			fmt.Fprintln(out, "\nwhat took longest:")
		}
		fmt.Fprintf(out, "%7.1f s  %s\n", d.seconds, d.what)
	}
}
