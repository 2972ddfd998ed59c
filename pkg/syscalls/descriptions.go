// SPDX-License-Identifier: Apache-2.0

package syscalls

import (
	"maps"
	"slices"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
)

// Descriptions returns what the kernel records of each system call: the content of the map "syscalls". The call nr of
// the native ABI is at index nr, that of compat at abi.SyscallsMax + nr. After these 2 * abi.SyscallsMax elements
// follow those with the rows of calls that need more than one element. For an unknown number, all arguments are
// recorded, but no memory that they point to. Structs that have another layout in the 32-bit ABI (iovec, msghdr,
// timespec) are not followed there.
func Descriptions(native, compat ABI) []abi.Syscall {
	descriptions := make([]abi.Syscall, 0, 2*abi.SyscallsMax+abi.ChainedMax)
	chains := make(map[int][]abi.Capture)
	for _, a := range []ABI{native, compat} {
		for nr := range Nr(abi.SyscallsMax) {
			s, ok := Lookup(a, nr)
			if !ok {
				descriptions = append(descriptions, abi.Syscall{Args: abi.ArgsMax})
				continue
			}
			d, more := s.describe(a.is32())
			if len(more) > 0 {
				chains[len(descriptions)] = more
			}
			descriptions = append(descriptions, d)
		}
	}
	for _, at := range slices.Sorted(maps.Keys(chains)) {
		for rows := range slices.Chunk(chains[at], abi.Rows) {
			descriptions[at].More, at = uint16(len(descriptions)), len(descriptions)
			var next abi.Syscall
			copy(next.Rows[:], rows)
			descriptions = append(descriptions, next)
		}
	}
	return descriptions
}

// describe returns the description, and the rows that it has no room for. For the 32-bit ABI, it leaves out captures of
// structs that have another layout there.
func (s *Syscall) describe(is32 bool) (d abi.Syscall, more []abi.Capture) {
	d = abi.Syscall{Args: uint8(len(s.Args))}
	switch s.Name {
	case "execve":
		d.Exec = 1
	case "execveat":
		d.Exec = 2
	}
	if s.hot != nil {
		d.Traits |= abi.TraitHot
		d.HotArg, d.HotMask = s.hot.arg, s.hot.mask
	}
	if s.resolve {
		d.Traits |= abi.TraitResolve
	}
	for i := range s.Args {
		switch k := s.Args[i].kind; k {
		case kindFlags, kindSignal:
			d.Values |= 1 << i
		case kindPath:
			d.Traits |= abi.TraitPath
			d.Contents |= 1 << i
		case kindStr, kindSockAddr, kindOpenHow:
			d.Contents |= 1 << i
		case kindIn, kindVectorIn:
			if i == 1 && s.Args[0].kind == kindFD && s.Name != "sendto" {
				d.Traits |= abi.TraitWrite
			}
		}
	}
	var rows []abi.Capture
	for _, c := range s.captures {
		if !is32 || !c.native {
			rows = append(rows, c.Capture)
		}
	}
	return d, rows[copy(d.Rows[:], rows):]
}
