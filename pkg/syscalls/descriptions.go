// SPDX-License-Identifier: Apache-2.0

package syscalls

import (
	"fmt"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
)

// Descriptions returns what the kernel records of each system call: the content of the map "syscalls". The call nr of
// the native ABI is at index nr, that of compat at abi.SyscallsMax + nr. After these 2 * abi.SyscallsMax elements
// follow those with the rows of calls that need more than one element, and from abi.SyscallsX32 on the calls that only
// x32 has. For an unknown number, all arguments are recorded, but no memory that they point to. With whole, structs are
// kept whole, not only from the first to the last member that is shown.
func Descriptions(native, compat ABI, whole bool) []abi.Syscall {
	descriptions := make([]abi.Syscall, abi.SyscallsNone)
	for i := range descriptions {
		descriptions[i].Args = abi.ArgsMax
	}
	chain := 2 * abi.SyscallsMax
	fill := func(at int, a ABI, nr Nr) {
		s, ok := Lookup(a, nr)
		if !ok {
			return
		}
		d := &descriptions[at]
		rows := s.rowsOf(a, a == X32, whole)
		for *d = s.describe(); ; {
			if rows = rows[copy(d.Rows[:], rows):]; len(rows) == 0 {
				return
			}
			d.More = uint16(chain)
			d = &descriptions[chain]
			*d = abi.Syscall{}
			chain++
		}
	}
	for nr := range Nr(abi.SyscallsMax) {
		fill(int(nr), native, nr)
		fill(int(abi.SyscallsMax+nr), compat, nr)
	}
	if native == AMD64 {
		for nr := range Nr(abi.X32Max) {
			fill(int(abi.SyscallsX32+nr), X32, abi.X32First+nr)
		}
	}
	if chain > abi.SyscallsX32 {
		panic(fmt.Sprintf("signatures.txt needs %d elements for more rows", chain-2*abi.SyscallsMax))
	}
	return descriptions
}

// NameAt returns the name of the call at an index of the map "syscalls", as in a line of text: "openat", "ia32:openat".
// The last index before the rows stands for all calls beyond: "other".
func NameAt(index int) string {
	native := NativeABI()
	c := Call{Native: native, ABI: native, Nr: Nr(index)}
	switch {
	case index == 2*abi.SyscallsMax-1:
		return "other"
	case index >= abi.SyscallsMax:
		c.ABI, c.Nr = CompatABI(native), Nr(index-abi.SyscallsMax)
	}
	return string(c.appendName(nil, c.Syscall()))
}

// describe returns the description, without rows.
func (s *Syscall) describe() abi.Syscall {
	d := abi.Syscall{Args: uint8(len(s.Args))}
	switch s.Name {
	case "execve":
		d.Exec = 1
		d.Contents |= 1 << 1 // the arguments of the program
	case "execveat":
		d.Exec = 2
		d.Contents |= 1 << 2
	case "dup", "dup2", "dup3", "fcntl", "fcntl64", "pidfd_getfd":
		d.Traits |= abi.TraitCopies
	case "getsockopt":
		d.Traits |= abi.TraitSocketError
	}
	if s.hot != nil {
		d.Traits |= abi.TraitHot
		d.HotArg, d.HotMask = s.hot.arg, s.hot.mask
	}
	if s.resolve {
		d.Traits |= abi.TraitResolve
	}
	if s.enter {
		d.Traits |= abi.TraitEnters
	}
	for i := range s.Args {
		switch k := s.Args[i].kind; k {
		case kindFlags, kindSignal, kindID, kindID16:
			d.Values |= 1 << i
		case kindMode, kindFileMode:
			if i == 0 || s.Args[i-1].kind != kindFlags { // after flags, it counts only with some of them
				d.Values |= 1 << i
			}
		case kindPath:
			d.Traits |= abi.TraitPath
			d.Contents |= 1 << i
		case kindStr, kindText, kindSockAddr:
			d.Contents |= 1 << i
		case kindPtr:
			if l := s.Args[i].of; l != nil && l.name == "open_how" {
				d.Contents |= 1 << i
			}
		case kindIn, kindVectorIn:
			if i == 1 && s.Args[0].kind == kindFD && s.Name != "sendto" {
				d.Traits |= abi.TraitWrite
			}
		}
	}
	return d
}
