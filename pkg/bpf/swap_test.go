// SPDX-License-Identifier: Apache-2.0

package bpf_test

import (
	"bufio"
	"context"

	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/runc-trace/runc-trace/pkg/bpf"
	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/config"
	"github.com/runc-trace/runc-trace/pkg/execlog"
	"github.com/runc-trace/runc-trace/pkg/ring"
	"github.com/runc-trace/runc-trace/pkg/syscalls"
	"github.com/runc-trace/runc-trace/test/cgroup"
)

// series checks that each number comes once: a repeated one is an error, a missing one is counted. Several readers
// may use it at the same time.
type series struct {
	t    *testing.T
	mu   sync.Mutex
	seen map[string][]uint64 // bits
	next map[string]int      // one more than the greatest number
	lost map[string]int
}

func newSeries(t *testing.T) *series {
	return &series{t: t, seen: map[string][]uint64{}, next: map[string]int{}, lost: map[string]int{}}
}

func (s *series) saw(name string, number int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.note(name, number)
}

// count sees the next number of things that have none.
func (s *series) count(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.note(name, s.next[name])
}

func (s *series) note(name string, number int) {
	bits := s.seen[name]
	for len(bits) <= number/64 {
		bits = append(bits, make([]uint64, max(1, len(bits)))...)
	}
	if bits[number/64]>>(number%64)&1 != 0 {
		s.t.Errorf("%s: number %d comes twice", name, number)
	}
	bits[number/64] |= 1 << (number % 64)
	s.seen[name], s.next[name] = bits, max(s.next[name], number+1)
}

// end ends the series after count numbers and returns how many of them are missing.
func (s *series) end(name string, count int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	missing := max(count, s.next[name])
	for _, word := range s.seen[name] {
		missing -= bits.OnesCount64(word)
	}
	s.lost[name] = missing
	return missing
}

// follow reads a ring until stop is closed and then to its end. It fails the test if a record is missing.
func follow(t *testing.T, r *ring.Ring, stop <-chan struct{}, each func(record []byte)) {
	for next, last := uint64(0), false; ; {
		s, err := r.Read(next, !last)
		switch {
		case errors.Is(err, ring.ErrUnsettled):
			continue
		case err != nil:
			t.Error(err)
			return
		case s.Lapped || s.Gaps != 0 || s.Torn != 0 || s.Lost != 0:
			t.Errorf("lapped %v, %d gaps, %d torn, %d lost: the reader cannot keep up, or records are lost", s.Lapped, s.Gaps, s.Torn, s.Lost)
			return
		}
		next = s.Next
		for _, record := range s.Records {
			each(record)
		}
		if last {
			return
		}
		select {
		case <-stop:
			last = true
		case <-time.After(time.Millisecond):
		}
	}
}

// followExecs is follow for the exec log.
func followExecs(t *testing.T, log []*ring.Ring, stop <-chan struct{}, each func(*execlog.Record)) {
	r := execlog.NewPastReader(log)
	handle := func(b *execlog.Batch) error {
		for record := range b.Records() {
			each(record)
		}
		if b.Lost != 0 || b.Malformed != 0 {
			return fmt.Errorf("%d execs are lost, %d malformed", b.Lost, b.Malformed)
		}
		return nil
	}
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-stop
		cancel()
	}()
	if err := r.Follow(ctx, handle); err != nil {
		t.Error(err)
	}
}

