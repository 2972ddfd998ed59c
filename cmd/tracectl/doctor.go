// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/runc-trace/runc-trace/pkg/archive"
	"github.com/runc-trace/runc-trace/pkg/bpf"
	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/config"
	"github.com/runc-trace/runc-trace/pkg/doctor"
	"github.com/runc-trace/runc-trace/pkg/engine"
	"github.com/runc-trace/runc-trace/pkg/labels"
	"github.com/runc-trace/runc-trace/pkg/terminal"
)

const doctorLong = `Check this host, and print one line per check: if the kernel accepts the programs, where
the cgroups of containers are, if the configuration is valid, if the real runtime
answers, which engines go through runc-trace, what is loaded and how full it is, and if
running containers are registered under their current cgroups.

Results are "ok"; "warn" if tracing works with restrictions; "fail" if containers are
not traced or do not start normally. A remedy is printed below each warning and failure.
Checks that do not apply to the host are left out. Nothing is changed: programs are only
test-loaded, and runtimes and engines are only asked for their versions. If a check
fails, the exit code is 1.`

// doctorTime limits all commands that the doctor runs together.
const doctorTime = 30 * time.Second

func newDoctor(s *settings) *cobra.Command {
	c := &cobra.Command{
		Use:   "doctor",
		Short: "Check if this host can trace, and suggest remedies",
		Long:  doctorLong,
		Example: `  tracectl doctor
  tracectl doctor -o json | jq 'select(.state != "ok")'`,
		Args: exactly(0),
	}
	output := addOutput(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		ctx, cancel := context.WithTimeout(c.Context(), doctorTime)
		defer cancel()
		host := engine.Host{Root: "/", Run: doctor.Command, API: engine.Sockets{}}
		checks := doctor.Checks(doctor.Gather(ctx, host, s.facts()))
		return printChecks(c.OutOrStdout(), checks, output.word)
	}
	return c
}

// facts returns the facts that package doctor cannot find out itself.
func (s *settings) facts() doctor.Facts {
	f := doctor.Facts{Self: doctor.Self{Version: version, Layout: abi.ABIVersion}}
	f.Configuration.Path = cmp.Or(s.config, os.Getenv(config.PathEnv), config.DefaultPath)
	f.Configuration.Config, f.Configuration.Err = s.configuration()
	_, err := os.Stat(f.Configuration.Path)
	f.Configuration.Present = err == nil
	// The configuration has a check of its own, which reports this error.
	if f.PinDir.Path, err = s.directory(); err != nil {
		f.PinDir.Path = f.Configuration.Config.PinDir
	}
	f.Tracer = readTracer(f.PinDir.Path)
	if a := &f.Archive; f.Configuration.Config.Archive.Directory != "" {
		a.State, a.Err = archive.ReadState(f.Configuration.Config.Archive.Directory)
		a.Agent = f.Tracer.Agent
	}
	return f
}

// readTracer reads the state of the loaded programs. If any part cannot be read, it sets Err.
func readTracer(dir string) doctor.Tracer {
	var t doctor.Tracer
	damage, err := bpf.Examine(dir)
	if err != nil {
		return doctor.Tracer{Err: err}
	}
	if len(damage) > 0 { // other values may be wrong
		return doctor.Tracer{Err: &bpf.DamageError{Dir: dir, Damage: damage}}
	}
	i, err := bpf.Open(dir)
	if err != nil {
		return doctor.Tracer{Err: err}
	}
	defer i.Close()
	clock, err := newClock()
	if err != nil {
		return doctor.Tracer{Err: err}
	}
	directory := labels.NewDirectory(i, i.Pool().Identities)
	read, err := readNamed(i, directory)
	if err != nil {
		return doctor.Tracer{Err: err}
	}
	t.Agent = agentAlive(directory)
	t.Status, t.Since = *read, *clock.time(max(1, read.Loaded))
	// The time of a pin is the wall clock's time at its creation.
	pin, err := os.Stat(filepath.Join(dir, abi.PinIdentities))
	if err != nil {
		return doctor.Tracer{Err: err}
	}
	t.Stepped = t.Since.Sub(pin.ModTime())
	for _, c := range directory.All() {
		if c.State == abi.StateEnded {
			continue
		}
		container := doctor.Container{Name: cmp.Or(c.Pod, c.Name, c.ID), Cgroup: c.Cgroup}
		if c.State == abi.StateRunning {
			container.Init = c.Init
		}
		t.Containers = append(t.Containers, container)
	}
	return t
}

// checkJSON is a check. Names are stable.
type checkJSON struct {
	Name   string       `json:"name"`
	State  doctor.State `json:"state"`
	Detail string       `json:"detail"`
	Remedy string       `json:"remedy"`
}

// printChecks fails if a check failed.
func printChecks(w io.Writer, checks []doctor.Check, output string) error {
	width, failed := 0, 0
	for _, c := range checks {
		width = max(width, len(terminal.String(c.Name)))
		if c.State == doctor.Fail {
			failed++
		}
	}
	for _, c := range checks {
		if output == "json" {
			if err := printJSON(w, checkJSON(c)); err != nil {
				return err
			}
			continue
		}
		text := fmt.Sprintf("%-5s %-*s  %s\n", c.State, width, terminal.String(c.Name), terminal.String(c.Detail))
		if c.Remedy != "" {
			text += fmt.Sprintf("      %-*s  remedy: %s\n", width, "", terminal.String(c.Remedy))
		}
		if _, err := io.WriteString(w, text); err != nil {
			return err
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d checks failed", failed, len(checks))
	}
	return nil
}
