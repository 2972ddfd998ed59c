// SPDX-License-Identifier: Apache-2.0

package saved

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/klauspost/compress/zstd"
)

// marker begins each chunk. It is neither text nor the beginning of a frame of zstd.
const marker = "\x89rtrec\r\n"

// kind says what a chunk holds.
type kind uint16

// The kinds of chunks.
const (
	kindDescription kind = 1 // JSON; it is there twice, at the beginning and at the end
	kindOpen        kind = 2 // descriptors of the processes that ran
	kindInFlight    kind = 3 // records of calls that had not returned
	kindCalls       kind = 4 // records
	kindEnd         kind = 5 // nothing: the file is whole
)

// Sizes in bytes.
const (
	headerSize  = 40
	payloadFull = 256 << 10 // a chunk is written when its payload is that long
	payloadMax  = 1 << 20   // of a payload, compressed or not
	totalMax    = 512 << 20 // of all payloads that are read: all lanes, with their largest sizes, have 384 MiB
	fileMax     = 1 << 30   // of a file
)

// header begins a chunk. Numbers are in little-endian byte order.
type header struct {
	Marker   [8]byte
	Version  uint16
	Kind     kind
	Number   uint32 // of the chunk, from 0 on
	File     uint64 // random, the same in all chunks of a file
	Stored   uint32 // bytes of the compressed payload, which follows
	Unpacked uint32 // bytes of the payload
	Sum      uint32 // CRC-32C of the compressed payload
	Own      uint32 // CRC-32C of the header before this field
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// append appends the header with its checksum.
func (h *header) append(dst []byte) []byte {
	start := len(dst)
	dst, err := binary.Append(dst, binary.LittleEndian, h)
	if err != nil {
		panic(err) // the header has a fixed size
	}
	sum := crc32.Checksum(dst[start:len(dst)-4], castagnoli)
	binary.LittleEndian.PutUint32(dst[len(dst)-4:], sum)
	return dst
}

// parseHeader returns the header that begins some bytes, or false if none does.
func parseHeader(b []byte) (h header, ok bool) {
	if len(b) < headerSize || string(b[:len(marker)]) != marker {
		return h, false
	}
	if _, err := binary.Decode(b[:headerSize], binary.LittleEndian, &h); err != nil {
		return h, false
	}
	return h, h.Own == crc32.Checksum(b[:headerSize-4], castagnoli) && h.Stored <= payloadMax && h.Unpacked <= payloadMax
}

// chunks reads the intact chunks of a file.
type chunks struct {
	from    *bufio.Reader
	zstd    *zstd.Decoder
	payload []byte // of the last chunk

	file    uint64
	known   bool   // file is set
	next    uint32 // number of the next chunk
	damaged int    // chunks that are damaged or missing
}

func newDecoder() (*zstd.Decoder, error) {
	decoder, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(payloadMax),
		zstd.WithDecodeAllCapLimit(true))
	if err != nil {
		return nil, fmt.Errorf("preparing to decompress: %w", err)
	}
	return decoder, nil
}

func newChunks(r io.Reader) (*chunks, error) {
	decoder, err := newDecoder()
	if err != nil {
		return nil, err
	}
	from := bufio.NewReaderSize(io.LimitReader(r, fileMax), headerSize+payloadMax+headerSize)
	return &chunks{from: from, zstd: decoder, payload: make([]byte, 0, payloadMax)}, nil
}

// read returns the next chunk that is intact, and its payload, which lives until the next read. missed says that others
// were before it. The error is io.EOF at the end.
func (c *chunks) read() (h header, payload []byte, missed bool, err error) {
	for {
		h, ok, err := c.find()
		if err != nil {
			return h, nil, missed, err
		}
		if !ok {
			missed = true
			continue
		}
		missed = missed || h.Number > c.next
		c.damaged += int(min(h.Number-c.next, 1<<20))
		c.next = h.Number + 1
		if payload, err = c.unpack(&h); err != nil {
			c.damaged++
			missed = true
			continue
		}
		return h, payload, missed, nil
	}
}

// find goes to the next chunk that has a valid header, a number that is due, and all of its bytes. It returns false
// after some step on its way there.
func (c *chunks) find() (h header, ok bool, err error) {
	head, err := c.from.Peek(headerSize)
	if len(head) == 0 && err != nil {
		return h, false, err
	}
	h, ok = parseHeader(head)
	if !ok || c.known && h.File != c.file || h.Number < c.next {
		skip := 1
		if at := bytes.Index(head[1:], []byte(marker[:1])); at >= 0 {
			skip += at
		} else {
			skip = len(head)
		}
		_, err := c.from.Discard(skip)
		return h, false, err
	}
	if h.Version > Version {
		return h, false, fmt.Errorf("%w: it has version %d, and this program reads version %d: use a newer one",
			ErrFormat, h.Version, Version)
	}
	c.file, c.known = h.File, true
	return h, true, nil
}

var errDamaged = errors.New("damaged")

// unpack returns the payload of the chunk that begins here. If it is damaged, the search goes on behind its header,
// because bytes of it may be missing; but if another chunk follows at its end, that is next.
func (c *chunks) unpack(h *header) ([]byte, error) {
	whole, err := c.from.Peek(headerSize + int(h.Stored))
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	intact := err == nil && crc32.Checksum(whole[headerSize:], castagnoli) == h.Sum
	if !intact {
		skip := headerSize
		if err == nil && c.followed(h) {
			skip = len(whole)
		}
		_, _ = c.from.Discard(skip) // they were read before
		return nil, errDamaged
	}
	payload, err := c.zstd.DecodeAll(whole[headerSize:], c.payload[:0:h.Unpacked])
	_, _ = c.from.Discard(len(whole))
	if err != nil || len(payload) != int(h.Unpacked) {
		return nil, errDamaged
	}
	return payload, nil
}

// followed reports whether a chunk of the same file follows one.
func (c *chunks) followed(h *header) bool {
	at := headerSize + int(h.Stored)
	b, _ := c.from.Peek(at + headerSize)
	next, ok := parseHeader(b[min(at, len(b)):])
	return ok && next.File == h.File
}
