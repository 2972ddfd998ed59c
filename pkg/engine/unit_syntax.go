// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"fmt"
	"strings"
)

// place is the position of a text that was read.
type place struct {
	file string
	line int // from 1; 0 for the file as a whole
}

func (p place) String() string {
	if p.line == 0 {
		return p.file
	}
	return fmt.Sprintf("%s:%d", p.file, p.line)
}

// setting is an assignment in a unit, or in an environment file.
type setting struct {
	section, name, value string
	at                   place
}

// parseUnit returns the settings of a unit file. Like systemd, it skips lines that it does not understand, and
// comments, even between continued lines. See systemd.syntax(7).
func parseUnit(file string, text []byte) []setting {
	var (
		all     []setting
		section string
		joined  strings.Builder
		begin   int
	)
	flush := func() {
		line := strings.TrimSpace(joined.String())
		joined.Reset()
		if strings.HasPrefix(line, "[") && strings.HasSuffix(line, "]") {
			section = line[1 : len(line)-1]
		} else if name, value, ok := strings.Cut(line, "="); ok {
			all = append(all, setting{section, strings.TrimSpace(name), strings.TrimSpace(value), place{file, begin}})
		}
	}
	continued := false
	for i, line := range strings.Split(string(text), "\n") {
		line = strings.TrimSuffix(line, "\r")
		if trimmed := strings.TrimLeft(line, " \t"); strings.HasPrefix(trimmed, "#") || strings.HasPrefix(trimmed, ";") {
			continue
		}
		if !continued {
			begin = i + 1
		}
		line, continued = cutContinuation(line)
		joined.WriteString(line)
		if continued {
			joined.WriteByte(' ')
			continue
		}
		flush()
	}
	flush()
	return all
}

// cutContinuation reports whether a line continues in the next one: it ends with a backslash that is not escaped.
func cutContinuation(line string) (string, bool) {
	bare := strings.TrimRight(line, `\`)
	if (len(line)-len(bare))%2 == 0 {
		return line, false
	}
	return line[:len(line)-1], true
}

// parseEnvironment returns the assignments of an environment file. See EnvironmentFile= in systemd.exec(5).
func parseEnvironment(file string, text []byte) []setting {
	var all []setting
	rest, line := string(text), 1
	for rest != "" {
		at := place{file, line}
		trimmed := strings.TrimLeft(rest, " \t")
		if strings.HasPrefix(trimmed, "#") || strings.HasPrefix(trimmed, ";") {
			// If a backslash ends a comment, the comment continues in the next line.
			for rest != "" {
				var comment string
				comment, rest, _ = strings.Cut(rest, "\n")
				line++
				if _, continued := cutContinuation(comment); !continued {
					break
				}
			}
			continue
		}
		equals, newline := strings.IndexByte(rest, '='), strings.IndexByte(rest, '\n')
		if equals < 0 || newline >= 0 && newline < equals {
			_, rest, _ = strings.Cut(rest, "\n")
			line++
			continue
		}
		name := strings.TrimSpace(rest[:equals])
		value, read := environmentValue(rest[equals+1:])
		line += strings.Count(rest[:equals+1+read], "\n")
		rest = rest[equals+1+read:]
		if isVariable(name) {
			all = append(all, setting{name: name, value: value, at: at})
		}
	}
	return all
}

// environmentValue returns the value at the start of a text, and its length including the end of its line.
func environmentValue(text string) (value string, read int) {
	var b strings.Builder
	quote := byte(0)
	kept := 0 // length of the value up to its last byte that is quoted or not blank
	started := false
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case c == '\\' && quote != '\'' && i+1 < len(text):
			i++
			started = true
			if text[i] == '\n' {
				continue
			}
			if quote == '"' && !strings.ContainsRune("\"\\`$", rune(text[i])) {
				b.WriteByte('\\')
			}
			b.WriteByte(text[i])
			kept = b.Len()
		case quote != 0 && c == quote:
			quote = 0
		case quote != 0:
			b.WriteByte(c)
			kept = b.Len()
		case c == '"' || c == '\'':
			quote, started = c, true
		case c == '\n':
			return b.String()[:kept], i + 1
		case !started && (c == ' ' || c == '\t' || c == '\r'):
		default:
			b.WriteByte(c)
			started = true
			if c != ' ' && c != '\t' && c != '\r' {
				kept = b.Len()
			}
		}
	}
	return b.String()[:kept], len(text)
}

func isVariable(name string) bool {
	for i, c := range name {
		if c != '_' && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return name != ""
}

// words splits at white space like systemd: quotes may enclose words or parts of them, and a backslash escapes.
func words(text string) []string {
	var (
		found []string
		word  strings.Builder
		quote byte
		open  bool
	)
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case c == '\\' && i+1 < len(text):
			char, length := unescape(text[i+1:])
			word.WriteString(char)
			i += length
			open = true
		case quote != 0 && c == quote:
			quote = 0
		case quote == 0 && (c == '"' || c == '\''):
			quote, open = c, true
		case quote == 0 && strings.IndexByte(" \t\n\r", c) >= 0:
			if open {
				found = append(found, word.String())
				word.Reset()
				open = false
			}
		default:
			word.WriteByte(c)
			open = true
		}
	}
	if open {
		found = append(found, word.String())
	}
	return found
}

// escapes maps the escapes of one letter. See systemd.service(5).
var escapes = map[byte]string{'a': "\a", 'b': "\b", 'f': "\f", 'n': "\n", 'r': "\r", 't': "\t", 'v': "\v", 's': " "}

// unescape returns the meaning of a backslash and the text after it, and the length of that text.
func unescape(text string) (string, int) {
	if char, ok := escapes[text[0]]; ok {
		return char, 1
	}
	for _, number := range []struct {
		prefix, format string
		digits         int
	}{{"x", "%2x", 2}, {"", "%3o", 3}} {
		digits, ok := strings.CutPrefix(text, number.prefix)
		var value int
		if !ok || len(digits) < number.digits {
			continue
		}
		if n, err := fmt.Sscanf(digits[:number.digits], number.format, &value); n == 1 && err == nil && value > 0 && value < 256 {
			return string([]byte{byte(value)}), len(number.prefix) + number.digits
		}
	}
	return text[:1], 1
}
