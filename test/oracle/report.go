// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"text/tabwriter"
)

// counts are what was compared of a program.
type counts struct {
	threads, calls, present, extra int
	results                        int // that are equal
	args                           [verdicts]int
	whole                          int // calls of which all arguments are equal
	descriptors                    [verdicts]int
	signals, sameSignals           int
	ends, sameEnds                 int
}

func (c *counts) add(other counts) {
	c.threads += other.threads
	c.calls += other.calls
	c.present += other.present
	c.extra += other.extra
	c.results += other.results
	for v := range c.args {
		c.args[v] += other.args[v]
		c.descriptors[v] += other.descriptors[v]
	}
	c.whole += other.whole
	c.signals += other.signals
	c.sameSignals += other.sameSignals
	c.ends += other.ends
	c.sameEnds += other.sameEnds
}

// sum returns how many values were compared.
func sum(counts [verdicts]int) (n int) {
	for _, count := range counts {
		n += count
	}
	return n
}

// difference is a place in which recordings differ from strace's logs.
type difference struct {
	what  string // "fstat.2.st_mode"
	class string
}

// occurrences are how often a difference was seen, and one of them.
type occurrences struct {
	count          int
	programs       map[string]bool
	strace, record string
}

// report collects the comparisons of all programs.
type report struct {
	names       []string
	programs    map[string]*counts
	differences map[difference]*occurrences

	// How often recordings of runs under strace had contents for an argument, and how often a bare pointer.
	contents, pointers map[shape]int
	hidden             int // pointers of runs without strace that should have contents
}

func newReport() *report {
	return &report{programs: make(map[string]*counts), differences: make(map[difference]*occurrences),
		contents: make(map[shape]int), pointers: make(map[shape]int)}
}

func (r *report) differ(program, what, class, strace, record string) {
	key := difference{what, class}
	o := r.differences[key]
	if o == nil {
		o = &occurrences{programs: make(map[string]bool), strace: strace, record: record}
		r.differences[key] = o
	}
	o.count++
	o.programs[program] = true
}

// add compares both logs of a program.
func (r *report) add(program string, strace, record []*event) {
	c := &counts{}
	r.names, r.programs[program] = append(r.names, program), c
	ours, theirs := byThread(record), byThread(strace)
	threads := slices.Sorted(maps.Keys(theirs))
	c.threads = len(threads)
	for thread := range ours {
		if theirs[thread] == nil {
			threads = append(threads, thread)
		}
	}
	for _, e := range record {
		if e.call != "" {
			r.learn(e)
		}
	}
	for _, thread := range threads {
		for _, p := range align(theirs[thread], ours[thread]) {
			r.pair(program, c, p)
		}
	}
}

// pair counts a pair of events.
func (r *report) pair(program string, c *counts, p pair) {
	switch s, o := p.strace, p.record; {
	case s == nil:
		if o.result == "-1 ENOSYS" {
			return // the thread was killed while strace held it before the call, which the kernel skipped then
		}
		if o.call != "" {
			c.extra++
		}
		r.differ(program, o.title(), "extra", "", o.line)
	case s.end != "":
		c.ends++
		if o == nil {
			r.differ(program, s.title(), "missing", s.line, "")
			return
		}
		c.sameEnds++
	case s.signal != "":
		c.signals++
		if o == nil {
			r.differ(program, s.title(), "missing", s.line, "")
			return
		}
		if f := compare(s.args[0], o.args[0]); f.verdict != equal {
			r.differ(program, s.title()+f.at, f.verdict.String(), s.line, o.line)
			return
		}
		c.sameSignals++
	case o == nil && s.lost && (s.call == "???" || s.call == "exit_group" && s.unfinished):
		// Another thread ended the process while strace held this one before the call, which it did not make then.
		// strace may not even know which call it was.
	case o == nil:
		c.calls++
		r.differ(program, s.title(), "missing", s.line, "")
	default:
		c.calls++
		c.present++
		if s.result == o.result || s.lost {
			c.results++
		} else {
			r.differ(program, s.title(), "result", s.line, o.line)
		}
		if r.arguments(program, c, s, o) {
			c.whole++
		}
		r.describe(program, c, s, o)
	}
}

// arguments compares the arguments of a call, and reports whether all are equal.
func (r *report) arguments(program string, c *counts, s, o *event) bool {
	if o.malformed != nil {
		c.args[wrong] += max(1, len(s.args))
		r.differ(program, s.call, "malformed", s.line, o.line)
		return false
	}
	all := true
	count := func(what string, f finding, strace, record string) {
		c.args[f.verdict]++
		if f.verdict != equal {
			all = false
			r.differ(program, what+f.at, f.verdict.String(), strace, record)
		}
	}
	for i, a := range s.args {
		what := s.argument(i)
		if i < len(o.args) && narrow[s.call] == 1<<i && sameHalf(a, o.args[i]) {
			c.args[equal]++
		} else if i < len(o.args) {
			count(what, compare(a, o.args[i]), a.String(), o.args[i].String())
		} else {
			count(what, finding{verdict: bare, at: " (absent)"}, a.String(), "")
		}
	}
	for i := len(s.args); i < len(o.args) && !s.unfinished; i++ {
		count(s.argument(i), finding{verdict: wrong, at: " (added)"}, s.line, o.args[i].String())
	}
	switch {
	case s.returned != nil && o.returned != nil:
		count(s.call+" returned", compare(s.returned, o.returned), s.returned.String(), o.returned.String())
	case s.returned != nil:
		count(s.call+" returned", finding{verdict: bare}, s.returned.String(), "")
	case o.returned != nil:
		count(s.call+" returned", finding{verdict: wrong, at: " (added)"}, s.line, o.returned.String())
	}
	return all
}

