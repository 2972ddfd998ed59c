// SPDX-License-Identifier: Apache-2.0

package terminal

import (
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/width"
)

// Width returns the number of columns that a terminal needs for printable text: two for a wide character, such as those
// of East Asian scripts and most emoji, and none for a mark that combines with the character before it.
func Width[T []byte | string](text T) int {
	columns := 0
	for i := 0; i < len(text); {
		if text[i] < utf8.RuneSelf {
			columns++
			i++
			continue
		}
		r, n := decode(text[i:])
		columns += runeWidth(r)
		i += n
	}
	return columns
}

func runeWidth(r rune) int {
	if unicode.In(r, unicode.Mn, unicode.Me, jamo) {
		return 0
	}
	switch width.LookupRune(r).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth:
		return 2
	}
	return 1
}

// middle shortens text to a width: it keeps the beginning and the end, with "…" between them.
func middle(text string, columns int) string {
	if Width(text) <= columns {
		return text
	}
	head, tail, letters := 0, 0, []rune(text)
	begin, end := 0, len(letters)
	for begin < end && head+runeWidth(letters[begin]) <= (columns-1)/2 {
		head += runeWidth(letters[begin])
		begin++
	}
	for end > begin && head+1+tail+runeWidth(letters[end-1]) <= columns {
		end--
		tail += runeWidth(letters[end])
	}
	for end < len(letters) && combines(letters[end]) { // it would combine with "…"
		end++
	}
	return string(letters[:begin]) + "…" + string(letters[end:])
}
