// SPDX-License-Identifier: Apache-2.0

package terminal

import (
	"strings"
	"testing"
)

func TestWord(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"", `""`},
		{"-c", "-c"},
		{"a=b,c;$d", "a=b,c;$d"},
		{"grüße", "grüße"},
		{"a b", `"a b"`},
		{"it's", `"it's"`},
		{`say "x"`, `"say \"x\""`},
		{`\`, `"\\"`},
		{"a\nb", `"a\nb"`},
		{"\x1b", `"\x1b"`},
		{"a\u00a0b", `"a\xc2\xa0b"`},
		{"<path", `"<path"`},
		{"...", `"..."`},
		{"and so on...", `"and so on..."`},
		{"a...b", "a...b"},
		{"\u0301", `"\xcc\x81"`},
		{"a\"\u0301", `"a\"\xcc\x81"`},
	} {
		if got := string(AppendWord(nil, c.in)); got != c.want {
			t.Errorf("AppendWord(%q) = %s, want %s", c.in, got, c.want)
		}
		if got := string(AppendWord(nil, []byte(c.in))); got != c.want {
			t.Errorf("AppendWord([]byte(%q)) = %s, want %s", c.in, got, c.want)
		}
	}
}

func FuzzWord(f *testing.F) {
	for _, seed := range []string{"", "a b", `"`, `\"`, "<x>", "...", "\xff"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got := string(AppendWord(nil, text))
		if !allVisible(got) {
			t.Errorf("AppendWord(%q) = %q is not printable", text, got)
		}
		quoted := strings.HasPrefix(got, `"`)
		if !quoted && (got == "" || got != text || strings.ContainsAny(got, ` "<>`)) {
			t.Errorf("AppendWord(%q) = %s is more or less than a word", text, got)
		}
		if plain := strings.ReplaceAll(got, `\\`, ""); quoted &&
			strings.Count(strings.ReplaceAll(plain, `\"`, ""), `"`) != 2 {
			t.Errorf("AppendWord(%q) = %s ends before its end", text, got)
		}
	})
}
