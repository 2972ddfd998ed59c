// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// runcModule is the module whose version go.mod sets; if it does not, the version is newest.
const (
	runcModule = "github.com/opencontainers/runc"
	newest     = "v1.5.2"
)

// suite is a version of runc's integration suite, with the runtime to test.
type suite struct {
	name    string
	version string // of the suite
	program string // the runtime; empty: the one built with the suite
	view    string // see lane.sh
	crun    bool   // the runtime is crun, which fails most of the suite
	files   *regexp.Regexp
	all     bool // run with all variants instead of only bare and loaded

	directory string // the sources
	real      string // a directory with only the runtime, as "runc"
	variants  []variant
	chosen    []string // files of tests to run
}

// variant is a way to call the runtime.
type variant struct {
	name          string
	program       string // a directory with the called program, as "runc"
	configuration string // a file; empty if it needs none
}

// suites returns the suites to run.
func suites(ctx context.Context, quick bool) ([]*suite, error) {
	version, err := runcVersion(ctx)
	if err != nil {
		return nil, err
	}
	everything := regexp.MustCompile("")
	list := []*suite{{name: "runc " + version, version: version, view: "host", files: everything, all: !quick}}
	if quick {
		return list, nil
	}

	packaged, err := exec.LookPath("runc")
	if err != nil {
		return nil, fmt.Errorf("%w: install the package runc", err)
	}
	printed, err := exec.CommandContext(ctx, packaged, "--version").Output()
	if err != nil {
		return nil, fmt.Errorf("asking %s for its version: %w", packaged, err)
	}
	number := regexp.MustCompile(`^runc version (\d+\.\d+\.\d+)`).FindSubmatch(printed)
	if number == nil {
		return nil, fmt.Errorf("%s has no version that could be read from %q", packaged, printed)
	}
	crun, err := exec.LookPath("crun")
	if err != nil {
		return nil, fmt.Errorf("%w: install the package crun", err)
	}
	return append(list,
		// In this view runc finds a hierarchy without controllers: this suite tests the placement of cgroups.
		&suite{name: "runc " + version + " on cgroup v2 alone", version: version, view: "unified",
			files: regexp.MustCompile(`^(cgroup|create|delete|exec|hooks|kill|run|start|update|userns)`)},
		&suite{name: packaged + " " + string(number[1]), version: "v" + string(number[1]), program: packaged,
			view: "host", files: everything},
		// crun refuses hybrid hosts, and has different messages. tty.bats is left out: with bare crun 1.8.1, every
		// test of "exec" with a terminal fails sometimes, from one in six to one in a hundred times.
		&suite{name: crun, version: version, program: crun, view: "unified", crun: true,
			files: regexp.MustCompile(`^(create|cwd|delete|env|exec|kill|list|pause|ps|root|run|spec|start|start_detached|start_hello|state|umask)\.bats$`)},
	), nil
}

// runcVersion returns the version in go.mod.
func runcVersion(ctx context.Context) (string, error) {
	text, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Path}} {{.Version}}", "all").Output()
	if err != nil {
		return "", fmt.Errorf("asking go for the modules in use: %w", err)
	}
	for _, line := range lines(text) {
		if version, ok := strings.CutPrefix(line, runcModule+" "); ok {
			return version, nil
		}
	}
	return newest, nil
}

// prepare makes the suite, and the programs and configurations of the variants below scratch.
func (s *suite) prepare(ctx context.Context, scratch string, t *tracer, only *regexp.Regexp) error {
	script, err := here("suite.sh")
	if err != nil {
		return err
	}
	made := filepath.Join(cache, "runc-"+strings.TrimPrefix(s.version, "v"))
	c := exec.CommandContext(ctx, "sh", script, s.version, made)
	c.Stdout, c.Stderr = os.Stdout, os.Stderr
	if err := c.Run(); err != nil {
		return err
	}
	s.directory = filepath.Join(made, "runc")
	if s.program == "" {
		s.program = filepath.Join(s.directory, "runc")
	}
	folder, err := os.MkdirTemp(scratch, "suite-")
	if err != nil {
		return err
	}
	// A shim without a readable configuration finds the runtime in PATH. crun is configured by name.
	s.real = filepath.Join(folder, "real")
	name := filepath.Base(s.program)
	if err := copyProgram(s.program, filepath.Join(s.real, name)); err != nil {
		return err
	}
	runtime := fmt.Sprintf("runtime = %q\n", filepath.Join(s.real, name))
	bare := filepath.Join(folder, "bare")
	if err := copyProgram(s.program, filepath.Join(bare, "runc")); err != nil {
		return err
	}
	s.variants = []variant{{"bare", bare, ""}}
	configurations := []struct{ name, text string }{{"tracer loaded", runtime + t.configuration()}}
	if s.all {
		configurations = append(configurations,
			struct{ name, text string }{"tracer not loaded", runtime + fmt.Sprintf("pin-dir = %q\n", t.pins+"-none")},
			struct{ name, text string }{"broken configuration", "}{\n" + runtime + t.configuration()},
		)
	}
	for i, c := range configurations {
		file := filepath.Join(folder, fmt.Sprintf("%d.toml", i))
		if err := os.WriteFile(file, []byte(c.text), 0o644); err != nil {
			return err
		}
		s.variants = append(s.variants, variant{c.name, t.shim, file})
	}
	return s.choose(only)
}

// choose lists the files of tests, the largest first, so that no large one is left for a single lane at the end.
func (s *suite) choose(only *regexp.Regexp) error {
	entries, err := filepath.Glob(filepath.Join(s.directory, "tests/integration/*.bats"))
	if err != nil {
		return err
	}
	size := map[string]int64{}
	for _, path := range entries {
		file := filepath.Base(path)
		if !s.files.MatchString(file) || !only.MatchString(file) {
			continue
		}
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		size[file] = info.Size()
		s.chosen = append(s.chosen, file)
	}
	if len(s.chosen) == 0 {
		return errors.New("no file of tests is chosen")
	}
	slices.SortFunc(s.chosen, func(a, b string) int { return cmp.Compare(size[b], size[a]) })
	return nil
}

// jobs returns all files with all variants.
func (s *suite) jobs() []job {
	var jobs []job
	for _, file := range s.chosen {
		for _, v := range s.variants {
			jobs = append(jobs, job{s, v, file})
		}
	}
	return jobs
}

func copyProgram(from, to string) error {
	text, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	return os.WriteFile(to, text, 0o755)
}
