// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"slices"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"github.com/runc-trace/runc-trace/pkg/syscalls"
)

//go:generate go tool bpf2go -cc clang-19 -strip llvm-strip-19 -target amd64,arm64 -cflags "-O2 -Wall -Werror -Wno-unused-parameter -mcpu=v3" -no-global-types -type event -type times -type kind -type name witness bpf/witness.bpf.c

// As in bpf/witness.bpf.c.
const (
	numbers     = 512
	tailCalls   = 1 << 17
	textSize    = 120
	kindPath    = 1
	kindAddress = 2
	kindEnds    = 4
	kindForks   = 8
)

// named lists the calls that name a file, by the argument that does.
var named = [][]string{
	{"open", "creat", "stat", "lstat", "access", "execve", "readlink", "chdir", "mkdir", "rmdir", "unlink", "statfs",
		"rename", "link", "symlink", "chmod", "chown", "truncate", "utime", "mknod"},
	{"openat", "openat2", "newfstatat", "statx", "faccessat", "faccessat2", "readlinkat", "execveat", "mkdirat",
		"unlinkat", "renameat", "renameat2", "fchmodat", "fchownat", "utimensat", "mknodat", "inotify_add_watch"},
}

// addressed lists the calls whose argument 1 is a socket address.
var addressed = []string{"bind", "connect"}

// witness counts, independently of the recorder, what containers do.
type witness struct {
	objects witnessObjects
	links   []link.Link
	names   map[uint16]string // of calls by their numbers
}

// watch starts to count the calls of the containers whose cgroups have these names. The first is server 1.
func watch(cgroups []string) (*witness, error) {
	w := &witness{names: make(map[uint16]string)}
	spec, err := loadWitness()
	if err != nil {
		return nil, fmt.Errorf("reading the witness: %w", err)
	}
	spec.Maps["tails"].MaxEntries = uint32(len(cgroups) + 1)
	if err := spec.LoadAndAssign(&w.objects, nil); err != nil {
		return nil, fmt.Errorf("loading the witness: %w", err)
	}
	for i, name := range cgroups {
		var key witnessName
		for k := range min(len(name), len(key.Text)-1) {
			key.Text[k] = int8(name[k])
		}
		if err := w.objects.Servers.Put(key, uint32(i+1)); err != nil {
			return nil, errors.Join(err, w.close())
		}
	}
	if err := w.describe(); err != nil {
		return nil, errors.Join(err, w.close())
	}
	for _, program := range []*ebpf.Program{w.objects.WitnessExit, w.objects.WitnessEnter} {
		l, err := link.AttachTracing(link.TracingOptions{Program: program})
		if err != nil {
			return nil, errors.Join(err, w.close())
		}
		w.links = append(w.links, l)
	}
	return w, nil
}

// describe writes what the witness reads of each call.
func (w *witness) describe() error {
	of := make(map[string]witnessKind)
	for arg, names := range named {
		for _, name := range names {
			of[name] = witnessKind{Flags: kindPath, Arg: uint8(arg)}
		}
	}
	for _, name := range addressed {
		of[name] = witnessKind{Flags: kindAddress, Arg: 1}
	}
	of["exit"], of["exit_group"] = witnessKind{Flags: kindEnds}, witnessKind{Flags: kindEnds}
	for _, name := range []string{"fork", "vfork", "clone", "clone3"} {
		of[name] = witnessKind{Flags: kindForks}
	}
	for number := range uint32(numbers) {
		s, ok := syscalls.Lookup(syscalls.NativeABI(), syscalls.Nr(number))
		if !ok {
			continue
		}
		w.names[uint16(number)] = s.Name
		if err := w.objects.Kinds.Put(number, of[s.Name]); err != nil {
			return err
		}
	}
	return nil
}

func (w *witness) close() error {
	var errs []error
	for _, l := range w.links {
		errs = append(errs, l.Close())
	}
	return errors.Join(append(errs, w.objects.Close())...)
}

// deed is something that a container did one or more times.
type deed struct {
	call        string
	errno       int    // 0 if it succeeded
	what        string // the file or the address, in the form of a recording's JSON; empty if the call names none
	count       uint64
	first, last uint64 // ends of the first and the last such call, in ns of CLOCK_BOOTTIME
}

// key identifies a deed.
type key struct {
	call  string
	errno int
	what  string
}

func (d deed) key() key { return key{d.call, d.errno, d.what} }

