// SPDX-License-Identifier: Apache-2.0

// Package terminal makes text from containers safe to print. A container chooses the names of its processes, files
// and arguments; they must not move the cursor, break a line, or imitate other output.
package terminal

import (
	"bytes"
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
		if n := plain(json[i:]); n > 0 {
			dst = append(dst, json[i:i+n]...)
			i += n
			based = carries(rune(json[i-1])) && !escaped(json[:i])
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

// plain returns how many bytes json begins with that are ASCII, and not DEL.
func plain(json []byte) int {
	for i, c := range json {
		if c >= 0x7f {
			return i
		}
	}
	return len(json)
}

// escaped reports whether json ends with an escape, such as \n or \u003c: its last letter is not shown text.
func escaped(json []byte) bool {
	for _, length := range []int{2, 6} {
		if len(json) < length || length == 6 && json[len(json)-5] != 'u' {
			continue
		}
		before := json[:len(json)-length+1]
		if backslashes := len(before) - len(bytes.TrimRight(before, `\`)); backslashes%2 == 1 {
			return true
		}
	}
	return false
}

func appendRune(dst []byte, r rune) []byte {
	return append(dst, '\\', 'u', digits[r>>12&0xf], digits[r>>8&0xf], digits[r>>4&0xf], digits[r&0xf])
}
