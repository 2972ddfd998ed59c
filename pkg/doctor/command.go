// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"syscall"
	"time"
)

// Command runs a program and returns its output. It returns soon after ctx ends, even if the program or its children
// go on. The error contains the program's standard error, if that is short.
func Command(ctx context.Context, program string, args ...string) ([]byte, error) {
	var stdout, stderr bounded
	c := exec.CommandContext(ctx, program, args...)
	c.Stdout, c.Stderr = &stdout, &stderr
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c.Cancel = func() error { return syscall.Kill(-c.Process.Pid, syscall.SIGKILL) }
	c.WaitDelay = time.Second
	err := c.Run()
	switch {
	case ctx.Err() != nil:
		err = fmt.Errorf("running %s: timed out: %w", program, ctx.Err())
	case errors.Is(err, exec.ErrWaitDelay):
		err = nil // a child of the program still has its output open
	case err != nil:
		err = fmt.Errorf("running %s: %w", program, err)
		if text := firstLine(stderr.kept.String()); text != "" {
			err = fmt.Errorf("%w: %s", err, text)
		}
	}
	return stdout.kept.Bytes(), err
}

// bounded keeps the first MiB written to it.
type bounded struct{ kept bytes.Buffer }

func (b *bounded) Write(p []byte) (int, error) {
	b.kept.Write(p[:min(1<<20-b.kept.Len(), len(p))])
	return len(p), nil
}
