// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"slices"
	"strings"
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

// benchCalls measures a call with nothing at the hooks, with programs that do nothing or look up a cgroup, and with
// those of each build, outside of a container and in a recorded one.
func benchCalls(rounds int, old string) (err error) {
	var floors floorsObjects
	if err := loadFloorsObjects(&floors, nil); err != nil {
		return fmt.Errorf("loading floors: %w", err)
	}
	defer floors.Close()
	s, err := newStand(old)
	defer func() { err = errors.Join(err, s.close()) }()
	if err != nil {
		return err
	}
	empty := []*ebpf.Program{floors.EmptyEnter, floors.EmptyExit}
	hashes := []*ebpf.Program{floors.HashEnter, floors.HashExit}
	groups := [][]*variant{
		{{name: twoEmpty, worker: s.outsider, programs: empty}},
		{{name: "cgroup looked up in a hash", worker: s.outsider, programs: hashes}},
		{{name: nothing + inContainer, worker: s.insider}},
		{{name: nothing + twoThreads, worker: s.insider, threads: 2}},
		{{name: twoEmpty + twoThreads, worker: s.insider, programs: empty, threads: 2}},
		s.builds(variant{name: outside, worker: s.outsider}),
		s.builds(variant{name: recorded, worker: s.insider}),
		s.builds(variant{name: recorded + twoThreads, worker: s.insider, threads: 2}),
	}
	if s.traced != nil {
		groups = append(groups, []*variant{{name: underStrace, worker: s.traced, calls: batchCalls / 10}})
	}
	t, err := s.compare(cmp.Or(rounds, 60), plain, groups)
	if err != nil {
		return err
	}
	t.print(s.recorders)
	return nil
}

// A stand has what variants are measured with: the programs of each build, loaded but not attached, and workers.
type stand struct {
	recorders []*recorder
	inside    *cgroup.Directory
	// outsider is outside of containers, insider in a recorded one, and traced under strace (nil without strace).
	outsider, insider, traced *worker
}

// newStand returns a stand that has to be closed, also if there is an error.
func newStand(old string) (s *stand, err error) {
	s = &stand{recorders: recorders(old)}
	if s.inside, err = startRecorders(s.recorders); err != nil {
		return s, err
	}
	if s.outsider, err = startWorker(nil); err != nil {
		return s, err
	}
	if s.insider, err = startWorker(s.inside); err != nil {
		return s, err
	}
	for _, r := range s.recorders {
		if err := r.detach(); err != nil {
			return s, err
		}
	}
	if path, lookErr := exec.LookPath("strace"); lookErr == nil {
		s.traced, err = startWorker(nil, path, "-f", "-o", "/dev/null")
	}
	return s, err
}

func (s *stand) close() error {
	for _, w := range []*worker{s.outsider, s.insider, s.traced} {
		if w != nil {
			w.stop()
		}
	}
	return stopRecorders(s.recorders, s.inside)
}

// builds returns a variant for each build.
func (s *stand) builds(v variant) (group []*variant) {
	for _, r := range s.recorders {
		group = append(group, &variant{name: r.name + v.name, worker: v.worker, programs: r.hooks, threads: v.threads})
	}
	return group
}

// compare measures groups of variants in rounds, in random order; those of a group are next to each other. The worker
// outside of containers, with nothing at the hooks, begins and ends each round. Rounds that were disturbed do not
// count.
func (s *stand) compare(rounds int, workloads []workload, groups [][]*variant) (*table, error) {
	none, control := &variant{name: nothing, worker: s.outsider}, &variant{name: again, worker: s.outsider}
	var all []round
	var err error
	begin := time.Now()
	for n := 0; n < rounds || n < patience*rounds && len(undisturbed(all, workloads[0].name)) < rounds; n++ {
		r := make(round)
		order := []*variant{none}
		for _, i := range rand.Perm(len(groups)) {
			for _, k := range rand.Perm(len(groups[i])) {
				order = append(order, groups[i][k])
			}
		}
		for _, v := range append(order, control) {
			if r[v.name], err = v.measure(workloads); err != nil {
				return nil, fmt.Errorf("measuring %q: %w", v.name, err)
			}
		}
		all = append(all, r)
	}
	kept := undisturbed(all, workloads[0].name)
	fmt.Printf("%d rounds in random order took %.0f s; %d were undisturbed, and count\n\n", len(all),
		time.Since(begin).Seconds(), len(kept))
	variants := slices.Concat(slices.Concat([][]*variant{{none}}, groups, [][]*variant{{control}})...)
	return &table{workloads, kept, variants}, nil
}

