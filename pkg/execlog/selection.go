// SPDX-License-Identifier: Apache-2.0

package execlog

import (
	"bytes"
	"time"

	"github.com/runc-trace/runc-trace/pkg/labels"
)

// Patience with labels that are on their way, and with the agent that brings them.
const (
	// LabelWait is how long after a container's creation its execs are kept back for its labels.
	LabelWait = 5 * time.Second
	// AgentAlive is how long after the agent was last seen it is taken to be alive.
	AgentAlive = 15 * time.Second

	heldBytes = 16 << 20 // of records that are kept back, at most
)

// Doubt is why it is not sure whether a container is selected.
type Doubt int

// The doubts.
const (
	LabelsLate      Doubt = iota // its labels did not come in time; its execs so far are shown
	LabelsUnknown                // its labels are not known, and not on their way; its execs are left out
	LabelsTruncated              // some of its labels are not known, and could decide it; its execs are shown
)

// Selection chooses execs by the labels and names of their containers.
//
// An exec is kept back if the labels of its container are on their way, and with it all that follow of that
// container, until they are there or LabelWait has passed. Labels are on their way while the container is younger
// than LabelWait, and either an agent is alive that has not told them yet, or they are those of a sandbox that is
// named and was not found yet. If the agent does not bring them, the execs that were kept back are emitted: they may
// be wanted. Without an agent, and when nothing is on its way any more, the labels that are known decide: what they
// do not choose is left out and counted.
type Selection struct {
	Directory *labels.Directory
	Filter    *labels.Filter
	// Emit gets what is wanted, in the order of each container's execs. The container is nil if it is not known any
	// more.
	Emit func(*Record, *labels.Container) error
	// Doubt is called once for each container and doubt.
	Doubt func(*labels.Container, Doubt)
	// Now is the time of CLOCK_BOOTTIME, in nanoseconds.
	Now func() uint64

	// Unknown counts execs of containers that are not known any more, and so cannot be chosen.
	Unknown int
	// LeftOut counts execs that were left out since the labels of their containers are not known.
	LeftOut int

	held   []*Record
	bytes  int
	late   map[slot]int // by container: bytes of its records that are kept back
	doubts map[doubt]bool
}

type slot struct{ index, generation uint32 }

type doubt struct {
	slot
	Doubt
}

type verdict int

const (
	unwanted verdict = iota
	wanted
	unsure
)

// Take emits a record, keeps a copy of it back, or drops it.
func (s *Selection) Take(r *Record) error {
	if kept, err := s.settle(r, false, false); !kept {
		return err
	}
	c := *r
	c.Path, c.Arguments = bytes.Clone(r.Path), bytes.Clone(r.Arguments)
	s.keep(&c)
	for s.bytes > heldBytes {
		if err := s.release(s.loudest()); err != nil {
			return err
		}
	}
	return nil
}

// Release emits or drops what has been kept back for long enough, or all of it.
func (s *Selection) Release(all bool) error {
	return s.release(func(slot) bool { return all })
}

// release settles what is kept back: of those containers that are to be final, all of it.
func (s *Selection) release(final func(slot) bool) error {
	held := s.held
	s.held, s.bytes, s.late = nil, 0, nil
	for _, r := range held {
		kept, err := s.settle(r, true, final(slot{r.Identity, r.Generation}))
		if err != nil {
			return err
		}
		if kept {
			s.keep(r)
		}
	}
	return nil
}

// loudest chooses the container most of which is kept back: it must not use up the patience with others.
func (s *Selection) loudest() func(slot) bool {
	var most slot
	for key, bytes := range s.late {
		if bytes > s.late[most] {
			most = key
		}
	}
	return func(key slot) bool { return key == most }
}

// settle emits or drops a record, unless it has to be kept back: because its container is not sure, or an earlier
// one's was not.
func (s *Selection) settle(r *Record, held, final bool) (keep bool, err error) {
	key := slot{r.Identity, r.Generation}
	if s.late[key] > 0 {
		return true, nil
	}
	container, verdict := s.judge(key, held, final)
	if verdict == wanted {
		err = s.Emit(r, container)
	}
	return verdict == unsure, err
}

func (s *Selection) keep(r *Record) {
	if s.late == nil {
		s.late = map[slot]int{}
	}
	s.late[slot{r.Identity, r.Generation}] += size(r)
	s.held = append(s.held, r)
	s.bytes += size(r)
}

func size(r *Record) int { return 256 + len(r.Path) + len(r.Arguments) }

// Waiting tells whether anything is kept back.
func (s *Selection) Waiting() bool { return len(s.held) > 0 }

// judge tells whether an exec of a container is wanted, which was kept back or not; with final, it is sure.
func (s *Selection) judge(key slot, held, final bool) (*labels.Container, verdict) {
	c, known := s.Directory.Lookup(key.index, key.generation)
	if !known {
		if s.Filter.Everything() {
			return nil, wanted
		}
		s.Unknown++
		return nil, unwanted
	}
	verdict := s.Filter.JudgeNames(c)
	if verdict == labels.No {
		return c, unwanted
	}
	if verdict == labels.Yes && s.Filter.Labels.Everything() {
		return c, wanted
	}
	agent := false
	if c.Pending || c.SandboxUnknown {
		seen, now := s.Directory.AgentSeen(), s.Now()
		agent = seen != 0 && now < seen+uint64(AgentAlive)
		if !final && now < c.Created+uint64(LabelWait) && (agent || c.SandboxUnknown) {
			return c, unsure
		}
		agent = seen != 0
	}
	switch s.Filter.Judge(c) {
	case labels.Yes:
		return c, wanted
	case labels.Maybe:
		s.note(key, c, LabelsTruncated)
		return c, wanted
	}
	switch {
	case !c.Unlabelled:
		return c, unwanted
	case held && agent:
		s.note(key, c, LabelsLate)
		return c, wanted
	}
	s.note(key, c, LabelsUnknown)
	s.LeftOut++
	return c, unwanted
}

func (s *Selection) note(key slot, c *labels.Container, d Doubt) {
	if s.doubts == nil {
		s.doubts = map[doubt]bool{}
	}
	if noted := (doubt{key, d}); !s.doubts[noted] {
		s.doubts[noted] = true
		s.Doubt(c, d)
	}
}
