// SPDX-License-Identifier: Apache-2.0

package shim_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// TestInheritedDescriptors checks that descriptors that a caller passes by number reach the container, by socket
// activation (sd_listen_fds(3)) or by --preserve-fds.
func TestInheritedDescriptors(t *testing.T) {
	p := makePins(t, nil)
	for _, test := range []struct {
		name, launcher string
		flags          []string
		script, want   string
	}{
		{
			name: "by socket activation", launcher: `exec env LISTEN_FDS=1 LISTEN_PID=$$ "$@"`,
			script: `echo $LISTEN_FDS $LISTEN_PID >&3; read line <&3; echo "$line, too" >&3`,
			want:   "1 1\nhello, too\n",
		},
		{
			name: "meant for another process", launcher: `exec env LISTEN_FDS=1 LISTEN_PID=1 "$@"`,
			script: `(echo there >&3) 2>/dev/null || exit 9`,
		},
		{
			name: "preserved", launcher: `exec "$@"`, flags: []string{"--preserve-fds", "1"},
			script: `echo "[$LISTEN_FDS]" >&3; read line <&3; echo "$line, too" >&3`,
			want:   "[]\nhello, too\n",
		},
		{
			name: "not preserved", launcher: `exec "$@"`,
			script: `(echo there >&3) 2>/dev/null || exit 9`,
		},
	} {
		directory := bundle(t, t.TempDir(), "sh", "-c", test.script)
		var outcomes [2]string
		for i, r := range []runner{{path: runcPath}, {path: shimPath, environment: []string{inPinDir(p.directory)}}} {
			ours, theirs := socketPair(t)
			args := append([]string{"--root", filepath.Join(directory, "root"), "run", "--bundle", directory}, test.flags...)
			command := exec.Command("sh", append([]string{"-c", test.launcher, "sh", r.path}, append(args, "c")...)...)
			command.Env = r.command().Env
			command.ExtraFiles = []*os.File{theirs}
			if err := command.Start(); err != nil {
				t.Fatal(err)
			}
			theirs.Close()
			if _, err := ours.WriteString("hello\n"); err != nil {
				t.Fatal(err)
			}
			text := new(strings.Builder)
			lines := bufio.NewScanner(ours)
			for lines.Scan() {
				fmt.Fprintln(text, lines.Text())
			}
			_ = command.Wait()
			outcomes[i] = command.ProcessState.String()
			if diff := cmp.Diff(test.want, text.String()); diff != "" {
				t.Errorf("%s, %s (-want +got):\n%s", test.name, r.path, diff)
			}
		}
		if outcomes[0] != outcomes[1] || (test.want != "") != (outcomes[0] == "exit status 0") {
			t.Errorf("%s: %q", test.name, outcomes)
		}
	}
}

