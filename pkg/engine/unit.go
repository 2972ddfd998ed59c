// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/runc-trace/runc-trace/pkg/regular"
)

// unitDirs are systemd's directories of units, in descending precedence. See systemd.unit(5).
var unitDirs = []string{
	"/etc/systemd/system.control", "/run/systemd/system.control", "/run/systemd/transient", "/run/systemd/generator.early",
	"/etc/systemd/system", "/run/systemd/system", "/run/systemd/generator",
	"/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system", "/run/systemd/generator.late",
}

// unit is a service as systemd runs it, with all its drop-ins and environment files.
type unit struct {
	name   string
	exec   setting            // the last ExecStart
	env    map[string]setting // of the service
	unsure error              // why parts of the environment are unknown
}

// word is an argument, with the place that it comes from.
type word struct {
	text string
	at   place
}

// unit reads a service. It returns false if there is none of that name.
func (h Host) unit(name string) (unit, bool, error) {
	u := unit{name: name, env: make(map[string]setting)}
	if name == "" {
		return u, false, nil
	}
	files, err := h.unitFiles(name)
	if files == nil || err != nil {
		return u, false, err
	}
	h.managerEnvironment(&u)
	var environments, passed []setting
	unset := make(map[string]bool)
	for _, file := range files {
		text, err := h.read(file)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, regular.ErrIrregular) {
			continue // systemd logs it, and goes on without
		}
		if err != nil {
			return u, false, fmt.Errorf("reading unit %q: %w", file, err)
		}
		for _, s := range parseUnit(file, text) {
			if s.section != "Service" {
				continue
			}
			switch s.name {
			case "ExecStart":
				// An empty one clears the list. Only oneshot services have several: here the last one is enough.
				u.exec = s
			case "Environment":
				u.setEnvironment(s)
			case "PassEnvironment":
				passed = append(passed, s)
			case "EnvironmentFile":
				environments = append(environments, s)
				if s.value == "" {
					environments = nil
				}
			case "UnsetEnvironment":
				for _, name := range words(s.value) {
					unset[name] = true
				}
			}
		}
	}
	for _, s := range environments {
		if err := h.environmentFile(&u, s); err != nil {
			return u, false, err
		}
	}
	for name := range unset {
		delete(u.env, name)
	}
	for _, s := range passed {
		for _, name := range words(s.value) {
			// Variables can also be options of CRI-O.
			if strings.Contains(u.exec.value, name) || strings.HasPrefix(name, crioVariables) {
				u.doubt(s.at, "$"+name+" comes from systemd's own environment")
			}
		}
	}
	return u, true, nil
}

// unitFiles returns the files of a unit: its own first, then its drop-ins. It returns nil if the unit does not exist
// or is masked.
func (h Host) unitFiles(name string) ([]string, error) {
	var files []string
	for _, dir := range unitDirs {
		if file := filepath.Join(dir, name); h.listed(file) {
			files = append(files, file)
			break
		}
	}
	if files == nil {
		return nil, nil
	}
	if text, err := h.read(files[0]); err != nil || len(text) == 0 {
		if errors.Is(err, regular.ErrIrregular) || errors.Is(err, fs.ErrNotExist) {
			err = nil // a link to /dev/null masks it, as does an empty file
		}
		return nil, err
	}
	// Of drop-ins with the same name, the directory of the highest precedence counts, and in it the one for the
	// longest prefix of the unit's name. Drop-ins are sorted by name.
	dropins := make(map[string]string)
	of := []string{"service"}
	for i, c := range name {
		if c == '-' {
			of = append(of, name[:i+1]+".service")
		}
	}
	for _, of := range append(of, name) {
		for _, dir := range slices.Backward(unitDirs) {
			for _, file := range h.glob(filepath.Join(dir, of+".d", "*.conf")) {
				dropins[filepath.Base(file)] = file
			}
		}
	}
	for _, base := range slices.Sorted(maps.Keys(dropins)) {
		files = append(files, dropins[base])
	}
	return files, nil
}

// managerEnvironment adds the variables that systemd's own configuration sets for all services.
func (h Host) managerEnvironment(u *unit) {
	files := []string{"/usr/lib/systemd/system.conf", "/etc/systemd/system.conf"}
	for _, dir := range []string{"/usr/lib/systemd", "/run/systemd", "/etc/systemd"} {
		files = append(files, h.glob(dir+"/system.conf.d/*.conf")...)
	}
	for _, file := range files {
		text, _ := h.read(file)
		for _, s := range parseUnit(file, text) {
			if s.section == "Manager" && (s.name == "DefaultEnvironment" || s.name == "ManagerEnvironment") {
				u.setEnvironment(s)
			}
		}
	}
}

// setEnvironment adds the assignments of an Environment=; an empty one clears those before.
func (u *unit) setEnvironment(s setting) {
	if s.value == "" {
		clear(u.env)
	}
	for _, word := range words(s.value) {
		if name, value, ok := strings.Cut(word, "="); ok {
			u.env[name] = setting{name: name, value: u.specify(value, s.at), at: s.at}
		}
	}
}

