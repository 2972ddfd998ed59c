// SPDX-License-Identifier: Apache-2.0

package saved

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/klauspost/compress/zstd"

	"github.com/runc-trace/runc-trace/pkg/straceback"
)

// Describer reads what files say of their recordings: one after the other, because most of the work is to prepare it.
type Describer struct {
	zstd   *zstd.Decoder
	packed []byte
}

// NewDescriber returns a Describer, which has to be closed.
func NewDescriber() (*Describer, error) {
	decoder, err := newDecoder()
	return &Describer{zstd: decoder}, err
}

// Close gives back memory.
func (d *Describer) Close() { d.zstd.Close() }

// Describe returns a recording without its records, and their number. It reads only the beginning of the file, unless
// that is damaged. Errors about a file of which nothing can be read match ErrFormat.
func (d *Describer) Describe(from io.ReadSeeker) (r *straceback.Reading, records int, err error) {
	described := d.first(from)
	if described == nil {
		if _, err := from.Seek(0, io.SeekStart); err != nil {
			return nil, 0, fmt.Errorf("going to the beginning of a file: %w", err)
		}
		if described, err = anywhere(from); err != nil {
			return nil, 0, err
		}
	}
	if r, err = described.reading(); err != nil {
		return nil, 0, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	return r, max(0, described.Calls.Records), nil
}

// first returns the description with which a file begins, or nil if that is damaged.
func (d *Describer) first(from io.Reader) *description {
	var head [headerSize]byte
	if _, err := io.ReadFull(from, head[:]); err != nil {
		return nil
	}
	h, ok := parseHeader(head[:])
	if !ok || h.Version > Version || h.Kind != kindDescription {
		return nil
	}
	d.packed = append(d.packed[:0], make([]byte, h.Stored)...)
	if _, err := io.ReadFull(from, d.packed); err != nil || crc32.Checksum(d.packed, castagnoli) != h.Sum {
		return nil
	}
	payload, err := d.zstd.DecodeAll(d.packed, make([]byte, 0, h.Unpacked))
	if err != nil {
		return nil
	}
	described, err := parseDescription(payload)
	if err != nil {
		return nil
	}
	return described
}

// anywhere returns a description that is anywhere in a file.
func anywhere(from io.Reader) (*description, error) {
	c, err := newChunks(from)
	if err != nil {
		return nil, err
	}
	defer c.zstd.Close()
	for {
		h, payload, _, err := c.read()
		if errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("%w, or the description of its container is damaged", ErrFormat)
		}
		if err != nil {
			return nil, err
		}
		if h.Kind != kindDescription {
			continue
		}
		if described, err := parseDescription(payload); err == nil {
			return described, nil
		}
	}
}
