// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"errors"
	"fmt"
	"time"

	"github.com/runc-trace/runc-trace/pkg/boottime"
	"github.com/runc-trace/runc-trace/pkg/bpf"
)

// sweep deletes labels that are no longer needed, and writes those that wait for room. Labels are needed while
// there is an identity of their subject, live or ended, or while their pod may still start.
func (s *session) sweep() error {
	s.deliver(s.discovery.scan())
	pods, ids, sandboxes := s.discovery.subjects()
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
		return fmt.Errorf("looking for unused labels: %w", err)
	}
	var errs []error
	for _, u := range unneeded {
		errs = append(errs, s.writer.delete(u))
	}
	s.metrics.swept.Add(float64(len(unneeded)))
	s.metrics.sweeps.Inc()
	s.writer.retry(func(u subject) bool {
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
