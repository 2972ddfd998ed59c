// SPDX-License-Identifier: Apache-2.0

// Package style checks what other linters do not: it finds the worst patterns of translated English, and long lines.
package style

import (
	"io/fs"
	"path/filepath"
	"slices"
	"testing"
)

// hit is an unwanted text in a line, counted from 1.
type hit struct {
	line    int
	text    string
	instead string
}

// check fails for each hit in the files of the tree. look finds the hits of a file.
func check(t *testing.T, look func(path string) ([]hit, error)) {
	t.Helper()
	root := filepath.Join("..", "..")
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		name, _ := filepath.Rel(root, path)
		switch {
		case err != nil:
			return err
		case entry.IsDir() && slices.Contains([]string{".git", "bin", "dist", "node_modules", "testdata"}, entry.Name()):
			return filepath.SkipDir
		case entry.IsDir(), name == "CHANGELOG.md":
			return nil // the notes of released versions stay as they are
		}
		hits, err := look(path)
		for _, h := range hits {
			t.Errorf("%s:%d: %q: %s", name, h.line, h.text, h.instead)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
