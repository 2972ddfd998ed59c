// SPDX-License-Identifier: Apache-2.0

package ring

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
)

// seenModel simulates the calls of several CPUs through one set of bpf/seen.h, one load or store in each step. Records
// are of one byte, so that positions number them, shifted as positions of real ones are.
type seenModel struct {
	t      *testing.T
	set    abi.SeenSet
	random *rand.Rand
	size   uint64 // of the lane distinct, in records
	first  uint64 // records that the lane first takes
	lanes  [abi.Lanes][]uint64
	cpus   []seenCPU
	calls  map[uint64]int // by signature
	time   uint64         // calls that have begun

	again, doubled int
}

// seenCPU is the state of one call.
type seenCPU struct {
	next      func()
	signature uint64
	way       int
	old       uint64
	position  uint64
	valid     bool // the signature's record was in its lane at some moment since the call began
}

const recordUnit = 8

func newSeenModel(t *testing.T, cpus int, seed uint64) *seenModel {
	m := &seenModel{
		t:      t,
		random: rand.New(rand.NewPCG(seed, 2)),
		size:   2 + seed%12,
		first:  seed % 5,
		calls:  map[uint64]int{},
		cpus:   make([]seenCPU, cpus),
	}
	for i := range m.cpus {
		m.cpus[i].next = m.begin(i)
	}
	return m
}

// holds reports whether a lane has a record of a signature that is not overwritten.
func (m *seenModel) holds(signature uint64) bool {
	distinct := m.lanes[abi.LaneDistinct]
	for _, kept := range [][]uint64{m.lanes[abi.LaneFirst], distinct[max(0, len(distinct)-int(m.size)):]} {
		for _, s := range kept {
			if s == signature {
				return true
			}
		}
	}
	return false
}

func (m *seenModel) step(i int) {
	c := &m.cpus[i]
	c.valid = c.valid || m.holds(c.signature)
	c.next()
	c.valid = c.valid || m.holds(c.signature)
}

func (m *seenModel) begin(i int) func() {
	return func() {
		c := &m.cpus[i]
		// More signatures than ways, some of which come often.
		c.signature = abi.SeenBusy + 1 + uint64(min(m.random.IntN(12), m.random.IntN(12)))
		c.valid = false
		m.calls[c.signature]++
		m.time++
		c.next = m.find(i, 0)
	}
}

func (m *seenModel) find(i, way int) func() {
	return func() {
		c := &m.cpus[i]
		switch {
		case way == abi.SeenWays:
			c.next = m.write(i)
		case m.set.Signatures[way] == c.signature:
			c.next = m.believe(i, way)
		default:
			c.next = m.find(i, way+1)
		}
	}
}

// valid is seen_valid.
func (m *seenModel) valid(position uint64) bool {
	if position&abi.SeenFirst != 0 {
		return true
	}
	return uint64(len(m.lanes[abi.LaneDistinct]))*recordUnit-position <= m.size*recordUnit
}

func (m *seenModel) believe(i, way int) func() {
	return func() {
		c := &m.cpus[i]
		position := m.set.Entries[way].Position
		c.next = func() {
			if !m.valid(position) {
				c.next = m.write(i)
				return
			}
			c.next = func() {
				m.set.Entries[way].Count++
				c.next = func() {
					if m.set.Signatures[way] != c.signature {
						c.next = m.write(i)
						return
					}
					if !c.valid {
						m.t.Errorf("signature %d is taken for one that is kept, and is not", c.signature)
					}
					m.again++
					m.set.Entries[way].Last = m.time
					c.next = m.begin(i)
				}
			}
		}
	}
}

