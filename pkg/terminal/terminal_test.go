// SPDX-License-Identifier: Apache-2.0

package terminal

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestString(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"", ""},
		{"/usr/bin/sh -c true", "/usr/bin/sh -c true"},
		{"grüße 你好", "grüße 你好"},
		{"a\nb\tc\rd", `a\nb\tc\rd`},
		{`a\nb`, `a\\nb`},
		{"\x1b[31mred", `\x1b[31mred`},
		{"\x00\x7f", `\x00\x7f`},
		{"\xff\xfe", `\xff\xfe`},
		{"cut \xe4\xbd", `cut \xe4\xbd`},
		{"\u009b2J", `\xc2\x9b2J`},
		{"a\u202eb", `a\xe2\x80\xaeb`},
		{"\ufffd", `\xef\xbf\xbd`},
	} {
		if got := String(c.in); got != c.want {
			t.Errorf("String(%q) = %q, want %q", c.in, got, c.want)
		}
		if got := String([]byte(c.in)); got != c.want {
			t.Errorf("String([]byte(%q)) = %q, want %q", c.in, got, c.want)
		}
	}
}

func FuzzAppend(f *testing.F) {
	for _, seed := range []string{"", "a b", "\x1b]0;x\a", "\xe4\xbd", "\u202e", "\\"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got := String(text)
		if !utf8.ValidString(got) || strings.ContainsFunc(got, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Errorf("String(%q) = %q is not printable", text, got)
		}
	})
}

func FuzzAppendJSON(f *testing.F) {
	for _, seed := range []string{"", "a b", "\u009b2J\x7f", "\u202e", "\U000e0001", "\U0001f600"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		encoded, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		got := AppendJSON(nil, encoded)
		if strings.ContainsFunc(string(got), func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Errorf("AppendJSON(%q) = %q is not printable", encoded, got)
		}
		var want, back string
		if err := json.Unmarshal(encoded, &want); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(got, &back); err != nil || back != want {
			t.Errorf("AppendJSON(%q) = %q, which reads %q (%v)", encoded, got, back, err)
		}
	})
}
