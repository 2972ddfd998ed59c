// SPDX-License-Identifier: Apache-2.0

package saved

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"io"
	"maps"
	"slices"

	"github.com/klauspost/compress/zstd"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/straceback"
	"github.com/runc-trace/runc-trace/pkg/syscalls"
)

// Write writes a recording. Its Container must be known.
func Write(to io.Writer, r *straceback.Reading, o Origin) error {
	w, err := newWriter(to)
	if err != nil {
		return err
	}
	open := descriptors(r.Live)
	description, err := json.Marshal(describe(r, o, len(open)))
	if err != nil {
		return fmt.Errorf("describing the recording: %w", err)
	}
	w.chunk(kindDescription, description)
	writeAll(w, kindOpen, open, appendDescriptor)
	writeAll(w, kindInFlight, r.InFlight, appendRecord)
	writeAll(w, kindCalls, r.Calls.Records, appendRecord)
	w.chunk(kindDescription, description)
	w.chunk(kindEnd, nil)
	return w.err
}

// writer writes chunks. After the first error, it does nothing.
type writer struct {
	to     io.Writer
	zstd   *zstd.Encoder
	next   header // of the next chunk
	buffer []byte
	err    error
}

func newWriter(to io.Writer) (*writer, error) {
	encoder, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		return nil, fmt.Errorf("preparing to compress: %w", err)
	}
	w := &writer{to: to, zstd: encoder, next: header{Marker: [8]byte([]byte(marker)), Version: Version}}
	var file [8]byte
	_, _ = rand.Read(file[:]) // never fails
	w.next.File = binary.LittleEndian.Uint64(file[:])
	return w, nil
}

// chunk writes a chunk.
func (w *writer) chunk(k kind, payload []byte) {
	if w.err != nil {
		return
	}
	if len(payload) > payloadMax {
		w.err = fmt.Errorf("a part of the recording has %d bytes, more than %d", len(payload), payloadMax)
		return
	}
	packed := w.zstd.EncodeAll(payload, nil)
	w.next.Kind, w.next.Stored, w.next.Unpacked = k, uint32(len(packed)), uint32(len(payload))
	w.next.Sum = crc32.Checksum(packed, castagnoli)
	w.buffer = append(w.next.append(w.buffer[:0]), packed...)
	_, w.err = w.to.Write(w.buffer)
	w.next.Number++
}

// writeAll writes elements as chunks of about payloadFull bytes.
func writeAll[T any](w *writer, k kind, elements []T, appendTo func([]byte, *T) []byte) {
	var payload []byte
	for i := range elements {
		if payload = appendTo(payload, &elements[i]); len(payload) >= payloadFull {
			w.chunk(k, payload)
			payload = payload[:0]
		}
	}
	if len(payload) > 0 {
		w.chunk(k, payload)
	}
}

// appendRecord appends a record.
func appendRecord(dst []byte, r *straceback.Record) []byte {
	dst = append(dst, byte(r.Lane))
	dst = binary.AppendUvarint(dst, r.Count)
	dst = binary.AppendUvarint(dst, r.Last)
	var bare []byte
	if len(r.Bytes) >= abi.SizeofCall {
		bare = syscalls.AppendBare(make([]byte, 0, abi.RecordLimit), r.Bytes)
	}
	return append(binary.AppendUvarint(dst, uint64(len(bare))), bare...)
}

// descriptor is a descriptor of a process that ran.
type descriptor struct {
	process uint32
	number  int32
	is      straceback.Live
}

// descriptors returns those of all processes, by process and number: openMax at most.
func descriptors(live straceback.Snapshot) []descriptor {
	var all []descriptor
	for _, process := range slices.Sorted(maps.Keys(live.Processes)) {
		open := live.Processes[process]
		for _, number := range slices.Sorted(maps.Keys(open)) {
			if len(all) == openMax {
				return all
			}
			all = append(all, descriptor{process, number, open[number]})
		}
	}
	return all
}

func appendDescriptor(dst []byte, d *descriptor) []byte {
	var flags byte
	for bit, set := range []bool{d.is.Cloexec, d.is.Truncated, d.is.Deleted} {
		if set {
			flags |= 1 << bit
		}
	}
	dst = binary.AppendUvarint(dst, uint64(d.process))
	dst = binary.AppendVarint(dst, int64(d.number))
	dst = append(dst, flags)
	dst = binary.AppendUvarint(dst, d.is.Inode)
	for _, text := range []string{d.is.Path, d.is.Type, d.is.Local, d.is.Peer} {
		dst = append(binary.AppendUvarint(dst, uint64(len(text))), text...)
	}
	return dst
}
