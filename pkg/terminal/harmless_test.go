// SPDX-License-Identifier: Apache-2.0

package terminal

import "testing"

func TestHarmless(t *testing.T) {
	for text, want := range map[string]bool{
		"default/web-0/app": true, "docker://0123456789ab": true, "app.kubernetes.io/name=web,tier=db": true, "A_b+c@d": true,
		"": false, "a b": false, "a\tb": false, "a\nb": false, "\x1b[2J": false, "a\u202eb": false,
		"grüße": false, "\u009b": false,
		"$(reboot)": false, "`reboot`": false, "a;b": false, "a|b": false, "a&b": false, "a>b": false,
		"a<b": false, "a'b": false,
		`a"b`: false, `a\b`: false, "a*": false, "a?": false, "a[b]": false, "{a,b}": false, "~root": false,
		"#a": false, "!a": false,
		"--help": false, "-x": false, "=ls": false, "a(b": false, "^a": false,
	} {
		if got := Harmless(text); got != want {
			t.Errorf("%q is harmless: %v, want %v", text, got, want)
		}
	}
}
