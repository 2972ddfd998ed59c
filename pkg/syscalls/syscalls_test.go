// SPDX-License-Identifier: Apache-2.0

package syscalls_test

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/syscalls"
	"github.com/runc-trace/runc-trace/pkg/syscalls/structs"
)

var allABIs = []syscalls.ABI{syscalls.AMD64, syscalls.ARM64, syscalls.I386, syscalls.ARM, syscalls.X32}

func TestLookup(t *testing.T) {
	for _, test := range []struct {
		abi  syscalls.ABI
		nr   syscalls.Nr
		name string // empty: no call has the number
		args string
	}{
		{syscalls.AMD64, 0, "read", "fd buf count"},
		{syscalls.AMD64, 59, "execve", "filename argv envp"},
		{syscalls.AMD64, 231, "exit_group", "error_code"},
		{syscalls.AMD64, 262, "newfstatat", "dfd filename statbuf flag"},
		{syscalls.AMD64, 335, "uretprobe", ""},
		{syscalls.AMD64, 340, "", ""},
		{syscalls.AMD64, 469, "file_setattr", "dfd filename ufattr usize at_flags"},
		{syscalls.AMD64, 512, "", ""},
		{syscalls.AMD64, syscalls.NumberNone, "", ""},
		{syscalls.ARM64, 56, "openat", "dfd filename flags mode"},
		{syscalls.ARM64, 79, "newfstatat", "dfd filename statbuf flag"},
		{syscalls.ARM64, 220, "clone", "clone_flags newsp parent_tidptr tls child_tidptr"},
		{syscalls.ARM64, 244, "", ""},
		{syscalls.ARM64, 281, "execveat", "fd filename argv envp flags"},
		{syscalls.I386, 5, "open", "filename flags mode"},
		{syscalls.I386, 11, "execve", "filename argv envp"},
		{syscalls.I386, 90, "mmap", "arg"},
		{syscalls.I386, 102, "socketcall", "call args"},
		{syscalls.I386, 180, "pread64", "fd buf count pos_low pos_high"},
		{syscalls.I386, 192, "mmap2", "addr len prot flags fd pgoff"},
		{syscalls.I386, 195, "stat64", "filename statbuf"},
		{syscalls.I386, 403, "clock_gettime64", "which_clock tp"},
		{syscalls.ARM, 4, "write", "fd buf count"},
		{syscalls.ARM, 180, "pread64", "fd buf count pad pos_low pos_high"},
		{syscalls.ARM, 270, "arm_fadvise64_64", "fd advice offset_low offset_high len_low len_high"},
		{syscalls.ARM, 290, "sendto", "fd buff len flags addr addr_len"},
		{syscalls.ARM, 322, "openat", "dfd filename flags mode"},
		{syscalls.X32, 0, "read", "fd buf count"},
		{syscalls.X32, 512, "rt_sigaction", "sig act oact sigsetsize"},
		{syscalls.X32, 520, "execve", "filename argv envp"},
		{syscalls.X32, 545, "execveat", "fd filename argv envp flags"},
		{syscalls.X32, 547, "pwritev2", "fd vec vlen pos_l pos_h flags"},
		{syscalls.X32, 548, "", ""},
		{0, 0, "", ""},
		{200, 0, "", ""},
	} {
		s, ok := syscalls.Lookup(test.abi, test.nr)
		if ok != (test.name != "") {
			t.Errorf("%v %d: found %v, want %q", test.abi, test.nr, ok, test.name)
			continue
		}
		if !ok {
			continue
		}
		var names []string
		for _, a := range s.Args {
			names = append(names, a.Name)
		}
		if got := strings.Join(names, " "); s.Name != test.name || got != test.args {
			t.Errorf("%v %d is %s(%s), want %s(%s)", test.abi, test.nr, s.Name, got, test.name, test.args)
		}
	}
}

