// SPDX-License-Identifier: Apache-2.0

package bpf_test

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/runc-trace/runc-trace/pkg/bpf"
	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/syscalls"
	"github.com/runc-trace/runc-trace/test/cgroup"
	"github.com/runc-trace/runc-trace/test/patience"
)

// alike replaces the parts of a line that differ from run to run.
func alike(line string) string {
	line = regexp.MustCompile(`0x[0-9a-f]{6,}`).ReplaceAllString(line, "ADDR")
	line = regexp.MustCompile(`\[\d+, \d+\]`).ReplaceAllString(line, "[FD, FD]")
	return regexp.MustCompile(`^(getppid\(\)) = \d+`).ReplaceAllString(line, "$1 = PID")
}

// worked runs a worker in a container and returns its calls as lines, normalized by alike.
func worked(t *testing.T, i *bpf.Instance, name string) []string {
	t.Helper()
	d := container(t, i, "/rt-"+name)
	work(t, d, name)
	found := lines(calls(t, i, "rt-"+name), "worker")
	for n := range found {
		found[n] = alike(found[n])
	}
	return found
}

// expect checks that got contains the wanted lines in this order; other lines may be between them.
func expect(t *testing.T, got []string, want ...string) {
	t.Helper()
	rest := got
	for _, line := range want {
		n := slices.Index(rest, line)
		if n < 0 {
			t.Errorf("missing, or not in its place: %s", line)
			continue
		}
		rest = rest[n+1:]
	}
	if t.Failed() {
		t.Logf("recorded:\n%s", strings.Join(got, "\n"))
	}
}

func TestCalls(t *testing.T) {
	x, y := strings.Repeat("x", 127), strings.Repeat("y", 127)
	digits := strings.Repeat("0123456789", 13)[:128]
	expect(t, worked(t, load(t, small), "calls"),
		`getppid() = PID`,
		`openat(dfd=AT_FDCWD, filename=ADDR "/nonexistent/\33[31mred", flags=O_RDONLY|O_CLOEXEC) = -1 ENOENT (No such file or directory)`,
		`openat(dfd=AT_FDCWD, filename=ADDR "/`+x+`"..., flags=O_RDONLY) = -1 ENAMETOOLONG (File name too long)`,
		`openat(dfd=AT_FDCWD, filename=ADDR "/`+y+`", flags=O_RDONLY) = -1 ENOENT (No such file or directory)`,
		`pipe2(fildes=ADDR [FD, FD], flags=0) = 0`,
		`write(fd=101, buf=ADDR "01234", count=5) = 5`,
		`write(fd=101, buf=ADDR "`+digits+`"..., count=300) = 300`,
		`read(fd=100, buf=ADDR "0123401", count=7) = 7`,
		`write(fd=101, buf=0x10 <unreadable>, count=4) = -1 EFAULT (Bad address)`,
		`write(fd=999, buf=ADDR "", count=0) = -1 EBADF (Bad file descriptor)`,
		`mmap(addr=NULL, len=4096, prot=PROT_READ, flags=MAP_PRIVATE|MAP_ANONYMOUS, off=0) = ADDR`,
		`lseek(fd=999, offset=-5, whence=SEEK_END) = -1 EBADF (Bad file descriptor)`,
	)
}

// TestLateInput reads input whose page is brought into memory by the call itself: all of the input is marked.
func TestLateInput(t *testing.T) {
	expect(t, worked(t, load(t, small), "unmapped"),
		`openat(dfd=AT_FDCWD, filename=ADDR "/not/in/mem" <read late>, flags=O_RDONLY) = -1 ENOENT (No such file or directory)`,
		`write(fd=101, buf=ADDR "/not/in/mem" <read late>, count=11) = 11`,
		`writev(fd=101, vec=ADDR [{iov_base=ADDR "/not/in/mem" <read late>, iov_len=11}] <read late>, vlen=1) = 11`,
		`sendmsg(fd=101, msg=ADDR {msg_name=NULL, msg_namelen=0, msg_iov=ADDR [{iov_base=ADDR "/not/in/mem" <read late>, iov_len=11}] <read late>, msg_iovlen=1, msg_controllen=0, msg_flags=0} <read late>, flags=0) = 11`,
	)
}

