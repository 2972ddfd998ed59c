// SPDX-License-Identifier: Apache-2.0

// Package regular reads files that somebody else may have put there: configuration, state, what engines keep.
//
// A FIFO, a device or a file without end at such a path must cost its reader an error, and neither its time nor its memory.
package regular

import (
	"errors"
	"fmt"
	"syscall"
)

// Limits for callers that know no better one, in bytes.
const (
	Text    = 16 << 20 // of a configuration, a container's state, a file of /proc
	Program = 1 << 30
)

// Read returns the contents of a regular file of at most limit bytes. Symbolic links are followed. Anything else is an error,
// and is never waited for. A file that is not there is an error that wraps fs.ErrNotExist.
func Read(path string, limit int) ([]byte, error) { return read(path, limit, 0) }

// ReadDirect is Read, but refuses a symbolic link at the path's last component (ELOOP).
func ReadDirect(path string, limit int) ([]byte, error) { return read(path, limit, syscall.O_NOFOLLOW) }

// read makes the system calls itself: package os would set up a poller first, which a container's start would pay for.
func read(path string, limit, flags int) ([]byte, error) {
	fd, err := open(path, syscall.O_RDONLY|syscall.O_CLOEXEC|syscall.O_NONBLOCK|syscall.O_NOCTTY|flags)
	if err != nil {
		return nil, fmt.Errorf("opening %q: %w", path, err)
	}
	defer syscall.Close(fd)
	var stat syscall.Stat_t
	if err := syscall.Fstat(fd, &stat); err != nil {
		return nil, fmt.Errorf("describing %q: %w", path, err)
	}
	if stat.Mode&syscall.S_IFMT != syscall.S_IFREG {
		return nil, fmt.Errorf("%q is no regular file", path)
	}
	if stat.Size > int64(limit) {
		return nil, fmt.Errorf("%q has %d bytes, more than %d", path, stat.Size, limit)
	}
	// A file of /proc has a size of 0.
	content := make([]byte, 0, max(int(stat.Size)+1, 8<<10))
	for {
		n, err := syscall.Read(fd, content[len(content):cap(content)])
		switch {
		case errors.Is(err, syscall.EINTR):
			continue
		case err != nil:
			return nil, fmt.Errorf("reading %q: %w", path, err)
		case n == 0:
			return content, nil
		}
		content = content[:len(content)+n]
		if len(content) > limit {
			return nil, fmt.Errorf("%q has more than %d bytes", path, limit)
		}
		if len(content) == cap(content) {
			content = append(content, 0)[:len(content)]
		}
	}
}

// open tries again when a signal interrupts it, as a file system over a network or FUSE lets it.
func open(path string, flags int) (int, error) {
	for {
		fd, err := syscall.Open(path, flags, 0)
		if !errors.Is(err, syscall.EINTR) {
			return fd, err
		}
	}
}
