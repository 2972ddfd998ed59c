// SPDX-License-Identifier: Apache-2.0

package shim_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// inventory is a runtime that lists everything that a caller can set and execve(2) preserves. It is not written in Go,
// so it does not change its own process before.
const inventory = `#!/bin/sh
exec >"$0.out" 2>&1
directory=$(readlink /proc/$$/cwd)
cd /proc/$$
{
	echo "$directory"
	setpriv --dump
	ionice -p $$
	taskset -p $$
	chrt -p $$
	readlink root
	ls -l fd | %[1]s awk 'NF > 8 && $9 != 1 && $9 != 2 && $9 != 10 {print $9, $10, $11}'
	# group, session, terminal, its group; nice, exit signal, real-time priority, policy
	%[1]s awk '{print $5, $6, $7, $8, $19, $38, $40, $41}' stat
	grep -E '^(Name|Umask|PPid|Uid|Gid|Groups|Sig[BI]|Cap|NoNew|Seccomp|Spec|Cpus|Mems)' status
	cat comm limits oom_score_adj timerslack_ns coredump_filter personality loginuid cgroup
	ls -l ns | awk '{print $9, $11}'
} | sed "s/\b$$\b/PID/g"
exit 42
`

// TestStateOfTheProcess sets a state of the process, execs a runtime directly and through the shim, and compares the
// state that remains.
func TestStateOfTheProcess(t *testing.T) {
	p := makePins(t, nil)
	directory := bundle(t, t.TempDir(), "sleep", "1")
	runtime := write(t, filepath.Join(t.TempDir(), "runtime"), fmt.Sprintf(inventory, busyboxPath))
	if err := os.Chmod(runtime, 0o755); err != nil {
		t.Fatal(err)
	}
	environment := []string{"PATH=" + os.Getenv("PATH"),
		settings(t, fmt.Sprintf("runtime = %q", runtime)), inPinDir(p.directory)}
	list := func(state, path string) string {
		t.Helper()
		// The last command replaces the shell.
		command := exec.Command("sh", "-c", state+` "$@"`, "sh", path, "create", "--bundle", directory, "c")
		command.Env, command.Dir = environment, directory
		output, err := command.CombinedOutput()
		if command.ProcessState.ExitCode() != 42 {
			t.Fatalf("%s %s: %v\n%s", state, path, err, output)
		}
		// The shim spells the path of a script differently: see pkg/shim.
		for _, name := range []string{runtime, filepath.Dir(runtime) + "/./runtime"} {
			if text, err := os.ReadFile(name + ".out"); err == nil {
				os.Remove(name + ".out")
				return string(output) + strings.ReplaceAll(string(text), filepath.Dir(runtime)+"/./", filepath.Dir(runtime)+"/")
			}
		}
		t.Fatalf("%s %s: no list", state, path)
		return ""
	}
	plain := list("exec", runtime)
	for _, test := range []struct{ name, state string }{
		{"plain", "exec"},
		{"ignored signals", "trap '' HUP INT TSTP TTIN TTOU CONT; exec"},
		// Only signals that a Go program leaves alone, here and below: see TestSignalsOfTheContainer.
		{"blocked signals", "exec env --block-signal=USR1,USR2,WINCH,PIPE,ALRM,TSTP,RTMIN+3"},
		{"limits", "ulimit -S -n 77; ulimit -S -s 4096; ulimit -c 0; ulimit -l 32; exec"},
		{"equal limits", "ulimit -n 99; exec"},
		{"nice", "exec nice -n 7"},
		{"umask", "umask 0137; exec"},
		{"processors", "exec taskset 1"},
		{"scheduling", "exec chrt --batch 0"},
		{"input and output", "exec ionice -c 3"},
		{"memory", "echo 321 >/proc/self/oom_score_adj; echo 0x3f >/proc/self/coredump_filter; exec"},
		{"timer slack", "echo 123456 >/proc/self/timerslack_ns; exec"},
		{"personality", "exec setarch -R --uname-2.6"},
		{"session", "exec setsid"},
		{"privileges", "exec setpriv --no-new-privs --securebits +no_setuid_fixup,+keep_caps_locked --bounding-set -mknod --inh-caps +net_raw --ambient-caps +net_raw"},
		{"groups", "exec setpriv --groups 7,8 --regid 9"},
		{"descriptors", "exec 4</dev/zero 7</etc/passwd 9</; exec"},
		{"a directory that is gone", "mkdir gone; cd gone; rmdir ../gone; exec"},
	} {
		bare := list(test.state, runtime)
		if test.name != "plain" && bare == plain {
			t.Errorf("%s: the list does not show it:\n%s", test.name, bare)
		}
		if diff := cmp.Diff(bare, list(test.state, shimPath)); diff != "" {
			t.Errorf("%s (-itself +shim):\n%s", test.name, diff)
		}
	}
	p.take(t, filepath.Base(cgroupOf(directory)))
}

