// SPDX-License-Identifier: Apache-2.0

package report

import (
	"sort"

	"github.com/runc-trace/runc-trace/pkg/answers"
	"github.com/runc-trace/runc-trace/pkg/straceback"
	"github.com/runc-trace/runc-trace/pkg/syscalls"
)

// chunkCalls is how many calls are in a line.
const chunkCalls = 1 << 14

// A chunk has the columns of some calls, in the order of their starts. A column of indexes points into a list that
// grows: each chunk has what is new of it.
type chunk struct {
	Names   []string `json:"names"`   // of calls
	Errnos  []string `json:"errnos"`  // of errors
	Comms   []string `json:"comms"`   // of threads
	Threads []thread `json:"threads"` // by their first call

	Start    []int64    `json:"start"`    // ns since the start of the call before; of the first: since creation
	Duration []uint64   `json:"duration"` // ns
	Thread   []int      `json:"thread"`
	Name     []int      `json:"name"`
	Errno    []int      `json:"errno"` // -1: none
	Comm     []int      `json:"comm"`
	CPU      []int      `json:"cpu"`
	Flags    []int      `json:"flags"`
	Text     []string   `json:"text"`
	Repeats  [][3]int64 `json:"repeats"` // index in the chunk; how often such a call came; ns since creation when last
}

// The flags of a call.
const (
	failed     = 1 << iota // it failed, was refused, or a signal killed its thread in it
	inFlight               // it has not returned
	unfinished             // its thread ended in it
	event                  // no call, but a signal or the end of a thread
	ofRuntime              // the container runtime's
	sparse                 // calls between this one and the next may not be kept
)

type thread struct {
	Process int    `json:"process"` // index, or -1
	TID     uint32 `json:"tid"`
	Inner   uint32 `json:"inner"` // 0 if it is not known
}

// writer puts calls into chunks.
type writer struct {
	write    func(any) error
	created  uint64
	complete uint64
	last     uint64
	chunk    chunk
	names    list
	errnos   list
	comms    list
	threads  map[task]int
	of       map[uint32][]life // processes by ID
	text     syscalls.Text
	buffer   []byte
}

// task identifies a thread.
type task struct {
	process int
	tid     uint32
}

// life is a process from its first call on.
type life struct {
	began uint64
	index int
}

func newWriter(p *answers.Past, write func(any) error) *writer {
	w := &writer{write: write, created: p.Container.Created, complete: p.Calls.Complete(), last: p.Container.Created,
		of: map[uint32][]life{}, threads: map[task]int{}, text: syscalls.Text{NoAddresses: true}}
	for i, process := range p.Processes {
		w.of[process.PID] = append(w.of[process.PID], life{process.Began, i})
	}
	return w
}

// add adds a call to the chunk, and writes the chunk if it is full.
func (w *writer) add(e *straceback.Event) error {
	c, to := &e.Call, &w.chunk
	errno, flags := -1, 0
	mark := func(flag int, so bool) {
		if so {
			flags |= flag
		}
	}
	running := e.Part == straceback.InFlight
	mark(failed, !running && c.Failed())
	mark(inFlight, running)
	mark(unfinished, c.Unfinished)
	mark(event, c.Event())
	mark(ofRuntime, e.Lane == straceback.Runtime)
	mark(sparse, !running && c.Time+c.Duration < w.complete)
	if n := c.Errno(); n != 0 && !running {
		errno = w.errnos.index(syscalls.ErrnoName(n))
	}
	w.buffer = e.AppendPart(w.buffer[:0], &w.text)
	text := string(w.buffer)
	if e.Count > 1 {
		to.Repeats = append(to.Repeats, [3]int64{int64(len(to.Start)), int64(e.Count),
			int64(max(e.Last, c.Time) - w.created)})
	}
	to.Start = append(to.Start, int64(c.Time-w.last))
	to.Duration = append(to.Duration, c.Duration)
	to.Thread = append(to.Thread, w.thread(c))
	to.Name = append(to.Name, w.names.index(w.name(c)))
	to.Errno = append(to.Errno, errno)
	to.Comm = append(to.Comm, w.comms.index(shown(string(c.Comm))))
	to.CPU = append(to.CPU, int(c.CPU))
	to.Flags = append(to.Flags, flags)
	to.Text = append(to.Text, text)
	w.last = c.Time
	if len(to.Start) < chunkCalls {
		return nil
	}
	return w.flush()
}

// flush writes the calls that are left.
func (w *writer) flush() error {
	to := &w.chunk
	if len(to.Start) == 0 {
		return nil
	}
	to.Names, to.Errnos, to.Comms = w.names.news(), w.errnos.news(), w.comms.news()
	if to.Threads == nil {
		to.Threads = []thread{}
	}
	if to.Repeats == nil {
		to.Repeats = [][3]int64{}
	}
	err := w.write(to)
	w.chunk = chunk{Start: to.Start[:0], Duration: to.Duration[:0], Thread: to.Thread[:0], Name: to.Name[:0],
		Errno: to.Errno[:0], Comm: to.Comm[:0], CPU: to.CPU[:0], Flags: to.Flags[:0], Text: to.Text[:0],
		Repeats: to.Repeats[:0]}
	return err
}

// name returns the call's name, or that of the event.
func (w *writer) name(c *syscalls.Call) string {
	switch {
	case !c.Event():
		w.buffer = c.AppendName(w.buffer[:0])
		return string(w.buffer)
	case c.Nr == syscalls.NumberSignal:
		return "(signal)"
	}
	return "(end)"
}

// thread returns the index of the thread of a call.
func (w *writer) thread(c *syscalls.Call) int {
	key := task{w.process(c), c.TID}
	i, ok := w.threads[key]
	if !ok {
		i = len(w.threads)
		w.threads[key] = i
		w.chunk.Threads = append(w.chunk.Threads, thread{key.process, c.TID, c.Inner.TID})
	}
	return i
}

// process returns the index of the process of a call: the last one with its ID that began before.
func (w *writer) process(c *syscalls.Call) int {
	all := w.of[c.PID]
	after := sort.Search(len(all), func(i int) bool { return all[i].began > c.Time })
	if after == 0 {
		return -1
	}
	return all[after-1].index
}

// A list gives indexes to texts.
type list struct {
	indexes map[string]int
	fresh   []string // since the last call of news
}

func (l *list) index(value string) int {
	i, ok := l.indexes[value]
	if !ok {
		if l.indexes == nil {
			l.indexes = map[string]int{}
		}
		i = len(l.indexes)
		l.indexes[value] = i
		l.fresh = append(l.fresh, value)
	}
	return i
}

// news returns the texts that are new since the last call.
func (l *list) news() []string {
	fresh := l.fresh
	l.fresh = nil
	if fresh == nil {
		fresh = []string{}
	}
	return fresh
}
