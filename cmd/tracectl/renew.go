// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/runc-trace/runc-trace/pkg/adopt"
	"github.com/runc-trace/runc-trace/pkg/bpf"
	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/config"
	"github.com/runc-trace/runc-trace/pkg/identity"
	"github.com/runc-trace/runc-trace/pkg/installation"
)

// renew replaces loaded programs whose recordings cannot be kept, and returns how many running containers it
// registered. It does nothing if all recordings can be kept.
func renew(ctx context.Context, stderr io.Writer, dir string, p config.Pool, rules identity.Rules) (bpf.Result, int,
	error) {
	b, err := bpf.LoadBeside(dir, p)
	if err != nil || b == nil {
		return bpf.Result{}, 0, err
	}
	defer b.Close()
	adopted, err := finishBeside(ctx, stderr, dir, b, rules)
	return bpf.Result{Loaded: true, Lost: lost(b.Other)}, adopted, err
}

// lost says why all recordings are deleted.
func lost(other string) string {
	if other == bpf.OtherSizes {
		return "the loaded programs had " + other
	}
	return fmt.Sprintf("the loaded programs had %s, and these have layout %d", other, abi.ABIVersion)
}

// finishBeside removes the other programs, after it has registered their running containers with the new ones. It
// returns how many it registered.
func finishBeside(ctx context.Context, stderr io.Writer, dir string, b *bpf.Beside, rules identity.Rules) (int, error) {
	if _, err := b.Known(); err != nil {
		fmt.Fprintf(stderr, "tracectl: %v\n", err)
	}
	register := func(dir string) int {
		known, err := b.Known()
		if err != nil {
			return 0
		}
		return adoptRunning(ctx, stderr, adopt.Host{Only: known}, dir, rules)
	}
	adopted := register(b.Dir)
	if err := b.Finish(); err != nil {
		return adopted, err
	}
	return adopted + register(dir), nil // those that a shim of the other version registered meanwhile
}

// beside loads the programs beside those of another layout, for an installation. It returns nil if it need not. If
// the recordings must not be discarded, it returns an error instead. In a dry run it only says what it would do.
func (s *settings) beside(ctx context.Context, stderr io.Writer, discard, dryRun bool) (*installation.Beside, error) {
	c, err := s.configuration()
	if err != nil {
		return nil, err
	}
	dir, err := s.directory()
	if err != nil {
		return nil, err
	}
	_, err = bpf.Examine(dir)
	if !errors.Is(err, bpf.ErrVersion) {
		return nil, nil // Load reports other errors
	}
	other, err := bpf.Unreplaceable(dir, c.Pool)
	if err != nil {
		return nil, err
	}
	loaded := installation.Loaded{New: true, Lost: lost(other)}
	switch {
	case !discard:
		return nil, fmt.Errorf("%s is loaded below %s, and this version needs layout %d: the recordings cannot be kept; "+
			"export them with the installed tracectl (straceback show NAME -o json, exec --no-follow -o json), "+
			"then repeat with --discard-recordings, which deletes them", other, dir, abi.ABIVersion)
	case dryRun:
		loaded.Memory, err = bpf.Estimate(c.Pool)
		return &installation.Beside{Loaded: loaded}, err
	}
	b, err := bpf.LoadBeside(dir, c.Pool)
	if err != nil || b == nil {
		return nil, err
	}
	err = open(b.Dir, func(i *bpf.Instance) (err error) {
		loaded.Memory, err = i.Memory()
		return err
	})
	if err != nil {
		return nil, errors.Join(err, b.Undo(), b.Close())
	}
	return &installation.Beside{
		Loaded: loaded,
		Finish: func() error {
			_, err := finishBeside(context.WithoutCancel(ctx), stderr, dir, b, c.Rules())
			return errors.Join(err, b.Close())
		},
		Undo: func() error { return errors.Join(b.Undo(), b.Close()) },
	}, nil
}
