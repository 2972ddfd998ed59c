// SPDX-License-Identifier: Apache-2.0

package syscalls_test

import (
	"os/exec"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/runc-trace/runc-trace/pkg/syscalls"
)

// TestClassesOfStrace compares the classes with those of strace. With --seccomp-bpf and -d, strace prints the filter
// that stops a program at the calls of a class, and at those that this strace does not know.
func TestClassesOfStrace(t *testing.T) {
	if _, err := exec.LookPath("strace"); err != nil || runtime.GOARCH != "amd64" {
		t.Skip("needs strace on amd64")
	}
	filterOf := func(class string) filter {
		out, _ := exec.Command("strace", "-f", "--seccomp-bpf", "-d", "-e", "trace="+class, "true").CombinedOutput()
		return parseFilter(string(out))
	}
	none := filterOf("none")
	if len(none) == 0 {
		t.Skip("this strace prints no filter, or may not trace")
	}
	const (
		amd64  = 0xc000003e
		shared = 424 // from here on, calls have the same numbers in all ABIs
	)
	always := []string{"execve", "execveat", "ipc", "socketcall"} // strace stops at these in any case
	for _, class := range syscalls.Classes() {
		f := filterOf(class)
		compared := 0
		for abi, architecture := range map[syscalls.ABI]uint32{syscalls.AMD64: amd64, syscalls.I386: 0x40000003} {
			for nr := range syscalls.NumberOther {
				s, ok := syscalls.Lookup(abi, nr)
				unknown := none.stops(architecture, uint32(nr)) || nr >= shared && none.stops(amd64, uint32(nr))
				if !ok || slices.Contains(always, s.Name) || unknown {
					continue
				}
				compared++
				got := slices.Contains(syscalls.ClassMembers(class), s.Name)
				if want := f.stops(architecture, uint32(nr)); got != want {
					t.Errorf("%v: %s is in %s: %v, but %v for strace", abi, s.Name, class, got, want)
				}
			}
		}
		if compared < 700 {
			t.Errorf("%s: only %d calls could be compared", class, compared)
		}
	}
}

// filter is a program of seccomp, as strace prints it.
type filter []instruction

type instruction struct {
	code  string
	field string // of BPF_LDWABS and BPF_RET
	jump  [2]int // if true, if false
	k     uint32
}

var instructions = regexp.MustCompile(`(?m)^strace: (STMT|JUMP)\((.*)\)$`)

func parseFilter(out string) filter {
	var f filter
	for _, m := range instructions.FindAllStringSubmatch(out, -1) {
		words := strings.Split(m[2], ", ")
		i := instruction{code: words[0], field: words[len(words)-1]}
		k, _ := strconv.ParseUint(i.field, 0, 32)
		i.k = uint32(k)
		if len(words) == 4 {
			i.jump[0], _ = strconv.Atoi(words[1])
			i.jump[1], _ = strconv.Atoi(words[2])
		}
		f = append(f, i)
	}
	return f
}

// stops reports whether the filter stops a program at a call.
func (f filter) stops(architecture, number uint32) bool {
	var a, x uint32
	for pc := 0; pc < len(f); pc++ {
		i := f[pc]
		jump := func(condition bool) {
			if condition {
				pc += i.jump[0]
			} else {
				pc += i.jump[1]
			}
		}
		switch i.code {
		case "BPF_LDWABS":
			if a = number; strings.HasSuffix(i.field, "arch") {
				a = architecture
			}
		case "BPF_LDWIMM":
			a = i.k
		case "BPF_TAX":
			x = a
		case "BPF_TXA":
			a = x
		case "BPF_AND":
			a &= i.k
		case "BPF_LSH":
			a <<= x
		case "BPF_RSH":
			a >>= i.k
		case "BPF_JA":
			pc += int(i.k)
		case "BPF_JEQ":
			jump(a == i.k)
		case "BPF_JGE":
			jump(a >= i.k)
		case "BPF_JSET":
			jump(a&i.k != 0)
		case "BPF_RET":
			return strings.HasSuffix(i.field, "TRACE")
		}
	}
	return false
}
