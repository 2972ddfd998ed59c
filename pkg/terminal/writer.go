// SPDX-License-Identifier: Apache-2.0

package terminal

import (
	"io"
	"strings"
	"unicode/utf8"
)

// AppendEscaped appends text that another program claims to have escaped: it keeps backslashes, and escapes all
// else that Append does. The result is valid UTF-8 on one line.
func AppendEscaped[T []byte | string](dst []byte, text T) []byte {
	for n, part := range strings.Split(string(text), `\`) {
		if n > 0 {
			dst = append(dst, '\\')
		}
		dst = Append(dst, part)
	}
	return dst
}

// Escaped returns text with the escapes of AppendEscaped.
func Escaped[T []byte | string](text T) string {
	return string(AppendEscaped(nil, text))
}

// Writer passes on the escaped output of another program: newlines unchanged, the rest as AppendEscaped does.
type Writer struct {
	out    io.Writer
	cut    []byte // an incomplete character
	based  bool   // the last character can carry a combining mark
	buffer []byte
}

// NewWriter returns a Writer to out.
func NewWriter(out io.Writer) *Writer { return &Writer{out: out} }

// Write passes on text. It keeps an incomplete character at the end for the next Write.
func (w *Writer) Write(text []byte) (int, error) {
	rest := text
	if len(w.cut) > 0 {
		rest = append(w.cut, text...)
	}
	w.buffer = w.buffer[:0]
	for len(rest) > 0 && utf8.FullRune(rest) {
		plain := 0
		for plain < len(rest) && (rest[plain] == '\n' || rest[plain] >= ' ' && rest[plain] < 0x7f) {
			plain++
		}
		if plain > 0 {
			w.buffer = append(w.buffer, rest[:plain]...)
			w.based = carries(rune(rest[plain-1]))
			rest = rest[plain:]
			continue
		}
		r, n := utf8.DecodeRune(rest)
		if r != utf8.RuneError && visible(r, w.based) {
			w.buffer = append(w.buffer, rest[:n]...)
			w.based = carries(r)
		} else {
			w.buffer = Append(w.buffer, rest[:n])
			w.based = false
		}
		rest = rest[n:]
	}
	w.cut = append([]byte(nil), rest...)
	if _, err := w.out.Write(w.buffer); err != nil {
		return 0, err
	}
	return len(text), nil
}

// Close passes on a character that is still incomplete. It does not close the underlying writer.
func (w *Writer) Close() error {
	_, err := w.out.Write(Append(nil, w.cut))
	w.cut = nil
	return err
}
