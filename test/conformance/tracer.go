// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/runc-trace/runc-trace/pkg/bpf"
	"github.com/runc-trace/runc-trace/pkg/config"
)

// tracer is the shim, with programs loaded below a pin directory of their own.
type tracer struct {
	shim string // a directory that has it as "runc"
	pins string
}

func loadTracer(scratch string) (*tracer, error) {
	t := &tracer{shim: filepath.Join(scratch, "shim"), pins: "/sys/fs/bpf/" + filepath.Base(scratch)}
	for _, directory := range []string{t.shim, filepath.Join(scratch, "bin")} {
		if err := os.Mkdir(directory, 0o755); err != nil {
			return nil, err
		}
	}
	build := exec.Command("make", "--silent", "build-shim", "BIN="+t.shim)
	if text, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("building the shim: %w\n%s", err, text)
	}
	if err := os.Rename(filepath.Join(t.shim, "runc-trace"), filepath.Join(t.shim, "runc")); err != nil {
		return nil, err
	}
	if _, err := bpf.Load(t.pins, bpf.Options{Pool: config.DefaultPool()}); err != nil {
		return nil, fmt.Errorf("loading the programs: %w", err)
	}
	return t, nil
}

func (t *tracer) unload() error {
	_, err := bpf.Unload(t.pins)
	return err
}

// configuration returns the tracer's part of a config.toml.
func (t *tracer) configuration() string { return fmt.Sprintf("pin-dir = %q\n", t.pins) }

// check returns an error if no containers were registered: then nothing was compared.
func (t *tracer) check() error {
	i, err := bpf.Open(t.pins)
	if err != nil {
		return err
	}
	defer i.Close()
	registered := 0
	for slot := range i.Pool().Identities {
		if _, ok := i.Identity(slot); ok {
			registered++
		}
	}
	fmt.Printf("\n%d containers were registered\n", registered)
	if registered == 0 {
		return fmt.Errorf("the shim has registered no container at all")
	}
	return nil
}
