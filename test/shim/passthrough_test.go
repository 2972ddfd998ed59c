// SPDX-License-Identifier: Apache-2.0

package shim_test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// step is one command of a session with its result.
type step struct {
	Command string
	Outcome outcome
	Files   map[string]string
}

// TestEveryVerb takes a container through its life, once with bare runc and once through the shim, and compares
// everything that a caller sees.
func TestEveryVerb(t *testing.T) {
	p := makePins(t, nil)
	directory := t.TempDir()
	bundle(t, directory, "sleep", "1000")
	spec := filepath.Join(directory, "config.json")
	textBefore, infoBefore := readFile(t, spec), stat(t, spec)

	bare := session(t, runner{path: runcPath}, directory)
	if n := p.entries(t); n != 0 {
		t.Fatalf("bare runc left %d entries", n)
	}
	shimmed := session(t, runner{path: shimPath, environment: []string{inPinDir(p.directory)}}, directory)
	if diff := cmp.Diff(bare, shimmed); diff != "" {
		t.Errorf("(-runc +shim):\n%s", diff)
	}
	if entry := p.take(t, filepath.Base(cgroupOf(directory))); entry.Time == 0 {
		t.Error("the shim has not registered the container")
	}
	if text := readFile(t, spec); text != textBefore {
		t.Errorf("config.json has become %s", text)
	}
	if info := stat(t, spec); !info.ModTime().Equal(infoBefore.ModTime()) || info.Mode() != infoBefore.Mode() {
		t.Errorf("config.json was touched: %v, then %v", infoBefore, info)
	}
	// The container must really have run, or the comparison proves nothing.
	for i, want := range map[int]string{0: "exit status 0", 2: "exit status 0", 6: "exit status 3"} {
		if got := bare[i].Outcome; got.Status != want {
			t.Errorf("bare runc %s: %+v, want %s", bare[i].Command, got, want)
		}
	}
}

