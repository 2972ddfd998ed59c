// SPDX-License-Identifier: Apache-2.0

package answers

import (
	"time"
	"unicode/utf8"

	"github.com/runc-trace/runc-trace/pkg/syscalls"
)

// ioVersion is that of IOJSON: it grows if a field changes its meaning or goes.
const ioVersion = 1

// IOJSON is an IO in machine-readable form. Names are stable.
type IOJSON struct {
	Version int `json:"version"`
	AboutJSON
	Streams []StreamJSON   `json:"streams"`
	Chunks  []ChunkJSON    `json:"chunks"` // in the order of time
	Covers  []CoverageJSON `json:"covers"`
	Kept    KeptJSON       `json:"kept"`
}

// StreamJSON is one direction of a descriptor of a process.
type StreamJSON struct {
	ProcessJSON
	FD        int32                `json:"fd"`
	Direction string               `json:"direction"`      // read or write
	File      *syscalls.Descriptor `json:"file,omitempty"` // absent if it is not known
	Size      uint64               `json:"size"`           // bytes
	Lacks     uint64               `json:"lacks"`          // of these, bytes that were not recorded
}

// ChunkJSON is what one call moved.
type ChunkJSON struct {
	Stream  int         `json:"stream"` // index in streams
	Time    time.Time   `json:"time"`   // of the start of a write, and of the end of a read
	TID     uint32      `json:"tid"`
	Address string      `json:"address,omitempty"` // that the call named
	Offset  *int64      `json:"offset,omitempty"`  // in the file; absent: the descriptor's own
	Doubt   bool        `json:"doubt,omitempty"`   // calls between this one and the one before may be overwritten
	Pieces  []PieceJSON `json:"pieces"`
}

// PieceJSON is bytes as far as they were recorded.
type PieceJSON struct {
	Text   string `json:"text,omitempty"`   // if they are UTF-8
	Base64 []byte `json:"base64,omitempty"` // or else
	Lacks  uint64 `json:"lacks,omitempty"`  // how many bytes followed that were not recorded
}

// JSON returns what was read and written in machine-readable form.
func (o *IO) JSON() *IOJSON {
	p := o.past
	j := &IOJSON{Version: ioVersion, AboutJSON: p.about(&o.ending), Streams: []StreamJSON{}, Chunks: []ChunkJSON{},
		Covers: newCoverageJSON(o.Covers), Kept: p.keptJSON()}
	index := map[*Stream]int{}
	for i, s := range o.Streams {
		index[s] = i
		j.Streams = append(j.Streams, StreamJSON{newProcessJSON(s.Process), s.FD, s.direction(), s.Is, s.Size, s.Lacks})
	}
	for i := range o.Chunks {
		c := &o.Chunks[i]
		one := ChunkJSON{Stream: index[c.Stream], Time: p.at(c.At), TID: c.TID, Address: c.Address, Doubt: c.Doubt,
			Pieces: []PieceJSON{}}
		if c.Offset >= 0 {
			one.Offset = &c.Offset
		}
		for _, piece := range c.pieces {
			if utf8.Valid(piece.data) {
				one.Pieces = append(one.Pieces, PieceJSON{Text: string(piece.data), Lacks: piece.lacks})
			} else {
				one.Pieces = append(one.Pieces, PieceJSON{Base64: piece.data, Lacks: piece.lacks})
			}
		}
		j.Chunks = append(j.Chunks, one)
	}
	return j
}

func (s *Stream) direction() string {
	if s.Writes {
		return "write"
	}
	return "read"
}
