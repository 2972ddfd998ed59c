// SPDX-License-Identifier: Apache-2.0

package bpf_test

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/runc-trace/runc-trace/pkg/bpf"
	"github.com/runc-trace/runc-trace/pkg/config"
	"github.com/runc-trace/runc-trace/pkg/syscalls"
	"github.com/runc-trace/runc-trace/test/patience"
)

// TestSender ends a busy program by a signal from outside of its container, and one that waits: its recording shows the
// signal and who sent it, once, and then the end.
func TestSender(t *testing.T) {
	i := load(t, config.Pool{Rings: 8, RingSize: 256 << 10, Identities: 16, ExecLogSize: 256 << 10, CaptureSize: 128,
		ArgvSize: 4096})
	for n, test := range []struct {
		args []string
		code string
		send func(pid int) error
		name string
	}{
		{[]string{"dd", "if=/dev/zero", "of=/dev/null"}, "SI_USER",
			func(pid int) error { return unix.Kill(pid, unix.SIGTERM) }, "SIGTERM"},
		{[]string{"dd", "if=/dev/zero", "of=/dev/null"}, "SI_USER",
			func(pid int) error { return unix.Kill(pid, unix.SIGKILL) }, "SIGKILL"},
		{[]string{"sleep", "1000"}, "SI_TKILL",
			func(pid int) error { return unix.Tgkill(pid, pid, unix.SIGUSR1) }, "SIGUSR1"},
		{[]string{"sleep", "1000"}, "SI_USER", func(pid int) error {
			fd, err := unix.PidfdOpen(pid, 0)
			if err != nil {
				return err
			}
			defer unix.Close(fd)
			return unix.PidfdSendSignal(fd, unix.SIGUSR2, nil, 0)
		}, "SIGUSR2"},
		{[]string{"sleep", "1000"}, "SI_USER", func(pid int) error { return unix.Kill(pid, unix.SIGABRT) }, "SIGABRT"},
	} {
		id := fmt.Sprint("rt-sender-", n)
		d := container(t, i, "/"+id)
		c := command(d, test.args[0], test.args[1:]...)
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		waitForCall(t, i, id, test.args[0])
		if err := test.send(c.Process.Pid); err != nil {
			t.Fatal(err)
		}
		c.Wait()
		comm, err := os.ReadFile("/proc/self/comm")
		if err != nil {
			t.Fatal(err)
		}
		sent := fmt.Sprintf("--- %s {si_signo=%[1]s, si_code=%s, si_pid=%d} from pid %[3]d %q ---", test.name, test.code,
			os.Getpid(), strings.TrimSpace(string(comm)))
		got := events(calls(t, i, id), c.Process.Pid)
		if len(got) != 2 || got[0] != sent || !strings.HasPrefix(got[1], "+++ killed by "+test.name) {
			t.Errorf("recorded %q, want %s", got, sent)
		}
	}
}

// TestSenderOfIgnoredSignal ends an init by a SIGKILL from outside, after a process of its own PID namespace has sent
// it one, which the kernel ignores: the sender is the one outside.
func TestSenderOfIgnoredSignal(t *testing.T) {
	i := load(t, small)
	d := container(t, i, "/rt-ignored")
	c := command(d, "/bin/sh", "-c", "(kill -9 1); dd if=/dev/zero of=/dev/null")
	c.SysProcAttr.Cloneflags = unix.CLONE_NEWPID
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	waitForCall(t, i, "rt-ignored", "dd")
	if err := c.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	c.Wait()
	got := events(calls(t, i, "rt-ignored"), c.Process.Pid)
	from := fmt.Sprintf(" from pid %d ", os.Getpid())
	if n := len(got); n < 2 || !strings.HasPrefix(got[n-2], "--- SIGKILL") || !strings.Contains(got[n-2], from) {
		t.Errorf("recorded %q, want a SIGKILL%s", got, from)
	}
}

// waitForCall waits until a program of a container has made some calls. The start of a static one takes only ten.
func waitForCall(t *testing.T, i *bpf.Instance, id, comm string) {
	t.Helper()
	patience.Until(t, comm+" makes calls", func() bool {
		found, _ := callsSoFar(t, i, id)
		return len(lines(found, comm)) > 5
	})
}

// events returns what happened to a process, without its calls.
func events(all []syscalls.Call, pid int) (text []string) {
	for n := range all {
		if c := &all[n]; int(c.PID) == pid && (c.Event() || c.Unfinished) {
			text = append(text, string(c.AppendText(nil)))
		}
	}
	return text
}

// TestFault crashes one thread of several: the signal is at that thread, and the end at all of them.
func TestFault(t *testing.T) {
	i := load(t, small)
	d := container(t, i, "/rt-fault")
	work(t, d, "fault")
	all := calls(t, i, "rt-fault")
	var faults, ends, others int
	for n := range all {
		c := &all[n]
		text := string(c.AppendText(nil))
		_, delivered := c.Delivery()
		switch {
		case text == "--- SIGSEGV {si_signo=SIGSEGV, si_code=SEGV_MAPERR, si_addr=0x8} ---" && string(c.Comm) == "worker":
			faults++
			if c.TID == c.PID {
				t.Error("the fault is shown at the main thread")
			}
		case delivered && strings.Contains(text, "SIGSEGV"):
			t.Error(text)
		case strings.Contains(text, "+++ killed by SIGSEGV"):
			ends++
		}
		if string(c.Comm) == "other" {
			others++
		}
	}
	if faults != 1 || ends < 4 || others == 0 {
		t.Errorf("%d faults, %d ends, %d calls of other threads", faults, ends, others)
	}
}

// faultWorker reads from an address without memory, in one of several threads. Before, that has waited for the same
// signal, which it sent itself: the sender is not that of the fault.
func faultWorker() {
	ready := make(chan bool)
	for range 3 {
		go func() {
			runtime.LockOSThread()
			must(unix.Prctl(unix.PR_SET_NAME, pointer(cString("other")), 0, 0, 0))
			ready <- true
			for {
				raw(unix.SYS_GETPPID)
			}
		}()
	}
	for range 3 {
		<-ready
	}
	var fault func()
	fault = func() {
		worker()
		if unix.Gettid() == os.Getpid() {
			go fault() // in another thread than the main one
			select {}
		}
		set := uint64(1) << (unix.SIGSEGV - 1)
		raw(unix.SYS_RT_SIGPROCMASK, unix.SIG_BLOCK, pointer(&set), 0, 8)
		must(unix.Tgkill(os.Getpid(), unix.Gettid(), unix.SIGSEGV))
		raw(unix.SYS_RT_SIGTIMEDWAIT, pointer(&set), 0, 0, 8)
		raw(unix.SYS_RT_SIGPROCMASK, unix.SIG_UNBLOCK, pointer(&set), 0, 8)
		var action [4]uint64 // the default one
		raw(unix.SYS_RT_SIGACTION, uintptr(unix.SIGSEGV), pointer(&action), 0, 8)
		crash(8)
	}
	go fault()
	select {}
}

//go:noinline
func crash(address uintptr) byte { return **(**byte)(unsafe.Pointer(&address)) }
