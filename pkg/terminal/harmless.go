// SPDX-License-Identifier: Apache-2.0

package terminal

import "strings"

// Harmless reports whether text chosen by a container is safe on a command line as it is: one word of plain
// letters, digits and some marks, with no meaning to a terminal or a shell, and not a flag.
func Harmless(text string) bool {
	const marks = "-._/:=@+,%"
	for i := range len(text) {
		c := text[i]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !letter && strings.IndexByte(marks, c) < 0 {
			return false
		}
	}
	return text != "" && text[0] != '-' && text[0] != '='
}