// environmentFile adds the variables in the files of an EnvironmentFile=, which override all others. If the name
// begins with -, the file may be missing.
func (h Host) environmentFile(u *unit, s setting) error {
	pattern, optional := strings.CutPrefix(s.value, "-")
	pattern = u.specify(pattern, s.at)
	files := []string{pattern}
	if strings.ContainsAny(pattern, "*?[") {
		files = h.glob(pattern)
	}
	for _, file := range files {
		text, err := h.read(file)
		switch {
		case errors.Is(err, fs.ErrNotExist) && optional:
		case errors.Is(err, fs.ErrNotExist):
			u.doubt(s.at, file+" does not exist")
		case err != nil:
			return fmt.Errorf("reading %q, named by %s: %w", file, s.at, err)
		}
		for _, s := range parseEnvironment(file, text) {
			u.env[s.name] = s
		}
	}
	return nil
}

func (u *unit) doubt(at place, why string) {
	if u.unsure == nil {
		u.unsure = fmt.Errorf("%s: %s", at, why)
	}
}

// specify replaces the specifiers that are the same on every host. See systemd.unit(5).
func (u *unit) specify(text string, at place) string {
	if !strings.Contains(text, "%") {
		return text
	}
	name := strings.TrimSuffix(u.name, path.Ext(u.name))
	known := map[byte]string{
		'%': "%", 'n': u.name, 'N': name, 'p': name, 'P': name, 'i': "", 'I': "",
		'C': "/var/cache", 'E': "/etc", 'L': "/var/log", 'S': "/var/lib", 't': "/run", 'T': "/tmp", 'V': "/var/tmp",
		'h': "/root", 'u': "root", 'U': "0", 'g': "root", 'G': "0",
	}
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] != '%' || i+1 == len(text) {
			b.WriteByte(text[i])
			continue
		}
		i++
		value, ok := known[text[i]]
		if !ok {
			u.doubt(at, fmt.Sprintf("the meaning of %%%c is unknown", text[i]))
		}
		b.WriteString(value)
	}
	return b.String()
}

// words returns the command line with specifiers and variables expanded: ${X} within a word, and $X as separate words.
func (u *unit) words() []word {
	line, plain := strings.TrimLeft(u.exec.value, "-@:+!|"), false
	if prefix := u.exec.value[:len(u.exec.value)-len(line)]; strings.Contains(prefix, ":") {
		plain = true // variables are not expanded
	}
	var found []word
	for _, text := range words(line) {
		text = u.specify(text, u.exec.at)
		switch name, ok := strings.CutPrefix(text, "$"); {
		case plain:
			found = append(found, word{text, u.exec.at})
		case ok && isVariable(name):
			for _, text := range words(u.env[name].value) {
				found = append(found, word{text, u.env[name].at})
			}
		default:
			found = append(found, u.fill(text))
		}
	}
	return found
}

// fill expands each ${X} of a word, and $$. The word's place is that of its last variable.
func (u *unit) fill(text string) word {
	w := word{at: u.exec.at}
	var b strings.Builder
	for {
		before, rest, ok := strings.Cut(text, "$")
		b.WriteString(before)
		name, after, closed := strings.Cut(strings.TrimPrefix(rest, "{"), "}")
		switch {
		case !ok:
			w.text = b.String()
			return w
		case strings.HasPrefix(rest, "$"):
			b.WriteByte('$')
			text = rest[1:]
		case strings.HasPrefix(rest, "{") && closed && isVariable(name):
			if s, ok := u.env[name]; ok {
				b.WriteString(s.value)
				w.at = s.at
			}
			text = after
		default:
			b.WriteByte('$')
			text = rest
		}
	}
}

// args returns the arguments of the command line.
func (u *unit) args() []string { return texts(u.words()) }

func texts(words []word) []string {
	var all []string
	for _, w := range words {
		all = append(all, w.text)
	}
	return all
}

// path returns the directories in which the service looks for programs.
func (u *unit) path() []string {
	if value := u.env["PATH"].value; value != "" {
		return filepath.SplitList(value)
	}
	return daemonDirs
}

// program returns the word of the command line that runs the program, and the arguments after it. That is the first
// word, or a later one after env(1), which may be a bare name.
func (u *unit) program(name string) (file string, arguments []word) {
	all := u.words()
	for i, w := range all {
		if path.Base(w.text) == name && path.IsAbs(w.text) || w.text == name && path.Base(all[0].text) == "env" {
			return path.Clean(w.text), all[i+1:]
		}
	}
	return "", nil
}

// option returns the value of the last of the flags, and whether there is one. The names include their dashes.
func option(args []string, names ...string) (value string, ok bool) {
	values := options(args, names...)
	if len(values) == 0 {
		return "", false
	}
	return values[len(values)-1], true
}

// lastOption is like option, but returns only the value.
func lastOption(args []string, name string) string {
	value, _ := option(args, name)
	return value
}

// options returns the values of all of the flags.
func options(args []string, names ...string) []string {
	var values []string
	for i, arg := range args {
		name, value, joined := strings.Cut(arg, "=")
		if !slices.Contains(names, name) {
			continue
		}
		if !joined && i+1 < len(args) {
			value = args[i+1]
		}
		values = append(values, value)
	}
	return values
}
