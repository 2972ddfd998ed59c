// SPDX-License-Identifier: Apache-2.0

package syscalls

import "fmt"

// sizes are bytes that are kept of a struct: on amd64, arm64, i386 and arm. 0: the ABI has no such struct. It is the
// size of the whole struct, unless only its beginning is kept.
type sizes [4]uint16

func always(size uint16) sizes { return sizes{size, size, size, size} }

func words(wide, narrow uint16) sizes { return sizes{wide, wide, narrow, narrow} }

// structs are the types after the dot in signatures.txt.
var structs = map[string]sizes{
	"byte": always(1), "data": always(1), "struct": always(1), // of any size: an argument says how many bytes
	"short": always(2), "int": always(4), "loff": always(8), "sigset": always(8),
	"long": words(8, 4), "ptr": words(8, 4), "iovec": words(16, 8), "mmsghdr": words(64, 32),

	// from the mode to the size of the file
	"stat": {32, 40, 16, 16}, "stat64": {0, 0, 36, 40}, "oldstat": always(16), "statx": always(48),
	"statfs": words(120, 64), "statfs64": {120, 120, 84, 88}, "ustat": {32, 32, 20, 20},
	"flock": words(32, 16), "flock64": {32, 32, 24, 32}, "f_owner_ex": always(8), "file_handle": always(40),
	"mount_attr": always(32), "mnt_id_req": always(24), "cachestat_range": always(16), "cachestat": always(40),
	"readdir": words(280, 268), "landlock_rule": always(16), "seccomp_sizes": always(6),

	"timespec": words(16, 8), "timespec2": words(32, 16), "timespec64": always(16), "timespec64_2": always(32),
	"timeval": words(16, 8), "timeval2": words(32, 16), "timezone": always(8), "utimbuf": words(16, 8),
	"itimerval": words(32, 16), "itimerspec": words(32, 16), "itimerspec64": always(32),
	"tms": words(32, 16), "timex": words(208, 128), "timex64": always(208), "sigevent": always(64),

	"sigaction": words(32, 20), "old_sigaction": always(16), "siginfo": always(128), "stack": words(24, 12),
	"sigmask_arg": words(16, 8),
	"rusage":      words(144, 72), "rlimit": words(16, 8), "rlimit64": always(16), "sched_param": always(4),
	"robust_list": words(24, 12), "user_desc": always(16), "futex_waitv": always(24),
	"futex_requeue": always(48), "rseq": always(32),
	"cap_header": always(8), "cap_data": always(24), "fprog": words(16, 8), "perf_event_attr": always(64),
	"utsname": always(390), "oldutsname": always(325), "oldolduname": always(45), "sysinfo": words(112, 64),
	"name16": always(16),

	"epoll_event": {12, 16, 12, 16}, "pollfd": always(8), "iocb": always(64), "io_event": always(32),
	"io_uring_params": always(120), "termios": always(36), "winsize": always(8),
	"ifreq": words(40, 32), "mq_attr": words(64, 32), "sembuf": always(6),
	"semid_ds": words(104, 64), "shmid_ds": words(112, 84), "msqid_ds": words(120, 88),
	"mmap_args": {0, 0, 24, 24}, "select_args": {0, 0, 20, 20},

	"msghdr_name": words(16, 8), // of struct msghdr, the address and the size of its buffer
	"fds":         always(sizeofFDs), "open_how": always(sizeofOpenHow),
}

// offsets are where the kept bytes of a struct begin, if that is not its beginning.
var offsets = map[string]sizes{"stat": {24, 16, 8, 8}, "stat64": {0, 0, 16, 16}, "oldstat": always(4)}

// sizeOf returns how many bytes of a struct are kept.
func sizeOf(name string, a ABI, own bool) uint16 {
	size, ok := structs[name]
	if !ok {
		panic(fmt.Sprintf("signatures.txt: there is no struct %s", name))
	}
	if own && name == "timespec" {
		return 16
	}
	return size.of(a, own)
}

// of returns the size for an ABI. own is true for the calls that only x32 has: their structs are those of i386.
func (s sizes) of(a ABI, own bool) uint16 {
	switch {
	case own || a == I386:
		return s[2]
	case a == ARM:
		return s[3]
	case a == ARM64:
		return s[1]
	}
	return s[0]
}
