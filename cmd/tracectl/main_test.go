// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/config"
	"github.com/runc-trace/runc-trace/pkg/labels"
	"github.com/runc-trace/runc-trace/pkg/straceback"
	"github.com/runc-trace/runc-trace/pkg/terminal"
)

// result is the result of a run of the program.
type result struct {
	Code           int
	Stdout, Stderr string
}

func tracectl(t *testing.T, args ...string) result {
	t.Helper()
	t.Setenv(abi.PinDirEnv, filepath.Join(t.TempDir(), "nothing"))
	t.Setenv(config.PathEnv, "")
	var stdout, stderr bytes.Buffer
	code := run(args, strings.NewReader(""), &stdout, &stderr)
	return result{code, stdout.String(), stderr.String()}
}

func TestSelector(t *testing.T) {
	got := tracectl(t, "exec", "-l", "a in b")
	if got.Code != exitUsage || !strings.HasPrefix(got.Stderr, `tracectl: --label "a in b": `) {
		t.Errorf("a label selector that is wrong gives %+v", got)
	}
}

func TestNotLoaded(t *testing.T) {
	for _, args := range [][]string{
		{"status"}, {"containers"}, {"exec"}, {"exec", "--since", "10m"}, {"straceback", "list"},
		{"straceback", "show", "web"},
	} {
		got := tracectl(t, args...)
		if got.Code != exitNotLoaded || got.Stdout != "" || !strings.HasPrefix(got.Stderr,
			"tracectl: pin directory "+os.Getenv(abi.PinDirEnv)+": not loaded (run tracectl load") {
			t.Errorf("tracectl %s gives %+v", strings.Join(args, " "), got)
		}
	}
	got := tracectl(t, "unload")
	want := result{0, "nothing is loaded below " + os.Getenv(abi.PinDirEnv) + "\n", ""}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("tracectl unload (-want +got):\n%s", diff)
	}
}

// brokenWriter fails with an error.
type brokenWriter struct{ err error }

func (w brokenWriter) Write([]byte) (int, error) { return 0, w.err }

// TestOutputFails checks that a command fails if its output cannot be written, unless its reader has gone.
func TestOutputFails(t *testing.T) {
	t.Setenv(abi.PinDirEnv, filepath.Join(t.TempDir(), "nothing"))
	t.Setenv(config.PathEnv, "")
	for _, args := range [][]string{
		{}, {"--help"}, {"help", "exec"}, {"--version"}, {"version"}, {"version", "-o=json"}, {"unload"},
		{"completion", "bash"}, {"__complete", "exec", ""},
	} {
		for err, want := range map[error]result{
			syscall.ENOSPC: {exitFailure, "", "tracectl: writing the output: no space left on device\n"},
			syscall.EPIPE:  {0, "", ""},
		} {
			var stderr bytes.Buffer
			code := run(args, strings.NewReader(""), brokenWriter{err}, &stderr)
			text := stderr.String()
			if len(args) > 0 && args[0] == "__complete" {
				text = want.Stderr // cobra adds remarks
			}
			if diff := cmp.Diff(want, result{code, "", text}); diff != "" {
				t.Errorf("tracectl %s, %v (-want +got):\n%s", strings.Join(args, " "), err, diff)
			}
		}
	}
}

// TestEndsWithReader checks that a command that follows ends when its reader does, although it has nothing to write.
func TestEndsWithReader(t *testing.T) {
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer writer.Close()
	c := &cobra.Command{}
	c.SetContext(t.Context())
	c.SetOut(&terminal.Output{Writer: writer})
	ctx, stop := untilSignal(c)
	defer stop()
	if ctx.Err() != nil {
		t.Error("it ends before its reader")
	}
	reader.Close()
	<-ctx.Done()
}

