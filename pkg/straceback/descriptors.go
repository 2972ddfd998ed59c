// SPDX-License-Identifier: Apache-2.0

package straceback

import (
	"cmp"
	"slices"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/syscalls"
)

// Descriptors knows what the descriptors and current directories of the processes of a recording were at any time since
// every call is recorded. It says nothing that is not certain. The paths are those at the time of the open.
type Descriptors struct {
	native   syscalls.ABI // of the records' machine
	complete uint64       // as Calls.Complete
	files    files
	// Of each process by its ID, and of each thread that does not share those of its process: by time.
	processes map[uint32][]process
	threads   map[uint32][]process
	others    map[uint32]*others // by the ID of the process
	paired    bool               // there are pairs of sockets, over which descriptors may be sent
	// elsewhere: what a process had before every call is recorded may be shared with others, or a thread's own.
	elsewhere bool
	mounts    *mounts // of processes whose beginning is not known
	work      int     // how much may still be copied
}

// others are the threads of a process besides its first one, as far as their beginnings are recorded.
type others struct {
	threads    map[uint32]bool
	firstEnded bool
}

// process is what a process has from a time on. Its tables are nil after its end.
type process struct {
	from   uint64
	files  *table
	cwd    *table
	mounts *mounts
	parent *fork // that made it
	ended  bool  // its first thread has ended, and perhaps all others
}

// mounts is a mount namespace.
type mounts struct {
	pivots []pivot // when its root directory was replaced, sorted
}

// pivot is a time from which on earlier paths are not those of the root directory.
type pivot uint64

func (p pivot) since() uint64 { return uint64(p) }

func (p process) since() uint64 { return p.from }

// Live is a descriptor, or with the number syscalls.CWD the current directory, of a process that runs.
type Live struct {
	syscalls.Descriptor
	Cloexec bool
}

// Snapshot is what processes had that ran: by the ID of the process, and by number.
type Snapshot struct {
	Time      uint64 // when it was complete, in ns of CLOCK_BOOTTIME
	Processes map[uint32]map[int32]Live
}

// workMax bounds what the copies of tables cost: a container can make any number of processes with many descriptors.
const workMax = 1 << 22

// operation is a call that changes descriptors, at its start or at its end.
type operation struct {
	at     uint64
	record uint32 // index
	end    bool
	ended  bool // it is the end of a thread
}

// Follow finds out what descriptors are. The snapshot must have been taken before the calls were read; it may be empty.
func Follow(c *Calls, live Snapshot) *Descriptors {
	d := &Descriptors{
		native: cmp.Or(c.Native, syscalls.NativeABI()), complete: c.Complete(), files: files{},
		processes: map[uint32][]process{}, threads: map[uint32][]process{}, others: map[uint32]*others{},
		mounts: &mounts{}, work: workMax,
	}
	d.follow(c.Records)
	d.seed(live)
	return d
}

// next goes on with records that came later. What was known of the time before the last ones is lost.
func (d *Descriptors) next(records []Record) {
	for pid, all := range d.processes {
		if all = all[len(all)-1:]; all[0].files == nil {
			delete(d.processes, pid)
			continue
		}
		d.processes[pid] = all
		all[0].files.shorten()
		all[0].cwd.shorten()
	}
	for tid, all := range d.threads {
		if all[len(all)-1].files == nil {
			delete(d.threads, tid)
		}
	}
	if len(d.files) > filesMax {
		clear(d.files)
	}
	d.work = workMax
	d.follow(records)
}

// filesMax is how many paths are kept for later records.
const filesMax = 1 << 16

// follow does what the calls of records do.
func (d *Descriptors) follow(records []Record) {
	effects := effectsOf()
	var operations []operation
	call := syscalls.Call{Native: d.native}
	for i := range records {
		record := &records[i]
		if len(record.Bytes) < abi.SizeofCall {
			continue
		}
		if e := effects.of(record.Bytes, d.native); e != nil && (e.pairs || e.parts) && call.Decode(record.Bytes) == nil {
			d.paired = d.paired || e.pairs
			d.elsewhere = d.elsewhere || e.parts && endOf(&call) < d.complete && record.Lane != Runtime && parts(&call)
		}
	}
	for i := range records {
		record := &records[i]
		if len(record.Bytes) < abi.SizeofCall {
			continue
		}
		begin, end := syscalls.Span(record.Bytes)
		effect := effects.of(record.Bytes, d.native)
		ended := syscalls.Ended(record.Bytes)
		if effect != nil && effect.consumes && !d.paired || end < d.complete && effect == nil {
			continue
		}
		switch {
		case ended:
			operations = append(operations, operation{at: end, record: uint32(i), end: true, ended: true})
		case record.Lane == Runtime:
			operations = append(operations, operation{at: begin, record: uint32(i)})
		case effect != nil:
			if effect.begin != nil {
				operations = append(operations, operation{at: begin, record: uint32(i)})
			}
			if effect.end != nil {
				operations = append(operations, operation{at: end, record: uint32(i), end: true})
			}
		}
	}
	slices.SortStableFunc(operations, func(a, b operation) int { return cmp.Compare(a.at, b.at) })
	for _, o := range operations {
		record := &records[o.record]
		if call.Decode(record.Bytes) == nil {
			d.apply(&call, record.Lane, effects.of(record.Bytes, d.native), o)
		}
	}
}

