// SPDX-License-Identifier: Apache-2.0

#include "textflag.h"

#define fcntl 72
#define F_GETFD 1
#define EBADF 9

// runc_trace_entry is the first code that runs if the linker is told so (-E runc_trace_entry): it notes in closedAtStart
// which of descriptors 0 to 2 are closed, and goes on to Go's own first code, with the stack as the kernel left it.
TEXT runc_trace_entry(SB), NOSPLIT|NOFRAME, $0
	XORL R12, R12 // descriptor
	XORL R13, R13 // one bit for each that is closed
next:
	MOVL $fcntl, AX
	MOVL R12, DI
	MOVL $F_GETFD, SI
	XORL DX, DX
	SYSCALL
	CMPQ AX, $-EBADF
	JNE  open
	BTSL R12, R13
open:
	INCL R12
	CMPL R12, $3
	JNE  next
	MOVL R13, ·closedAtStart(SB)
	XORL DX, DX
	JMP  _rt0_amd64_linux(SB)
