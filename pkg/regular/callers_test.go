// SPDX-License-Identifier: Apache-2.0

//go:build linux

package regular

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestCallers checks that no other package reads whole files: os.ReadFile waits for a FIFO, and reads /dev/zero
// without end.
func TestCallers(t *testing.T) {
	read := 0
	for _, root := range []string{"../../cmd", ".."} {
		err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
			name := entry.Name()
			if err != nil || filepath.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go") ||
				strings.HasPrefix(name, "gen_") ||
				strings.HasSuffix(filepath.Dir(path), "test") || strings.HasSuffix(filepath.Dir(path), "genabi") {
				return err
			}
			read++
			text, err := os.ReadFile(path)
			if strings.Contains(string(text), "os.ReadFile(") {
				t.Errorf("%s calls os.ReadFile: call regular.Read", path)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if read < 100 {
		t.Errorf("%d files were looked at", read)
	}
}
