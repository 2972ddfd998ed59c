// SPDX-License-Identifier: Apache-2.0

// Package reporttest makes recordings for tests of reports.
package reporttest

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/runc-trace/runc-trace/pkg/answers"
	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/labels"
	"github.com/runc-trace/runc-trace/pkg/straceback"
	"github.com/runc-trace/runc-trace/pkg/syscalls"
	"github.com/runc-trace/runc-trace/pkg/syscalls/recordtest"
)

// Tape writes records of calls, one after the other.
type Tape struct {
	At      uint64 // ns of CLOCK_BOOTTIME, of the next call
	records []straceback.Record
	t       testing.TB
	created uint64
	ended   map[uint32]uint64 // the last call of each thread
}

// A Task is a thread.
type Task struct {
	PID, TID uint32 // on the host; in the container they are 1,000 less
	Comm     string
}

// New returns a Tape that begins a second after the boot.
func New(t testing.TB) *Tape {
	return &Tape{t: t, At: 1e9, created: 1e9, ended: map[uint32]uint64{}}
}

// Call adds a call that takes some time. An argument is a number, text that it points to, or bytes.
func (r *Tape) Call(k Task, name string, took time.Duration, result int64, args ...any) {
	c := r.call(k, name, took, result)
	recordtest.SetArgs(c, args...)
	r.add(c)
}

// Wait adds a futex call that began after the last call of the thread.
func (r *Tape) Wait(k Task) {
	c := r.call(k, "futex", 0, 0)
	if before, ok := r.ended[k.TID]; ok {
		c.Time = before + 2000
	}
	c.Duration, c.NArgs, c.Args = r.At-c.Time, 6, [6]uint64{0x7ffc1000, 128, 2}
	r.add(c)
}

// Fork adds the call that makes a process or a thread.
func (r *Tape) Fork(k Task, made uint32) {
	c := r.call(k, "clone", 90*time.Microsecond, int64(made-1000))
	c.Captures = []syscalls.Capture{{Arg: abi.CaptureResult, Part: abi.PartChild, Kernel: true,
		Data: binary.LittleEndian.AppendUint32(nil, made)}}
	r.add(c)
}

// Exit adds the end of a process.
func (r *Tape) Exit(k Task, code int) {
	c := r.call(k, "exit_group", 20*time.Microsecond, int64(code)<<8)
	c.NArgs, c.Args[0], c.Unfinished = 1, uint64(code), true
	r.add(c)
}

// Kill adds the end of a process by SIGSEGV.
func (r *Tape) Kill(k Task) {
	c := r.call(k, "getpid", 0, 11)
	c.Nr, c.Unfinished = syscalls.NumberNone, true
	r.add(c)
}

// Pause lets time go by.
func (r *Tape) Pause(d time.Duration) { r.At += uint64(d) }

func (r *Tape) call(k Task, name string, took time.Duration, result int64) *syscalls.Call {
	native := syscalls.NativeABI()
	return &syscalls.Call{ABI: native, Nr: recordtest.Number(native, name), PID: k.PID, TID: k.TID, Time: r.At,
		Duration: uint64(took), Comm: []byte(k.Comm), Result: result,
		Inner: syscalls.IDs{TID: k.TID - 1000, PID: k.PID - 1000}}
}

func (r *Tape) add(c *syscalls.Call) {
	r.records = append(r.records, straceback.Record{Bytes: recordtest.Append(nil, c)})
	r.At = max(r.At, c.Time+c.Duration) + 3000
	r.ended[c.TID] = c.Time + c.Duration
}

// Past reads the recording of a container of process 1001, which ended with an exit code.
func (r *Tape) Past(name string, code uint32) *answers.Past {
	c := &labels.Container{Namespace: "shop", Pod: "api-7d9c", Name: name, Image: "registry.example/shop/api:1.4",
		Engine: "containerd", ID: "4f1c9be0a7d85c2d3e6f", Init: 1001, Created: r.created, Started: r.created + 5e6,
		Exited: r.At, ExitStatus: code << 8, State: abi.StateExited, Labels: map[string]string{"app": "api"}}
	calls := &straceback.Calls{Records: r.records}
	totals := map[string]*straceback.Total{}
	timeline := straceback.NewTimeline(r.records, nil)
	for e := range timeline.Calls {
		if e.Call.Event() {
			continue
		}
		name := string(e.Call.AppendName(nil))
		if totals[name] == nil {
			totals[name] = &straceback.Total{Syscall: name}
		}
		total := totals[name]
		total.Count++
		total.Time += e.Call.Duration
		if e.Call.Failed() {
			total.Failed++
		}
	}
	for nr := range syscalls.Nr(1024) {
		if s, ok := syscalls.Lookup(syscalls.NativeABI(), nr); ok && totals[s.Name] != nil {
			calls.Totals = append(calls.Totals, *totals[s.Name])
		}
	}
	return answers.New(answers.Source{Name: c.FullName(), Container: c, Calls: calls, Timeline: timeline,
		Boot: time.Date(2026, 3, 2, 3, 10, 0, 0, time.UTC), Now: r.At + 120e9})
}

// The results and numbers of calls.
const (
	enoent       = -2
	eagain       = -11
	econnrefused = -111
	cwd          = -100
)

