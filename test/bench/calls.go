// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"

	"github.com/runc-trace/runc-trace/pkg/bpf"
	"github.com/runc-trace/runc-trace/pkg/config"
	"github.com/runc-trace/runc-trace/test/cgroup"
)

// A variant is one way to run a worker. start sets it up and returns a function that undoes that.
type variant struct {
	name  string
	start func() (stop func() error, err error)
	wrap  []string // a command to run the worker under
	in    *cgroup.Directory
}

var timed = []struct {
	name string
	n    int
}{{"getppid", 200000}, {"write64", 200000}, {"access", 100000}}

func benchCalls(rounds int) error {
	if rounds == 0 {
		rounds = 9
	}
	var floors floorsObjects
	if err := loadFloorsObjects(&floors, nil); err != nil {
		return fmt.Errorf("loading floors: %w", err)
	}
	defer floors.Close()
	instance, err := startInstance()
	if err != nil {
		return err
	}
	defer instance.stop()

	nothing := func() (func() error, error) { return func() error { return nil }, nil }
	variants := []variant{
		{name: "nothing", start: nothing},
		{name: "two empty programs", start: attached(floors.EmptyEnter, floors.EmptyExit)},
		{name: "cgroup looked up in a hash", start: attached(floors.HashEnter, floors.HashExit)},
		{name: "runc-trace, outside a container", start: instance.attach},
		{name: "runc-trace, in a recorded container", start: instance.attach, in: instance.recorded},
		{name: "nothing, again (control)", start: nothing},
	}
	if path, err := exec.LookPath("strace"); err == nil {
		variants = append(variants, variant{name: "strace -f", start: nothing, wrap: []string{path, "-f", "-o", "/dev/null"}})
	}

	figures := make(map[string][]float64)
	for range rounds {
		for _, v := range variants {
			stop, err := v.start()
			if err != nil {
				return fmt.Errorf("starting %q: %w", v.name, err)
			}
			for _, w := range timed {
				n := w.n
				if v.wrap != nil {
					n /= 100
				}
				ns, err := runWorker(v, w.name, n)
				if err != nil {
					return errors.Join(fmt.Errorf("running %s under %q: %w", w.name, v.name, err), stop())
				}
				figures[v.name+w.name] = append(figures[v.name+w.name], ns)
			}
			if err := stop(); err != nil {
				return fmt.Errorf("stopping %q: %w", v.name, err)
			}
		}
	}

	fmt.Printf("nanoseconds of CPU a call, least of %d interleaved rounds\n\n| | %s | %s | %s |\n|---|---|---|---|\n",
		rounds, timed[0].name, timed[1].name, timed[2].name)
	for _, v := range variants {
		fmt.Printf("| %s |", v.name)
		for _, w := range timed {
			fmt.Printf(" %.0f |", least(figures[v.name+w.name]))
		}
		fmt.Println()
	}
	fmt.Printf("\nadded, as a multiple of what looking the cgroup up adds\n\n")
	for _, v := range variants[3:5] {
		fmt.Printf("| %s |", v.name)
		for _, w := range timed {
			none := least(figures["nothing"+w.name])
			fmt.Printf(" %.2fx |",
				(least(figures[v.name+w.name])-none)/(least(figures["cgroup looked up in a hash"+w.name])-none))
		}
		fmt.Println()
	}
	return nil
}

func runWorker(v variant, workload string, n int) (float64, error) {
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	args := append(append([]string{}, v.wrap...), self, "worker", workload, strconv.Itoa(n))
	c := exec.Command(args[0], args[1:]...)
	c.Stderr = os.Stderr
	if v.in != nil {
		c.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: v.in.FD()}
	}
	out, err := c.Output()
	if err != nil {
		return 0, err
	}
	return strconv.ParseFloat(strings.TrimSpace(string(out)), 64)
}

// attached returns a start function that attaches programs and detaches them when the variant stops.
func attached(programs ...*ebpf.Program) func() (func() error, error) {
	return func() (func() error, error) {
		var links []link.Link
		stop := func() error {
			var errs []error
			for _, l := range links {
				errs = append(errs, l.Close())
			}
			return errors.Join(errs...)
		}
		for _, p := range programs {
			l, err := link.AttachTracing(link.TracingOptions{Program: p})
			if err != nil {
				return nil, errors.Join(err, stop())
			}
			links = append(links, l)
		}
		return stop, nil
	}
}

const benchDir = "/sys/fs/bpf/runc-trace-bench"

// benchCgroup has a name of its own for each run, because a run that is killed leaves its cgroup.
var benchCgroup = fmt.Sprintf("/runc-trace-bench-%d", os.Getpid())

// instance is the recorder. It is loaded only for each round that needs it, so that it costs the other rounds nothing.
type instance struct{ recorded *cgroup.Directory }

func startInstance() (*instance, error) {
	d, err := cgroup.Unmade(benchCgroup)
	return &instance{recorded: d}, err
}

func (i *instance) attach() (func() error, error) {
	if _, err := bpf.Load(benchDir, config.DefaultPool()); err != nil {
		return nil, err
	}
	stop := func() error {
		removed := i.recorded.Remove()
		_, err := bpf.Unload(benchDir)
		return errors.Join(removed, err)
	}
	if err := i.recorded.Register(benchDir, cgroup.Recorded("bench")); err != nil {
		return nil, errors.Join(err, stop())
	}
	return stop, nil
}

func (i *instance) stop() { i.recorded.Remove() }
