// SPDX-License-Identifier: Apache-2.0

package syscalls_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/runc-trace/runc-trace/pkg/syscalls"
	"github.com/runc-trace/runc-trace/pkg/syscalls/headers"
)

// kernelHeaders define the constants of flags.txt. Headers that an installation lacks are left out.
const kernelHeaders = `linux/types.h linux/fcntl.h linux/openat2.h linux/stat.h linux/fs.h linux/falloc.h linux/fadvise.h
	linux/xattr.h linux/close_range.h linux/inotify.h linux/fanotify.h linux/memfd.h linux/mount.h linux/mman.h
	linux/mempolicy.h linux/sched.h linux/sched/types.h linux/futex.h linux/wait.h linux/prctl.h asm/prctl.h
	linux/seccomp.h linux/securebits.h linux/capability.h linux/ptrace.h asm/ptrace.h asm/ptrace-abi.h linux/elf.h
	linux/resource.h linux/time.h linux/timex.h linux/timerfd.h linux/eventfd.h linux/eventpoll.h linux/signalfd.h
	asm/signal.h asm/siginfo.h linux/pidfd.h linux/rseq.h linux/random.h linux/kcmp.h linux/membarrier.h linux/bpf.h
	linux/perf_event.h linux/io_uring.h linux/quota.h linux/dqblk_xfs.h linux/module.h linux/keyctl.h linux/kexec.h
	linux/reboot.h linux/userfaultfd.h linux/ipc.h linux/sem.h linux/shm.h linux/msg.h linux/mqueue.h linux/net.h
	linux/socket.h asm/socket.h asm/sockios.h linux/sockios.h linux/in.h linux/in6.h linux/tcp.h linux/udp.h
	linux/icmp.h linux/icmpv6.h linux/netlink.h linux/if_packet.h linux/if_alg.h linux/if_tun.h linux/if_xdp.h
	linux/if_ether.h linux/if.h linux/tls.h linux/vm_sockets.h linux/mptcp.h linux/can.h linux/can/raw.h linux/magic.h
	linux/aio_abi.h asm/poll.h asm/ioctls.h asm/termbits.h asm/termios.h linux/serial.h linux/tty.h linux/kd.h
	linux/vt.h linux/nsfs.h linux/personality.h linux/ioprio.h linux/landlock.h linux/lsm.h asm/mman.h linux/blkpg.h
	linux/blkzoned.h linux/blktrace_api.h linux/cdrom.h linux/hdreg.h linux/msdos_fs.h linux/btrfs.h linux/fiemap.h
	linux/fscrypt.h linux/fsverity.h linux/loop.h linux/nbd.h linux/dm-ioctl.h linux/vhost.h linux/input.h
	linux/uinput.h linux/watchdog.h linux/rtc.h linux/fuse.h linux/sync_file.h linux/dma-buf.h linux/dma-heap.h
	linux/fsmap.h linux/ethtool.h linux/if_bridge.h linux/net_tstamp.h linux/ptp_clock.h linux/ppp-ioctl.h
	linux/android/binder.h linux/udmabuf.h linux/if_arp.h linux/audit.h`

// libraryHeaders have those that the kernel's headers for user space lack; they are the same for all ABIs.
const libraryHeaders = `sys/socket.h netinet/in.h netinet/tcp.h sys/mman.h sys/wait.h poll.h sys/epoll.h fcntl.h
	sys/prctl.h sched.h sys/statvfs.h signal.h sys/resource.h sys/ptrace.h sys/timex.h unistd.h sys/shm.h sys/sem.h
	sys/msg.h sys/timerfd.h sys/eventfd.h sys/mount.h sys/stat.h dirent.h netinet/udp.h`

// named is a name of flags.txt in a table, and its value.
type named struct {
	table, name string
	value       uint64
	long        bool
}

// expression returns C for the value that a name has in flags.txt.
func (n named) expression() string {
	protocol, network := strings.CutPrefix(n.name, "htons(")
	switch {
	case n.table == "capabilities":
		return "1ULL << (" + n.name + ")"
	case n.table == "quotactl" && strings.HasPrefix(n.name, "Q_"):
		return "(" + n.name + ") << 8"
	case network:
		protocol = strings.TrimSuffix(protocol, ")")
		return fmt.Sprintf("(%s >> 8 | %s << 8) & 0xffff", protocol, protocol)
	}
	return n.name
}

