// SPDX-License-Identifier: Apache-2.0

package shim_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// report is the output of testdata/runtime.
type report struct {
	Args           []string
	Environment    []string
	Descriptors    map[string]string
	Directory      string
	Parent         int
	Pid            int
	DeathSignal    int
	BlockedSignals string
	Umask          int
}

// fakeRuntime installs the fake runtime in a directory that all users may enter and write, and returns its path.
func fakeRuntime(t *testing.T) string {
	t.Helper()
	directory, err := os.MkdirTemp(filepath.Dir(fakePath), "")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(directory, 0o777); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(directory, "runtime")
	if err := os.Link(fakePath, path); err != nil {
		t.Fatal(err)
	}
	return path
}

func readReport(t *testing.T, path string) report {
	t.Helper()
	var r report
	if err := json.Unmarshal([]byte(readFile(t, path+".json")), &r); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path + ".json"); err != nil {
		t.Fatal(err)
	}
	return r
}

// TestWhatTheRuntimeSees starts a runtime that reports how it was started, once directly and once through the shim,
// each time from the same state.
func TestWhatTheRuntimeSees(t *testing.T) {
	runtime.LockOSThread() // the children's death signal reports the end of this thread
	defer runtime.UnlockOSThread()
	p := makePins(t, nil)
	fake := fakeRuntime(t)
	directory := bundle(t, t.TempDir(), "sleep", "1")
	file := filepath.Join(directory, "config.json")
	environment := []string{
		settings(t, fmt.Sprintf("runtime = %q", fake), `log = "/dev/null"`, `log-level = "debug"`),
		inPinDir(p.directory),
		"LISTEN_PID=1", "LISTEN_FDS=1", "_CONTAINERS_ROOTLESS_UID=", "GOMAXPROCS=2", "A=1", "A=2",
		"B=\xff\xfe\n", "=odd", "C==",
	}
	for _, args := range [][]string{
		{"--root", "/r", "create", "--bundle", directory, "c"},
		{"--root", "/r", "create", "--bundle", "/does/not/exist", "c"},
		{"run", "-b", directory, "c", "--", "x"},
		{"restore", "--bundle", directory, "\xff\x01 \n"},
		{"state", "c"}, {"exec", "c", "sh", "-c", ""}, {"", ""}, {},
	} {
		var reports [2]report
		for i, path := range []string{fake, shimPath} {
			input, err := os.Open(file)
			if err != nil {
				t.Fatal(err)
			}
			process, err := os.StartProcess(path, append([]string{"some name"}, args...), &os.ProcAttr{
				Dir: directory, Env: environment, Files: []*os.File{input, input, input, input, nil, input},
				Sys: &syscall.SysProcAttr{Pdeathsig: syscall.SIGUSR1},
			})
			input.Close()
			if err != nil {
				t.Fatal(err)
			}
			state, err := process.Wait()
			if err != nil || state.ExitCode() != 42 {
				t.Fatalf("%s %q: %v, %v", path, args, state, err)
			}
			reports[i] = readReport(t, fake)
			if reports[i].Pid != process.Pid || reports[i].Parent != os.Getpid() {
				t.Errorf("%s %q: runs as process %d of parent %d, was started as %d of %d",
					path, args, reports[i].Pid, reports[i].Parent, process.Pid, os.Getpid())
			}
			reports[i].Pid = 0
		}
		want := report{
			Args:           append([]string{"some name"}, args...),
			Environment:    append(environment, ""),
			Directory:      directory,
			Parent:         os.Getpid(),
			DeathSignal:    int(syscall.SIGUSR1),
			Descriptors:    map[string]string{"0": file, "1": file, "2": file, "3": file, "5": file},
			BlockedSignals: reports[0].BlockedSignals,
			Umask:          reports[0].Umask,
		}
		// JSON cannot represent these bytes.
		for i := range want.Args {
			want.Args[i] = strings.ToValidUTF8(want.Args[i], "\ufffd")
		}
		for i := range want.Environment {
			want.Environment[i] = strings.ReplaceAll(want.Environment[i], "\xff\xfe", "\ufffd\ufffd")
		}
		if diff := cmp.Diff(want, reports[0]); diff != "" {
			t.Errorf("%q by itself (-want +got):\n%s", args, diff)
		}
		if diff := cmp.Diff(reports[0], reports[1]); diff != "" {
			t.Errorf("%q (-itself +shim):\n%s", args, diff)
		}
	}
}

// TestLimits checks that the runtime has the limits of the caller, although Go raises the limit of open files for its
// own process.
func TestLimits(t *testing.T) {
	directory := t.TempDir()
	script := write(t, filepath.Join(directory, "runtime"), "#!"+busyboxPath+" sh\ncat /proc/self/limits\n")
	if err := os.Chmod(script, 0o755); err != nil {
		t.Fatal(err)
	}
	limits := func(path string) string {
		command := exec.Command(busyboxPath, "sh", "-c", "ulimit -S -n 77; exec "+path+" state x")
		command.Env = []string{settings(t, fmt.Sprintf("runtime = %q", script))}
		output, err := command.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", path, err, output)
		}
		return string(output)
	}
	bare := limits(script)
	if !strings.Contains(bare, "Max open files            77 ") {
		t.Fatalf("the limits of the runtime itself: %s", bare)
	}
	if diff := cmp.Diff(bare, limits(shimPath)); diff != "" {
		t.Errorf("(-itself +shim):\n%s", diff)
	}
}
