// SPDX-License-Identifier: Apache-2.0

package syscalls

import (
	_ "embed" // for the two tables
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
)

//go:embed signatures.txt
var signatures string

// table is the description of one ABI.
type table struct {
	once  sync.Once
	calls []*Syscall // by number; nil if the ABI has no such call

	layouts, own map[string]*layout    // own: those of the calls that only x32 has
	sockets      []multiplexed         // by number
	ipcs         map[uint8]multiplexed // by number

	family, msg, scm *flagTable    // for data that arguments point to
	fileType         *flagTable    // of an entry of a directory
	packet           [3]*flagTable // of the protocol, hardware and packet of struct sockaddr_ll
	vmCID            *flagTable    // of struct sockaddr_vm
	arch             *flagTable    // of a call that seccomp refused
	numbers          *flagTable    // of calls: __NR_getppid
	// For results.
	open, cloexec, lock, sched, priority    *flagTable
	seals, dumpable, securebits, namespaces *flagTable
}

var tables [abis]table

// tableOf returns the table of an ABI and builds it at its first use.
func tableOf(a ABI) *table {
	t := &tables[a]
	t.once.Do(func() { t.build(a) })
	return t
}

func (t *table) lookup(nr Nr) *Syscall {
	if int(nr) < len(t.calls) {
		return t.calls[nr]
	}
	return nil
}

// layoutsOf returns the structs of a call. own is true for those that only x32 has.
func (t *table) layoutsOf(own bool) map[string]*layout {
	if own {
		return t.own
	}
	return t.layouts
}

// build panics if an embedded table is malformed. The tests exclude that.
func (t *table) build(a ABI) {
	spelling := a
	if a == X32 {
		spelling = AMD64
	}
	flags := parseFlags(spelling)
	addIoctls(spelling, flags)
	t.layouts = layoutsOf(spelling, flags)
	if t.own = t.layouts; a == X32 { // their structs are those of i386, but for one
		t.own = layoutsOf(I386, flags)
		t.own["timespec"] = t.own["timespec64"]
	}
	lines := signaturesOf(spelling)
	names := numbersOf(a)
	t.calls, t.numbers = make([]*Syscall, len(names)), &flagTable{enum: true, decimal: true}
	for nr, name := range names {
		if name == "" {
			continue
		}
		line, ok := lines[name]
		if !ok {
			panic(fmt.Sprintf("signatures.txt lacks %s", name))
		}
		t.numbers.entries = append(t.numbers.entries, flagEntry{mask: ^uint64(0), bits: uint64(nr), name: "__NR_" + name})
		layouts := t.layoutsOf(a == X32 && nr >= firstX32)
		t.calls[nr] = line.parse(flags, layouts)
	}
	if a.is32() {
		t.addMultiplexed(lines, flags)
	}
	for _, special := range []struct {
		table **flagTable
		name  string
	}{
		{&t.family, "family"}, {&t.msg, "msg"}, {&t.scm, "scm"}, {&t.fileType, "file_type"},
		{&t.open, "open"}, {&t.cloexec, "fd_cloexec"}, {&t.lock, "lock_type"},
		{&t.sched, "sched"}, {&t.priority, "ioprio_value"}, {&t.seals, "seals"}, {&t.dumpable, "pr_dumpable"},
		{&t.securebits, "securebits"}, {&t.namespaces, "namespaces"},
		{&t.packet[0], "packet_proto"}, {&t.packet[1], "hardware"}, {&t.packet[2], "packet_type"},
		{&t.vmCID, "vm_cid"}, {&t.arch, "audit_arch"},
	} {
		if *special.table = flags[special.name]; *special.table == nil {
			panic(fmt.Sprintf("flags.txt lacks %s", special.name))
		}
	}
}

// numbersOf returns the names of an ABI's calls by number.
func numbersOf(a ABI) []string {
	switch a {
	case AMD64:
		return numbersAMD64[:]
	case ARM64:
		return numbersARM64[:]
	case I386:
		return numbersI386[:]
	case ARM:
		return numbersARM[:]
	}
	names := make([]string, firstX32, firstX32+len(numbersX32))
	copy(names, numbersAMD64[:])
	return append(names, numbersX32...)
}

// firstX32 is the first number that only x32 has; lower ones are shared with amd64.
const firstX32 = 512

var numbersX32 = []string{
	"rt_sigaction", "rt_sigreturn", "ioctl", "readv", "writev", "recvfrom", "sendmsg", "recvmsg", "execve",
	"ptrace", "rt_sigpending", "rt_sigtimedwait", "rt_sigqueueinfo", "sigaltstack", "timer_create", "mq_notify",
	"kexec_load", "waitid", "set_robust_list", "get_robust_list", "vmsplice", "move_pages", "preadv", "pwritev",
	"rt_tgsigqueueinfo", "recvmmsg", "sendmmsg", "process_vm_readv", "process_vm_writev", "setsockopt",
	"getsockopt", "io_setup", "io_submit", "execveat", "preadv2", "pwritev2",
}

// signature is a line of signatures.txt, with the lines below it that change arguments under conditions.
type signature struct {
	text  string
	forms []string
}