// TestNamesOfHeaders compares the names and values of flags.txt with the kernel's headers of each ABI. Names that no
// header has are listed in testdata/no-header.txt.
func TestNamesOfHeaders(t *testing.T) {
	if err := headers.Missing(); err != nil {
		t.Skip(err)
	}
	stubs := t.TempDir()
	if err := headers.WriteStubs(stubs); err != nil {
		t.Fatal(err)
	}
	known, all := map[string]bool{}, map[string]bool{}
	for i, a := range []syscalls.ABI{syscalls.AMD64, syscalls.ARM64, syscalls.I386, syscalls.ARM} {
		target := &headers.Targets[i]
		var names []named
		syscalls.FlagNames(a, func(table, name string, value uint64, long bool) {
			if table != "ioctl" { // that is for those that no header has
				all[name] = true
			}
			is32 := a == syscalls.I386 || a == syscalls.ARM
			names = append(names, named{table, name, value, long && (!is32 || table == "capabilities")})
		})
		list := kernelHeaders
		if _, err := os.Stat(filepath.Join(target.Folder, "asm/kvm.h")); err == nil {
			list += " asm/kvm.h linux/kvm.h"
		}
		for i, ok := range compare(t, names, list, target.Args(stubs)) {
			known[names[i].name] = known[names[i].name] || ok
		}
	}
	var others []named
	syscalls.FlagNames(syscalls.AMD64, func(table, name string, value uint64, long bool) {
		if !known[name] {
			others = append(others, named{table, name, value, long})
		}
	})
	args := []string{"-target", "x86_64-linux-gnu", "-D_GNU_SOURCE", "-nostdlibinc", "-isystem",
		headers.Targets[0].Folder, "-isystem", headers.Common}
	for i, ok := range compare(t, others, libraryHeaders, args) {
		known[others[i].name] = known[others[i].name] || ok
	}
	listed := map[string]bool{}
	for line := range lines(t, "testdata/no-header.txt") {
		for name := range strings.FieldsSeq(line) {
			if listed[name] = true; !all[name] {
				t.Errorf("testdata/no-header.txt: flags.txt has no %s", name)
			}
		}
	}
	for name := range all {
		if !known[name] && !listed[name] {
			t.Errorf("flags.txt: no header has %s: if it is right, list it in testdata/no-header.txt", name)
		}
	}
}

// compare reports which of the names are constants of the headers, and fails the test if one has another value there.
func compare(t *testing.T, names []named, list string, args []string) []bool {
	t.Helper()
	var c strings.Builder
	for header := range strings.FieldsSeq(list) {
		fmt.Fprintf(&c, "#if __has_include(<%s>)\n#include <%[1]s>\n#endif\n", header)
	}
	first := strings.Count(c.String(), "\n") + 1
	for _, n := range names {
		typ := "unsigned"
		if n.long {
			typ = "unsigned long long"
		}
		fmt.Fprintf(&c, "_Static_assert((%[1]s)(%[2]s) == (%[1]s)%[3]dULL, \"\");\n", typ, n.expression(), n.value)
	}
	source := filepath.Join(t.TempDir(), "names.c")
	if err := os.WriteFile(source, []byte(c.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	args = append(args, "-fsyntax-only", "-w", "-ferror-limit=0",
		"-fno-spell-checking", "-fno-caret-diagnostics", source)
	out, _ := exec.Command("clang-19", args...).CombinedOutput()
	if strings.Contains(string(out), "fatal error") {
		t.Fatalf("clang-19 %s:\n%s", strings.Join(args, " "), out)
	}
	known := make([]bool, len(names))
	for i := range known {
		known[i] = true
	}
	problem := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(source) + `:(\d+):\d+: (error|note): (.*)$`)
	for _, m := range problem.FindAllStringSubmatch(string(out), -1) {
		line, _ := strconv.Atoi(m[1])
		n := names[line-first]
		switch {
		case m[2] == "note" && strings.HasPrefix(m[3], "expression evaluates"):
			t.Errorf("%s: flags.txt: %s: %s=%#x: %s", args[1], n.table, n.name, n.value, m[3])
		case m[2] == "error" && !strings.HasPrefix(m[3], "static assertion failed"):
			known[line-first] = false
		}
	}
	return known
}
