// SPDX-License-Identifier: Apache-2.0

package hostns

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/runc-trace/runc-trace/test/roottest"
)

// Roles of the test binary: the first process of a machine, and that of a container on it.
const (
	hostPart      = "host"
	containerPart = "container"
)

func TestMain(m *testing.M) {
	if len(os.Args) != 4 || os.Args[1] != hostPart && os.Args[1] != containerPart {
		os.Exit(m.Run())
	}
	part, what, dir := os.Args[1], os.Args[2], os.Args[3]
	switch {
	case Inside():
		os.Exit(onHost(what, dir))
	case part == containerPart:
		os.Exit(inContainer(what, dir))
	}
	os.Exit(beHost(what, dir))
}

// beHost runs a container, and passes signals on to it.
func beHost(what, dir string) int {
	err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "")
	if err == nil {
		err = unix.Mount("proc", "/proc", "proc", 0, "")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 97
	}
	command := []string{"/proc/self/exe", containerPart, what, dir}
	if what == "unprivileged" {
		exe, _ := os.Executable()
		command[0] = exe
		command = append([]string{"setpriv", "--bounding-set=-sys_ptrace,-sys_chroot", "--"}, command...)
	}
	c := exec.Command(command[0], command[1:]...)
	c.Stdout, c.Stderr = os.Stdout, os.Stderr
	c.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWUTS | syscall.CLONE_NEWIPC |
		syscall.CLONE_NEWNET | syscall.CLONE_NEWCGROUP}
	switch what {
	case "own PIDs":
		c.SysProcAttr.Cloneflags |= syscall.CLONE_NEWPID
	case "there":
		c.SysProcAttr.Cloneflags = 0
	}
	c.Env = []string{"PATH=/nowhere", "SECRET=1", "RUNC_TRACE_PIN_DIR=/sys/fs/bpf/test", "TERM=xterm"}
	if err := c.Start(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 96
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM)
	go func() { _ = c.Process.Signal(<-signals) }()
	_ = c.Wait()
	return c.ProcessState.ExitCode()
}

// inContainer hides a file from the host, and continues there.
func inContainer(what, dir string) int {
	err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "")
	if err == nil {
		err = unix.Mount("tmpfs", dir, "tmpfs", 0, "")
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "hidden"), []byte("from the container"), 0o644)
	}
	if err == nil {
		if what == "own PIDs" {
			_ = unix.Mount("proc", "/proc", "proc", 0, "")
		}
		err = Run()
	}
	var exit *ExitError
	if errors.As(err, &exit) {
		fmt.Fprintln(os.Stderr, err)
		return exit.Code
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 99
	}
	return 0
}

// seen holds the observations of the process on the host.
type seen struct {
	Entered     bool // all namespaces are those of PID 1
	Directory   string
	Environment []string
	There, Here string // contents of the hidden file, through the container and at its own path
	Program     bool   // is the container's
}

func onHost(what, dir string) int {
	switch what {
	case "look":
		hidden := filepath.Join(dir, "hidden")
		there, err := os.ReadFile(Path(hidden))
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		here, _ := os.ReadFile(hidden)
		self, _ := os.Stat("/proc/self/exe")
		program, err := os.Stat(Program())
		s := seen{There: string(there), Here: string(here), Environment: os.Environ(), Program: err == nil &&
			os.SameFile(self, program)}
		s.Directory, _ = os.Getwd()
		s.Entered = slices.Equal(namespacesOf("self"), namespacesOf("1"))
		if err := json.NewEncoder(os.Stdout).Encode(s); err != nil {
			return 98
		}
	case "fail":
		return 5
	case "die":
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		time.Sleep(time.Minute)
	case "wait":
		signals := make(chan os.Signal, 1)
		signal.Notify(signals, syscall.SIGTERM)
		fmt.Println("waiting")
		<-signals
		return 42
	}
	return 0
}

func namespacesOf(pid string) []string {
	var links []string
	for _, n := range namespaces {
		link, err := os.Readlink("/proc/" + pid + "/ns/" + n.name)
		if err != nil {
			link = err.Error()
		}
		links = append(links, link)
	}
	return links
}

// machine prepares a machine with a container on it.
func machine(t *testing.T, what string) (c *exec.Cmd, stdout, stderr *bytes.Buffer) {
	t.Helper()
	roottest.Require(t)
	stdout, stderr = new(bytes.Buffer), new(bytes.Buffer)
	c = exec.Command("/proc/self/exe", hostPart, what, t.TempDir())
	c.Stdout, c.Stderr = stdout, stderr
	c.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID}
	return c, stdout, stderr
}

// TestRun checks the environment of a process started from a container.
func TestRun(t *testing.T) {
	c, stdout, stderr := machine(t, "look")
	if err := c.Run(); err != nil {
		t.Fatalf("%v\n%s", err, stderr)
	}
	var got seen
	if err := json.Unmarshal(stdout.Bytes(), &got); err != nil {
		t.Fatalf("%v: %s", err, stdout)
	}
	want := seen{
		Entered: true, Directory: "/", There: "from the container", Program: true,
		Environment: []string{"PATH=" + searchPath, "HOME=/root", "RUNC_TRACE_PIN_DIR=/sys/fs/bpf/test", "TERM=xterm"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if stderr.Len() > 0 {
		t.Errorf("standard error: %s", stderr)
	}
}

// TestEnds checks that the exit status of the process on the host is passed on.
func TestEnds(t *testing.T) {
	for what, want := range map[string]struct {
		code int
		text string
	}{
		"fail": {5, "the process on the host ended with exit code 5\n"},
		"die":  {128 + 9, "the process on the host was killed: killed\n"},
	} {
		c, _, stderr := machine(t, what)
		_ = c.Run()
		if diff := cmp.Diff([]any{want.code, want.text}, []any{c.ProcessState.ExitCode(), stderr.String()}); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
}

// TestSignal checks that signals are passed on.
func TestSignal(t *testing.T) {
	c, _, stderr := machine(t, "wait")
	c.Stdout = nil
	stdout, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	line := make([]byte, 8)
	if n, err := stdout.Read(line); string(line[:n]) != "waiting\n" {
		t.Errorf("%q, %v", line[:n], err)
	}
	if err := c.Process.Signal(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	if _ = c.Wait(); c.ProcessState.ExitCode() != 42 {
		t.Errorf("exit code %d\n%s", c.ProcessState.ExitCode(), stderr)
	}
}

// TestRefused checks the reasons for which Run fails.
func TestRefused(t *testing.T) {
	for what, want := range map[string]error{"unprivileged": ErrNotPrivileged,
		"own PIDs": ErrNotHostPID, "there": ErrThere} {
		c, stdout, stderr := machine(t, what)
		_ = c.Run()
		if c.ProcessState.ExitCode() != 99 || !strings.HasPrefix(stderr.String(), want.Error()) || stdout.Len() > 0 {
			t.Errorf("%s: exit code %d: %s%s", what, c.ProcessState.ExitCode(), stdout, stderr)
		}
	}
}
