// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"errors"
	"fmt"
	"time"

	"github.com/runc-trace/runc-trace/pkg/boottime"
	"github.com/runc-trace/runc-trace/pkg/bpf"
)

// sweep deletes the labels that nobody needs any more, and gives their room to those that wait. Labels are needed as long
// as any identity is of their subject, whether it is alive or has ended, or their pod may still become one.
func (s *session) sweep() error {
	s.deliver(s.roster.scan())
	pods, ids, sandboxes := s.roster.who()
	s.cri.queues(func(q *queue) { q.keep(sandboxes) })
	s.docker.queue.keep(ids)

	now := time.Duration(boottime.Now())
	var unneeded []subject
	err := s.loaded.store.Each(func(source bpf.LabelSource, name string, l bpf.Labels) bool {
		old := now-l.Updated > pace.grace
		needed := true
		switch source {
		case bpf.SourceKubernetes:
			needed = pods[name] || s.pods.mayExist(name)
		case bpf.SourceCRI:
			needed = pods[name] || s.cri.exists(name) || !old
		case bpf.SourceDocker:
			needed = ids[name] || !old
		}
		if !needed {
			unneeded = append(unneeded, subject{source, name})
		}
		return true
	})
	if err != nil {
		return fmt.Errorf("looking for labels that are not needed: %w", err)
	}
	var errs []error
	for _, u := range unneeded {
		errs = append(errs, s.ledger.delete(u))
	}
	s.metrics.swept.Add(float64(len(unneeded)))
	s.metrics.sweeps.Inc()
	s.ledger.retry(func(u subject) bool {
		switch u.source {
		case bpf.SourceKubernetes:
			return pods[u.name] || s.pods.mayExist(u.name)
		case bpf.SourceDocker:
			return ids[u.name]
		}
		return pods[u.name]
	})
	return errors.Join(errs...)
}
