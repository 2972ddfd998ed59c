// SPDX-License-Identifier: Apache-2.0

package saved

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/straceback"
	"github.com/runc-trace/runc-trace/pkg/syscalls"
)

// Limits of what Read keeps, whatever the file says.
const (
	recordMax = 1 << 16  // bytes of a record
	openMax   = 1 << 20  // descriptors; Write has the same limit
	textMax   = 64 << 10 // bytes of a path, a type or an address
)

// Read reads a recording, or what is left of it. If calls are lost, they count as missing, and Complete says since when
// all are there; what the processes had open is left out then, because later calls may have changed it. Errors about a
// file of which nothing can be read match ErrFormat.
func Read(from io.Reader) (*straceback.Reading, Damage, error) {
	c, err := newChunks(from)
	if err != nil {
		return nil, Damage{}, err
	}
	defer c.zstd.Close()
	f := &file{open: map[uint32]map[int32]straceback.Live{}}
	for {
		h, payload, missed, err := c.read()
		f.broken = f.broken || missed
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, Damage{}, err
		}
		if err := f.take(h.Kind, payload); err != nil {
			return nil, Damage{}, err
		}
	}
	return f.reading(c.damaged)
}

// file is what was read of a file.
type file struct {
	description *description
	calls       []straceback.Record
	inFlight    []straceback.Record
	open        map[uint32]map[int32]straceback.Live
	opened      int
	unreadable  int
	whole       bool // its end is there
	broken      bool // something before the next chunk is missing
	gap         int  // number of calls before the last place where others may be missing
	total       int  // bytes of payloads
}

// take takes over the payload of a chunk.
func (f *file) take(k kind, payload []byte) error {
	if f.total += len(payload); f.total > totalMax {
		return fmt.Errorf("%w: it has more than %d bytes", ErrFormat, totalMax)
	}
	switch k {
	case kindDescription:
		if d, err := parseDescription(payload); err == nil {
			f.description = d
		}
	case kindOpen:
		f.takeOpen(payload)
	case kindInFlight:
		f.inFlight = f.records(f.inFlight, payload)
	case kindCalls:
		if f.broken {
			f.gap = len(f.calls)
		}
		f.calls = f.records(f.calls, payload)
		f.broken = false
	case kindEnd:
		f.whole = true
	}
	return nil
}

// reading returns the recording.
func (f *file) reading(damaged int) (*straceback.Reading, Damage, error) {
	d := f.description
	if d == nil {
		return nil, Damage{}, fmt.Errorf("%w, or the description of its container is damaged", ErrFormat)
	}
	r, err := d.reading()
	if err != nil {
		return nil, Damage{}, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	lost := max(0, d.Calls.Records-len(f.calls))
	damage := Damage{Chunks: damaged, Cut: !f.whole, Calls: max(0, lost-f.unreadable), Unreadable: f.unreadable,
		InFlight: max(0, d.InFlight-len(f.inFlight)), Descriptors: max(0, d.Open-f.opened)}
	r.Calls.Records, r.InFlight = f.calls, f.inFlight
	if lost == 0 {
		r.Live.Processes = f.open
		return r, damage, nil
	}
	if f.broken || !f.whole {
		f.gap = len(f.calls)
	}
	r.Calls.Missing += uint64(lost)
	recent := &r.Calls.Lanes[straceback.Recent]
	if recent.Since = d.Now; f.gap < len(f.calls) {
		_, recent.Since = syscalls.Span(f.calls[f.gap].Bytes)
	}
	return r, damage, nil
}

// records appends the records of a payload.
func (f *file) records(dst []straceback.Record, payload []byte) []straceback.Record {
	p := parser{rest: append([]byte(nil), payload...)}
	for len(p.rest) > 0 {
		r := straceback.Record{Lane: straceback.Lane(p.byte()), Count: p.uvarint(), Last: p.uvarint()}
		r.Bytes = p.bytes(recordMax)
		if p.failed || r.Lane >= abi.Lanes || len(r.Bytes) < abi.SizeofCall {
			f.unreadable++
			continue
		}
		dst = append(dst, r)
	}
	return dst
}

// takeOpen takes over the descriptors of a payload.
func (f *file) takeOpen(payload []byte) {
	p := parser{rest: payload}
	for len(p.rest) > 0 && f.opened < openMax {
		process, number, flags := p.uvarint(), p.varint(), p.byte()
		is := straceback.Live{Cloexec: flags&1 != 0, Descriptor: syscalls.Descriptor{
			Truncated: flags&2 != 0, Deleted: flags&4 != 0, Inode: p.uvarint(),
			Path: p.text(), Type: p.text(), Local: p.text(), Peer: p.text(),
		}}
		if p.failed || process > math.MaxUint32 || int64(int32(number)) != number {
			return
		}
		of := f.open[uint32(process)]
		if of == nil {
			of = map[int32]straceback.Live{}
			f.open[uint32(process)] = of
		}
		of[int32(number)] = is
		f.opened++
	}
}

// parser reads values from bytes. After one that is not there, it fails, and has no more bytes.
type parser struct {
	rest   []byte
	failed bool
}

func (p *parser) byte() byte {
	b := p.take(1)
	if p.failed {
		return 0
	}
	return b[0]
}

func (p *parser) uvarint() uint64 {
	v, n := binary.Uvarint(p.rest)
	p.skip(n)
	return v
}

func (p *parser) varint() int64 {
	v, n := binary.Varint(p.rest)
	p.skip(n)
	return v
}

// bytes returns bytes that follow their number.
func (p *parser) bytes(most uint64) []byte {
	n := p.uvarint()
	if n > most {
		n = math.MaxInt32
	}
	return p.take(int(n))
}

// skip takes the n bytes of a number. If n is not positive, there is none.
func (p *parser) skip(n int) {
	if n <= 0 {
		n = -1
	}
	p.take(n)
}

func (p *parser) text() string { return string(p.bytes(textMax)) }

// take returns the next n bytes.
func (p *parser) take(n int) []byte {
	if n < 0 || n > len(p.rest) || p.failed {
		p.failed, p.rest = true, nil
		return nil
	}
	taken := p.rest[:n:n]
	p.rest = p.rest[n:]
	return taken
}
