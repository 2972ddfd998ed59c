// SPDX-License-Identifier: Apache-2.0

package shim_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// TestLinksToTheShim checks that a link named runc-trace-NAME runs the runtime NAME.
func TestLinksToTheShim(t *testing.T) {
	directory := t.TempDir()
	fake := fakeRuntime(t) // its exit status is 42
	named := "runc-trace-" + filepath.Base(fake)
	for _, name := range []string{"runc-trace", "runc", named, "runc-trace-"} {
		if err := os.Symlink(shimPath, filepath.Join(directory, name)); err != nil {
			t.Fatal(err)
		}
	}
	const main = `runtime = "/bin/false"`
	table := fmt.Sprintf("[runtimes]\n%s = %q", filepath.Base(fake), fake)
	inPath := "PATH=" + filepath.Dir(fake)
	for _, test := range []struct {
		name, link  string
		environment []string
		want        string
	}{
		{"its own name", "runc-trace", []string{settings(t, main, table)}, "exit status 1"},
		{"runc's name", "runc", []string{settings(t, main, table)}, "exit status 1"},
		{"no name behind it", "runc-trace-", []string{settings(t, main, table)}, "exit status 1"},
		{"a name of the table", named, []string{settings(t, main, table)}, "exit status 42"},
		{"behind other tables", named, []string{settings(t, main, "[pool]\nrings = 8", table)}, "exit status 42"},
		{"before what is no TOML", named, []string{settings(t, main, table, "[pool]\nwhatever")}, "exit status 42"},
		{"no table: a name to search for", named, []string{settings(t, main), inPath}, "exit status 42"},
		{"no TOML: a name to search for", named, []string{settings(t, "whatever"), inPath}, "exit status 42"},
	} {
		r := runner{path: filepath.Join(directory, test.link), environment: test.environment}
		if got := r.run(t, "state", "x"); got != (outcome{Status: test.want}) {
			t.Errorf("%s: %+v, want %s", test.name, got, test.want)
		}
	}
}