// describe compares what is said of the descriptors of a call.
func (r *report) describe(program string, c *counts, s, o *event) {
	count := func(what, strace, record string) {
		v := compareDescriptors(strace, record)
		if c.descriptors[v]++; v != equal {
			r.differ(program, what, v.String()+" descriptor", strace+"  in  "+s.line, record+"  in  "+o.line)
		}
	}
	for i, a := range s.args[:min(len(s.args), len(o.args))] {
		described(a, o.args[i], func(strace, record string) { count(s.argument(i), strace, record) })
	}
	if s.note != "" && s.result == o.result {
		count(s.call+" returned", s.note, o.note)
	}
}

// narrow are arguments of which the kernel takes 32 bits, and strace shows 64: a bit for each.
var narrow = map[string]int{
	"socket": 1 << 2, "socketpair": 1 << 2, "readlink": 1 << 2, "readlinkat": 1 << 3, "getsockopt": 1 << 2,
	"setsockopt": 1 << 2, "keyctl": 1 << 1, "sysfs": 1 << 0,
}

// sameHalf reports whether the lower 32 bits of two numbers are equal.
func sameHalf(a, b *value) bool {
	x, y := number(a.text), number(b.text)
	return a.kind == word && b.kind == word && x != nil && y != nil && uint32(*x) == uint32(*y)
}

// title names an event, without its arguments.
func (e *event) title() string {
	switch {
	case e.signal != "":
		return "--- " + e.signal
	case e.end != "":
		return "+++ " + e.end
	}
	return e.call
}

// operations are the arguments that say what a call does.
var operations = map[string]int{
	"ioctl": 1, "fcntl": 1, "fcntl64": 1, "prctl": 0, "arch_prctl": 0, "setsockopt": 2, "getsockopt": 2, "bpf": 0,
	"keyctl": 0, "futex": 1, "semctl": 2, "shmctl": 1, "msgctl": 1, "quotactl": 0, "ptrace": 0,
	"io_uring_register": 1, "seccomp": 0,
}

// argument names an argument of a call, with the call's operation.
func (e *event) argument(i int) string {
	name := e.call
	if at, ok := operations[e.call]; ok && at != i && at < len(e.args) {
		name += "(" + e.args[at].text + ")"
	}
	return name + "." + strconv.Itoa(i)
}

// percent shows a share, cut, so that 100 means all.
func percent(n, of int) string {
	if of == 0 || n == of {
		return "100"
	}
	return fmt.Sprintf("%.2f", float64(n*10000/of)/100)
}

// print prints the tables.
func (r *report) print(w io.Writer, most int) {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "program\tthreads\tcalls\tpresent %\textra\tresults %\targs\tequal %\tcalls all args %\t"+
		"partial\tbare\twrong\tdescriptors\tequal %\twrong\tsignals %\tends %\t")
	row := func(name string, c *counts) {
		args, descriptors := sum(c.args), sum(c.descriptors)
		fmt.Fprintf(table, "%s\t%d\t%d\t%s\t%d\t%s\t%d\t%s\t%s\t%d\t%d\t%d\t%d\t%s\t%d\t%s\t%s\t\n", name, c.threads,
			c.calls, percent(c.present, c.calls), c.extra, percent(c.results, c.present), args,
			percent(c.args[equal], args), percent(c.whole, c.present), c.args[partial], c.args[bare], c.args[wrong],
			descriptors, percent(c.descriptors[equal], descriptors), c.descriptors[wrong],
			percent(c.sameSignals, c.signals), percent(c.sameEnds, c.ends))
	}
	for _, name := range r.names {
		row(name, r.programs[name])
	}
	row("all", r.all())
	table.Flush()
	if len(r.differences) == 0 {
		return
	}
	fmt.Fprintf(w, "\ncount  programs  class  call.argument\n    what strace shows\n    what the recording shows\n\n")
	keys := slices.SortedFunc(maps.Keys(r.differences), func(a, b difference) int {
		return cmp.Or(r.differences[b].count-r.differences[a].count, cmp.Compare(a.what, b.what),
			cmp.Compare(a.class, b.class))
	})
	for _, key := range keys[:min(most, len(keys))] {
		o := r.differences[key]
		fmt.Fprintf(w, "%d  %d  %s  %s\n    %s\n    %s\n", o.count, len(o.programs), key.class, key.what,
			short(o.strace), short(o.record))
	}
	if len(keys) > most {
		fmt.Fprintf(w, "and %d more\n", len(keys)-most)
	}
}

// short cuts a text that is too long for a table.
func short(text string) string {
	const most = 300
	if len(text) > most {
		return text[:most] + "…"
	}
	return text
}

// all returns the sum of all programs.
func (r *report) all() *counts {
	sum := &counts{}
	for _, c := range r.programs {
		sum.add(*c)
	}
	return sum
}
