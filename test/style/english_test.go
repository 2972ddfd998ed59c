// SPDX-License-Identifier: Apache-2.0

package style

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// pattern is one that no text has, and what to write instead. Each match contains the word: to search a line for it
// is a hundred times cheaper than to match a regular expression.
type pattern struct {
	word    string
	match   *regexp.Regexp
	instead string
}

var patterns = []pattern{
	{"ever", regexp.MustCompile(`\b[Ww]hom?ever\b`), `name who it is: "the user", "the program", "the container"`},
	{"here ", regexp.MustCompile(`\b[Ww]here (it|its|they|there|a|an|the|no|not|that|nobody|somebody|nothing|one|none|all|any|both|this|these|those|he|what|who)\b`),
		`a condition is "if" or "when"`},
	{"as good as", regexp.MustCompile(`\bas good as\b`), `say what it is`},
	{"the latter", regexp.MustCompile(`\bthe latter\b`), `name it again`},
	{"the former", regexp.MustCompile(`\bthe former\b`), `name it again`},
	{" who", regexp.MustCompile(`\b(of|for|to|by|from|with) who\b`),
		`name who it is: "the user", "the program", "the container"`},
	{"egin", regexp.MustCompile(`\b([Bb]egin of|(the|their|its) begin)\b`), `"start"`},
	{"new", regexp.MustCompile(`\b[Aa]new\b`), `"again"`},
	{" no ", regexp.MustCompile(`\b(is|are|was|were) no [a-z]+`), `"is not a"`},
	{"1 ", regexp.MustCompile(`\b1 (execs|containers|recordings|records|runs|lines|files|nodes|labels|calls|programs)\b`),
		`one is singular: "1 container"`},
}

// right is what patterns would match, but is right.
var right = regexp.MustCompile(`\b[Tt]here (is|are|was|were) no\b|\b(is|are|was|were) no (longer|more|less|later|narrower|different|better|worse)\b`)

// places are those where "where" asks for a place.
var places = regexp.MustCompile(`\b(says?|said|tells?|told|knows?|known|finds?|found|sees?|shows?|shown|asks?|asked|from|is|are|lies|place|directory|path|out|decides?|to) [Ww]here\b`)

// subject begins a comment whose subject is nobody in particular.
var subject = regexp.MustCompile(`^(//|/\*)\s*(Who|[Ww]hat)\b`)

// look finds patterns in a text whose first line has a number.
func look(text string, line int) (hits []hit) {
	for n, l := range strings.Split(text, "\n") {
		for _, p := range patterns {
			if !strings.Contains(l, p.word) {
				continue
			}
			plain := right.ReplaceAllString(places.ReplaceAllString(l, "$1"), "")
			for _, found := range p.match.FindAllString(plain, -1) {
				hits = append(hits, hit{line + n, found, p.instead})
			}
		}
	}
	return hits
}

// lookGo finds patterns in the comments and strings of a Go file.
func lookGo(path string) (hits []hit, err error) {
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, path, nil, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil || ast.IsGenerated(file) {
		return nil, err
	}
	for _, group := range file.Comments {
		at := files.Position(group.Pos()).Line
		if begin := subject.FindString(group.List[0].Text); begin != "" {
			hits = append(hits, hit{at, begin, "say what it is or does: the subject is the program, the user or the container"})
		}
		for _, c := range group.List {
			hits = append(hits, look(c.Text, files.Position(c.Pos()).Line)...)
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		if literal, ok := n.(*ast.BasicLit); ok && literal.Kind == token.STRING {
			hits = append(hits, look(literal.Value, files.Position(literal.Pos()).Line)...)
		}
		return true
	})
	return hits, nil
}

// read finds the patterns of a file that people read; nothing in others.
func read(path string) ([]hit, error) {
	switch filepath.Ext(path) {
	case ".go":
		if filepath.Base(path) == "english_test.go" {
			return nil, nil // this file
		}
		return lookGo(path)
	case ".md", ".c", ".h", ".sh", ".txtar", ".toml", ".service", ".yaml":
	default:
		if filepath.Base(path) != "Makefile" {
			return nil, nil
		}
	}
	text, err := os.ReadFile(path)
	return look(string(text), 1), err
}

func TestEnglish(t *testing.T) {
	check(t, read)
}

func TestLook(t *testing.T) {
	var got []string
	for _, h := range look(`Where it is not there, it is made. This is where the file lies. It says where the file is.
Whoever reads, reads what is as good as none.
If the latter fails, the former stays, no longer than for who asks.
There is no begin of it. It is no longer made anew, and is no regular file: left out 1 execs, 1 status, 1 exec.`, 1) {
		got = append(got, fmt.Sprint(h.line, " ", h.text))
	}
	want := []string{"1 Where it", "2 Whoever", "2 as good as", "3 the latter", "3 the former", "3 for who",
		"4 begin of", "4 anew", "4 is no regular", "4 1 execs"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
