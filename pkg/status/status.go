// SPDX-License-Identifier: Apache-2.0

// Package status tells what is loaded, how full it is and what was dropped. `tracectl status`, `tracectl doctor` and the
// agent's metrics show it, each in its own form.
package status

import (
	"fmt"

	"github.com/runc-trace/runc-trace/pkg/bpf"
	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/config"
	"github.com/runc-trace/runc-trace/pkg/ring"
)

// Status is what is loaded, as of one moment. Times are nanoseconds of CLOCK_BOOTTIME, 0 if it did not happen; sizes are bytes.
type Status struct {
	Layout   uint32 // version of the maps' layout
	Build    uint64 // of the programs that run; 0: replacing them was interrupted
	Current  bool   // they are those of this program
	Loaded   uint64
	Replaced uint64 // when the programs took the place of others
	Memory   uint64 // of all maps, as the kernel accounts it
	Pool     config.Pool

	Identities Identities
	Recordings Recordings
	ExecLog    ExecLog
	Dropped    [abi.Counters]uint64 // for the Reasons of the same index

	Programs    []bpf.Program
	ProgramsErr error // of looking at them all, which needs CAP_SYS_ADMIN
}

// Identities counts the slots for names of containers.
type Identities struct {
	Free    int
	Created int // init has not run its program
	Running int
	Exited  int // init is gone, the cgroup is not
	Ended   int // the cgroup is gone, the name is known
}

// Live is the number of containers whose cgroups exist.
func (i Identities) Live() int { return i.Created + i.Running + i.Exited }

// Recordings counts the rings, and the calls in all of them.
type Recordings struct {
	Live  int // of containers whose cgroups exist
	Ended int
	Free  int

	Syscalls uint64 // kept or overwritten
	Lost     uint64 // that could not be written
}

// ExecLog is how full the log of execs is.
type ExecLog struct {
	Used    uint64 // bytes of its memory
	Written uint64 // bytes, ever
	Execs   uint64 // ever logged, kept or overwritten
	Lost    uint64 // that could not be written
}

// Reader is a bpf.Instance.
type Reader interface {
	Pool() config.Pool
	Memory() (uint64, error)
	Counters() ([abi.Counters]uint64, error)
	Programs() ([]bpf.Program, error)
	ReadIdentity(index int, to *abi.Identity) bool
	RingHeaders(func(index int, h ring.Header)) error
	ExecLogHeader() (ring.Header, error)
}

// Read reads the status of what is loaded with a layout. It maps and holds nothing.
func Read(r Reader, layout abi.ABI) (*Status, error) {
	s := &Status{
		Layout: layout.Version, Build: layout.Build, Current: layout.Build == bpf.Build(),
		Loaded: layout.Loaded, Replaced: layout.Replaced, Pool: r.Pool(),
	}
	var err error
	if s.Memory, err = r.Memory(); err != nil {
		return nil, err
	}
	if s.Dropped, err = r.Counters(); err != nil {
		return nil, err
	}
	if err := s.readRecordings(r, s.readIdentities(r)); err != nil {
		return nil, err
	}
	h, err := r.ExecLogHeader()
	if err != nil {
		return nil, fmt.Errorf("reading the log of execs: %w", err)
	}
	s.ExecLog = ExecLog{Used: min(h.Head, uint64(s.Pool.ExecLogSize)), Written: h.Head, Execs: h.Written, Lost: h.Lost}
	s.Programs, s.ProgramsErr = r.Programs()
	return s, nil
}

// recording is one use of a ring.
type recording struct{ index, generation uint32 }

// readIdentities counts the identities, and returns the recordings of those that live.
func (s *Status) readIdentities(r Reader) (live map[recording]bool) {
	live = map[recording]bool{}
	var i abi.Identity
	for index := range s.Pool.Identities {
		if !r.ReadIdentity(index, &i) {
			i.State = abi.StateFree // never used, or on its way to another container
		}
		switch i.State {
		case abi.StateCreated:
			s.Identities.Created++
		case abi.StateRunning:
			s.Identities.Running++
		case abi.StateExited:
			s.Identities.Exited++
		case abi.StateEnded:
			s.Identities.Ended++
			continue
		default:
			s.Identities.Free++
			continue
		}
		if i.Ring != 0 {
			live[recording{i.Ring - 1, i.RingGeneration}] = true
		}
	}
	return live
}

func (s *Status) readRecordings(r Reader, live map[recording]bool) error {
	return r.RingHeaders(func(index int, h ring.Header) {
		s.Recordings.Syscalls += h.Written
		s.Recordings.Lost += h.Lost
		switch {
		case h.Generation == 0:
			s.Recordings.Free++
		case live[recording{uint32(index), h.Generation}]:
			s.Recordings.Live++
		default:
			s.Recordings.Ended++
		}
	})
}
