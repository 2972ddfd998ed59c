// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// TestCRIOAgrees compares our reading of files, flags and variables with the configuration that a real CRI-O reports,
// before and after an edit.
func TestCRIOAgrees(t *testing.T) {
	engines(t)
	binary := program(t, "/var/cache/runc-trace-e2e/crio-1.34*/bin/crio")
	for _, s := range scenarios(t) {
		if s.kind != CRIO {
			continue
		}
		t.Run(s.name, func(t *testing.T) {
			h := s.host(t)
			for name := range s.says {
				s.says[name] = "crio version 1.34.0\n"
			}
			e, files, err := s.edit(t, h)
			crioAgrees(t, binary, h, e)
			if err != nil {
				return
			}
			for _, file := range files {
				s.write(t, file.Path, file.Data)
			}
			s.write(t, shim, []byte("#!/bin/sh\n"))
			known := crioAgrees(t, binary, h, e)
			name := addedRuntime
			if s.request.Default {
				name = known.name
			}
			if known.paths[name] != s.request.Shim {
				t.Errorf("it has %s call %q", name, known.paths[name])
			}
		})
	}
}

func crioAgrees(t *testing.T, binary string, h Host, e Engine) runtimes {
	t.Helper()
	c, err := e.command(h)
	if err != nil {
		t.Fatal(err)
	}
	// Paths are the host's: prefix them with root for CRI-O.
	var args []string
	if !slices.ContainsFunc(c.args(), regexp.MustCompile(`^--?(d|config-dir)(=|$)`).MatchString) {
		args = append(args, "--config-dir", h.Root+crioDropins)
	}
	if config := h.Root + "/etc/crio/crio.conf"; h.exists("/etc/crio/crio.conf") {
		args = append(args, "--config", config)
	}
	for _, arg := range c.args() {
		arg = strings.Replace(arg, "=/etc/", "="+h.Root+"/etc/", 1)
		for _, dir := range []string{"/etc/", "/data/"} {
			if strings.HasPrefix(arg, dir) {
				arg = h.Root + arg
			}
		}
		args = append(args, arg)
	}
	command := exec.Command(binary, append(args, "config")...)
	command.Env = append(os.Environ(), c.environment(func(name string) bool {
		return strings.HasPrefix(name, "CONTAINER_")
	})...)
	var problems strings.Builder
	command.Stderr = &problems
	text, err := command.Output()
	if err != nil {
		t.Logf("%s: %v\n%s", command, err, problems.String())
		return runtimes{}
	}
	got, err := e.crioAnswer(h, text, "")
	want, readErr := e.driver().configured(h, e)
	if (err == nil) != (readErr == nil) {
		t.Errorf("%v, but by its files: %v", err, readErr)
	}
	if diff := cmp.Diff(got, want, cmp.AllowUnexported(runtimes{}), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("(-CRI-O +files):\n%s", diff)
	}
	return got
}
