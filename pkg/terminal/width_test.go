// SPDX-License-Identifier: Apache-2.0

package terminal

import (
	"strings"
	"testing"
)

func TestWidth(t *testing.T) {
	for text, want := range map[string]int{
		"": 0, "web-0": 5, "é": 1, "e\u0301": 1, "日本": 4, "ｶﾅ": 2, "Ａ": 2, "🦊": 2, "…": 1, "한": 2,
	} {
		if got := Width(text); got != want {
			t.Errorf("%q is %d columns wide, want %d", text, got, want)
		}
	}
}

// TestMiddle checks that cut text has the width that it was cut to, or less if a wide character does not fit.
func TestMiddle(t *testing.T) {
	for _, c := range []struct {
		text    string
		columns int
		want    string
	}{
		{"web-0", 5, "web-0"},
		{"web-frontend-x2k4q", 12, "web-f…-x2k4q"},
		{"日本語日本語日本語", 12, "日本…日本語"},
		{strings.Repeat("e\u0301", 20), 5, "e\u0301e\u0301…e\u0301e\u0301"},
	} {
		got := middle(c.text, c.columns)
		if w := Width(got); w > c.columns || w < min(c.columns, Width(c.text))-2 {
			t.Errorf("%q is %d columns wide, want %d", got, w, c.columns)
		}
		if got != c.want {
			t.Errorf("%q is cut to %q, want %q", c.text, got, c.want)
		}
	}
}
