// SPDX-License-Identifier: Apache-2.0

package syscalls_test

import (
	"encoding/binary"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/syscalls"
)

// junk is the content of registers that the call does not take.
const junk = 0xbadbadbad

// TestForms checks that only the arguments that a call takes are shown, which depend on its operation.
func TestForms(t *testing.T) {
	for _, test := range []struct {
		call syscalls.Call
		want string
	}{
		{with(call(t, "open", 3, pointer, 0o2000000, junk), 0, "/etc/x"),
			`filename=0x7ffe4b2c "/etc/x", flags=O_RDONLY|O_CLOEXEC`},
		{with(call(t, "open", 3, pointer, 0o101, 0o640), 0, "/x"),
			`filename=0x7ffe4b2c "/x", flags=O_WRONLY|O_CREAT, mode=0640`},
		{with(call(t, "openat", 3, minus100, pointer, 0o200000, junk), 1, "/"),
			`dfd=AT_FDCWD, filename=0x7ffe4b2c "/", flags=O_RDONLY|O_DIRECTORY`},
		{with(call(t, "openat", 3, minus100, pointer, 0o20200001, 0o600), 1, "/"),
			`dfd=AT_FDCWD, filename=0x7ffe4b2c "/", flags=O_WRONLY|O_TMPFILE, mode=0600`},
		{with(with(call(t, "openat2", 3, minus100, pointer, pointer, 24), 1, "x"), 2, "\x40"+strings.Repeat("\x00", 23)),
			`dfd=AT_FDCWD, filename=0x7ffe4b2c "x", how=0x7ffe4b2c {flags=O_RDONLY|O_CREAT, mode=0, resolve=0}, usize=24`},
		{with(with(call(t, "openat2", 3, minus100, pointer, pointer, 24), 1, "x"), 2, strings.Repeat("\x00", 24)),
			`dfd=AT_FDCWD, filename=0x7ffe4b2c "x", how=0x7ffe4b2c {flags=O_RDONLY, resolve=0}, usize=24`},
		{with(call(t, "mq_open", 3, pointer, 0, junk, junk), 0, "q"), `u_name=0x7ffe4b2c "q", oflag=O_RDONLY`},
		{with(call(t, "mq_open", 3, pointer, 0o102, 0o600, 0), 0, "q"),
			`u_name=0x7ffe4b2c "q", oflag=O_RDWR|O_CREAT, mode=0600, u_attr=NULL`},
		{with(call(t, "mknod", 0, pointer, 0o10644, junk), 0, "fifo"), `filename=0x7ffe4b2c "fifo", mode=S_IFIFO|0644`},
		{with(call(t, "mknodat", 0, minus100, pointer, 0o60644, 0x801), 1, "sda1"),
			`dfd=AT_FDCWD, filename=0x7ffe4b2c "sda1", mode=S_IFBLK|0644, dev=makedev(0x8, 0x1)`},

		{call(t, "fcntl", 0, 3, 1, junk), `fd=3, cmd=F_GETFD`},
		{call(t, "fcntl", 0, 3, 3, junk), `fd=3, cmd=F_GETFL`},
		{call(t, "fcntl", 0, 3, 1034, junk), `fd=3, cmd=F_GET_SEALS`},
		{call(t, "fcntl", 9, 3, 0, 9), `fd=3, cmd=F_DUPFD, arg=9`},
		{call(t, "fcntl", 0, 3, 10, 29), `fd=3, cmd=F_SETSIG, arg=SIGIO`},
		{call(t, "fcntl", -22, 3, 999, junk), `fd=3, cmd=0x3e7, arg=0xbadbadbad`},
		{call(t, "ioctl", 0, 3, 0x5451, junk), `fd=3, cmd=FIOCLEX`},
		{call(t, "ioctl", 0, 3, 0x5421, pointer), `fd=3, cmd=FIONBIO, arg=0x7ffe4b2c`},
		{call(t, "epoll_ctl", 0, 3, 2, 4, junk), `epfd=3, op=EPOLL_CTL_DEL, fd=4`},

		{call(t, "futex", 0, pointer, 0, 7, 0, junk, junk), `uaddr=0x7ffe4b2c, op=FUTEX_WAIT, val=7, utime=NULL`},
		{call(t, "futex", 1, pointer, 0x81, 1, junk, junk, 1), `uaddr=0x7ffe4b2c, op=FUTEX_WAKE_PRIVATE, val=1`},
		{call(t, "futex", 1, pointer, 0x83, 1, 0x17fffffff, pointer, junk),
			`uaddr=0x7ffe4b2c, op=FUTEX_REQUEUE_PRIVATE, val=1, val2=2147483647, uaddr2=0x7ffe4b2c`},
		{call(t, "futex", 1, pointer, 0x84, 1, 2, pointer, 3), `uaddr=0x7ffe4b2c, op=FUTEX_CMP_REQUEUE_PRIVATE, val=1, val2=2, uaddr2=0x7ffe4b2c, val3=0x3`},
		{call(t, "futex", 1, pointer, 5, 1, 2, pointer, 3), `uaddr=0x7ffe4b2c, op=FUTEX_WAKE_OP, val=1, val2=2, uaddr2=0x7ffe4b2c, val3=FUTEX_OP_SET<<28|FUTEX_OP_CMP_EQ<<24|0x3`},
		{call(t, "futex", 0, pointer, 0x86, junk, pointer, junk, junk),
			`uaddr=0x7ffe4b2c, op=FUTEX_LOCK_PI_PRIVATE, utime=0x7ffe4b2c`},
		{call(t, "futex", 0, pointer, 7, junk, junk, junk, junk), `uaddr=0x7ffe4b2c, op=FUTEX_UNLOCK_PI`},
		{call(t, "futex", 0, pointer, 0x8a, 1, junk, junk, 0xffffffff),
			`uaddr=0x7ffe4b2c, op=FUTEX_WAKE_BITSET_PRIVATE, val=1, val3=FUTEX_BITSET_MATCH_ANY`},
		{call(t, "futex", 0, pointer, 11, 1, pointer, pointer, junk),
			`uaddr=0x7ffe4b2c, op=FUTEX_WAIT_REQUEUE_PI, val=1, utime=0x7ffe4b2c, uaddr2=0x7ffe4b2c`},
		{call(t, "futex", -38, pointer, 0x7f, 1, 2, 3, 4), `uaddr=0x7ffe4b2c, op=0x7f, val=1, utime=0x2, uaddr2=0x3, val3=0x4`},

		{call(t, "prctl", 1, 3, junk, junk, junk, junk), `option=PR_GET_DUMPABLE`},
		{call(t, "prctl", 0, 1, 15, junk, junk, junk), `option=PR_SET_PDEATHSIG, arg2=SIGTERM`},
		{call(t, "prctl", 0, 15, pointer, junk, junk, junk), `option=PR_SET_NAME, arg2=0x7ffe4b2c <unreadable>`},
		{call(t, "prctl", 0, 22, 1, junk, junk, junk), `option=PR_SET_SECCOMP, arg2=SECCOMP_MODE_STRICT`},
		{call(t, "prctl", 0, 22, 2, pointer, junk, junk), `option=PR_SET_SECCOMP, arg2=SECCOMP_MODE_FILTER, arg3=0x7ffe4b2c`},
		{call(t, "prctl", 0, 38, 1, 0, 0, 0), `option=PR_SET_NO_NEW_PRIVS, arg2=1, arg3=0, arg4=0, arg5=0`},
		{call(t, "prctl", -22, 12345, 1, 2, 3, 4), `option=0x3039, arg2=0x1, arg3=0x2, arg4=0x3, arg5=0x4`},
		{call(t, "arch_prctl", 1, 0x1011, junk), `option=ARCH_GET_CPUID`},

		{call(t, "clone", 9, 17, 0, junk, junk, junk), `clone_flags=SIGCHLD, newsp=NULL`},
		{call(t, "clone", 9, 0x1200011, 0, junk, pointer, junk),
			`clone_flags=CLONE_CHILD_CLEARTID|CLONE_CHILD_SETTID|SIGCHLD, newsp=NULL, child_tidptr=0x7ffe4b2c`},
		{call(t, "clone", 9, 0x1011, 0, pointer, junk, junk), `clone_flags=CLONE_PIDFD|SIGCHLD, newsp=NULL, parent_tidptr=0x7ffe4b2c`},
		{on(t, call(t, "clone", 9, 0x80011, 0, junk, pointer, junk), syscalls.ARM64, syscalls.ARM64, "clone"),
			`clone_flags=CLONE_SETTLS|SIGCHLD, newsp=NULL, tls=0x7ffe4b2c`},
		{call(t, "waitid", 0, 0, junk, pointer, 4, 0), `which=P_ALL, infop=0x7ffe4b2c, options=WEXITED, ru=NULL`},
		{call(t, "ptrace", 0, 0, junk, junk, junk), `request=PTRACE_TRACEME`},
		{call(t, "ptrace", 0, 16, 9, junk, junk), `request=PTRACE_ATTACH, pid=9`},
		{call(t, "ptrace", 0, 7, 9, junk, 0), `request=PTRACE_CONT, pid=9, data=0`},
		{call(t, "kcmp", 0, 1, 2, 1, junk, junk), `pid1=1, pid2=2, type=KCMP_VM`},
		{call(t, "kcmp", 0, 1, 2, 0, 3, 4), `pid1=1, pid2=2, type=KCMP_FILE, idx1=3, idx2=4`},
		{call(t, "membarrier", 0, 8, 0, junk), `cmd=MEMBARRIER_CMD_PRIVATE_EXPEDITED, flags=0`},

		{call(t, "mremap", 0x7f0000000000, 0x7f0000000000, 4096, 8192, 1, junk),
			`addr=0x7f0000000000, old_len=4096, new_len=8192, flags=MREMAP_MAYMOVE`},
		{call(t, "mremap", 0x10000, 0x7f0000000000, 4096, 8192, 3, 0x10000),
			`addr=0x7f0000000000, old_len=4096, new_len=8192, flags=MREMAP_MAYMOVE|MREMAP_FIXED, new_addr=0x10000`},
		{call(t, "preadv2", 3, 1, 0, 0, 1<<64-1, junk, 8), `fd=1, vec=NULL, vlen=0, pos_l=-1, flags=RWF_NOWAIT`},
		{with(call(t, "clock_nanosleep", 0, 1, 1, pointer, junk), 2, strings.Repeat("\x00", 16)),
			`which_clock=CLOCK_MONOTONIC, flags=TIMER_ABSTIME, rqtp=0x7ffe4b2c {tv_sec=0, tv_nsec=0}`},
		{call(t, "getcpu", 0, 0, 0, junk), `cpup=NULL, nodep=NULL`},

		{call(t, "semctl", 0, 1, junk, 0, junk), `semid=1, cmd=IPC_RMID`},
		{call(t, "semctl", 0, 1, 2, 12, junk), `semid=1, semnum=2, cmd=GETVAL`},
		{call(t, "semctl", 0, 1, 2, 16, 5), `semid=1, semnum=2, cmd=SETVAL, arg=0x5`},
		{call(t, "shmctl", 0, 1, 0, junk), `shmid=1, cmd=IPC_RMID`},
		{call(t, "msgctl", 0, 1, 2, pointer), `msqid=1, cmd=IPC_STAT, buf=0x7ffe4b2c`},
		{call(t, "keyctl", 0, 18, junk, junk, junk, junk), `option=KEYCTL_SESSION_TO_PARENT`},
		{call(t, "keyctl", 0, 0, 1<<64-3, 1, junk, junk), `option=KEYCTL_GET_KEYRING_ID, arg2=KEY_SPEC_SESSION_KEYRING, create=1`},
		{call(t, "quotactl", 0, 0x80000101, 0, junk, junk), `cmd=GRPQUOTA|Q_SYNC, special=NULL`},
		{call(t, "quotactl", 0, 0x80000700, 0, 5, pointer), `cmd=USRQUOTA|Q_GETQUOTA, special=NULL, id=5, addr=0x7ffe4b2c`},
		{call(t, "reboot", -1, 0xfee1dead, 672274793, 0, junk), `magic1=LINUX_REBOOT_MAGIC1, magic2=LINUX_REBOOT_MAGIC2, cmd=LINUX_REBOOT_CMD_CAD_OFF`},
		{call(t, "syslog", 0, 10, junk, junk), `type=SYSLOG_ACTION_SIZE_BUFFER`},
		{call(t, "syslog", 0, 8, junk, 4), `type=SYSLOG_ACTION_CONSOLE_LEVEL, len=4`},
		{call(t, "sysfs", 0, 3, junk, junk), `option=3`},
		{call(t, "io_uring_enter", 1, 3, 1, junk, 0, junk, junk), `fd=3, to_submit=1, flags=0`},
		{call(t, "fanotify_mark", 0, 3, 0x80, 0, junk, junk), `fanotify_fd=3, flags=FAN_MARK_FLUSH, mask=0`},

		{call(t, "rt_sigprocmask", 0, junk, 0, pointer, 8), `nset=NULL, oset=0x7ffe4b2c, sigsetsize=8`},
		{call(t, "rt_sigprocmask", 0, 2, 1<<32, 0, 8), `how=SIG_SETMASK, nset=0x100000000, oset=NULL, sigsetsize=8`},
		{call(t, "ppoll", 0, 0, 0, 0, 0, junk), `ufds=NULL, nfds=0, tsp=NULL, sigmask=NULL`},
		{call(t, "epoll_pwait", 0, 3, pointer, 1, 0, 0, junk),
			`epfd=3, events=0x7ffe4b2c, maxevents=1, timeout=0, sigmask=NULL`},
		{call(t, "sendto", 1, 3, 0, 0, 0, 0, junk), `fd=3, buff=NULL, len=0, flags=0, addr=NULL`},
		{call(t, "recvfrom", 1, 3, 0, 0, 0, 0, junk), `fd=3, ubuf=NULL, size=0, flags=0, addr=NULL`},
		{call(t, "accept", 4, 3, 0, junk), `fd=3, upeer_sockaddr=NULL`},
		{call(t, "accept4", 4, 3, 0, junk, 0o2000000), `fd=3, upeer_sockaddr=NULL, flags=SOCK_CLOEXEC`},
		{call(t, "set_mempolicy", 0, 0, 0, junk), `mode=MPOL_DEFAULT, nmask=NULL`},
		{call(t, "set_mempolicy", 0, 0, 1<<33, 1), `mode=MPOL_DEFAULT, nmask=0x200000000, maxnode=1`},
		{call(t, "migrate_pages", 0, 1, junk, 0, 0), `pid=1, old_nodes=NULL, new_nodes=NULL`},
		{call(t, "mmap", 0x10000, 0, 4096, 1, 0x22, junk, 0),
			`addr=NULL, len=4096, prot=PROT_READ, flags=MAP_PRIVATE|MAP_ANONYMOUS, off=0`},
		{call(t, "mmap", 0x10000, 0, 4096, 1, 0x22|0x40000|21<<26, junk, 0),
			`addr=NULL, len=4096, prot=PROT_READ, flags=MAP_PRIVATE|MAP_ANONYMOUS|MAP_HUGETLB|MAP_HUGE_2MB, off=0`},
		{call(t, "mmap", 0x10000, 0, 4096, 1, 0x22|0x40000|16<<26, junk, 0),
			`addr=NULL, len=4096, prot=PROT_READ, flags=MAP_PRIVATE|MAP_ANONYMOUS|MAP_HUGETLB|MAP_HUGE_64KB, off=0`},
		{call(t, "mmap", 0x10000, 0, 4096, 1, 2, 3, 0),
			`addr=NULL, len=4096, prot=PROT_READ, flags=MAP_PRIVATE, fd=3, off=0`},
		{call(t, "getgroups", 2, 0, junk), `gidsetsize=0`},
		{call(t, "add_key", -1, 0, 0, junk, 0, 1<<64-3), `_type=NULL, _description=NULL, plen=0, ringid=KEY_SPEC_SESSION_KEYRING`},
		{call(t, "ptrace", -5, 1<<32|16, 9, 1, 2), `request=0x100000010, pid=9, addr=0x1, data=0x2`},

		{with(call(t, "getxattr", 5, 0, 0, junk, 0), 1, "a"), `pathname=NULL, name=NULL, size=0`},
		{call(t, "fsetxattr", 0, 3, 0, junk, 0, 1), `fd=3, name=NULL, size=0, flags=XATTR_CREATE`},
		{call(t, "fsetxattr", 0, 3, 0, 0, 1<<32, 0), `fd=3, name=NULL, value=NULL, size=4294967296, flags=0`},
		{call(t, "flistxattr", 5, 3, junk, 0), `fd=3, size=0`},

		{call(t, "mount", 0, junk, 0, junk, 0x21, 0), `dir_name=NULL, flags=MS_RDONLY|MS_REMOUNT, data=NULL`},
		{call(t, "mount", 0, junk, 0, junk, 0x1021, junk), `dir_name=NULL, flags=MS_RDONLY|MS_REMOUNT|MS_BIND`},
		{call(t, "mount", 0, 0, 0, junk, 0x5000, junk), `dev_name=NULL, dir_name=NULL, flags=MS_BIND|MS_REC`},
		{call(t, "mount", 0, 0, 0, junk, 0x101000, junk), `dev_name=NULL, dir_name=NULL, flags=MS_BIND|MS_SHARED`},
		{call(t, "mount", 0, junk, 0, junk, 0x44000, junk), `dir_name=NULL, flags=MS_REC|MS_PRIVATE`},
		{call(t, "mount", 0, 0, 0, junk, 0x2000, junk), `dev_name=NULL, dir_name=NULL, flags=MS_MOVE`},
		{call(t, "mount", 0, 0, 0, 0, 0xc0ed0001, 0),
			`dev_name=NULL, dir_name=NULL, type=NULL, flags=MS_MGC_VAL|MS_RDONLY, data=NULL`},
		{call(t, "mount", 0, 0, 0, junk, 0xc0ed2000, junk), `dev_name=NULL, dir_name=NULL, flags=MS_MGC_VAL|MS_MOVE`},
		{call(t, "mount", 0, 0, 0, 0, 2, 0), `dev_name=NULL, dir_name=NULL, type=NULL, flags=MS_NOSUID, data=NULL`},

		{call(t, "socket", 3, 10, 2, 17), `family=AF_INET6, type=SOCK_DGRAM, protocol=IPPROTO_UDP`},
		{call(t, "setsockopt", 0, 3, 6, 1, pointer, 4), `fd=3, level=SOL_TCP, optname=TCP_NODELAY, optval=0x7ffe4b2c, optlen=4`},
		{call(t, "setsockopt", 0, 3, 17, 1, pointer, 4), `fd=3, level=SOL_UDP, optname=UDP_CORK, optval=0x7ffe4b2c, optlen=4`},

		{call(t, "prctl", 1, 23, 21, junk, junk, junk), `option=PR_CAPBSET_READ, arg2=CAP_SYS_ADMIN`},
		{call(t, "prctl", 0, 47, 2, 10, 0, 0),
			`option=PR_CAP_AMBIENT, arg2=PR_CAP_AMBIENT_RAISE, arg3=CAP_NET_BIND_SERVICE, arg4=0, arg5=0`},
		{call(t, "prctl", 0, 47, 4, 0, 0, 0),
			`option=PR_CAP_AMBIENT, arg2=PR_CAP_AMBIENT_CLEAR_ALL, arg3=0, arg4=0, arg5=0`},
		{call(t, "prctl", 0, 53, 0, 4, 0, 0),
			`option=PR_SET_SPECULATION_CTRL, arg2=PR_SPEC_STORE_BYPASS, arg3=PR_SPEC_DISABLE, arg4=0, arg5=0`},
		{call(t, "prctl", 0, 0x59616d61, 1<<64-1, junk, junk, junk), `option=PR_SET_PTRACER, arg2=PR_SET_PTRACER_ANY`},
		{call(t, "fcntl", 0, 3, 1024, 1), `fd=3, cmd=F_SETLEASE, arg=F_WRLCK`},
		{call(t, "fcntl", 0, 3, 1026, 0x80000004), `fd=3, cmd=F_NOTIFY, arg=DN_CREATE|DN_MULTISHOT`},
		{call(t, "ioctl", 0, 3, 0x40049409, 4), `fd=3, cmd=FICLONE, arg=4`},
		{call(t, "ioctl", 0, 3, 0xc0406400, pointer), `fd=3, cmd=DRM_IOCTL_VERSION, arg=0x7ffe4b2c`},
		{call(t, "ioctl", 0, 3, 0x40106160, pointer), `fd=3, cmd=ENI_MEMDUMP or HE_GET_REG, arg=0x7ffe4b2c`},
		{call(t, "ioctl", 0, 3, 0x5402, pointer), `fd=3, cmd=TCSETS, arg=0x7ffe4b2c`},
		{call(t, "ioctl", 0, 3, 0x81004506, pointer), `fd=3, cmd=EVIOCGNAME(256), arg=0x7ffe4b2c`},
		{on(t, call(t, "ioctl", 0, 3, 0xc0246400, pointer), syscalls.AMD64, syscalls.I386, "ioctl"),
			`fd=3, cmd=DRM_IOCTL_VERSION, arg=0x7ffe4b2c`},
		{call(t, "personality", 0, 0x40000), `personality=PER_LINUX|ADDR_NO_RANDOMIZE`},
		{call(t, "personality", 0, 0xffffffff), `personality=0xffffffff`},
		{call(t, "ptrace", 0, 0x4206, 9, 0, 0x100001),
			`request=PTRACE_SEIZE, pid=9, addr=0, data=PTRACE_O_TRACESYSGOOD|PTRACE_O_EXITKILL`},
		{call(t, "io_uring_register", 0, 3, 0x80000014, 0, 1),
			`fd=3, opcode=IORING_REGISTER_RING_FDS|IORING_REGISTER_USE_REGISTERED_RING, arg=NULL, nr_args=1`},
		{call(t, "socket", 3, 17, 3, 0x300), `family=AF_PACKET, type=SOCK_RAW, protocol=htons(ETH_P_ALL)`},
		{with(call(t, "bpf", 5, 0, pointer, 20), 1,
			"\x01\x00\x00\x00\x04\x00\x00\x00\x08\x00\x00\x00\x10\x00\x00\x00\x01\x00\x00\x00"),
			`cmd=BPF_MAP_CREATE, uattr=0x7ffe4b2c {map_type=BPF_MAP_TYPE_HASH, key_size=4, value_size=8, max_entries=16, ` +
				`map_flags=BPF_F_NO_PREALLOC}, size=20`},
		{on(t, call(t, "ioctl", 0, 3, 0x80046601, 0), syscalls.AMD64, syscalls.I386, "ioctl"),
			`fd=3, cmd=FS_IOC32_GETFLAGS, arg=0`},
		{on(t, call(t, "semctl", 0, 1, 2, 0x10c, junk), syscalls.ARM64, syscalls.ARM, "semctl"),
			`semid=1, semnum=2, cmd=IPC_64|GETVAL`},

		{on(t, call(t, "fcntl", 0, 3, 1, 0xbad), syscalls.AMD64, syscalls.I386, "fcntl64"), `fd=3, cmd=F_GETFD`},
		{on(t, call(t, "fcntl", 0, 0xfff0, 1, 2, 0xbad, 0xbad, 0xbad), syscalls.AMD64, syscalls.I386, "futex_time64"),
			`uaddr=0xfff0, op=FUTEX_WAKE, val=2`},
		{on(t, with(call(t, "open", 3, pointer, 0, 0xbad), 0, "x"), syscalls.AMD64, syscalls.X32, "open"),
			`filename=0x7ffe4b2c "x", flags=O_RDONLY`},
		{on(t, call(t, "fcntl", 0, 22, 5, 0xbad, 0xbad, 0xbad, 0xbad), syscalls.AMD64, syscalls.I386, "ipc"),
			`shmaddr=0xbad`},
		{on(t, call(t, "fcntl", 0, 23, 5, 6, 7, 0xbad, 0xbad), syscalls.AMD64, syscalls.I386, "ipc"),
			`key=0x5, size=6, shmflg=07`},
		{on(t, with(call(t, "chown", 0, pointer, 1, 0x1ffff), 0, "f"), syscalls.AMD64, syscalls.I386, "chown"),
			`filename=0x7ffe4b2c "f", user=1, group=-1`},
		{on(t, call(t, "chown", 0, 0xffff, 0xfffe, 0xffffffff), syscalls.ARM64, syscalls.ARM, "setresuid"),
			`ruid=-1, euid=65534, suid=-1`},
		{on(t, call(t, "chown", 0, 0xffff), syscalls.AMD64, syscalls.I386, "setuid32"), `uid=65535`},
		{on(t, with(call(t, "chown", 0, 0xfff0, 0xbad, 1, 2), 0, "f"), syscalls.ARM64, syscalls.ARM, "truncate64"),
			`path=0xfff0 "f", length=8589934593`},
		{on(t, call(t, "chown", 0, 0xbad, 0xbad, 0), syscalls.AMD64, syscalls.I386, "sigsuspend"), `mask=0`},
	} {
		c := decoded(t, test.call)
		text := string(c.AppendText(nil))
		_, got, _ := strings.Cut(text, "(")
		got = got[:strings.LastIndex(got, ") = ")]
		if got != test.want {
			t.Errorf("%s:\n got %s\nwant %s", text, got, test.want)
		}
		// JSON must have the same arguments.
		var names []string
		for _, a := range arguments(t, c.JSON(false)) {
			names = append(names, a.Name+"="+a.Value)
		}
		for i, part := range strings.Split(test.want, ", ") {
			if i >= len(names) || !strings.HasPrefix(part, names[i]) {
				if !strings.Contains(test.want, "{") && !strings.Contains(test.want, "makedev") {
					t.Errorf("%s: JSON has %q", text, names)
				}
				break
			}
		}
	}
}

