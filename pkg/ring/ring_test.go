// SPDX-License-Identifier: Apache-2.0

package ring

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
)

var (
	tiny = Layout{Secret: 0x5eed_5eed_5eed_5eed, Size: 512, Slack: 128,
		Stride: abi.SizeofRing + 512 + 128, Data: abi.SizeofRing, Segments: 1, ID: 1}
	log = Layout{Secret: 0x5eed_5eed_5eed_5eed, Size: 512, Slack: 128, Stride: abi.SizeofRing + 512 + 128,
		Data: abi.SizeofRing, Segments: 4, ID: abi.WriterExecLog}
)

// TestWithoutWriters reads rings that are not written meanwhile: all records that fit are found, in order, and counted.
func TestWithoutWriters(t *testing.T) {
	for name, layout := range map[string]Layout{"ring": tiny, "segments": log} {
		t.Run(name, func(t *testing.T) {
			m := newModel(layout, 1, 1)
			if layout.ID == abi.WriterExecLog {
				m.header.Generation = 0
			}
			r := m.reader()
			for written := uint64(0); written < 300; written++ {
				s, err := r.Read(0, false)
				if err != nil {
					t.Fatal(err)
				}
				var last, length uint64
				for i, record := range s.Records {
					position := binary.NativeEndian.Uint64(record[8:]) / 3
					if !truthful(record) || i > 0 && position != last+length {
						t.Fatalf("after %d records: record %d at %d is wrong, the one before it was at %d", written, i, position, last)
					}
					last, length = position, align(uint64(len(record)))
				}
				if s.Gaps != 0 || s.Torn != 0 || s.Written != written || written > 0 && last+length != s.Head {
					t.Fatalf("after %d records: %d gaps, %d torn, %d written, the last at %d of %d", written, s.Gaps, s.Torn,
						s.Written, last+length, s.Head)
				}
				if held := s.Head - min(s.Head, lapStart(s.Head, layout.total())); len(s.Records) == 0 && held > layout.Slack {
					t.Fatalf("after %d records: none found among %d bytes", written, held)
				}
				m.cpus[0].next()
				m.settleOne()
			}
		})
	}
}

// settleOne finishes the current record of the only writer.
func (m *model) settleOne() {
	for m.writers[0].Ring == 0 {
		m.cpus[0].next()
	}
	m.settle()
}

// TestNoTornRecord tests the promise of this package: in any interleaving and stop of writers, a record is returned
// only if it is as its writer wrote it.
func TestNoTornRecord(t *testing.T) {
	seeds := 400
	if testing.Short() {
		seeds = 10
	}
	var returned, torn, overtaken uint64
	for name, layout := range map[string]Layout{"ring": tiny, "segments": log} {
		for seed := range seeds {
			m := newModel(layout, 2+seed%6, uint64(seed))
			if layout.ID == abi.WriterExecLog {
				m.header.Generation = 0
			}
			r := m.reader()
			r.meddle = func() { m.run(m.random.IntN(200)) }
			for range 60 {
				m.run(m.random.IntN(500))
				s, err := r.Read(0, false)
				if err != nil {
					continue // a refusal is allowed
				}
				returned += uint64(len(s.Records))
				torn += s.Torn
				if s.Head > s.Base && len(s.Records) == 0 && s.Torn+s.Gaps == 0 {
					t.Fatalf("%s, seed %d: nothing is returned of a ring that was lapped while it was read, and no error", name, seed)
				}
				for i, record := range s.Records {
					if !truthful(record) {
						t.Fatalf("%s, seed %d: record %d of %d is torn: %x", name, seed, i, len(s.Records), record)
					}
				}
			}
			overtaken += m.header.TornCount
		}
	}
	t.Logf("%d records returned, %d left out, %d writers overtaken", returned, torn, overtaken)
	if returned == 0 || torn == 0 || overtaken == 0 {
		t.Errorf("the test tests nothing: %d records returned, %d left out, %d writers overtaken", returned, torn, overtaken)
	}
}

// TestFollow reads on from Next: every record is seen once, in order, even if it was being written when a read first
// reached it. If a lap is lost, the snapshot says so; a large enough ring loses nothing.
func TestFollow(t *testing.T) {
	seeds := 200
	if testing.Short() {
		seeds = 20
	}
	large := log
	large.Size, large.Stride = 1<<16, abi.SizeofRing+1<<16+128
	for name, layout := range map[string]Layout{"small": log, "large": large} {
		for seed := range seeds {
			most := never
			if seed%2 == 1 {
				most = layout.Slack + 8*uint64(seed)
			}
			m := newModel(layout, 3, uint64(seed))
			m.header.Generation = 0
			r := m.reader()
			r.meddle = func() { m.run(m.random.IntN(10)) }
			var next, expected uint64
			lost := false // a loss since the last record was reported
			read := func() {
				s, err := r.ReadSome(next, most, true)
				if err != nil {
					return // a writer sleeps before it has published its position
				}
				lost = lost || s.Lapped || s.Gaps+s.Torn > 0
				if lost && name == "large" {
					t.Fatalf("seed %d: lapped %v, %d gaps, %d torn, and the ring was never full", seed, s.Lapped, s.Gaps, s.Torn)
				}
				for _, record := range s.Records {
					position := binary.NativeEndian.Uint64(record[8:]) / 3
					if !truthful(record) || position < expected || position > expected && !lost {
						t.Fatalf("%s, seed %d: record at %d, expected %d", name, seed, position, expected)
					}
					expected = position + align(uint64(len(record)))
				}
				// The loss may be after the last record of this read.
				lost = lost && len(s.Records) == 0 || s.Gaps+s.Torn > 0
				next = s.Next
			}
			for range 400 {
				m.run(20)
				read()
			}
			r.meddle = func() {}
			m.settle()
			for before := never; next != before; {
				before = next
				read()
			}
			if next != m.header.Head || expected != m.header.Head && !lost {
				t.Errorf("%s, seed %d: read up to %d, the last record ends at %d, head is %d", name, seed, next, expected, m.header.Head)
			}
		}
	}
}