// parse reads the signature and its lines.
func (s *signature) parse(flags map[string]*flagTable, layouts map[string]*layout) *Syscall {
	call := parseSignature(s.text, flags, layouts)
	for _, text := range s.forms {
		if unless, ok := strings.CutPrefix(text, "hot"); ok {
			call.hot = call.parseHot(unless)
		} else if text == "resolve" || text == "enter" {
			call.resolve, call.enter = true, text == "enter"
		} else if text == "inode" {
			call.rows = append(call.rows, call.madeRow())
		} else if text == "blocked" {
			call.rows = append(call.rows, row{Capture: abi.Capture{
				Kind: abi.CaptureBlocked, Moment: abi.AtExit, Arg: abi.CaptureResult, Size: 1}})
		} else {
			call.addForms(text, flags, layouts)
		}
	}
	return call
}

// signaturesOf returns the signatures that apply to an ABI, by name.
func signaturesOf(a ABI) map[string]*signature {
	lines := make(map[string]*signature, 512)
	own := make(map[string]bool)
	var last *signature
	for line := range strings.Lines(signatures) {
		text := strings.TrimSpace(line)
		switch {
		case text == "" || text[0] == '#':
		case strings.HasPrefix(line, "\t\t"):
			last.forms[len(last.forms)-1] += text
		case line[0] == '\t':
			last.forms = append(last.forms, text)
		default:
			text, listed, holds := cutABIs(text, a)
			name, _, _ := strings.Cut(text, "(")
			last = &signature{text: text}
			if holds && !own[name] {
				lines[name] = last
				own[name] = listed
			}
		}
	}
	return lines
}

// cutABIs removes leading "@abi" words from a line. listed is true if there were any, and holds is true if the line
// applies to the ABI.
func cutABIs(line string, a ABI) (rest string, listed, holds bool) {
	for strings.HasPrefix(line, "@") {
		word, rest, _ := strings.Cut(line, " ")
		if word == "@"+a.String() || word == "@i386" && a == I386 {
			holds = true
		}
		line, listed = rest, true
	}
	return line, listed, holds || !listed
}

// parseSignature reads "name(argument:type, ...) = ptr", or "= fd".
func parseSignature(line string, flags map[string]*flagTable, layouts map[string]*layout) *Syscall {
	name, rest, ok := strings.Cut(line, "(")
	list, result, closed := cutLast(rest, ")")
	if !ok || !closed || result != "" && result != " = ptr" && result != " = fd" {
		panic(fmt.Sprintf("signatures.txt: %q is not a signature", line))
	}
	s := &Syscall{Name: name, address: result == " = ptr", descriptor: result == " = fd",
		exits: name == "exit" || name == "exit_group"}
	var lengths []string
	if list != "" {
		for word := range strings.SplitSeq(list, ", ") {
			argument, length := parseArg(word, flags, layouts)
			s.Args = append(s.Args, argument)
			lengths = append(lengths, length)
		}
	}
	for i := range s.Args {
		a := &s.Args[i]
		if lengths[i] != "" {
			n := slices.IndexFunc(s.Args, func(b Arg) bool { return b.Name == lengths[i] })
			if n < 0 {
				panic(fmt.Sprintf("signatures.txt: %s has no argument %s", name, lengths[i]))
			}
			a.length = uint8(n)
			a.rows = slices.Clone(a.rows)
			for j := range a.rows {
				r := &a.rows[j]
				if r.arg == "$" {
					r.arg = lengths[i]
				}
				if r.length == "$" {
					r.length = lengths[i]
				}
			}
		}
		s.take(a, i, nil)
	}
	if len(s.Args) > abi.ArgsMax {
		panic(fmt.Sprintf("signatures.txt: %s has too many arguments", name))
	}
	return s
}

// parseArg reads "argument:type" or "argument:type(length)".
func parseArg(word string, flags map[string]*flagTable, layouts map[string]*layout) (a Arg, length string) {
	name, typ, _ := strings.Cut(word, ":")
	a = Arg{Name: name, Type: typ, kind: kindFlags}
	a.half, a.high = cutHalf(name)
	if m, ok := parseMemory(typ); ok {
		a.kind, a.rows, a.array, a.of = kindPtr, m.rows, m.array, layouts[m.of]
		a.recorded = len(m.rows) > 0 && !m.rows[0].counted() && m.rows[0].Count == abi.ElementsOne
		a.written = len(m.rows) > 0 && m.rows[len(m.rows)-1].Moment != abi.AtEnter
		return a, ""
	}
	typ, length, _ = strings.Cut(strings.TrimSuffix(typ, ")"), "(")
	a.Type, a.flags = typ, flags[typ]
	if typ == "unused" {
		a.kind, a.forms = kindHex, []form{{}}
		return a, ""
	}
	if k := slices.IndexFunc(kinds[:], func(k kindInfo) bool { return k.name == typ }); k >= 0 {
		a.kind, a.flags, a.rows, a.written = kind(k), nil, kinds[k].rows, kinds[k].output
	}
	if a.kind == kindFlags && a.flags == nil || kinds[a.kind].sized != (length != "") {
		panic(fmt.Sprintf("signatures.txt: %q: there is no such type", word))
	}
	return a, length
}

// cutHalf returns the name of the number of which an argument is the lower or the upper half, or "".
func cutHalf(name string) (half string, high bool) {
	for _, suffix := range []string{"_low", "_l", "_high", "_h"} {
		if half, ok := strings.CutSuffix(name, suffix); ok {
			return half, strings.HasPrefix(suffix, "_h")
		}
	}
	return "", false
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}
