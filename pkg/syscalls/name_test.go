// SPDX-License-Identifier: Apache-2.0

package syscalls

import (
	"testing"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
)

func TestNameAt(t *testing.T) {
	native := NativeABI()
	compat := CompatABI(native)
	for index, want := range map[int]string{
		0:                       numbersOf(native)[0],
		500:                     "syscall_0x1f4",
		abi.SyscallsMax + 5:     compat.String() + ":" + numbersOf(compat)[5],
		2*abi.SyscallsMax - 1:   "other",
		abi.SyscallsMax + 0x1f4: compat.String() + ":syscall_0x1f4",
	} {
		if got := NameAt(index); got != want {
			t.Errorf("%d is %q, want %q", index, got, want)
		}
	}
}
