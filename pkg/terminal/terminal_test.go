// SPDX-License-Identifier: Apache-2.0

package terminal

import (
	"encoding/json"
	"fmt"
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
		{"e\u0301\u0323 \u0915\u094d\u0937\u093f", "e\u0301\u0323 \u0915\u094d\u0937\u093f"},
		{"\u1112\u1161\u11ab", "\u1112\u1161\u11ab"},
		{"\u0301e", `\xcc\x81e`},
		{"\n\u0301", `\n\xcc\x81`},
		{"=\u0338", `=\xcc\xb8`},
		{" \u20dd", ` \xe2\x83\x9d`},
		{"\u1161", `\xe1\x85\xa1`},
	} {
		if got := String(c.in); got != c.want {
			t.Errorf("String(%q) = %q, want %q", c.in, got, c.want)
		}
		if got := String([]byte(c.in)); got != c.want {
			t.Errorf("String([]byte(%q)) = %q, want %q", c.in, got, c.want)
		}
	}
}

// TestBlanks checks that characters that show nothing are escaped, in all forms of text.
func TestBlanks(t *testing.T) {
	hidden := []rune{0x2800, 0x13441, 0x13442, 0x16fe4, 0x1d159}
	for _, r := range []struct{ first, last rune }{ // Unicode's Default_Ignorable_Code_Point
		{0xad, 0xad}, {0x34f, 0x34f}, {0x61c, 0x61c}, {0x115f, 0x1160}, {0x17b4, 0x17b5}, {0x180b, 0x180f},
		{0x200b, 0x200f}, {0x202a, 0x202e}, {0x2060, 0x206f}, {0x3164, 0x3164}, {0xfe00, 0xfe0f}, {0xfeff, 0xfeff},
		{0xffa0, 0xffa0}, {0xfff0, 0xfff8}, {0x1bca0, 0x1bca3}, {0x1d173, 0x1d17a}, {0xe0000, 0xe0fff},
	} {
		for c := r.first; c <= r.last; c++ {
			hidden = append(hidden, c)
		}
	}
	for c := range rune(unicode.MaxRune + 1) {
		if unicode.Is(unicode.Zs, c) && c != ' ' {
			hidden = append(hidden, c)
		}
	}
	for _, c := range hidden {
		text := "a" + string(c) + "b"
		want := `a`
		for _, b := range []byte(string(c)) {
			want += fmt.Sprintf(`\x%02x`, b)
		}
		want += `b`
		if got := String(text); got != want {
			t.Errorf("String(%+q) = %+q, want %+q", text, got, want)
		}
		if got := string(AppendWord(nil, text)); got != `"`+want+`"` {
			t.Errorf("AppendWord(%+q) = %+q", text, got)
		}
		encoded, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := string(AppendJSON(nil, encoded)); !strings.HasPrefix(got, `"a\u`) {
			t.Errorf("AppendJSON(%+q) = %+q", encoded, got)
		}
	}
}

// TestEscapedBase has marks after escapes: their last letter is not shown text.
func TestEscapedBase(t *testing.T) {
	for text, want := range map[string]string{
		"a\u0301": "\"a\u0301\"", "\n\u0301": `"\n\u0301"`, "<\u0301": `"\u003c\u0301"`, "\\\u0301": `"\\\u0301"`,
		"\\n\u0301": "\"\\\\n\u0301\"", "u003c\u0301": "\"u003c\u0301\"",
	} {
		encoded, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := string(AppendJSON(nil, encoded)); got != want {
			t.Errorf("AppendJSON(%+q) = %+q, want %+q", encoded, got, want)
		}
	}
}

func FuzzAppend(f *testing.F) {
	for _, seed := range []string{"", "a b", "\x1b]0;x\a", "\xe4\xbd", "\u202e", "\\", "\n\u0301"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got := String(text)
		if !utf8.ValidString(got) || !allVisible(got) {
			t.Errorf("String(%q) = %q is not printable", text, got)
		}
	})
}

// allVisible reports whether text has only visible characters.
func allVisible(text string) bool {
	based := false
	for _, r := range text {
		if !visible(r, based) {
			return false
		}
		based = carries(r)
	}
	return true
}

func FuzzAppendJSON(f *testing.F) {
	for _, seed := range []string{"", "a b", "\u009b2J\x7f", "\u202e", "\U000e0001", "\U0001f600", "\n\u0301"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		encoded, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		got := AppendJSON(nil, encoded)
		if !allVisible(string(got)) {
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
