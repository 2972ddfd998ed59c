// SPDX-License-Identifier: Apache-2.0

// Package syscalls describes the system calls of Linux: their numbers, names and arguments (signatures.txt, flags.txt),
// the memory that the kernel captures of each (Descriptions), and how to decode a record (Call.Decode) and show it
// (Call.AppendText).
//
// It turns bytes into text and opens no files, so it builds and behaves the same on every operating system.
package syscalls

import (
	"runtime"
)

//go:generate go run gen_numbers.go

// ABI is a system call interface of the kernel: a numbering and a register width. The zero value is no ABI.
type ABI uint8

// The ABIs of recorded calls.
const (
	AMD64 ABI = 1 + iota
	ARM64
	I386 // 32-bit programs on amd64 ("ia32")
	ARM  // 32-bit programs on arm64
	X32  // amd64's registers with 32-bit pointers
	abis
)

// String returns the name that lines show before a call of an ABI that is not the native one.
func (a ABI) String() string {
	if a >= abis {
		return "unknown"
	}
	return [abis]string{"none", "amd64", "arm64", "ia32", "arm", "x32"}[a]
}

// is32 reports whether registers and addresses are 32 bits wide.
func (a ABI) is32() bool { return a == I386 || a == ARM }

// NativeABI returns the 64-bit ABI of the machine that this program was built for: AMD64 or ARM64.
func NativeABI() ABI {
	if runtime.GOARCH == "arm64" || runtime.GOARCH == "arm" {
		return ARM64
	}
	return AMD64
}

// CompatABI returns the 32-bit ABI that a kernel of a native ABI also supports.
func CompatABI(native ABI) ABI {
	if native == ARM64 {
		return ARM
	}
	return I386
}

// Nr is the number of a system call within its ABI. Numbers of x32 are without bit 30.
type Nr uint16

// Syscall is a system call of one ABI.
type Syscall struct {
	Name string // as in the kernel's table: newfstatat, pread64
	Args []Arg  // at most 6

	address    bool // the result is an address
	descriptor bool // the result is a descriptor
	exits      bool // exit or exit_group: it never returns
	rows       []row
	hot        *hot // nil: a call that succeeds may be new
	resolve    bool // it opens or executes a file, or enters a directory
	enter      bool // the last of these
}

// Arg is an argument of a system call.
type Arg struct {
	Name string // as in the kernel's prototype
	Type string // as in signatures.txt

	half  string     // of the number of 64 bits of which it is a half: "pos" of pos_low; or ""
	high  bool       // it is the upper half
	flags *flagTable // of kindFlags
	rows  []row      // of the memory that is captured
	of    *layout    // of what it points to, if that is a struct; nil if the ABI has none
	array bool       // there may be several of these
	// written is true if the call writes to the memory that it points to.
	written bool
	// recorded is true if of the struct only what is shown without being asked for is recorded.
	recorded bool
	forms    []form // alternatives: the first one whose conditions hold applies
	kind     kind
	length   uint8 // index of the argument with its length, if its kind is sized
}

// Find returns the number of a system call by its name, or false if the ABI has no such call.
func Find(abi ABI, name string) (Nr, bool) {
	for nr := range NumberOther {
		if s, ok := Lookup(abi, nr); ok && s.Name == name {
			return nr, true
		}
	}
	return 0, false
}

// Lookup returns a system call, or false if the ABI has no such number. The Syscall is shared and must not be changed.
func Lookup(abi ABI, nr Nr) (*Syscall, bool) {
	if abi == 0 || abi >= abis {
		return nil, false
	}
	s := tableOf(abi).lookup(nr)
	return s, s != nil
}
