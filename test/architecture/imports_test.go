// SPDX-License-Identifier: Apache-2.0

// Package architecture holds docs/architecture.md to the code.
package architecture

import (
	"cmp"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the imports into docs/architecture.md")

const (
	module   = "github.com/runc-trace/runc-trace/"
	document = "../../docs/architecture.md"
	// The list is the indented text between these lines.
	before = "A package imports only packages below it in this list:\n\n"
	after  = "\n\nTests keep two walls."
)

// TestImports compares the list of imports in docs/architecture.md with those of the code: `go test ./test/architecture
// -update` writes them.
func TestImports(t *testing.T) {
	text, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, _ := strings.Cut(string(text), before)
	got, tail, ok := strings.Cut(rest, after)
	if !ok {
		t.Fatalf("%s has no list between %q and %q", document, before, after)
	}
	want := list(t)
	if *update {
		if err := os.WriteFile(document, []byte(head+before+want+after+tail), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-code +document):\n%s", document, diff)
	}
}

// list returns a line for each package: its own imports of the project, those that everything else is built on last.
func list(t *testing.T) string {
	command := exec.Command("go", "list", "-f", `{{.ImportPath}} {{join .Imports " "}}`, "./cmd/...", "./pkg/...")
	command.Dir, command.Env = "../..", append(os.Environ(), "GOOS=linux", "CGO_ENABLED=0")
	output, err := command.Output()
	if err != nil {
		t.Fatalf("listing imports: %v", err)
	}
	imports := map[string][]string{}
	for line := range strings.Lines(string(output)) {
		fields := strings.Fields(line)
		name := short(fields[0])
		if strings.HasSuffix(name, "test") || name == "bpf/genabi" {
			continue
		}
		imports[name] = nil
		for _, other := range fields[1:] {
			if strings.HasPrefix(other, module+"pkg/") {
				imports[name] = append(imports[name], short(other))
			}
		}
	}
	var depth func(name string) int
	depth = func(name string) int {
		deepest := 0
		for _, other := range imports[name] {
			deepest = max(deepest, 1+depth(other))
		}
		return deepest
	}
	names := slices.SortedFunc(maps.Keys(imports), func(a, b string) int {
		return cmp.Or(cmp.Compare(depth(b), depth(a)), cmp.Compare(a, b))
	})
	var lines []string
	for _, name := range names {
		line := fmt.Sprintf("    %-16s", name)
		for n, other := range imports[name] {
			if n%8 == 0 && n > 0 {
				lines = append(lines, line)
				line = strings.Repeat(" ", 20)
			}
			line += " " + other
		}
		lines = append(lines, strings.TrimRight(line, " "))
	}
	return strings.Join(lines, "\n")
}

func short(name string) string { return strings.TrimPrefix(strings.TrimPrefix(name, module), "pkg/") }