// TestConsole receives a container's terminal through --console-socket, and finds its init in --pid-file.
func TestConsole(t *testing.T) {
	p := makePins(t, nil)
	directory := bundle(t, t.TempDir(), "sh", "-c", `stty size; echo "on $(tty)"; read line; echo "got $line"; exit 5`)
	for _, applet := range []string{"stty", "tty"} {
		if err := os.Link(filepath.Join(directory, "rootfs/bin/sh"),
			filepath.Join(directory, "rootfs/bin", applet)); err != nil {
			t.Fatal(err)
		}
	}
	changeSpec(t, directory, func(spec map[string]any) {
		spec["process"].(map[string]any)["terminal"] = true
		spec["process"].(map[string]any)["consoleSize"] = map[string]any{"height": 33, "width": 77}
		spec["mounts"] = append(spec["mounts"].([]any), map[string]any{
			"destination": "/dev", "type": "tmpfs", "source": "tmpfs",
		}, map[string]any{
			"destination": "/dev/pts", "type": "devpts", "source": "devpts", "options": []any{"newinstance", "ptmxmode=0666"},
		})
	})
	socket, pidFile := filepath.Join(directory, "console"), filepath.Join(directory, "pid")
	for _, r := range []runner{{path: runcPath}, {path: shimPath, environment: []string{inPinDir(p.directory)}}} {
		listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: socket, Net: "unix"})
		if err != nil {
			t.Fatal(err)
		}
		root := []string{"--root", filepath.Join(directory, "root")}
		terminals := make(chan *os.File, 1)
		go func() { terminals <- receive(t, listener) }()
		if got := r.run(t, append(root, "create", "--bundle", directory, "--console-socket", socket, "--pid-file", pidFile,
			"c")...); got.Status != "exit status 0" {
			t.Fatalf("%s: %+v", r.path, got)
		}
		terminal := <-terminals
		listener.Close()
		if terminal == nil {
			t.Fatalf("%s: no terminal came", r.path)
		}
		var state struct{ Pid int }
		if err := json.Unmarshal([]byte(runStdout(r, append(root, "state", "c")...)), &state); err != nil {
			t.Fatalf("%s: its state: %v", r.path, err)
		}
		if pid := readFile(t, pidFile); pid != fmt.Sprint(state.Pid) || state.Pid == 0 {
			t.Errorf("%s: the PID file says %q, the state %d", r.path, pid, state.Pid)
		}
		if got := r.run(t, append(root, "start", "c")...); got.Status != "exit status 0" {
			t.Errorf("%s: %+v", r.path, got)
		}
		if _, err := terminal.WriteString("typed\n"); err != nil {
			t.Error(err)
		}
		text := readTerminal(terminal)
		terminal.Close()
		// The terminal echoes the input at an unpredictable time.
		text = strings.Replace(text, "typed\r\n", "", 1)
		if want := "33 77\r\non /dev/pts/0\r\ngot typed\r\n"; text != want {
			t.Errorf("%s: the terminal shows %q, want %q", r.path, text, want)
		}
		if got := r.run(t, append(root, "delete", "--force", "c")...); got.Status != "exit status 0" {
			t.Errorf("%s: %+v", r.path, got)
		}
	}
	// The runtime must report a socket without a listener, not the shim.
	var outcomes [2]outcome
	for i, r := range []runner{{path: runcPath}, {path: shimPath, environment: []string{inPinDir(p.directory)}}} {
		outcomes[i] = r.run(t, "--root", filepath.Join(directory, "root"), "create", "--bundle", directory,
			"--console-socket", socket, "c")
	}
	if diff := cmp.Diff(outcomes[0], outcomes[1]); diff != "" || outcomes[0].Status != "exit status 1" {
		t.Errorf("nobody listens: (-runc +shim):\n%s\n%+v", diff, outcomes[0])
	}
}

// receive accepts a connection and receives a descriptor, as the receiver of a console does.
func receive(t *testing.T, listener *net.UnixListener) *os.File {
	if err := listener.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Error(err)
	}
	connection, err := listener.AcceptUnix()
	if err != nil {
		t.Errorf("waiting for the console: %v", err)
		return nil
	}
	defer connection.Close()
	name, oob := make([]byte, 4096), make([]byte, unix.CmsgSpace(4))
	_, n, _, _, err := connection.ReadMsgUnix(name, oob)
	if err != nil {
		t.Errorf("receiving the console: %v", err)
		return nil
	}
	messages, err := unix.ParseSocketControlMessage(oob[:n])
	if err != nil || len(messages) != 1 {
		t.Errorf("%d messages with the console, %v", len(messages), err)
		return nil
	}
	descriptors, err := unix.ParseUnixRights(&messages[0])
	if err != nil || len(descriptors) != 1 {
		t.Errorf("%d consoles, %v", len(descriptors), err)
		return nil
	}
	return os.NewFile(uintptr(descriptors[0]), "console")
}

// readTerminal reads until the other side is closed everywhere, which causes the error EIO.
func readTerminal(terminal *os.File) string {
	var text []byte
	for buffer := make([]byte, 4096); ; {
		n, err := terminal.Read(buffer)
		text = append(text, buffer[:n]...)
		if err != nil {
			return string(text)
		}
	}
}

func socketPair(t *testing.T) (ours, theirs *os.File) {
	t.Helper()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	ours, theirs = os.NewFile(uintptr(pair[0]), "ours"), os.NewFile(uintptr(pair[1]), "theirs")
	t.Cleanup(func() { ours.Close() })
	_ = syscall.SetsockoptTimeval(pair[0], unix.SOL_SOCKET, unix.SO_RCVTIMEO, &syscall.Timeval{Sec: 20})
	return ours, theirs
}

func changeSpec(t *testing.T, directory string, change func(map[string]any)) {
	t.Helper()
	name := filepath.Join(directory, "config.json")
	var spec map[string]any
	if err := json.Unmarshal([]byte(readFile(t, name)), &spec); err != nil {
		t.Fatal(err)
	}
	change(spec)
	text, err := json.Marshal(spec)
	if err != nil {
		t.Fatal(err)
	}
	write(t, name, string(text))
}

// runStdout returns the unchanged output of a command.
func runStdout(r runner, args ...string) string {
	text, _ := r.command(args...).Output()
	return string(text)
}
