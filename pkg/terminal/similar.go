// SPDX-License-Identifier: Apache-2.0

package terminal

import (
	"cmp"
	"slices"
	"strings"
)

// Similar returns those of the known words that a mistyped word probably stands for, the most similar first and at most
// three: words from which a few letters are missing, wrong or swapped, and longer words that contain it.
func Similar(word string, known []string) []string {
	const most = 3
	type candidate struct {
		word     string
		distance int
	}
	limit := min(len(word)/3+1, 3)
	var all []candidate
	for _, k := range known {
		d := distance(word, k)
		if d > limit && len(word) >= most && strings.Contains(k, word) {
			d = limit + 1
		} else if d > limit || d >= len(k) {
			continue
		}
		all = append(all, candidate{k, d})
	}
	slices.SortFunc(all, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(a.distance, b.distance), strings.Compare(a.word, b.word))
	})
	var words []string
	for _, c := range all[:min(len(all), most)] {
		if c.distance <= 2*all[0].distance {
			words = append(words, c.word)
		}
	}
	return words
}

// DidYouMean returns "; did you mean A or B?" with the words that are similar to one, or "" if there are none.
func DidYouMean(word string, known []string) string {
	words := Similar(word, known)
	if len(words) == 0 {
		return ""
	}
	last := len(words) - 1
	if last == 0 {
		return "; did you mean " + words[0] + "?"
	}
	return "; did you mean " + strings.Join(words[:last], ", ") + " or " + words[last] + "?"
}

// distance returns how many bytes must be added, removed, replaced or swapped with the next to turn a word into another
// (the optimal string alignment distance).
func distance(a, b string) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := range len(a) {
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			row[j+1] = min(last[j]+cost, last[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
