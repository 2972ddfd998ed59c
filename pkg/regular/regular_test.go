// SPDX-License-Identifier: Apache-2.0

//go:build linux

package regular

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestRead reads every kind of file. If Read waited for one, or read it without end, the test would not end.
func TestRead(t *testing.T) {
	const limit = 1000
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.WriteFile(at("file"), []byte("text"), 0o600))
	must(os.WriteFile(at("full"), make([]byte, limit), 0o600))
	must(os.WriteFile(at("long"), make([]byte, limit+1), 0o600))
	must(os.WriteFile(at("huge"), nil, 0o600))
	must(os.Truncate(at("huge"), 1<<40))
	must(syscall.Mkfifo(at("fifo"), 0o600))
	must(os.Mkdir(at("directory"), 0o700))
	for link, to := range map[string]string{"link": "file", "loop": "loop", "dangling": "nothing", "to fifo": "fifo",
		"to zero": "/dev/zero"} {
		must(os.Symlink(to, at(link)))
	}
	socket, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	must(err)
	defer syscall.Close(socket)
	must(syscall.Bind(socket, &syscall.SockaddrUnix{Name: at("socket")}))

	for _, c := range []struct {
		path string
		size int
		want string // part of the error
	}{
		{at("file"), 4, ""},
		{at("link"), 4, ""},
		{at("full"), limit, ""},
		{"/proc/self/stat", -1, ""},
		{at("long"), 0, "has 1001 bytes, more than 1000"},
		{at("huge"), 0, "more than 1000"},
		{"/proc/kallsyms", 0, "has more than 1000 bytes"},
		{at("fifo"), 0, "is not a regular file"},
		{at("to fifo"), 0, "is not a regular file"},
		{at("to zero"), 0, "is not a regular file"},
		{"/dev/zero", 0, "is not a regular file"},
		{at("directory"), 0, "is not a regular file"},
		{at("socket"), 0, "no such device or address"},
		{at("loop"), 0, "too many levels of symbolic links"},
		{at("dangling"), 0, "no such file"},
		{at("file") + "/below", 0, "not a directory"},
	} {
		text, err := Read(c.path, limit)
		if c.want == "" && (err != nil || c.size >= 0 && len(text) != c.size) {
			t.Errorf("%s: %d bytes, %v", c.path, len(text), err)
		} else if c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || text != nil) {
			t.Errorf("%s: %d bytes, %v, want %q", c.path, len(text), err, c.want)
		}
	}
	if _, err := Read(at("nothing"), limit); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
	if _, err := ReadDirect(at("link"), limit); !errors.Is(err, syscall.ELOOP) {
		t.Errorf("a link that must be none: %v", err)
	}
	if text, err := ReadDirect(at("file"), limit); err != nil || string(text) != "text" {
		t.Errorf("a file: %q, %v", text, err)
	}
}

func TestReadSizes(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	for _, size := range []int{0, 1, 511, 512, 513, 8191, 8192, 8193, 100_000} {
		want := strings.Repeat("x", size)
		if err := os.WriteFile(file, []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := Read(file, size); err != nil || string(got) != want {
			t.Errorf("a file of %d bytes: %d bytes, %v", size, len(got), err)
		}
		if size == 0 {
			continue
		}
		if _, err := Read(file, size-1); err == nil {
			t.Errorf("a file of %d bytes was read with a limit of %d", size, size-1)
		}
	}
}
