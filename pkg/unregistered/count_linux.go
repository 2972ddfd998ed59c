// SPDX-License-Identifier: Apache-2.0

package unregistered

import (
	"runtime/debug"
	"sync/atomic"
	"syscall"
	"unsafe"
)

// Count adds one to a reason's counter. It does nothing if memory is short, or if a user other than root could have
// made the directory or the file. It never waits.
func Count(r Reason) {
	// Access to a mapped file raises SIGBUS if the file was truncated or its file system is full.
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() { _ = recover() }()
	counters := open(dir())
	if counters == nil {
		return
	}
	atomic.AddUint64((*uint64)(unsafe.Pointer(&counters[r*8])), 1)
	_ = syscall.Munmap(counters)
}

// open maps the file, and creates it first if it is missing. It returns nil if that fails.
func open(dir string) []byte {
	_ = syscall.Mkdir(dir, 0o700)
	parent, err := syscall.Open(dir, syscall.O_RDONLY|syscall.O_DIRECTORY|syscall.O_NOFOLLOW|syscall.O_CLOEXEC, 0)
	if err != nil {
		return nil
	}
	defer syscall.Close(parent)
	if !isRoots(parent, syscall.S_IFDIR) {
		return nil
	}
	const flags = syscall.O_RDWR | syscall.O_CREAT | syscall.O_NOFOLLOW | syscall.O_NONBLOCK | syscall.O_CLOEXEC
	fd, err := syscall.Openat(parent, name, flags, 0o600)
	if err != nil {
		return nil
	}
	defer syscall.Close(fd)
	if !isRoots(fd, syscall.S_IFREG) {
		return nil
	}
	// Allocates memory for the file if it has none yet, and keeps its contents.
	if err := syscall.Fallocate(fd, 0, 0, fileSize); err != nil {
		return nil
	}
	counters, err := syscall.Mmap(fd, 0, fileSize, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	if err != nil {
		return nil
	}
	return counters
}

// isRoots reports whether a descriptor is of the given type and only root can write to the file.
func isRoots(fd int, kind uint32) bool {
	var stat syscall.Stat_t
	return syscall.Fstat(fd, &stat) == nil && stat.Mode&syscall.S_IFMT == kind && stat.Uid == 0 && stat.Mode&0o022 == 0
}