// TestReplaceLosesNothing replaces the programs again and again while numbered calls, execs and containers come and go:
// each of them is recorded exactly once.
func TestReplaceLosesNothing(t *testing.T) {
	// The readers must not be overtaken, even if they have to wait for a CPU.
	o := config.Pool{Rings: 8, RingSize: 512 << 10, RecentSize: 16 << 20, Identities: 8192, ExecLogSize: 64 << 20,
		CaptureSize: 128, ArgvSize: 4096}
	i := load(t, o)
	d := container(t, i, "/rt-swap")
	numbered := command(d, os.Args[0])
	numbered.Env = as("numbered")
	numbered.Stderr = os.Stderr
	in, err := numbered.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := numbered.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := numbered.Start(); err != nil {
		t.Fatal(err)
	}
	defer numbered.Wait()
	defer in.Close()

	stopWork, stopReading := make(chan struct{}), make(chan struct{})
	var work, reading sync.WaitGroup
	recorded, logged := newSeries(t), newSeries(t)
	r, err := i.Recording(int(identity(t, i, "rt-swap").Ring) - 1)
	if err != nil {
		t.Fatal(err)
	}
	reading.Go(func() { // other lanes have copies
		follow(t, r.Lanes[abi.LaneRecent], stopReading, func(record []byte) { sawCall(t, recorded, record, in) })
	})
	if _, err := in.Write(make([]byte, 32)); err != nil {
		t.Fatal(err)
	}
	log, err := i.ExecLog()
	if err != nil {
		t.Fatal(err)
	}
	reading.Go(func() { followExecs(t, log, stopReading, func(r *execlog.Record) { sawExec(t, logged, r) }) })
	execs, cycles := 0, 0
	work.Go(func() { execs = numberedExecs(t, d, stopWork) })
	work.Go(func() { cycles = numberedContainers(t, i.Dir, o.Identities/2, stopWork) })

	var slowest time.Duration
	replacements, most, end := 0, 10, time.Now().Add(10*time.Second)
	if os.Getenv("RUNC_TRACE_SOAK") != "" {
		most, end = 1000, end.Add(2*time.Minute)
	}
	for ; replacements < most && (replacements < 3 || time.Now().Before(end)); replacements++ {
		before := running(t, i.Dir)
		var swap time.Time
		bpf.AfterReplaceStep(func() {
			if swap.IsZero() {
				swap = time.Now() // the programs are loaded; they are swapped from here on
			}
		})
		if _, err := bpf.Load(i.Dir, bpf.Options{Pool: o, Replace: bpf.ReplaceAll}); err != nil {
			t.Fatal(err)
		}
		slowest = max(slowest, time.Since(swap))
		for name, id := range running(t, i.Dir) {
			if id == before[name] {
				t.Errorf("%s is the same as before", name)
			}
		}
	}
	bpf.AfterReplaceStep(func() {})
	close(stopWork)
	work.Wait()
	if err := in.Close(); err != nil {
		t.Error(err)
	}
	var made [2][3]int
	if err := json.NewDecoder(bufio.NewReader(out)).Decode(&made); err != nil {
		t.Fatal(err)
	}
	if err := numbered.Wait(); err != nil {
		t.Fatal(err)
	}
	close(stopReading)
	reading.Wait()

	// Events may be missing only if the kernel counted a skipped run of their hook: see Program.Missed.
	missed := missedRuns(t, i)
	lost := 0
	for thread := range made {
		lost += recorded.end(fmt.Sprintf("lseek %d", thread), made[thread][0])
		lost += recorded.end(fmt.Sprintf("mkdirat %d", thread), made[thread][1])
		lost += logged.end(fmt.Sprintf("failed %d", thread), made[thread][2])
	}
	lost += recorded.end("execve", made[0][2]+made[1][2])
	if lost > missed["on_sys_exit"] {
		t.Errorf("%d records of calls are lost, %d hooks were missed: %v, %v", lost, missed["on_sys_exit"],
			recorded.lost, logged.lost)
	}
	if n := recorded.next["without enter"]; n > missed["on_sys_enter"] {
		t.Errorf("%d calls without an enter, %d hooks were missed", n, missed["on_sys_enter"])
	}
	if n := logged.end("true", execs); n > missed["on_exec"] {
		t.Errorf("%d execs are lost, %d hooks were missed", n, missed["on_exec"])
	}
	if n := logged.end("sequence", 0); n != 0 {
		t.Errorf("%d execs are missing in the log", n)
	}
	if execs == 0 || cycles == 0 || min(made[0][0], made[1][0]) == 0 {
		t.Errorf("nothing was done while programs were replaced: %d execs, %d containers, calls %v", execs, cycles, made)
	}
	checkContainers(t, i, cycles)
	t.Logf("%d replacements, at most %v each once loaded: calls %v, %d execs that succeeded, %d in the log, %d containers; lost %d, hooks missed %v",
		replacements, slowest, made, execs, logged.next["sequence"], cycles, lost, missed)
}

// missedRuns returns, by program, how many runs the kernel skipped. Only kernels that preempt tracing programs skip
// any.
func missedRuns(t *testing.T, i *bpf.Instance) map[string]int {
	t.Helper()
	programs, err := i.Programs()
	if err != nil {
		t.Fatal(err)
	}
	missed := map[string]int{}
	for _, p := range programs {
		missed[p.Name] = int(p.Missed)
	}
	return missed
}

