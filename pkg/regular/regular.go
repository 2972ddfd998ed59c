// SPDX-License-Identifier: Apache-2.0

// Package regular reads files at paths that others control: configuration, state, files of engines.
//
// If such a path is a FIFO, a device or an endless file, the reader gets an error. It does not wait, and does not
// run out of memory.
package regular

import (
	"errors"
	"fmt"
	"io"
	"syscall"
)

// Limits for callers without one of their own, in bytes.
const (
	Text    = 16 << 20 // for a configuration, a container's state, a file of /proc
	Program = 1 << 30
)

// ErrIrregular is wrapped by errors about directories (with EISDIR), devices, FIFOs and sockets.
var ErrIrregular = errors.New("not a regular file")

// Read returns the contents of a regular file of at most limit bytes. It follows symbolic links. Any other kind of
// file is an error at once. If the file does not exist, the error wraps fs.ErrNotExist.
func Read(path string, limit int) ([]byte, error) { return read(path, limit, 0) }

// ReadDirect is Read, but refuses a symbolic link as the last component of the path (ELOOP).
func ReadDirect(path string, limit int) ([]byte, error) { return read(path, limit, syscall.O_NOFOLLOW) }

func read(path string, limit, flags int) ([]byte, error) {
	f, err := open(path, flags)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if f.Size > int64(limit) {
		return nil, fmt.Errorf("%q has %d bytes, more than %d", path, f.Size, limit)
	}
	content := make([]byte, 0, max(int(f.Size)+1, 8<<10))
	for {
		n, err := f.Read(content[len(content):cap(content)])
		switch {
		case errors.Is(err, io.EOF):
			return content, nil
		case err != nil:
			return nil, err
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

// File is a regular file open for reading. It makes the system calls itself: package os would set up a poller
// first, which would delay the start of containers.
type File struct {
	Size int64 // in bytes, when opened; 0 for files of /proc
	fd   int
	path string
}

// Open opens a file of any size, under the conditions of Read.
func Open(path string) (*File, error) { return open(path, 0) }

// OpenDirect is Open, but refuses a symbolic link as the last component of the path (ELOOP).
func OpenDirect(path string) (*File, error) { return open(path, syscall.O_NOFOLLOW) }

func open(path string, flags int) (*File, error) {
	flags |= syscall.O_RDONLY | syscall.O_CLOEXEC | syscall.O_NONBLOCK | syscall.O_NOCTTY
	fd, err := syscall.Open(path, flags, 0)
	// Signals can interrupt opening a file on FUSE or a network file system.
	for errors.Is(err, syscall.EINTR) {
		fd, err = syscall.Open(path, flags, 0)
	}
	if err != nil {
		return nil, fmt.Errorf("opening %q: %w", path, err)
	}
	f := &File{fd: fd, path: path}
	var stat syscall.Stat_t
	if err := syscall.Fstat(fd, &stat); err != nil {
		f.Close()
		return nil, fmt.Errorf("describing %q: %w", path, err)
	}
	switch stat.Mode & syscall.S_IFMT {
	case syscall.S_IFREG:
	case syscall.S_IFDIR:
		f.Close()
		return nil, fmt.Errorf("%q is %w: %w", path, ErrIrregular, syscall.EISDIR)
	default:
		f.Close()
		return nil, fmt.Errorf("%q is %w", path, ErrIrregular)
	}
	f.Size = stat.Size
	return f, nil
}

// Read implements io.Reader.
func (f *File) Read(into []byte) (int, error) {
	for {
		n, err := syscall.Read(f.fd, into)
		switch {
		case errors.Is(err, syscall.EINTR):
		case err != nil:
			return 0, fmt.Errorf("reading %q: %w", f.path, err)
		case n == 0 && len(into) > 0:
			return 0, io.EOF
		default:
			return n, nil
		}
	}
}

// Close closes the file.
func (f *File) Close() { _ = syscall.Close(f.fd) }
