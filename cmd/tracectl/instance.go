// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"errors"
	"fmt"
	"io"
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

// losses returns a function that prints the events that are not recorded because pins are damaged. A reader calls it
// when it starts. If the reader follows, it calls it again about once a second, and each damage is printed once.
func (s *settings) losses(i *bpf.Instance, stderr io.Writer) func() {
	flag := ""
	if s.pinDir != "" {
		flag = " --pin-dir " + i.Dir
	}
	damage := bpf.Unrecorded(i.Dir)
	return func() {
		found := damage()
		if len(found) == 0 {
			return
		}
		more := ""
		if n := len(found) - 1; n > 0 {
			more = fmt.Sprintf(", and %d more", n)
		}
		fmt.Fprintf(stderr, "tracectl: %s are not recorded: %s %s%s; run tracectl load%s to repair it\n",
			unrecorded(found), found[0].Pin, found[0].Problem, more, flag)
	}
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