// sawCall notes the worker's numbered calls, and lets the worker make more for those that were seen.
func sawCall(t *testing.T, s *series, record []byte, more io.Writer) {
	var c syscalls.Call
	if err := c.Decode(record); err != nil {
		t.Error(err)
		return
	}
	if string(c.Comm) != "worker" {
		return
	}
	switch c.Nr {
	case unix.SYS_READ:
		if c.Args[0] == 0 && c.Result == 1 {
			more.Write([]byte{0}) // fails after the worker's input was closed
		}
		return
	case unix.SYS_LSEEK:
		s.saw(fmt.Sprintf("lseek %d", c.Args[2]), int(c.Args[1]))
	case unix.SYS_MKDIRAT:
		s.saw(fmt.Sprintf("mkdirat %d", c.Args[0]), int(c.Args[2]))
	case unix.SYS_EXECVE:
		s.count("execve") // the number is in the exec log
		return
	default:
		return
	}
	refused := c.Nr == unix.SYS_MKDIRAT
	if c.NoEnter && !refused {
		s.count("without enter")
	}
	if refused && !c.NoEnter || c.Unfinished {
		t.Errorf("not as it was made: %s", c.AppendText(nil))
	}
}

// sawExec notes the execs whose last argument is a number.
func sawExec(t *testing.T, s *series, e *execlog.Record) {
	s.saw("sequence", int(e.Sequence))
	path, args := string(e.Path), strings.Split(string(e.Arguments), "\x00")
	if path != "/bin/true" && path != "/nonexistent" {
		return
	}
	number, err := strconv.Atoi(args[max(0, len(args)-2)])
	if err != nil {
		t.Errorf("exec of %s with %q", path, args)
		return
	}
	switch {
	case path == "/bin/true" && e.Result == 0:
		s.saw("true", number)
	case path == "/bin/true" || e.Result != -int32(unix.ENOENT):
		t.Errorf("exec %d of %s ended with %d", number, path, e.Result)
	default:
		s.saw(fmt.Sprintf("failed %d", number%2), number/2)
	}
}

// numberedExecs runs a program in a container again and again, and returns the number of runs.
func numberedExecs(t *testing.T, in *cgroup.Directory, stop <-chan struct{}) int {
	for n := 0; ; n++ {
		select {
		case <-stop:
			return n
		default:
		}
		if out, err := command(in, "/bin/true", strconv.Itoa(n)).CombinedOutput(); err != nil {
			t.Errorf("exec %d: %v: %s", n, err, out)
			return n
		}
	}
}

// numberedContainers makes and removes containers, each with a cgroup below its own, and returns their number.
func numberedContainers(t *testing.T, dir string, most int, stop <-chan struct{}) int {
	for n := range most {
		select {
		case <-stop:
			return n
		default:
		}
		name := fmt.Sprintf("rt-swap-%d", n)
		parent, err := cgroup.Unmade(ownCgroup + "/" + name)
		if err == nil {
			err = parent.Register(dir, cgroup.Recorded(name))
		}
		if err != nil {
			t.Error(err)
			return n
		}
		child, err := cgroup.Unmade(parent.Path + "/child")
		if err == nil {
			err = child.Make()
		}
		if err := errors.Join(err, child.Remove(), parent.Remove()); err != nil {
			t.Error(err)
			return n
		}
	}
	return most
}

// checkContainers checks that each numbered container is recorded and ended exactly once, and that no slot is lost or
// assigned twice.
func checkContainers(t *testing.T, i *bpf.Instance, cycles int) {
	t.Helper()
	seen := map[string]int{}
	for n := range i.Pool().Identities {
		id, ok := i.Identity(n)
		name := unix.ByteSliceToString(id.Who.ID[:])
		if !ok || name == "rt-swap" {
			continue
		}
		seen[name]++
		if id.State != abi.StateEnded || id.Ring == 0 || id.Children != 0 || id.Generation != 2 {
			t.Errorf("%s: %s, %d children", name, summary(id), id.Children)
		}
	}
	want := map[string]int{}
	for n := range cycles {
		want[fmt.Sprintf("rt-swap-%d", n)] = 1
	}
	if diff := cmp.Diff(want, seen); diff != "" {
		t.Errorf("containers (-want +got):\n%s", diff)
	}
	if left := entries(t, i); left[abi.PinPending] != 0 || left[abi.PinContainers] != 1 || left["live identities"] != 1 {
		t.Errorf("left of them: %v", left)
	}
	rings := map[uint32]bool{identity(t, i, "rt-swap").Ring: true}
	for n := range i.Pool().Rings - 1 {
		name := fmt.Sprintf("rt-swap-last-%d", n)
		container(t, i, "/"+name)
		rings[identity(t, i, name).Ring] = true
	}
	if len(rings) != i.Pool().Rings || rings[0] {
		t.Errorf("%d containers live in %d rings", i.Pool().Rings, len(rings))
	}
	c := counters(t, i)
	c[abi.CountTorn] = 0 // an emulated CPU may stop for a whole lap; what that tears is counted by those who call this
	if c != [abi.CountersMax]uint64{} {
		t.Errorf("counters %v", c)
	}
}