func TestVectors(t *testing.T) {
	const oneTwo = `[{iov_base=ADDR "one ", iov_len=4}, {iov_base=ADDR "two ", iov_len=4}`
	three := strings.Repeat("three", 50)[:120]
	sixteens := func(n int, late string) string {
		one := `{iov_base=ADDR "0123456789abcdef"` + late + `, iov_len=16}`
		return "[" + strings.Join(slices.Repeat([]string{one}, n), ", ") + "]"
	}
	expect(t, worked(t, load(t, small), "vectors"),
		`writev(fd=101, vec=ADDR `+oneTwo+`], vlen=2) = 8`,
		`readv(fd=100, vec=ADDR [{iov_base=ADDR "one", iov_len=3}, {iov_base=ADDR " two ", iov_len=100}], vlen=2) = 8`,
		`sendmsg(fd=101, msg=ADDR {msg_name=NULL, msg_namelen=0, msg_iov=ADDR `+oneTwo+
			`], msg_iovlen=2, msg_controllen=0, msg_flags=0}, flags=0) = 8`,
		`writev(fd=101, vec=ADDR `+oneTwo+`, {iov_base=ADDR "`+three+`"..., iov_len=250}], vlen=3) = 258`,
		`connect(fd=999, uservaddr=ADDR {sa_family=AF_INET, sin_port=htons(80), sin_addr=inet_addr("127.0.0.1")}, addrlen=16) = -1 EBADF (Bad file descriptor)`,
		// Of each iovec, 32 bytes are kept at least. What has no room in the storage of the task is read at exit.
		`writev(fd=101, vec=ADDR `+sixteens(9, " <read late>")+` <read late>, vlen=9) = 144`,
		`readv(fd=100, vec=ADDR `+sixteens(9, "")+`, vlen=9) = 144`,
		`writev(fd=101, vec=ADDR `+sixteens(8, " <read late>")+` <read late>, vlen=8) = 128`,
	)
}

// TestOversizedResult checks that a call whose result exceeds its buffer is recorded only up to the buffer's size.
func TestOversizedResult(t *testing.T) {
	expect(t, worked(t, load(t, small), "oversized"),
		`recvfrom(fd=101, ubuf=ADDR "mmmmmmmm", size=8, flags=MSG_TRUNC, addr=NULL) = 50`)
}

// TestRefused records calls that seccomp refuses. The enter hook does not run for these.
func TestRefused(t *testing.T) {
	const mkdir = `mkdirat(dfd=AT_FDCWD, pathname=ADDR "/refused", mode=0700) = -1 EPERM (Operation not permitted) (enter not seen; denied by seccomp or a tracer?)`
	const open = `openat(dfd=AT_FDCWD, filename=ADDR "/refused", flags=O_RDONLY) = -1 ENOENT (No such file or directory)`
	expect(t, worked(t, load(t, small), "refused"), mkdir, open, mkdir, open, mkdir, open)
}

func TestUnknownNumbers(t *testing.T) {
	// 0x7fffffff without the bit of x32, an ABI of amd64 only
	x32 := map[string]string{"amd64": "x32:"}[runtime.GOARCH]
	expect(t, worked(t, load(t, small), "unknown"),
		`syscall_0x3e7(0x1, 0x2, 0x3, 0, 0, 0) = -1 ENOSYS (Function not implemented)`,
		`syscall_0x11170(0x1, 0, 0, 0, 0, 0) = -1 ENOSYS (Function not implemented)`,
		x32+`syscall_ADDR(0x1, 0, 0, 0, 0, 0) = -1 ENOSYS (Function not implemented)`,
		`syscall_ADDR(0x1, 0, 0, 0, 0, 0) = -1 ENOSYS (Function not implemented)`, // 0xffffffff
	)
}