// hasArgument reports whether a call has an argument with exactly these deprecated fields, as JSON.
func hasArgument(t *testing.T, j syscalls.JSON, want string) bool {
	t.Helper()
	var wanted argument
	if json.Unmarshal([]byte(want), &wanted) != nil {
		return false
	}
	return slices.ContainsFunc(arguments(t, j), func(a argument) bool { return cmp.Equal(a, wanted) })
}

// TestMarks shows marks of captures that differ from what the kernel read: outside of quotes in text, in separate
// fields in JSON.
func TestMarks(t *testing.T) {
	marked := func(c syscalls.Call, f func(*syscalls.Capture)) syscalls.Call {
		c.Captures = slices.Clone(c.Captures)
		f(&c.Captures[len(c.Captures)-1])
		return c
	}
	late := func(p *syscalls.Capture) { p.Late = true }
	cut := func(p *syscalls.Capture) { p.Truncated = true }
	fault := func(p *syscalls.Capture) { p.Fault = true }
	noEnter := func(c syscalls.Call) syscalls.Call { c.NoEnter = true; return c }
	ended := func(c syscalls.Call, status int64) syscalls.Call { c.Unfinished, c.Result = true, status; return c }
	unknown := call(t, "getppid", -38, 1)
	unknown.Nr = 0x3ef
	other := unknown
	other.Nr = syscalls.NumberOther
	inet6 := "\x0a\x00\x01\xbb\x00\x00\x00\x00\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x02\x00\x00\x00"
	for _, test := range []struct {
		call       syscalls.Call
		text, json string
	}{
		// read late: it may have changed before the call's exit
		{marked(with(call(t, "chdir", 0, pointer), 0, "/tmp/innocent"), late),
			`chdir(filename=0x7ffe4b2c "/tmp/innocent" <read late>) = 0`,
			`{"name":"filename","value":"0x7ffe4b2c","data":"/tmp/innocent","late":true}`},
		{marked(with(call(t, "write", 9, 1, pointer, 900), 1, "abc"), func(p *syscalls.Capture) { late(p); cut(p) }),
			`write(fd=1, buf=0x7ffe4b2c "abc"... <read late>, count=900) = 9`,
			`{"name":"buf","value":"0x7ffe4b2c","data":"abc","truncated":true,"late":true}`},
		{with(call(t, "chdir", 0, pointer), 0, `x" <read late>`),
			`chdir(filename=0x7ffe4b2c "x\" <read late>") = 0`,
			`{"name":"filename","value":"0x7ffe4b2c","data":"x\\\" \u003cread late\u003e"}`},
		{marked(with(call(t, "nanosleep", 0, pointer, 0), 0, strings.Repeat("\x00", 16)), late),
			`nanosleep(rqtp=0x7ffe4b2c {tv_sec=0, tv_nsec=0} <read late>, rmtp=NULL) = 0`,
			`{"name":"rqtp","value":"0x7ffe4b2c","data":"{tv_sec=0, tv_nsec=0}","late":true}`},

		// text that looks like a mark
		{with(call(t, "chdir", 0, pointer), 0, "{...}"),
			`chdir(filename=0x7ffe4b2c "{...}") = 0`, `{"name":"filename","value":"0x7ffe4b2c","data":"{...}"}`},
		{with(call(t, "chdir", 0, pointer), 0, ""),
			`chdir(filename=0x7ffe4b2c "") = 0`, `{"name":"filename","value":"0x7ffe4b2c","data":""}`},

		// could not be read
		{marked(with(call(t, "write", 10, 3, pointer, 20), 1, ""), fault),
			`write(fd=3, buf=0x7ffe4b2c <unreadable>, count=20) = 10`,
			`{"name":"buf","value":"0x7ffe4b2c","fault":true}`},
		{marked(with(call(t, "read", 10, 3, pointer, 20), 1, ""), fault),
			`read(fd=3, buf=0x7ffe4b2c <unreadable>, count=20) = 10`,
			`{"name":"buf","value":"0x7ffe4b2c","fault":true}`},
		{call(t, "execve", 0, pointer, pointer, pointer), // its memory is gone
			`execve(filename=0x7ffe4b2c <unreadable>, argv=0x7ffe4b2c, envp=0x7ffe4b2c) = 0`,
			`{"name":"filename","value":"0x7ffe4b2c","fault":true}`},
		{ended(call(t, "openat", 0, minus100, pointer, 0), 9),
			`openat(dfd=AT_FDCWD, filename=0x7ffe4b2c <unreadable>, flags=O_RDONLY) = ? <unfinished ...> +++ killed by SIGKILL +++`,
			`{"name":"filename","value":"0x7ffe4b2c","fault":true}`},
		{call(t, "sendmsg", 0, 3, pointer, 0), `sendmsg(fd=3, msg=0x7ffe4b2c <unreadable>, flags=0) = 0`,
			`{"name":"msg","value":"0x7ffe4b2c","fault":true}`},
		{call(t, "read", 0, 3, pointer, 20), `read(fd=3, buf=0x7ffe4b2c, count=20) = 0`,
			`{"name":"buf","value":"0x7ffe4b2c"}`},
		{on(t, call(t, "read", 4, 3, pointer, 1), syscalls.AMD64, syscalls.I386, "writev"),
			`ia32:writev(fd=3, vec=0x7ffe4b2c <unreadable>, vlen=1) = 4`,
			`{"name":"vec","value":"0x7ffe4b2c","fault":true}`},

		// cut: a struct before its end is not shown as a string
		{marked(with(call(t, "nanosleep", 0, pointer, 0), 0, "\x01\x00\x00\x00\x00\x00\x00\x00"), cut),
			`nanosleep(rqtp=0x7ffe4b2c {tv_sec=1, ...}, rmtp=NULL) = 0`,
			`{"name":"rqtp","value":"0x7ffe4b2c","data":"{tv_sec=1, ...}","truncated":true}`},
		{marked(with(with(call(t, "openat2", 3, minus100, pointer, pointer, 24), 1, "x"), 2,
			strings.Repeat("\x00", 16)), cut),
			`openat2(dfd=AT_FDCWD, filename=0x7ffe4b2c "x", how=0x7ffe4b2c {flags=O_RDONLY, ...}, usize=24) = 3`,
			`{"name":"how","value":"0x7ffe4b2c","data":"{flags=O_RDONLY, ...}","truncated":true}`},
		{marked(with(call(t, "connect", 0, 3, pointer, 28), 1, inet6[:8]), cut),
			`connect(fd=3, uservaddr=0x7ffe4b2c {sa_family=AF_INET6, ...}, addrlen=28) = 0`,
			`{"name":"uservaddr","value":"0x7ffe4b2c","data":"{sa_family=AF_INET6, ...}","truncated":true}`},
		{marked(with(call(t, "connect", 0, 3, pointer, 28), 1, inet6[:24]), cut),
			`connect(fd=3, uservaddr=0x7ffe4b2c {sa_family=AF_INET6, sin6_port=htons(443), sin6_flowinfo=0, sin6_addr=inet_addr("2001:db8::1"), ...}, addrlen=28) = 0`, ""},
		{marked(with(call(t, "accept", 4, 3, pointer, pointer), 1, "\x02\x00\x00\x50\x7f\x00\x00\x01"), cut),
			`accept(fd=3, upeer_sockaddr=0x7ffe4b2c {sa_family=AF_INET, sin_port=htons(80), sin_addr=inet_addr("127.0.0.1")}, upeer_addrlen=0x7ffe4b2c) = 4`,
			`{"name":"upeer_sockaddr","value":"0x7ffe4b2c","data":"{sa_family=AF_INET, sin_port=htons(80), sin_addr=inet_addr(\"127.0.0.1\")}"}`},
		{marked(with(call(t, "bind", 0, 3, pointer, 110), 1, "\x01\x00/run/x"), cut),
			`bind(fd=3, umyaddr=0x7ffe4b2c {sa_family=AF_UNIX, sun_path="/run/x"...}, addrlen=110) = 0`, ""},

		// the enter was not seen, whichever result the call has
		{noEnter(call(t, "getpgrp", 111)), `getpgrp() = 111 (enter not seen; denied by seccomp or a tracer?)`, ""},
		{noEnter(call(t, "sync", 162)), `sync() = 162 (enter not seen; denied by seccomp or a tracer?)`, ""},
		{noEnter(call(t, "getppid", 0)), `getppid() = 0 (enter not seen; denied by seccomp or a tracer?)`, ""},
		{noEnter(call(t, "brk", 0x1000, 0)), `brk(brk=NULL) = 0x1000 (enter not seen; denied by seccomp or a tracer?)`, ""},
		{noEnter(call(t, "futex", -38, pointer, 0, 0, 0, 0, 0)),
			`futex(uaddr=0x7ffe4b2c, op=FUTEX_WAIT, val=0, utime=NULL) = -1 ENOSYS (Function not implemented) (enter not seen; denied by seccomp or a tracer?)`, ""},

		{unknown, `syscall_0x3ef(0x1) = -1 ENOSYS (Function not implemented)`, `{"value":"0x1"}`},
		{with(other, 0, "\xff\xff\xff\x7f"), `syscall_0x7fffffff(0x1) = -1 ENOSYS (Function not implemented)`,
			`"syscall":"syscall_0x7fffffff","number":2147483647,`},
		{other, `syscall_0x3f0_or_above(0x1) = -1 ENOSYS (Function not implemented)`, `{"value":"0x1"}`},
	} {
		c := decoded(t, test.call)
		if diff := cmp.Diff(test.text, string(c.AppendText(nil))); diff != "" {
			t.Errorf("text (-want +got):\n%s", diff)
		}
		if c.Unfinished {
			continue
		}
		line, err := json.Marshal(c.JSON(false))
		if err != nil {
			t.Fatal(err)
		}
		if !hasArgument(t, c.JSON(false), test.json) && !strings.Contains(string(line), test.json) {
			t.Errorf("JSON lacks %s:\n%s", test.json, line)
		}
		if strings.Contains(string(line), `"noEnter":true`) != c.NoEnter {
			t.Errorf("JSON: %s", line)
		}
	}
	// A call in flight may still be read at its exit.
	if got := string(decoded(t,
		ended(call(t, "openat", 0, minus100, pointer, 0), 0)).AppendInFlight(nil)); strings.Contains(got, "unreadable") {
		t.Error(got)
	}
}

