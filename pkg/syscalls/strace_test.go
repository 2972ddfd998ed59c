// SPDX-License-Identifier: Apache-2.0

package syscalls_test

import (
	"encoding/binary"
	"encoding/json"
	"strings"
	"testing"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/syscalls"
)

// le returns numbers as they are in memory: of 1 to 8 bytes each, by their type.
func le(numbers ...any) string {
	var data []byte
	for _, n := range numbers {
		if text, ok := n.(string); ok {
			data = append(data, text...)
			continue
		}
		var err error
		if data, err = binary.Append(data, binary.LittleEndian, n); err != nil {
			panic(err)
		}
	}
	return string(data)
}

// output is with for memory that was read at the exit.
func output(c syscalls.Call, arg int, data string) syscalls.Call {
	c = with(c, arg, data)
	c.Captures[len(c.Captures)-1].Output = true
	return c
}

// part is with for a part of what an argument points to.
func part(c syscalls.Call, arg, part int, data string) syscalls.Call {
	c = with(c, arg, data)
	c.Captures[len(c.Captures)-1].Part = part
	return c
}

// result adds what the kernel made of a call.
func result(c syscalls.Call, part int, data string) syscalls.Call {
	c.Captures = append(c.Captures,
		syscalls.Capture{Arg: abi.CaptureResult, Part: part, Data: []byte(data), Output: true, Kernel: true})
	return c
}

