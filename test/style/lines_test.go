// SPDX-License-Identifier: Apache-2.0

package style

import (
	"fmt"
	"go/scanner"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// longest is the largest allowed number of characters in a line.
const longest = 120

var (
	// generated is the line that `go help generate` asks for.
	generated = regexp.MustCompile(`(?m)^// Code generated .* DO NOT EDIT\.$`)
	directive = regexp.MustCompile(`^\s*//[a-z]+:[a-z]`)
	url       = regexp.MustCompile(`https?://\S+`)
)

func TestLines(t *testing.T) {
	check(t, func(path string) ([]hit, error) {
		switch filepath.Ext(path) {
		case ".go", ".c", ".h":
		default:
			return nil, nil
		}
		text, err := os.ReadFile(path)
		if err != nil || generated.Match(text) {
			return nil, err
		}
		return longLines(text), nil
	})
}

// longLines finds the long lines of a Go or C file. A line that cannot be broken well may be longer: a compiler's
// directive, a line of a raw string, and one with a string literal or an address without which at most half a line
// is left.
func longLines(text []byte) (hits []hit) {
	var literals map[int]int // made for the first long line
	for i, line := range strings.Split(string(text), "\n") {
		length := utf8.RuneCountInString(line)
		if length <= longest {
			continue
		}
		if literals == nil {
			literals = longestLiterals(text)
		}
		whole := literals[i+1]
		for _, address := range url.FindAllString(line, -1) {
			whole = max(whole, utf8.RuneCountInString(address))
		}
		if length-whole > longest/2 && !directive.MatchString(line) {
			hits = append(hits, hit{i + 1, fmt.Sprintf("%.40s...", strings.TrimSpace(line)),
				fmt.Sprintf("%d characters, more than %d", length, longest)})
		}
	}
	return hits
}

// longestLiterals returns the length of the longest string literal of each line, in characters.
func longestLiterals(text []byte) map[int]int {
	files := token.NewFileSet()
	file := files.AddFile("", files.Base(), len(text))
	var s scanner.Scanner
	s.Init(file, text, func(token.Position, string) {}, 0)
	lengths := map[int]int{}
	for {
		at, kind, literal := s.Scan()
		if kind == token.EOF {
			return lengths
		}
		if kind == token.STRING {
			for i, part := range strings.Split(literal, "\n") {
				line := file.Line(at) + i
				lengths[line] = max(lengths[line], utf8.RuneCountInString(part))
			}
		}
	}
}

func TestLongLines(t *testing.T) {
	word := strings.Repeat("x", 60)
	text := "package p\n" +
		"// " + word + " " + word + "\n" +
		"// https://example.com/" + word + word + "\n" +
		"//go:generate " + word + word + "\n" +
		"var a = `" + word + "\n" + word + word + word + "`\n" +
		"var b = f(\"" + word + word + "\")\n" +
		"var c = f(\"" + word + "\", \"" + word + "\")\n" +
		"var d = f(" + word + ", \"" + word + "\")\n"
	var got []int
	for _, h := range longLines([]byte(text)) {
		got = append(got, h.line)
	}
	if diff := cmp.Diff([]int{2, 8, 9}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
