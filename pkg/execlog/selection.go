// SPDX-License-Identifier: Apache-2.0

package execlog

import (
	"bytes"
	"cmp"
	"slices"
	"time"

	"github.com/runc-trace/runc-trace/pkg/labels"
)

// Limits on waiting for labels, and for the agent that brings them.
const (
	// LabelWait is how long after the creation of a container its execs may be held back for its labels.
	LabelWait = 5 * time.Second
	// AgentAlive is how long the agent counts as alive after it was last seen.
	AgentAlive = 15 * time.Second

	heldBytes = 16 << 20 // limit of the records held back
)

// Doubt is the reason why it is uncertain whether a container is selected.
type Doubt int

// The doubts.
const (
	LabelsLate      Doubt = iota // its labels did not arrive in time; its execs so far are shown
	LabelsUnknown                // its labels are not known and are not expected; its execs are left out
	LabelsTruncated              // some of its labels are not known and could decide; its execs are shown
)

// Selection selects execs by the labels and names of their containers.
//
// If the labels of a container are still expected, an exec is held back, together with all later execs of the
// container, until the labels arrive or LabelWait has passed. Labels are expected while the container is younger
// than LabelWait, and either a live agent has not told them yet, or they are those of a sandbox that was not found
// yet. If an agent does not bring them in time, the execs held back are emitted, since they may be wanted. Without
// an agent, or when no labels are expected, the known labels decide, and all other execs are left out and counted.
type Selection struct {
	Directory *labels.Directory
	Filter    *labels.Filter
	// Settled is set if the filter's name is known and no later container matters. A container whose name does not
	// arrive is then none of those meant: it raises no doubt.
	Settled bool
	// Emit receives the selected execs, in order for each container. The container is nil if it is no longer known.
	Emit func(*Record, *labels.Container) error
	// Doubt is called once for each pair of a container and a Doubt.
	Doubt func(*labels.Container, Doubt)
	// Now returns the time of CLOCK_BOOTTIME, in nanoseconds.
	Now func() uint64

	// Unknown counts execs of containers that are no longer known, and therefore cannot be selected.
	Unknown int
	// LeftOut counts execs that were left out because the labels of their containers are not known.
	LeftOut int

	held   []*Record
	bytes  int
	late   map[slot]int // by container: bytes of records held back
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

// Take emits a record, holds back a copy of it, or drops it.
func (s *Selection) Take(r *Record) error {
	if kept, err := s.settle(r, time.Time{}, false); !kept {
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

// Release emits or drops the records that were held back for long enough; if all is set, all records.
func (s *Selection) Release(all bool) error {
	return s.release(func(slot) bool { return all })
}

// release decides on the records held back; for containers for which final returns true, on all of them.
func (s *Selection) release(final func(slot) bool) error {
	held, now := s.held, time.Now()
	s.held, s.bytes, s.late = nil, 0, nil
	for _, r := range held {
		kept, err := s.settle(r, now, final(slot{r.Identity, r.Generation}))
		if err != nil {
			return err
		}
		if kept {
			s.keep(r)
		}
	}
	return nil
}

// loudest returns a function that matches the container with the most bytes held back: it must not use up the room
// of others.
func (s *Selection) loudest() func(slot) bool {
	var most slot
	for key, bytes := range s.late {
		if bytes > s.late[most] {
			most = key
		}
	}
	return func(key slot) bool { return key == most }
}

// settle emits or drops a record, or reports that it must be kept: because its container is undecided, or because
// an earlier record of the container was. See judge for released and final.
func (s *Selection) settle(r *Record, released time.Time, final bool) (keep bool, err error) {
	key := slot{r.Identity, r.Generation}
	if s.late[key] > 0 {
		return true, nil
	}
	container, verdict := s.judge(key, released, final)
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

// Waiting reports whether records are held back.
func (s *Selection) Waiting() bool { return len(s.held) > 0 }

// Oldest returns the time of the oldest record that is held back, in nanoseconds of CLOCK_BOOTTIME. It returns false
// if none is.
func (s *Selection) Oldest() (uint64, bool) {
	if len(s.held) == 0 {
		return 0, false
	}
	oldest := slices.MinFunc(s.held, func(a, b *Record) int { return cmp.Compare(a.Entry.Time, b.Entry.Time) })
	return oldest.Entry.Time, true
}

// judge reports whether an exec of a container is wanted. released is the time of the release if the exec was held
// back, or zero. If judge stops to wait for the container's labels, it decides by labels that were read after released.
// With final, judge always decides.
func (s *Selection) judge(key slot, released time.Time, final bool) (*labels.Container, verdict) {
	held := !released.IsZero()
	c, known := s.Directory.Lookup(key.index, key.generation)
	if known && held && (final || !s.expectsLabels(c)) {
		c, known = s.Directory.LookupSince(key.index, key.generation, released)
	}
	if !known {
		if s.Filter.Everything() {
			return nil, wanted
		}
		s.Unknown++
		return nil, unwanted
	}
	names := s.Filter.JudgeNames(c)
	if names == labels.No {
		return c, unwanted
	}
	if names == labels.Yes && s.Filter.Labels.Everything() {
		return c, wanted
	}
	if !final && s.expectsLabels(c) {
		return c, unsure
	}
	switch s.Filter.Judge(c) {
	case labels.Yes:
		return c, wanted
	case labels.Maybe:
		s.note(key, c, LabelsTruncated)
		return c, wanted
	case labels.No:
		return c, unwanted
	}
	if names == labels.Unknown && s.Settled {
		return c, unwanted
	}
	if held && c.Pending && s.Directory.AgentSeen() != 0 {
		s.note(key, c, LabelsLate)
		return c, wanted
	}
	s.note(key, c, LabelsUnknown)
	s.LeftOut++
	return c, unwanted
}

// expectsLabels reports whether labels of a container are on their way.
func (s *Selection) expectsLabels(c *labels.Container) bool {
	now := s.Now()
	if !c.Pending && !c.SandboxUnknown || now >= c.Created+uint64(LabelWait) {
		return false
	}
	if c.SandboxUnknown {
		return true
	}
	seen := s.Directory.AgentSeen()
	return seen != 0 && now < seen+uint64(AgentAlive)
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