// TestEmpty checks that showing nothing of a recording is explained.
func TestEmpty(t *testing.T) {
	records := func(n int) []straceback.Record { return make([]straceback.Record, n) }
	ofRuntime := [abi.Lanes]straceback.Reach{straceback.Runtime: {Calls: 2}}
	for _, c := range []struct {
		calls     straceback.Calls
		inFlight  []straceback.Record
		malformed int
		state     uint32
		want      string
		fails     bool
	}{
		{straceback.Calls{}, nil, 0, abi.StateCreated, "tracectl: no calls are recorded yet\n", false},
		{straceback.Calls{}, nil, 0, abi.StateRunning, "tracectl: no calls are recorded yet\n", false},
		{straceback.Calls{}, nil, 0, abi.StateExited, "tracectl: no calls were recorded before the container ended\n", false},
		{straceback.Calls{}, nil, 0, abi.StateEnded, "tracectl: no calls were recorded before the container ended\n", false},
		{
			straceback.Calls{Records: records(3), Missing: 9}, nil, 0, abi.StateEnded,
			"tracectl: none of the 3 recorded calls matches\n", false,
		},
		{straceback.Calls{}, records(1), 0, abi.StateRunning, "tracectl: none of the 1 recorded calls matches\n", false},
		{
			straceback.Calls{Records: records(3), Lanes: ofRuntime}, nil, 0, abi.StateEnded,
			"tracectl: none of the 1 recorded calls matches\n", false,
		},
		{
			straceback.Calls{Records: records(2), Lanes: ofRuntime}, []straceback.Record{{Lane: straceback.Runtime}}, 0,
			abi.StateCreated,
			"tracectl: the container's program made no calls; --runtime prints those of the runtime\n", false,
		},
		{straceback.Calls{Missing: 9}, nil, 0, abi.StateEnded, "", true},
		{straceback.Calls{Lost: 1}, nil, 0, abi.StateEnded, "", true},
		{straceback.Calls{Records: records(3)}, nil, 3, abi.StateEnded, "", true},
	} {
		var stderr bytes.Buffer
		request := showRequest{}
		reading := straceback.Reading{Container: &labels.Container{State: c.state}, Calls: &c.calls, InFlight: c.inFlight}
		err := request.empty(&stderr, &reading, &straceback.Timeline{Malformed: c.malformed})
		if (err != nil) != c.fails || stderr.String() != c.want {
			t.Errorf("%+v: %q, %v", c, stderr.String(), err)
		}
	}
}

func TestUnloadTouchesPinsOnly(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, abi.PinABI)
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := tracectl(t, "unload", "--pin-dir", dir); got.Code != exitFailure ||
		!strings.Contains(got.Stderr, "not on a bpf file system") {
		t.Errorf("unloading from an ordinary directory gives %+v", got)
	}
	if _, err := os.Stat(file); err != nil {
		t.Errorf("unloading from an ordinary directory: %v", err)
	}
}

func TestDirectory(t *testing.T) {
	file := filepath.Join(t.TempDir(), "config.toml")
	if err := os.WriteFile(file, []byte(`pin-dir = "/sys/fs/bpf/configured"`), 0o600); err != nil {
		t.Fatal(err)
	}
	wrong := filepath.Join(t.TempDir(), "wrong.toml")
	if err := os.WriteFile(wrong, []byte(`pin-dri = "/x"`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		what                  string
		settings              settings
		environment, confFile string
		want                  string
		fails                 bool
	}{
		{"the flag", settings{pinDir: "/a"}, "/b", file, "/a", false},
		{"the environment", settings{}, "/b", file, "/b", false},
		{"the configuration", settings{}, "", file, "/sys/fs/bpf/configured", false},
		{"the configuration that a flag names", settings{config: file}, "", wrong, "/sys/fs/bpf/configured", false},
		{"the default", settings{}, "", "", abi.DefaultPinDir, false},
		{"a configuration that is not there", settings{config: file + "x"}, "", "", "", true},
		{"a configuration that is wrong", settings{config: wrong}, "", "", "", true},
		{"a configuration that is wrong and is not needed", settings{config: wrong, pinDir: "/a"}, "", "", "/a", false},
	} {
		if _, err := os.Stat(config.DefaultPath); err == nil && c.what == "the default" {
			continue // this machine has its own configuration
		}
		t.Setenv(abi.PinDirEnv, c.environment)
		t.Setenv(config.PathEnv, c.confFile)
		got, err := c.settings.directory()
		if (err != nil) != c.fails || err == nil && got != c.want {
			t.Errorf("%s: directory %q, %v; want %q", c.what, got, err, c.want)
		}
	}
}

// TestHelp checks that the help of every command describes it, and that the program accepts its examples.
func TestHelp(t *testing.T) {
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		if c.HasParent() && (c.Name() == "help" || c.Name() == "completion") {
			return
		}
		if c.Short == "" || c.Long == "" || c.HasParent() && c.Example == "" {
			t.Errorf("%s lacks a part of its help", c.CommandPath())
		}
		for line := range strings.Lines(c.Example) {
			line, _, _ := strings.Cut(strings.TrimSpace(line), " | ")
			found, _, err := c.Root().Find(strings.Fields(line)[1:])
			if err != nil || !strings.HasPrefix(found.CommandPath(), c.CommandPath()) {
				t.Errorf("example %q of %s is of %v: %v", line, c.CommandPath(), found.CommandPath(), err)
			}
		}
		for line := range strings.Lines(c.Long) {
			if len(line) > 92 {
				t.Errorf("%s: line of help is too long: %q", c.CommandPath(), line)
			}
		}
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(newRoot())
}

func TestVersion(t *testing.T) {
	if got := tracectl(t, "version"); got.Code != 0 ||
		!strings.HasPrefix(got.Stdout, "tracectl "+version+" (layout 4, build ") {
		t.Errorf("tracectl version gives %+v", got)
	}
	if got := tracectl(t, "completion", "bash"); got.Code != 0 || !strings.Contains(got.Stdout, "bash completion") {
		t.Errorf("tracectl completion bash gives %d, %q", got.Code, got.Stderr)
	}
}
