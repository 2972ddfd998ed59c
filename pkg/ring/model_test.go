// SPDX-License-Identifier: Apache-2.0

package ring

import (
	"encoding/binary"
	"math/rand/v2"
	"unsafe"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
)

// model simulates the writers of bpf/ring.h step by step. Any number of steps of others may come between two steps of a
// writer, as if its virtual CPU was descheduled.
type model struct {
	layout  Layout
	words   []uint64
	header  *abi.Ring
	writers []abi.Writer
	cpus    []cpu
	random  *rand.Rand
}

// cpu is a writer's state: its next steps and its variables.
type cpu struct {
	next             func()
	position, length uint64
	generation       uint32
	asleep           int // number of steps for which it sleeps
}

func newModel(layout Layout, cpus int, seed uint64) *model {
	m := &model{
		layout:  layout,
		words:   make([]uint64, layout.Segments*layout.Stride/8),
		writers: make([]abi.Writer, cpus),
		cpus:    make([]cpu, cpus),
		random:  rand.New(rand.NewPCG(seed, 1)),
	}
	m.header = (*abi.Ring)(unsafe.Pointer(&m.words[0]))
	m.header.Generation = 1
	for i := range m.cpus {
		m.cpus[i].next = m.announce(i)
	}
	return m
}

func (m *model) memory() []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(&m.words[0])), len(m.words)*8)
}

func (m *model) reader() *Ring {
	r, err := New(m.memory(), m.writers, m.layout)
	if err != nil {
		panic(err)
	}
	return r
}

// run runs n steps of writers in random order.
func (m *model) run(n int) {
	for range n {
		i := m.random.IntN(len(m.cpus))
		if m.cpus[i].asleep > 0 {
			m.cpus[i].asleep--
			continue
		}
		if m.random.IntN(200) == 0 {
			m.cpus[i].asleep = m.random.IntN(2000)
			continue
		}
		m.cpus[i].next()
	}
}

// settle lets every writer finish its current record.
func (m *model) settle() {
	for i := range m.cpus {
		for m.writers[i].Ring != 0 {
			m.cpus[i].next()
		}
	}
}

func (m *model) announce(i int) func() {
	return func() {
		c, w := &m.cpus[i], &m.writers[i]
		// As in the kernel, the generation is compared before the record is announced.
		c.generation = m.header.Generation
		head := m.header.Head
		c.next = func() {
			w.Position = head
			c.next = func() {
				w.Ring = m.layout.ID
				c.next = m.reserve(i)
			}
		}
	}
}

func (m *model) reserve(i int) func() {
	return func() {
		c := &m.cpus[i]
		c.length = 8 * uint64(4+m.random.IntN(int(m.layout.Slack/8)-4))
		c.position = m.header.Head
		m.header.Head += c.length
		m.header.Written++
		c.next = func() {
			m.writers[i].Position = c.position | abi.WriterExact
			c.next = m.write(i, 1)
		}
	}
}

// write writes one word of the record in each step, the commit word last.
func (m *model) write(i int, word uint64) func() {
	return func() {
		c := &m.cpus[i]
		at := m.layout.address(c.position) / 8
		if word == c.length/8 {
			m.words[at] = (c.position ^ m.layout.Secret) + uint64(c.generation)*abi.CommitStep
			c.next = m.check(i)
			return
		}
		m.words[at+word] = content(c.position, c.length, word)
		c.next = m.write(i, word+1)
	}
}

// exact returns the length of the record that takes `length` bytes at a position.
func exact(position, length uint64) uint64 { return length - position/8%8 }

// content returns the content of word number `word` of a record: its length at the place of struct entry's, and
// otherwise words that would fool a reader that looks for commit words without a secret.
func content(position, length, word uint64) uint64 {
	switch word {
	case 1:
		return position * 3
	case 2:
		return exact(position, length)
	default:
		return position + word*8
	}
}

func (m *model) check(i int) func() {
	return func() {
		c := &m.cpus[i]
		head := m.header.Head
		if head-c.position <= m.layout.total() {
			c.next = m.retire(i)
			return
		}
		sequence := m.header.TornCount
		m.header.TornCount++
		t := &m.header.Torn[sequence%abi.TornMax]
		c.next = func() {
			t.Sequence = 0
			c.next = func() {
				*t = abi.Torn{Position: c.position, Length: c.length, Head: head}
				c.next = func() {
					t.Sequence = sequence + 1
					c.next = m.retire(i)
				}
			}
		}
	}
}

func (m *model) retire(i int) func() {
	return func() {
		m.writers[i].Ring = 0
		m.cpus[i].next = m.announce(i)
	}
}

// truthful reports whether every word of a record is as its writer wrote it.
func truthful(record []byte) bool {
	position := binary.NativeEndian.Uint64(record[8:]) / 3
	length := align(uint64(len(record)))
	for word := uint64(1); word < uint64(len(record))/8; word++ {
		if binary.NativeEndian.Uint64(record[8*word:]) != content(position, length, word) {
			return false
		}
	}
	return uint64(len(record)) == exact(position, length)
}