func (k key) String() string {
	text := k.call + " " + k.what
	if k.errno != 0 {
		text += " " + unix.ErrnoName(unix.Errno(k.errno))
	}
	return text
}

// lookUp reports whether it is a failed look-up of a file.
func (d deed) lookUp() bool {
	return d.what != "" && !slices.Contains(addressed, d.call) &&
		(d.errno == int(unix.ENOENT) || d.errno == int(unix.ENOTDIR))
}

// testimony is what the witness knows of a container.
type testimony struct {
	totals map[string]uint64 // by the name of the call
	deeds  []deed            // in the order of their first time
	calls  uint64
	ends   []uint64 // of the last calls, ascending, in ns of CLOCK_BOOTTIME
}

// testify returns what the witness knows of each container, by its server's number.
func (w *witness) testify(servers int) ([]testimony, error) {
	found := make([]testimony, servers+1)
	for i := range found {
		found[i].totals = make(map[string]uint64)
	}
	merged := make([]map[key]deed, servers+1)
	for i := range merged {
		merged[i] = make(map[key]deed)
	}
	var event witnessEvent
	var times witnessTimes
	events := w.objects.Events.Iterate()
	for events.Next(&event, &times) {
		t := &found[event.Server]
		name := w.names[event.Number]
		if event.Named == 0 && event.Error == 0 {
			t.totals[name] = times.Count
			continue
		}
		d := deed{call: name, errno: int(event.Error), count: times.Count, first: times.First, last: times.Last}
		if event.Named != 0 {
			text := make([]byte, len(event.Text))
			for i, c := range event.Text {
				text[i] = byte(c)
			}
			d.what = whatOf(name, text)
		}
		of := merged[event.Server]
		if was, ok := of[d.key()]; ok { // such as addresses that differ in what follows them
			d.count, d.first, d.last = d.count+was.count, min(d.first, was.first), max(d.last, was.last)
		}
		of[d.key()] = d
	}
	if err := events.Err(); err != nil {
		return nil, fmt.Errorf("reading the witness's events: %w", err)
	}
	for i := range found {
		t := &found[i]
		t.deeds = slices.Collect(maps.Values(merged[i]))
		slices.SortFunc(t.deeds, func(a, b deed) int { return int(int64(a.first - b.first)) })
		raw, err := w.objects.Tails.LookupBytes(uint32(i))
		if err != nil {
			return nil, fmt.Errorf("reading the witness's last calls: %w", err)
		}
		t.calls = binary.NativeEndian.Uint64(raw)
		for n := range min(t.calls, tailCalls) {
			t.ends = append(t.ends, binary.NativeEndian.Uint64(raw[8+n*8:]))
		}
		slices.Sort(t.ends)
	}
	return found, nil
}

// whatOf returns the path or the address that a call names.
func whatOf(call string, text []byte) string {
	if slices.Contains(addressed, call) {
		return address(text)
	}
	path, _, _ := bytes.Cut(text, []byte{0})
	return string(syscalls.AppendEscaped(nil, path))
}

// address returns the address of a struct sockaddr: "127.0.0.1:80", "unix /run/x", "unix @x".
func address(sockaddr []byte) string {
	switch family := binary.NativeEndian.Uint16(sockaddr); family {
	case unix.AF_INET:
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(sockaddr[4:8])), binary.BigEndian.Uint16(sockaddr[2:])).String()
	case unix.AF_INET6:
		return netip.AddrPortFrom(netip.AddrFrom16([16]byte(sockaddr[8:24])), binary.BigEndian.Uint16(sockaddr[2:])).String()
	case unix.AF_UNIX:
		name := string(bytes.TrimRight(sockaddr[2:], "\x00"))
		if after, abstract := strings.CutPrefix(name, "\x00"); abstract {
			return "unix @" + after
		}
		name, _, _ = strings.Cut(name, "\x00") // programs pass whole buffers
		return "unix " + name
	default:
		return fmt.Sprint("family ", family)
	}
}

// libraries returns the shared libraries that a program is linked with, as the dynamic linker finds them.
func libraries(program string) ([]string, error) {
	text, err := output("ldd", program)
	if err != nil {
		return nil, err
	}
	found := make(map[string]bool)
	for line := range strings.Lines(text) {
		if _, path, ok := strings.Cut(line, " => "); ok {
			if path, _, _ = strings.Cut(path, " "); strings.HasPrefix(path, "/") {
				if _, err := os.Stat(path); err == nil {
					found[path] = true
				}
			}
		}
	}
	return slices.Sorted(maps.Keys(found)), nil
}
