// SPDX-License-Identifier: Apache-2.0
// One of each call that a container may make: with arguments that make sense, and with arguments that make none.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/netlink.h>
#include <linux/openat2.h>
#include <linux/seccomp.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/sendfile.h>
#include <sys/shm.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/times.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>
#include <utime.h>

static char text[4096];

static void files(void)
{
	struct stat s;
	struct statfs f;
	struct statx x;
	struct iovec v[3] = {{"one ", 4}, {"two ", 4}, {"three\n", 6}}, in[2] = {{text, 3}, {text + 100, 100}};
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 1, .l_len = 2};
	struct timespec times[2] = {{1, 2}, {0, UTIME_OMIT}};
	struct timeval old[2] = {{3, 4}, {5, 6}};
	struct open_how how = {.flags = O_RDONLY | O_PATH, .resolve = RESOLVE_NO_SYMLINKS};
	struct utimbuf u = {7, 8};
	off_t at = 2;
	int n, ends[2], fd = open("/tmp/calls", O_RDWR | O_CREAT | O_TRUNC, 0640);

	write(fd, "hello\0\1\377\n", 9);
	writev(fd, v, 3);
	pwrite(fd, "at", 2, 100);
	pwritev(fd, v, 2, 50);
	pwritev2(fd, v, 1, 60, RWF_DSYNC);
	lseek(fd, 0, SEEK_SET);
	read(fd, text, 5);
	readv(fd, in, 2);
	pread(fd, text, 10, 3);
	preadv(fd, in, 2, 1);
	fstat(fd, &s);
	stat("/tmp/calls", &s);
	lstat("/missing", &s);
	fstatat(fd, "", &s, AT_EMPTY_PATH);
	statx(AT_FDCWD, "/tmp/calls", AT_STATX_DONT_SYNC, STATX_ALL, &x);
	statfs("/proc", &f);
	fstatfs(fd, &f);
	fcntl(fd, F_SETLK, &lock);
	fcntl(fd, F_GETLK, &lock);
	fcntl(fd, F_OFD_SETLK, &lock);
	fcntl(fd, F_GETFL);
	fcntl(fd, F_SETFL, O_APPEND | O_NONBLOCK);
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	fcntl(fd, F_GETFD);
	fcntl(fd, F_DUPFD, 20);
	fcntl(fd, F_SETOWN, getpid());
	fcntl(fd, F_GETPIPE_SZ);
	flock(fd, LOCK_SH | LOCK_NB);
	ftruncate(fd, 8192);
	truncate("/tmp/calls", 4096);
	fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 4096);
	fsync(fd);
	utimensat(AT_FDCWD, "/tmp/calls", times, 0);
	utimes("/tmp/calls", old);
	utime("/tmp/calls", &u);
	syscall(SYS_futimesat, AT_FDCWD, "/tmp/calls", old);
	chmod("/tmp/calls", 04711);
	fchmod(fd, 0600);
	chown("/tmp/calls", 1, -1);
	fchownat(AT_FDCWD, "/tmp/calls", 0, 0, AT_SYMLINK_NOFOLLOW);
	access("/tmp/calls", R_OK | W_OK);
	faccessat(AT_FDCWD, "/missing", X_OK, AT_EACCESS);
	mkdir("/tmp/dir", 0700);
	mkdirat(AT_FDCWD, "/tmp/dir/deeper", 0755);
	rename("/tmp/dir/deeper", "/tmp/dir/other");
	renameat2(AT_FDCWD, "/tmp/dir/other", AT_FDCWD, "/tmp/calls", 1);
	symlink("../calls", "/tmp/dir/link");
	readlink("/tmp/dir/link", text, 5);
	readlinkat(AT_FDCWD, "/proc/self/exe", text, sizeof(text));
	link("/tmp/calls", "/tmp/dir/hard");
	linkat(AT_FDCWD, "/tmp/dir/link", AT_FDCWD, "/tmp/dir/soft", AT_SYMLINK_FOLLOW);
	mknod("/tmp/dir/fifo", S_IFIFO | 0600, 0);
	mknodat(AT_FDCWD, "/tmp/dir/null", S_IFCHR | 0600, 0x103);
	n = open("/tmp/dir", O_RDONLY | O_DIRECTORY);
	syscall(SYS_getdents64, n, text, sizeof(text));
	syscall(SYS_getdents64, n, text, sizeof(text));
	lseek(n, 0, SEEK_SET);
	syscall(SYS_getdents, n, text, sizeof(text));
	syscall(SYS_openat2, n, "link", &how, sizeof(how));
	fchdir(n);
	getcwd(text, sizeof(text));
	chdir("/tmp");
	unlinkat(n, "other", AT_REMOVEDIR);
	unlink("/tmp/dir/fifo");
	rmdir("/tmp/dir");
	setxattr("/tmp/calls", "user.name", "value\1", 6, XATTR_CREATE);
	setxattr("/tmp/calls", "trusted.name", "value", 5, 0);
	getxattr("/tmp/calls", "user.name", text, 100);
	fgetxattr(fd, "user.name", text, 100);
	listxattr("/tmp/calls", text, sizeof(text));
	removexattr("/tmp/calls", "user.name");
	sendfile(1, fd, &at, 10);
	copy_file_range(fd, 0, fd, 0, 10, 0);
	posix_fadvise(fd, 0, 100, POSIX_FADV_WILLNEED);
	readahead(fd, 0, 100);
	pipe2(ends, O_CLOEXEC | O_NONBLOCK);
	vmsplice(ends[1], v, 2, SPLICE_F_NONBLOCK);
	tee(ends[0], ends[1], 10, SPLICE_F_NONBLOCK);
	splice(ends[0], 0, fd, 0, 8, SPLICE_F_MOVE);
	ioctl(ends[0], FIONREAD, &n);
	n = 1;
	ioctl(ends[0], FIONBIO, &n);
	ioctl(fd, TCGETS, text);
	ioctl(fd, TIOCGWINSZ, text);
	ioctl(fd, 0xdeadbeef, text);
	dup3(dup(fd), 30, O_CLOEXEC);
	close_range(40, 50, CLOSE_RANGE_CLOEXEC);
	memfd_create("memory", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	name_to_handle_at(AT_FDCWD, "/tmp/calls", (void *)text, &n, 0);
	inotify_add_watch(inotify_init1(IN_NONBLOCK), "/tmp", IN_CREATE | IN_DELETE);
	open(0, O_RDONLY);
	open((void *)1, O_RDWR | O_EXCL);
	write(fd, (void *)1, 10);
	read(-1, 0, 0);
	mount("none", "/mnt", "tmpfs", MS_NOSUID | MS_NODEV, "size=1m");
	umount2("/mnt", MNT_DETACH);
	umask(027);
	close(fd);
	close(-1);
}