// Crash is a service of several threads that lacks its configuration, with at least so many calls.
func Crash(t testing.TB, calls int) *answers.Past {
	r, random := New(t), rand.New(rand.NewPCG(1, 2))
	shell := Task{1001, 1001, "entrypoint.sh"}
	r.Call(shell, "execve", 600*time.Microsecond, 0, "/entrypoint.sh", 0, 0)
	r.Call(shell, "openat", 9*time.Microsecond, 3, cwd, "/entrypoint.sh", 0, 0)
	for _, tool := range []string{"id", "mkdir", "chown"} {
		child := Task{r.newPID(), r.newPID(), tool}
		r.Fork(shell, child.PID)
		r.Call(child, "execve", 450*time.Microsecond, 0, "/usr/bin/"+tool, 0, 0)
		for _, file := range []string{"/etc/ld.so.cache", "/lib/x86_64-linux-gnu/libc.so.6"} {
			r.Call(child, "openat", 11*time.Microsecond, 3, cwd, file, 0o2000000, 0)
			r.Call(child, "read", 3*time.Microsecond, 832, 3, "\x7fELF\x02\x01\x01", 832)
			r.Call(child, "close", time.Microsecond, 0, 3)
		}
		r.Pause(4 * time.Millisecond)
		r.Exit(child, 0)
		r.Call(shell, "wait4", 20*time.Microsecond, int64(child.PID-1000), -1, 0, 0, 0)
	}
	main := Task{1001, 1001, "python3"}
	r.Call(main, "execve", 700*time.Microsecond, 0, "/usr/bin/python3", 0, 0)
	for i := range 24 {
		name := fmt.Sprintf("/usr/lib/python3.12/lib-dynload/module%02d", i)
		r.Call(main, "openat", 8*time.Microsecond, enoent, cwd, name+".pyc", 0, 0)
		r.Call(main, "openat", 12*time.Microsecond, 3, cwd, name+".py", 0, 0)
		r.Call(main, "read", 30*time.Microsecond, 4096, 3, "import sys\n", 4096)
		r.Call(main, "close", time.Microsecond, 0, 3)
		r.Pause(time.Duration(random.IntN(900)) * time.Microsecond)
	}
	r.Call(main, "write", 8*time.Microsecond, 26, 1, "api 1.4 starts, 4 workers\n", 26)
	workers := make([]Task, 4)
	for i := range workers {
		workers[i] = Task{1001, uint32(1041 + i), fmt.Sprintf("worker-%d", i)}
		r.Fork(main, workers[i].TID)
	}
	address := []byte{2, 0, 0x15, 0x38, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0}
	for n := 0; len(r.records) < calls || n < 40; n++ {
		w := workers[random.IntN(len(workers))]
		switch random.IntN(8) {
		case 0:
			r.Wait(w)
		case 1:
			r.Call(w, "recvfrom", 5*time.Microsecond, eagain, 7, 0x7ffc2000, 4096, 64, 0, 0)
		case 2:
			r.Call(w, "write", 40*time.Microsecond, 57, 9, fmt.Sprintf("level=info msg=\"job %06d done\"", n), 57)
		default:
			r.Call(w, "read", time.Duration(2+random.IntN(60))*time.Microsecond, 512, 8, fmt.Sprintf("{\"job\": %d}", n), 4096)
		}
		if n%10 == 9 && n < 40 {
			r.Call(main, "connect", 210*time.Microsecond, econnrefused, 5, address, 16)
			r.Pause(25 * time.Millisecond)
		}
	}
	line := "FileNotFoundError: [Errno 2] No such file or directory: '/etc/app/settings.yaml'\n"
	r.Call(main, "openat", 14*time.Microsecond, enoent, cwd, "/etc/app/settings.yaml", 0o2000000, 0)
	for _, text := range []string{"Traceback (most recent call last):\n", "  File \"/app/main.py\", line 12, in load\n",
		line, "startup failed\n"} {
		r.Call(main, "write", 7*time.Microsecond, int64(len(text)), 2, text, len(text))
	}
	r.Pause(900 * time.Microsecond)
	r.Exit(main, 1)
	return r.Past("app", 1)
}

// newPID returns the ID of a new process.
func (r *Tape) newPID() uint32 { return 1010 + uint32(len(r.records)) }

// Markup is what a hostile container has in all its names: it tries to become part of the page.
const Markup = `</script><img src=x onerror="document.title='owned'"><!--<script>` + "\u2028\x1b[2J\xff"

// Hostile is a container that plants Markup in names of files and threads, arguments, output and its own names.
func Hostile(t testing.TB) *answers.Past {
	r := New(t)
	k := Task{1001, 1001, "</script><img "}
	r.Call(k, "execve", time.Millisecond, 0, "/bin/"+Markup, 0, 0)
	r.Call(k, "openat", time.Microsecond, enoent, cwd, "/srv/"+Markup, 0, 0)
	r.Call(k, "write", time.Microsecond, int64(len(Markup)+1), 2, Markup+"\n", len(Markup)+1)
	r.Exit(k, 1)
	p := r.Past(Markup, 1)
	c := p.Container
	c.Image, c.Engine, c.ID, c.Labels = Markup, Markup, Markup, map[string]string{Markup: Markup}
	p.Name = Markup
	return p
}
