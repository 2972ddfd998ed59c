// SPDX-License-Identifier: Apache-2.0

// Package execlog reads the log of the execs of all containers. It decodes records, adds the names of their
// containers, and prints them as text or JSON.
//
// Its input is bytes and a ring. It does not import eBPF, so tests and fuzzing run anywhere.
package execlog

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
)

// ErrRecord is wrapped by the errors of Decode: the bytes are not a record of an exec.
var ErrRecord = errors.New("not a record of an exec")

// Record is the record of one exec, successful or failed.
type Record struct {
	abi.Exec
	Path      []byte // as passed to execve(2), hostile; points into the record
	Arguments []byte // each ends with a NUL, hostile; points into the record
}

// Decode reads a record: struct exec of bpf/contract/records.h, and the path and arguments after it. It accepts any
// bytes; its errors wrap ErrRecord. It ignores the commit word.
func Decode(record []byte) (Record, error) {
	var r Record
	if _, err := binary.Decode(record, binary.NativeEndian, &r.Exec); err != nil {
		return Record{}, fmt.Errorf("decoding %d bytes: %w", len(record), ErrRecord)
	}
	length := uint64(r.Entry.Length)
	path, arguments := uint64(r.PathLength), uint64(r.ArgvLength)
	if length > uint64(len(record)) || abi.SizeofExec+path+arguments > length {
		return Record{}, fmt.Errorf("decoding an exec of %d bytes, %d of a path and %d of arguments: %w", length,
			path, arguments, ErrRecord)
	}
	rest := record[abi.SizeofExec:]
	r.Path, r.Arguments = rest[:path:path], rest[path:path+arguments:path+arguments]
	return r, nil
}

// Args returns the arguments. The first one is the program's name as the caller chose it. If ArgsTruncated, the
// last one may be cut, and others may be missing. If Fault, arguments that could not be read are missing.
func (r *Record) Args() []string {
	args := []string{}
	rest := r.Arguments
	if r.Fault() && r.Result == 0 && len(bytes.Trim(rest, "\x00")) == 0 {
		return args // the kernel zeroes arguments that it could not read
	}
	for len(rest) > 0 {
		arg, after, _ := bytes.Cut(rest, []byte{0})
		args = append(args, string(arg))
		rest = after
	}
	return args
}

// ArgsTruncated reports whether arguments were cut or left out.
func (r *Record) ArgsTruncated() bool { return r.Entry.Flags&abi.ExecTruncated != 0 }

// PathTruncated reports whether the path fills its field: it was cut, unless it fits exactly.
func (r *Record) PathTruncated() bool { return len(r.Path) >= abi.ExecPathLimit-1 }

// Fault reports whether parts of the path or the arguments could not be read.
func (r *Record) Fault() bool { return r.Entry.Flags&abi.ExecFault != 0 }

// Interpreted reports whether the kernel started an interpreter, as for a script: the arguments begin with its
// path.
func (r *Record) Interpreted() bool { return r.Entry.Flags&abi.ExecInterpreted != 0 }

// Runtime reports whether the container runtime called execve, before it started the container's program.
func (r *Record) Runtime() bool { return r.Entry.Flags&abi.ExecRuntime != 0 }
