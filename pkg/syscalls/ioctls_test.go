// SPDX-License-Identifier: Apache-2.0

package syscalls_test

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/runc-trace/runc-trace/pkg/syscalls"
)

// requests calls ioctl with the numbers, and exits. It needs no library, so that a compiler for amd64 can make it for
// i386, too.
const requests = `void _start(void)
{
	long result;
	for (unsigned i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
#ifdef __i386__
		__asm__ volatile("int $0x80" : "=a"(result) : "a"(54), "b"(-1), "c"(numbers[i]), "d"(0) : "memory");
	__asm__ volatile("int $0x80" : "=a"(result) : "a"(1), "b"(0));
#else
		__asm__ volatile("syscall" : "=a"(result) : "a"(16), "D"(-1), "S"(numbers[i]), "d"(0)
			: "rcx", "r11", "memory");
	__asm__ volatile("syscall" : "=a"(result) : "a"(60), "D"(0));
#endif
}
`

// TestIoctlsOfStrace calls ioctl with every number that has a name, below strace, and compares the names. The arguments
// behind the number are those of other tests.
func TestIoctlsOfStrace(t *testing.T) {
	const version = "strace -- version 6.1\n" // of Debian 12, as the kernel's headers are
	out, _ := exec.Command("strace", "--version").Output()
	if _, err := exec.LookPath("gcc"); err != nil || !strings.HasPrefix(string(out), version) {
		t.Skip("needs gcc and strace 6.1: run test/deps.sh on Debian 12")
	}
	unknown := map[string]bool{}
	for name := range strings.FieldsSeq(`IOCTL_GNTALLOC_ALLOC_GREF IOCTL_GNTALLOC_DEALLOC_GREF IOCTL_PRIVCMD_DM_OP
		IOCTL_PRIVCMD_HYPERCALL IOCTL_PRIVCMD_MMAP IOCTL_PRIVCMD_MMAPBATCH IOCTL_PRIVCMD_MMAPBATCH_V2
		IOCTL_PRIVCMD_MMAP_RESOURCE IOCTL_PRIVCMD_RESTRICT SCSI_IOCTL_TAGGED_DISABLE SCSI_IOCTL_TAGGED_ENABLE
		SNDRV_SEQ_IOCTL_USER_PVERSION`) {
		unknown[name] = true
	}
	syscalls.FlagNames(syscalls.AMD64, func(table, name string, _ uint64, _ bool) {
		if table == "ioctl" {
			unknown[name] = true // of newer kernels
		}
	})
	numbers := map[uint32]bool{}
	for _, a := range allABIs {
		syscalls.Ioctls(a, func(number uint32) { numbers[number] = true })
	}
	for begin, count := range map[uint32]uint32{ // those with an argument in the number
		0x4500: 0x100, 0x4800: 0x20, 0x4d00: 0x100, 0x552c: 1, 0x6a13: 1, 0x6b00: 1,
	} {
		for n := range count * 4 {
			numbers[n%4<<30|0x21<<16|begin+n/4] = true
		}
	}
	ordered := slices.Sorted(maps.Keys(numbers))
	strace := syscalls.Strace{}
	for _, a := range []syscalls.ABI{syscalls.AMD64, syscalls.I386} {
		for i, line := range straceIoctls(t, a, ordered) {
			c := on(t, call(t, "ioctl", -9, ^uint64(0), uint64(ordered[i]), 0), syscalls.AMD64, a, "ioctl")
			want, got := request(line), request(string(strace.Append(nil, &c)))
			if got == want || unknown[got] && strings.HasPrefix(want, "_IOC(") {
				continue
			}
			names := slices.DeleteFunc(strings.Split(got, " or "), func(name string) bool { return unknown[name] })
			if strings.Join(names, " or ") != want {
				t.Errorf("%s %#x: got %s, strace has %s", a, ordered[i], got, want)
			}
		}
	}
}

// straceIoctls returns strace's lines of calls with some numbers.
func straceIoctls(t *testing.T, a syscalls.ABI, numbers []uint32) []string {
	t.Helper()
	var c strings.Builder
	c.WriteString("static const unsigned numbers[] = {\n")
	for _, number := range numbers {
		fmt.Fprintf(&c, "%#x,\n", number)
	}
	c.WriteString("};\n" + requests)
	program, log := filepath.Join(t.TempDir(), "requests"), filepath.Join(t.TempDir(), "log")
	gcc := exec.Command("gcc", "-O1", "-x", "c", "-", "-static", "-nostdlib", "-ffreestanding", "-fno-pie", "-no-pie",
		"-fno-stack-protector", "-o", program)
	if a == syscalls.I386 {
		gcc.Args = append(gcc.Args, "-m32")
	}
	gcc.Stdin = strings.NewReader(c.String())
	if out, err := gcc.CombinedOutput(); err != nil {
		t.Fatalf("compiling: %v: %s", err, out)
	}
	if out, err := exec.Command("strace", "-e", "trace=ioctl", "-o", log, program).CombinedOutput(); err != nil {
		t.Fatalf("strace: %v: %s", err, out)
	}
	text, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	var calls []string
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "ioctl(") {
			calls = append(calls, line)
		}
	}
	if len(calls) != len(numbers) {
		t.Fatalf("strace saw %d calls of %d", len(calls), len(numbers))
	}
	return calls
}

// request returns the second argument of an ioctl in a line of strace.
func request(line string) string {
	_, line, _ = strings.Cut(line, "ioctl(-1, ")
	depth := 0
	for i := range line {
		switch line[i] {
		case '(':
			depth++
		case ')':
			depth--
		}
		if depth < 0 || depth == 0 && line[i] == ',' {
			return line[:i]
		}
	}
	return line
}
