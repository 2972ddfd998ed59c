// SPDX-License-Identifier: Apache-2.0

package terminal

import (
	"bytes"
	"strings"
)

// AppendWord appends text as exactly one word, which cannot be mistaken for a marker such as <read late> or "...". It
// quotes text as AppendQuoted does if it is empty, ends in "...", or contains blanks, quotes, angle brackets, "…" or
// anything that Append escapes. The result is valid UTF-8 on one line, and different inputs have different results.
func AppendWord[T []byte | string](dst []byte, text T) []byte {
	start := len(dst)
	dst = Append(dst, text)
	if word := dst[start:]; len(word) > 0 && !bytes.ContainsAny(word, ` "'\<>…`) && !bytes.HasSuffix(word, []byte("...")) {
		return dst
	}
	return AppendQuoted(dst[:start], text)
}

// AppendQuoted appends text in double quotes, with the escapes of Append and \" for quotes.
func AppendQuoted[T []byte | string](dst []byte, text T) []byte {
	dst = append(dst, '"')
	for n, part := range strings.Split(string(text), `"`) {
		if n > 0 {
			dst = append(dst, `\"`...)
		}
		dst = Append(dst, part)
	}
	return append(dst, '"')
}

// AppendCell appends text as AppendWord does, and quotes "-" too, because that stands for empty text in columns. Empty
// text stays empty.
func AppendCell[T []byte | string](dst []byte, text T) []byte {
	switch string(text) {
	case "":
		return dst
	case "-":
		return AppendQuoted(dst, text)
	}
	return AppendWord(dst, text)
}

// Cell returns text as AppendCell appends it.
func Cell(text string) string { return string(AppendCell(nil, text)) }
