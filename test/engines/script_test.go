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

// script runs commands on a machine and writes down what came of them, in words that do not depend on when they ran.
type script struct {
	*machine
	runtime string            // absolute path of the runtime, for commands that want it to be named
	ids     map[string]string // what the scenario wants to find again
	lines   []string
}

// What is another one in each run.
var varying = []struct {
	pattern *regexp.Regexp
	word    string
}{
	{regexp.MustCompile(`,"options":\{"type_url":"containerd.runc.v1.Options"(,"value":"[^"]*")?\}`), ""}, // name the runtime; 1.7 has none if it need not
	{regexp.MustCompile(`\b[0-9a-f]{64}\b`), "ID"},
	{regexp.MustCompile(`\b[0-9a-f]{12,13}\b`), "ID"},
	{regexp.MustCompile(`\b[EW]\d{4} \d\d:\d\d:\d\d\.\d+ +\d+ `), "LOG "},
	{regexp.MustCompile(`\b20\d\d-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?( ?[+-]\d{4})?( UTC|Z)?( m=\+[\d.]+)?`), "TIME"},
	{regexp.MustCompile(`Up \w+ \w+|Less than a second( ago)?|\d+ seconds?( ago)?`), "SPAN"},
	{regexp.MustCompile(`/tmp/runc-trace-engines-\d+/machine\d+`), "DIR"},
	{regexp.MustCompile(`  +|\r`), " "}, // columns are as wide as what is in them
}

func steady(text string) string {
	for _, v := range varying {
		text = v.pattern.ReplaceAllString(text, v.word)
	}
	return text
}

// number is also another one in each run, where what is printed is measured.
var number = regexp.MustCompile(`\d+(\.\d+)?`)

// do runs a command.
func (s *script) do(args ...string) outcome {
	s.t.Helper()
	return s.note(steady, args, s.run(args...))
}

// measure runs a command that prints sizes, process IDs and the like: these are not compared.
func (s *script) measure(args ...string) outcome {
	s.t.Helper()
	return s.note(func(text string) string { return number.ReplaceAllString(steady(text), "N") }, args, s.run(args...))
}

// id runs a command that prints an ID, and remembers it by a name.
func (s *script) id(name string, args ...string) string {
	s.t.Helper()
	s.ids[name] = strings.TrimSpace(s.do(args...).Stdout)
	return s.ids[name]
}

// terminal runs a command on a terminal of its own, on which nobody types.
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

// events adds the lines of a log of events. Which of two parts of an engine speaks first is not compared.
func (s *script) events(lines []string) {
	for i, line := range lines {
		lines[i] = steady(line)
	}
	slices.Sort(lines)
	s.lines = append(append(s.lines, "events:"), lines...)
}

// same holds that two runs of a script came to the same.
func same(t *testing.T, bare, traced *script) {
	t.Helper()
	if len(bare.lines) < 20 {
		t.Errorf("the scenario is of %d lines only: %q", len(bare.lines), bare.lines)
	}
	if diff := cmp.Diff(strings.Join(bare.lines, "\n"), strings.Join(traced.lines, "\n")); diff != "" {
		t.Errorf("the engine can tell runc-trace from runc (-runc +runc-trace):\n%s", diff)
	}
}
