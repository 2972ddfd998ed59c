// SPDX-License-Identifier: Apache-2.0

package answers

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/syscalls"
	"github.com/runc-trace/runc-trace/pkg/syscalls/recordtest"
)

// exec adds the exec of a process.
func (r *tape) exec(pid uint32, args ...string) *tape {
	r.call(pid, "execve", 0, 0x7000, 0x7100, 0x7200)
	return r.change(len(r.records)-1, func(c *syscalls.Call) {
		c.Captures = []syscalls.Capture{{Arg: 0, Data: []byte(args[0])},
			{Arg: 1, Data: []byte(strings.Join(args, "\x00") + "\x00")}}
	})
}

// thread adds a clone that makes a thread.
func (r *tape) thread(pid, made uint32) *tape {
	const cloneThread = 0x10000
	r.call(pid, "clone", int64(made-100), cloneThread, 0, 0, 0, 0)
	return r.change(len(r.records)-1, func(c *syscalls.Call) {
		c.Captures = []syscalls.Capture{{Arg: abi.CaptureResult, Part: abi.PartChild, Kernel: true,
			Data: []byte{byte(made), byte(made >> 8), 0, 0}}}
	})
}

// family is a container with a shell, what it started, a thread and an exec from outside.
func family() *tape {
	r := &tape{}
	r.exec(101, "/bin/sh", "-c", "while true; do sleep 1; done")
	for pid := uint32(102); pid < 107; pid++ {
		r.child(101, pid).exec(pid, "/bin/sleep", "1").call(pid, "exit_group", 0, 0)
	}
	r.child(101, 110).exec(110, "/opt/server", "--port=80\x1b[2J").thread(110, 111).call(110, "getpid", 10)
	r.child(110, 112).call(112, "exit_group", 0, 3)
	r.exec(120, "/bin/probe").outside().call(120, "exit_group", 0, 1)
	return r
}

const familyText = `
PID   HOST PID     START   RAN   END            PROCESS
  1        101   999.9µs     -   end not kept   sh -c "while true; do sleep 1; done"
  2        102       2ms   2ms   exited 0       ├─ sleep 1 <×5>
 10        110      17ms     -   end not kept   └─ server "--port=80\x1b[2J" <2 threads>
 12        112      21ms   1ms   exited 3          └─ <forked> p112
 20        120      23ms   1ms   exited 1       probe <from outside>

Kept       every call; nothing lost
More       tracectl tree c --all
`

func TestTree(t *testing.T) {
	print := func(p *Past, all bool) string {
		var text bytes.Buffer
		p.Program = "tracectl"
		if err := (&TreeScreen{Screen: Screen{Width: 100, Lines: 24}, All: all}).Write(&text, p.Tree()); err != nil {
			t.Fatal(err)
		}
		_, rest, _ := strings.Cut(text.String(), "\n")
		return rest
	}
	if diff := cmp.Diff(familyText, print(family().past(0), false)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if all := print(family().past(0), true); strings.Count(all, "─ sleep 1\n") != 5 {
		t.Errorf("--all prints:\n%s", all)
	}

	r := &tape{}
	r.call(101, "getpid", 1).child(101, 102).again(3).call(102, "getpid", 2).call(103, "getpid", 3)
	if got := print(r.past(0), false); !strings.Contains(got, "└? <forked> p103") || !strings.Contains(got, "≤4ms") ||
		!strings.Contains(got, "\nGuessed ") {
		t.Errorf("a guessed parent is printed as\n%s", got)
	}
}

// TestTreeDepth has a chain of processes.
func TestTreeDepth(t *testing.T) {
	r := &tape{}
	r.call(101, "getpid", 1)
	for pid := uint32(102); pid < 3000; pid++ {
		r.child(pid-1, pid).call(pid, "getpid", 1)
	}
	var text bytes.Buffer
	if err := (&TreeScreen{Screen: Screen{Width: 100, Lines: 24}}).Write(&text, r.past(0).Tree()); err != nil {
		t.Fatal(err)
	}
	if n := text.Len(); n > 2900*200 {
		t.Errorf("%d bytes", n)
	}
}

// TestNoCycle has a process that learns of the end of its own parent, as a forged signal may say.
func TestNoCycle(t *testing.T) {
	r := &tape{}
	r.call(101, "getpid", 1).child(101, 102).again(9).call(102, "getpid", 2)
	r.child(103, 104).call(104, "getpid", 4).call(103, "exit_group", 0, 0)
	r.call(104, "wait4", 3, -1, 0, 0, 0)
	p := r.past(0)
	for _, process := range p.Processes {
		depth := 0
		for q := process; q != nil; q = q.Parent {
			if depth++; depth > len(p.Processes) {
				t.Fatalf("%s descends from itself", name(process))
			}
		}
	}
	if n := len(p.Tree().Roots); n != 1 {
		t.Errorf("%d roots", n)
	}
}

func TestTreeJSON(t *testing.T) {
	j, err := family().past(0).Tree().JSON()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range j.Processes {
		parent := 0
		if p.Parent != nil {
			parent = *p.Parent
		}
		got = append(got, fmt.Sprint(p.ID, parent, p.PID, p.Init, p.Outside, p.Threads, len(p.Execs), p.End != nil))
	}
	want := []string{
		"1 0 101 true false 1 1 false", "2 1 102 false false 1 1 true", "3 1 103 false false 1 1 true",
		"4 1 104 false false 1 1 true", "5 1 105 false false 1 1 true", "6 1 106 false false 1 1 true",
		"7 1 110 false false 2 1 false", "8 7 112 false false 1 0 true", "9 0 120 false true 1 1 true",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	text, err := json.Marshal(j)
	if err != nil {
		t.Fatal(err)
	}
	if want := `"path":"/bin/sh","args":["/bin/sh","-c","while true; `; !strings.Contains(string(text), want) {
		t.Errorf("no %s in\n%s", want, text)
	}
}

// outside makes the last call one that was executed from outside of the container.
func (r *tape) outside() *tape {
	return r.change(len(r.records)-1, func(c *syscalls.Call) {
		c.Captures = append(c.Captures, syscalls.Capture{Arg: abi.CaptureResult, Part: abi.PartCwd, Kernel: true,
			Data: make([]byte, abi.SizeofResolved)})
	})
}

// duration changes how long a call took, in ns.
func (r *tape) duration(i int, ns uint64) *tape {
	return r.change(i, func(c *syscalls.Call) { c.Duration = ns })
}

// change changes a call.
func (r *tape) change(i int, change func(c *syscalls.Call)) *tape {
	var c syscalls.Call
	if err := c.Decode(r.records[i].Bytes); err != nil {
		panic(err)
	}
	change(&c)
	r.records[i].Bytes = recordtest.Append(nil, &c)
	return r
}
