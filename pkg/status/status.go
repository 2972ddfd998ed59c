// SPDX-License-Identifier: Apache-2.0

// Package status reports the state of the loaded programs and maps: their versions, their fill level and the
// dropped data. `tracectl status`, `tracectl doctor` and the agent's metrics print it in their own formats.
package status

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/runc-trace/runc-trace/pkg/boottime"
	"github.com/runc-trace/runc-trace/pkg/bpf"
	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/config"
	"github.com/runc-trace/runc-trace/pkg/identity"
	"github.com/runc-trace/runc-trace/pkg/ring"
	"github.com/runc-trace/runc-trace/pkg/syscalls"
	"github.com/runc-trace/runc-trace/pkg/terminal"
)

// Status is the state of the loaded programs and maps at one moment. Times are nanoseconds of CLOCK_BOOTTIME, 0 if
// the event did not happen; sizes are bytes.
type Status struct {
	Layout   uint32 // version of the maps' layout
	Build    uint64 // of the running programs; 0: an update was interrupted
	Current  bool   // the running programs are those of this binary
	Loaded   uint64
	Replaced uint64 // when the programs replaced older ones
	Memory   uint64 // of all maps, as accounted by the kernel
	Pool     config.Pool

	Identities Identities
	Recordings Recordings
	ExecLog    ExecLog
	Dropped    []Drop // the reasons that this build knows, and others that have occurred
	Incomplete []Incomplete
	Refusals   []abi.Refusal // the last ones, oldest first

	Programs    []bpf.Program
	ProgramsErr error // from listing the programs, which needs CAP_SYS_ADMIN
}

// Drop is how often something was dropped for a reason.
type Drop struct {
	abi.Reason
	Count uint64
}

// Identities counts the slots for containers, by state.
type Identities struct {
	Free    int
	Created int // the init has not started its program
	Running int
	Exited  int // the init is gone, but the cgroup exists, or processes outside of it
	Ended   int // the cgroup and all processes are gone, but the name is known

	Contents [identity.ContentsOff + 1]int // those that have not ended, by how much is recorded of them

	Threads int // threads of containers for which the kernel keeps memory
}

// Incomplete is a container that has processes and is not recorded in full.
type Incomplete struct {
	Index, Generation uint32 // of its identity
	Name              string // the ID, until a caller that knows its name sets it
	ID                string
	Refused           uint32 // times that there was no memory for one of its threads
	Left              uint32 // processes that moved to a cgroup outside of its own
}

// Reasons says what is not recorded.
func (i *Incomplete) Reasons() string {
	var all []string
	if i.Refused > 0 {
		all = append(all, terminal.Count(uint64(i.Refused), "time")+" no memory for a thread")
	}
	if i.Left > 0 {
		all = append(all, terminal.Count(uint64(i.Left), "move")+" of a process to a cgroup outside")
	}
	return strings.Join(all, ", ")
}

// ThreadMemory returns the bytes that the kernel keeps for all Threads, beside the maps: a struct in_flight (see bpf/)
// each, which the kernel rounds up to 512 bytes.
func (i Identities) ThreadMemory() uint64 { return 512 * uint64(i.Threads) }

// Live returns the number of containers that have not ended.
func (i Identities) Live() int { return i.Created + i.Running + i.Exited }

// Recordings counts the rings and their records.
type Recordings struct {
	Live  int // of containers whose cgroups exist
	Ended int
	Free  int
	Kept  int // of the first two, those that are not used again until they are released

	Syscalls uint64 // including overwritten ones
	Lost     uint64 // could not be written

	Reach Reach
}

// Reach tells how far back recordings of live containers have every call, of those that have overwritten any.
type Reach struct {
	Recordings       int
	Shortest, Median time.Duration // 0 if there are none
}

// ExecLog is the fill level of the log of execs.
type ExecLog struct {
	Used    uint64 // bytes in use
	Written uint64 // bytes, in total
	Execs   uint64 // in total, including overwritten ones
	Lost    uint64 // could not be written
}

// Reader is implemented by bpf.Instance.
type Reader interface {
	Pool() config.Pool
	Memory() (uint64, error)
	Counters() ([abi.CountersMax]uint64, error)
	Refusals() ([]abi.Refusal, error)
	Programs() ([]bpf.Program, error)
	Identity(index int) (abi.Identity, bool)
	RecordingHeaders(func(index int, h ring.Header)) error
	Kept() (map[int]bool, error)
	OldestRecord(index int) ([]byte, error)
	ExecLogHeaders() ([]ring.Header, error)
}

