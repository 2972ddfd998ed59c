// SPDX-License-Identifier: Apache-2.0

package scap

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/runc-trace/runc-trace/pkg/syscalls"
)

// sizesOf reads the sizes of the parameters of each event.
func sizesOf(t testing.TB) map[uint16][]string {
	t.Helper()
	text, err := os.ReadFile("testdata/sizes.txt")
	if err != nil {
		t.Fatal(err)
	}
	sizes := map[uint16][]string{}
	for line := range strings.Lines(string(text)) {
		if words := strings.Fields(line); words[0] != "#" {
			number, err := strconv.ParseUint(words[0], 10, 16)
			if err != nil {
				t.Fatal(err)
			}
			sizes[uint16(number)] = words[1:]
		}
	}
	return sizes
}

// isText reports whether a size is that of a text.
func isText(size string) bool { return size == "text" || size == "path" }

// TestTable checks that each row is of calls that exist, that its parameters are made of arguments that they have, and
// that they have the number and the sizes that the format prescribes.
func TestTable(t *testing.T) {
	sizes, seen := sizesOf(t), map[string]bool{}
	for _, r := range rows {
		for name := range strings.FieldsSeq(r.calls) {
			if seen[name] {
				t.Errorf("%s has two rows", name)
			}
			seen[name] = true
			found := false
			for _, abi := range []syscalls.ABI{syscalls.AMD64, syscalls.I386, syscalls.ARM64, syscalls.ARM} {
				s := described(abi, name)
				if rowOf(s) == nil {
					continue
				}
				found = true
				for _, p := range slices.Concat(r.enter, r.exit) {
					has := func(a syscalls.Arg) bool { return a.Name == p.arg || strings.HasPrefix(a.Name, p.arg+"_") }
					optional := makes(&r) || executes(&r)
					if p.arg != "" && !optional && !slices.ContainsFunc(s.Args, has) {
						t.Errorf("%s of %v has no argument %s", name, abi, p.arg)
					}
				}
			}
			if !found {
				t.Errorf("there is no call %s", name)
			}
		}
		for n, parameters := range [][]parameter{r.enter, r.exit} {
			event, want := r.event+uint16(n), sizes[r.event+uint16(n)]
			if got := layout(parameters, want); !slices.Equal(got, want) {
				t.Errorf("event %d of %s has parameters of %v bytes, not %v", event, r.calls, got, want)
			}
		}
	}
}

// described returns a call of an ABI, also one that socketcall stands for, or nil.
func described(abi syscalls.ABI, name string) *syscalls.Syscall {
	if nr, ok := syscalls.Find(abi, name); ok {
		s, _ := syscalls.Lookup(abi, nr)
		return s
	}
	if name != "send" && name != "recv" {
		return nil
	}
	nr, _ := syscalls.Find(syscalls.I386, "socketcall")
	for number := range uint64(32) {
		c := syscalls.Call{ABI: syscalls.I386, Nr: nr, NArgs: 2, Args: [6]uint64{number}}
		if c.Syscall(); c.Multiplexed != nil && c.Multiplexed.Name == name {
			return c.Multiplexed
		}
	}
	return nil
}

// layout returns the sizes of parameters as the format writes them down.
func layout(parameters []parameter, want []string) (sizes []string) {
	e := event{}
	for i := range parameters {
		parameters[i].add(&e, &call{Call: &syscalls.Call{}})
		size := strconv.Itoa(int(e.lengths[i]))
		if i < len(want) && (want[i] == "bytes" || isText(want[i]) && e.data[len(e.data)-1] == 0) {
			size = want[i]
		}
		sizes = append(sizes, size)
	}
	return sizes
}

// TestCodes compares some numbers of calls without an event of their own, from the beginning to the end of the list.
func TestCodes(t *testing.T) {
	for name, want := range map[string]uint16{
		"restart_syscall": 1, "getpid": 16, "prctl": 106, "exit_group": 164, "epoll_ctl": 166, "faccessat": 208,
		"rt_sigreturn": 298, "newfstatat": 300, "getrandom": 318, "clone3": 328,
	} {
		if got := codes[name]; got != want {
			t.Errorf("%s is %d, not %d", name, got, want)
		}
	}
	if len(codes) != 328 {
		t.Errorf("there are %d", len(codes))
	}
}
