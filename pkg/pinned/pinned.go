// SPDX-License-Identifier: Apache-2.0

// Package pinned uses pinned eBPF objects: it reads and writes elements of a map and runs a program, with bpf(2)
// and nothing else.
//
// It exists for the shim alone. Everything else in this project uses github.com/cilium/ebpf; with its imports and
// initialization, every start, state and exec of every container of the node would take longer.
package pinned

import (
	"errors"
	"fmt"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ErrShape is wrapped by the errors for a pinned object that is not what the caller expects: nothing was read from
// it or written to it.
var ErrShape = errors.New("unexpected shape")

// bpf(2) takes pointers as 64-bit numbers. The structs below hold them as pointers, so that the garbage collector
// knows them. That requires 64-bit pointers.
const _ = uint(unsafe.Sizeof(unsafe.Pointer(nil)) - 8)

// Shape is the expected type (unix.BPF_MAP_TYPE_*) of a map, and the sizes of its keys and values in bytes.
type Shape struct {
	Type      uint32
	KeySize   uint32
	ValueSize uint32
}

// Map is an open map with a verified shape.
type Map struct {
	fd    int
	shape Shape
}

// OpenMap opens the map pinned at path. It guarantees the map's shape: if the map has another one, or path is not a
// map, the error wraps ErrShape. Other errors are those of BPF_OBJ_GET in bpf(2). The descriptor is closed at exec.
func OpenMap(path string, shape Shape) (Map, error) {
	fd, err := open(path)
	if err != nil {
		return Map{}, fmt.Errorf("opening map %q: %w", path, err)
	}
	m := Map{fd: fd, shape: shape}
	info, err := describe(fd)
	if err != nil {
		m.Close()
		return Map{}, fmt.Errorf("describing map %q: %w", path, err)
	}
	if found := (Shape{info.kind, info.keySize, info.valueSize}); found != shape {
		m.Close()
		return Map{}, fmt.Errorf("%w of map %q: is %+v, want %+v", ErrShape, path, found, shape)
	}
	return m, nil
}

// Close closes the map.
func (m Map) Close() { _ = unix.Close(m.fd) }

// Lookup copies the value of key into value. Both must have exactly the sizes of the map's shape. The error is
// unix.ENOENT if the key does not exist.
func (m Map) Lookup(key, value []byte) error {
	return m.element(unix.BPF_MAP_LOOKUP_ELEM, key, value)
}

// Update sets the value of key, whether or not the key exists. Both must have exactly the sizes of the map's shape.
func (m Map) Update(key, value []byte) error {
	return m.element(unix.BPF_MAP_UPDATE_ELEM, key, value)
}

// Next copies the key that follows key, in the map's own order, into next: the first key if key does not exist. Both
// must have exactly the size of the map's keys. The error is unix.ENOENT if there is none.
func (m Map) Next(key, next []byte) error {
	m.shape.ValueSize = m.shape.KeySize
	return m.element(unix.BPF_MAP_GET_NEXT_KEY, key, next)
}

// Delete deletes key, which must have exactly the size of the map's keys. The error is unix.ENOENT if it does not
// exist.
func (m Map) Delete(key []byte) error {
	m.shape.ValueSize = 0
	return m.element(unix.BPF_MAP_DELETE_ELEM, key, nil)
}

// element makes one call on one element. The kernel reads or writes the map's sizes, regardless of the slices, so
// their lengths are checked first.
func (m Map) element(command uintptr, key, value []byte) error {
	if len(key) == 0 || len(key) != int(m.shape.KeySize) || len(value) != int(m.shape.ValueSize) {
		return fmt.Errorf("%w: key of %d and value of %d bytes for a map of %+v", ErrShape, len(key), len(value), m.shape)
	}
	attr := struct {
		fd    uint32
		_     uint32
		key   unsafe.Pointer
		value unsafe.Pointer
		flags uint64
	}{fd: uint32(m.fd), key: unsafe.Pointer(&key[0]), value: unsafe.Pointer(unsafe.SliceData(value))}
	_, err := bpf(command, unsafe.Pointer(&attr), unsafe.Sizeof(attr))
	runtime.KeepAlive(key)
	runtime.KeepAlive(value)
	return err
}

// Program is an open program of type BPF_PROG_TYPE_RAW_TRACEPOINT.
type Program struct{ fd int }

// OpenProgram opens the program pinned at path. If it is not one of type
// BPF_PROG_TYPE_RAW_TRACEPOINT, the error wraps ErrShape. The descriptor is closed at exec.
func OpenProgram(path string) (Program, error) {
	fd, err := open(path)
	if err != nil {
		return Program{}, fmt.Errorf("opening program %q: %w", path, err)
	}
	p := Program{fd: fd}
	info, err := describe(fd)
	if err != nil {
		p.Close()
		return Program{}, fmt.Errorf("describing program %q: %w", path, err)
	}
	if info.kind != unix.BPF_PROG_TYPE_RAW_TRACEPOINT {
		p.Close()
		return Program{}, fmt.Errorf("%w of program %q: type %d, want %d", ErrShape, path, info.kind,
			unix.BPF_PROG_TYPE_RAW_TRACEPOINT)
	}
	return p, nil
}

func (p Program) Close() { _ = unix.Close(p.fd) }

// Run runs the program once. The address of request is the one argument of the program's tracepoint
// (bpf_prog_test_run_raw_tp in the kernel's net/bpf/test_run.c), and the program reads request from this process's
// memory. Run returns the program's return value.
func (p Program) Run(request []byte) (uint32, error) {
	if len(request) == 0 {
		return 0, fmt.Errorf("%w: empty request", ErrShape)
	}
	context := [1]unsafe.Pointer{unsafe.Pointer(&request[0])}
	attr := struct {
		fd, result                uint32
		dataSizeIn, dataSizeOut   uint32
		dataIn, dataOut           unsafe.Pointer
		repeat, duration          uint32
		contextSize, contextSize2 uint32
		context, context2         unsafe.Pointer
		flags, cpu, batch, _      uint32
	}{fd: uint32(p.fd), contextSize: uint32(unsafe.Sizeof(context)), context: unsafe.Pointer(&context)}
	_, err := bpf(unix.BPF_PROG_TEST_RUN, unsafe.Pointer(&attr), unsafe.Sizeof(attr))
	runtime.KeepAlive(request)
	return attr.result, err
}

// open returns a descriptor of a pinned object. The kernel makes it close-on-exec.
func open(path string) (int, error) {
	name, err := unix.BytePtrFromString(path)
	if err != nil {
		return -1, err
	}
	attr := struct {
		path      unsafe.Pointer
		fd, flags uint32
	}{path: unsafe.Pointer(name)}
	fd, err := bpf(unix.BPF_OBJ_GET, unsafe.Pointer(&attr), unsafe.Sizeof(attr))
	runtime.KeepAlive(name)
	return fd, err
}

// info is the beginning of struct bpf_map_info. struct bpf_prog_info and struct bpf_link_info begin with their
// type, too. An object of another kind is therefore recognized by its type, or else by the call made on it: the
// kernel refuses a program's descriptor in place of a map's.
type info struct {
	kind, id           uint32
	keySize, valueSize uint32
	maxEntries, flags  uint32
}

func describe(fd int) (info, error) {
	var found info
	attr := struct {
		fd, length uint32
		info       unsafe.Pointer
	}{fd: uint32(fd), length: uint32(unsafe.Sizeof(found)), info: unsafe.Pointer(&found)}
	_, err := bpf(unix.BPF_OBJ_GET_INFO_BY_FD, unsafe.Pointer(&attr), unsafe.Sizeof(attr))
	return found, err
}

func bpf(command uintptr, attr unsafe.Pointer, size uintptr) (int, error) {
	result, _, errno := unix.Syscall(unix.SYS_BPF, command, uintptr(attr), size)
	if errno != 0 {
		return -1, errno
	}
	return int(result), nil
}
