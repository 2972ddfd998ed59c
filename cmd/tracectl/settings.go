// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/runc-trace/runc-trace/pkg/bpf"
	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/config"
	"github.com/runc-trace/runc-trace/pkg/labels"
)

// settings are the flags that every command has.
type settings struct {
	pinDir string
	config string
}

// configuration reads the configuration file. One that nobody named need not be there.
func (s *settings) configuration() (config.Config, error) {
	path := s.config
	if path == "" {
		path = os.Getenv(config.PathEnv)
	}
	if path != "" {
		return config.Load(path)
	}
	c, err := config.Load(config.DefaultPath)
	if errors.Is(err, os.ErrNotExist) {
		return c, nil
	}
	return c, err
}

// directory is where everything is pinned. The configuration is only read where nothing else says it.
func (s *settings) directory() (string, error) {
	dir := s.pinDir
	if dir == "" {
		dir = os.Getenv(abi.PinDirEnv)
	}
	if dir == "" {
		c, err := s.configuration()
		return c.PinDir, err
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("finding pin directory %s: %w", dir, err)
	}
	return dir, nil
}

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
	return i, labels.NewDirectory(i, i.Options().Identities), nil
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