static void sockets(void)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)}, from;
	struct sockaddr_in6 at6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT, .sin6_port = htons(1)};
	struct sockaddr_un named = {AF_UNIX, "/tmp/socket"}, abstract = {AF_UNIX, "\0hidden"};
	struct sockaddr_nl netlink = {.nl_family = AF_NETLINK, .nl_groups = 1};
	struct linger linger = {1, 2};
	struct timeval time = {1, 500000};
	struct ucred peer;
	struct iovec v[2] = {{"first ", 6}, {"second", 6}}, in[2] = {{text, 4}, {text + 50, 50}};
	char control[CMSG_SPACE(8)] = {}, room[200];
	struct msghdr m = {.msg_iov = v, .msg_iovlen = 2, .msg_control = control, .msg_controllen = sizeof(control)};
	struct msghdr r = {.msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = in, .msg_iovlen = 2, .msg_control = room,
		.msg_controllen = sizeof(room)};
	struct mmsghdr many[2] = {{{.msg_iov = v, .msg_iovlen = 1}}, {{.msg_iov = v + 1, .msg_iovlen = 1}}};
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	socklen_t length = sizeof(at);
	int pair[2], n = 1, error, s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	*c = (struct cmsghdr){.cmsg_len = CMSG_LEN(8), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
	memcpy(CMSG_DATA(c), (int[]){0, 1}, 8);
	setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &n, sizeof(n));
	setsockopt(s, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof(time));
	setsockopt(s, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3);
	setsockopt(s, IPPROTO_TCP, TCP_CONGESTION, "cubic", 5);
	bind(s, (void *)&at, sizeof(at));
	listen(s, 5);
	getsockname(s, (void *)&at, &length);
	length = 4;
	getsockname(s, (void *)&from, &length);
	int t = socket(AF_INET, SOCK_STREAM, IPPROTO_TCP);
	connect(t, (void *)&at, sizeof(at));
	length = sizeof(from);
	int a = accept4(s, (void *)&from, &length, SOCK_CLOEXEC);
	length = 0;
	getpeername(t, (void *)&from, &length);
	length = sizeof(error);
	getsockopt(t, SOL_SOCKET, SO_ERROR, &error, &length);
	length = sizeof(text);
	getsockopt(t, IPPROTO_TCP, TCP_INFO, text, &length);
	length = sizeof(linger);
	getsockopt(s, SOL_SOCKET, SO_LINGER, &linger, &length);
	send(t, "hello", 5, MSG_NOSIGNAL);
	recv(a, text, 100, MSG_PEEK);
	recvfrom(a, text, 3, MSG_DONTWAIT, 0, 0);
	shutdown(t, SHUT_WR);
	accept(s, 0, 0);
	connect(socket(AF_INET6, SOCK_STREAM, 0), (void *)&at6, sizeof(at6));
	socketpair(AF_UNIX, SOCK_DGRAM, 0, pair);
	sendmsg(pair[0], &m, 0);
	recvmsg(pair[1], &r, MSG_CMSG_CLOEXEC);
	length = sizeof(peer);
	getsockopt(pair[0], SOL_SOCKET, SO_PEERCRED, &peer, &length);
	sendmmsg(pair[0], many, 2, 0);
	many[0].msg_hdr.msg_iov = in;
	many[1].msg_hdr.msg_iov = in + 1;
	recvmmsg(pair[1], many, 2, MSG_DONTWAIT, 0);
	int u = socket(AF_UNIX, SOCK_STREAM, 0);
	bind(u, (void *)&named, sizeof(named));
	connect(socket(AF_UNIX, SOCK_STREAM, 0), (void *)&abstract, 2 + 7);
	int d = socket(AF_INET, SOCK_DGRAM, 0);
	at.sin_port = htons(9);
	sendto(d, "datagram", 8, 0, (void *)&at, sizeof(at));
	int k = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
	bind(k, (void *)&netlink, sizeof(netlink));
	struct ifreq i = {.ifr_name = "lo"};
	ioctl(d, SIOCGIFFLAGS, &i);
	ioctl(d, SIOCGIFINDEX, &i);
	ioctl(d, SIOCGIFADDR, &i);
	ioctl(d, SIOCGIFNETMASK, &i);
	ioctl(d, SIOCGIFBRDADDR, &i);
	ioctl(d, SIOCGIFMETRIC, &i);
	ioctl(d, SIOCGIFTXQLEN, &i);
	ioctl(d, SIOCGIFMAP, &i);
	ioctl(d, SIOCGIFNAME, &i);
	i.ifr_mtu = 1500;
	strcpy(i.ifr_name, "none");
	ioctl(d, SIOCSIFMTU, &i);
	ioctl(d, SIOCGIFINDEX, &i);
	ioctl(d, SIOCGIFNETMASK, &i);
	socket(AF_PACKET, SOCK_RAW, htons(3));
	socket(99, 99, 99);
	connect(d, (void *)&at, 1);
	bind(-1, 0, 0);
}

