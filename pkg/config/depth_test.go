// SPDX-License-Identifier: Apache-2.0

package config

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestTooDeep has texts that take the parser from a tenth of a second to a minute, and similar ones that do not.
func TestTooDeep(t *testing.T) {
	const n = 60 << 10
	deep := map[string]string{
		"lists":                "labels = " + strings.Repeat("[", n),
		"lists that end":       "[labels]\njson = " + strings.Repeat("[", n/2) + strings.Repeat("]", n/2),
		"lists over lines":     "x = " + strings.Repeat("[ # ]\n", n/6),
		"tables in braces":     "x = " + strings.Repeat("{a=", n/3),
		"lists in braces":      "x = " + strings.Repeat("{a=[", n/4),
		"a dotted key":         "a" + strings.Repeat(".a", n/2) + " = 1",
		"a dotted key, quoted": `"a"` + strings.Repeat(` . 'a#"'`, n/8) + " = 1",
		"dotted keys":          strings.Repeat("a."+strings.Repeat("a.", 200)+"b=1\n", 100),
		"a table":              "[a" + strings.Repeat(".a", n/2) + "]",
		"a list of tables":     "[[a" + strings.Repeat(".a", n/2) + "]]",
		"behind a string":      "x = \"\"\"a\\\"\"\"\"\nlabels = " + strings.Repeat("[", n),
		"behind a long string": "x = '''a\"\n'''''\nlabels = " + strings.Repeat("[", n),
		"behind an escape":     "x = \"\\\\\"\nlabels = " + strings.Repeat("[", n),
	}
	for name, text := range deep {
		if _, err := Parse(text); err == nil ||
			!strings.Contains(err.Error(), "more than 8 levels of lists, tables or keys") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, text := range map[string]string{
		"keys":             strings.Repeat("k = 1\n", n/6),
		"tables":           strings.Repeat("[t]\n", n/4),
		"tables of a list": strings.Repeat("[[t]]\n", n/6),
		"empty lists":      "x = [" + strings.Repeat("[],", n/3),
		"keys in braces":   "x = {" + strings.Repeat("k=1,", n/4),
	} {
		if _, err := Parse(text); err == nil || !strings.Contains(err.Error(), "more than 512 keys, lists and tables") {
			t.Errorf("many %s: %v", name, err)
		}
	}
	for name, text := range map[string]string{
		"in a comment":       "log = \"\" # " + strings.Repeat("[.", n/2),
		"in strings":         "log = \"/" + strings.Repeat("[.{\\\"", 1000) + "\"\n",
		"in a literal":       "log = '/" + strings.Repeat("[.{\\", 1000) + "'\n",
		"in a long string":   "log = \"\"\"/" + strings.Repeat("[.{\\\"\"", 1000) + "\"\"\"\n",
		"many annotations":   "[labels]\nannotations = [" + strings.Repeat("\"a.b.c.d.e.f.g.h.i.j\",\n", 1000) + "]",
		"many lists, tables": "[labels]\njson = [\n]\nprefixes = [\n]\n[pool]\nrings = 1\n[runtimes]\n",
	} {
		if _, err := Parse(text); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestLoadOfWhatever reads files of every kind: none may make the reader wait.
func TestLoadOfWhatever(t *testing.T) {
	dir := t.TempDir()
	huge, fifo, loop, plain := filepath.Join(dir, "huge"), filepath.Join(dir, "fifo"), filepath.Join(dir, "loop"),
		filepath.Join(dir, "plain")
	for _, err := range []error{
		os.WriteFile(huge, nil, 0o600), os.Truncate(huge, 200<<20), syscall.Mkfifo(fifo, 0o600), os.Symlink(loop, loop),
		os.WriteFile(plain, []byte("log = \"/l\"\n"), 0o600),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for path, want := range map[string]string{
		huge:                          "has 209715200 bytes, more than 65536",
		fifo:                          "is not a regular file",
		loop:                          "too many levels",
		dir:                           "is not a regular file",
		"/dev/zero":                   "is not a regular file",
		filepath.Join(dir, "nothing"): "no such file",
		plain:                         "",
	} {
		c, err := Load(path)
		if (want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", path, err)
		}
		if c.LogLevel != "warn" || (c.Log == "/l") != (path == plain) {
			t.Errorf("%s: %+v", path, c)
		}
	}
}