// structured returns calls that point to structs.
func structured(t *testing.T) []syscalls.Call {
	stat := le(uint32(0o100644), uint32(1000), uint32(1000), uint32(0), uint64(0), uint64(43968))
	device := le(uint32(0o20666), uint32(0), uint32(0), uint32(0), uint64(0x103), uint64(0))
	action := le(uint64(0), uint64(0x04000004), uint64(0x7f00), uint64(1<<16))
	inet := le(uint16(2), []byte{0, 80}, []byte{127, 0, 0, 1})
	header := func(name uint64, length uint32, control uint64) string {
		return le(name, length, uint32(0), uint64(0xa0), uint64(2), control, control, uint32(0x40), uint32(0))
	}
	vector := le(uint64(0xb0), uint64(2), uint64(0xb1), uint64(3))
	rights := le(uint64(24), uint32(1), uint32(1), int32(3), int32(4))
	credentials := le(uint64(28), uint32(1), uint32(2), int32(7), uint32(1000), uint32(100), uint32(0))
	entries := le(uint64(11), int64(1), uint16(24), uint8(4), ".\x00\x00\x00\x00",
		uint64(12), int64(2), uint16(24), uint8(8), "a.c\x00\x00")
	child := le(int32(17), int32(0), int32(1), int32(0), int32(7), uint32(1000), int32(3), int32(0), int64(1), int64(2))
	sqe := le(uint8(18), uint8(0), uint16(0), int32(-100), uint64(0), uint64(0x7000), uint32(0o644), uint32(0),
		uint64(42), make([]byte, 24))
	cqe := le(uint64(42), int32(-2), uint32(0))
	capabilities := le(uint32(1), uint32(0xffffffff), uint32(0), uint32(0), uint32(0x1ff), uint32(0))
	epoll := le(uint32(0x80000001), uint64(5), uint32(0x10), uint64(6))
	polled := le(int32(3), int16(1), int16(0), int32(4), int16(4), int16(0))
	times := le(int64(1), int64(5), int64(0), int64(0x3fffffff))
	calls := []syscalls.Call{
		output(call(t, "fstat", 0, 3, pointer), 1, stat),
		output(with(call(t, "newfstatat", 0, minus100, pointer, pointer, 0), 1, "/dev/null"), 2, device),
		output(call(t, "fstat", 0, 3, pointer), 1, stat[:6]),
		output(with(call(t, "rt_sigaction", 0, 15, pointer, pointer, 8), 1, action), 2, strings.Repeat("\x00", 32)),
		output(with(call(t, "rt_sigprocmask", 0, 2, pointer, pointer, 8), 1, le(^uint64(0x40100))), 2, le(uint64(0))),
		output(with(call(t, "sigaltstack", 0, pointer, pointer), 0, le(uint64(0), uint64(2), uint64(0))), 1,
			le(uint64(0x7000), uint64(0), uint64(8192))),
		with(call(t, "epoll_ctl", 0, 3, 1, 4, pointer), 3, epoll[:12]),
		output(call(t, "epoll_wait", 2, 3, pointer, 8, 1<<64-1), 1, epoll),
		call(t, "epoll_wait", 0, 3, pointer, 8, 10),
		output(with(call(t, "poll", 1, pointer, 2, 100), 0, polled), 0,
			le(int32(3), int16(1), int16(0x11), int32(4), int16(4), int16(0))),
		output(output(with(with(call(t, "pselect6", 1, 5, pointer, 0, 0, pointer, 0), 1, "\x18"), 4, le(int64(1), int64(0))),
			1, "\x10"), 4, le(int64(0), int64(7))),
		call(t, "poll", 0, 0, 0, 100),
		with(call(t, "utimensat", 0, minus100, pointer, pointer, 0), 2, times),
		with(call(t, "fcntl", 0, 3, 6, pointer), 2, le(int16(1), int16(0), int32(0), int64(10), int64(20))),
		output(with(call(t, "fcntl", 0, 3, 5, pointer), 2, le(int16(0), int16(0), int32(0), int64(0), int64(0), int32(0))), 2,
			le(int16(2), int16(0), int32(0), int64(0), int64(0), int32(0))),
		call(t, "fcntl", 0x8402, 3, 3, 0), call(t, "fcntl", 1, 3, 1, 0), call(t, "umask", 0o22, 7),
		output(output(with(call(t, "getsockopt", 0, 3, 1, 4, pointer, pointer), 4, le(int32(4))), 4, le(int32(4))), 3,
			le(int32(111))),
		with(call(t, "setsockopt", 0, 3, 1, 13, pointer, 8), 3, le(int32(1), int32(5))),
		with(call(t, "setsockopt", 0, 3, 6, 13, pointer, 6), 3, "cubic\x00"),
		output(output(with(call(t, "accept", 4, 3, pointer, pointer), 2, le(int32(128))), 2, le(int32(16))), 1, inet),
		with(call(t, "bind", 0, 3, pointer, 20), 1, le(uint16(17), uint8(8), uint8(6), int32(2), uint16(1), uint8(0),
			uint8(6), "\x02\x42\x00\x00\x00\x01\x00\x00")),
		with(call(t, "bind", 0, 3, pointer, 16), 1, le(uint16(40), uint16(0), uint32(1024), uint32(2), uint32(0))),
		part(part(part(part(part(with(call(t, "sendmsg", 5, 3, pointer, 0), 1, header(0xc0, 16, 24)), 1, abi.PartName, inet),
			1, abi.PartControl, rights), 1, abi.PartVector, vector), 1, abi.PartData, "ab"), 1, abi.PartData, "cde"),
		part(part(part(output(part(call(t, "recvmsg", 3, 3, pointer, 0), 1, abi.PartRoom, le(uint64(0), uint32(110))), 1,
			header(0xc0, 0, 32)), 1, abi.PartControl, credentials), 1, abi.PartVector, vector), 1, abi.PartData, "ab"),
		output(call(t, "getdents64", 48, 3, pointer, 32768), 1, entries), call(t, "getdents64", 0, 3, pointer, 32768),
		output(call(t, "waitid", 0, 0, 0, pointer, 4, 0), 2, child+strings.Repeat("\x00", 8)),
		output(call(t, "wait4", 7, 1<<64-1, pointer, 0, 0), 1, le(int32(3<<8))),
		output(call(t, "wait4", 7, 1<<64-1, pointer, 0, 0), 1, le(int32(0x8b))),
		output(call(t, "wait4", 7, 1<<64-1, pointer, 2, 0), 1, le(int32(0x137f))),
		part(part(part(with(call(t, "io_uring_enter", 1, 4, 1, 1, 1, 0, 8), 5, ""), 0, abi.PartSubmission, sqe), 0,
			abi.PartName, "/etc/app.conf"), 0, abi.PartCompletions, cqe),
		with(with(call(t, "capset", 0, pointer, pointer), 0, le(uint32(0x20080522), int32(0))), 1, capabilities),
		output(call(t, "prlimit64", 0, 0, 3, 0, pointer), 3, le(uint64(8<<20), ^uint64(0))),
		output(with(call(t, "sendfile", 5, 4, 3, pointer, 100), 2, le(int64(0))), 2, le(int64(5))),
		output(call(t, "sched_getaffinity", 8, 0, 128, pointer), 2, "\x05\x00\x00\x00\x00\x00\x00\x80"),
		part(part(with(call(t, "execve", -2, pointer, pointer, pointer), 0, "/bin/ls"), 1, abi.PartWhole, "ls\x00-l\x00"), 2,
			abi.PartStrings, le(uint32(1), uint32(0))),
		with(call(t, "clone3", 77, pointer, 88), 0, le(uint64(0x3d0f00), uint64(0), uint64(0x7f10), uint64(0x7f10), uint64(0),
			uint64(0x7000), uint64(0x4000), uint64(0x7f20), uint64(0), uint64(0), uint64(0))),
		output(call(t, "clone", 77, 0x3d0f00, 0x7f00, 0x7f10, 0x7f10, 0x7f20), 2, le(int32(77))),
		output(call(t, "uname", 0, pointer), 0, le("Linux\x00", make([]byte, 59), "web-0\x00", make([]byte, 60))),
		call(t, "mmap", 0x7f00, 0, 4096, 3, 0x22, 1<<64-1, 0),
		call(t, "read", 0, 3, pointer, 10), call(t, "accept", 4, 3, 0, 0),
	}
	clone := &calls[len(calls)-5]
	clone.Captures = append(clone.Captures,
		syscalls.Capture{Arg: abi.CaptureResult, Data: []byte{1, 2, 0, 0}, Kernel: true})
	return calls
}

