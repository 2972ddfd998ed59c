// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"fmt"
	"path"
	"strings"
)

// specifiers maps the letters of specifiers to their values. See systemd.unit(5).
type specifiers map[byte]string

// specifiers returns those that systemd replaces in a unit, as far as they are known.
func (h Host) specifiers(u unitFiles) specifiers {
	known := specifiers{'%': "%", 'T': "/tmp", 'V': "/var/tmp"}
	h.Seen = nil // these files are not configuration
	first := func(file string) string {
		text, _ := h.read(file)
		line, _, _ := strings.Cut(string(text), "\n")
		return line
	}
	host := first("/proc/sys/kernel/hostname")
	short, _, _ := strings.Cut(host, ".")
	for letter, value := range map[byte]string{
		'H': host, 'l': short, 'v': first("/proc/sys/kernel/osrelease"), 'm': first("/etc/machine-id"),
		'b': strings.ReplaceAll(first("/proc/sys/kernel/random/boot_id"), "-", ""),
	} {
		if value != "" {
			known[letter] = value
		}
	}
	if u.files == nil {
		return known
	}
	bare := strings.TrimSuffix(u.name, serviceSuffix)
	for letter, value := range map[byte]string{
		'n': u.name, 'N': bare, 'p': bare, 'P': strings.ReplaceAll(bare, "-", "/"), 'i': "", 'I': "",
		'j': bare[strings.LastIndex(bare, "-")+1:], 'J': bare[strings.LastIndex(bare, "-")+1:],
		'C': "/var/cache", 'E': "/etc", 'L': "/var/log", 'S': "/var/lib", 't': "/run",
		'h': "/root", 'u': "root", 'U': "0", 'g': "root", 'G': "0",
		'y': u.files[0], 'Y': path.Dir(u.files[0]),
	} {
		known[letter] = value
	}
	return known
}

// replace replaces specifiers. The error is about the first one that is unknown. Like systemd, it leaves them as they
// are: older versions know fewer of them.
func (s specifiers) replace(text string, at place) (replaced string, unclear error) {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] != '%' || i+1 == len(text) {
			b.WriteByte(text[i])
			continue
		}
		i++
		value, ok := s[text[i]]
		if !ok {
			value = text[i-1 : i+1]
			if unclear == nil {
				unclear = fmt.Errorf("%s: the meaning of %s is unknown", at, value)
			}
		}
		b.WriteString(value)
	}
	return b.String(), unclear
}

// words splits a setting, and replaces specifiers in each word.
func (s specifiers) words(q quoting, from setting) []string {
	all, _ := q.words(from.value)
	for i := range all {
		all[i], _ = s.replace(all[i], from.at)
	}
	return all
}

// startCommand is an ExecStart= before variables are expanded.
type startCommand struct {
	argv  []string
	at    place
	plain bool // variables are not expanded
}

// parseCommand splits an ExecStart=. The error says why systemd may start something else. It follows config_parse_exec
// of systemd.
func parseCommand(s setting, specifiers specifiers) (c startCommand, unclear error) {
	doubt := func(err error) {
		if unclear == nil {
			unclear = err
		}
	}
	c.at = s.at
	first, rest, _, err := commandLine.word(s.value)
	if err != nil {
		return c, fmt.Errorf("%s: %w", s.at, err)
	}
	program := strings.TrimLeft(first, "-@:+!|")
	prefix := first[:len(first)-len(program)]
	c.plain = strings.Contains(prefix, ":")
	if strings.Contains(prefix, "|") {
		doubt(fmt.Errorf("%s: the prefix | runs the command in a shell", s.at))
	}
	program, err = specifiers.replace(program, s.at)
	doubt(err)
	c.argv = []string{program}
	named := strings.Contains(prefix, "@") // the next word is argv[0]
	for rest != "" {
		if after, ok := strings.CutPrefix(rest, ";"); ok && strings.TrimLeft(after, blanks) != after || rest == ";" {
			doubt(fmt.Errorf("%s: the command line has more than one command", s.at))
			break
		}
		text := ""
		if after, ok := strings.CutPrefix(rest, `\;`); ok && strings.TrimLeft(after, blanks) != after || rest == `\;` {
			text, rest = ";", strings.TrimLeft(after, blanks)
		} else if text, rest, _, err = commandLine.word(rest); err != nil {
			return c, fmt.Errorf("%s: %w", s.at, err)
		}
		text, err = specifiers.replace(text, s.at)
		doubt(err)
		if !named {
			c.argv = append(c.argv, text)
		}
		named = false
	}
	return c, unclear
}

// expand replaces variables: ${X} within a word, and $X as separate words. It follows replace_env_argv of systemd.
func (c startCommand) expand(env environment) (found []word, unclear error) {
	value := func(name string) setting {
		s := env[name]
		if unclear == nil {
			unclear = s.unclear
		}
		return s
	}
	for i, text := range c.argv {
		switch name, ok := strings.CutPrefix(text, "$"); {
		case c.plain || i == 0:
			found = append(found, word{text, c.at})
		case ok && !strings.HasPrefix(name, "$") && !strings.HasPrefix(name, "{"):
			s := value(name)
			parts, _ := expansion.words(s.value)
			for _, part := range parts {
				found = append(found, word{part, s.at})
			}
		default:
			found = append(found, c.fill(text, value))
		}
	}
	return found, unclear
}

// fill expands each ${X} of a word, and $$. The word's place is that of its last variable.
func (c startCommand) fill(text string, value func(name string) setting) word {
	w := word{at: c.at}
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(text, "$")
		b.WriteString(before)
		if !found {
			w.text = b.String()
			return w
		}
		end := strings.IndexAny(rest, "}:")
		switch {
		case strings.HasPrefix(rest, "$"):
			b.WriteByte('$')
			text = rest[1:]
		case !strings.HasPrefix(rest, "{"):
			b.WriteByte('$')
			text = rest
		case end < 0: // the brace is not closed
			b.WriteString("$" + rest)
			text = ""
		case rest[end] == ':': // ${X:...} has no meaning
			b.WriteString("$" + rest[:end+1])
			text = rest[end+1:]
		default:
			s := value(rest[1:end])
			b.WriteString(s.value)
			if s.name != "" {
				w.at = s.at
			}
			text = rest[end+1:]
		}
	}
}
