// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"errors"
	"hash/maphash"
	"sync"

	"github.com/sirupsen/logrus"

	"github.com/runc-trace/runc-trace/pkg/bpf"
	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/identity"
)

// subject identifies labels: the source, and the pod or container.
type subject struct {
	source bpf.LabelSource
	name   string
}

// labelWriter writes labels into the store: changed ones at once, and those without room later.
type labelWriter struct {
	store   Store
	keep    []string // see identity.KeepFirst
	metrics *metrics
	log     *logrus.Logger

	mu      sync.Mutex
	seed    maphash.Seed
	written map[subject]uint64 // hashes of the labels that this agent has written
	waiting map[subject]bpf.Labels
	refused map[subject]bool // labels that no store would take, which was logged once
	text    [abi.LabelsSize]byte
}

// waitingMax limits the labels that wait for room.
const waitingMax = 1024

func newLabelWriter(store Store, keep []string, m *metrics, log *logrus.Logger) *labelWriter {
	return &labelWriter{
		store: store, keep: keep, metrics: m, log: log, seed: maphash.MakeSeed(),
		written: map[subject]uint64{}, waiting: map[subject]bpf.Labels{}, refused: map[subject]bool{},
	}
}

// put stores the labels of a subject, within the store's limits.
func (l *labelWriter) put(s subject, labels bpf.Labels) {
	l.mu.Lock()
	defer l.mu.Unlock()
	used, truncated := identity.EncodeLabels(l.text[:], labels.Set, l.keep)
	labels.Truncated = labels.Truncated || truncated
	sum := l.sum(l.text[:used], labels)
	if before, ok := l.written[s]; ok && before == sum {
		return
	}
	if labels.Truncated {
		l.metrics.truncated.WithLabelValues(s.source.String()).Inc()
		labels.Set = identity.DecodeLabels(l.text[:used])
	}
	delete(l.waiting, s)
	err := l.store.Put(s.source, s.name, labels)
	switch {
	case err == nil:
		l.written[s] = sum
		l.metrics.updates.WithLabelValues(s.source.String()).Inc()
	case errors.Is(err, bpf.ErrFull):
		if len(l.waiting) == 0 {
			l.log.Warn("no room for more labels: some wait until others are deleted")
		}
		if len(l.waiting) < waitingMax {
			l.waiting[s] = labels
		}
		l.metrics.full.WithLabelValues(s.source.String()).Inc()
	default:
		l.metrics.failed.WithLabelValues(s.source.String()).Inc()
		if !l.refused[s] && len(l.refused) < 1000 {
			l.refused[s] = true
			l.log.WithError(err).WithField("source", s.source.String()).Warn("could not write labels")
		}
	}
}

func (l *labelWriter) sum(text []byte, labels bpf.Labels) uint64 {
	var h maphash.Hash
	h.SetSeed(l.seed)
	h.Write(text)
	for _, field := range []string{labels.Name, labels.Image} {
		h.WriteByte(0)
		h.WriteString(field)
	}
	if labels.Truncated {
		h.WriteByte(1)
	}
	return h.Sum64()
}

// has reports whether labels of a subject were put.
func (l *labelWriter) has(s subject) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, written := l.written[s]
	_, waiting := l.waiting[s]
	return written || waiting
}

// delete removes the labels of a subject, including those that wait for room.
func (l *labelWriter) delete(s subject) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.written, s)
	delete(l.waiting, s)
	delete(l.refused, s)
	return l.store.Delete(s.source, s.name)
}

// retry writes labels that wait for room, and drops those that are no longer wanted.
func (l *labelWriter) retry(wanted func(subject) bool) {
	l.mu.Lock()
	again := l.waiting
	l.waiting = map[subject]bpf.Labels{}
	l.mu.Unlock()
	for s, labels := range again {
		if wanted(s) {
			l.put(s, labels)
		}
	}
}
