// SPDX-License-Identifier: Apache-2.0

// Package terminal makes text from containers safe to print. A container chooses the names of its processes, files
// and arguments; they must not move the cursor, break a line, or imitate other output.
package terminal

import (
	"unicode/utf8"
)

const digits = "0123456789abcdef"

// Append appends text to dst, and escapes every byte that is not part of a visible character as \n, \t, \r, \\ or
// \xNN. The only visible blank is the space. Formatting characters of Unicode, such as those that change the writing
// direction, are not visible, nor is a combining mark that follows no letter or digit.
// The result is valid UTF-8 on one line, and different inputs have different results.
func Append[T []byte | string](dst []byte, text T) []byte {
	based := false
	for i := 0; i < len(text); {
		c := text[i]
		if c >= ' ' && c < utf8.RuneSelf && c != '\\' && c != 0x7f {
			dst = append(dst, c)
			based = carries(rune(c))
			i++
			continue
		}
		if c < utf8.RuneSelf {
			dst = AppendByte(dst, c)
			based = false
			i++
			continue
		}
		r, n := decode(text[i:])
		if r != utf8.RuneError && visible(r, based) {
			dst = append(dst, text[i:i+n]...)
			based = carries(r)
		} else {
			based = false
			for _, c := range []byte(text[i : i+n]) {
				dst = AppendByte(dst, c)
			}
		}
		i += n
	}
	return dst
}

// String returns text with the escapes of Append.
func String[T []byte | string](text T) string {
	return string(Append(nil, text))
}

func decode[T []byte | string](text T) (rune, int) {
	return utf8.DecodeRuneInString(string(text[:min(len(text), utf8.UTFMax)]))
}

// AppendByte appends the escape of a byte: \n, \t, \r, \\ or \xNN.
func AppendByte(dst []byte, c byte) []byte {
	switch c {
	case '\\':
		return append(dst, '\\', '\\')
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	}
	return append(dst, '\\', 'x', digits[c>>4], digits[c&0xf])
}

// AppendJSON appends valid JSON to dst, and escapes every character that is not visible, as Append defines it, as
// \uNNNN. encoding/json does not escape DEL, the C1 controls and characters that change the writing direction, and
// terminals obey them.
func AppendJSON(dst, json []byte) []byte {
	based := false
	for i := 0; i < len(json); {
		c := json[i]
		if c < utf8.RuneSelf && c != 0x7f {
			n := 1
			if c == '\\' {
				n = min(2, len(json)-i) // a letter after it is not shown text
			}
			dst = append(dst, json[i:i+n]...)
			based = carries(rune(c))
			i += n
			continue
		}
		r, n := utf8.DecodeRune(json[i:])
		shown := visible(r, based)
		based = shown && carries(r)
		if shown {
			dst = append(dst, json[i:i+n]...)
		} else if r > 0xffff {
			r -= 0x10000
			dst = appendRune(appendRune(dst, 0xd800+r>>10), 0xdc00+r&0x3ff)
		} else {
			dst = appendRune(dst, r)
		}
		i += n
	}
	return dst
}

func appendRune(dst []byte, r rune) []byte {
	return append(dst, '\\', 'u', digits[r>>12&0xf], digits[r>>8&0xf], digits[r>>4&0xf], digits[r&0xf])
}
