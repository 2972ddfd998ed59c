// SPDX-License-Identifier: Apache-2.0

package straceback

import "github.com/runc-trace/runc-trace/pkg/syscalls"

// survivor returns what the thread had that executes a program: if the first thread of its process has ended, it is
// another one, which takes over the ID of the first. All other threads have ended.
func (d *Descriptors) survivor(p *process, c *syscalls.Call) *process {
	others := d.others[c.PID]
	delete(d.others, c.PID)
	if others == nil || !others.firstEnded {
		return p
	}
	time := endOf(c)
	d.stopThread(c.PID, time)
	for tid := range others.threads {
		if own := d.threads[tid]; len(others.threads) == 1 && len(own) > 0 && own[len(own)-1].files != nil {
			kept := own[len(own)-1]
			kept.from = time
			d.threads[c.PID] = append(d.threads[c.PID], kept)
		}
		d.stopThread(tid, time)
	}
	if p = d.process(c); len(others.threads) != 1 { // it is not known which one
		p.files.forget()
		p.cwd.forget()
	}
	return p
}

// parts reports whether a call shares tables with another process, or gives a thread its own.
func parts(c *syscalls.Call) bool {
	switch c.Syscall().Name {
	case "unshare":
		return c.Result == 0 && c.Args[0]&(cloneFiles|cloneFS|cloneNewNS) != 0
	case "close_range":
		return c.Result == 0 && c.Args[2]&rangeUnshare != 0
	}
	bits, known := cloneFlags(c)
	return c.Result >= 0 && (!known || bits&cloneThread == 0 && bits&(cloneFiles|cloneFS) != 0 ||
		bits&cloneThread != 0 && bits&(cloneFiles|cloneFS) != cloneFiles|cloneFS)
}

func unshares(d *Descriptors, p *process, c *syscalls.Call) {
	bits := c.Args[0]
	if bits&cloneNewNS != 0 {
		bits |= cloneFS
	}
	if c.Result == 0 && bits&(cloneFiles|cloneFS) != 0 {
		d.separate(p, c, bits, endOf(c))
	}
}

// separate gives a thread its own copies of tables from a time on.
func (d *Descriptors) separate(p *process, c *syscalls.Call, bits, time uint64) *process {
	own := process{from: time, files: p.files, cwd: p.cwd, mounts: p.mounts}
	if bits&cloneNewNS != 0 {
		own.mounts = &mounts{}
	}
	if bits&cloneFiles != 0 {
		own.files = d.copy(p.files, c).copy
	}
	if bits&cloneFS != 0 {
		own.cwd = d.copy(p.cwd, c).copy
	}
	d.threads[c.TID] = append(d.threads[c.TID], own)
	return &d.threads[c.TID][len(d.threads[c.TID])-1]
}
