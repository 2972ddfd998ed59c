// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// capture is how many bytes of a string or a buffer both strace and the recorder show.
const capture = "1024"

// lab is where programs run: the programs of the recorder below a pin directory of its own, and a read-only view of
// the host's file system, on which all containers run.
type lab struct {
	tracectl, shim string
	dir            string // bundles, state and logs
	rootfs         string
	environment    []string
}

// open loads the recorder's programs. bin has runc-trace and tracectl. The lab has to be closed also after an error.
func (l *lab) open(bin string) (err error) {
	if bin, err = filepath.Abs(bin); err != nil {
		return err
	}
	l.tracectl, l.shim = filepath.Join(bin, "tracectl"), filepath.Join(bin, "runc-trace")
	if l.dir, err = os.MkdirTemp("", "oracle-"); err != nil {
		return err
	}
	if err := os.Chmod(l.dir, 0o755); err != nil {
		return err
	}
	l.environment = append(os.Environ(), "RUNC_TRACE_PIN_DIR=/sys/fs/bpf/"+filepath.Base(l.dir))
	if err := l.mount(); err != nil {
		return err
	}
	// Each program is read before the next one starts.
	_, err = l.control(context.Background(), "load", "--no-adopt", "--recordings=2", "--identities=64",
		"--ring-size=64MiB", "--recent-size=64MiB", "--capture-size="+capture)
	return err
}

// mount makes a view of the host's file system that is not below the directory that is removed in the end.
func (l *lab) mount() error {
	rootfs, err := os.MkdirTemp("", "oracle-rootfs-")
	if err != nil {
		return err
	}
	l.rootfs = rootfs
	if err := unix.Mount("/", rootfs, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("mounting the root at %s: %w", rootfs, err)
	}
	return unix.Mount("", rootfs, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, "")
}

// close removes all that open has made.
func (l *lab) close() error {
	var errs []error
	if l.environment != nil {
		_, err := l.control(context.Background(), "unload")
		errs = append(errs, err)
	}
	if l.rootfs != "" {
		if err := unix.Unmount(l.rootfs, unix.MNT_DETACH); err != nil && !errors.Is(err, unix.EINVAL) {
			errs = append(errs, fmt.Errorf("unmounting %s: %w", l.rootfs, err))
		} else {
			errs = append(errs, os.Remove(l.rootfs))
		}
	}
	if l.dir != "" {
		errs = append(errs, os.RemoveAll(l.dir))
	}
	return errors.Join(errs...)
}

// control runs tracectl, and returns what it prints.
func (l *lab) control(ctx context.Context, args ...string) ([]byte, error) {
	return l.output(exec.CommandContext(ctx, l.tracectl, args...))
}

// runtime returns a command of the shim.
func (l *lab) runtime(ctx context.Context, args ...string) *exec.Cmd {
	return exec.CommandContext(ctx, l.shim, append([]string{"--root", filepath.Join(l.dir, "state")}, args...)...)
}

// output returns what a command prints.
func (l *lab) output(c *exec.Cmd) ([]byte, error) {
	c.Env = l.environment
	text, err := c.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			return text, fmt.Errorf("%v: %w: %s", c.Args, err, exit.Stderr)
		}
		return text, fmt.Errorf("%v: %w", c.Args, err)
	}
	return text, nil
}
