// SPDX-License-Identifier: Apache-2.0

// Package style keeps out of the tree what other linters do not know: the worst patterns of translated English, and long
// lines. What stood in a file before is allowed there, as lists in testdata count it; the counts only shrink:
// `go test ./test/style -update` after a file got better.
package style

import (
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "lower the counts of what is allowed to what is there")

// hit is something that was found.
type hit struct {
	line    int
	text    string
	instead string
}

// check looks at all files for what is not wanted, and fails for a file that has more of it than the list allows.
func check(t *testing.T, list, unwanted string, look func(path string) ([]hit, error)) {
	t.Helper()
	text, err := os.ReadFile(list)
	if err != nil {
		t.Fatal(err)
	}
	allowed := map[string]int{}
	for line := range strings.Lines(string(text)) {
		var count int
		var path string
		if _, err := fmt.Sscan(line, &count, &path); err != nil {
			t.Fatalf("%s: %q: %v", list, line, err)
		}
		allowed[path] = count
	}
	anew := *update && len(allowed) == 0
	counts := map[string]int{}
	root := filepath.Join("..", "..")
	err = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		name, _ := filepath.Rel(root, path)
		switch {
		case err != nil:
			return err
		case entry.IsDir() && slices.Contains([]string{".git", "bin", "dist", "testdata"}, entry.Name()), name == "test/style":
			return filepath.SkipDir
		case entry.IsDir(), name == "CHANGELOG.md":
			return nil // what was said is said
		}
		hits, err := look(path)
		if err != nil {
			return err
		}
		if len(hits) > 0 {
			counts[name] = len(hits)
		}
		if len(hits) > allowed[name] && !anew {
			t.Errorf("%s has %d %s, %d are allowed. One of these is new:", name, len(hits), unwanted, allowed[name])
			for _, h := range hits {
				t.Logf("%s:%d: %q: %s", name, h.line, h.text, h.instead)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if !*update {
		return
	}
	var out strings.Builder
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		if most := allowed[name]; !anew {
			counts[name] = min(counts[name], most)
		}
		if counts[name] > 0 {
			fmt.Fprintf(&out, "%d %s\n", counts[name], name)
		}
	}
	if err := os.WriteFile(list, []byte(out.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}
