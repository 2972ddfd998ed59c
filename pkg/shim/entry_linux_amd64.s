// SPDX-License-Identifier: Apache-2.0

#include "textflag.h"

#define fcntl 72
#define openat 257
#define F_GETFD 1
#define EBADF 9
#define AT_FDCWD -100
#define O_PATH_CLOEXEC 0x280000

DATA root<>+0(SB)/8, $0x2f // "/"
GLOBL root<>(SB), RODATA|NOPTR, $8

// runc_trace_entry is the first code to run if the linker is given -E runc_trace_entry. For each of the descriptors 0
// to 2 that the caller left closed, it opens the directory "/" until exec, which closes it again. Then it jumps to
// Go's own entry, with the stack as the kernel left it. Without this, Go would open /dev/null in their place, and the
// runtime would inherit that: see checkfds in the Go runtime's fds_unix.go.
TEXT runc_trace_entry(SB), NOSPLIT|NOFRAME, $0
	XORL R12, R12 // the descriptor
next:
	MOVL $fcntl, AX
	MOVL R12, DI
	MOVL $F_GETFD, SI
	XORL DX, DX
	SYSCALL
	CMPQ AX, $-EBADF
	JNE  open
	MOVL $openat, AX // returns the lowest closed descriptor
	MOVQ $AT_FDCWD, DI
	LEAQ root<>(SB), SI
	MOVL $O_PATH_CLOEXEC, DX
	XORL R10, R10
	SYSCALL
open:
	INCL R12
	CMPL R12, $3
	JNE  next
	XORL DX, DX
	JMP  _rt0_amd64_linux(SB)
