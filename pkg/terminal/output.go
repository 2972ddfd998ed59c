// SPDX-License-Identifier: Apache-2.0

package terminal

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Output is a writer that keeps its first error, so that a program can end with it even if some caller of Write ignored
// it. Is and Table.For look at the writer within.
type Output struct {
	io.Writer
	Err error // of the first Write that failed; wraps the writer's
}

// Write writes to the writer within.
func (o *Output) Write(text []byte) (int, error) {
	n, err := o.Writer.Write(text)
	if err != nil {
		err = fmt.Errorf("writing the output: %w", err)
		if o.Err == nil {
			o.Err = err
		}
	}
	return n, err
}

// AfterClose calls f in its own goroutine when the reader of a pipe or a terminal closes it, unless ctx is done before.
// It does nothing for other outputs, which never report that.
func (o *Output) AfterClose(ctx context.Context, f func()) {
	const interval = 200 * time.Millisecond
	file, ok := o.Writer.(*os.File)
	if !ok {
		return
	}
	const closed = unix.POLLERR | unix.POLLHUP
	poll := []unix.PollFd{{Fd: int32(file.Fd())}}
	go func() {
		for ctx.Err() == nil {
			n, err := unix.Poll(poll, 0)
			if err == nil && n > 0 && poll[0].Revents&closed != 0 {
				f()
				return
			}
			time.Sleep(interval)
		}
	}()
}
