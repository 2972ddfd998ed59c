// SPDX-License-Identifier: Apache-2.0

package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// TestOutputIsDocumented looks up every name of the JSON output in docs/output.md.
func TestOutputIsDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/output.md")
	if err != nil {
		t.Fatal(err)
	}
	names := 0
	for _, dir := range []string{".", "../../pkg/execlog", "../../pkg/straceback", "../../pkg/syscalls"} {
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
