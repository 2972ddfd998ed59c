// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/status"
)

// reasons are the reasons of one member of the output of status.
type reasons struct {
	name, text string
	reasons    []abi.Reason
}

func droppedReasons() []reasons {
	return []reasons{
		{"dropped", "Counted since the programs were loaded.", abi.Reasons[:]},
		{"unregistered", "Counted since boot.", status.Unregistered[:]},
	}
}

// TestReasonsAreDocumented compares the reasons in docs/output.md with those that the programs count.
func TestReasonsAreDocumented(t *testing.T) {
	const path = "../../docs/output.md"
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var table strings.Builder
	for _, part := range droppedReasons() {
		fmt.Fprintf(&table, "\n`%s`: %s%s\n\n| name | meaning | remedy |\n|---|---|---|\n", part.name,
			strings.ToLower(part.text[:1]), part.text[1:])
		for _, r := range part.reasons {
			fmt.Fprintf(&table, "| `%s` | %s | %s |\n", r.Name, r.Text, r.Remedy)
		}
	}
	const begin, end = "<!-- make generate writes these tables -->\n", "\n<!-- end -->\n"
	before, rest, found := strings.Cut(string(page), begin)
	got, after, ended := strings.Cut(rest, end)
	if !found || !ended {
		t.Fatalf("%s has no place for the tables of reasons", path)
	}
	if *updateMan {
		err := os.WriteFile(path, []byte(before+begin+table.String()+end+after), 0o644)
		if err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(table.String(), got); diff != "" {
		t.Errorf("%s has other reasons: make generate writes them (-want +got):\n%s", path, diff)
	}
}

// TestOutputIsDocumented looks up every name of the JSON output in docs/output.md.
func TestOutputIsDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/output.md")
	if err != nil {
		t.Fatal(err)
	}
	names := 0
	for _, dir := range []string{
		".", "../../pkg/answers", "../../pkg/execlog", "../../pkg/straceback", "../../pkg/syscalls",
	} {
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(parsed, func(n ast.Node) bool {
				field, ok := n.(*ast.Field)
				if !ok || field.Tag == nil {
					return true
				}
				tag, _ := reflect.StructTag(strings.Trim(field.Tag.Value, "`")).Lookup("json")
				if name, _, _ := strings.Cut(tag, ","); name != "" {
					names++
					if !strings.Contains(string(page), "`"+name+"`") {
						t.Errorf("%s: %q is not in docs/output.md", file, name)
					}
				}
				return true
			})
		}
	}
	if names < 50 {
		t.Errorf("only %d names were found: this test looks in the wrong place", names)
	}
}