static void waiting(void)
{
	struct epoll_event e = {EPOLLIN | EPOLLET, {.u64 = 0x1234567890}}, found[4];
	struct timespec t = {0, 1000000};
	struct timeval v = {0, 1000};
	struct itimerspec timer = {{0, 0}, {1, 0}}, left;
	struct itimerval real = {{0, 0}, {100, 0}};
	int ep = epoll_create1(EPOLL_CLOEXEC), ev = eventfd(1, EFD_NONBLOCK);
	int tf = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	struct pollfd p[2] = {{ev, POLLIN | POLLOUT}, {-1, POLLIN}};
	sigset_t set;
	fd_set r, w;
	siginfo_t info;
	timer_t id;
	struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR2};

	epoll_ctl(ep, EPOLL_CTL_ADD, ev, &e);
	epoll_ctl(ep, EPOLL_CTL_DEL, 99, 0);
	epoll_wait(ep, found, 4, 10);
	epoll_pwait(ep, found, 4, 0, &set);
	syscall(SYS_epoll_pwait2, ep, found, 4, &t, 0, 0);
	poll(p, 2, 10);
	ppoll(p, 2, &t, 0);
	p[0].events = POLLPRI;
	poll(p, 1, 1);
	FD_ZERO(&r);
	FD_ZERO(&w);
	FD_SET(ev, &r);
	FD_SET(ev, &w);
	FD_SET(tf, &r);
	select(ev + 2, &r, &w, 0, &v);
	FD_ZERO(&r);
	FD_SET(tf, &r);
	pselect(tf + 1, &r, 0, 0, &t, 0);
	timerfd_settime(tf, 0, &timer, &left);
	timerfd_gettime(tf, &left);
	setitimer(ITIMER_REAL, &real, 0);
	getitimer(ITIMER_REAL, &real);
	alarm(0);
	syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &id);
	nanosleep(&t, 0);
	clock_nanosleep(CLOCK_MONOTONIC, 0, &t, 0);
	syscall(SYS_clock_gettime, CLOCK_REALTIME, &t);
	syscall(SYS_clock_getres, CLOCK_MONOTONIC, &t);
	syscall(SYS_gettimeofday, &v, 0);
	syscall(SYS_time, 0);
	sigemptyset(&set), sigaddset(&set, SIGUSR1), sigaddset(&set, SIGRTMIN + 3);
	sigprocmask(SIG_BLOCK, &set, 0);
	kill(getpid(), SIGUSR1);
	sigpending(&set);
	t = (struct timespec){0, 1000000};
	sigtimedwait(&set, &info, &t);
	sigqueue(getpid(), SIGRTMIN + 3, (union sigval){7});
	int sf = signalfd(-1, &set, SFD_NONBLOCK);
	read(sf, text, 128);
	sigfillset(&set);
	sigdelset(&set, SIGINT);
	sigprocmask(SIG_SETMASK, &set, 0);
	sigemptyset(&set);
	sigprocmask(SIG_SETMASK, &set, 0);
	int word = 5;
	t = (struct timespec){0, 1000000};
	syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 5, &t, 0, 0);
	syscall(SYS_futex, &word, FUTEX_WAKE, 1, 0, 0, 0);
	syscall(SYS_futex, &word, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, 6, 0, 0, FUTEX_BITSET_MATCH_ANY);
	syscall(SYS_futex, &word, FUTEX_REQUEUE, 1, 2, &word, 0);
}

