// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"unicode/utf8"

	"github.com/runc-trace/runc-trace/pkg/regular"
)

// environment maps variables to their values.
type environment map[string]setting

// assign adds the assignments of an Environment=. An empty one clears those before. Like systemd, it skips invalid
// assignments, and the rest of a line after invalid quotes.
func (e environment) assign(s setting, specifiers specifiers) {
	if s.value == "" {
		clear(e)
	}
	all, _ := assignments.words(s.value)
	for _, word := range all {
		word, unclear := specifiers.replace(word, s.at)
		if name, value, ok := strings.Cut(word, "="); ok && isVariable(name) && utf8.ValidString(value) {
			e[name] = setting{name: name, value: value, at: s.at, unclear: unclear}
		}
	}
}

// managerEnvironment returns the variables that systemd's own configuration sets for all services. See
// systemd-system.conf(5).
func (h Host) managerEnvironment() environment {
	found := make(environment)
	dirs := []string{"/etc/systemd", "/run/systemd", "/usr/local/lib/systemd", "/usr/lib/systemd", "/lib/systemd"}
	var files, dropins []string
	for _, dir := range dirs {
		if file := path.Join(dir, "system.conf"); files == nil && h.listed(file) {
			files = append(files, file)
		}
		dropins = append(dropins, path.Join(dir, "system.conf.d"))
	}
	for _, file := range append(files, h.dropins(dropins)...) {
		text, _ := h.read(file)
		all, _ := parseUnit(file, text)
		for _, s := range all {
			if s.section == "Manager" && s.name == "DefaultEnvironment" {
				found.assign(s, h.specifiers(unitFiles{}))
			}
		}
	}
	return found
}

// environmentFiles returns the variables of an EnvironmentFile=. If the name begins with -, systemd ignores errors.
// Otherwise the service does not start: the error says why.
func (h Host) environmentFiles(s setting, specifiers specifiers) (environment, error) {
	found := make(environment)
	value, unclear := specifiers.replace(s.value, s.at)
	if unclear != nil {
		return nil, unclear
	}
	pattern, optional := strings.CutPrefix(value, "-")
	if !path.IsAbs(pattern) {
		return nil, nil // systemd ignores the line
	}
	files := []string{path.Clean(pattern)}
	if strings.ContainsAny(pattern, `*?[\`) {
		files = h.glob(pattern)
	}
	if len(files) == 0 && !optional {
		return nil, fmt.Errorf("%s: no file matches %s", s.at, pattern)
	}
	for _, file := range files {
		variables, err := h.environmentFile(file)
		switch {
		case err == nil:
			for name, variable := range variables {
				found[name] = variable
			}
		case optional:
		case errors.Is(err, fs.ErrNotExist):
			return nil, fmt.Errorf("%s: %s does not exist", s.at, file)
		case errors.Is(err, regular.ErrIrregular):
			return nil, fmt.Errorf("%s: %s is not a regular file", s.at, file)
		default:
			return nil, fmt.Errorf("%s: %s cannot be read: %w", s.at, file, err)
		}
	}
	return found, nil
}

var errNoText = errors.New("it is not UTF-8 text")

// environmentFile returns the variables of a file. It returns an error if systemd takes nothing from the file.
func (h Host) environmentFile(file string) (environment, error) {
	text, err := h.read(file)
	if err != nil {
		return nil, err
	}
	found := make(environment)
	// Until systemd 254, a backslash at the end of a comment hides the next line.
	all, hidden := parseEnvironment(file, text, false), make(map[place]bool)
	for _, s := range all {
		hidden[s.at] = true
	}
	for _, s := range parseEnvironment(file, text, true) {
		delete(hidden, s.at)
	}
	for _, s := range all {
		if !utf8.ValidString(s.name) || !utf8.ValidString(s.value) || strings.Contains(string(text), "\x00") {
			return nil, errNoText
		}
		if hidden[s.at] {
			s.unclear = fmt.Errorf("%s: systemd before 254 does not read %s, as the comment before it ends with a backslash",
				s.at, s.name)
		}
		if isVariable(s.name) {
			found[s.name] = s
		}
	}
	return found, nil
}

// parseEnvironment returns the assignments of an environment file, also of names that no variable can have. If
// continued is set, a backslash at the end of a comment hides the next line. See EnvironmentFile= in systemd.exec(5).
func parseEnvironment(file string, text []byte, continued bool) []setting {
	const newline = "\n\r"
	var all []setting
	rest := string(text)
	line := 1
	skip := func(n int) {
		for i := range n {
			if rest[i] == '\n' || rest[i] == '\r' && !strings.HasPrefix(rest[i+1:], "\n") {
				line++
			}
		}
		rest = rest[n:]
	}
	for {
		skip(len(rest) - len(strings.TrimLeft(rest, blanks)))
		if rest == "" {
			return all
		}
		if rest[0] == '#' || rest[0] == ';' {
			i := 0
			for ; i < len(rest) && strings.IndexByte(newline, rest[i]) < 0; i++ {
				if continued && rest[i] == '\\' && i+1 < len(rest) {
					i++
				}
			}
			skip(i)
			continue
		}
		end := strings.IndexAny(rest[1:], "="+newline) + 1 // a = at the start belongs to the name
		if end == 0 {
			return all
		}
		if rest[end] != '=' {
			skip(end)
			continue
		}
		value, read := environmentValue(rest[end+1:])
		all = append(all, setting{name: strings.TrimRight(rest[:end], blanks), value: value, at: place{file, line}})
		skip(end + 1 + read)
	}
}

// environmentValue returns the value at the start of a text, and its length including the end of its line. Quotes
// have a meaning only before the first other character. It follows parse_env_file_internal of systemd.
func environmentValue(text string) (value string, read int) {
	var b strings.Builder
	quote := byte(0)
	plain := false // after the first character that is neither quoted nor blank
	kept := 0      // length of the value without blanks at the end
	for i := 0; i < len(text); i++ {
		c := text[i]
		blank := strings.IndexByte(blanks, c) >= 0
		switch {
		case quote == '\'' && c != quote, quote == '"' && c != quote && c != '\\':
			b.WriteByte(c)
		case quote != 0 && c == quote:
			quote = 0
		case c == '\\':
			if i++; i == len(text) {
				break
			}
			switch next := text[i]; {
			case quote == '"' && next == '\n', quote == 0 && (next == '\n' || next == '\r'):
			case quote == '"' && strings.IndexByte("\"\\`$", next) < 0:
				b.WriteString(text[i-1 : i+1])
			default:
				b.WriteByte(next)
			}
			plain = quote == 0
		case c == '\n' || c == '\r':
			return b.String()[:kept], i + 1
		case !plain && (c == '"' || c == '\''):
			quote = c
		case !plain && blank:
		default:
			b.WriteByte(c)
			plain = true
			if blank {
				continue
			}
		}
		kept = b.Len()
	}
	return b.String()[:kept], len(text)
}
