// SPDX-License-Identifier: Apache-2.0

package terminal

import (
	"bytes"
	"strings"
)

// AppendWord appends text so that it cannot be taken for several words, for none, or for a mark, such as <late> or
// "...": as it is, or as AppendQuoted has it if it is empty, holds blanks, quotes, angle brackets or what
// Append escapes, or ends in "...". The result is valid UTF-8 on one line, and tells every input from every other.
func AppendWord[T []byte | string](dst []byte, text T) []byte {
	start := len(dst)
	dst = Append(dst, text)
	if word := dst[start:]; len(word) > 0 && !bytes.ContainsAny(word, ` "'\<>`) && !bytes.HasSuffix(word, []byte("...")) {
		return dst
	}
	return AppendQuoted(dst[:start], text)
}

// AppendQuoted appends text in double quotes, escaped as by Append, and \" for what would end it.
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