static void handler(int n) { }

static void processes(void)
{
	struct rusage usage;
	struct rlimit limit = {100, 8192 * 1024};
	struct utsname name;
	struct sysinfo info;
	struct tms t;
	struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART | SA_NODEFER};
	struct sched_param param = {0};
	stack_t stack = {.ss_sp = text, .ss_size = 4096};
	siginfo_t si;
	cpu_set_t cpus;
	struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];
	gid_t groups[3] = {1, 2, 3};
	uid_t a, b, c;
	int status;
	pid_t pid = fork();

	if (!pid) {
		kill(getpid(), SIGTERM);
		_exit(1);
	}
	waitpid(pid, &status, 0);
	if (!(pid = fork()))
		_exit(2);
	wait4(pid, &status, WNOHANG | WUNTRACED, 0);
	waitid(P_PID, pid, &si, WEXITED | WNOWAIT);
	wait4(-1, &status, 0, &usage);
	wait4(-1, &status, 0, 0);
	if (!(pid = vfork())) {
		char *argv[] = {"echo", "one", "\"two\"\n", 0}, *envp[] = {"A=1", "B=2", 0};
		execve("/missing", argv, envp);
		execve("/bin/echo", argv, envp);
	}
	wait4(pid, 0, 0, 0);
	if (!(pid = fork()))
		execve((void *)1, 0, 0), raise(SIGSTOP), _exit(0);
	waitpid(pid, &status, WUNTRACED);
	kill(pid, SIGCONT);
	waitpid(pid, &status, 0);
	sigaction(SIGUSR2, &action, 0);
	sigaction(SIGUSR2, 0, &action);
	sigaction(SIGKILL, &action, 0);
	sigaltstack(&stack, &stack);
	raise(SIGUSR2);
	getrusage(RUSAGE_SELF, &usage);
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = 512;
	setrlimit(RLIMIT_CORE, &limit);
	prlimit(0, RLIMIT_STACK, 0, &limit);
	uname(&name);
	sysinfo(&info);
	times(&t);
	sched_getaffinity(0, sizeof(cpus), &cpus);
	sched_setaffinity(0, sizeof(cpus), &cpus);
	sched_setscheduler(0, SCHED_BATCH, &param);
	sched_getparam(0, &param);
	sched_yield();
	getpriority(PRIO_PROCESS, 0);
	setpriority(PRIO_PROCESS, 0, 5);
	syscall(SYS_capget, &header, data);
	syscall(SYS_capset, &header, data);
	prctl(PR_SET_NAME, "renamed");
	prctl(PR_GET_NAME, text);
	prctl(PR_CAPBSET_READ, CAP_CHOWN);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_GET_DUMPABLE);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	syscall(SYS_arch_prctl, 0x1003, text);
	setgroups(3, groups);
	getgroups(3, groups);
	getresuid(&a, &b, &c);
	setresuid(-1, 0, -1);
	setsid(), getsid(0), getpgid(0), setpgid(0, 0), getuid(), geteuid(), getgid(), getegid(), getppid();
	unshare(CLONE_FS | CLONE_FILES);
	unshare(CLONE_NEWUSER | CLONE_NEWNS);
	syscall(SYS_getrandom, text, 10, 1);
	syscall(SYS_getcpu, &status, 0, 0);
	syscall(SYS_pidfd_open, getpid(), 0);
	syscall(SYS_membarrier, 0, 0, 0);
	syscall(SYS_keyctl, 0, -3, 0);
	long key = syscall(SYS_add_key, "user", "name", "payload", 7, -2);
	syscall(SYS_keyctl, 6, key, text, sizeof(text));
	syscall(SYS_keyctl, 11, key, text, sizeof(text));
	syscall(SYS_keyctl, 2, key, "other", 5);
	syscall(SYS_keyctl, 3, key);
	if (!(pid = fork())) { // a call that seccomp refuses
		struct sock_filter trap[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
			BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1),
			BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
		struct sock_fprog program = {4, trap};

		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
		getppid();
	}
	waitpid(pid, &status, 0);
	syscall(SYS_bpf, 5, text, 8);
	syscall(SYS_seccomp, 2, 0, text);
	syscall(SYS_kcmp, getpid(), getpid(), 0, 0, 1);
	syscall(SYS_personality, 0xffffffff);
	syscall(0x1fff, 1, 2, 3);
}