// TestMultiplexed shows the calls that socketcall and ipc stand for.
func TestMultiplexed(t *testing.T) {
	words := func(c syscalls.Call, args ...uint32) syscalls.Call {
		data := make([]byte, 24)
		for i, word := range args {
			binary.LittleEndian.PutUint32(data[4*i:], word)
		}
		return with(c, 1, string(data))
	}
	inner := func(c syscalls.Call, data string) syscalls.Call {
		c = with(c, 1, data)
		c.Captures[len(c.Captures)-1].Part = abi.PartInner
		return c
	}
	filled := func(c syscalls.Call, room, size uint32, data string) syscalls.Call {
		c = part(part(part(c, 1, abi.PartRoom, le(room)), 1, abi.PartRoom, le(size)), 1, abi.PartName, data)
		for i := range 2 {
			c.Captures[len(c.Captures)-1-i].Output = true
		}
		return c
	}
	inet := "\x02\x00\x00\x35\x08\x08\x08\x08\x00\x00\x00\x00\x00\x00\x00\x00"
	socketcall := func(n uint64, result int64) syscalls.Call {
		return on(t, call(t, "getpid", result, n, 0xfff0), syscalls.AMD64, syscalls.I386, "socketcall")
	}
	ipc := func(args ...uint64) syscalls.Call {
		return on(t, call(t, "getpid", 0, args...), syscalls.AMD64, syscalls.I386, "ipc")
	}
	for _, test := range []struct {
		call syscalls.Call
		want string
	}{
		{words(socketcall(1, 3), 2, 1, 0), "ia32:socket(family=AF_INET, type=SOCK_STREAM, protocol=IPPROTO_IP) = 3"},
		{inner(words(socketcall(3, 0), 3, 0xff00, 16), inet), "ia32:connect(fd=3, uservaddr=0xff00 " +
			`{sa_family=AF_INET, sin_port=htons(53), sin_addr=inet_addr("8.8.8.8")}, addrlen=16) = 0`},
		{inner(inner(words(socketcall(11, 5), 3, 0xff00, 5, 0x4000, 0xff10, 16), "hello"), inet),
			`ia32:sendto(fd=3, buff=0xff00 "hello", len=5, flags=MSG_NOSIGNAL, addr=0xff10 ` +
				`{sa_family=AF_INET, sin_port=htons(53), sin_addr=inet_addr("8.8.8.8")}, addr_len=16) = 5`},
		{inner(words(socketcall(14, 0), 3, 1, 13, 0xff00, 8), le(uint32(1), uint32(5))),
			"ia32:setsockopt(fd=3, level=SOL_SOCKET, optname=SO_LINGER, optval=0xff00 {l_onoff=1, l_linger=5}, optlen=8) = 0"},
		{inner(words(socketcall(8, 0), 1, 1, 0, 0xff00), le(uint32(3), uint32(4))),
			"ia32:socketpair(family=AF_UNIX, type=SOCK_STREAM, protocol=0, usockvec=0xff00 [3, 4]) = 0"},
		{filled(words(socketcall(15, 0), 3, 1, 4, 0xff00, 0xff10), 16, 4, le(uint32(111), "junk")),
			"ia32:getsockopt(fd=3, level=SOL_SOCKET, optname=SO_ERROR, optval=0xff00 ECONNREFUSED, optlen=0xff10 16 => 4) = 0"},
		{filled(words(socketcall(5, 4), 3, 0xff00, 0xff10), 8, 16, inet),
			"ia32:accept(fd=3, upeer_sockaddr=0xff00 {sa_family=AF_INET, sin_port=htons(53), " +
				`sin_addr=inet_addr("8.8.8.8")}, upeer_addrlen=0xff10 8 => 16) = 4`},
		{unreadable(part(words(socketcall(6, 0), 3, 0xff00, 0xff10), 1, abi.PartRoom, "")), // as is its size
			"ia32:getsockname(fd=3, usockaddr=0xff00, usockaddr_len=0xff10 <unreadable>) = 0"},
		{words(socketcall(6, -9), 3, 0xff00, 0xff10),
			"ia32:getsockname(fd=3, usockaddr=0xff00, usockaddr_len=0xff10) = -1 EBADF (Bad file descriptor)"},
		{words(socketcall(13, 0), 3, 1), "ia32:shutdown(fd=3, how=SHUT_WR) = 0"},
		{socketcall(13, 0), "ia32:socketcall(call=SYS_SHUTDOWN, args=0xfff0) = 0"}, // its arguments were not recorded
		{words(socketcall(77, -22), 1),
			`ia32:socketcall(call=0x4d, args=0xfff0 "\1` + strings.Repeat(`\0`, 23) + `") = -1 EINVAL (Invalid argument)`},
		{ipc(1, 7, 2, 0, 0xff00, 0), "ia32:semop(semid=7, tsops=0xff00, nsops=2) = 0"},
		{ipc(23, 5, 100, 0o1600, 0, 0), "ia32:shmget(key=0x5, size=100, shmflg=IPC_CREAT|0600) = 0"},
		{with(ipc(12, 7, 100, 0, 0xff00, 0xbad), 4, le(uint32(0xf000), int32(-3))),
			"ia32:msgrcv(msqid=7, msgp=0xf000, msgsz=100, msgtyp=-3, msgflg=0) = 0"},
		{ipc(1<<16|12, 7, 100, 0, 0xff00, 3), "ia32:msgrcv(msqid=7, msgp=0xff00, msgsz=100, msgtyp=3, msgflg=0) = 0"},
		{ipc(99, 7, 2, 0, 0, 0), "ia32:ipc(call=0x63, first=7, second=2, third=0, ptr=NULL, fifth=0) = 0"},
	} {
		if got := string(decoded(t, test.call).AppendText(nil)); got != test.want {
			t.Errorf("got  %s\nwant %s", got, test.want)
		}
	}
}
