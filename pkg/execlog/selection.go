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

// Selection chooses execs by their containers. An exec whose container's labels are on their way is kept back, and with
// it all that follow of that container, until they are there, or until LabelWait has passed. Then it is wanted whatever the
// labels would have been, since nobody can know, and the container is Unlabelled. Where no agent has ever run, labels
// are on no way: then what is known counts.
type Selection struct {
	Directory *labels.Directory
	Filter    *labels.Filter
	// Emit gets what is wanted, in the order of each container's execs. The container is nil where it is not known any more.
	Emit func(*Record, *labels.Container) error
	// Unlabelled is called once for each container whose execs are emitted although its labels are not known.
	Unlabelled func(*labels.Container)
	// Now is the time of CLOCK_BOOTTIME, in nanoseconds.
	Now func() uint64

	// Unknown counts execs of containers that are not known any more, and so cannot be chosen.
	Unknown int
	// LeftOut counts execs that what is known of their containers' labels does not choose, where no agent brings the rest.
	LeftOut int

	held   []*Record
	bytes  int
	late   map[slot]bool // containers whose records are kept back
	warned map[slot]bool
}

type slot struct{ index, generation uint32 }

type verdict int

const (
	unwanted verdict = iota
	wanted
	unsure
)

// Take emits a record, keeps a copy of it back, or drops it.
func (s *Selection) Take(r *Record) error {
	if kept, err := s.settle(r, false); !kept {
		return err
	}
	c := *r
	c.Path, c.Arguments = bytes.Clone(r.Path), bytes.Clone(r.Arguments)
	s.keep(&c)
	if s.bytes > heldBytes {
		return s.Release(true)
	}
	return nil
}

// Release emits or drops what has been kept back for long enough, or all of it.
func (s *Selection) Release(all bool) error {
	held := s.held
	s.held, s.bytes, s.late = nil, 0, nil
	for _, r := range held {
		kept, err := s.settle(r, all)
		if err != nil {
			return err
		}
		if kept {
			s.keep(r)
		}
	}
	return nil
}

// settle emits or drops a record, unless it has to be kept back: because its container is not sure, or an earlier one's was not.
func (s *Selection) settle(r *Record, final bool) (keep bool, err error) {
	key := slot{r.Identity, r.Generation}
	if s.late[key] {
		return true, nil
	}
	container, verdict := s.judge(key, final)
	if verdict == wanted {
		err = s.Emit(r, container)
	}
	return verdict == unsure, err
}

func (s *Selection) keep(r *Record) {
	if s.late == nil {
		s.late = map[slot]bool{}
	}
	s.late[slot{r.Identity, r.Generation}] = true
	s.held = append(s.held, r)
	s.bytes += size(r)
}

func size(r *Record) int { return 256 + len(r.Path) + len(r.Arguments) }

// Waiting tells whether anything is kept back.
func (s *Selection) Waiting() bool { return len(s.held) > 0 }

// judge tells whether a container's execs are wanted; with final, it is sure.
func (s *Selection) judge(key slot, final bool) (*labels.Container, verdict) {
	c, known := s.Directory.Lookup(key.index, key.generation)
	if !known {
		if s.Filter.Everything() {
			return nil, wanted
		}
		s.Unknown++
		return nil, unwanted
	}
	if !s.Filter.MatchesNames(c) {
		return c, unwanted
	}
	if !c.Unlabelled || s.Filter.Labels.Everything() {
		if s.Filter.Labels.Matches(c.Labels) {
			return c, wanted
		}
		return c, unwanted
	}
	seen, now := s.Directory.AgentSeen(), s.Now()
	if seen == 0 {
		if s.Filter.Labels.Matches(c.Labels) {
			return c, wanted
		}
		s.LeftOut++
		return c, unwanted
	}
	if !final && now < seen+uint64(AgentAlive) && now < c.Created+uint64(LabelWait) {
		return c, unsure
	}
	if !s.warned[key] {
		if s.warned == nil {
			s.warned = map[slot]bool{}
		}
		s.warned[key] = true
		s.Unlabelled(c)
	}
	return c, wanted
}