// TestEveryLineIsUsed checks that each signature and table is used by an ABI, which finds misspelt names.
func TestEveryLineIsUsed(t *testing.T) {
	called, typed := make(map[string]bool), make(map[string]bool)
	for _, a := range allABIs {
		for nr := range syscalls.NumberOther {
			if s, ok := syscalls.Lookup(a, nr); ok {
				called[s.Name] = true
				for _, arg := range s.Args {
					typed[arg.Type] = true
				}
			}
		}
	}
	for line := range lines(t, "signatures.txt") {
		if strings.HasPrefix(line, "\t") { // forms of arguments under conditions
			for word := range strings.FieldsSeq(line) {
				if _, typ, ok := strings.Cut(word, ":"); ok {
					typed[typ] = true
				}
			}
			continue
		}
		name, _, _ := strings.Cut(line, "(")
		if name = name[strings.LastIndex(name, " ")+1:]; !called[name] {
			t.Errorf("signatures.txt: no ABI has %s", name)
		}
	}
	defined := make(map[string]bool)
	for _, s := range structs.Sources() {
		defined[s.Name] = true
		for _, f := range s.Fields {
			typed[f.Type] = true
		}
	}
	for typ := range typed { // the memory of an argument
		_, of, ok := strings.Cut(typ, ".")
		if of, _, _ = strings.Cut(of, "["); ok {
			if of, _, _ = strings.Cut(of, "("); !defined[of] {
				t.Errorf("signatures.txt: %s: structs.txt has no %s", typ, of)
			}
		}
	}
	typed["scm"], typed["file_type"] = true, true        // of a control message; of an entry of a directory
	typed["hardware"], typed["packet_type"] = true, true // of struct sockaddr_ll
	typed["vm_cid"], typed["audit_arch"] = true, true    // of struct sockaddr_vm; of struct siginfo
	typed["input_events"], typed["input_axes"] = true, true
	for line := range lines(t, "flags.txt") {
		head, _, ok := strings.Cut(line, ":")
		if !ok || strings.HasPrefix(line, "\t") {
			continue
		}
		fields := strings.Fields(head)
		for strings.HasPrefix(fields[0], "@") {
			fields = fields[1:]
		}
		if !typed[fields[0]] {
			t.Errorf("flags.txt: nothing is of type %s", fields[0])
		}
	}
}

// TestNamesAreUnique finds an enum that has two names for a value: the second would never be shown.
func TestNamesAreUnique(t *testing.T) {
	var head string
	enum := false
	seen := make(map[string]string)
	for line := range lines(t, "flags.txt") {
		entries := line
		if !strings.HasPrefix(line, "\t") {
			head, entries, _ = strings.Cut(line, ":")
			enum = strings.HasSuffix(head, " enum")
			clear(seen)
		}
		for word := range strings.FieldsSeq(entries) {
			name, value, _ := strings.Cut(word, "=")
			if enum && seen[value] != "" {
				t.Errorf("flags.txt: %s: %s and %s are both %s", head, seen[value], name, value)
			}
			seen[value] = name
		}
	}
}

func lines(t *testing.T, path string) func(func(string) bool) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return func(yield func(string) bool) {
		for line := range strings.Lines(string(text)) {
			if line = strings.TrimRight(line, "\n"); line != "" && line[0] != '#' && !yield(line) {
				return
			}
		}
	}
}

func TestDescriptions(t *testing.T) {
	for _, native := range []syscalls.ABI{syscalls.AMD64, syscalls.ARM64} {
		compat := syscalls.CompatABI(native)
		d := syscalls.Descriptions(native, compat, false)
		if len(d) != abi.SyscallsNone {
			t.Fatalf("%v: %d descriptions, want %d", native, len(d), abi.SyscallsNone)
		}
		for i, s := range d {
			is, nr := native, syscalls.Nr(i)
			switch {
			case i >= abi.SyscallsX32 && native == syscalls.AMD64:
				is, nr = syscalls.X32, nr-abi.SyscallsX32+abi.X32First
			case i >= 2*abi.SyscallsMax:
				continue
			case i >= abi.SyscallsMax:
				is, nr = compat, nr-abi.SyscallsMax
			}
			known, ok := syscalls.Lookup(is, nr)
			if !ok {
				if diff := cmp.Diff(abi.Syscall{Args: 6}, s); diff != "" {
					t.Errorf("%v %d, unknown (-want +got):\n%s", is, nr, diff)
				}
				continue
			}
			if int(s.Args) != len(known.Args) {
				t.Errorf("%v %s takes %d arguments, not %d", is, known.Name, len(known.Args), s.Args)
			}
			for _, c := range rows(t, d, s) {
				checkCapture(t, is, known, c)
			}
		}
	}
}

