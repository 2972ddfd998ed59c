// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"strings"
)

// tooLong refuses texts that would delay a container: the parser's time grows with the square, or more, of the
// depth of lists, inline tables and dotted keys, and with the number of keys and tables. This file needs two
// levels, and some dozens of keys.
func tooLong(text string) error {
	const levels, entries = 8, 512
	if len(text) > limit {
		return fmt.Errorf("the file has %d bytes; at most %d are allowed", len(text), limit)
	}
	depth, dots, count := 0, 0, 0
	for at := 0; at < len(text); at++ {
		switch c := text[at]; c {
		case '#':
			at = skip(text, at, "\n") - 1
		case '"', '\'':
			at = skipString(text, at) - 1
		case '[', '{':
			depth++
			count++
		case ']', '}':
			depth = max(0, depth-1)
		case '.':
			dots++
		case '=':
			dots = 0
			count++
		case '\n', ',':
			dots = 0
		}
		if depth > levels || dots > levels {
			return fmt.Errorf("line %d: more than %d levels of lists, tables or keys", 1+strings.Count(text[:at], "\n"), levels)
		}
		if count > entries {
			return fmt.Errorf("line %d: more than %d keys, lists and tables", 1+strings.Count(text[:at], "\n"), entries)
		}
	}
	return nil
}

// skipString returns the index after the string that begins at at. It leaves unterminated strings to the parser.
func skipString(text string, at int) int {
	quote := text[at : at+1]
	if long := strings.Repeat(quote, 3); strings.HasPrefix(text[at:], long) {
		for at += 3; at < len(text) && !strings.HasPrefix(text[at:], long); at++ {
			if quote == `"` && text[at] == '\\' {
				at++
			}
		}
		return min(at+3, len(text))
	}
	for at++; at < len(text) && text[at] != '\n'; at++ {
		switch {
		case text[at] == quote[0]:
			return at + 1
		case quote == `"` && text[at] == '\\':
			at++
		}
	}
	return at
}

// skip returns the index of the next end, or the length of the text.
func skip(text string, at int, end string) int {
	if n := strings.Index(text[at:], end); n >= 0 {
		return at + n
	}
	return len(text)
}
