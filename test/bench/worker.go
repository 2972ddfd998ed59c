// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/runc-trace/runc-trace/test/cgroup"
)

// work serves requests on standard input, a line each: "WORKLOAD" CALLS BATCHES THREADS. It answers with the CPU time
// of each batch of calls of one thread, in nanoseconds per call. If THREADS is 2, another thread makes the same calls
// on another CPU. With arguments WORKLOAD CALLS, it makes the calls once instead.
func work(args []string) error {
	made, err := prepared()
	if err != nil {
		return fmt.Errorf("preparing workloads: %w", err)
	}
	if len(args) == 2 {
		calls, err := strconv.Atoi(args[1])
		if err != nil || made[args[0]] == nil {
			return errors.New("usage: bench worker [WORKLOAD CALLS]")
		}
		made[args[0]](calls)
		return nil
	}
	debug.SetGCPercent(-1)
	var other other
	other.start()
	pin(runtime.NumCPU() - 1)
	requests := bufio.NewScanner(os.Stdin)
	for requests.Scan() {
		var name string
		var calls, batches, threads int
		_, err := fmt.Sscanf(requests.Text(), "%q %d %d %d", &name, &calls, &batches, &threads)
		if err != nil || made[name] == nil {
			return fmt.Errorf("request %q: want \"WORKLOAD\" CALLS BATCHES THREADS", requests.Text())
		}
		took := timeBatches(made[name], calls, batches, &other, threads)
		if _, err := fmt.Println(strings.Trim(fmt.Sprint(took), "[]")); err != nil {
			return err
		}
	}
	return requests.Err()
}

func timeBatches(f func(n int), calls, batches int, other *other, threads int) (took []float64) {
	if threads > 1 {
		other.begin(func() { f(calls) })
	} else {
		other.begin(idle)
	}
	defer other.end()
	f(calls / 4)
	for range batches {
		start := threadTime()
		f(calls)
		took = append(took, float64(threadTime()-start)/float64(calls))
	}
	return took
}

// idle takes time, and leaves nearly all of a core to the core's other CPU: each division waits for the one before.
func idle() {
	x := 1e300
	for range 100 {
		x = 1e300 / (x + 1)
	}
	if x < 0 {
		panic(x)
	}
}

// other is a second thread. It makes calls at the same time, or only keeps other processes from its CPU, because these
// change what a call costs on a CPU of the same core. It exists from the start, because a thread that starts while not
// all hooks are attached looks as if it came from outside of the container.
type other struct {
	work chan func()
	stop atomic.Bool
	done chan struct{}
}

func (o *other) start() {
	o.work, o.done = make(chan func()), make(chan struct{})
	go func() {
		pin(0)
		for f := range o.work {
			f()
			o.done <- struct{}{}
		}
	}()
	o.begin(idle)
	o.end()
}

// begin has the thread run f all the time, and returns when it does.
func (o *other) begin(f func()) {
	o.stop.Store(false)
	began := make(chan struct{})
	o.work <- func() {
		f()
		close(began)
		for !o.stop.Load() {
			f()
		}
	}
	<-began
}

func (o *other) end() {
	o.stop.Store(true)
	<-o.done
}

// pin binds the calling thread to a CPU for good, and gives it priority over all ordinary threads.
func pin(cpu int) {
	runtime.LockOSThread()
	var set unix.CPUSet
	set.Set(cpu)
	err := unix.SchedSetaffinity(0, &set)
	first := &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_FIFO, Priority: 1}
	err = errors.Join(err, unix.SchedSetAttr(0, first, 0))
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench worker: binding a thread to a CPU:", err)
	}
}

func threadTime() int64 {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t); err != nil {
		return 0
	}
	return t.Nano()
}

// A worker is a process that makes calls on request.
type worker struct {
	process  *exec.Cmd
	requests io.WriteCloser
	answers  *bufio.Reader
}

// startWorker starts a worker in a cgroup (nil: its parent's), under a command such as strace.
func startWorker(in *cgroup.Directory, under ...string) (*worker, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	args := append(under, self, "worker")
	w := &worker{process: exec.Command(args[0], args[1:]...)}
	w.process.Stderr = os.Stderr
	if in != nil {
		w.process.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: in.FD()}
	}
	answers, err := w.process.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if w.requests, err = w.process.StdinPipe(); err != nil {
		return nil, err
	}
	w.answers = bufio.NewReader(answers)
	if err := w.process.Start(); err != nil {
		return nil, err
	}
	_, err = w.batches("getppid", 1, 1, 2) // both threads have their storage now
	return w, err
}

// batches returns the nanoseconds of CPU of a call in each batch.
func (w *worker) batches(workload string, calls, batches, threads int) ([]float64, error) {
	if _, err := fmt.Fprintf(w.requests, "%q %d %d %d\n", workload, calls, batches, threads); err != nil {
		return nil, err
	}
	line, err := w.answers.ReadString('\n')
	if err != nil {
		return nil, fmt.Errorf("the worker ended: %w", err)
	}
	took := make([]float64, batches)
	for i, field := range strings.Fields(line) {
		if i == len(took) {
			break
		}
		if took[i], err = strconv.ParseFloat(field, 64); err != nil {
			return nil, err
		}
	}
	return took, nil
}

func (w *worker) stop() {
	w.requests.Close()
	w.process.Wait()
}
