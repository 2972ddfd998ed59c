// SPDX-License-Identifier: Apache-2.0

package kubernetes

import (
	"cmp"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/runc-trace/runc-trace/test/machine"
)

// event holds the fields of `tracectl exec -o json` that tests read.
type event struct {
	Node      string
	Time      time.Time
	Namespace string
	Pod       string
	Container string
	Comm      string
	PID, PPID int
	Ret       int
	Path      string
	Args      []string
	Labels    map[string]string
}

// line returns the command line as in the column ARGS, without its quotes.
func (e *event) line() string {
	if len(e.Args) < 2 {
		return e.Path
	}
	return e.Path + " " + strings.Join(e.Args[1:], " ")
}

// lines returns the command lines of the chosen events.
func lines(events []event, chosen func(*event) bool) []string {
	var all []string
	for i := range events {
		if chosen(&events[i]) {
			all = append(all, events[i].line())
		}
	}
	return all
}

// recording holds the fields of `tracectl containers -o json` and `tracectl straceback list -o json` that tests
// read.
type recording struct {
	Node         string
	Name         string
	Namespace    string
	Pod          string
	Container    string
	ContainerID  string
	Sandbox      bool
	Labels       map[string]string
	LabelOrigins map[string]string
	Unlabelled   bool
	ExitCode     *int
	Created      time.Time
	Ended        *time.Time
	Recorded     string
	Syscalls     int
}

// decode decodes one object per line.
func decode[T any](t *testing.T, text string) []T {
	t.Helper()
	var all []T
	for line := range strings.Lines(text) {
		var one T
		if err := json.Unmarshal([]byte(line), &one); err != nil {
			t.Fatalf("%v in %q", err, line)
		}
		all = append(all, one)
	}
	return all
}

// execs returns past execs, in order of time.
func (c *cluster) execs(args ...string) []event {
	c.t.Helper()
	events := decode[event](c.t,
		c.tracectl(append([]string{"cluster", "exec", "--no-follow", "--output=json"}, args...)...))
	slices.SortStableFunc(events, func(a, b event) int { return a.Time.Compare(b.Time) })
	return events
}

// execsByContainer returns the command lines executed in each container, in order, by POD/CONTAINER. For a sandbox,
// CONTAINER is empty.
func (c *cluster) execsByContainer(args ...string) map[string][]string {
	c.t.Helper()
	all := map[string][]string{}
	for _, e := range c.execs(args...) {
		name := e.Pod + "/" + e.Container
		all[name] = append(all[name], e.line())
	}
	return all
}

// containers returns all known containers, including those that have ended; recordings returns those that
// `straceback show` can show. Both are in order of creation.
func (c *cluster) containers(args ...string) []recording {
	c.t.Helper()
	return c.list(append([]string{"containers", "--all"}, args...)...)
}

func (c *cluster) recordings(args ...string) []recording {
	c.t.Helper()
	return c.list(append([]string{"straceback", "list"}, args...)...)
}

func (c *cluster) list(args ...string) []recording {
	c.t.Helper()
	list := decode[recording](c.t, c.tracectl(append([]string{"cluster"}, append(args, "--output=json")...)...))
	slices.SortStableFunc(list, func(a, b recording) int {
		return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.ContainerID, b.ContainerID))
	})
	return list
}

// node returns the node with a name.
func (c *cluster) node(name string) *node {
	c.t.Helper()
	for _, n := range c.nodes {
		if n.name == name {
			return n
		}
	}
	c.t.Fatalf("there is no node %q", name)
	return nil
}

// follower is a running `tracectl exec`: a user's for the whole cluster, or one on a node.
type follower struct {
	c       *cluster
	process *machine.Process
	on      *node // nil: the cluster
	stopped bool
}

// follow starts `tracectl cluster exec` with text output, and returns when it prints all new execs.
func (c *cluster) follow(args ...string) *follower {
	c.t.Helper()
	return c.begin(c.control, nil, c.user(append([]string{"tracectl", "cluster", "exec"}, args...)...))
}

// follow is the same on a single node.
func (n *node) follow(c *cluster, args ...string) *follower {
	c.t.Helper()
	return c.begin(n.Machine, n, append([]string{"/opt/runc-trace/bin/tracectl", "exec"}, args...))
}

func (c *cluster) begin(m *machine.Machine, on *node, command []string) *follower {
	c.t.Helper()
	p, err := m.Start(m.Command(command...))
	if err != nil {
		c.t.Fatal(err)
	}
	f := &follower{c: c, process: p, on: on}
	c.t.Cleanup(f.stop)
	c.eventually("the header is there", func() (string, bool) {
		text := f.text()
		return text, strings.Contains(text, "\n")
	})
	return f
}

// text returns the output so far.
func (f *follower) text() string {
	f.c.t.Helper()
	text, err := f.process.Output(0)
	if err != nil {
		f.c.t.Fatal(err)
	}
	return text
}

// quoted matches a word that is shown in quotes, such as the script of a shell.
var quoted = regexp.MustCompile(`"(?:[^"\\]|\\.)*"`)

// lines returns a node's lines below the header, without the node's name and without quotes around words, and with one
// space between columns.
func (f *follower) lines(n *node) []string {
	f.c.t.Helper()
	var all []string
	text := f.text()
	for line := range strings.Lines(text[strings.IndexByte(text, '\n')+1:]) {
		fields := strings.Fields(line)
		if !strings.HasSuffix(line, "\n") {
			break // incomplete line
		}
		if f.on == nil {
			if fields[0] != n.name {
				continue
			}
			fields = fields[1:]
		}
		all = append(all, quoted.ReplaceAllStringFunc(strings.Join(fields, " "), func(word string) string {
			text, err := strconv.Unquote(word)
			if err != nil {
				f.c.t.Fatalf("%v in %q", err, line)
			}
			return text
		}))
	}
	return all
}

// args returns the command lines among these lines, which follow four columns.
func (f *follower) args(n *node) []string {
	f.c.t.Helper()
	all := f.lines(n)
	for i := range all {
		all[i] = strings.SplitN(all[i], " ", 5)[4]
	}
	return all
}

// byContainer returns the command lines of all nodes by POD/CONTAINER, if the follower was started with --wide. A
// container that executes /pause counts as a sandbox, which is shown by its ID.
func (f *follower) byContainer() map[string][]string {
	f.c.t.Helper()
	all := map[string][]string{}
	for _, n := range f.c.nodes {
		for _, line := range f.lines(n) {
			fields := strings.SplitN(line, " ", 8) // namespace, pod, container, and the columns without --wide
			name := fields[1] + "/" + fields[2]
			if fields[7] == "/pause" {
				name = fields[1] + "/"
			}
			all[name] = append(all[name], fields[7])
		}
	}
	return all
}

// await waits until count lines of a node were printed.
func (f *follower) await(n *node, count int) {
	f.c.t.Helper()
	f.c.eventually(fmt.Sprintf("%d execs are printed on %s", count, n.name), func() (string, bool) {
		all := f.lines(n)
		return fmt.Sprintf("%d are:\n%s", len(all), strings.Join(all, "\n")), len(all) >= count
	})
}

// stop ends the follower, which first prints the execs that it held back. There must be no warnings.
func (f *follower) stop() {
	f.c.t.Helper()
	if f.stopped {
		return
	}
	f.stopped = true
	o, err := f.process.Stop()
	if err != nil || o.Code != 0 || o.Stderr != "" {
		f.c.t.Errorf("tracectl exec: exit code %d, %v\n%s", o.Code, err, o.Stderr)
	}
}