// TestSignalsOfTheContainer checks that a container has the same signal dispositions and mask as with the runtime
// alone, whichever signals the caller ignores or blocks. A Go program handles nearly all signals from its start, so
// programs that it execs no longer ignore them. The shim has this effect on its runtime, but runc, which is written in
// Go, has it on itself, and crun resets all signals.
func TestSignalsOfTheContainer(t *testing.T) {
	crun, err := exec.LookPath("crun")
	if err != nil {
		t.Fatalf("%v: install the package crun", err)
	}
	p := makePins(t, nil)
	directory := bundle(t, t.TempDir(), "sh", "-c", "while read -r line; do case $line in Sig[BIC]*) echo $line ;; esac; done </proc/self/status")
	for _, runtime := range []string{runcPath, crun} {
		signals := func(path string) string {
			t.Helper()
			// crun refuses hybrid hosts, so it sees only cgroup v2 here.
			command := exec.Command("unshare", "--mount", "sh", "-c", `
				[ "${1##*/}" != crun ] || { umount -R -l /sys/fs/cgroup && mount -t cgroup2 cgroup2 /sys/fs/cgroup; }
				shift
				exec env --ignore-signal=PIPE,TERM,USR1,HUP,INT,RTMIN+3 --block-signal=USR2,TERM,CHLD,TSTP "$@"`,
				"sh", runtime, path, "--root", filepath.Join(directory, "root"), "run", "--bundle", directory, "c")
			command.Env = []string{"PATH=" + os.Getenv("PATH"),
				settings(t, fmt.Sprintf("runtime = %q", runtime)), inPinDir(p.directory)}
			output, err := command.CombinedOutput()
			if err != nil || bytes.Count(output, []byte("\n")) != 3 {
				t.Fatalf("%s: %v\n%s", path, err, output)
			}
			return string(output)
		}
		if diff := cmp.Diff(signals(runtime), signals(shimPath)); diff != "" {
			t.Errorf("%s (-itself +shim):\n%s", runtime, diff)
		}
	}
}

// TestClosedDescriptors checks that standard input, output and error stay closed for the runtime if the caller closed
// them, although Go opens /dev/null in their place when the shim starts. The runtime is not a Go program, because that
// would open them itself.
func TestClosedDescriptors(t *testing.T) {
	p := makePins(t, nil)
	directory := bundle(t, t.TempDir(), "sleep", "1")
	report := filepath.Join(t.TempDir(), "report")
	runtime := write(t, filepath.Join(t.TempDir(), "runtime"), "#!"+busyboxPath+` sh
for fd in 0 1 2 3 4; do [ ! -e /proc/$$/fd/$fd ] || open="$open $fd=$(readlink /proc/$$/fd/$fd)"; done
echo "$open" >`+report+"\nexit 42\n")
	if err := os.Chmod(runtime, 0o755); err != nil {
		t.Fatal(err)
	}
	input := write(t, filepath.Join(t.TempDir(), "input"), "")
	environment := []string{settings(t, fmt.Sprintf("runtime = %q", runtime)), inPinDir(p.directory)}
	for _, closed := range []string{
		"", "<&-", ">&-", "2>&-", "<&- >&-", "<&- 2>&-", ">&- 2>&-", "<&- >&- 2>&-", "<&- 4<" + input, ">&- <>/dev/null",
		"0<>/dev/null 1>/dev/null 2<>/dev/null",
	} {
		for _, args := range [][]string{{"state", "c"}, {"create", "--bundle", directory, "c"}} {
			var reports [2]string
			for i, path := range []string{runtime, shimPath} {
				command := exec.Command("sh", append([]string{"-c",
					`exec "$@" <` + input + " >>" + input + " 2>>" + input + " " + closed, "sh", path}, args...)...)
				command.Env = environment
				if output, err := command.CombinedOutput(); command.ProcessState.ExitCode() != 42 || len(output) > 0 {
					t.Fatalf("%s %s %q: %v\n%s", path, closed, args, err, output)
				}
				reports[i] = readFile(t, report)
			}
			if reports[0] != reports[1] {
				t.Errorf("%q, %q: the runtime has %q by itself, %q by the shim", closed, args, reports[0], reports[1])
			}
		}
		p.take(t, filepath.Base(cgroupOf(directory)))
	}
}