// siginfo is a call of rt_sigqueueinfo, of which only the struct is shown.
func siginfo(t *testing.T, signal, code, errno int32, rest string) syscalls.Call {
	data := le(signal, errno, code, int32(0), rest)
	return with(call(t, "rt_sigqueueinfo", 0, 1, uint64(signal), pointer), 2, data+strings.Repeat("\x00", 48-len(data)))
}

// late marks memory that was read only at the exit.
func late(c syscalls.Call) syscalls.Call {
	c.Captures[len(c.Captures)-1].Late = true
	return c
}

// unreadable marks memory of which the end could not be read.
func unreadable(c syscalls.Call) syscalls.Call {
	c.Captures[len(c.Captures)-1].Fault = true
	return c
}

// TestStrace shows calls for which strace has forms of its own.
func TestStrace(t *testing.T) {
	polled := func(fd int32, happened int16) string { return le(fd, int16(1), happened) }
	ring := le(uint32(8), uint32(16), make([]byte, 12), uint32(1), make([]byte, 20), uint32(64), make([]byte, 72))
	two := le(uint64(0), uint64(0), uint64(0xa0), uint64(1), uint64(0), uint64(0), uint64(0), uint64(6))
	vector := le(uint64(0xb0), uint64(50))
	header := le(make([]byte, 32), uint64(0xc0), uint64(16), uint64(0))
	unknown := on(t, call(t, "getpid", -38, 1), syscalls.AMD64, syscalls.I386, "getpid")
	unknown.Nr = 500
	for _, test := range []struct {
		call syscalls.Call
		want string
	}{
		{with(call(t, "quotactl", 0, 0x80000701, pointer, 5, 0), 1, "/dev/sda"),
			`quotactl(QCMD(Q_GETQUOTA, GRPQUOTA), "/dev/sda", 5, NULL) = 0`},
		{call(t, "quotactl", -22, 0x5ff, 0, 0, 0), `quotactl(QCMD(0x5, 0xff), NULL, 0, NULL) = -1 EINVAL (Invalid argument)`},
		{call(t, "ioprio_set", 0, 1, 0, 0x4004),
			`ioprio_set(IOPRIO_WHO_PROCESS, 0, IOPRIO_PRIO_VALUE(IOPRIO_CLASS_BE, 4)) = 0`},
		{call(t, "ioprio_get", 0x4004, 1, 0),
			`ioprio_get(IOPRIO_WHO_PROCESS, 0) = 16388 (IOPRIO_PRIO_VALUE(IOPRIO_CLASS_BE, 4))`},
		{call(t, "ioctl", -25, 3, 0xdeadbeef, 0),
			`ioctl(3, _IOC(_IOC_READ|_IOC_WRITE, 0xbe, 0xef, 0x1ead), 0) = -1 ENOTTY (Inappropriate ioctl for device)`},
		{call(t, "sched_getscheduler", 3, 0), `sched_getscheduler(0) = 3 (SCHED_BATCH)`},
		{with(call(t, "sched_setparam", 0, 0, pointer), 1, le(int32(5))), `sched_setparam(0, [5]) = 0`},
		{call(t, "rt_sigtimedwait", 10, 0, 0, 0, 8), `rt_sigtimedwait(NULL, NULL, NULL, 8) = 10 (SIGUSR1)`},
		{call(t, "personality", 0, 0xffffffff), `personality(0xffffffff) = 0 (PER_LINUX)`},
		{call(t, "adjtimex", 5, 0), `adjtimex(NULL) = 5 (TIME_ERROR)`},
		{call(t, "time", 1700000000, 0), `time(NULL) = 1700000000 (2023-11-14T22:13:20+0000)`},
		{call(t, "membarrier", 9, 0, 0, 0),
			`membarrier(MEMBARRIER_CMD_QUERY, 0) = 0x9 (MEMBARRIER_CMD_GLOBAL|MEMBARRIER_CMD_PRIVATE_EXPEDITED)`},
		{call(t, "membarrier", 0, 8, 0, 0), `membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0) = 0`},
		{with(call(t, "set_mempolicy", 0, 2, pointer, 65), 1, le(uint64(3), uint64(0))),
			`set_mempolicy(MPOL_BIND, [0x00000000000003], 65) = 0`},
		{with(call(t, "set_mempolicy", 0, 2, pointer, 66), 1, le(uint64(3), uint64(0))),
			`set_mempolicy(MPOL_BIND, [0x00000000000003, 0x00000000000000], 66) = 0`},
		{call(t, "shmget", 7, 0, 100, 0o1600), `shmget(IPC_PRIVATE, 100, IPC_CREAT|0600) = 7`},
		{with(with(call(t, "name_to_handle_at", -75, minus100, pointer, pointer, 0, 0), 1, "/"), 2,
			le(uint32(0), make([]byte, 36))),
			`name_to_handle_at(AT_FDCWD, "/", {handle_bytes=0}, NULL, 0) = -1 EOVERFLOW (Value too large for defined data type)`},
		{with(call(t, "open_by_handle_at", 4, 3, pointer, 0), 1, le(uint32(4), int32(1), "abcd", make([]byte, 28))),
			`open_by_handle_at(3, {handle_bytes=4, handle_type=0x1, f_handle="abcd"}, O_RDONLY) = 4`},
		{with(call(t, "open_by_handle_at", 4, 3, pointer, 0), 1, le(uint32(128), int32(1), make([]byte, 32))),
			`open_by_handle_at(3, {handle_bytes=128, handle_type=0x1, f_handle="` + strings.Repeat(`\0`, 32) + `"...}, O_RDONLY) = 4`},
		{result(call(t, "rt_sigreturn", 7), abi.PartBlocked, le(uint64(1<<13))), `rt_sigreturn({mask=[ALRM]}) = 7`},
		{part(part(part(with(call(t, "execve", 0, pointer, pointer, 0), 0, "/bin/zcat"), 1, abi.PartInner, "zcat"), 1,
			abi.PartWhole, "/bin/sh\x00-e\x00/bin/zcat\x00x.gz\x00"), 1, abi.PartStrings,
			le(uint32(4), uint32(abi.ExecInterpreted))),
			`execve("/bin/zcat", ["zcat", "x.gz"], NULL) = 0`},
		{part(call(t, "execve", -14, pointer, pointer, pointer), 1, abi.PartStrings, le(uint32(3), uint32(0))),
			`execve(0x7ffe4b2c, 0x7ffe4b2c, 0x7ffe4b2c) = -1 EFAULT (Bad address)`},
		// Before the call, revents means nothing; and nothing is asked of a descriptor that is negative.
		{with(call(t, "poll", 0, pointer, 2, 9), 0, polled(3, 4)+polled(-1, 0)),
			`poll([{fd=3, events=POLLIN}, {fd=-1}], 2, 9) = 0 (Timeout)`},
		{with(call(t, "io_uring_setup", -12, 8, pointer), 1, ring),
			`io_uring_setup(8, {flags=0, sq_thread_cpu=0, sq_thread_idle=0}) = -1 ENOMEM (Cannot allocate memory)`},
		{output(with(call(t, "io_uring_setup", 4, 8, pointer), 1, ring), 1, ring),
			`io_uring_setup(8, {flags=0, sq_thread_cpu=0, sq_thread_idle=0, sq_entries=8, cq_entries=16, ` +
				`features=IORING_FEAT_SINGLE_MMAP, ` +
				`sq_off={head=0, tail=64, ring_mask=0, ring_entries=0, flags=0, dropped=0, array=0}, ` +
				`cq_off={head=0, tail=0, ring_mask=0, ring_entries=0, overflow=0, cqes=0, flags=0}}) = 4`},
		{with(call(t, "timer_create", 0, 1, pointer, 0), 1, le(uint64(0), int32(12), int32(0), make([]byte, 48))),
			`timer_create(CLOCK_MONOTONIC, {sigev_signo=SIGUSR2, sigev_notify=SIGEV_SIGNAL}, NULL) = 0`},
		{with(call(t, "rt_sigaction", 0, 15, pointer, 0, 8), 1,
			le(uint64(1), uint64(0xffffffff00000004), uint64(0), uint64(0))),
			`rt_sigaction(SIGTERM, {sa_handler=SIG_IGN, sa_mask=[], sa_flags=SA_SIGINFO|0xffffffff00000000}, NULL, 8) = 0`},
		{part(call(t, "recvmsg", -11, 3, pointer, 0), 1, abi.PartRoom, le(uint64(0), int32(128))),
			`recvmsg(3, {msg_namelen=128}, 0) = -1 EAGAIN (Resource temporarily unavailable)`},
		// Of the second message, six bytes were received, although the result is two.
		{part(part(output(part(part(output(call(t, "recvmmsg", 2, 3, pointer, 2, 0, 0), 1, two), 1, abi.PartVector, vector),
			1, abi.PartData, "first!"), 1, two), 1, abi.PartVector, vector), 1, abi.PartData, "second"),
			`recvmmsg(3, [{msg_hdr={msg_name=NULL, msg_namelen=0, msg_iov=[{iov_base="first!", iov_len=50}], msg_iovlen=1, ` +
				`msg_controllen=0, msg_flags=0}, msg_len=6}, {msg_hdr={msg_name=NULL, msg_namelen=0, ` +
				`msg_iov=[{iov_base="second", iov_len=50}], msg_iovlen=1, msg_controllen=0, msg_flags=0}, msg_len=6}], ` +
				`2, 0, NULL) = 2`},
		// Values that are one type in memory, and another one to the kernel.
		{with(call(t, "setgroups", 0, 2, pointer), 1, le(uint32(65534), uint32(4294967294))),
			`setgroups(2, [65534, 4294967294]) = 0`},
		{on(t, output(call(t, "getresuid", 0, pointer, 0, 0), 0, le(uint16(65534))), syscalls.AMD64, syscalls.I386,
			"getresuid"), `getresuid([65534], NULL, NULL) = 0`},
		{with(call(t, "semop", 0, 7, pointer, 1), 1, le(uint16(1), int16(-1), int16(-0x5000))),
			`semop(7, [{sem_num=1, sem_op=-1, sem_flg=SEM_UNDO|0xa000}], 1) = 0`},
		{with(call(t, "bpf", -9, 22, pointer, 4), 1, le(int32(-1))), `bpf(BPF_MAP_FREEZE, {map_fd=-1, ...}, 4) = ` +
			`-1 EBADF (Bad file descriptor)`},
		{with(with(call(t, "openat2", -22, 3, pointer, pointer, 24), 1, "/"), 2, le(uint64(1<<32), uint64(0), uint64(0))),
			`openat2(3, "/", {flags=O_RDONLY|0x100000000, resolve=0}, 24) = -1 EINVAL (Invalid argument)`},
		{with(with(call(t, "mount_setattr", 0, 3, pointer, 0, pointer, 32), 1, "/"), 3,
			le(uint64(1<<32|1), uint64(0), uint64(0), uint64(1<<32|9))), `mount_setattr(3, "/", 0, {` +
			`attr_set=MOUNT_ATTR_RDONLY|0x100000000, attr_clr=0, propagation=0, userns_fd=4294967305}, 32) = 0`},
		{part(part(with(call(t, "sendmsg", 1, 3, pointer, 0), 1, header), 1, abi.PartControl, le(uint64(16), uint32(1),
			uint32(1))), 1, abi.PartVector, ""), `sendmsg(3, {msg_name=NULL, msg_namelen=0, msg_iov=NULL, msg_iovlen=0, ` +
			`msg_control=[{cmsg_len=16, cmsg_level=SOL_SOCKET, cmsg_type=SCM_RIGHTS}], msg_controllen=16, msg_flags=0}, 0) = 1`},
		{call(t, "close_range", 0, 3, 0xffffffff, 0), `close_range(3, 4294967295, 0) = 0`},
		{call(t, "pidfd_getfd", 9, 3, 0, 0), `pidfd_getfd(3, 0, 0) = 9`},
		{call(t, "setns", 0, 3, 0x100000000), `setns(3, 0) = 0`},
		{call(t, "ptrace", -3, 16, 0x100000007, junk, junk), `ptrace(PTRACE_ATTACH, 7) = -1 ESRCH (No such process)`},
		{call(t, "prctl", 0, 26, 0x100000001, junk, junk, junk), `prctl(PR_SET_TSC, PR_TSC_ENABLE) = 0`},
		{call(t, "keyctl", 0, 19, 7, 10, 126, 0), `keyctl(KEYCTL_REJECT, 7, 10, 126, 0) = 0`},
		{with(with(call(t, "fsconfig", 0, 3, 2, pointer, pointer, 3), 2, "key"), 3, "a\x00b"),
			`fsconfig(3, FSCONFIG_SET_BINARY, "key", "a\0b", 3) = 0`},
		{with(call(t, "fsconfig", 0, 3, 5, pointer, 0, 4), 2, "fd"), `fsconfig(3, FSCONFIG_SET_FD, "fd", NULL, 4) = 0`},
		{call(t, "fsconfig", 0, 3, 6, 0, 0, 0), `fsconfig(3, FSCONFIG_CMD_CREATE, NULL, NULL, 0) = 0`},
		{with(call(t, "clone3", 77, pointer, 88), 0, le(uint64(0x100000), make([]byte, 80))),
			`clone3({flags=CLONE_PARENT_SETTID, parent_tid=NULL, exit_signal=0, stack=NULL, stack_size=0} => ` +
				`{parent_tid=NULL}, 88) = 77`},
		{with(call(t, "perf_event_open", 3, pointer, 0, 0, 0, 0), 0, le(uint32(0), uint32(64), uint64(0), uint64(99),
			make([]byte, 16), uint64(0x400), make([]byte, 16))),
			`perf_event_open({type=PERF_TYPE_HARDWARE, size=64, config=PERF_COUNT_HW_CPU_CYCLES, sample_freq=99, ` +
				`sample_type=0, read_format=0, flags=freq}, 0, 0, 0, 0) = 3`},
		{with(call(t, "timer_create", 0, 1, pointer, 0), 1, le(uint64(0), int32(32), int32(4), int32(77), make([]byte, 44))),
			`timer_create(CLOCK_MONOTONIC, {sigev_signo=SIGRTMIN, sigev_notify=SIGEV_THREAD_ID, ` +
				`sigev_notify_thread_id=77}, NULL) = 0`},
		// 32-bit ABIs.
		{on(t, call(t, "mmap", 0xf7f00000, 0, 4096, 1, 2, 3, 0x22), syscalls.AMD64, syscalls.I386, "mmap2"),
			`mmap2(NULL, 4096, PROT_READ, MAP_PRIVATE, 3, 0x22000) = 0xf7f00000`},
		{on(t, output(with(call(t, "getpid", 0, pointer), 0, le(int32(-1), make([]byte, 12))), 0,
			le(int32(12), make([]byte, 12))), syscalls.AMD64, syscalls.I386, "set_thread_area"),
			`set_thread_area({entry_number=-1, base_addr=0, limit=0, flags=0}) = 0 (entry_number=12)`},
		{on(t, with(call(t, "set_mempolicy", 0, 2, pointer, 65), 1, le(uint32(3), uint32(0))), syscalls.AMD64, syscalls.I386,
			"set_mempolicy"), `set_mempolicy(MPOL_BIND, [0x000003, 0x000000], 65) = 0`},
		{on(t, output(call(t, "io_setup", 0, 1, pointer), 1, le(uint32(0xf7f00000))), syscalls.AMD64, syscalls.I386,
			"io_setup"), `io_setup(1, [0xf7f00000]) = 0`},
		{on(t, output(call(t, "getrlimit", 0, 3, pointer), 1, le(uint32(8<<20), uint32(0xffffffff))), syscalls.AMD64,
			syscalls.I386, "ugetrlimit"), `ugetrlimit(RLIMIT_STACK, {rlim_cur=8192*1024, rlim_max=RLIM_INFINITY}) = 0`},
		{on(t, call(t, "getpid", 0xfffffffc), syscalls.AMD64, syscalls.I386, "sigreturn"),
			`sigreturn() = -1 EINTR (Interrupted system call)`},
		// Signals have a descriptor, bounds or a key instead of a process, by their code.
		{siginfo(t, 10, -5, 0, le(int64(65), int32(3), int32(0))),
			`{si_signo=SIGUSR1, si_code=SI_SIGIO, si_band=65, si_fd=3}`},
		{siginfo(t, 10, 1, 0, le(int64(65), int32(3), int32(0))), `{si_signo=SIGUSR1, si_code=1, si_band=65, si_fd=3}`},
		{siginfo(t, 10, -1, 0, le(int32(7), uint32(1), uint64(0))),
			`{si_signo=SIGUSR1, si_code=SI_QUEUE, si_pid=7, si_uid=1}`},
		{siginfo(t, 11, 3, 0, le(uint64(0x10), uint64(0), uint64(0x20), uint64(0x30))),
			`{si_signo=SIGSEGV, si_code=SEGV_BNDERR, si_addr=0x10, si_lower=0x20, si_upper=0x30}`},
		{siginfo(t, 11, 4, 0, le(uint64(0x10), uint64(0), uint32(2), uint32(0))),
			`{si_signo=SIGSEGV, si_code=SEGV_PKUERR, si_addr=0x10, si_pkey=2}`},
		{siginfo(t, 31, 1, 0, le(uint64(0x10), int32(20), uint32(0x40000003), uint64(0))),
			`{si_signo=SIGSYS, si_code=SYS_SECCOMP, si_call_addr=0x10, si_syscall=__NR_getpid, si_arch=AUDIT_ARCH_I386}`},
		{siginfo(t, 31, 1, 0, le(uint64(0x10), int32(20), uint32(7), uint64(0))),
			`{si_signo=SIGSYS, si_code=SYS_SECCOMP, si_call_addr=0x10, si_syscall=20, si_arch=0x7}`},
		// Memory that could be read only after the call, or not at all.
		{late(with(call(t, "select", 1, 5, 0, pointer, 0, 0), 2, "\x10")), `select(5, NULL, 0x7ffe4b2c, NULL, NULL) = 1`},
		{unreadable(part(unreadable(part(with(call(t, "execve", -14, pointer, pointer, pointer), 0, "/bin/x"), 1,
			abi.PartWhole, "x\x00")), 2, abi.PartStrings, le(uint32(2), uint32(0)))),
			`execve("/bin/x", ["x", ...], 0x7ffe4b2c /* 2 vars, unterminated */) = -1 EFAULT (Bad address)`},
		{unreadable(part(unreadable(part(unreadable(part(with(call(t, "execve", -14, pointer, pointer, pointer), 0, "/bin/x"),
			1, abi.PartWhole, "")), 1, abi.PartStrings, le(uint32(0), uint32(0)))), 2, abi.PartStrings,
			le(uint32(0), uint32(0)))),
			`execve("/bin/x", 0x7ffe4b2c, 0x7ffe4b2c) = -1 EFAULT (Bad address)`},
		{part(part(with(call(t, "execve", -14, pointer, pointer, pointer), 0, "/bin/x"), 1, abi.PartWhole, "x\x00"), 2,
			abi.PartStrings, le(uint32(1), uint32(0))),
			`execve("/bin/x", ["x"], 0x7ffe4b2c /* 1 var */) = -1 EFAULT (Bad address)`},
		{part(unreadable(with(call(t, "execve", -14, pointer, pointer, 0), 0, "")), 1, abi.PartWhole, "x\x00"),
			`execve(0x7ffe4b2c, ["x"], NULL) = -1 EFAULT (Bad address)`},
		{part(part(with(call(t, "execve", 0, pointer, pointer, 0), 0, "/bin/x"), 1, abi.PartWhole, "\x00"), 1,
			abi.PartStrings, le(uint32(1), uint32(0))), `execve("/bin/x", [], NULL) = 0`},
		{part(part(output(part(call(t, "recvmsg", 0, 3, pointer, 0), 1, abi.PartRoom, le(uint64(0xc0), uint32(4))), 1,
			le(uint64(0xc0), uint32(16), make([]byte, 44))), 1, abi.PartName, le(uint16(1), "/tmp/a\x00")), 1,
			abi.PartVector, ""),
			`recvmsg(3, {msg_name={sa_family=AF_UNIX, sun_path="/t"}, msg_namelen=4 => 16, msg_iov=NULL, msg_iovlen=0, ` +
				`msg_controllen=0, msg_flags=0}, 0) = 0`},
		// Control messages.
		{part(with(call(t, "sendmsg", 1, 3, pointer, 0), 1, header), 1, abi.PartControl, le(uint64(17), uint32(1), uint32(1),
			"x")), `sendmsg(3, {msg_name=NULL, msg_namelen=0, msg_iov=NULL, msg_iovlen=0, ` +
			`msg_control=[{cmsg_len=17, cmsg_level=SOL_SOCKET, cmsg_type=SCM_RIGHTS}], msg_controllen=16, msg_flags=0}, 0) = 1`},
		{part(with(call(t, "sendmsg", 1, 3, pointer, 0), 1, header), 1, abi.PartControl, le(uint64(0), uint32(1), uint32(1))),
			`sendmsg(3, {msg_name=NULL, msg_namelen=0, msg_iov=NULL, msg_iovlen=0, ` +
				`msg_control=[{cmsg_len=0, cmsg_level=SOL_SOCKET, cmsg_type=SCM_RIGHTS}], msg_controllen=16, msg_flags=0}, 0) = 1`},
		{part(with(call(t, "sendmsg", 1, 3, pointer, 0), 1, header), 1, abi.PartControl, le(uint64(32), uint32(1), uint32(29),
			int64(5), int64(6))), `sendmsg(3, {msg_name=NULL, msg_namelen=0, msg_iov=NULL, msg_iovlen=0, msg_control=[{` +
			`cmsg_len=32, cmsg_level=SOL_SOCKET, cmsg_type=SO_TIMESTAMP, cmsg_data={tv_sec=5, tv_usec=6}}], ` +
			`msg_controllen=16, msg_flags=0}, 0) = 1`},
		// Results that have names.
		{call(t, "fcntl", 6, 3, 1034, junk), `fcntl(3, F_GET_SEALS) = 0x6 (seals F_SEAL_SHRINK|F_SEAL_GROW)`},
		{call(t, "fcntl", 10, 3, 11, junk), `fcntl(3, F_GETSIG) = 10 (SIGUSR1)`},
		{call(t, "prctl", 1, 3, junk), `prctl(PR_GET_DUMPABLE) = 1 (SUID_DUMP_USER)`},
		{call(t, "prctl", 1, 27, junk), `prctl(PR_GET_SECUREBITS) = 0x1 (SECBIT_NOROOT)`},
		{call(t, "ioctl", 0x40000000, 3, 0xb703, junk), `ioctl(3, NS_GET_NSTYPE) = 1073741824 (CLONE_NEWNET)`},
		// Of a part of a number, 0 has a name, too.
		{output(call(t, "ioctl", 0, 3, 0x5401, pointer), 2, le(uint32(0o2400), uint32(5), uint32(0o277), uint32(0o105),
			make([]byte, 20))),
			`ioctl(3, TCGETS, {c_iflag=ICRNL|IXON, c_oflag=NL0|CR0|TAB0|BS0|VT0|FF0|OPOST|ONLCR, c_cflag=B38400|CS8|CREAD, ` +
				`c_lflag=ISIG|XCASE|ECHONL, ...}) = 0`},
		{call(t, "futex", 1, pointer, 0x85, 1, 1, pointer, 0x4000001),
			`futex(0x7ffe4b2c, FUTEX_WAKE_OP_PRIVATE, 1, 1, 0x7ffe4b2c, FUTEX_OP_SET<<28|0<<12|FUTEX_OP_CMP_GT<<24|0x1) = 1`},
		{call(t, "futex", 1, pointer, 5, 1, 1, pointer, 0x90fff000), `futex(0x7ffe4b2c, FUTEX_WAKE_OP, 1, 1, 0x7ffe4b2c, ` +
			`FUTEX_OP_OPARG_SHIFT<<28|FUTEX_OP_ADD<<28|0xfff<<12|FUTEX_OP_CMP_EQ<<24|0) = 1`},
		{call(t, "fcntl", 2, 3, 1025, junk), `fcntl(3, F_GETLEASE) = 0x2 (F_UNLCK)`},
		{output(with(with(call(t, "getxattr", 2, pointer, pointer, pointer, 9), 0, "/x"), 1, "user.a"), 2, "b\x00"),
			`getxattr("/x", "user.a", "b", 9) = 2`},
		{with(call(t, "ioctl", 0, 3, 0x8901, pointer), 2, le(int32(7))), `ioctl(3, FIOSETOWN, [7]) = 0`},
		// The result of a request is shown only if it succeeds.
		{with(call(t, "ioctl", -19, 3, 0x8933, pointer), 2, le("eth9", make([]byte, 12), uint32(7), make([]byte, 20))),
			`ioctl(3, SIOCGIFINDEX, {ifr_name="eth9"}) = -1 ENODEV (No such device)`},
		{output(with(call(t, "ioctl", 0, 3, 0x891b, pointer), 2, le("lo", make([]byte, 38))), 2, le("lo", make([]byte, 14),
			uint16(2), uint16(0), uint32(0xff), make([]byte, 16))), `ioctl(3, SIOCGIFNETMASK, {ifr_name="lo", ` +
			`ifr_netmask={sa_family=AF_INET, sin_port=htons(0), sin_addr=inet_addr("255.0.0.0")}}) = 0`},
		{with(call(t, "ioctl", 0, 3, 0x8922, pointer), 2, le("lo", make([]byte, 14), uint32(1500), make([]byte, 20))),
			`ioctl(3, SIOCSIFMTU, {ifr_name="lo", ifr_mtu=1500}) = 0`},
		{with(with(with(call(t, "add_key", 7, pointer, pointer, pointer, 3, 0xfffffffe), 0, "user"), 1, "x"), 2, "abc"),
			`add_key("user", "x", "abc", 3, KEY_SPEC_PROCESS_KEYRING) = 7`},
		{with(call(t, "bind", 0, 3, pointer, 12), 1, le(uint16(16), uint16(0), uint32(0), uint32(0x550))),
			`bind(3, {sa_family=AF_NETLINK, nl_pid=0, nl_groups=0x000550}, 12) = 0`},
		{unknown, `syscall_0x1f4(0x1) = -1 ENOSYS (Function not implemented)`},
		{call(t, "ioctl", 0, 3, 0x9408, junk), `ioctl(3, BTRFS_IOC_SYNC) = 0`},
	} {
		strace := syscalls.Strace{}
		got := string(strace.Append(nil, decoded(t, test.call)))
		if c := decoded(t, test.call); c.Syscall() != nil && c.Syscall().Name == "rt_sigqueueinfo" {
			got = got[strings.Index(got, "{") : strings.Index(got, "}")+1]
		}
		if got != test.want {
			t.Errorf(" got %s\nwant %s", got, test.want)
		}
	}
}

