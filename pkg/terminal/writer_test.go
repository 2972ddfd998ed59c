// SPDX-License-Identifier: Apache-2.0

package terminal

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestEscaped(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"", ""},
		{`write(1, "a\n\\") = 3`, `write(1, "a\n\\") = 3`},
		{"a\nb\x1b[2J\\x1b", `a\nb\x1b[2J\x1b`},
		{"grüße\xff\u202e", `grüße\xff\xe2\x80\xae`},
	} {
		if got := Escaped(c.in); got != c.want {
			t.Errorf("Escaped(%q) = %q, want %q", c.in, got, c.want)
		}
	}
}

func TestWriter(t *testing.T) {
	const in = "read(\"a\\n\") = 1\ngrüße 你好\x1b]0;x\a\r\n\t\xc2\x9b2J\xe2\x80\xae \xff \u2800e\u0301\n\u0301 cut \xe4\xbd"
	const want = "read(\"a\\n\") = 1\ngrüße 你好\\x1b]0;x\\x07\\r\n\\t\\xc2\\x9b2J\\xe2\\x80\\xae \\xff \\xe2\\xa0\\x80e\u0301\n\\xcc\\x81 cut \\xe4\\xbd"
	for size := 1; size <= len(in); size++ {
		var out bytes.Buffer
		w := NewWriter(&out)
		for rest := []byte(in); len(rest) > 0; {
			n := min(size, len(rest))
			if written, err := w.Write(rest[:n]); written != n || err != nil {
				t.Fatalf("Write returns %d, %v", written, err)
			}
			rest = rest[n:]
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if out.String() != want {
			t.Errorf("in pieces of %d bytes:\n got %q\nwant %q", size, out.String(), want)
		}
	}
}

func FuzzWriter(f *testing.F) {
	f.Add([]byte("a\\n\n"), 1)
	f.Add([]byte("\xe4\xbd\xa0\x1b[2J\xc2"), 2)
	f.Fuzz(func(t *testing.T, in []byte, size int) {
		var out bytes.Buffer
		w := NewWriter(&out)
		for rest := in; len(rest) > 0; {
			n := min(max(size, 1), len(rest))
			w.Write(rest[:n])
			rest = rest[n:]
		}
		w.Close()
		if !utf8.Valid(out.Bytes()) || slices.ContainsFunc(strings.Split(out.String(), "\n"),
			func(line string) bool { return !allVisible(line) }) {
			t.Fatalf("%q is written as %q", in, out.String())
		}
	})
}
