// SPDX-License-Identifier: Apache-2.0

package syscalls

import "github.com/runc-trace/runc-trace/pkg/bpf/abi"

// Descriptions says what the kernel is to record of each system call: the content of
// the map "syscalls". The call nr of the native ABI stands at index nr, that of compat at
// abi.SyscallsMax + nr; the result has 2 * abi.SyscallsMax elements. Of a number that is not
// known, all arguments are recorded and nothing that they point to. Where structs of
// the 32-bit ABI have another layout (iovec, msghdr, timespec), they are not followed.
func Descriptions(native, compat ABI) []abi.Syscall {
	descriptions := make([]abi.Syscall, 0, 2*abi.SyscallsMax)
	for _, a := range []ABI{native, compat} {
		for nr := range Nr(abi.SyscallsMax) {
			s, ok := Lookup(a, nr)
			if !ok {
				descriptions = append(descriptions, abi.Syscall{Args: abi.ArgsMax})
				continue
			}
			descriptions = append(descriptions, s.describe(a.is32()))
		}
	}
	return descriptions
}

// describe leaves out what is of a struct that the 32-bit ABI has otherwise.
func (s *Syscall) describe(is32 bool) abi.Syscall {
	d := abi.Syscall{Args: uint8(len(s.Args))}
	switch s.Name {
	case "execve":
		d.Exec = 1
	case "execveat":
		d.Exec = 2
	}
	n := 0
	for _, c := range s.captures {
		if !is32 || !c.native {
			d.Captures[n] = c.Capture
			n++
		}
	}
	return d
}
