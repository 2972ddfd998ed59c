// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	// documented is a line of a code block that calls tracectl.
	documented = regexp.MustCompile(`(?m)^(?:    |\t)(?:\$ )?(?:sudo )?(?:\S*/)?tracectl (.*)$`)
	// words are the words of a shell command, up to a pipe, a redirection, a comment or the like.
	words = regexp.MustCompile(`^\s*(?:'([^']*)'|"([^"]*)"|([^\s'"|><#;&]+))`)
)

// TestDocuments has each command of the documents parsed with --help after it, so that it is checked but not run.
func TestDocuments(t *testing.T) {
	documents, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	commands := 0
	for _, document := range append(documents, "../../README.md", "../../CONTRIBUTING.md", "../../SECURITY.md") {
		text, err := os.ReadFile(document)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range documented.FindAllStringSubmatch(string(text), -1) {
			if strings.HasPrefix(strings.TrimSpace(line[0]), "cmd/") {
				continue // the list of folders
			}
			var args []string
			for rest := line[1]; ; {
				found := words.FindStringSubmatch(rest)
				if found == nil {
					break
				}
				args = append(args, found[1]+found[2]+found[3])
				rest = rest[len(found[0]):]
			}
			commands++
			if found, _, err := newRoot().Find(args); err != nil || found.HasSubCommands() {
				t.Errorf("%s: tracectl %s: no such command: %v", filepath.Base(document), strings.Join(args, " "), err)
			}
			if got := tracectl(t, append(args, "--help")...); got.Code != 0 {
				t.Errorf("%s: tracectl %s: %s", filepath.Base(document), strings.Join(args, " "), got.Stderr)
			}
		}
	}
	if commands < 40 {
		t.Errorf("only %d commands were found", commands)
	}
}