// rows returns all rows of a description. The programs follow abi.ChainMax elements, and stop at the first empty row.
func rows(t *testing.T, d []abi.Syscall, s abi.Syscall) (all []abi.Capture) {
	t.Helper()
	for n := 0; ; n++ {
		for i, c := range s.Rows {
			if c.Kind != abi.CaptureNone {
				all = append(all, c)
			} else if c != (abi.Capture{}) || i+1 < len(s.Rows) && s.Rows[i+1] != c || s.More != 0 {
				t.Errorf("rows %+v, more %d", s.Rows, s.More)
			}
		}
		if s.More == 0 {
			return all
		}
		if n+1 == abi.ChainMax || s.More < 2*abi.SyscallsMax || s.More >= abi.SyscallsX32 {
			t.Fatalf("element %d is the one after %d others", s.More, n)
		}
		s = d[s.More]
	}
}

func checkCapture(t *testing.T, is syscalls.ABI, known *syscalls.Syscall, c abi.Capture) {
	t.Helper()
	bad := func(why string) { t.Errorf("%v %s: %s: %+v", is, known.Name, why, c) }
	if c.Kind < abi.CaptureDescriptors && int(c.Arg) >= len(known.Args) || int(c.WhenArg) >= max(len(known.Args), 1) {
		bad("no such argument")
	}
	if c.Value&^c.Mask != 0 {
		bad("the condition never holds")
	}
	switch c.Count {
	case abi.ElementsOne:
	case abi.ElementsResult:
		if c.Length != abi.ArgsMax && int(c.Length) >= len(known.Args) {
			bad("no such length")
		}
	default:
		if int(c.Length) >= len(known.Args) || c.Length == c.Arg && c.Kind != abi.CaptureBytes {
			bad("no such length")
		}
	}
	if c.Size == 0 && c.Count != abi.ElementsPointed {
		bad("no size")
	}
	narrow := is == syscalls.I386 || is == syscalls.ARM
	if is != syscalls.X32 && narrow != (c.Flags&abi.RowNarrow != 0) &&
		(c.Kind > abi.CaptureBytes && c.Kind < abi.CaptureDescriptors || c.Flags&abi.RowFollow != 0) {
		bad("pointers of another size")
	}
}

var kindNames = []string{"", "string", "bytes", "vector", "message", "messages", "pointers",
	"submissions", "completions", "descriptors", "blocked"}

// row is a row as text: "1: 1*$2 at exit content".
func row(c abi.Capture) string {
	s := fmt.Sprintf("%d:", c.Arg)
	if c.Kind != abi.CaptureBytes {
		s += " " + kindNames[c.Kind]
	}
	if c.Kind == abi.CaptureBytes || c.Size > 1 {
		s += fmt.Sprintf(" %d", c.Size)
	}
	if c.Offset != 0 {
		s += fmt.Sprintf("+%d", c.Offset)
	}
	if names := []string{"", "*$", "*min(result,$", "*pointed $", "*bits $", "*command $", "*pages $"}; c.Count > 0 {
		s += fmt.Sprint(names[c.Count], c.Length)
	}
	if c.Part != 0 {
		s += fmt.Sprintf(" part %d", c.Part)
	}
	s += []string{"", " at success", " at positive", " at interrupt", " at exit"}[c.Moment]
	for i, name := range []string{"content", "struct", "follow", "narrow", "int"} {
		if c.Flags&(1<<i) != 0 {
			s += " " + name
		}
	}
	if c.Mask != 0 {
		is := "=="
		if c.Flags&abi.RowUnless != 0 {
			is = "!="
		}
		s += fmt.Sprintf(" if $%d&%#x%s%#x", c.WhenArg, c.Mask, is, c.Value)
	}
	return s
}

// TestRows pins which memory is captured in the most important calls.
func TestRows(t *testing.T) {
	d := syscalls.Descriptions(syscalls.AMD64, syscalls.I386, false)
	var b strings.Builder
	for _, c := range []struct {
		abi   syscalls.ABI
		names string
	}{
		{syscalls.AMD64, "read write open stat fstat poll writev readv pipe nanosleep select rt_sigaction rt_sigprocmask " +
			"ioctl connect accept getpeername sendto recvfrom sendmsg recvmsg sendmmsg recvmmsg setsockopt getsockopt " +
			"execve wait4 uname fcntl getdents64 readlink getppid sysinfo mount prctl futex epoll_ctl epoll_wait waitid " +
			"statx renameat2 execveat clone3 openat2 io_uring_setup setxattr prlimit64 statfs capset"},
		{syscalls.I386, "execve write writev nanosleep pipe2 socketcall stat64 fcntl64 sendmsg"},
	} {
		for name := range strings.FieldsSeq(c.names) {
			nr := number(t, c.abi, name)
			if c.abi == syscalls.I386 {
				nr += abi.SyscallsMax
			}
			fmt.Fprintln(&b, c.abi, name)
			for _, r := range rows(t, d, d[nr]) {
				fmt.Fprintln(&b, "\t"+row(r))
			}
		}
	}
	golden(t, "testdata/rows.txt", b.String())
}

