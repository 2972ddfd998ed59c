// SPDX-License-Identifier: Apache-2.0

package scap

import (
	"strings"

	"github.com/runc-trace/runc-trace/pkg/syscalls"
)

// codes are the numbers of calls in the format, by name. Later versions of the format have names for more calls, but
// readers of the first version with numbers read beyond their tables if they meet one of these.
var codes = numbered(`
	- restart_syscall exit read write open close creat link unlink chdir time mknod chmod stat lseek getpid mount
	ptrace alarm fstat pause utime access sync kill rename mkdir rmdir dup pipe times brk acct ioctl fcntl setpgid
	umask chroot ustat dup2 getppid getpgrp setsid sethostname setrlimit getrusage gettimeofday settimeofday symlink
	lstat readlink uselib swapon reboot mmap munmap truncate ftruncate fchmod getpriority setpriority statfs fstatfs
	syslog setitimer getitimer uname vhangup wait4 swapoff sysinfo fsync setdomainname adjtimex mprotect init_module
	delete_module quotactl getpgid fchdir sysfs personality getdents select flock msync readv writev getsid
	fdatasync mlock munlock mlockall munlockall sched_setparam sched_getparam sched_setscheduler sched_getscheduler
	sched_yield sched_get_priority_max sched_get_priority_min sched_rr_get_interval nanosleep mremap poll prctl
	rt_sigaction rt_sigprocmask rt_sigpending rt_sigtimedwait rt_sigqueueinfo rt_sigsuspend getcwd capget capset
	sendfile getrlimit lchown getuid getgid geteuid getegid setreuid setregid getgroups setgroups fchown setresuid
	getresuid setresgid getresgid chown setuid setgid setfsuid setfsgid pivot_root mincore madvise gettid setxattr
	lsetxattr fsetxattr getxattr lgetxattr fgetxattr listxattr llistxattr flistxattr removexattr lremovexattr
	fremovexattr tkill futex sched_setaffinity sched_getaffinity set_thread_area get_thread_area io_setup io_destroy
	io_getevents io_submit io_cancel exit_group epoll_create epoll_ctl epoll_wait remap_file_pages set_tid_address
	timer_create timer_settime timer_gettime timer_getoverrun timer_delete clock_settime clock_gettime clock_getres
	clock_nanosleep tgkill utimes mq_open mq_unlink mq_timedsend mq_timedreceive mq_notify mq_getsetattr kexec_load
	waitid add_key request_key keyctl ioprio_set ioprio_get inotify_init inotify_add_watch inotify_rm_watch openat
	mkdirat mknodat fchownat futimesat unlinkat renameat linkat symlinkat readlinkat fchmodat faccessat pselect6
	ppoll unshare set_robust_list get_robust_list splice tee vmsplice getcpu epoll_pwait utimensat signalfd
	timerfd_create eventfd timerfd_settime timerfd_gettime signalfd4 eventfd2 epoll_create1 dup3 pipe2 inotify_init1
	preadv pwritev rt_tgsigqueueinfo perf_event_open fanotify_init prlimit64 clock_adjtime syncfs setns getdents64
	socket bind connect listen accept getsockname getpeername socketpair sendto recvfrom shutdown setsockopt
	getsockopt sendmsg sendmmsg recvmsg recvmmsg accept4 semop semget semctl msgsnd msgrcv msgget msgctl shmdt
	shmget shmctl statfs64 fstatfs64 fstatat64 sendfile64 ugetrlimit bdflush sigprocmask ipc socketcall stat64
	lstat64 fstat64 fcntl64 mmap2 _newselect sgetmask ssetmask sigpending olduname umount signal nice stime _llseek
	waitpid pread64 pwrite64 arch_prctl shmat rt_sigreturn fallocate newfstatat process_vm_readv process_vm_writev
	fork vfork setuid32 getuid32 setgid32 geteuid32 getgid32 setresuid32 setresgid32 getresuid32 getresgid32
	finit_module bpf seccomp sigaltstack getrandom fadvise64 renameat2 userfaultfd openat2 umount2 execve execveat
	copy_file_range clone clone3
`)

// numbered numbers words from 0 on. "-" is none.
func numbered(words string) map[string]uint16 {
	numbers := map[string]uint16{}
	for n, word := range strings.Fields(words) {
		if word != "-" {
			numbers[word] = uint16(n)
		}
	}
	return numbers
}

// names are the numbers that the format has for names of flags, or of values. Those that it has none for are left out.
type names map[string]uint64

