// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/runc-trace/runc-trace/pkg/adopt"
	"github.com/runc-trace/runc-trace/pkg/bpf"
	"github.com/runc-trace/runc-trace/pkg/config"
	"github.com/runc-trace/runc-trace/pkg/doctor"
	"github.com/runc-trace/runc-trace/pkg/engine"
	"github.com/runc-trace/runc-trace/pkg/hostns"
	"github.com/runc-trace/runc-trace/pkg/identity"
	"github.com/runc-trace/runc-trace/pkg/installation"
	"github.com/runc-trace/runc-trace/pkg/ring"
	"github.com/runc-trace/runc-trace/pkg/terminal"
	"github.com/runc-trace/runc-trace/pkg/unregistered"
)

// host returns the host to change: this one, if its root is "/".
func (s *settings) host(root string) (installation.Host, error) {
	root, err := filepath.Abs(root)
	if err == nil {
		_, err = os.Stat(root)
	}
	if err != nil {
		return installation.Host{}, fmt.Errorf("looking at --root: %w", err)
	}
	if root != "/" {
		return installation.Host{Root: root}, nil
	}
	// Read the configuration now, because uninstall may remove it. Install reports its errors.
	dir, _ := s.directory()
	h := installation.Host{
		Root: root, Run: doctor.Command, API: engine.Sockets{}, Started: installation.Started,
		Load: s.loadInstalled, WouldLoad: s.wouldLoad,
		Unload: func() (bool, error) {
			unloaded, err := bpf.Unload(dir)
			return unloaded, errors.Join(err, unregistered.Remove())
		},
		Answers:    func(ctx context.Context, e engine.Engine) error { return e.Answers(ctx, engine.Host{Root: root}) },
		Patience:   time.Minute,
		Recordings: func() (bool, int, error) { return recordings(dir) },
	}
	if hostns.Inside() {
		h.Self, err = hostns.Cgroups()
	}
	return h, err
}

// configuredPool returns the pin directory, and the sizes with which to load the programs.
func (s *settings) configuredPool() (dir string, p config.Pool, err error) {
	c, err := s.configuration()
	if err == nil {
		dir, err = s.directory()
	}
	return dir, c.Pool, err
}

// loadInstalled loads the programs with the configured sizes, or replaces those of another version. If the loaded maps
// have other sizes, they stay.
func (s *settings) loadInstalled() (installation.Loaded, error) {
	dir, pool, err := s.configuredPool()
	if err != nil {
		return installation.Loaded{}, err
	}
	result, err := bpf.Load(dir, bpf.Options{Pool: pool, Replace: bpf.ReplaceOthers})
	loaded := installation.Loaded{New: result.Loaded, Replaced: result.Replaced, Remarks: remarks(result)}
	if errors.Is(err, bpf.ErrOtherOptions) {
		return installation.Loaded{Note: err.Error(), Remarks: loaded.Remarks}, nil
	}
	if err == nil {
		err = open(dir, func(i *bpf.Instance) (err error) {
			loaded.Memory, err = i.Memory()
			return err
		})
	}
	return loaded, err
}

// wouldLoad returns the result that loadInstalled would have.
func (s *settings) wouldLoad() (installation.Loaded, error) {
	dir, pool, err := s.configuredPool()
	if err != nil {
		return installation.Loaded{}, err
	}
	var loaded installation.Loaded
	err = open(dir, func(i *bpf.Instance) (err error) {
		if !i.Allows(pool) {
			return fmt.Errorf("pin directory %s: %w", dir, bpf.ErrOtherOptions)
		}
		loaded.Replaced = !i.Current()
		loaded.Memory, err = i.Memory()
		return err
	})
	switch {
	case errors.Is(err, bpf.ErrNotLoaded):
		loaded.New = true
		loaded.Memory, err = bpf.Estimate(pool)
	case errors.Is(err, bpf.ErrOtherOptions):
		return installation.Loaded{Note: err.Error()}, nil
	}
	return loaded, err
}

// open opens the loaded maps while do runs.
func open(dir string, do func(i *bpf.Instance) error) error {
	i, err := bpf.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(do(i), i.Close())
}

// recordings reports whether programs are loaded, and how many recordings they keep.
func recordings(dir string) (loaded bool, n int, err error) {
	err = open(dir, func(i *bpf.Instance) error {
		return i.RecordingHeaders(func(_ int, h ring.Header) {
			if h.Used() {
				n++
			}
		})
	})
	if errors.Is(err, bpf.ErrNotLoaded) {
		return false, 0, nil
	}
	return true, n, err
}

// adoptInstalled registers the running containers and returns them; in a dry run it only returns them.
func (s *settings) adoptInstalled(ctx context.Context, stderr io.Writer, dryRun bool) ([]engine.Container, error) {
	c, err := s.configuration()
	if err != nil {
		return nil, err
	}
	dir, err := s.directory()
	if err != nil {
		return nil, err
	}
	resolved, err := bpf.Resolve(c.Pool)
	if err != nil {
		return nil, err
	}
	known, most := map[uint64]uint32{}, resolved.Identities
	err = open(dir, func(i *bpf.Instance) (err error) {
		most = i.Pool().Identities
		known, err = i.Containers()
		return err
	})
	if err != nil && !(dryRun && (errors.Is(err, bpf.ErrNotLoaded) || errors.Is(err, bpf.ErrVersion))) {
		return nil, err
	}
	waiting, err := adopt.Host{}.Waiting(most, known, c.Rules())
	if !dryRun {
		adoptRunning(ctx, stderr, adopt.Host{}, dir, c.Rules()) // prints problems itself
	} else if err != nil {
		fmt.Fprintf(stderr, "tracectl: looking for running containers: %v\n", err)
	}
	var list []engine.Container
	for _, who := range waiting {
		list = append(list, engine.Container{
			ID: terminal.String(identity.String(who.ID[:])), Name: terminal.String(engine.PodName(&who)),
		})
	}
	return list, nil
}
