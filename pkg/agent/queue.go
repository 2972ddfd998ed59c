// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"sync"
	"time"
)

// queue holds the IDs that a source has to look up. IDs that are not found are retried at growing intervals, up to
// a limit: an engine may report a container only after starting it.
type queue struct {
	mu    sync.Mutex
	items map[string]*item
	wake  chan struct{}
}

type item struct {
	next  time.Time
	delay time.Duration
}

// enough is the longest interval between two attempts. After that, an ID is given up.
const enough = time.Minute

func newQueue() *queue { return &queue{items: map[string]*item{}, wake: make(chan struct{}, 1)} }

// add starts looking for an ID.
func (q *queue) add(id string) {
	if !mayBeID(id) {
		return
	}
	q.mu.Lock()
	q.items[id] = &item{}
	q.mu.Unlock()
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// has reports whether an ID is being looked for.
func (q *queue) has(id string) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.items[id] != nil
}

// due returns the IDs that are due, and the time until the next one is.
func (q *queue) due(now time.Time) (ids []string, wait time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	wait = enough
	for id, i := range q.items {
		if until := i.next.Sub(now); until > 0 {
			wait = min(wait, until)
		} else {
			ids = append(ids, id)
		}
	}
	return ids, wait
}

// found ends looking for an ID.
func (q *queue) found(id string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.items, id)
}

// missing records that an ID was not found.
func (q *queue) missing(id string, now time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	i := q.items[id]
	if i == nil {
		return
	}
	if i.delay = max(pace.poll, 2*i.delay); i.delay > enough {
		delete(q.items, id)
		return
	}
	i.next = now.Add(i.delay)
}

// keep drops all IDs that are not wanted.
func (q *queue) keep(wanted map[string]bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for id := range q.items {
		if !wanted[id] {
			delete(q.items, id)
		}
	}
}
