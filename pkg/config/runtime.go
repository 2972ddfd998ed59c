// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"path"
	"strings"
)

// Runtime lists the real runtime's candidates in the order in which they are tried: absolute paths, and names to
// search for. In the file it is one string or a list.
type Runtime []string

// Directories are searched after PATH: some callers, such as conmon, have no PATH.
var Directories = [...]string{"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"}

// Candidates returns the paths at which the runtime may be, best first. searchPath is the PATH.
func (r Runtime) Candidates(searchPath string) []string {
	var paths []string
	for _, name := range r {
		if path.IsAbs(name) {
			paths = append(paths, path.Clean(name))
			continue
		}
		for directory := range strings.SplitSeq(searchPath, ":") {
			if path.IsAbs(directory) {
				paths = append(paths, path.Join(directory, name))
			}
		}
		for _, directory := range Directories {
			paths = append(paths, path.Join(directory, name))
		}
	}
	return paths
}

// ParseRuntime finds the result of RuntimeFor for name without a TOML parser. Most calls of the shim need nothing
// else of the file, and the parser would double their time. If it returns true, the Runtime is the one that Parse
// finds in the same text, even if the rest of the text is invalid. It returns false if the lines before the first
// table (for a name: before the table after [runtimes]) are anything but comments and keys with plain values.
func ParseRuntime(text, name string) (Runtime, bool) {
	runtime, named, ok := plainRuntimes(text, name != "")
	if !ok {
		return nil, false
	}
	c := Config{Runtime: runtime, Runtimes: named}
	return c.RuntimeFor(name), true
}

// RuntimeFor returns the real runtime for the shim called as runc-trace-NAME: the entry of [runtimes], or else a
// program called NAME. Without a name it returns Runtime.
func (c *Config) RuntimeFor(name string) Runtime {
	if name == "" {
		return c.Runtime
	}
	if path, ok := c.Runtimes[name]; ok {
		return Runtime{path}
	}
	return Runtime{name}
}

// plainRuntimes reads the key runtime, and, if named is set, the table [runtimes] if it is the first one.
func plainRuntimes(text string, named bool) (runtime Runtime, runtimes map[string]string, ok bool) {
	const table = "[runtimes]"
	section := ""
	for text != "" {
		var line string
		line, text, _ = strings.Cut(text, "\n")
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		if line[0] == '[' {
			if !named || section == table {
				break
			}
			if line != table {
				return nil, nil, false
			}
			section, runtimes = table, map[string]string{}
			continue
		}
		key, value, ok := strings.Cut(line, "=")
		key = strings.TrimSpace(key)
		list, plain := plainValue(strings.TrimSpace(value))
		if !ok || !plain {
			return nil, nil, false
		}
		if section == table {
			if !addRuntime(runtimes, key, value, list) {
				return nil, nil, false
			}
			continue
		}
		if !isPlainKey(key) || key == "runtimes" {
			return nil, nil, false
		}
		if key == "runtime" {
			if runtime != nil || list == nil || list.check() != nil {
				return nil, nil, false
			}
			runtime = list
		}
	}
	if runtime == nil {
		runtime = Default().Runtime
	}
	return runtime, runtimes, true
}

// addRuntime adds a line of [runtimes]; false if it is not plainly a path for a new name.
func addRuntime(runtimes map[string]string, name, value string, list Runtime) bool {
	_, known := runtimes[name]
	if known || !isBareKey(name) || list == nil || strings.TrimSpace(value)[0] != '"' || !path.IsAbs(list[0]) {
		return false
	}
	runtimes[name] = list[0]
	return true
}

// isBareKey reports whether a key needs no quotes in TOML.
func isBareKey(key string) bool {
	for i := 0; i < len(key); i++ {
		if c := key[i]; (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return false
		}
	}
	return key != ""
}

// isPlainKey reports whether a key has the form of this file's keys.
func isPlainKey(key string) bool {
	for i := 0; i < len(key); i++ {
		if c := key[i]; (c < 'a' || c > 'z') && c != '-' {
			return false
		}
	}
	return key != ""
}

// plainValue parses a string without escapes, or a list of these on one line; for true and false it returns no
// list. It refuses everything else.
func plainValue(value string) (Runtime, bool) {
	if value == "true" || value == "false" {
		return nil, true
	}
	if entry, rest, ok := plainString(value); ok {
		return Runtime{entry}, isEnd(rest)
	}
	rest, ok := strings.CutPrefix(value, "[")
	if !ok {
		return nil, false
	}
	list := Runtime{}
	for separated := true; ; {
		rest = strings.TrimSpace(rest)
		if after, ok := strings.CutPrefix(rest, "]"); ok {
			return list, isEnd(after)
		}
		entry, after, ok := plainString(rest)
		if !ok || !separated {
			return nil, false
		}
		list = append(list, entry)
		rest, separated = strings.CutPrefix(strings.TrimSpace(after), ",")
	}
}

// plainString cuts a quoted string off the beginning of text.
func plainString(text string) (entry, rest string, ok bool) {
	if text == "" || text[0] != '"' {
		return "", "", false
	}
	entry, rest, ok = strings.Cut(text[1:], `"`)
	for i := 0; i < len(entry); i++ {
		if entry[i] < ' ' || entry[i] > '~' || entry[i] == '\\' {
			return "", "", false
		}
	}
	return entry, rest, ok
}

// isEnd reports whether a value may end here.
func isEnd(rest string) bool {
	rest = strings.TrimSpace(rest)
	return rest == "" || rest[0] == '#'
}

// UnmarshalTOML accepts a string or a list of strings.
func (r *Runtime) UnmarshalTOML(value any) error {
	switch value := value.(type) {
	case string:
		*r = Runtime{value}
		return nil
	case []any:
		list := Runtime{}
		for _, entry := range value {
			text, ok := entry.(string)
			if !ok {
				return errType
			}
			list = append(list, text)
		}
		*r = list
		return nil
	}
	return errType
}

// check returns an error for an entry that can never be found.
func (r Runtime) check() error {
	if len(r) == 0 {
		return fmt.Errorf("runtime is empty")
	}
	for _, entry := range r {
		if entry == "" || strings.Contains(entry, "/") && !path.IsAbs(entry) {
			return fmt.Errorf("runtime %q must be an absolute path or a name", entry)
		}
	}
	return nil
}
