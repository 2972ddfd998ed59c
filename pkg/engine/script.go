// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
)

// plainLine matches one line of a shell script that does nothing, or sets a variable to a text without any expansion:
// blank, a comment, or NAME=VALUE, also after `export`. A value in double quotes may continue on the next line.
var plainLine = regexp.MustCompile(`^[ \t]*(?:(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_]*)=` +
	`((?:[\w./:,@%+=-]|'[^'"\n]*'|"(?:[^'"$\x60\\\n]|\\\n)*")*)(?:[ \t]*;)?[ \t]*(?:[ \t;]#[^\n]*)?|#[^\n]*)?(?:\n|$)`)

// initCommand returns the command that a script of an init system builds from a file that it sources. Each word of the
// variable is an argument, because the script expands it without quotes. If the file is more than literal assignments,
// only a shell could tell the result, and the command is unsure.
func initCommand(file string, text []byte, variable string) command {
	var c command
	rest, line := string(text), 1
	for rest != "" {
		at := place{file, line}
		match := plainLine.FindStringSubmatch(rest)
		if match == nil {
			c.unsure = fmt.Errorf("%s: cannot tell what this shell code sets", at)
			return c
		}
		if match[1] == variable {
			c.words = nil
			value := strings.NewReplacer("\\\n", "", `"`, "", `'`, "").Replace(match[2])
			if strings.ContainsAny(value, "*?[") {
				c.unsure = fmt.Errorf("%s: a shell expands its wildcards", at)
			}
			for _, text := range strings.Fields(value) {
				c.words = append(c.words, word{text, at})
			}
		}
		rest, line = rest[len(match[0]):], line+strings.Count(match[0], "\n")
	}
	return c
}

// decisive matches a flag in a script that decides which runtimes dockerd has, unless it is in a comment.
var decisive = regexp.MustCompile(`(?m)^[^#\n]*--(?:default-runtime|add-runtime|config-file)\b`)

// scriptFlags returns an error if a script of an init system passes such a flag itself.
func scriptFlags(file string, text []byte) error {
	at := decisive.FindIndex(text)
	if at == nil {
		return nil
	}
	return fmt.Errorf("%s: cannot tell which flags this shell code passes",
		place{file, 1 + bytes.Count(text[:at[0]], []byte("\n"))})
}
