// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/runc-trace/runc-trace/pkg/bpf"
	"github.com/runc-trace/runc-trace/pkg/labels"
)

// open opens what is loaded. Its identities are those of the directory.
func (s *settings) open() (*bpf.Instance, *labels.Directory, error) {
	dir, err := s.directory()
	if err != nil {
		return nil, nil, err
	}
	i, err := bpf.Open(dir)
	if errors.Is(err, os.ErrPermission) {
		return nil, nil, fmt.Errorf("%w (run it as root, or with CAP_BPF)", err)
	}
	if err != nil {
		return nil, nil, err
	}
	return i, labels.NewDirectory(i, i.Pool().Identities), nil
}

// now is the time of CLOCK_BOOTTIME, in nanoseconds.
func now() uint64 {
	var since unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &since); err != nil {
		return 0
	}
	return uint64(since.Nano())
}

// bootTime is when CLOCK_BOOTTIME began, by the wall clock of this moment.
func bootTime() (time.Time, error) {
	var since unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &since); err != nil {
		return time.Time{}, fmt.Errorf("reading the clock: %w", err)
	}
	return time.Now().Round(0).Add(-time.Duration(since.Nano())), nil
}

func newClock() (clock, error) {
	boot, err := bootTime()
	return clock{boot, time.Now()}, err
}