func session(t *testing.T, r runner, directory string) []step {
	t.Helper()
	root, log, pidFile := filepath.Join(directory, "root"), filepath.Join(directory, "log.json"),
		filepath.Join(directory, "init.pid")
	defer func() {
		runner{path: runcPath}.run(t, "--root", root, "delete", "--force", "c")
		os.RemoveAll(root)
	}()
	var steps []step
	do := func(args ...string) {
		t.Helper()
		s := step{Command: strings.Join(args, " "), Files: map[string]string{}}
		s.Outcome = r.run(t, append([]string{"--root", root, "--log", log, "--log-format=json"}, args...)...)
		for _, file := range []string{log, pidFile} {
			if text, err := os.ReadFile(file); err == nil {
				s.Files[filepath.Base(file)] = stable(string(text))
				os.Remove(file)
			}
		}
		if pid, ok := s.Files["init.pid"]; ok {
			if _, err := strconv.Atoi(pid); err != nil {
				t.Errorf("the PID file: %v", err)
			}
			s.Files["init.pid"] = "PID"
		}
		steps = append(steps, s)
	}
	do("create", "--bundle", directory, "--pid-file", pidFile, "c")
	do("state", "c")
	do("start", "c")
	do("list", "--format", "json")
	do("list", "--quiet")
	do("ps", "--format", "table", "c", "-o", "args")
	do("exec", "c", "sh", "-c", "echo out; echo err >&2; exit 3")
	do("exec", "--cwd", "/nowhere", "c", "sh")
	do("pause", "c")
	do("state", "c")
	do("resume", "c")
	do("events", "--stats", "c")
	do("update", "--pids-limit", "20", "c")
	do("checkpoint", "--image-path", filepath.Join(directory, "image"), "c")
	do("create", "--bundle", directory, "c")
	do("delete", "c")
	do("kill", "c", "KILL")
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); {
		if strings.Contains((runner{path: runcPath}).run(t, "--root", root, "state", "c").Stdout, "stopped") {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	do("state", "c")
	do("delete", "c")
	do("delete", "c")
	do("delete", "--force", "c")
	do("restore", "--image-path", filepath.Join(directory, "image"), "--bundle", directory, "c")
	return steps
}

// TestCommandLines compares command lines that need no container, or never get one.
func TestCommandLines(t *testing.T) {
	p := makePins(t, nil)
	broken := t.TempDir()
	write(t, filepath.Join(broken, "config.json"), `{"annotations": {"a": "b"`)
	wrong := t.TempDir()
	write(t, filepath.Join(wrong, "config.json"), `{"annotations": {"a": 1}, "linux": []}`)
	pipe := bundle(t, t.TempDir(), "sleep", "1000")
	for _, args := range [][]string{
		{}, {"--version"}, {"-v"}, {"--help"}, {"help"}, {"help", "create"}, {"features"}, {"features", "x"},
		{"frobnicate"}, {"frobnicate", "create", "x"}, {"--frobnicate", "create", "x"}, {"create"}, {"create", "--help"},
		{"create", "a", "b"}, {"run", "--preserve-fds", "x", "y"}, {"create", "--bundle"},
		{"--log-format", "xml", "state", "x"},
		{"state", "nobody"}, {"start", "nobody"}, {"kill", "nobody", "KILL"}, {"exec", "nobody", "true"}, {"ps", "nobody"},
		{"pause", "nobody"}, {"resume", "nobody"}, {"update", "nobody"}, {"events", "nobody"}, {"list"},
		{"checkpoint", "--image-path", filepath.Join(broken, "image"), "nobody"},
		{"create", "--bundle", "/does/not/exist", "x"}, {"run", "-b", broken, "x"}, {"create", "x", "--bundle", wrong},
		{"run", "--bundle", t.TempDir(), "x"},
		{"restore", "--bundle", broken, "x"}, {"run", "--bundle", pipe, "not/a/name"},
		{"run", "-d", "--bundle", pipe, "", ""},
		{"--log", "/does/not/exist/log", "state", "x"}, {"--root", "/", "list"},
	} {
		all := append([]string{"--root", filepath.Join(broken, "root")}, args...)
		bare := runner{path: runcPath}.run(t, all...)
		shimmed := runner{path: shimPath, environment: []string{inPinDir(p.directory)}}.run(t, all...)
		if diff := cmp.Diff(bare, shimmed); diff != "" {
			t.Errorf("%q (-runc +shim):\n%s", args, diff)
		}
	}
	// `spec` writes into the working directory.
	var written [2]string
	for i, r := range []runner{{path: runcPath}, {path: shimPath}} {
		r.directory = t.TempDir()
		if got := r.run(t, "spec"); got != (outcome{Status: "exit status 0"}) {
			t.Errorf("%s spec: %+v", r.path, got)
		}
		written[i] = readFile(t, filepath.Join(r.directory, "config.json"))
	}
	if diff := cmp.Diff(written[0], written[1]); diff != "" {
		t.Errorf("spec (-runc +shim):\n%s", diff)
	}
}

// TestRun checks a container's input, output, exit status and signals.
func TestRun(t *testing.T) {
	p := makePins(t, nil)
	directory := t.TempDir()
	bundle(t, directory, "sh", "-c", `cat; echo err >&2; exit 7`)
	for _, r := range []runner{{path: runcPath}, {path: shimPath, environment: []string{inPinDir(p.directory)}}} {
		r.stdin = "from outside\n"
		want := outcome{Status: "exit status 7", Stdout: "from outside\n", Stderr: "err\n"}
		if diff := cmp.Diff(want,
			r.run(t, "--root", filepath.Join(directory, "root"), "run", "--bundle", directory, "c")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", r.path, diff)
		}
		r.directory = directory // the bundle is the working directory by default
		if diff := cmp.Diff(want, r.run(t, "--root", filepath.Join(directory, "root"), "run", "c")); diff != "" {
			t.Errorf("%s in the bundle (-want +got):\n%s", r.path, diff)
		}
	}
	if n := p.entries(t); n != 1 {
		t.Errorf("%d entries, want that of one cgroup", n)
	}

	other := t.TempDir()
	bundle(t, other, "sh", "-c", `trap 'echo caught; exit 9' TERM; echo ready; while :; do sleep 0.05; done`)
	for _, r := range []runner{{path: runcPath}, {path: shimPath, environment: []string{inPinDir(p.directory)}}} {
		command := r.command("--root", filepath.Join(other, "root"), "run", "--bundle", other, "c")
		stdout, err := command.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := command.Start(); err != nil {
			t.Fatal(err)
		}
		line := make([]byte, 6)
		if _, err := stdout.Read(line); err != nil || string(line) != "ready\n" {
			t.Fatalf("%s: %q, %v", r.path, line, err)
		}
		// The caller's child is the runtime, which forwards signals.
		if err := command.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		rest := make([]byte, 100)
		n, _ := stdout.Read(rest)
		_ = command.Wait()
		if got := string(rest[:n]); got != "caught\n" || command.ProcessState.ExitCode() != 9 {
			t.Errorf("%s: %q and %s after SIGTERM", r.path, got, command.ProcessState)
		}
	}
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func stat(t *testing.T, path string) os.FileInfo {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info
}
