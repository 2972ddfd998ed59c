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

// unit is a service as systemd runs it, with all its drop-ins and environment files.
type unit struct {
	unitFiles
	exec   setting     // the last ExecStart
	words  []word      // its command line with specifiers and variables replaced
	env    environment // of the service
	unsure error       // why its command line or its options in variables may differ
}

// word is an argument, with the place that it comes from.
type word struct {
	text string
	at   place
}

// unit reads a service by one of its names. It returns false if there is none, or if it is masked.
func (h Host) unit(name string) (unit, bool) {
	u := unit{env: make(environment)}
	if name == "" {
		return u, false
	}
	u.unitFiles = h.unitFiles(name)
	if u.files == nil {
		return u, false
	}
	u.doubt(u.unclear)
	var commands, environments, passed, removed []setting
	specifiers := h.specifiers(u.unitFiles)
	own, search := make(environment), setting{name: "PATH"}
	for _, s := range h.serviceSettings(&u) {
		switch s.name {
		case "ExecStart":
			commands = list(commands, s)
		case "ExecSearchPath":
			search.value, search.at = strings.Trim(search.value+":"+s.value, ":"), s.at
			if s.value == "" {
				search.value = ""
			}
		case "Environment":
			own.assign(s, specifiers)
		case "PassEnvironment":
			passed = list(passed, s)
		case "EnvironmentFile":
			environments = list(environments, s)
		case "UnsetEnvironment":
			removed = list(removed, s)
		}
	}
	// In ascending precedence. See build_environment and exec_child of systemd.
	u.env = h.managerEnvironment()
	if search.value != "" {
		u.env["PATH"] = search
	}
	for _, s := range passed {
		for _, name := range specifiers.words(names, s) {
			unclear := fmt.Errorf("%s: $%s comes from systemd's own environment", s.at, name)
			u.env[name] = setting{name: name, at: s.at, unclear: unclear}
		}
	}
	maps.Copy(u.env, own)
	for _, s := range environments {
		found, err := h.environmentFiles(s, specifiers)
		u.doubt(err)
		maps.Copy(u.env, found)
	}
	for _, s := range removed {
		for _, entry := range specifiers.words(assignments, s) {
			if name, value, one := strings.Cut(entry, "="); !one || u.env[name].value == value {
				delete(u.env, name)
			}
		}
	}
	u.start(commands, specifiers)
	return u, true
}

// list adds a setting to those that apply. An empty one clears those before.
func list(all []setting, s setting) []setting {
	if s.value == "" {
		return nil
	}
	return append(all, s)
}

// serviceSettings returns the settings in the section [Service] of all files.
func (h Host) serviceSettings(u *unit) []setting {
	var all []setting
	for _, file := range u.files {
		text, err := h.read(file)
		if err != nil {
			if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, regular.ErrIrregular) { // systemd goes on without it
				u.doubt(fmt.Errorf("%s: %w", file, err))
			}
			continue
		}
		settings, err := parseUnit(file, text)
		u.doubt(err)
		for _, s := range settings {
			if s.section == "Service" {
				all = append(all, s)
			}
		}
	}
	return all
}

// optionVariables are variables, or their prefixes, that are options of engines or of their distributions.
var optionVariables = []string{"PATH", crioVariables, "K3S_", "RKE2_", "TORCX_"}

// start sets the command line.
func (u *unit) start(commands []setting, specifiers specifiers) {
	if len(commands) > 0 {
		u.exec = commands[len(commands)-1]
		c, unclear := parseCommand(u.exec, specifiers)
		u.doubt(unclear)
		u.words, unclear = c.expand(u.env)
		u.doubt(unclear)
	}
	if len(commands) > 1 {
		u.doubt(fmt.Errorf("%s: the service has more than one ExecStart", u.exec.at))
	}
	for _, name := range slices.Sorted(maps.Keys(u.env)) {
		if slices.ContainsFunc(optionVariables, func(prefix string) bool { return strings.HasPrefix(name, prefix) }) {
			u.doubt(u.env[name].unclear)
		}
	}
}

func (u *unit) doubt(why error) {
	if u.unsure == nil {
		u.unsure = why
	}
}

// args returns the arguments of the command line.
func (u *unit) args() []string { return texts(u.words) }

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
	for i, w := range u.words {
		bare := i == 0 || path.Base(u.words[0].text) == "env"
		if path.Base(w.text) == name && (path.IsAbs(w.text) || w.text == name && bare) {
			return path.Clean(w.text), u.words[i+1:]
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

// goFlags returns the forms of a flag's names for Go's package flag, which parses the flags of containerd, CRI-O, k3s
// and RKE2: one dash or two, whatever the length of the name.
func goFlags(names ...string) []string {
	var all []string
	for _, name := range names {
		all = append(all, "-"+name, "--"+name)
	}
	return all
}
