// SPDX-License-Identifier: Apache-2.0

package execlog

import (
	"encoding/binary"
	"testing"
	"unsafe"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/ring"
)

// execRecord encodes a record as the kernel does, with a commit word of zero.
func execRecord(e abi.Exec, path, arguments string) []byte {
	e.PathLength, e.ArgvLength = uint32(len(path)), uint32(len(arguments))
	e.Entry.Length = uint16(abi.SizeofExec+len(path)+len(arguments)+7) &^ 7
	record, err := binary.Append(nil, binary.NativeEndian, &e)
	if err != nil {
		panic(err)
	}
	record = append(append(record, path...), arguments...)
	for len(record) < int(e.Entry.Length) {
		record = append(record, 0xa5)
	}
	return record
}

// name converts text to a field of a struct.
func name(text string) (field [16]byte) {
	copy(field[:], text)
	return field
}

// log is a log of execs with one segment, in the kernel's format.
type log struct {
	memory []byte
	header *abi.Ring
	layout ring.Layout
}

func newLog(size uint64) *log {
	const slack = 512
	layout := ring.Layout{
		Secret: 0x1234567890abcdef, Size: size, Slack: slack, Segments: 1, ID: abi.WriterExecLog,
		Stride: abi.SizeofRing + size + slack, Data: abi.SizeofRing,
	}
	words := make([]uint64, layout.Stride/8)
	memory := unsafe.Slice((*byte)(unsafe.Pointer(&words[0])), len(words)*8)
	return &log{memory: memory, header: (*abi.Ring)(unsafe.Pointer(&words[0])), layout: layout}
}

// write appends an exec with the next sequence number.
func (l *log) write(e abi.Exec) {
	e.Sequence = l.header.Written
	l.writeNumbered(e)
}

func (l *log) writeNumbered(e abi.Exec) {
	record := execRecord(e, "/bin/true", "true\x00")
	position := l.header.Head
	binary.NativeEndian.PutUint64(record, position^l.layout.Secret)
	copy(l.memory[abi.SizeofRing+position%l.layout.Size:], record)
	l.header.Head += uint64(len(record))
	l.header.Written++
}

func (l *log) ring(t *testing.T) []*ring.Ring {
	t.Helper()
	r, err := ring.New(l.memory, make([]abi.Writer, 1), l.layout)
	if err != nil {
		t.Fatal(err)
	}
	return []*ring.Ring{r}
}