const (
	nothing     = "nothing"
	again       = nothing + ", again (control)"
	twoEmpty    = "two empty programs"
	outside     = ", outside a container"
	inContainer = ", in the container"
	recorded    = ", in a recorded container"
	twoThreads  = ", two threads"
	underStrace = "strace -f"
)

// measure attaches the programs, takes some batches of each workload, and detaches the programs.
func (v *variant) measure(workloads []workload) (took sample, err error) {
	var links []link.Link
	defer func() {
		for _, l := range links {
			err = errors.Join(err, l.Close())
		}
	}()
	for _, p := range v.programs {
		l, err := link.AttachTracing(link.TracingOptions{Program: p})
		if err != nil {
			return nil, fmt.Errorf("attaching: %w", err)
		}
		links = append(links, l)
	}
	took = make(sample)
	for _, w := range workloads {
		took[w.name], err = v.worker.batches(w.name, cmp.Or(v.calls, batchCalls), batches, max(v.threads, 1))
		if err != nil {
			return nil, fmt.Errorf("running %s: %w", w.name, err)
		}
	}
	return took, nil
}

// A sample has, by workload, the nanoseconds of CPU of a call in each batch.
type sample map[string][]float64

// A round has a sample of each variant, by name.
type round map[string]sample

// patience limits the rounds, in multiples of those asked for.
const patience = 4

// undisturbed returns the rounds that found the machine as the best ones did, judged by one workload. While others have
// programs at the same hooks, every call of every process runs these, too.
func undisturbed(rounds []round, workload string) []round {
	if len(rounds) == 0 {
		return nil
	}
	least := func(r round) float64 {
		return max(slices.Min(r[nothing][workload]), slices.Min(r[again][workload]))
	}
	sorted := slices.SortedFunc(slices.Values(rounds), func(a, b round) int { return cmp.Compare(least(a), least(b)) })
	limit := 1.05 * least(sorted[len(sorted)/20])
	return slices.DeleteFunc(sorted, func(r round) bool { return least(r) > limit })
}

// table are the results.
type table struct {
	workloads []workload
	rounds    []round
	variants  []*variant
}

// of returns the fifth percentile: what else the machine does only adds time, and the least of many batches is luck.
// Of two threads, it returns the median, because in the fastest batches the other thread was not running.
func (t *table) of(name, workload string) float64 {
	var took []float64
	for _, r := range t.rounds {
		took = append(took, r[name][workload]...)
	}
	if strings.HasSuffix(name, twoThreads) {
		return median(took)
	}
	return percentile(took, 5)
}

// more returns the median, over all rounds, of what a variant takes more than another that was measured next to it.
func (t *table) more(name, than, workload string) float64 {
	var more []float64
	for _, r := range t.rounds {
		if strings.HasSuffix(name, twoThreads) {
			more = append(more, median(r[name][workload])-median(r[than][workload]))
		} else {
			more = append(more, slices.Min(r[name][workload])-slices.Min(r[than][workload]))
		}
	}
	return median(more)
}

func (t *table) header() {
	fmt.Print("| |")
	for _, w := range t.workloads {
		fmt.Printf(" %s |", w.name)
	}
	fmt.Printf("\n|---|%s\n", strings.Repeat("---|", len(t.workloads)))
}

func (t *table) row(name, format string, cell func(workload string) float64) {
	fmt.Printf("| %s |", name)
	for _, w := range t.workloads {
		fmt.Printf(" "+format+" |", cell(w.name))
	}
	fmt.Println()
}

func (t *table) print(builds []*recorder) {
	fmt.Printf("Nanoseconds of CPU a call: fifth percentile of batches of %d calls; with two threads, the median.\n\n",
		batchCalls)
	t.header()
	for _, v := range t.variants {
		t.row(v.name, "%.0f", func(w string) float64 { return t.of(v.name, w) })
	}
	fmt.Printf("\nAdded to nothing, in units of what two empty programs add (E).\n\n")
	t.header()
	for _, r := range builds {
		for _, v := range []struct{ name, base string }{
			{r.name + outside, nothing}, {r.name + recorded, nothing + inContainer},
		} {
			t.row(v.name, "%.2f", func(w string) float64 {
				return (t.of(v.name, w) - t.of(v.base, w)) / (t.of(twoEmpty, w) - t.of(nothing, w))
			})
		}
	}
	if len(builds) < 2 {
		return
	}
	fmt.Printf("\nMore than the old build in the same round, in nanoseconds: median.\n\n")
	t.header()
	for _, name := range []string{outside, recorded, recorded + twoThreads} {
		t.row(builds[0].name+name, "%+.0f", func(w string) float64 {
			return t.more(builds[0].name+name, builds[1].name+name, w)
		})
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
