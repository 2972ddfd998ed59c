// SPDX-License-Identifier: Apache-2.0
// One of many threads writes to an address that is not mapped, while others block or count.
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static void *count(void *crashes)
{
	if (crashes) {
		usleep(50000);
		write(1, "now\n", 4);
		*(volatile int *)8 = 1;
	}
	for (volatile long i = 0;; i++) { }
}

static void *block(void *end)
{
	char c;
	read(*(int *)end, &c, 1);
	return 0;
}

int main(void)
{
	pthread_t t;
	int ends[2];

	for (int round = 0; round < 3; round++) {
		if (fork())
			continue;
		pipe(ends);
		for (int i = 0; i < 4; i++)
			pthread_create(&t, 0, block, ends);
		if (round == 0) {
			pthread_create(&t, 0, count, (void *)1);
			pthread_create(&t, 0, count, 0);
			pause();
		}
		usleep(50000);
		if (round == 1)
			abort();
		exit(9);
	}
	while (wait(0) > 0) { }
	return 0;
}
