// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"

	"github.com/runc-trace/runc-trace/test/cgroup"
)

// A variant is one set of programs at the hooks sys_enter and sys_exit, under which a worker makes its calls.
type variant struct {
	name     string
	programs []*ebpf.Program
	worker   *worker
	threads  int // that make the same calls at once; one of them is timed
	calls    int // in a batch
}

const (
	batchCalls = 500 // about 0.1 ms, so that most batches see no interrupt
	batches    = 4   // of each workload, each time that the programs of a variant are attached
)

// timed are the workloads, in the order of the tables.
var timed = []string{"getppid", "getpriority", "write64", "read64", "access"}

// benchCalls measures a call with nothing at the hooks, with programs that do nothing or look up a cgroup, and with
// those of each build, outside of a container and in a recorded one.
func benchCalls(rounds int, old string) (err error) {
	if rounds == 0 {
		rounds = 60
	}
	var floors floorsObjects
	if err := loadFloorsObjects(&floors, nil); err != nil {
		return fmt.Errorf("loading floors: %w", err)
	}
	defer floors.Close()

	builds := []*recorder{{build: ".", name: "runc-trace"}}
	if old != "" {
		builds = append(builds, &recorder{build: old, name: "old build"})
	}
	inside, err := startRecorders(builds)
	defer func() { err = errors.Join(err, stopRecorders(builds, inside)) }()
	if err != nil {
		return err
	}
	outsider, err := startWorker(nil)
	if err != nil {
		return err
	}
	defer outsider.stop()
	insider, err := startWorker(inside)
	if err != nil {
		return err
	}
	defer insider.stop()
	for _, r := range builds {
		if err := r.detach(); err != nil {
			return err
		}
	}

	empty := []*ebpf.Program{floors.EmptyEnter, floors.EmptyExit}
	variants := []*variant{
		{name: nothing, worker: outsider},
		{name: twoEmpty, worker: outsider, programs: empty},
		{name: "cgroup looked up in a hash", worker: outsider, programs: []*ebpf.Program{floors.HashEnter, floors.HashExit}},
		{name: nothing + ", in the container", worker: insider},
		{name: nothing + ", two threads", worker: insider, threads: 2},
		{name: twoEmpty + ", two threads", worker: insider, programs: empty, threads: 2},
	}
	for _, r := range builds {
		variants = append(variants,
			&variant{name: r.name + outside, worker: outsider, programs: r.hooks},
			&variant{name: r.name + recorded, worker: insider, programs: r.hooks},
			&variant{name: r.name + recorded + twoThreads, worker: insider, programs: r.hooks, threads: 2})
	}
	variants = append(variants, &variant{name: nothing + ", again (control)", worker: outsider})
	if path, err := exec.LookPath("strace"); err == nil {
		traced, err := startWorker(nil, path, "-f", "-o", "/dev/null")
		if err != nil {
			return err
		}
		defer traced.stop()
		variants = append(variants, &variant{name: "strace -f", worker: traced, calls: batchCalls / 10})
	}

	figures := make(figures)
	begin := time.Now()
	for range rounds {
		for _, i := range rand.Perm(len(variants)) {
			if err := variants[i].measure(figures); err != nil {
				return fmt.Errorf("measuring %q: %w", variants[i].name, err)
			}
		}
	}
	fmt.Printf("%d rounds in random order took %.0f s\n\n", rounds, time.Since(begin).Seconds())
	figures.print(variants, builds)
	return nil
}

const (
	nothing    = "nothing"
	twoEmpty   = "two empty programs"
	outside    = ", outside a container"
	recorded   = ", in a recorded container"
	twoThreads = ", two threads"
)

// measure attaches the programs, takes some batches of each workload, and detaches the programs.
func (v *variant) measure(f figures) (err error) {
	var links []link.Link
	defer func() {
		for _, l := range links {
			err = errors.Join(err, l.Close())
		}
	}()
	for _, p := range v.programs {
		l, err := link.AttachTracing(link.TracingOptions{Program: p})
		if err != nil {
			return fmt.Errorf("attaching: %w", err)
		}
		links = append(links, l)
	}
	calls := v.calls
	if calls == 0 {
		calls = batchCalls
	}
	for _, workload := range timed {
		took, err := v.worker.batches(workload, calls, batches, max(v.threads, 1))
		if err != nil {
			return fmt.Errorf("running %s: %w", workload, err)
		}
		f[v.name+workload] = append(f[v.name+workload], took...)
	}
	return nil
}

// figures are the nanoseconds of CPU of a call in each batch, by variant and workload.
type figures map[string][]float64

// of returns the fifth percentile: what else the machine does only adds time, and the least of many batches is luck.
// Of two threads, it returns the median, because in the fastest batches the other thread was not running.
func (f figures) of(v *variant, workload string) float64 {
	if v.threads > 1 {
		return median(f[v.name+workload])
	}
	return percentile(f[v.name+workload], 5)
}

func (f figures) print(variants []*variant, builds []*recorder) {
	byName := make(map[string]*variant)
	header := func(first string) {
		fmt.Printf("| %s |", first)
		for _, w := range timed {
			fmt.Printf(" %s |", w)
		}
		fmt.Print("\n|---|")
		for range timed {
			fmt.Print("---|")
		}
		fmt.Println()
	}
	row := func(name, format string, cell func(workload string) float64) {
		fmt.Printf("| %s |", name)
		for _, w := range timed {
			fmt.Printf(" "+format+" |", cell(w))
		}
		fmt.Println()
	}
	fmt.Printf("Nanoseconds of CPU a call: fifth percentile of batches of %d calls; with two threads, the median.\n\n", batchCalls)
	header("")
	for _, v := range variants {
		byName[v.name] = v
		row(v.name, "%.0f", func(w string) float64 { return f.of(v, w) })
	}
	added := func(name, base string) func(w string) float64 {
		return func(w string) float64 { return f.of(byName[name], w) - f.of(byName[base], w) }
	}
	fmt.Printf("\nAdded to nothing, in units of what two empty programs add (E).\n\n")
	header("")
	for _, r := range builds {
		for _, v := range []struct{ name, base string }{
			{r.name + outside, nothing}, {r.name + recorded, nothing + ", in the container"},
		} {
			row(v.name, "%.2f", func(w string) float64 { return added(v.name, v.base)(w) / added(twoEmpty, nothing)(w) })
		}
	}
	if len(builds) < 2 {
		return
	}
	fmt.Printf("\nMore than the old build, in nanoseconds.\n\n")
	header("")
	for _, name := range []string{outside, recorded, recorded + twoThreads} {
		row(builds[0].name+name, "%+.0f", added(builds[0].name+name, builds[1].name+name))
	}
}

// startRecorders loads the programs of each build, and makes one cgroup that is a recorded container to all of them.
func startRecorders(builds []*recorder) (*cgroup.Directory, error) {
	inside, err := cgroup.Unmade(benchCgroup)
	if err != nil {
		return nil, err
	}
	for _, r := range builds {
		if err := r.start(benchCgroup); err != nil {
			return inside, err
		}
	}
	if err := inside.Make(); err != nil {
		return inside, err
	}
	for _, r := range builds {
		if err := r.check(); err != nil {
			return inside, err
		}
	}
	return inside, nil
}

func stopRecorders(builds []*recorder, inside *cgroup.Directory) error {
	var errs []error
	if inside != nil {
		errs = append(errs, inside.Remove())
	}
	for _, r := range builds {
		errs = append(errs, r.stop())
	}
	return errors.Join(errs...)
}
