// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"bufio"
	"container/heap"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"
)

// Limits of a node's part: its size, and the sizes in memory while it is received and while it is read again.
const (
	largestSpool = 1 << 30
	spoolChunk   = 256 << 10
	spoolRead    = 16 << 10
)

// Sorted runs tracectl on all nodes until all have ended, and passes on their events in the order of time. The
// events of one node keep their order. Output is stored in a temporary file, so that its size is not limited by
// memory, and a slow node does not hold up others. Errors of the handler and the result are as those of Lines.
func (c *Cluster) Sorted(ctx context.Context, args []string, handle func(node string, event Object) error) error {
	s, err := newSpool()
	if err != nil {
		return err
	}
	defer s.close()
	var mu sync.Mutex
	var parts []*part
	failed := c.each(ctx, func(ctx context.Context, node Node) error {
		p := &part{spool: s, node: node.Name}
		mu.Lock()
		parts = append(parts, p)
		mu.Unlock()
		err := c.ask(ctx, node, args, longestLine, p.add)
		return errors.Join(err, p.flush())
	})
	var failures *Failures
	if failed != nil && !errors.As(failed, &failures) {
		return failed
	}
	if ctx.Err() != nil {
		return failed
	}
	if err := merge(ctx, parts, handle); err != nil {
		return err
	}
	if failures == nil {
		failures = NewFailures(len(c.Nodes))
	}
	for _, p := range parts {
		if p.malformed > 0 {
			failures.Add(p.node, &partial{malformed: p.malformed})
		}
	}
	return failures.Err()
}

// spool is a temporary file shared by all nodes; each has its chunks in it.
type spool struct {
	file *os.File
	mu   sync.Mutex
	end  int64
}

func newSpool() (*spool, error) {
	file, err := os.CreateTemp("", "tracectl-*")
	if err != nil {
		return nil, fmt.Errorf("making a temporary file: %w", err)
	}
	// The file is deleted at once, so it ends with the program in any case.
	if err := os.Remove(file.Name()); err != nil {
		return nil, errors.Join(fmt.Errorf("unlinking a temporary file: %w", err), file.Close())
	}
	return &spool{file: file}, nil
}

func (s *spool) close() { s.file.Close() }

// put writes a chunk and returns its offset.
func (s *spool) put(data []byte) (int64, error) {
	s.mu.Lock()
	at := s.end
	s.end += int64(len(data))
	s.mu.Unlock()
	if _, err := s.file.WriteAt(data, at); err != nil {
		return 0, fmt.Errorf("writing a temporary file: %w", err)
	}
	return at, nil
}

// part is the output of one node.
type part struct {
	*spool
	node   string
	chunks []chunk
	size   int64
	buffer []byte
	chosen int // index of the chunk being read

	malformed int // events that the handler rejected

	// The next event, for merge.
	lines *bufio.Reader
	event Object
	at    time.Time
}

type chunk struct{ at, length int64 }

func (p *part) add(line []byte) error {
	event, err := ParseObject(line)
	if err != nil {
		return err
	}
	if p.size += int64(len(event)) + 1; p.size > largestSpool {
		return &partial{reason: fmt.Sprintf("it sent more than %d bytes; the rest was left out", largestSpool)}
	}
	p.buffer = append(append(p.buffer, event...), '\n')
	if len(p.buffer) >= spoolChunk {
		return p.flush()
	}
	return nil
}

// flush writes the buffer to the file. If that fails, no node is to blame.
func (p *part) flush() error {
	if len(p.buffer) == 0 {
		return nil
	}
	at, err := p.put(p.buffer)
	if err != nil {
		return fatal{err}
	}
	p.chunks = append(p.chunks, chunk{at, int64(len(p.buffer))})
	p.buffer = nil
	return nil
}

// Read reads the chunks one after another.
func (p *part) Read(buffer []byte) (int, error) {
	for p.chosen < len(p.chunks) {
		c := &p.chunks[p.chosen]
		if c.length == 0 {
			p.chosen++
			continue
		}
		n, err := p.file.ReadAt(buffer[:min(int64(len(buffer)), c.length)], c.at)
		c.at, c.length = c.at+int64(n), c.length-int64(n)
		if n > 0 {
			return n, nil
		}
		return 0, fmt.Errorf("reading a temporary file: %w", err)
	}
	return 0, io.EOF
}

// next advances to the next event.
func (p *part) next() error {
	if p.lines == nil {
		p.lines = bufio.NewReaderSize(p, spoolRead)
	}
	line, err := p.lines.ReadBytes('\n')
	if err != nil {
		return err
	}
	p.event = line[:len(line)-1]
	p.at = p.event.head().Time
	return nil
}

// merge passes on the events of all parts, always the earliest of their next ones.
func merge(ctx context.Context, parts []*part, handle func(node string, event Object) error) error {
	var h parted
	for _, p := range parts {
		if err := p.next(); err == nil {
			h = append(h, p)
		} else if !errors.Is(err, io.EOF) {
			return err
		}
	}
	heap.Init(&h)
	for len(h) > 0 && ctx.Err() == nil {
		p := h[0]
		if err := handle(p.node, p.event); errors.Is(err, ErrLine) {
			p.malformed++
		} else if err != nil {
			return err
		}
		switch err := p.next(); {
		case err == nil:
			heap.Fix(&h, 0)
		case errors.Is(err, io.EOF):
			heap.Pop(&h)
		default:
			return err
		}
	}
	return nil
}

// parted is a heap of parts by their next event.
type parted []*part

func (h parted) Len() int { return len(h) }
func (h parted) Less(i, j int) bool {
	if !h[i].at.Equal(h[j].at) {
		return h[i].at.Before(h[j].at)
	}
	return h[i].node < h[j].node
}
func (h parted) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *parted) Push(x any)   { *h = append(*h, x.(*part)) }
func (h *parted) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}
