// SPDX-License-Identifier: Apache-2.0

package shim

import (
	"errors"
	"fmt"
	"syscall"
)

// readFile reads a regular file of at most limit bytes, without ever waiting for one
// that is a pipe or a device. It makes the system calls itself: package os would set up
// a poller for them first.
func readFile(path string, limit int) ([]byte, error) {
	fd, err := syscall.Open(path, syscall.O_RDONLY|syscall.O_CLOEXEC|syscall.O_NONBLOCK|syscall.O_NOCTTY, 0)
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
