// SPDX-License-Identifier: Apache-2.0
// Calls of i386, without a library, so that a compiler for amd64 makes it.
#define NULL ((void *)0)

static long call(long n, long a, long b, long c, long d, long e, long f)
{
	long result;
	struct { long ebx, ebp; } more = {a, f};
	asm volatile("push %%ebx; push %%ebp; mov (%%eax), %%ebx; mov 4(%%eax), %%ebp; mov %1, %%eax; int $0x80;"
		     "pop %%ebp; pop %%ebx" : "=a"(result) : "D"(n), "a"(&more), "c"(b), "d"(c), "S"(d) : "memory");
	(void)e;
	return result;
}

#define CALL(n, a, b, c, d) call(n, (long)(a), (long)(b), (long)(c), (long)(d), 0, 0)

void _start(void)
{
	static char text[200];
	static int ends[2], pair[2], status, one = 1;
	static unsigned stat[24], time[2] = {0, 1000000}, limit[2], name[98];
	static struct { char *at; unsigned length; } vector[2] = {{"one ", 4}, {"two\n", 4}};
	static struct { unsigned short family, port; unsigned ip, zero[2]; } peer = {2, 0x0900, 0x0100007f};
	static unsigned mask[2] = {0x100, 1};
	static struct { int fd; short events, revents; } ready = {1, 4};
	static struct { void *handler; unsigned flags; void *restorer; unsigned mask[2]; } action = {(void *)1};
	long f, pid;

	f = CALL(5, "/etc/hostname", 0, 0, 0);                 // open
	CALL(3, f, text, sizeof(text), 0);                     // read
	CALL(197, f, stat, 0, 0);                              // fstat64
	CALL(140, f, 0, 2, &time);                             // _llseek
	CALL(6, f, 0, 0, 0);                                   // close
	CALL(5, "/missing", 0x8042, 0644, 0);
	CALL(195, "/etc/hostname", stat, 0, 0);                // stat64
	CALL(122, name, 0, 0, 0);                              // uname
	CALL(191, 7, limit, 0, 0);                             // ugetrlimit
	CALL(42, ends, 0, 0, 0);                               // pipe
	CALL(146, 1, vector, 2, 0);                            // writev
	CALL(168, &ready, 1, 10, 0);                           // poll
	CALL(162, time, NULL, 0, 0);                           // nanosleep
	CALL(175, 0, mask, NULL, 8);                           // rt_sigprocmask
	CALL(174, 10, &action, NULL, 8);                       // rt_sigaction
	CALL(182, "/missing", 65535, 0, 0);                    // chown, with 16 bits
	CALL(55, 1, 3, 0, 0);                                  // fcntl
	long socket[] = {2, 1, 0};
	long s = CALL(102, 1, socket, 0, 0);                   // socketcall
	long option[] = {s, 1, 2, (long)&one, 4};
	CALL(102, 14, option, 0, 0);
	long connect[] = {s, (long)&peer, 16};
	CALL(102, 3, connect, 0, 0);
	long socketpair[] = {1, 1, 0, (long)pair};
	CALL(102, 8, socketpair, 0, 0);
	long send[] = {pair[0], (long)"hello", 5, 0};
	CALL(102, 9, send, 0, 0);
	long receive[] = {pair[1], (long)text, sizeof(text), 0};
	CALL(102, 10, receive, 0, 0);
	static struct { unsigned short family, port; unsigned ip, zero[2]; } here = {2, 0x901f, 0x0100007f}, from;
	static int size = 16, error, length = 4;
	long server[] = {CALL(102, 1, socket, 0, 0), (long)&here, 16};
	CALL(102, 2, server, 0, 0);
	long listen[] = {server[0], 5};
	CALL(102, 4, listen, 0, 0);
	long client[] = {CALL(102, 1, socket, 0, 0), (long)&here, 16};
	CALL(102, 3, client, 0, 0);
	long accept[] = {server[0], (long)&from, (long)&size};
	CALL(102, 5, accept, 0, 0);
	size = 6;                                              // less than an address
	long name_of[] = {client[0], (long)&from, (long)&size};
	CALL(102, 6, name_of, 0, 0);
	size = 16;
	CALL(102, 7, name_of, 0, 0);
	CALL(102, 7, socket, 0, 0);                            // fails
	long got[] = {client[0], 1, 4, (long)&error, (long)&length};
	CALL(102, 15, got, 0, 0);                              // SO_ERROR
	long receive_from[] = {pair[0], (long)text, 10, 0x40, (long)&from, (long)&size};
	CALL(102, 12, receive_from, 0, 0);
	CALL(500, 1, 2, 3, 4);                                 // no such call
	long m = CALL(117, 13, 0, 1, 01600);                   // ipc, msgget
	(void)m;
	pid = CALL(2, 0, 0, 0, 0);                             // fork
	if (!pid)
		CALL(1, 4, 0, 0, 0);
	CALL(114, pid, &status, 0, NULL);                      // wait4
	CALL(372, 0, 0, 0, 0);                                 // shmget-like numbers are not those of amd64
	CALL(252, 2, 0, 0, 0);                                 // exit_group
}
