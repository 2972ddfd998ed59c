// SPDX-License-Identifier: Apache-2.0

package terminal

import "testing"

func TestSimilar(t *testing.T) {
	known := []string{"open", "openat", "openat2", "read", "readv", "pread64", "newfstatat", "fstat", "dup"}
	for word, want := range map[string]string{
		"opne":    "; did you mean open?",
		"opeant":  "; did you mean openat, open or openat2?",
		"opennat": "; did you mean openat or openat2?",
		"fstatat": "; did you mean fstat or newfstatat?",
		"raed":    "; did you mean read or readv?",
		"dup":     "; did you mean dup?",
		"xyz":     "",
		"":        "",
		"zzzzzzz": "",
		"du":      "; did you mean dup?",
	} {
		if got := DidYouMean(word, known); got != want {
			t.Errorf("%q%s, want %q", word, got, want)
		}
	}
}
