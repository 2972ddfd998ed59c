// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// installed describes the usual installation of a kind of engine.
type installed struct {
	units  []string
	flags  []string // flags that name the configuration
	config string
	// alone says that no distribution includes a variant with its own configuration: a running program of this name is
	// this engine, at any path.
	alone bool
}

// Detect finds the engines of a host by their programs, configurations and systemd units, in the order of Kinds. It
// omits a containerd that only dockerd starts, which belongs to Docker. If kinds are given, it looks for these only.
// Unknown fields stay empty. The error joins one DetectError for each engine that cannot be read; the engines that were
// found are returned in any case.
func Detect(h Host, kinds ...Kind) ([]Engine, error) {
	var (
		found    []Engine
		problems []error
	)
	for _, d := range drivers {
		if len(kinds) > 0 && !slices.Contains(kinds, d.kind()) {
			continue
		}
		engines, err := d.detect(h)
		if all, ok := err.(interface{ Unwrap() []error }); ok {
			problems = append(problems, all.Unwrap()...)
		} else if err != nil {
			problems = append(problems, &DetectError{string(d.kind()), err})
		}
		found = append(found, engines...)
	}
	for i := range found {
		if err := found[i].fill(h); err != nil {
			problems = append(problems, &DetectError{found[i].String(), err})
		}
	}
	return found, errors.Join(problems...)
}

// DetectError says why an engine cannot be read.
type DetectError struct {
	Engine string // as Engine.String returns it
	Err    error
}

func (e *DetectError) Error() string { return fmt.Sprintf("inspecting %s: %v", e.Engine, e.Err) }

func (e *DetectError) Unwrap() error { return e.Err }

// find returns the engine, and a list with it if the host has any part of it.
func (i installed) find(h Host, kind Kind) (Engine, []Engine, error) {
	e := Engine{Kind: kind, Config: i.config}
	name := e.driver().traits().program
	for _, unit := range i.units {
		service, ok := h.unit(unit)
		if !ok {
			continue
		}
		e.Unit = service.name
		if program, _ := service.program(name); program != "" && h.isProgram(program) {
			e.Binary = program
		}
		break
	}
	if e.Binary == "" {
		e.Binary = h.program(name, programDirs)
	}
	if e.Binary == "" && i.alone {
		e.Binary = h.runningProgram(name)
	}
	c, err := e.command(h)
	if err != nil {
		return e, nil, err
	}
	if config, ok := option(c.args(), i.flags...); ok {
		e.Config = config
	}
	for _, path := range []string{e.Binary, e.Config} {
		if strings.HasPrefix(path, "/run/torcx/") {
			e.Variant = "torcx"
		}
	}
	if e.Binary == "" && e.Unit == "" && !h.exists(e.Config) {
		return e, nil, nil
	}
	return e, []Engine{e}, nil
}

// fill queries the engine's program and reads its configuration.
func (e *Engine) fill(h Host) error {
	e.Version = h.version(e.Binary)
	known, err := e.asked(h)
	if err != nil {
		if !errors.Is(err, ErrNoAnswer) {
			e.NoAnswer = err.Error()
		}
		known, err = e.driver().configured(h, *e)
	}
	if errors.Is(err, ErrNoCRI) {
		return nil
	}
	if err != nil {
		return err
	}
	e.CgroupDriver = known.driver
	e.Runtime = Runtime{Name: known.name, Path: known.paths[known.name], Type: known.types[known.name]}
	e.Runtimes = known.list()
	return nil
}

var versionNumber = regexp.MustCompile(`\bv?(\d+\.\d+[^\s,]*)`)

// version returns the version that a program prints, without a leading v.
func (h Host) version(program string) string {
	if h.Run == nil || program == "" {
		return ""
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	text, err := h.Run(ctx, program, "--version")
	if err != nil {
		return ""
	}
	if match := versionNumber.FindSubmatch(text); match != nil {
		return string(match[1])
	}
	return ""
}

// atLeast reports whether a version is known and not older.
func atLeast(version string, major, minor int) bool {
	first, rest, _ := strings.Cut(version, ".")
	second := rest[:len(rest)-len(strings.TrimLeft(rest, "0123456789"))]
	a, err := strconv.Atoi(first)
	if err != nil {
		return false
	}
	b, err := strconv.Atoi(second)
	if err != nil {
		return false
	}
	return a > major || a == major && b >= minor
}

// searchPath returns the directories in which the engine looks for programs.
func (e Engine) searchPath(h Host) []string {
	for _, d := range distributions {
		if e.Variant == d.variant {
			// Both distributions search their own programs first.
			return append(d.binDirs(e), daemonDirs...)
		}
	}
	u, ok := h.unit(e.Unit)
	if !ok {
		return programDirs
	}
	dirs := u.path()
	if e.Variant == "torcx" {
		dirs = append([]string{u.env["TORCX_BINDIR"].value}, dirs...)
	}
	return dirs
}