// TestReadSome reads a ring piece by piece, without writers: the pieces are small and together the same as one Read.
func TestReadSome(t *testing.T) {
	m := newModel(log, 1, 5)
	m.header.Generation = 0
	for range 200 {
		m.cpus[0].next()
		m.settleOne()
	}
	all, err := m.reader().Read(0, false)
	if err != nil {
		t.Fatal(err)
	}
	var want, got [][]byte
	for _, record := range all.Records {
		want = append(want, bytes.Clone(record))
	}
	r := m.reader()
	for next := uint64(0); next < m.header.Head; {
		s, err := r.ReadSome(next, log.Slack, false)
		if err != nil {
			t.Fatal(err)
		}
		if s.Next <= next {
			t.Fatalf("reading on from %d leads to %d", next, s.Next)
		}
		if uint64(len(r.buffer)) > 4*log.Slack {
			t.Fatalf("a buffer of %d bytes for pieces of %d", len(r.buffer), log.Slack)
		}
		for _, record := range s.Records {
			got = append(got, bytes.Clone(record))
		}
		next = s.Next
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestNewRecording checks that no record of a ring's last recording appears in the next one.
func TestNewRecording(t *testing.T) {
	m := newModel(tiny, 1, 7)
	r := m.reader()
	for range 10 {
		m.cpus[0].next()
		m.settleOne()
	}
	m.header.Generation++
	m.header.Base = m.header.Head
	m.header.Written = 0
	s, err := r.Read(0, false)
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Records) != 0 || s.Gaps != 0 || s.Lapped {
		t.Errorf("a new recording begins with %d records, %d gaps, lapped %v", len(s.Records), s.Gaps, s.Lapped)
	}
	m.cpus[0].next()
	m.settleOne()
	if s, err = r.Read(0, false); err != nil || len(s.Records) != 1 {
		t.Errorf("%d records after the first, error %v", len(s.Records), err)
	}
}

func TestNewRefuses(t *testing.T) {
	memory := newModel(tiny, 1, 0).memory()
	for name, test := range map[string]struct {
		memory []byte
		change func(*Layout)
		want   string
	}{
		"odd size":      {memory, func(l *Layout) { l.Size = 500 }, "not a power of two"},
		"no segments":   {memory, func(l *Layout) { l.Segments = 0 }, "not a power of two"},
		"stride":        {memory, func(l *Layout) { l.Stride = 600 }, "stride"},
		"short memory":  {memory[:600], func(*Layout) {}, "shorter"},
		"more segments": {memory, func(l *Layout) { l.Segments = 2 }, "shorter"},
	} {
		layout := tiny
		test.change(&layout)
		if _, err := New(test.memory, nil, layout); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v, expected one about %q", name, err, test.want)
		}
	}
}

// FuzzScrambled reads a ring of arbitrary bytes, including the header and writers.
func FuzzScrambled(f *testing.F) {
	m := newModel(tiny, 2, 3)
	m.run(2000)
	f.Add(m.memory(), uint64(0), false)
	f.Add([]byte{}, uint64(1<<63), true)
	f.Fuzz(func(t *testing.T, bytes []byte, from uint64, follow bool) {
		m := newModel(tiny, 2, 0)
		copy(m.memory(), bytes)
		if len(bytes) > len(m.memory()) {
			rest := bytes[len(m.memory()):]
			if len(rest) >= 16 {
				m.writers[0].Ring = uint32(rest[0])
				m.writers[0].Position = binary.NativeEndian.Uint64(rest[8:])
			}
		}
		r := m.reader()
		r.meddle = func() {}
		s, err := r.Read(from, follow)
		if err != nil {
			return
		}
		for _, record := range s.Records {
			if len(record) < abi.SizeofEntry || align(uint64(len(record))) > tiny.Slack {
				t.Fatalf("a record of %d bytes", len(record))
			}
		}
	})
}

// TestScrambled reads a valid ring in which random bytes were changed, many times.
func TestScrambled(t *testing.T) {
	rounds := 20_000
	if testing.Short() {
		rounds = 1000
	}
	random := rand.New(rand.NewPCG(uint64(os.Getpid()), 2))
	for range rounds {
		m := newModel(tiny, 2, random.Uint64())
		m.run(300)
		memory := m.memory()
		for range 1 + random.IntN(40) {
			memory[random.IntN(len(memory))] = byte(random.Uint32())
		}
		r := m.reader()
		r.meddle = func() {}
		if s, err := r.Read(0, false); err == nil {
			for _, record := range s.Records {
				if len(record) < abi.SizeofEntry || align(uint64(len(record))) > tiny.Slack {
					t.Fatalf("a record of %d bytes", len(record))
				}
			}
		}
	}
}
