// SPDX-License-Identifier: Apache-2.0

package terminal

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestPager runs pagers that write what they get, and their environment, to a file.
func TestPager(t *testing.T) {
	pager := filepath.Join(t.TempDir(), "less")
	const script = "#!/bin/sh\necho \"less $LESS $LESSSECURE\"\ncat\n"
	if err := os.WriteFile(pager, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", filepath.Dir(pager)+":"+os.Getenv("PATH"))
	for _, c := range []struct {
		environment map[string]string
		want        string
	}{
		{nil, "less FRX \ntext\n"},
		{map[string]string{"LESS": "S"}, "less S \ntext\n"},
		{map[string]string{"PAGER": "tr e o"}, "toxt\n"},
		{map[string]string{"PAGER": ""}, "text\n"},
		{map[string]string{"PAGER": "cat"}, "text\n"},
		{map[string]string{"PAGER": "echo hostile", "LESS": "S", "SUDO_UID": "1000"}, "less FRX 1\ntext\n"},
	} {
		out, err := os.Create(filepath.Join(t.TempDir(), "out"))
		if err != nil {
			t.Fatal(err)
		}
		defer out.Close()
		p, err := startPager(out, func(name string) (string, bool) {
			value, ok := c.environment[name]
			return value, ok
		})
		if err != nil {
			t.Fatal(err)
		}
		_, err = io.WriteString(p, "text\n")
		if err := p.Close(err); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(out.Name()); err != nil || string(got) != c.want {
			t.Errorf("%v: %q, %v, want %q", c.environment, got, err, c.want)
		}
	}
}

// TestPagerLeft checks that leaving the pager early is not an error, but that other errors stay errors.
func TestPagerLeft(t *testing.T) {
	out, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	start := func() *Pager {
		p, err := startPager(out, func(name string) (string, bool) { return "true", name == "PAGER" })
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	p := start()
	long := strings.Repeat("x", 1<<20) // more than a pipe holds
	if _, err := io.WriteString(p, long); !errors.Is(err, syscall.EPIPE) {
		t.Errorf("writing to a pager that has ended: %v", err)
	} else if err := p.Close(err); err != nil {
		t.Errorf("a pager that has ended makes the error %v", err)
	}
	other := errors.New("other")
	if err := start().Close(other); !errors.Is(err, other) {
		t.Errorf("another error becomes %v", err)
	}
}

// TestNoPager checks that there is no pager, and that there are no colors, on what is not a terminal.
func TestNoPager(t *testing.T) {
	t.Setenv("PAGER", "false")
	var out bytes.Buffer
	p, err := NewPager(&Output{Writer: &out})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(p, "text"); p.Close(err) != nil || out.String() != "text" || Colors(&out) {
		t.Errorf("a pager on a buffer makes %q, %v", out.String(), err)
	}
}