// TestNovelty pins what decides whether some calls are new: their traits, and which arguments tell them apart.
func TestNovelty(t *testing.T) {
	d := syscalls.Descriptions(syscalls.AMD64, syscalls.I386, false)
	for _, test := range []struct {
		name string
		got  abi.Syscall
		want abi.Syscall
	}{
		{"read", d[0], abi.Syscall{Traits: abi.TraitHot}},
		{"write", d[1], abi.Syscall{Traits: abi.TraitHot | abi.TraitWrite}},
		{"open", d[2], abi.Syscall{Traits: abi.TraitPath | abi.TraitResolve, Values: 0b10, Contents: 0b1}},
		{"mmap", d[9], abi.Syscall{Traits: abi.TraitHot, Values: 0b1100, HotArg: 2, HotMask: 4}},
		{"dup2", d[33], abi.Syscall{Traits: abi.TraitCopies}},
		{"fcntl", d[72], abi.Syscall{Traits: abi.TraitCopies, Values: 0b10}},
		{"connect", d[42], abi.Syscall{Contents: 0b10}},
		{"sendto", d[44],
			abi.Syscall{Traits: abi.TraitHot, Values: 0b1000, Contents: 0b10000, HotArg: 4, HotMask: ^uint32(0)}},
		{"getsockopt", d[55], abi.Syscall{Traits: abi.TraitSocketError, Values: 0b10}},
		{"execve", d[59], abi.Syscall{Traits: abi.TraitPath | abi.TraitResolve, Contents: 0b11}},
		{"kill", d[62], abi.Syscall{Values: 0b10}},
		{"chmod", d[90], abi.Syscall{Traits: abi.TraitPath, Values: 0b10, Contents: 0b1}},
		{"setresuid", d[117], abi.Syscall{Values: 0b111}},
		{"prctl", d[157], abi.Syscall{Values: 0b1}},
	} {
		got := test.got
		got.Args, got.Exec, got.More, got.Rows = 0, 0, 0, [abi.Rows]abi.Capture{}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}

func TestErrno(t *testing.T) {
	type pair struct{ name, message string }
	for number, want := range map[int]pair{
		-2: {}, 0: {}, 2: {"ENOENT", "No such file or directory"}, 11: {"EAGAIN", "Resource temporarily unavailable"},
		41: {}, 133: {"EHWPOISON", "Memory page has hardware error"}, 134: {},
		512: {"ERESTARTSYS", "To be restarted if SA_RESTART is set"}, 517: {},
	} {
		if got := (pair{syscalls.ErrnoName(number), syscalls.ErrnoMessage(number)}); got != want {
			t.Errorf("%d is %v, want %v", number, got, want)
		}
	}
}

func TestJSON(t *testing.T) {
	killed := call(t, "read", 9|0x80, 0, pointer, 10)
	killed.Unfinished = true
	exit := call(t, "exit_group", 3<<8, 3)
	exit.Unfinished = true
	none := syscalls.Call{Native: syscalls.AMD64, ABI: syscalls.AMD64, Nr: syscalls.NumberNone, Result: 15}
	long := with(call(t, "write", 4096, 1, pointer, 4096), 1, "a\"\x1b")
	long.Captures[0].Truncated = true
	fault := with(call(t, "chdir", -14, 1), 0, "")
	fault.Captures[0].Fault = true
	unknown := call(t, "getpid", -38, 1, 0)
	unknown.Nr = 999
	var b strings.Builder
	for _, c := range []syscalls.Call{
		with(call(t, "openat", -2, minus100, pointer, 0o2000000, 0), 1, "/etc/x"), long, fault, killed, exit, none, unknown,
		call(t, "getppid", 1), call(t, "brk", 0x55d0c0a3c000, 0),
		with(call(t, "pipe", 0, pointer), 0, "\x03\x00\x00\x00\x04\x00\x00\x00"),
		on(t, call(t, "getpid", 9), syscalls.AMD64, syscalls.X32, "getpid"),
	} {
		line, err := json.Marshal(decoded(t, c).JSON(false))
		if err != nil {
			t.Fatal(err)
		}
		b.Write(line)
		b.WriteByte('\n')
	}
	golden(t, "testdata/calls.jsonl", b.String())
}
