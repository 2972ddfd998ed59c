// SPDX-License-Identifier: Apache-2.0

package architecture

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
)

// TestRaceDetector compares the packages that `make unit` runs with the race detector with those that start goroutines
// or share memory.
func TestRaceDetector(t *testing.T) {
	makefile, err := os.ReadFile("../../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	line := regexp.MustCompile(`(?m)^CONCURRENT +:= (.*)$`).FindSubmatch(makefile)
	if line == nil {
		t.Fatal("the Makefile has no list CONCURRENT")
	}
	got := strings.Fields(string(line[1]))
	found := map[string]bool{}
	for _, pattern := range []string{"../../cmd/*/*.go", "../../pkg/*/*.go"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %d files, %v", pattern, len(files), err)
		}
		for _, file := range files {
			if !strings.HasSuffix(file, "_test.go") && concurrent(t, file) {
				found["./"+strings.TrimPrefix(filepath.Dir(file), "../../")] = true
			}
		}
	}
	if diff := gocmp.Diff(slices.Sorted(maps.Keys(found)), got); diff != "" {
		t.Errorf("CONCURRENT of the Makefile (-code +Makefile):\n%s", diff)
	}
}

// concurrent reports whether a file starts goroutines or synchronises with some.
func concurrent(t *testing.T, path string) bool {
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	found := slices.ContainsFunc(file.Imports, func(i *ast.ImportSpec) bool {
		return i.Path.Value == `"sync"` || i.Path.Value == `"sync/atomic"`
	})
	ast.Inspect(file, func(n ast.Node) bool {
		_, starts := n.(*ast.GoStmt)
		found = found || starts
		return !found
	})
	return found
}
