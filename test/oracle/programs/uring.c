// SPDX-License-Identifier: Apache-2.0
// io_uring without a library: a few operations, one at a time.
#include <fcntl.h>
#include <linux/io_uring.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static struct io_uring_params p;
static struct io_uring_sqe *sqes;
static char *ring;
static int fd;

static int submit(struct io_uring_sqe e)
{
	unsigned *tail = (void *)(ring + p.sq_off.tail), mask = *(unsigned *)(ring + p.sq_off.ring_mask);
	unsigned index = *tail & mask, *head = (void *)(ring + p.cq_off.head);

	sqes[index] = e;
	((unsigned *)(ring + p.sq_off.array))[index] = index;
	__atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
	syscall(SYS_io_uring_enter, fd, 1, 1, IORING_ENTER_GETEVENTS, 0, 0);
	struct io_uring_cqe *c = (void *)(ring + p.cq_off.cqes);
	int result = c[*head & *(unsigned *)(ring + p.cq_off.ring_mask)].res;
	__atomic_store_n(head, *head + 1, __ATOMIC_RELEASE);
	return result;
}

int main(void)
{
	char text[64] = "";

	p.flags = IORING_SETUP_CLAMP;
	fd = syscall(SYS_io_uring_setup, 8, &p);
	if (fd < 0)
		return 1;
	ring = mmap(0, p.sq_off.array + p.sq_entries * 4 + 4096 + p.cq_entries * 16, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_POPULATE, fd, IORING_OFF_SQ_RING);
	sqes = mmap(0, p.sq_entries * sizeof(*sqes), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, IORING_OFF_SQES);
	submit((struct io_uring_sqe){.opcode = IORING_OP_NOP});
	submit((struct io_uring_sqe){.opcode = IORING_OP_OPENAT, .fd = AT_FDCWD, .addr = (long)"/missing",
		.open_flags = O_RDONLY});
	int f = submit((struct io_uring_sqe){.opcode = IORING_OP_OPENAT, .fd = AT_FDCWD, .addr = (long)"/etc/hostname",
		.open_flags = O_RDONLY});
	submit((struct io_uring_sqe){.opcode = IORING_OP_READ, .fd = f, .addr = (long)text, .len = sizeof(text)});
	submit((struct io_uring_sqe){.opcode = IORING_OP_WRITE, .fd = 1, .addr = (long)text, .len = strlen(text), .off = -1});
	submit((struct io_uring_sqe){.opcode = IORING_OP_CLOSE, .fd = f});
	return 0;
}
