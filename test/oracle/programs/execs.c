// SPDX-License-Identifier: Apache-2.0
// Threads that execute programs in the place of the first one of their process, and execs with odd arguments.
#include <pthread.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <fcntl.h>
#include <unistd.h>

static void *wait_forever(void *p) { for (;;) pause(); }

static void *execute(void *p)
{
	int fd = open("/etc/passwd", O_RDONLY);
	close(open("/etc/hostname", O_RDONLY | O_CLOEXEC));
	usleep(20000); // the others wait by then
	execl("/bin/cat", "cat", p, NULL);
	return 0;
}

static void child(int first)
{
	pthread_t t;

	for (int i = 0; i < 2; i++)
		pthread_create(&t, 0, wait_forever, 0);
	pthread_create(&t, 0, execute, "/dev/null");
	if (first)
		wait_forever(0);
	pthread_exit(0);
}

int main(void)
{
	char *end = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *none[] = {0}, *bad[] = {"true", (void *)1, 0};

	for (int i = 0; i < 2; i++) {
		if (!fork())
			child(i);
		wait(0);
	}
	chdir("/");
	open("/", O_RDONLY | O_DIRECTORY);
	if (!fork()) {
		execve("/bin/true", bad, 0);
		execve("/bin/true", none, (void *)1);
		execve((void *)1, none, 0);
		munmap(end + 4096, 4096);
		execve("bin/true", (char **)(end + 4088), 0);
		_exit(1);
	}
	wait(0);
	return 0;
}