static void memory(void)
{
	unsigned char core[4];
	char *p = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	*p = 1;
	mprotect(p, 4096, PROT_NONE);
	madvise(p, 4096, MADV_DONTNEED);
	mincore(p, 8192, core);
	msync(p, 4096, MS_ASYNC);
	mlock(p, 4096);
	mlock2(p, 4096, MLOCK_ONFAULT);
	munlock(p, 4096);
	p = mremap(p, 8192, 16384, MREMAP_MAYMOVE);
	munmap(p, 16384);
	mmap((void *)1, 0, PROT_EXEC, MAP_SHARED | MAP_FIXED, 3, 4096);
	shmctl(0, 3, (void *)text); // IPC_INFO; SHM_INFO, SEM_INFO and MSG_INFO
	shmctl(0, 14, (void *)text);
	semctl(0, 0, 19, text);
	msgctl(0, 12, (void *)text);
	int id = shmget(IPC_PRIVATE, 4096, IPC_CREAT | 0600);
	p = shmat(id, 0, SHM_RDONLY);
	shmdt(p);
	shmctl(id, IPC_STAT, (void *)text);
	shmctl(id, IPC_RMID, 0);
	id = semget(IPC_PRIVATE, 2, IPC_CREAT | 0600);
	struct sembuf op[2] = {{0, 1, IPC_NOWAIT}, {1, 0, SEM_UNDO}};
	semop(id, op, 2);
	semctl(id, 0, GETVAL);
	semctl(id, 0, IPC_RMID);
	id = msgget(IPC_PRIVATE, IPC_CREAT | 0600);
	struct { long type; char text[8]; } message = {1, "message"};
	msgsnd(id, &message, 8, 0);
	msgrcv(id, &message, 8, 0, IPC_NOWAIT);
	msgctl(id, IPC_STAT, (void *)text);
	msgctl(id, IPC_RMID, 0);
	struct iovec here = {text, 10}, there = {text + 100, 10};
	process_vm_readv(getpid(), &here, 1, &there, 1, 0);
}

