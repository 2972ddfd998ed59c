// SPDX-License-Identifier: Apache-2.0

package terminal

import "unicode"

// blank holds characters that look like blanks, although unicode.IsPrint counts them as printable and Unicode does not
// count them as ignorable.
var blank = &unicode.RangeTable{
	R16: []unicode.Range16{{Lo: 0x2800, Hi: 0x2800, Stride: 1}}, // Braille
	R32: []unicode.Range32{
		{Lo: 0x13441, Hi: 0x13442, Stride: 1}, // hieroglyphs
		{Lo: 0x16fe4, Hi: 0x16fe4, Stride: 1}, // Khitan filler
		{Lo: 0x1d159, Hi: 0x1d159, Stride: 1}, // musical null notehead
	},
}

// jamo holds the vowels and final consonants of Hangul that are drawn into the syllable before them.
var jamo = &unicode.RangeTable{
	R16: []unicode.Range16{{Lo: 0x1160, Hi: 0x11ff, Stride: 1}, {Lo: 0xd7b0, Hi: 0xd7ff, Stride: 1}},
}

// visible reports whether a character can be seen on a terminal. based reports whether it follows one that can carry a
// combining mark: without a base, a mark would change text that is not part of the container's.
func visible(r rune, based bool) bool {
	// Variation selectors and Other_Default_Ignorable_Code_Point, with the formatting characters that IsPrint refuses,
	// are Unicode's Default_Ignorable_Code_Point.
	return unicode.IsPrint(r) && (based || !combines(r)) &&
		!unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector, blank)
}

// combines reports whether a character is drawn together with the character before it.
func combines(r rune) bool { return unicode.In(r, unicode.M, jamo) }

// carries reports whether a visible character can carry a combining mark. A mark could change the look of punctuation,
// which may be part of other output.
func carries(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) || combines(r) }
