// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// usual is how an engine is usually installed.
type usual struct {
	kind    Kind
	program string
	units   []string
	flags   []string // that name the configuration
	config  string
}

var usually = []usual{
	{Containerd, "containerd", []string{"containerd.service"}, []string{"--config", "-c"}, containerdConfig},
	{Docker, "dockerd", []string{"docker.service"}, []string{"--config-file"}, "/etc/docker/daemon.json"},
	{CRIO, "crio", []string{"crio.service", "cri-o.service"}, []string{"--config", "-c"}, "/etc/crio/crio.conf"},
	{Podman, "podman", nil, nil, "/etc/containers/containers.conf"},
}

// Detect finds the engines of a host, in the order of Kinds: by their programs, configuration and systemd units. A
// containerd that only dockerd starts is Docker's own matter and not found. What cannot be told about an engine is left
// empty; the error joins what could not be read, and whatever was found is returned all the same.
func Detect(h Host) ([]Engine, error) {
	var (
		found    []Engine
		problems []error
	)
	for _, u := range usually {
		e, ok, err := u.detect(h)
		if err != nil {
			problems = append(problems, fmt.Errorf("looking for %s: %w", u.kind, err))
		} else if ok {
			found = append(found, e)
		}
		if u.kind != Containerd {
			continue
		}
		more, err := detectEmbedded(h)
		if err != nil {
			problems = append(problems, fmt.Errorf("looking for k3s and RKE2: %w", err))
		}
		found = append(found, more...)
	}
	for i := range found {
		if err := found[i].fill(h); err != nil {
			problems = append(problems, fmt.Errorf("looking at %s: %w", found[i], err))
		}
	}
	return found, errors.Join(problems...)
}

func (u usual) detect(h Host) (Engine, bool, error) {
	e := Engine{Kind: u.kind, Config: u.config}
	for _, name := range u.units {
		service, ok, err := h.unit(name)
		if err != nil {
			return e, false, err
		}
		if !ok {
			continue
		}
		e.Unit = name
		if program := service.program(u.program); program != "" && h.isProgram(program) {
			e.Binary = program
		}
		if config, ok := option(service.args(), u.flags...); ok {
			e.Config = config
		}
		break
	}
	if e.Binary == "" {
		e.Binary = h.program(u.program, programDirs)
	}
	for _, path := range []string{e.Binary, e.Config} {
		if strings.HasPrefix(path, "/run/torcx/") {
			e.Variant = "torcx"
		}
	}
	switch u.kind {
	case Podman:
		// Other tools have its configuration files, too.
		return e, e.Binary != "", nil
	case Containerd:
		if e.Unit == "" && !h.exists(e.Config) && h.program("dockerd", programDirs) != "" {
			return e, false, nil
		}
	}
	return e, e.Binary != "" || e.Unit != "" || h.exists(e.Config), nil
}

// fill asks the engine's program and reads its configuration.
func (e *Engine) fill(h Host) error {
	e.Version = h.version(e.Binary)
	known, err := e.known(h)
	if errors.Is(err, ErrNoCRI) {
		return nil
	}
	if err != nil {
		return err
	}
	e.CgroupDriver = known.driver
	e.Runtime = Runtime{Name: known.name, Path: known.paths[known.name]}
	return nil
}

var versionNumber = regexp.MustCompile(`\bv?(\d+\.\d+[^\s,]*)`)

// version is what a program says, without a leading v.
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

// atLeast says whether a version is known, and not older.
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

// searchPath is where the engine looks for programs by name.
func (e Engine) searchPath(h Host) ([]string, error) {
	for _, d := range distributions {
		if e.Variant == d.variant {
			// Both put their own programs first.
			return append(d.binDirs(e), daemonDirs...), nil
		}
	}
	u, ok, err := h.unit(e.Unit)
	if err != nil {
		return nil, err
	}
	if !ok {
		return programDirs, nil
	}
	dirs := u.path()
	if e.Variant == "torcx" {
		dirs = append([]string{u.env["TORCX_BINDIR"]}, dirs...)
	}
	return dirs, nil
}

func equal(a, b map[string]any) bool {
	return reflect.DeepEqual(a, b)
}
