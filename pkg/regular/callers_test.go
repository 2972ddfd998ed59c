// SPDX-License-Identifier: Apache-2.0

//go:build linux

package regular

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// wholes lists, by import path, the functions that read a whole file: they wait for a FIFO, or read /dev/zero without
// end. io.ReadAll may read an io.LimitReader.
var wholes = map[string][]string{
	"os": {"ReadFile", "DirFS"}, "io/fs": {"ReadFile"}, "io/ioutil": {"ReadFile", "ReadAll"}, "io": {"ReadAll"},
}

// TestCallers checks that no other package reads whole files of others, under whatever name it imports the functions.
func TestCallers(t *testing.T) {
	files := token.NewFileSet()
	read := 0
	for _, root := range []string{"../../cmd", ".."} {
		err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
			name, dir := entry.Name(), filepath.Dir(path)
			if err != nil || filepath.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go") ||
				strings.HasPrefix(name, "gen_") || strings.HasSuffix(dir, "test") || strings.HasPrefix(filepath.Base(dir), "gen") {
				return err
			}
			read++
			file, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			for _, use := range usesOf(file) {
				if path == "../bpf/unfinished.go" && use.name == "io.ReadAll" {
					continue // an iterator of the kernel, below the pin directory
				}
				t.Errorf("%v uses %s: call regular.Read, or limit it", files.Position(use.at), use.name)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if read < 100 {
		t.Errorf("%d files were looked at", read)
	}
}

// TestUses checks that TestCallers finds each way to use the functions, and nothing else.
func TestUses(t *testing.T) {
	for _, test := range []struct{ imports, body, want string }{
		{`"os"`, `os.ReadFile("x")`, "os.ReadFile"},
		{`o "os"`, `o.ReadFile("x")`, "os.ReadFile"},
		{`. "os"`, `ReadFile("x")`, `. "os"`},
		{`"os"`, `read := os.ReadFile; read("x")`, "os.ReadFile"},
		{`"os"; "io"`, `f, _ := os.Open("x"); io.ReadAll(f)`, "io.ReadAll"},
		{`"io"`, `read := io.ReadAll; read(f)`, "io.ReadAll"},
		{`"io"`, `io.ReadAll(io.LimitReader(f, 9))`, ""},
		{`"io"`, `io.ReadAll(io.LimitReader(g(io.ReadAll), 9))`, "io.ReadAll"},
		{`"io/ioutil"`, `ioutil.ReadFile("x")`, "io/ioutil.ReadFile"},
		{`"io/fs"; "os"`, `fs.ReadFile(os.DirFS("/"), "x")`, "io/fs.ReadFile os.DirFS"},
		{`"os"`, `os.ReadDir("x")`, ""},
		{`"embed"`, `pages.ReadFile("x")`, ""},
		{`"os"`, `x := "os.ReadFile(" // os.ReadFile("x")`, ""},
	} {
		source := fmt.Sprintf("package p\nimport (%s)\nfunc f() {\n%s\n}", test.imports, test.body)
		file, err := parser.ParseFile(token.NewFileSet(), "p.go", source, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, use := range usesOf(file) {
			got = append(got, use.name)
		}
		if strings.Join(got, " ") != test.want {
			t.Errorf("%s: found %q, want %q", test.body, got, test.want)
		}
	}
}

// use is a place that uses one of wholes.
type use struct {
	name string
	at   token.Pos
}

// usesOf returns the uses in a file, in their order.
func usesOf(file *ast.File) []use {
	var found []use
	packages := map[string]string{} // import paths by the name in this file
	for _, i := range file.Imports {
		imported, _ := strconv.Unquote(i.Path.Value)
		if wholes[imported] == nil {
			continue
		}
		name := path.Base(imported)
		if i.Name != nil {
			name = i.Name.Name
		}
		if name == "." {
			found = append(found, use{". " + i.Path.Value, i.Pos()})
		}
		packages[name] = imported
	}
	named := func(n ast.Node) string {
		selector, _ := n.(*ast.SelectorExpr)
		if selector == nil {
			return ""
		}
		of, _ := selector.X.(*ast.Ident)
		if of == nil || packages[of.Name] == "" {
			return ""
		}
		return packages[of.Name] + "." + selector.Sel.Name
	}
	limited := map[ast.Node]bool{}
	ast.Inspect(file, func(n ast.Node) bool {
		if call, is := n.(*ast.CallExpr); is && named(call.Fun) == "io.ReadAll" && len(call.Args) == 1 {
			from, _ := call.Args[0].(*ast.CallExpr)
			limited[call.Fun] = from != nil && named(from.Fun) == "io.LimitReader"
		}
		name := named(n)
		if at := strings.LastIndexByte(name, '.'); at >= 0 && slices.Contains(wholes[name[:at]], name[at+1:]) && !limited[n] {
			found = append(found, use{name, n.Pos()})
		}
		return true
	})
	slices.SortStableFunc(found, func(a, b use) int { return cmp.Compare(a.at, b.at) })
	return found
}