func (m *seenModel) write(i int) func() {
	return func() {
		c := &m.cpus[i]
		if m.holds(c.signature) {
			m.doubled++
		}
		lane, flag := abi.LaneDistinct, uint64(abi.SeenDistinct)
		if uint64(len(m.lanes[abi.LaneFirst])) < m.first {
			lane, flag = abi.LaneFirst, abi.SeenFirst
		}
		c.position = uint64(len(m.lanes[lane]))*recordUnit | flag
		m.lanes[lane] = append(m.lanes[lane], c.signature)
		c.old = abi.SeenBusy
		c.next = m.choose(i, 0, ^uint64(0))
	}
}

func (m *seenModel) choose(i, way int, oldest uint64) func() {
	return func() {
		c := &m.cpus[i]
		if way == abi.SeenWays {
			c.next = m.claim(i)
			return
		}
		known := m.set.Signatures[way]
		c.next = func() {
			if known == abi.SeenBusy {
				c.next = m.choose(i, way+1, oldest)
				return
			}
			last := m.set.Entries[way].Last + m.set.Entries[way].Position&(abi.SeenFirst|abi.SeenDistinct)<<60
			if known == 0 || known == c.signature {
				last = 0
			}
			if last < oldest {
				oldest = last
				c.way, c.old = way, known
			}
			c.next = m.choose(i, way+1, oldest)
			if known == c.signature {
				c.next = m.claim(i)
			}
		}
	}
}

func (m *seenModel) claim(i int) func() {
	return func() {
		c := &m.cpus[i]
		if c.old == abi.SeenBusy || m.set.Signatures[c.way] != c.old {
			c.next = m.begin(i)
			return
		}
		m.set.Signatures[c.way] = abi.SeenBusy
		entry := &m.set.Entries[c.way]
		// The stores come in any order, but all before the exchange.
		stores := []func(){
			func() { entry.Position = c.position },
			func() {
				if c.old != c.signature {
					entry.Count = 0
				}
				entry.Count++
			},
			func() { entry.Last = m.time },
		}
		m.random.Shuffle(len(stores), func(a, b int) { stores[a], stores[b] = stores[b], stores[a] })
		c.next = func() {
			stores[0]()
			if stores = stores[1:]; len(stores) > 0 {
				return
			}
			c.next = func() {
				m.set.Signatures[c.way] = c.signature
				c.next = m.begin(i)
			}
		}
	}
}

// check checks that each entry that a reader copies is that of the record at its place, and counts no more calls than
// there were, but for those of a race.
func (m *seenModel) check(way int) {
	place, repeats, ok := entry(&m.set, way)
	if !ok {
		return
	}
	signature := m.set.Signatures[way]
	if recorded := m.lanes[place.Lane][place.Position/recordUnit]; recorded != signature {
		m.t.Errorf("the entry of signature %d is that of a record of signature %d", signature, recorded)
	}
	if most := m.calls[signature] + len(m.cpus); repeats.Count < 1 || repeats.Count > uint64(most) {
		m.t.Errorf("signature %d: counted %d times, came %d times", signature, repeats.Count, m.calls[signature])
	}
}

// TestSeenModel runs the protocol in random orders of its steps: no call is taken for one that is kept if none is kept,
// and each entry belongs to its record.
func TestSeenModel(t *testing.T) {
	seeds := uint64(60)
	if testing.Short() {
		seeds = 20
	}
	again, doubled, written := 0, 0, 0
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			m := newSeenModel(t, 1+int(seed%6), seed)
			for range 20000 {
				i := m.random.IntN(len(m.cpus))
				for range 1 + m.random.IntN(6) { // some run while others are stopped
					m.step(i)
				}
				m.check(m.random.IntN(abi.SeenWays))
				if t.Failed() {
					return
				}
			}
			again, doubled = again+m.again, doubled+m.doubled
			written += len(m.lanes[abi.LaneFirst]) + len(m.lanes[abi.LaneDistinct])
		})
	}
	if again == 0 || doubled == 0 || written == 0 {
		t.Errorf("%d calls again, %d records, %d of them doubled: the model does not try what it should", again, written, doubled)
	}
	t.Logf("%d calls again, %d records, %d of them doubled", again, written, doubled)
}
