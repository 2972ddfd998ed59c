// SPDX-License-Identifier: Apache-2.0

package main

import (
	"math/rand/v2"
	"strings"
	"testing"
)

// calls makes events of words: "read=3", or "read" for a result of 0.
func calls(text string) []*event {
	var events []*event
	for _, word := range strings.Fields(text) {
		name, result, ok := strings.Cut(word, "=")
		if !ok {
			result = "0"
		}
		events = append(events, &event{call: name, result: result})
	}
	return events
}

func TestAlign(t *testing.T) {
	for _, test := range []struct{ strace, record, want string }{
		{"", "", ""},
		{"a b c", "a b c", "a=a b=b c=c"},
		{"a b c", "", "a- b- c-"},
		{"", "a b", "+a +b"},
		{"a b c", "a c", "a=a b- c=c"},
		{"a c", "a b c", "a=a +b c=c"},
		{"a b=1 c", "a b=2 c", "a=a b≠b c=c"},
		{"a b=1 x c", "a y b=2 c", "a=a +y b≠b x- c=c"},
		{"a b", "b a", "a- b=b +a"},
	} {
		var got []string
		for _, p := range align(calls(test.strace), calls(test.record)) {
			switch {
			case p.strace == nil:
				got = append(got, "+"+p.record.call)
			case p.record == nil:
				got = append(got, p.strace.call+"-")
			case p.strace.key() == p.record.key():
				got = append(got, p.strace.call+"="+p.record.call)
			default:
				got = append(got, p.strace.call+"≠"+p.record.call)
			}
		}
		if text := strings.Join(got, " "); text != test.want {
			t.Errorf("%s beside %s: %s, want %s", test.strace, test.record, text, test.want)
		}
	}
}

// TestCommonIsLongest compares with the length that dynamic programming finds.
func TestCommonIsLongest(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		a, b := make([]string, random.IntN(12)), make([]string, random.IntN(12))
		for i := range a {
			a[i] = string(rune('a' + random.IntN(3)))
		}
		for i := range b {
			b[i] = string(rune('a' + random.IntN(3)))
		}
		lengths := make([][]int, len(a)+1)
		for i := range lengths {
			lengths[i] = make([]int, len(b)+1)
		}
		for i := range a {
			for j := range b {
				if a[i] == b[j] {
					lengths[i+1][j+1] = lengths[i][j] + 1
				} else {
					lengths[i+1][j+1] = max(lengths[i][j+1], lengths[i+1][j])
				}
			}
		}
		same, x, y := common(a, b), -1, -1
		for _, s := range same {
			if s[0] <= x || s[1] <= y || a[s[0]] != b[s[1]] {
				t.Fatalf("%v and %v: %v", a, b, same)
			}
			x, y = s[0], s[1]
		}
		if len(same) != lengths[len(a)][len(b)] {
			t.Fatalf("%v and %v: %d common, want %d", a, b, len(same), lengths[len(a)][len(b)])
		}
	}
}
