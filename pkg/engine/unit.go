// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	systemd "github.com/coreos/go-systemd/v22/unit"
)

// unitDirs are where systemd looks for units, the most important first. See systemd.unit(5).
var unitDirs = []string{"/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"}

// torcxSeal is the file by which units of torcx images learn where these were unpacked.
const torcxSeal = "/run/metadata/torcx"

// unit is a service as systemd runs it: with all its drop-ins, and without EnvironmentFile, but for torcx's.
type unit struct {
	name string
	exec string            // the last ExecStart, as it is written
	env  map[string]string // Environment, and what torcx says
}

// unit reads a service. It returns false where there is none of that name.
func (h Host) unit(name string) (unit, bool, error) {
	u := unit{name: name, env: make(map[string]string)}
	if name == "" {
		return u, false, nil
	}
	var files []string
	for _, dir := range unitDirs {
		if file := filepath.Join(dir, name); h.exists(file) {
			files = append(files, file)
			break
		}
	}
	if files == nil {
		return u, false, nil
	}
	// Of drop-ins of one name only that in the most important directory counts; all are sorted by name.
	dropins := make(map[string]string)
	for _, dir := range slices.Backward(unitDirs) {
		for _, file := range h.glob(filepath.Join(dir, name+".d", "*.conf")) {
			dropins[filepath.Base(file)] = file
		}
	}
	for _, base := range slices.Sorted(maps.Keys(dropins)) {
		files = append(files, dropins[base])
	}
	if err := h.torcx(&u); err != nil {
		return u, false, err
	}
	for _, file := range files {
		text, err := h.read(file)
		if err != nil {
			return u, false, fmt.Errorf("reading unit %q: %w", file, err)
		}
		options, err := systemd.DeserializeOptions(bytes.NewReader(text))
		if err != nil {
			return u, false, fmt.Errorf("parsing unit %q: %w", file, err)
		}
		for _, o := range options {
			u.apply(o)
		}
	}
	return u, true, nil
}

func (h Host) torcx(u *unit) error {
	text, err := h.readIfThere(torcxSeal)
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok {
			u.env[name] = strings.Trim(value, `"`)
		}
	}
	return nil
}

func (u *unit) apply(o *systemd.UnitOption) {
	if o.Section != "Service" {
		return
	}
	switch o.Name {
	case "ExecStart":
		// An empty one takes back those before; of several, which only oneshot services have, the last will do.
		u.exec = o.Value
	case "Environment":
		for _, word := range words(o.Value) {
			if name, value, ok := strings.Cut(word, "="); ok {
				u.env[name] = value
			}
		}
	}
}

// args is the command line with variables filled in: ${X} within a word, and $X, which is split, as a word of its own.
func (u unit) args() []string {
	var args []string
	for _, word := range words(strings.TrimLeft(u.exec, "-@:+!|")) {
		if name, ok := strings.CutPrefix(word, "$"); ok && !strings.HasPrefix(name, "{") {
			args = append(args, words(u.env[name])...)
			continue
		}
		args = append(args, os.Expand(word, func(name string) string { return u.env[name] }))
	}
	return args
}

// path is where the service finds programs.
func (u unit) path() []string {
	if value := u.env["PATH"]; value != "" {
		return filepath.SplitList(value)
	}
	return daemonDirs
}

// program is the word of the command line that runs the program: its first, or a later one after env(1).
func (u unit) program(name string) string {
	for _, arg := range u.args() {
		if path.Base(arg) == name && path.IsAbs(arg) {
			return path.Clean(arg)
		}
	}
	return ""
}

// option returns the value of the last of the flags, which are given with their dashes, and whether there is one.
func option(args []string, names ...string) (value string, ok bool) {
	values := options(args, names...)
	if len(values) == 0 {
		return "", false
	}
	return values[len(values)-1], true
}

// lastOption is option for those that need not know whether there is one.
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

// words splits as systemd does, as far as engines' units need it: at white space, with quotes around whole or parts of words.
func words(text string) []string {
	var (
		found []string
		word  strings.Builder
		quote rune
		open  bool
	)
	for _, r := range text {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote == 0 && (r == '"' || r == '\''):
			quote, open = r, true
		case quote == 0 && strings.ContainsRune(" \t\n\\", r):
			if open {
				found = append(found, word.String())
				word.Reset()
				open = false
			}
		default:
			word.WriteRune(r)
			open = true
		}
	}
	if open {
		found = append(found, word.String())
	}
	return found
}
