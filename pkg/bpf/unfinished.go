// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
)

// UnfinishedCall is a call that had not returned when it was read.
type UnfinishedCall struct {
	abi.PendingCall
	// Record is a struct call and the data that follows a record's header, without commit word and length.
	Record []byte
}

// UnfinishedCalls returns the calls of recorded tasks that have not returned for more than a millisecond.
func (i *Instance) UnfinishedCalls() ([]UnfinishedCall, error) {
	f, err := os.Open(filepath.Join(i.Dir, abi.PinUnfinishedCalls))
	if err != nil {
		return nil, fmt.Errorf("opening the calls in flight: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(f)
	if err != nil {
		return nil, fmt.Errorf("reading the calls in flight: %w", err)
	}
	return parseUnfinished(data)
}

func parseUnfinished(data []byte) ([]UnfinishedCall, error) {
	const head = abi.SizeofPendingCall - abi.SizeofCall
	var calls []UnfinishedCall
	for len(data) > 0 {
		var c UnfinishedCall
		if _, err := binary.Decode(data, binary.NativeEndian, &c.PendingCall); err != nil {
			return nil, fmt.Errorf("calls in flight end in the middle of one: %w", err)
		}
		end := uint64(abi.SizeofPendingCall) + uint64(c.BodyLength)
		if uint64(len(data)) < end+8 {
			return nil, fmt.Errorf("calls in flight end in the middle of one: %d bytes of %d", len(data), end+8)
		}
		c.Record = data[head:end:end]
		if binary.NativeEndian.Uint64(data[end:]) == c.Call.Entry.Time {
			calls = append(calls, c)
		}
		data = data[end+8:]
	}
	return calls, nil
}