// TestStructured shows structs in both forms of text.
func TestStructured(t *testing.T) {
	var b strings.Builder
	text, strace := syscalls.Text{NoAddresses: true}, syscalls.Strace{}
	for _, c := range structured(t) {
		d := decoded(t, c)
		for _, line := range [][]byte{text.Append(nil, d), strace.Append(nil, d), strace.AppendEnter(nil, d),
			strace.AppendExit(nil, d)} {
			b.Write(line)
			b.WriteByte('\n')
		}
		b.WriteByte('\n')
	}
	golden(t, "testdata/structured.txt", b.String())
}

// TestReceivedControls has control messages that the kernel wrote.
func TestReceivedControls(t *testing.T) {
	header := string(le(uint64(0), uint64(0), uint64(0), uint64(0), uint64(0x7000), uint64(20), uint64(0)))
	c := part(output(call(t, "recvmsg", 1, 3, pointer, 0), 1, header), 1, abi.PartControl,
		le(uint64(20), uint32(1), uint32(1), int32(3)))
	c.Captures[len(c.Captures)-1].Output = true
	text, err := json.Marshal(c.JSON(false))
	if want := `"address":"0x7000","out":{"type":"array"`; err != nil || !strings.Contains(string(text), want) {
		t.Errorf("%s (%v), want %s", text, err, want)
	}
}
