// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"path"
	"strings"
)

// Runtime is where the real runtime is: absolute paths, and names that are searched
// for, in the order in which they are tried. In the file it is one string or a list.
type Runtime []string

// Directories are searched behind PATH: conmon, for one, has no PATH.
var Directories = [...]string{"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"}

// Candidates are the paths at which the runtime may be, best first, where searchPath is PATH.
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

// ParseRuntime reads nothing but what RuntimeFor gives for name, without a TOML parser: that is all the
// shim needs for most of what it is called for, and a parser takes as long as
// everything else it does. Where it says true, the Runtime is the one that Parse finds
// in the same text, whatever else is wrong with the text. It says false where the lines
// above the first table (or the one after [runtimes], for a name) are more than comments and keys with plain values.
func ParseRuntime(text, name string) (Runtime, bool) {
	runtime, named, ok := plainRuntimes(text, name != "")
	if !ok {
		return nil, false
	}
	c := Config{Runtime: runtime, Runtimes: named}
	return c.RuntimeFor(name), true
}

// RuntimeFor is where the real runtime is for the shim called as runc-trace-NAME: the one that [runtimes] has for the
// name, or else whatever is called so. Without a name it is Runtime.
func (c *Config) RuntimeFor(name string) Runtime {
	if name == "" {
		return c.Runtime
	}
	if path, ok := c.Runtimes[name]; ok {
		return Runtime{path}
	}
	return Runtime{name}
}

// plainRuntimes reads runtime, and [runtimes] if that is asked for and stands before all other tables.
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

// addRuntime takes a line of [runtimes]; false where it is not plainly a path for a new name.
func addRuntime(runtimes map[string]string, name, value string, list Runtime) bool {
	_, known := runtimes[name]
	if known || !isBareKey(name) || list == nil || strings.TrimSpace(value)[0] != '"' || !path.IsAbs(list[0]) {
		return false
	}
	runtimes[name] = list[0]
	return true
}

// isBareKey says whether a key of TOML needs no quotes.
func isBareKey(key string) bool {
	for i := 0; i < len(key); i++ {
		if c := key[i]; (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return false
		}
	}
	return key != ""
}

// isPlainKey says whether a key is what this file's keys look like.
func isPlainKey(key string) bool {
	for i := 0; i < len(key); i++ {
		if c := key[i]; (c < 'a' || c > 'z') && c != '-' {
			return false
		}
	}
	return key != ""
}

// plainValue reads a string without escapes, or a list of such on one line; true and
// false give no list. It refuses everything else.
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

// plainString cuts a quoted string off the front of text.
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

// isEnd says whether a value may end here.
func isEnd(rest string) bool {
	rest = strings.TrimSpace(rest)
	return rest == "" || rest[0] == '#'
}

// UnmarshalTOML takes a string or a list of strings.
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
				return fmt.Errorf("runtime has an entry of type %T, want a string", entry)
			}
			list = append(list, text)
		}
		*r = list
		return nil
	}
	return fmt.Errorf("runtime is of type %T, want a string or a list of strings", value)
}

// check says which entry can never be found.
func (r Runtime) check() error {
	if len(r) == 0 {
		return fmt.Errorf("runtime is empty")
	}
	for _, entry := range r {
		if entry == "" || strings.Contains(entry, "/") && !path.IsAbs(entry) {
			return fmt.Errorf("runtime %q is neither an absolute path nor a name", entry)
		}
	}
	return nil
}