// TestUnfinished shows a call that has not returned, while its task lives and after the task was killed.
func TestUnfinished(t *testing.T) {
	i := load(t, small)
	d := container(t, i, "/rt-blocked")
	c := command(d, os.Args[0])
	c.Env = as("blocked")
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatalf("worker says %q: %v", line, err)
	}
	slot := identity(t, i, "rt-blocked")
	want := []string{"read(fd=100, buf=ADDR, count=10) <unfinished ...>"}
	patience.Until(t, "its thread has made the call, and was in it for a millisecond", func() bool {
		return cmp.Equal(want, inFlight(t, i, slot))
	})
	if err := c.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	c.Wait()
	var dead []string
	for _, call := range calls(t, i, "rt-blocked") {
		dead = append(dead, alike(string(call.AppendText(nil))))
	}
	expect(t, dead,
		`read(fd=100, buf=ADDR, count=10) = ? ERESTARTSYS (To be restarted if SA_RESTART is set)`,
		`+++ killed by SIGKILL +++`)
}

// inFlight returns the calls of a container's worker that have not returned.
func inFlight(t *testing.T, i *bpf.Instance, slot abi.Identity) (live []string) {
	t.Helper()
	unfinished, err := i.UnfinishedCalls()
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range unfinished {
		var call syscalls.Call
		if err := call.Decode(u.Record); err != nil {
			t.Fatal(err)
		}
		if u.Ring == slot.Ring-1 && u.RingGeneration == slot.RingGeneration && string(call.Comm) == "worker" {
			live = append(live, alike(string(call.AppendInFlight(nil))))
		}
	}
	return live
}

// TestCrash records the signal that killed a task outside of any call.
func TestCrash(t *testing.T) {
	i := load(t, small)
	d := container(t, i, "/rt-crash")
	run(t, d, "/bin/sh", "-c", "kill -SEGV $$")
	got := lines(calls(t, i, "rt-crash"), "sh")
	if len(got) == 0 || !strings.HasPrefix(got[len(got)-1], "+++ killed by SIGSEGV") {
		t.Errorf("recorded:\n%s", strings.Join(got, "\n"))
	}
}

// TestExitGroupIsLast checks that exit_group is the last call in the recording of a program that exits.
func TestExitGroupIsLast(t *testing.T) {
	i := load(t, small)
	d := container(t, i, "/rt-exit")
	run(t, d, "/bin/sh", "-c", "exit 3")
	got := lines(calls(t, i, "rt-exit"), "sh")
	if len(got) == 0 || got[len(got)-1] != "exit_group(error_code=3) = ?" {
		t.Errorf("recorded:\n%s", strings.Join(got, "\n"))
	}
}

// TestCompat runs a program of the 32-bit ABI: its numbers are not interpreted as native ones.
func TestCompat(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Skip("the program is i386's")
	}
	i := load(t, small)
	dir := t.TempDir()
	source, program := filepath.Join(dir, "ia32.s"), filepath.Join(dir, "ia32")
	const assembly = `
.globl _start
_start:
	mov $5, %eax		/* open */
	mov $path, %ebx
	xor %ecx, %ecx
	int $0x80
	mov $4, %eax		/* write */
	mov $1, %ebx
	mov $text, %ecx
	mov $3, %edx
	int $0x80
	mov $1, %eax		/* exit */
	mov $9, %ebx
	int $0x80
.data
path: .asciz "/nowhere"
text: .ascii "hi\n"
`
	if err := os.WriteFile(source, []byte(assembly), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("gcc", "-m32", "-nostdlib", "-static", "-o", program,
		source).CombinedOutput(); err != nil {
		t.Fatalf("assembling: %v: %s", err, out)
	}
	d := container(t, i, "/rt-ia32")
	if state := run(t, d, program); state.ExitCode() != 9 {
		t.Fatalf("the kernel runs no 32-bit programs: %v", state)
	}
	got := lines(calls(t, i, "rt-ia32"), "ia32")
	for n := range got {
		got[n] = strings.ReplaceAll(alike(got[n]), " <read late>", "") // the program has not touched its pages before
	}
	expect(t, got,
		`ia32:open(filename=ADDR "/nowhere", flags=O_RDONLY) = -1 ENOENT (No such file or directory)`,
		`ia32:write(fd=1, buf=ADDR "hi\n", count=3) = 3`,
		`ia32:exit(error_code=9) = ?`,
	)
}

