// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
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
	unclear              error // why the value may differ
}

// blanks are the characters that systemd takes for white space.
const blanks = " \t\n\r"

// parseUnit returns the settings of a unit file. Like systemd, it skips lines that it does not understand, and
// comments, even between continued lines. It returns an error if systemd does not read the rest of the file. See
// systemd.syntax(7).
func parseUnit(file string, text []byte) ([]setting, error) {
	var (
		all     []setting
		section string
		joined  strings.Builder
		begin   int
	)
	flush := func() error {
		line := strings.Trim(joined.String(), blanks)
		joined.Reset()
		if strings.HasPrefix(line, "#") || strings.HasPrefix(line, ";") { // after a byte order mark
			return nil
		}
		if header, ok := strings.CutPrefix(line, "["); ok {
			if section, ok = strings.CutSuffix(header, "]"); !ok {
				return fmt.Errorf("%s: systemd stops reading this file at the invalid line %q", place{file, begin}, line)
			}
		} else if name, value, ok := strings.Cut(line, "="); ok && name != "" {
			name, value = strings.Trim(name, blanks), strings.Trim(value, blanks)
			all = append(all, setting{section: section, name: name, value: value, at: place{file, begin}})
		}
		return nil
	}
	continued, marked := false, false
	for i, line := range unitLines(string(text)) {
		if trimmed := strings.TrimLeft(line, blanks); strings.HasPrefix(trimmed, "#") || strings.HasPrefix(trimmed, ";") {
			continue
		}
		if !marked {
			line, marked = strings.CutPrefix(line, string(byteOrderMark))
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
		if err := flush(); err != nil {
			return all, err
		}
	}
	return all, flush()
}

// unitLines splits a text like systemd's read_line: also at a lone \r or NUL, but once at \r\n and \n\r.
func unitLines(text string) []string {
	const ends = "\n\r\x00"
	var lines []string
	for text != "" {
		at := strings.IndexAny(text, ends)
		if at < 0 {
			return append(lines, text)
		}
		next := at + 1
		if text[at] != 0 && next < len(text) && text[next] != text[at] && strings.IndexByte(ends, text[next]) >= 0 {
			next++
		}
		lines, text = append(lines, text[:at]), text[next:]
	}
	return lines
}

// cutContinuation reports whether a line continues in the next one: it ends with a backslash that is not escaped.
func cutContinuation(line string) (string, bool) {
	bare := strings.TrimRight(line, `\`)
	if (len(line)-len(bare))%2 == 0 {
		return line, false
	}
	return line[:len(line)-1], true
}

func isVariable(name string) bool {
	for i, c := range name {
		if c != '_' && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return name != ""
}

// quoting says how a text is split into words. Words are separated by white space; quotes enclose words or parts of
// them.
type quoting struct {
	escapes bool // a backslash begins an escape as in C; otherwise the next character is kept
	unknown bool // unknown escapes are kept; otherwise they are an error
	open    bool // the end of the text closes quotes; otherwise that is an error
}

// The ways in which systemd splits texts.
var (
	assignments = quoting{escapes: true}
	commandLine = quoting{escapes: true, unknown: true}
	names       = quoting{}
	expansion   = quoting{open: true} // of $NAME
)

var (
	errOpenQuote = errors.New("unbalanced quotes")
	errEscape    = errors.New("unknown escape")
)

// words splits a text. It also returns the words before an error.
func (q quoting) words(text string) ([]string, error) {
	var found []string
	for {
		word, rest, ok, err := q.word(text)
		if !ok || err != nil {
			return found, err
		}
		found, text = append(found, word), rest
	}
}

// word returns the first word of a text, and the text after it and the white space. It returns false if there is none.
// It follows extract_first_word of systemd.
func (q quoting) word(text string) (word, rest string, ok bool, err error) {
	text = strings.TrimLeft(text, blanks)
	if text == "" {
		return "", "", false, nil
	}
	var b strings.Builder
	quote := byte(0)
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\' && i+1 == len(text):
			switch {
			case q.unknown && quote == 0:
				b.WriteByte(c)
			case !q.open:
				return "", "", false, errEscape
			}
			return b.String(), "", true, nil
		case c == '\\':
			meaning, length := text[i+1:i+2], 1
			if q.escapes {
				if meaning, length = unescape(text[i+1:]); length == 0 && !q.unknown {
					return "", "", false, errEscape
				} else if length == 0 {
					meaning, length = text[i:i+2], 1
				}
			}
			b.WriteString(meaning)
			i += length
		case quote != 0 && c == quote:
			quote = 0
		case quote == 0 && (c == '"' || c == '\''):
			quote = c
		case quote == 0 && strings.IndexByte(blanks, c) >= 0:
			return b.String(), strings.TrimLeft(text[i:], blanks), true, nil
		default:
			b.WriteByte(c)
		}
	}
	if quote != 0 && !q.open {
		return "", "", false, errOpenQuote
	}
	return b.String(), "", true, nil
}

// escapes maps the escapes of one letter. See systemd.syntax(7).
var escapes = map[byte]string{
	'a': "\a", 'b': "\b", 'f': "\f", 'n': "\n", 'r': "\r", 't': "\t", 'v': "\v", 's': " ", '\\': `\`, '"': `"`, '\'': "'",
}

// unescape returns the meaning of the text after a backslash, and the length of the escape, 0 if it is unknown.
func unescape(text string) (string, int) {
	if char, ok := escapes[text[0]]; ok {
		return char, 1
	}
	for _, number := range []struct {
		prefix             string
		digits, base, bits int
	}{{"x", 2, 16, 8}, {"", 3, 8, 8}, {"u", 4, 16, 32}, {"U", 8, 16, 32}} {
		digits, ok := strings.CutPrefix(text, number.prefix)
		if !ok || len(digits) < number.digits {
			continue
		}
		value, err := strconv.ParseUint(digits[:number.digits], number.base, number.bits)
		switch {
		case err != nil || value == 0:
		case number.bits == 8:
			return string([]byte{byte(value)}), len(number.prefix) + number.digits
		case number.prefix == "U" && !utf8.ValidRune(rune(value)):
		default:
			return string(rune(value)), len(number.prefix) + number.digits
		}
	}
	return "", 0
}