// Read reads the status of the programs and maps loaded with a layout.
func Read(r Reader, layout abi.ABI) (*Status, error) {
	s := &Status{
		Layout: layout.Version, Build: layout.Build, Current: layout.Build == bpf.Build(),
		Loaded: layout.Loaded, Replaced: layout.Replaced, Pool: r.Pool(),
	}
	var err error
	if s.Memory, err = r.Memory(); err != nil {
		return nil, err
	}
	counters, err := r.Counters()
	if err != nil {
		return nil, err
	}
	for n, count := range counters {
		if n < abi.Counters || count > 0 {
			s.Dropped = append(s.Dropped, Drop{abi.ReasonOf(uint32(n)), count})
		}
	}
	if s.Refusals, err = r.Refusals(); err != nil {
		return nil, err
	}
	full, err := s.readRecordings(r, s.readIdentities(r), uint64(layout.LaneSizes[abi.LaneRecent]))
	if err != nil {
		return nil, err
	}
	if s.Recordings.Reach, err = readReach(r, full); err != nil {
		return nil, err
	}
	log, err := r.ExecLogHeaders()
	if err != nil {
		return nil, fmt.Errorf("reading the log of execs: %w", err)
	}
	s.ExecLog = ExecLog{Execs: log[0].Written, Lost: log[0].Lost} // the first one has the counts of all
	size := uint64(s.Pool.ExecLogSize) / abi.ExecParts
	for n, h := range log {
		if n == 1 {
			size /= uint64(len(log) - 1) // the first one is as large as all others
		}
		s.ExecLog.Used += min(h.Head, size)
		s.ExecLog.Written += h.Head
	}
	s.Programs, s.ProgramsErr = r.Programs()
	return s, nil
}

// recording is one use of a ring.
type recording struct{ index, generation uint32 }

// readIdentities counts the identities, and returns the recordings of live containers.
func (s *Status) readIdentities(r Reader) (live map[recording]bool) {
	live = map[recording]bool{}
	for index := range s.Pool.Identities {
		i, ok := r.Identity(index)
		if !ok {
			i.State = abi.StateFree // never used, or being given to another container
		}
		if i.State != abi.StateFree {
			s.Identities.Threads += int(i.Threads)
		}
		state := identity.State(&i)
		if state != abi.StateFree && state != abi.StateEnded && i.Refused+i.Left > 0 {
			id := identity.String(i.Who.ID[:])
			s.Incomplete = append(s.Incomplete, Incomplete{uint32(index), i.Generation, id, id, i.Refused, i.Left})
		}
		switch state {
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
		s.Identities.Contents[identity.ContentsOf(i.Who.Flags)]++
		if i.Ring != 0 {
			live[recording{i.Ring - 1, i.RingGeneration}] = true
		}
	}
	return live
}

// readRecordings counts the recordings, and returns those of live containers that have overwritten calls. size is the
// number of bytes in the lane of the last calls.
func (s *Status) readRecordings(r Reader, live map[recording]bool, size uint64) (full []int, err error) {
	kept, err := r.Kept()
	if err != nil {
		return nil, err
	}
	s.Recordings.Kept = len(kept)
	err = r.RecordingHeaders(func(index int, h ring.Header) {
		s.Recordings.Syscalls += h.Written
		s.Recordings.Lost += h.Lost
		switch {
		case !h.Used():
			s.Recordings.Free++
		case live[recording{uint32(index), h.Generation}]:
			s.Recordings.Live++
			if h.Head-h.Base > size {
				full = append(full, index)
			}
		default:
			s.Recordings.Ended++
		}
	})
	return full, err
}

// readReach reads how far back recordings go.
func readReach(r Reader, indexes []int) (Reach, error) {
	now := boottime.Now()
	var reaches []time.Duration
	for _, index := range indexes {
		oldest, err := r.OldestRecord(index)
		if err != nil {
			return Reach{}, err
		}
		if len(oldest) >= abi.SizeofCall {
			_, end := syscalls.Span(oldest)
			reaches = append(reaches, time.Duration(now-min(now, end)))
		}
	}
	if len(reaches) == 0 {
		return Reach{}, nil
	}
	slices.Sort(reaches)
	return Reach{len(reaches), reaches[0], reaches[len(reaches)/2]}, nil
}
