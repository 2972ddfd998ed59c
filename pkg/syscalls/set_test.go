// SPDX-License-Identifier: Apache-2.0

package syscalls_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/runc-trace/runc-trace/pkg/syscalls"
)

// TestSet checks which calls an expression of strace selects.
func TestSet(t *testing.T) {
	all := "openat read write connect futex syscall_0x1f3 signal"
	for _, c := range []struct {
		lists []string
		want  string
	}{
		{nil, all},
		{[]string{"all"}, all},
		{[]string{"!none"}, all},
		{[]string{"none"}, ""},
		{[]string{"!all"}, ""},
		{[]string{"openat"}, "openat"},
		{[]string{"openat,read"}, "openat read"},
		{[]string{"openat", "read"}, "openat read"},
		{[]string{"trace=openat"}, "openat"},
		{[]string{"!openat"}, "read write connect futex syscall_0x1f3 signal"},
		{[]string{"!openat,read"}, "write connect futex syscall_0x1f3 signal"},
		{[]string{"trace=!openat,!read"}, "write connect futex syscall_0x1f3 signal"},
		{[]string{"!openat", "read"}, "read"},
		{[]string{"%file"}, "openat"},
		{[]string{"%desc"}, "openat read write"},
		{[]string{"%desc,!read"}, "openat write"},
		{[]string{"!read", "%desc"}, "openat write"},
		{[]string{"%net"}, "connect"},
		{[]string{"!%desc,futex"}, "connect syscall_0x1f3 signal"},
		{[]string{"/^(re|wr)"}, "read write"},
		{[]string{"/t"}, "openat write connect futex"},
		{[]string{"read,all"}, all},
		{[]string{"all,!read"}, "openat write connect futex syscall_0x1f3 signal"},
		{[]string{"?nosuch,?read"}, "read"},
		{[]string{"syscall_0x1f3"}, "syscall_0x1f3"},
		{[]string{"!syscall_0x1f3"}, "openat read write connect futex signal"},
	} {
		set := syscalls.Set{ABIs: []syscalls.ABI{syscalls.AMD64, syscalls.I386}}
		for _, list := range c.lists {
			if err := set.Add(list); err != nil {
				t.Fatalf("%q: %v", list, err)
			}
		}
		again := syscalls.Set{ABIs: set.ABIs}
		if len(c.lists) > 0 {
			if err := again.Add(set.String()); err != nil {
				t.Fatalf("%q: %v", set.String(), err)
			}
		}
		for _, s := range []*syscalls.Set{&set, &again} {
			var got []string
			for name := range strings.FieldsSeq(all) {
				var made syscalls.Call
				switch name {
				case "signal":
					made = syscalls.Call{Nr: syscalls.NumberSignal, ABI: syscalls.AMD64, Native: syscalls.AMD64}
				case "syscall_0x1f3":
					made = syscalls.Call{Nr: 0x1f3, ABI: syscalls.AMD64, Native: syscalls.AMD64}
				default:
					made = call(t, name, 0)
				}
				if s.Has(&made) {
					got = append(got, name)
				}
			}
			if diff := cmp.Diff(c.want, strings.Join(got, " ")); diff != "" {
				t.Errorf("%q, as %q (-want +got):\n%s", c.lists, s, diff)
			}
		}
	}
}

func TestSetErrors(t *testing.T) {
	for list, want := range map[string]string{
		"opne":           `unknown system call "opne"; did you mean open?`,
		"read,!futx":     `unknown system call "futx"; did you mean futex?`,
		"":               `unknown system call ""`,
		"read,":          `unknown system call ""`,
		"file":           `unknown system call "file"; did you mean %file?`,
		"%fiel":          `unknown class "%fiel"; did you mean %file?`,
		"%x":             `unknown class "%x": the classes are ` + strings.Join(syscalls.Classes(), ", "),
		"/nosuch":        `no system call matches "/nosuch"`,
		"/(":             "not a regular expression: error parsing regexp: missing closing ): `(`",
		"inject=read":    `of strace's expressions, a recording has only trace=, not "inject="`,
		"syscall_0xzz":   `unknown system call "syscall_0xzz"`,
		"trace=openat,x": `unknown system call "x"`,
	} {
		set := syscalls.Set{ABIs: []syscalls.ABI{syscalls.AMD64}}
		err := set.Add(list)
		if err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %s", list, err, want)
		}
		if made := call(t, "futex", 0); !set.Has(&made) || set.String() != "" {
			t.Errorf("%q has changed the set to %q", list, set.String())
		}
	}
}

// TestClasses checks that each word of the table is a call, and that a call with a path, a descriptor or a socket's
// address is in a class for it.
func TestClasses(t *testing.T) {
	all := []syscalls.ABI{syscalls.AMD64, syscalls.I386, syscalls.X32, syscalls.ARM64, syscalls.ARM}
	names := syscalls.Names(all...)
	of := map[string][]string{}
	for _, class := range syscalls.Classes() {
		calls := syscalls.ClassMembers(class)
		if !slices.IsSorted(calls) || len(slices.Compact(slices.Clone(calls))) != len(calls) {
			t.Errorf("%s is not sorted", class)
		}
		for _, name := range calls {
			of[name] = append(of[name], class)
			if _, ok := slices.BinarySearch(names, name); !ok {
				t.Errorf("%s: no ABI has a call %s", class, name)
			}
		}
	}
	// strace has these in no class, or in another one.
	elsewhere := []string{"close_range", "delete_module", "epoll_ctl_old", "epoll_wait_old"}
	for _, abi := range all {
		for nr := range syscalls.NumberOther {
			s, ok := syscalls.Lookup(abi, nr)
			if !ok || slices.Contains(elsewhere, s.Name) {
				continue
			}
			for _, a := range s.Args {
				var want []string
				switch a.Type {
				case "path":
					want = []string{"%file", "%desc"}
				case "fd", "dirfd", "fds", "ring":
					want = []string{"%desc", "%network", "%memory"}
				case "sockaddr", "sockname", "msgin", "msgout":
					want = []string{"%network"}
				}
				in := func(class string) bool { return slices.Contains(of[s.Name], class) }
				if len(want) > 0 && !slices.ContainsFunc(want, in) {
					t.Errorf("%s has a %s, but is in %v only", s.Name, a.Type, of[s.Name])
				}
			}
		}
	}
}
