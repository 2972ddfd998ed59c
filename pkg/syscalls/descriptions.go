// SPDX-License-Identifier: Apache-2.0

package syscalls

import "github.com/runc-trace/runc-trace/pkg/bpf/abi"

// Descriptions returns what the kernel records of each system call: the content of the map "syscalls". The call nr of
// the native ABI is at index nr, that of compat at abi.SyscallsMax + nr; the result has 2 * abi.SyscallsMax elements.
// For an unknown number, all arguments are recorded, but no memory that they point to. Structs that have another layout
// in the 32-bit ABI (iovec, msghdr, timespec) are not followed there.
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

// describe returns the description. For the 32-bit ABI, it leaves out captures of structs that have another layout
// there.
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
