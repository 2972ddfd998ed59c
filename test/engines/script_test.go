// SPDX-License-Identifier: Apache-2.0

package engines

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// script runs commands on a machine and records their results, without the parts that change with each run.
type script struct {
	*machine
	runtime string            // absolute path of the runtime, for commands that need it
	ids     map[string]string // IDs by name, for later use
	lines   []string
}

// Parts that differ in each run.
var varying = []struct {
	pattern *regexp.Regexp
	word    string
}{
	// names the runtime; 1.7 sends none by default
	{regexp.MustCompile(`,"options":\{"type_url":"containerd.runc.v1.Options"(,"value":"[^"]*")?\}`), ""},
	{regexp.MustCompile(`\b[0-9a-f]{64}\b`), "ID"},
	{regexp.MustCompile(`\b[0-9a-f]{12,13}\b`), "ID"},
	{regexp.MustCompile(`\b[EW]\d{4} \d\d:\d\d:\d\d\.\d+ +\d+ `), "LOG "},
	{regexp.MustCompile(`\b20\d\d-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?( ?[+-]\d{4})?( UTC|Z)?( m=\+[\d.]+)?`), "TIME"},
	{regexp.MustCompile(`Up \w+ \w+|Less than a second( ago)?|\d+ seconds?( ago)?`), "SPAN"},
	{regexp.MustCompile(`/tmp/runc-trace-engines-\d+/machine\d+`), "DIR"},
	{regexp.MustCompile(`  +|\r`), " "}, // the width of columns depends on their cells
}

func steady(text string) string {
	for _, v := range varying {
		text = v.pattern.ReplaceAllString(text, v.word)
	}
	return text
}

// number also differs in each run, if the output has measurements.
var number = regexp.MustCompile(`\d+(\.\d+)?`)

// do runs a command.
func (s *script) do(args ...string) outcome {
	s.t.Helper()
	return s.note(steady, args, s.run(args...))
}

// measure runs a command whose numbers (sizes, process IDs) are not compared.
func (s *script) measure(args ...string) outcome {
	s.t.Helper()
	return s.note(func(text string) string { return number.ReplaceAllString(steady(text), "N") }, args, s.run(args...))
}

// id runs a command that prints an ID, and stores the ID under a name.
func (s *script) id(name string, args ...string) string {
	s.t.Helper()
	s.ids[name] = strings.TrimSpace(s.do(args...).Stdout)
	return s.ids[name]
}

// terminal runs a command on a terminal without input.
func (s *script) terminal(command string) outcome {
	s.t.Helper()
	c := s.Command("script", "--quiet", "--return", "--command", command, "/dev/null")
	if _, err := c.StdinPipe(); err != nil {
		s.t.Fatal(err)
	}
	return s.note(steady, []string{command}, s.startCommand(c).wait())
}

func (s *script) note(steady func(string) string, args []string, o outcome) outcome {
	command := steady(strings.NewReplacer(s.runtime, "RUNTIME").Replace(strings.Join(args, " ")))
	s.lines = append(s.lines, "$ "+command, fmt.Sprintf("exit code %d", o.Code))
	for i, text := range []string{o.Stdout, o.Stderr} {
		for line := range strings.Lines(steady(text)) {
			s.lines = append(s.lines, []string{"", "stderr: "}[i]+strings.TrimRight(line, " \n"))
		}
	}
	return o
}

// events adds the lines of a log of events. The order of different parts of an engine is not compared.
func (s *script) events(lines []string) {
	for i, line := range lines {
		lines[i] = steady(line)
	}
	slices.Sort(lines)
	s.lines = append(append(s.lines, "events:"), lines...)
}

// same checks that two runs of a script had equal results.
func same(t *testing.T, bare, traced *script) {
	t.Helper()
	if len(bare.lines) < 20 {
		t.Errorf("the scenario is of %d lines only: %q", len(bare.lines), bare.lines)
	}
	if diff := cmp.Diff(strings.Join(bare.lines, "\n"), strings.Join(traced.lines, "\n")); diff != "" {
		t.Errorf("the engine can tell runc-trace from runc (-runc +runc-trace):\n%s", diff)
	}
}

// crashes is a program that exits with 7 when it is told to. Engines may lose what a program says that exits at once.
const crashes = "trap 'exit 7' TERM; echo crashing; while :; do sleep 0.1; done"

// crash ends a container that runs crashes, after its engine has logged what it said.
func (s *script) crash(ctl func(args ...string) []string, id string) {
	s.t.Helper()
	eventually(s.t, "the engine has logged what the container said", func() bool {
		return s.run(ctl("logs", id)...).Stdout == "crashing\n"
	})
	s.must("kill", "-TERM", s.must(ctl("inspect", "--output", "go-template", "--template", "{{.info.pid}}", id)...))
}
