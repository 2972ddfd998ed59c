// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestSystemd compares the files, the variables and the command line of each test's unit with those that a real
// systemd shows, which loads the unit and starts nothing.
func TestSystemd(t *testing.T) {
	engines(t)
	systemd := program(t, "/lib/systemd/systemd")
	for _, test := range unitTests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			h := tree(t, test.tree)
			u, found := h.unit(test.service())
			want := loadedUnit{found: found}
			if found {
				want.files = u.files
				c, _ := parseCommand(u.exec, h.specifiers(u.unitFiles))
				want.argv = c.argv
				own := make(environment)
				for _, s := range h.serviceSettings(&u) {
					if s.name == "Environment" {
						own.assign(s, h.specifiers(u.unitFiles))
					}
				}
				for name, s := range own {
					want.env = append(want.env, name+"="+s.value)
				}
				slices.Sort(want.env)
			}
			got := load(t, systemd, h.Root, u.name)
			if test.real != nil {
				test.real(&want, &got)
			}
			if diff := cmp.Diff(want, got, cmp.AllowUnexported(loadedUnit{})); diff != "" {
				t.Errorf("(-this package +systemd):\n%s", diff)
			}
		})
	}
}

// loadedUnit is a service as systemd loads it.
type loadedUnit struct {
	found, refused bool
	files          []string
	argv           []string // before variables are replaced
	env            []string // of Environment=
}

// load has systemd load a service from the directories of units below root.
func load(t *testing.T, systemd, root, name string) loadedUnit {
	t.Helper()
	// Links are to lead to files below root.
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.Type() != fs.ModeSymlink {
			return err
		}
		target, err := os.Readlink(path)
		if err != nil || !filepath.IsAbs(target) || target == os.DevNull {
			return err
		}
		return errors.Join(os.Remove(path), os.Symlink(filepath.Join(root, target), path))
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"sysinit", "basic", "shutdown"} { // every service depends on them
		target := filepath.Join(root, "usr/lib/systemd/system", name+".target")
		err := errors.Join(os.MkdirAll(filepath.Dir(target), 0o755),
			os.WriteFile(target, []byte("[Unit]\nDefaultDependencies=no\n"), 0o644))
		if err != nil {
			t.Fatal(err)
		}
	}
	// Systemd refuses to do this for root.
	for dir := root; strings.HasPrefix(dir, os.TempDir()+"/"); dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	var dirs []string
	for _, dir := range unitDirs {
		dirs = append(dirs, filepath.Join(root, dir))
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	command := exec.CommandContext(ctx, systemd, "--test", "--system", "--unit="+name, "--no-pager")
	command.Env = []string{
		"SYSTEMD_UNIT_PATH=" + strings.Join(dirs, ":"), "SYSTEMD_LOG_TARGET=console", "HOME=/nonexistent",
	}
	command.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	text, err := command.CombinedOutput()
	var u loadedUnit
	_, dump, found := strings.Cut(string(text), "-> Unit "+name+":\n")
	if !found {
		// It falls back to another unit, which is missing, too.
		u.refused = strings.Contains(string(text), "bad unit file setting") ||
			strings.Contains(string(text), "Unbalanced quoting")
		u.found = u.refused
		return u
	}
	dump, _, _ = strings.Cut(dump, "-> Unit ")
	for line := range strings.Lines(dump) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		switch key {
		case "Unit Load State":
			u.found = value == "loaded"
		case "Fragment Path", "DropIn Path":
			u.files = append(u.files, strings.TrimPrefix(value, root))
		case "Environment":
			u.env = append(u.env, value)
		case "Command Line":
			u.argv = unquoted(t, value)
		}
	}
	slices.Sort(u.env)
	if err != nil && !u.found {
		t.Logf("%v: %s", err, text)
	}
	return u
}

// unquoted splits a command line that is quoted for a shell.
func unquoted(t *testing.T, line string) []string {
	t.Helper()
	text, err := exec.Command("sh", "-c", `for word in "$@"; do :; done; printf '%s\0' `+line).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(string(text), "\x00"), "\x00")
}
