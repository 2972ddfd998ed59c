// SPDX-License-Identifier: Apache-2.0

package syscalls_test

import (
	"encoding/binary"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/syscalls"
	"github.com/runc-trace/runc-trace/pkg/syscalls/recordtest"
)

// delivery makes the record of a signal, and decodes it.
func delivery(t *testing.T, signal, code int64, address uint64, pid, handled int64, sender *abi.Sender) syscalls.Call {
	t.Helper()
	c := syscalls.Call{
		Native: syscalls.AMD64, ABI: syscalls.AMD64, Nr: syscalls.NumberSignal, NArgs: abi.SignalArgs,
		Args: [6]uint64{uint64(signal), uint64(code), address, uint64(pid), uint64(handled)},
	}
	if sender != nil {
		data, err := binary.Append(nil, binary.NativeEndian, sender)
		if err != nil {
			t.Fatal(err)
		}
		c.Captures = []syscalls.Capture{{Arg: abi.SignalSender, Data: data, Kernel: true}}
	}
	got := syscalls.Call{Native: syscalls.AMD64}
	if err := got.Decode(recordtest.Append(nil, &c)); err != nil {
		t.Fatal(err)
	}
	return got
}

func TestDelivery(t *testing.T) {
	sender := &abi.Sender{Cgroup: 7, PID: 4711}
	copy(sender.Comm[:], "a]\x1b[2J")
	for _, test := range []struct {
		call       syscalls.Call
		text, json string
		failed     bool
	}{
		{delivery(t, 11, 1, 0x10, 0, 0, nil), "--- SIGSEGV {si_signo=SIGSEGV, si_code=SEGV_MAPERR, si_addr=0x10} ---",
			`{"signal":"SIGSEGV","code":"SEGV_MAPERR","address":"0x10","handled":false}`, true},
		{delivery(t, 11, 1, 0x10, 0, 1, nil), "--- SIGSEGV {si_signo=SIGSEGV, si_code=SEGV_MAPERR, si_addr=0x10} ---",
			`{"signal":"SIGSEGV","code":"SEGV_MAPERR","address":"0x10","handled":true}`, false},
		{delivery(t, 11, -6, 0x10, 3, 0, nil), "--- SIGSEGV {si_signo=SIGSEGV, si_code=SI_TKILL, si_pid=3} ---",
			`{"signal":"SIGSEGV","code":"SI_TKILL","pid":3,"handled":false}`, true},
		{delivery(t, 9, 0, 0, 0, 0, sender),
			`--- SIGKILL {si_signo=SIGKILL, si_code=SI_USER} from pid 4711 "a]\33[2J" ---`,
			`{"signal":"SIGKILL","code":"SI_USER","handled":false,` +
				`"sender":{"pid":4711,"comm":"a]\u001b[2J","cgroup":7}}`, true},
		{delivery(t, 17, 1, 0, 6, 1, nil), "--- SIGCHLD {si_signo=SIGCHLD, si_code=CLD_EXITED, si_pid=6} ---",
			`{"signal":"SIGCHLD","code":"CLD_EXITED","pid":6,"handled":true}`, false},
		{delivery(t, 8, 0x80, 0, 0, 0, nil), "--- SIGFPE {si_signo=SIGFPE, si_code=SI_KERNEL, si_addr=0} ---",
			`{"signal":"SIGFPE","code":"SI_KERNEL","address":"0","handled":false}`, true},
		{delivery(t, 40, 99, 0, 0, 0, nil), "--- SIGRT_8 {si_signo=SIGRT_8, si_code=99} ---",
			`{"signal":"SIGRT_8","code":"99","handled":false}`, false},
	} {
		if got := string(test.call.AppendText(nil)); got != test.text {
			t.Errorf("%s\nwant %s", got, test.text)
		}
		d, ok := test.call.Delivery()
		got, err := json.Marshal(d)
		if err != nil || !ok || string(got) != test.json {
			t.Errorf("%s, %v\nwant %s", got, err, test.json)
		}
		if test.call.Failed() != test.failed {
			t.Errorf("%s: failed: %v", test.text, !test.failed)
		}
		j := test.call.JSON(false)
		if diff := cmp.Diff(syscalls.JSON{Args: json.RawMessage("[]"), Delivered: &d}, j); diff != "" {
			t.Errorf("JSON (-want +got):\n%s", diff)
		}
	}
}

// TestChild reads the ID of a process that a call made, beside captures of arguments.
func TestChild(t *testing.T) {
	c := call(t, "clone", 5, 0, 0, 0, 0, 0)
	c.Captures = []syscalls.Capture{{Arg: abi.CaptureResult, Data: []byte{1, 2, 0, 0}, Kernel: true}}
	got := syscalls.Call{Native: syscalls.AMD64}
	if err := got.Decode(recordtest.Append(nil, &c)); err != nil {
		t.Fatal(err)
	}
	if child, ok := got.Child(); !ok || child != 513 || *got.JSON(false).Child != 513 {
		t.Errorf("child %d, %v", child, ok)
	}
	if text := string(got.AppendExit(nil)); text != "...clone() = 5 <pid 513>" {
		t.Error(text)
	}
	if got.Result = 513; !strings.HasSuffix(string(got.AppendText(nil)), " = 513") {
		t.Errorf("the same ID twice: %s", got.AppendText(nil))
	}
}

// TestOutOfMemory says why the kernel killed a task.
func TestOutOfMemory(t *testing.T) {
	for _, nr := range []syscalls.Nr{syscalls.NumberNone, number(t, syscalls.AMD64, "getppid")} {
		c := syscalls.Call{Native: syscalls.AMD64, ABI: syscalls.AMD64, Nr: nr, Result: 9}
		c.Unfinished, c.OutOfMemory = true, true
		got := syscalls.Call{Native: syscalls.AMD64}
		if err := got.Decode(recordtest.Append(nil, &c)); err != nil {
			t.Fatal(err)
		}
		const want = "+++ killed by SIGKILL (out of memory) +++"
		if text := string(got.AppendText(nil)); text != want && text != "getppid() = ? <unfinished ...> "+want {
			t.Errorf("%s", text)
		}
		if !got.JSON(false).OutOfMemory {
			t.Error("the JSON does not say so")
		}
	}
}