// Calls that end or change this process, that block, or that write to disks.
static const int left[] = {
	SYS_pause, SYS_select, SYS_poll, SYS_ppoll, SYS_pselect6, SYS_rt_sigsuspend, SYS_exit, SYS_exit_group,
	SYS_fork, SYS_vfork, SYS_clone, SYS_clone3, SYS_rt_sigreturn, SYS_seccomp, SYS_ptrace, SYS_sync,
	SYS_syncfs, SYS_fsync, SYS_fdatasync, SYS_sync_file_range, SYS_msgrcv, SYS_mlockall, SYS_setrlimit,
	SYS_setuid, SYS_setgid, SYS_setreuid, SYS_setregid, SYS_setresuid, SYS_setresgid, SYS_setfsuid,
	SYS_setfsgid, SYS_personality, SYS_unshare, SYS_kill, SYS_tkill, SYS_reboot, SYS_brk, SYS_munmap,
	SYS_mmap, SYS_mremap, SYS_shmat, SYS_shmdt, SYS_set_robust_list, SYS_set_tid_address, SYS_arch_prctl,
	SYS_rseq, SYS_close, SYS_close_range, SYS_dup2, SYS_dup3, SYS_vhangup, SYS_alarm, SYS_read, SYS_accept,
	SYS_accept4, SYS_wait4, SYS_waitid, SYS_futex, SYS_restart_syscall, SYS_prctl, SYS_modify_ldt,
	SYS_iopl, SYS_ioperm, SYS_semop, SYS_semtimedop, SYS_umask, SYS_io_pgetevents, SYS_io_getevents,
	SYS_write, SYS_pwrite64, SYS_nanosleep, SYS_clock_nanosleep,
};

static long zeros[64];

static void sweep(long first, long rest)
{
	for (int n = 0; n <= 450; n++) {
		if (n == 335)
			n = 424; // there are no calls between
		int skip = n >= 387 && n < 424;
		for (int i = 0; i < sizeof(left) / sizeof(*left); i++)
			skip |= left[i] == n;
		memset(zeros, 0, sizeof(zeros));
		if (!skip)
			syscall(n, first, rest, rest, rest, rest, rest);
	}
}

int main(void)
{
	files();
	sockets();
	waiting();
	processes();
	memory();
	alarm(60);
	sweep(0, 0);
	sweep(-1, -1);
	sweep(1, (long)zeros);
	sweep((long)zeros, (long)zeros);
	syscall(SYS_exit_group, 3);
}
