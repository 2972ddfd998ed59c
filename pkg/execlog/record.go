// SPDX-License-Identifier: Apache-2.0

// Package execlog reads the log of every exec of every container: records in, events
// with the names of their containers out, as text or as JSON.
//
// It takes bytes and a ring and imports no eBPF, so that it is tested and fuzzed anywhere.
package execlog

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
)

// ErrRecord is what Decode's errors wrap: the bytes are not a record of an exec.
var ErrRecord = errors.New("not a record of an exec")

// Record is one exec, or one that failed, as it was recorded.
type Record struct {
	abi.Exec
	Path      []byte // as it was given to execve(2), hostile; part of the record
	Arguments []byte // each ended by a NUL, hostile; part of the record
}

// Decode reads a record: struct exec of bpf/contract.h and what stands behind it. It takes
// any bytes; an error wraps ErrRecord. The commit word is not looked at.
func Decode(record []byte) (Record, error) {
	var r Record
	if _, err := binary.Decode(record, binary.NativeEndian, &r.Exec); err != nil {
		return Record{}, fmt.Errorf("decoding %d bytes: %w", len(record), ErrRecord)
	}
	length := uint64(r.Entry.Words) * 8
	path, arguments := uint64(r.PathLength), uint64(r.ArgvLength)
	if length > uint64(len(record)) || abi.SizeofExec+path+arguments > length {
		return Record{}, fmt.Errorf("decoding an exec of %d bytes, %d of a path and %d of arguments: %w", length, path, arguments, ErrRecord)
	}
	rest := record[abi.SizeofExec:]
	r.Path, r.Arguments = rest[:path:path], rest[path:path+arguments:path+arguments]
	return r, nil
}

// Args are the arguments, one string each, the first one the program's name as the caller
// chose it. If ArgsTruncated, the last one may be cut, and others may be missing. If Fault, the
// unreadable ones are missing.
func (r *Record) Args() []string {
	args := []string{}
	rest := r.Arguments
	if r.Fault() && r.Result == 0 && len(bytes.Trim(rest, "\x00")) == 0 {
		return args // the kernel clears what it could not read
	}
	for len(rest) > 0 {
		arg, after, _ := bytes.Cut(rest, []byte{0})
		args = append(args, string(arg))
		rest = after
	}
	return args
}

// ArgsTruncated tells whether there were more arguments, or longer ones, than were kept.
func (r *Record) ArgsTruncated() bool { return r.Entry.Flags&abi.ExecTruncated != 0 }

// PathTruncated tells whether the path fills all the room that there is for one: it was cut, unless it fits exactly.
func (r *Record) PathTruncated() bool { return len(r.Path) >= abi.ExecPathLimit-1 }

// Fault tells whether some of path and arguments could not be read.
func (r *Record) Fault() bool { return r.Entry.Flags&abi.ExecFault != 0 }

// Interpreted tells whether the kernel runs an interpreter: the arguments begin with its path, as of a script.
func (r *Record) Interpreted() bool { return r.Entry.Flags&abi.ExecInterpreted != 0 }

// Runtime tells whether it was the container runtime's own, before the container's program.
func (r *Record) Runtime() bool { return r.Entry.Flags&abi.ExecRuntime != 0 }