// of returns the number for a value, which is the union of those of its flags.
func (n names) of(v *syscalls.Value) (number uint64) {
	v.FlagNames(func(name string) { number |= n[name] })
	return number
}

// bits numbers names from bit 0 on. "-" is none.
func bits(words string) names {
	n := names{}
	for word, bit := range numbered(words) {
		n[word] = 1 << bit
	}
	return n
}

// values numbers names from 0 on.
func values(words string) names {
	n := names{}
	for word, value := range numbered(words) {
		n[word] = uint64(value)
	}
	return n
}

var (
	openFlags = with(bits("O_RDONLY O_WRONLY O_CREAT O_APPEND O_DSYNC O_EXCL O_NONBLOCK O_SYNC O_TRUNC O_DIRECT O_DIRECTORY "+
		"O_LARGEFILE O_CLOEXEC O_TMPFILE"), "O_RDWR", 3)
	resolveFlags = bits("RESOLVE_BENEATH RESOLVE_IN_ROOT RESOLVE_NO_MAGICLINKS RESOLVE_NO_SYMLINKS RESOLVE_NO_XDEV " +
		"RESOLVE_CACHED")
	cloneFlags = bits("CLONE_FILES CLONE_FS CLONE_IO CLONE_NEWIPC CLONE_NEWNET CLONE_NEWNS CLONE_NEWPID CLONE_NEWUTS " +
		"CLONE_PARENT CLONE_PARENT_SETTID CLONE_PTRACE CLONE_SIGHAND CLONE_SYSVSEM CLONE_THREAD CLONE_UNTRACED CLONE_VM " +
		"- - - - CLONE_NEWUSER - - CLONE_CHILD_CLEARTID CLONE_CHILD_SETTID CLONE_SETTLS - CLONE_VFORK CLONE_NEWCGROUP")
	protections = bits("PROT_READ PROT_WRITE PROT_EXEC PROT_SEM PROT_GROWSDOWN PROT_GROWSUP")
	mapFlags    = bits("MAP_SHARED MAP_PRIVATE MAP_FIXED MAP_ANONYMOUS MAP_32BIT - MAP_NORESERVE MAP_POPULATE MAP_NONBLOCK " +
		"MAP_GROWSDOWN MAP_DENYWRITE MAP_EXECUTABLE - - MAP_LOCKED")
	pollFlags = bits("POLLIN POLLPRI POLLOUT POLLRDHUP POLLERR POLLHUP POLLNVAL POLLRDNORM POLLRDBAND POLLWRNORM " +
		"POLLWRBAND")
	execFlags     = bits("AT_EMPTY_PATH AT_SYMLINK_NOFOLLOW")
	fcntlCommands = values("- F_DUPFD F_GETFD F_SETFD F_GETFL F_SETFL F_GETLK - F_SETLK F_SETLKW F_SETOWN - F_GETOWN " +
		"F_SETSIG - F_GETSIG - F_GETLK64 F_SETLK64 F_SETLKW64 - F_SETOWN_EX F_GETOWN_EX F_SETLEASE F_GETLEASE F_CANCELLK " +
		"F_DUPFD_CLOEXEC F_NOTIFY F_SETPIPE_SZ F_GETPIPE_SZ F_OFD_GETLK F_OFD_SETLK F_OFD_SETLKW")
	traceRequests = values("- PTRACE_TRACEME PTRACE_PEEKTEXT PTRACE_PEEKDATA PTRACE_PEEKUSR PTRACE_POKETEXT PTRACE_POKEDATA " +
		"PTRACE_POKEUSR PTRACE_CONT PTRACE_KILL PTRACE_SINGLESTEP PTRACE_ATTACH PTRACE_DETACH PTRACE_SYSCALL " +
		"PTRACE_SETOPTIONS PTRACE_GETEVENTMSG PTRACE_GETSIGINFO PTRACE_SETSIGINFO PTRACE_GETREGSET PTRACE_SETREGSET " +
		"PTRACE_SEIZE PTRACE_INTERRUPT PTRACE_LISTEN PTRACE_PEEKSIGINFO PTRACE_GETSIGMASK PTRACE_SETSIGMASK " +
		"PTRACE_GETREGS PTRACE_SETREGS PTRACE_GETFPREGS PTRACE_SETFPREGS")
	socketLevels = values("- SOL_SOCKET SOL_TCP")
)

// with adds a name.
func with(n names, name string, number uint64) names {
	n[name] = number
	return n
}
