// SPDX-License-Identifier: Apache-2.0

package style

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"
)

// longest is how many characters a line of Go has at most.
const longest = 120

// generated is the line that `go help generate` asks for.
var generated = regexp.MustCompile(`(?m)^// Code generated .* DO NOT EDIT\.$`)

// TestLines looks at the lengths of lines in Go files.
func TestLines(t *testing.T) {
	check(t, "testdata/lines.txt", fmt.Sprintf("lines of more than %d characters", longest), longLines)
}

func longLines(path string) (hits []hit, err error) {
	if filepath.Ext(path) != ".go" {
		return nil, nil
	}
	text, err := os.ReadFile(path)
	if err != nil || generated.Match(text) {
		return nil, err
	}
	for n, line := range strings.Split(string(text), "\n") {
		if length := utf8.RuneCountInString(line); length > longest {
			hits = append(hits, hit{n + 1, fmt.Sprintf("%.40s...", strings.TrimSpace(line)), fmt.Sprint(length, " characters")})
		}
	}
	return hits, nil
}
