// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/runc-trace/runc-trace/pkg/boottime"
	"github.com/runc-trace/runc-trace/pkg/bpf"
	"github.com/runc-trace/runc-trace/pkg/labels"
)

// open opens the loaded maps, and a directory of their containers' identities.
func (s *settings) open() (*bpf.Instance, *labels.Directory, error) {
	dir, err := s.directory()
	if err != nil {
		return nil, nil, err
	}
	i, err := bpf.Open(dir)
	if err != nil {
		return nil, nil, needsRoot(err)
	}
	return i, labels.NewDirectory(i, i.Pool().Identities), nil
}

// needsRoot adds the needed privileges to a permission error.
func needsRoot(err error) error {
	if errors.Is(err, os.ErrPermission) {
		return fmt.Errorf("%w (run it as root)", err)
	}
	return err
}

func newClock() (clock, error) {
	boot, err := boottime.Boot()
	return clock{boot, time.Now()}, err
}
