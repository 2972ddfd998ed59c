// SPDX-License-Identifier: Apache-2.0

// Package shim_test runs the real shim beside the real runc and checks that callers cannot tell them apart. It needs
// root, runc, a static busybox and a bpffs at /sys/fs/bpf, and fails if one of them is missing.
package shim_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/config"
	"github.com/runc-trace/runc-trace/pkg/unregistered"
	"github.com/runc-trace/runc-trace/test/roottest"
)

// Built once, below a directory that all users may enter.
var (
	shimPath    string // the shim
	fakePath    string // testdata/runtime
	runcPath    string // the real one
	runDir      string // the directory of the shim's counters
	busyboxPath string
)

func TestMain(m *testing.M) {
	roottest.RequireAll()
	os.Exit(func() int {
		directory, err := os.MkdirTemp("", "shim-test-")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(directory)
		if err := setUp(directory); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return m.Run()
	}())
}

func setUp(directory string) error {
	if err := os.Chmod(directory, 0o755); err != nil {
		return err
	}
	// Descriptors that the parent of the tests left open must not reach a runtime.
	for fd := 3; fd < 100; fd++ {
		syscall.CloseOnExec(fd)
	}
	for name, found := range map[string]*string{"runc": &runcPath, "busybox": &busyboxPath} {
		where, err := exec.LookPath(name)
		if err != nil {
			return fmt.Errorf("%w: install the packages runc and busybox-static", err)
		}
		*found = where
	}
	runDir = filepath.Join(directory, "run")
	if err := os.Setenv(unregistered.DirEnv, runDir); err != nil {
		return err
	}
	shimPath, fakePath = filepath.Join(directory, "runc-trace"), filepath.Join(directory, "fake")
	for _, build := range []*exec.Cmd{
		exec.Command("make", "--silent", "--directory", "../..", "build-shim", "BIN="+directory), // the released build
		exec.Command("go", "build", "-trimpath", "-o", fakePath, "./testdata/runtime"),
	} {
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if text, err := build.CombinedOutput(); err != nil {
			return fmt.Errorf("%q: %w\n%s", build.Args, err, text)
		}
	}
	return nil
}

// runner is a runtime with the settings to start it.
type runner struct {
	path        string
	environment []string
	directory   string
	stdin       string
	user        uint32 // 0: root
}

// outcome is what a caller sees of a run of a runtime.
type outcome struct {
	Status string
	Stdout string
	Stderr string
}

// command prepares a command. argv[0] is the same for every runner, because runc's messages contain it.
func (r runner) command(args ...string) *exec.Cmd {
	command := exec.Command(r.path)
	command.Args = append([]string{"runc"}, args...)
	command.Env = append([]string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		unregistered.DirEnv + "=" + runDir}, r.environment...)
	command.Dir = r.directory
	command.Stdin = strings.NewReader(r.stdin)
	if r.user != 0 {
		command.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: r.user, Gid: r.user}}
	}
	return command
}

func (r runner) run(t *testing.T, args ...string) outcome {
	t.Helper()
	command := r.command(args...)
	// Files instead of pipes, because a container that keeps running would hold a pipe open.
	var output [2]*os.File
	for i := range output {
		file, err := os.CreateTemp(t.TempDir(), "output")
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		output[i] = file
	}
	command.Stdout, command.Stderr = output[0], output[1]
	if err := command.Start(); err != nil {
		t.Fatalf("%s %q: %v", r.path, args, err)
	}
	timer := time.AfterFunc(30*time.Second, func() { _ = command.Process.Kill() })
	defer timer.Stop()
	_ = command.Wait()
	var text [2]string
	for i, file := range output {
		content, err := os.ReadFile(file.Name())
		if err != nil {
			t.Fatal(err)
		}
		text[i] = string(content)
	}
	return outcome{Status: command.ProcessState.String(), Stdout: stable(text[0]), Stderr: stable(text[1])}
}

var unstable = []struct {
	pattern *regexp.Regexp
	instead string
}{
	{regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)`), "TIME"},
	{regexp.MustCompile(`"pid": ?\d+`), `"pid": PID`},
	{regexp.MustCompile(`"data":\{.*\}`), `"data": DATA`}, // of events
}

// stable replaces the parts of a text that differ between runs of runc.
func stable(text string) string {
	for _, u := range unstable {
		text = u.pattern.ReplaceAllString(text, u.instead)
	}
	return text
}

// bundle makes a bundle with a busybox. Its program is args, and its cgroup is below the cgroup of this test.
func bundle(t *testing.T, directory string, args ...string) string {
	t.Helper()
	binaries := filepath.Join(directory, "rootfs", "bin")
	for _, name := range []string{binaries, filepath.Join(directory, "rootfs", "proc"),
		filepath.Join(directory, "rootfs", "dev")} {
		if err := os.MkdirAll(name, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	program, err := os.ReadFile(busyboxPath)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(binaries, "sh"), program, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, applet := range []string{"cat", "sleep", "echo"} {
		if err := os.Link(filepath.Join(binaries, "sh"), filepath.Join(binaries, applet)); err != nil {
			t.Fatal(err)
		}
	}
	spec := map[string]any{
		"ociVersion":  "1.0.2",
		"annotations": podAnnotations,
		"root":        map[string]any{"path": "rootfs"},
		"process": map[string]any{
			"args": args, "cwd": "/", "user": map[string]any{"uid": 0, "gid": 0}, "env": []string{"PATH=/bin"},
		},
		"mounts": []any{map[string]any{"destination": "/proc", "type": "proc", "source": "proc"}},
		"linux": map[string]any{
			"cgroupsPath": cgroupOf(directory),
			"namespaces":  []any{map[string]any{"type": "pid"}, map[string]any{"type": "mount"}, map[string]any{"type": "ipc"}},
		},
	}
	text, err := json.Marshal(spec)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(directory, "config.json"), text, 0o644); err != nil {
		t.Fatal(err)
	}
	return directory
}

// cgroupOf returns the cgroup of the bundle in a directory, whose name is unique.
func cgroupOf(directory string) string {
	return "/shim-test-" + strings.ReplaceAll(strings.TrimPrefix(directory, "/"), "/", "-")
}

var podAnnotations = map[string]string{
	"io.kubernetes.cri.container-type":    "container",
	"io.kubernetes.cri.container-name":    "main",
	"io.kubernetes.cri.image-name":        "docker.io/library/busybox:test",
	"io.kubernetes.cri.sandbox-id":        "sandbox",
	"io.kubernetes.cri.sandbox-name":      "mypod",
	"io.kubernetes.cri.sandbox-namespace": "default",
	"io.kubernetes.cri.sandbox-uid":       "11111111-2222-3333-4444-555555555555",
	"runc-trace.label/myapp":              "app-one",
}

// write makes a file and returns its path.
func write(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// settings makes a config.toml and returns the variable that names it.
func settings(t *testing.T, lines ...string) string {
	t.Helper()
	return config.PathEnv + "=" + write(t, filepath.Join(t.TempDir(), "config.toml"), strings.Join(lines, "\n"))
}

func inPinDir(directory string) string { return abi.PinDirEnv + "=" + directory }

// readLog returns the shim's log, and fails the test if there is none.
func readLog(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("the shim's log: %v", err)
	}
	return string(bytes.TrimSpace(text))
}