// TestWithoutDevices starts the shim with closed descriptors and without /dev/null. Go would refuse to start then.
func TestWithoutDevices(t *testing.T) {
	root := t.TempDir()
	for name, program := range map[string]string{"shim": shimPath, "busybox": busyboxPath} {
		if err := os.WriteFile(filepath.Join(root, name), []byte(readFile(t, program)), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	runtime := write(t, filepath.Join(root, "runc"), "#!/busybox sh\nexit 42\n")
	if err := os.Chmod(runtime, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, program := range []string{"/runc", "/shim"} {
		command := exec.Command("sh", "-c", `exec chroot "$0" "$1" state x <&- >&- 2>&-`, root, program)
		command.Env = []string{"PATH=/:" + os.Getenv("PATH")}
		if err := command.Run(); command.ProcessState.ExitCode() != 42 {
			t.Errorf("%s: %v", program, err)
		}
	}
}

// TestProcessTree checks that the shim is gone when the runtime runs: the caller's child is the runtime, with one
// thread and only its own children.
func TestProcessTree(t *testing.T) {
	p := makePins(t, nil)
	directory := bundle(t, t.TempDir(), "sleep", "1")
	runtime := write(t, filepath.Join(t.TempDir(), "runtime"), "#!"+busyboxPath+" sh\nread -r line\nexit 42\n")
	if err := os.Chmod(runtime, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"create", "state"} {
		command := exec.Command(shimPath, verb, "--bundle", directory, "c")
		command.Env = []string{settings(t, fmt.Sprintf("runtime = %q", runtime)), inPinDir(p.directory)}
		input, err := command.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := command.Start(); err != nil {
			t.Fatal(err)
		}
		proc := filepath.Join("/proc", strconv.Itoa(command.Process.Pid))
		busybox, err := filepath.EvalSymlinks(busyboxPath)
		if err != nil {
			t.Fatal(err)
		}
		await(t, "the runtime runs", func() bool {
			program, err := os.Readlink(filepath.Join(proc, "exe"))
			return err == nil && program == busybox
		})
		threads, err := os.ReadDir(filepath.Join(proc, "task"))
		if err != nil || len(threads) != 1 {
			t.Errorf("%s: %d threads, %v", verb, len(threads), err)
		}
		if children := readFile(t, filepath.Join(proc, "task", threads[0].Name(), "children")); children != "" {
			t.Errorf("%s: it has the children %s", verb, children)
		}
		if status := readFile(t, filepath.Join(proc, "status")); !strings.Contains(status,
			fmt.Sprintf("\nPPid:\t%d\n", os.Getpid())) {
			t.Errorf("%s: it is not the caller's child: %s", verb, status)
		}
		// A process that waits for the shim waits for the runtime.
		input.Close()
		if err := command.Wait(); command.ProcessState.ExitCode() != 42 {
			t.Errorf("%s: %v", verb, err)
		}
	}
}

// await waits until so returns true.
func await(t *testing.T, what string, so func() bool) {
	t.Helper()
	for end := time.Now().Add(2 * time.Minute); !so(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited 20 s for this in vain: %s", what)
		}
	}
}
