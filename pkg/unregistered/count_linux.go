// SPDX-License-Identifier: Apache-2.0

package unregistered

import (
	"runtime/debug"
	"sync/atomic"
	"syscall"
	"unsafe"
)

// Count adds one to a reason's counter. It does nothing if it cannot: for want of memory, or if anybody else than root
// could have put the directory or the file there. It never waits.
func Count(r Reason) {
	// A file that loses its memory while it is mapped, since it is truncated or its file system full, is a SIGBUS.
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() { _ = recover() }()
	counters := open(dir())
	if counters == nil {
		return
	}
	atomic.AddUint64((*uint64)(unsafe.Pointer(&counters[r*8])), 1)
	_ = syscall.Munmap(counters)
}

// open maps the file, and makes it first if it is missing. It gives nil if that cannot be.
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
	// Takes the memory, if the file has none yet, and leaves what is there.
	if err := syscall.Fallocate(fd, 0, 0, fileSize); err != nil {
		return nil
	}
	counters, err := syscall.Mmap(fd, 0, fileSize, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	if err != nil {
		return nil
	}
	return counters
}

// isRoots says whether a descriptor is of a type, and only root can write what it is open for.
func isRoots(fd int, kind uint32) bool {
	var stat syscall.Stat_t
	return syscall.Fstat(fd, &stat) == nil && stat.Mode&syscall.S_IFMT == kind && stat.Uid == 0 && stat.Mode&0o022 == 0
}