// apply does what a call does to the tables.
func (d *Descriptors) apply(c *syscalls.Call, lane Lane, effect *effect, o operation) {
	end := c.Time + c.Duration
	switch {
	case o.ended:
		d.end(c, end)
		return
	case lane == Runtime: // not all of its calls are recorded
		d.files.learn(c)
		d.stop(c.PID, c.Time)
		return
	}
	d.files.learn(c)
	if end < d.complete || c.NoEnter {
		return
	}
	p := d.process(c)
	if p.parent != nil {
		p.parent.begun = true
	}
	if o.end {
		effect.end(d, p, c)
	} else {
		effect.begin(d, p, c)
	}
}

// end notes that a thread has ended. A process ends with its last thread.
func (d *Descriptors) end(c *syscalls.Call, time uint64) {
	others := d.others[c.PID]
	switch {
	case others == nil:
	case c.TID == c.PID:
		others.firstEnded = true
	default:
		delete(others.threads, c.TID)
	}
	if c.TID != c.PID {
		d.stopThread(c.TID, time)
	}
	if others == nil && c.TID == c.PID || others != nil && others.firstEnded && len(others.threads) == 0 {
		delete(d.others, c.PID)
		d.stopThread(c.PID, time)
		d.stop(c.PID, time)
		all := d.processes[c.PID]
		all[len(all)-1].ended = true
	}
}

// stopThread notes that a thread has no tables of its own from a time on.
func (d *Descriptors) stopThread(tid uint32, time uint64) {
	if own := d.threads[tid]; len(own) > 0 && own[len(own)-1].files != nil {
		d.threads[tid] = append(own, process{from: time})
	}
}

// stop notes that nothing is known of a process from a time on.
func (d *Descriptors) stop(pid uint32, time uint64) {
	if all := d.processes[pid]; len(all) == 0 || all[len(all)-1].files != nil {
		d.processes[pid] = append(all, process{from: time})
	}
}

// process returns what the process of a call has now.
func (d *Descriptors) process(c *syscalls.Call) *process {
	if own := d.threads[c.TID]; len(own) > 0 && own[len(own)-1].files != nil {
		return &own[len(own)-1]
	}
	all := d.processes[c.PID]
	if n := len(all); n > 0 && all[n-1].files != nil {
		return &all[n-1]
	} else if n > 1 && all[n-1].ended && (all[n-1].from >= c.Time || c.TID != c.PID) && all[n-2].files != nil {
		// It was only its first thread.
		d.processes[c.PID] = all[:n-1]
		return &all[n-2]
	}
	from := c.Time
	if len(all) == 0 {
		from = d.complete
	}
	d.processes[c.PID] = append(all, d.older(from))
	return &d.processes[c.PID][len(all)]
}

// older is a process whose beginning is not known.
func (d *Descriptors) older(from uint64) process {
	p := process{from: from, files: newTable(), cwd: newTable(), mounts: d.mounts}
	if d.elsewhere {
		p.files.forget()
		p.cwd.forget()
	}
	return p
}

// afford reports whether a table may be copied.
func (d *Descriptors) afford(t *table) bool {
	d.work -= len(t.files)
	return d.work > 0
}

// copy returns a copy of a table that a call has made, or is about to make: at its start, but for the numbers that
// others change during the call. If that is too much, nothing is known of the copy.
func (d *Descriptors) copy(t *table, c *syscalls.Call) *fork {
	f := &fork{until: endOf(c), copy: &table{blind: true, base: t.base}}
	if d.afford(t) {
		f.copy = t.copyAt(c.Time)
		t.forks = append(t.forksAt(c.Time), f)
	}
	return f
}

// seed says what processes have that run, for what no call has changed.
func (d *Descriptors) seed(live Snapshot) {
	for pid, had := range live.Processes {
		all := d.processes[pid]
		if len(all) == 0 {
			all = []process{d.older(d.complete)}
			d.processes[pid] = all
		}
		if p := &all[len(all)-1]; p.files != nil && p.from <= live.Time {
			p.cwd.seed(had, live.Time)
			p.files.seed(had, live.Time)
		}
	}
}

// find returns what a number was of a process at a time.
func (d *Descriptors) find(c *syscalls.Call, fd int32, time uint64) *file {
	if time < d.complete {
		return nil
	}
	p := d.at(c, time)
	switch {
	case p == nil:
		return nil
	case fd == syscalls.CWD && p.mounts != nil:
		if pivoted := lastAt(p.mounts.pivots, time); pivoted != nil && p.cwd.changed(fd, time) <= pivoted.since() {
			return nil
		}
		return p.cwd.find(fd, time)
	}
	return p.files.find(fd, time)
}

// at returns what the process of a call had at a time.
func (d *Descriptors) at(c *syscalls.Call, time uint64) *process {
	if len(d.threads) > 0 {
		if p := lastAt(d.threads[c.TID], time); p != nil && p.files != nil {
			return p
		}
	}
	return lastAt(d.processes[c.PID], time)
}

// Of returns what a descriptor of a call's process is, or with syscalls.CWD its current directory: before the call, or
// after it. It returns nil if that is not known.
func (d *Descriptors) Of(c *syscalls.Call, lane Lane, fd int32, after bool) *syscalls.Descriptor {
	time := c.Time
	if after {
		time += c.Duration
	}
	if lane != Runtime {
		if is := d.find(c, fd, time).at(time); is != nil {
			return is
		}
	}
	if after && fd >= 0 {
		return made(d, c, fd).at(time)
	}
	return nil
}
