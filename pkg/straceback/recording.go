// SPDX-License-Identifier: Apache-2.0

// Package straceback reads recordings: the system calls of each container. The kernel keeps them from the container's
// first instruction until long after its end.
//
// The package takes rings and bytes and imports no eBPF, so it can be tested and fuzzed anywhere.
package straceback

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/runc-trace/runc-trace/pkg/labels"
	"github.com/runc-trace/runc-trace/pkg/ring"
)

// ErrReused means that a recording's ring was given to another container meanwhile.
var ErrReused = errors.New("the recording is gone: its memory was reused for another container")

// Memory provides the header and a reader of each recording. A bpf.Instance implements it.
type Memory interface {
	RecordingHeaders(func(index int, h ring.Header)) error
	Recording(index int) (*ring.Recording, error)
}

// Recording is the recording of one run of one container.
type Recording struct {
	Index      int // of its place
	Generation uint32
	// Container is the recorded container, or nil if it is no longer known.
	Container *labels.Container
	Kept      bool // its memory is not used again: the caller of List sets it
	// Archived is set if the recording is not in memory, but in a file. Its Index is -1.
	Archived *Archived

	memory Memory
}

// Archived is a recording in a file.
type Archived struct {
	Path   string
	Boot   time.Time // when CLOCK_BOOTTIME of its Container began
	Survey Survey    // as the file says
}

// At returns the recording of a container at a place.
func At(memory Memory, index int, generation uint32, c *labels.Container) *Recording {
	return &Recording{Index: index, Generation: generation, Container: c, memory: memory}
}

// List returns all recordings with their containers, without reading the calls. They are sorted by namespace, pod,
// container and ID; of one container, the newest run comes first.
func List(memory Memory, containers *labels.Directory) ([]*Recording, error) {
	var list []*Recording
	err := memory.RecordingHeaders(func(index int, h ring.Header) {
		if !h.Used() {
			return
		}
		recording := At(memory, index, h.Generation, nil)
		if c, ok := containers.Lookup(h.Identity, h.IdentityGeneration); ok {
			own := *c
			recording.Container = &own
		}
		list = append(list, recording)
	})
	if err != nil {
		return nil, fmt.Errorf("reading the headers of recordings: %w", err)
	}
	slices.SortStableFunc(list, compare)
	return list, nil
}

// compare sorts recordings without a container last.
func compare(a, b *Recording) int {
	switch {
	case a.Container == nil && b.Container == nil:
		return cmp.Compare(a.Index, b.Index)
	case a.Container == nil:
		return 1
	case b.Container == nil:
		return -1
	}
	x, y := a.Container, b.Container
	return cmp.Or(
		cmp.Compare(x.Namespace, y.Namespace), cmp.Compare(x.Pod, y.Pod), cmp.Compare(x.Name, y.Name),
		cmp.Compare(y.Created, x.Created), cmp.Compare(x.ID, y.ID),
	)
}

// Find returns the recordings of the container that a name identifies, the newest run first: a container that was
// restarted has several. See labels.Search for names. The error is a *labels.NameError.
func Find(list []*Recording, name string) ([]*Recording, error) {
	search := labels.NewSearch(name, "recording of")
	of := map[*labels.Container]*Recording{}
	for _, r := range list {
		if r.Container != nil {
			of[r.Container] = r
			search.Add(labels.Known{Container: r.Container})
		}
	}
	runs, err := search.Runs()
	if err != nil {
		return nil, err
	}
	found := make([]*Recording, len(runs))
	for i, k := range runs {
		found[i] = of[k.Container]
	}
	slices.SortStableFunc(found, newer)
	return found, nil
}

// newer orders recordings in files after those in memory, and among them the newest run first: times since boot of
// several boots cannot be compared.
func newer(a, b *Recording) int {
	switch {
	case a.Archived != nil && b.Archived != nil:
		return b.created().Compare(a.created())
	case a.Archived != nil:
		return 1
	case b.Archived != nil:
		return -1
	}
	return 0
}

// created returns when the container of a recording in a file was created.
func (r *Recording) created() time.Time {
	return r.Archived.Boot.Add(time.Duration(r.Container.Created))
}

// Name returns a name by which Find finds the recording; see labels.Container. It is empty if the container is unknown.
func (r *Recording) Name() string {
	if r.Container == nil {
		return ""
	}
	return r.Container.FullName()
}
