// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"
)

var update = flag.Bool("update", false, "write what is seen into the archives below testdata")

const shim = "/opt/runc-trace/bin/runc-trace"

// scenario is one archive below testdata/edit: a host, a request to edit an engine, and the result.
//
// Its comment has lines of words: `edit containerd`, `edit containerd k3s default`; `says /usr/bin/containerd TEXT`
// for the version that a program prints; and `others NAME...` for other runtimes to route through the shim. Files
// answer/COMMAND are the output of commands, and again/COMMAND their output after the edit. Files below in/ are the
// host: a text that begins with "-> " is a symbolic link, and | ends an argument in /proc/PID/cmdline. The results are
// `engine` (as detected), files below want/ (those to write), or `error`.
type scenario struct {
	name    string
	path    string
	archive *txtar.Archive
	root    string
	says    map[string]string
	answers map[string][]byte
	kind    Kind
	variant string
	request Request
}

func scenarios(t *testing.T) []*scenario {
	t.Helper()
	paths, err := filepath.Glob("testdata/edit/*.txtar")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	var all []*scenario
	for _, path := range paths {
		archive, err := txtar.ParseFile(path)
		if err != nil {
			t.Fatal(err)
		}
		s := &scenario{name: strings.TrimSuffix(filepath.Base(path), ".txtar"), path: path, archive: archive,
			says: make(map[string]string)}
		s.parse(t)
		all = append(all, s)
	}
	return all
}

func (s *scenario) parse(t *testing.T) {
	t.Helper()
	s.request.Shim = shim
	for line := range strings.Lines(string(s.archive.Comment)) {
		fields := strings.Fields(line)
		switch {
		case len(fields) == 0 || fields[0] == "#":
		case fields[0] == "edit":
			s.kind = Kind(fields[1])
			for _, word := range fields[2:] {
				if word == "default" {
					s.request.Default = true
				} else {
					s.variant = word
				}
			}
		case fields[0] == "others":
			s.request.Others = make(map[string]string)
			for _, name := range fields[1:] {
				s.request.Others[name] = shim + "-" + name
			}
		case fields[0] == "says":
			s.says[fields[1]] = strings.Join(fields[2:], " ") + "\n"
		default:
			t.Fatalf("%s: unknown line %q", s.path, line)
		}
	}
}

func (s *scenario) host(t *testing.T) Host {
	t.Helper()
	s.root = t.TempDir()
	for _, file := range s.archive.Files {
		if path, ok := strings.CutPrefix(file.Name, "in/"); ok {
			s.write(t, "/"+path, file.Data)
		}
	}
	s.answer("answer/")
	return Host{Root: s.root, Run: s.run}
}

// answer makes commands print the files below a folder.
func (s *scenario) answer(folder string) {
	s.answers = make(map[string][]byte)
	for _, file := range s.archive.Files {
		if command, ok := strings.CutPrefix(file.Name, folder); ok {
			s.answers["/"+command] = file.Data
		}
	}
}

func (s *scenario) write(t *testing.T, path string, data []byte) {
	t.Helper()
	at := filepath.Join(s.root, path)
	mode := os.FileMode(0o644)
	if dir := filepath.Base(filepath.Dir(path)); dir == "bin" || dir == "sbin" {
		mode = 0o755
	}
	if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
		t.Fatal(err)
	}
	if target, ok := strings.CutPrefix(string(data), "-> "); ok {
		if err := os.Symlink(strings.TrimSpace(target), at); err != nil {
			t.Fatal(err)
		}
		return
	}
	if strings.HasPrefix(path, "/proc/") && strings.HasSuffix(path, "/cmdline") {
		data = []byte(strings.ReplaceAll(strings.TrimSpace(string(data))+"|", "|", "\x00"))
	}
	if err := os.WriteFile(at, data, mode); err != nil {
		t.Fatal(err)
	}
}

func (s *scenario) run(_ context.Context, program string, args ...string) ([]byte, error) {
	for program == "env" || strings.Contains(program, "=") { // a variable
		program, args = args[0], args[1:]
	}
	if text, ok := s.answers["/"+strings.TrimPrefix(strings.Join(append([]string{program}, args...), " "), "/")]; ok {
		return text, nil
	}
	if text, ok := s.says[program]; ok && len(args) == 1 && args[0] == "--version" {
		return []byte(text), nil
	}
	return nil, errors.New("it says nothing")
}

// edit detects the engine and edits its configuration.
func (s *scenario) edit(t *testing.T, h Host) (Engine, []File, error) {
	t.Helper()
	engines, err := Detect(h)
	for _, e := range engines {
		if e.Kind == s.kind && e.Variant == s.variant {
			files, editErr := e.Edit(h, s.request)
			return e, files, editErr
		}
	}
	t.Fatalf("%s %q was not detected, but %v (%v)", s.kind, s.variant, engines, err)
	return Engine{}, nil, nil
}

func TestEdit(t *testing.T) {
	for _, s := range scenarios(t) {
		t.Run(s.name, func(t *testing.T) {
			h := s.host(t)
			e, files, err := s.edit(t, h)
			seen := s.seen(t, e, files, err)
			if *update {
				if err := os.WriteFile(s.path, txtar.Format(seen), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if diff := cmp.Diff(string(txtar.Format(s.archive)), string(txtar.Format(seen))); diff != "" {
				t.Errorf("edited (-want +got):\n%s", diff)
			}
			if err != nil {
				return
			}
			for _, file := range files {
				s.write(t, file.Path, file.Data)
			}
			s.answer("again/")
			s.write(t, shim, []byte("#!/bin/sh\n"))
			for _, link := range s.request.Others {
				s.write(t, link, []byte("#!/bin/sh\n"))
			}
			again, files, err := s.edit(t, h)
			if len(files) != 0 || err != nil {
				t.Errorf("edited again, %s has still to be written, or: %v", paths(files), err)
			}
			use, err := again.UsesShim(h, []string{shim})
			if err != nil {
				t.Fatal(err)
			}
			if template := len(use.Runtimes) == 0 && strings.Contains(s.name, "template"); !template &&
				use.Default != s.request.Default {
				t.Errorf("goes through the shim: %+v", use)
			}
		})
	}
}

func paths(files []File) []string {
	var all []string
	for _, file := range files {
		all = append(all, file.Path)
	}
	return all
}

// seen returns the archive with the actual results in place of the wanted ones.
func (s *scenario) seen(t *testing.T, e Engine, files []File, err error) *txtar.Archive {
	t.Helper()
	seen := &txtar.Archive{Comment: s.archive.Comment}
	for _, file := range s.archive.Files {
		if strings.HasPrefix(file.Name, "in/") || strings.HasPrefix(file.Name, "answer/") ||
			strings.HasPrefix(file.Name, "again/") {
			seen.Files = append(seen.Files, file)
		}
	}
	detected, jsonErr := json.MarshalIndent(e, "", "  ")
	if jsonErr != nil {
		t.Fatal(jsonErr)
	}
	seen.Files = append(seen.Files, txtar.File{Name: "engine", Data: append(detected, '\n')})
	if err != nil {
		seen.Files = append(seen.Files, txtar.File{Name: "error", Data: fmt.Appendln(nil, err)})
	}
	for _, file := range files {
		data := file.Data
		if len(data) > 0 && data[len(data)-1] != '\n' {
			data = append(data[:len(data):len(data)], "(no newline at the end)\n"...)
		}
		seen.Files = append(seen.Files, txtar.File{Name: "want" + file.Path, Data: data})
	}
	return seen
}
