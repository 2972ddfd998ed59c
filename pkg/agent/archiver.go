// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/runc-trace/runc-trace/pkg/archive"
	"github.com/runc-trace/runc-trace/pkg/boottime"
	"github.com/runc-trace/runc-trace/pkg/bpf"
	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/labels"
	"github.com/runc-trace/runc-trace/pkg/redact"
	"github.com/runc-trace/runc-trace/pkg/ring"
	"github.com/runc-trace/runc-trace/pkg/saved"
	"github.com/runc-trace/runc-trace/pkg/straceback"
)

// Archive says where, and which, recordings are saved.
type Archive struct {
	Path   string
	Limits archive.Limits
	Rules  ArchiveRules
	Bucket Bucket // gets copies; nil: none
	Boot   string // ID of this boot of the machine
	Host   string // its name

	Secrets *redact.Table // are masked; nil: none
}

// archiver saves the recordings of containers that ended badly, before their memory is used again. The kernel does not
// wake it, so it looks often, at a few words of each recording.
type archiver struct {
	Archive
	log     *logrus.Logger
	program string // and its version
	counts  *counts

	memory     straceback.Memory
	containers *labels.Directory
	lanes      []*ring.Ring // of each recording, the one whose header tells whose it is
	seen       []seen       // of each recording
	saved      map[string]bool
	hourly     map[string][]time.Time
	directory  *archive.Directory
}

// seen is what the archiver knows of a place for a recording.
type seen struct {
	generation uint32
	done       bool // it was saved, or need not be
}

// late is how long a container may go on after the exit of its init, before its recording is saved all the same.
const late = 3 * time.Second

// newArchiver opens the archive and all recordings of an instance.
func newArchiver(a Archive, i *bpf.Instance, c *counts, log *logrus.Logger, version string) (*archiver, error) {
	directory, err := archive.Open(a.Path, a.Limits)
	if err != nil {
		return nil, err
	}
	list, err := archive.List(a.Path)
	if err != nil {
		return nil, err
	}
	if err := c.resume(a.Path); err != nil {
		log.WithError(err).Warn("the archive's counts begin at 0")
	}
	pool := i.Pool()
	r := &archiver{Archive: a, log: log, program: "tracectl agent " + version, counts: c, memory: i, directory: directory,
		containers: labels.NewDirectory(i, pool.Identities), seen: make([]seen, pool.Rings),
		saved: map[string]bool{}, hourly: map[string][]time.Time{}}
	for _, e := range list {
		r.saved[e.Key] = true
	}
	for index := range pool.Rings {
		recording, err := i.Recording(index)
		if err != nil {
			return nil, fmt.Errorf("opening recording %d: %w", index, err)
		}
		r.lanes = append(r.lanes, recording.Lanes[abi.LaneRecent])
	}
	return r, nil
}

// run saves recordings until the context ends.
func (a *archiver) run(ctx context.Context) {
	var copying sync.WaitGroup
	defer copying.Wait()
	if a.Bucket != nil {
		copying.Go(func() { (&copier{a.Path, a.Bucket, a.counts, a.log}).run(ctx) })
	}
	removed, err := a.directory.Prune(time.Now())
	a.pruned(removed, err)
	for ctx.Err() == nil {
		a.look(time.Now())
		a.counts.write(a.Path, a.log)
		sleep(ctx, pace.archive)
	}
}

// look saves the recordings that are due.
func (a *archiver) look(now time.Time) {
	for index, lane := range a.lanes {
		h, s := lane.Header(), &a.seen[index]
		if h.Generation != s.generation {
			if s.generation != 0 {
				skipped := uint64(h.Generation - s.generation - 1)
				if !s.done {
					skipped++
				}
				a.counts.add(func(c *archive.Counts) { c.Missed += skipped })
			}
			*s = seen{generation: h.Generation}
		}
		if s.done || !h.Used() {
			continue
		}
		c, known := a.containers.Lookup(h.Identity, h.IdentityGeneration)
		if !known {
			s.done = true
			continue
		}
		if end, ended := endOf(c); ended && a.settled(c, end) {
			s.done = a.consider(straceback.At(a.memory, index, h.Generation, c), end, now)
		}
	}
}

// endOf returns when a container ended, in ns since boot, if it has ended, or if its init exited a while ago.
func endOf(c *labels.Container) (end uint64, ended bool) {
	if c.Exited == 0 {
		return c.Ended, c.State == abi.StateEnded
	}
	return c.Exited, c.State == abi.StateEnded || boottime.Now()-c.Exited > uint64(late)
}

// settled reports whether the labels of a container are known, or had time to arrive, if the rules ask for some.
func (a *archiver) settled(c *labels.Container, end uint64) bool {
	const patience = 5 * time.Second
	return a.Rules.Labels.Everything() || !c.Unlabelled || boottime.Now()-end > uint64(patience)
}

// consider saves a recording if the rules want it. It returns false if it has to be tried again.
func (a *archiver) consider(r *straceback.Recording, end uint64, now time.Time) bool {
	c := *r.Container
	key := archive.Key(a.Boot, c.ID, c.Created)
	if a.saved[key] || !a.Rules.Want(&c) {
		return true
	}
	if !a.allowed(&c, now) {
		a.counts.add(func(n *archive.Counts) { n.Limited++ })
		return true
	}
	err := a.save(&c, r, key, end)
	switch {
	case errors.Is(err, straceback.ErrReused):
		a.counts.add(func(n *archive.Counts) { n.Missed++ })
		return true
	case errors.Is(err, ring.ErrUnsettled):
		return false
	}
	a.saved[key] = true
	a.counts.saved(err, a.log)
	return true
}

// allowed reports whether another recording of a container may be saved in this hour, and counts it.
func (a *archiver) allowed(c *labels.Container, now time.Time) bool {
	for name, times := range a.hourly { // few are left: each has at least one of the last hour
		for len(times) > 0 && now.Sub(times[0]) > time.Hour {
			times = times[1:]
		}
		if a.hourly[name] = times; len(times) == 0 {
			delete(a.hourly, name)
		}
	}
	name := c.FullName()
	if len(a.hourly[name]) >= a.Rules.PerHour {
		return false
	}
	a.hourly[name] = append(a.hourly[name], now)
	return true
}

func (a *archiver) save(c *labels.Container, r *straceback.Recording, key string, end uint64) error {
	boot, err := boottime.Boot()
	if err != nil {
		return err
	}
	calls, err := r.Read()
	if err != nil {
		return err
	}
	reading := &straceback.Reading{Container: c, Calls: calls, Boot: boot, Now: boottime.Now()}
	reading.Redact(a.Secrets)
	removed, err := a.directory.Add(key, boot.Add(time.Duration(end)), a.Bucket != nil, func(to io.Writer) error {
		return saved.Write(to, reading, saved.Origin{Program: a.program, Host: a.Host})
	})
	a.pruned(removed, nil)
	return err
}

// pruned counts what had to make room.
func (a *archiver) pruned(removed []archive.Entry, err error) {
	a.counts.add(func(n *archive.Counts) {
		for _, e := range removed {
			delete(a.saved, e.Key)
			n.Removed++
			if e.Pending {
				n.Uncopied++
			}
		}
	})
	if err != nil {
		a.counts.saved(err, a.log)
	}
}
