// SPDX-License-Identifier: Apache-2.0

package config

import (
	"strconv"
	"strings"
)

// parsePlain reads a file of plain lines, such as the default file and nearly all others, without the TOML parser,
// which takes a tenth of the shim's time budget at a container's start. If it returns true, the Config is the
// parser's result, unchecked. It returns false for everything that it does not know, whether valid or not.
func parsePlain(text string) (Config, bool) {
	c := Default()
	seen := make(map[string]bool, 16)
	section := ""
	for text != "" {
		var line string
		line, text, _ = strings.Cut(text, "\n")
		if !isPrintable(line) {
			return c, false
		}
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		name := ""
		if line[0] == '[' {
			switch line {
			case "[labels]", "[contents]", "[redact]", "[archive]", "[pool]":
			case "[runtimes]":
				c.Runtimes = map[string]string{}
			default:
				return c, false
			}
			section = line[1:len(line)-1] + "."
			name = section
		} else {
			key, value, ok := strings.Cut(line, "=")
			key = strings.TrimSpace(key)
			name = section + key
			value = strings.TrimSpace(value)
			if list, plain := plainValue(value); section == "runtimes." {
				ok = ok && plain && addRuntime(c.Runtimes, key, value, list)
			} else {
				ok = ok && isPlainKey(key) && c.set(name, value)
			}
			if !ok {
				return c, false
			}
		}
		if seen[name] {
			return c, false
		}
		seen[name] = true
	}
	return c, true
}

// set assigns a value to a key; false if the key is unknown, or the value is not plainly of its type.
func (c *Config) set(name, value string) bool {
	list, isList := plainValue(value)
	isText := isList && value[0] == '"'
	isList = isList && list != nil
	switch name {
	case "runtime":
		c.Runtime = list
		return isList
	case "pin-dir":
		return isText && assign(&c.PinDir, list[0])
	case "log":
		return isText && assign(&c.Log, list[0])
	case "log-level":
		return isText && assign(&c.LogLevel, list[0])
	case "record-sandboxes":
		return boolean(&c.RecordSandboxes, value)
	case "adopt":
		return boolean(&c.Adopt, value)
	case "contents.default":
		return isText && assign(&c.Contents.Default, list[0])
	case "contents.annotation":
		return isText && assign(&c.Contents.Annotation, list[0])
	case "contents.all":
		c.Contents.All = list
		return isList && !isText
	case "contents.paths":
		c.Contents.Paths = list
		return isList && !isText
	case "contents.none":
		c.Contents.None = list
		return isList && !isText
	case "contents.off":
		c.Contents.Off = list
		return isList && !isText
	case "redact.builtin":
		return boolean(&c.Redact.Builtin, value)
	case "redact.patterns":
		c.Redact.Patterns = list
		return isList && !isText
	case "labels.annotations":
		c.Labels.Annotations = list
		return isList && !isText
	case "labels.prefixes":
		c.Labels.Prefixes = list
		return isList && !isText
	case "labels.json":
		c.Labels.JSON = list
		return isList && !isText
	case "labels.keep":
		c.Labels.Keep = list
		return isList && !isText
	}
	if key, isArchive := strings.CutPrefix(name, "archive."); isArchive {
		return c.Archive.setPlain(key, value, list, isText, isList)
	}
	key, isPool := strings.CutPrefix(name, "pool.")
	return isPool && c.Pool.setPlain(key, value)
}

func assign(to *string, value string) bool {
	*to = value
	return true
}

func boolean(to *bool, value string) bool {
	*to = value == "true"
	return value == "true" || value == "false"
}

// number parses plain decimal digits.
func number(to *int, value string) bool {
	n, err := strconv.Atoi(value)
	*to = n
	return err == nil && strconv.Itoa(n) == value
}

// isPrintable reports whether a line has only printable ASCII and tabs.
func isPrintable(line string) bool {
	for i := 0; i < len(line); i++ {
		if (line[i] < ' ' || line[i] > '~') && line[i] != '\t' {
			return false
		}
	}
	return true
}