// TestNoTornRecordUnderLoad reads a tiny ring while eight threads overwrite it as fast as they can.
func TestNoTornRecordUnderLoad(t *testing.T) {
	o := small
	o.RingSize = 32 << 10
	i := load(t, o)
	d := container(t, i, "/rt-patterns")
	c := command(d, os.Args[0])
	c.Env = as("patterns")
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	defer c.Wait()
	defer c.Process.Kill()
	r, err := i.Recording(0)
	if err != nil {
		t.Fatal(err)
	}
	var read, checked, torn, unsettled int
	for lasts := patience.For(5 * time.Second); lasts(checked > 0); read++ {
		s, err := r.Lanes[abi.LaneRecent].Read(0, false)
		if err != nil {
			unsettled++
			continue
		}
		torn += int(s.Torn)
		for _, record := range s.Records {
			var call syscalls.Call
			if err := call.Decode(record); err != nil {
				t.Fatalf("a record that is none: %v: %x", err, record)
			}
			if string(call.Comm) != "worker" || call.Nr != unix.SYS_WRITE {
				continue
			}
			data := call.Capture(1)
			if data == nil || len(data.Data) != int(call.Args[2]) || call.Result != int64(call.Args[2]) ||
				len(bytes.Trim(data.Data, string(data.Data[:1]))) != 0 {
				t.Fatalf("a torn record: %s", call.AppendText(nil))
			}
			checked++
		}
	}
	t.Logf("%d reads, %d records checked, %d left out as torn, %d times unsettled, %d writers overtaken", read, checked,
		torn, unsettled, counters(t, i)[abi.CountTorn])
	if checked == 0 {
		t.Error("no records were checked")
	}
}

// TestRepeatedOpen opens two files by one path: each of them is recorded with its own path, as the kernel says it.
func TestRepeatedOpen(t *testing.T) {
	i := load(t, small)
	d, dir := container(t, i, "/rt-repeated"), t.TempDir()
	for _, name := range []string{"decoy", "secret"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("x\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	run(t, d, "/bin/sh", "-c", "cd "+dir+"; for f in decoy decoy secret decoy; do ln -sfn $f link; read x <link; done")
	var files []string
	for _, line := range lines(calls(t, i, "rt-repeated"), "sh") {
		if _, after, found := strings.Cut(line, `"link", flags=O_RDONLY) = 3`); found {
			files = append(files, after)
		}
	}
	decoy, secret := fmt.Sprintf(` <file "%s/decoy">`, dir), fmt.Sprintf(` <file "%s/secret">`, dir)
	want := []string{decoy, "", secret, ""} // once for each file
	if diff := cmp.Diff(want, files); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestPolicy records containers of which not everything is to be kept.
func TestPolicy(t *testing.T) {
	i := load(t, small)
	for flags, want := range map[uint32]map[string]bool{
		0:                 {"write": true, "contents": true, "openat": true},
		abi.WhoNoContents: {"write": true, "contents": false, "openat": true},
		abi.WhoFilesOnly:  {"write": false, "contents": false, "openat": true},
	} {
		name := fmt.Sprint("rt-policy-", flags)
		who := cgroup.Recorded(name)
		who.Flags |= flags
		d := unmade(t, "/"+name)
		if err := d.Register(i.Dir, who); err != nil {
			t.Fatal(err)
		}
		run(t, d, "/bin/sh", "-c", "exec /bin/cat /etc/hostname")
		got := map[string]bool{"write": false, "contents": false, "openat": false}
		for _, c := range calls(t, i, name) {
			if string(c.Comm) != "cat" || c.Syscall() == nil {
				continue
			}
			switch c.Syscall().Name {
			case "write":
				got["write"] = true
				got["contents"] = c.Capture(1) != nil
			case "openat":
				got["openat"] = true
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("flags %d (-want +got):\n%s", flags, diff)
		}
	}
}
