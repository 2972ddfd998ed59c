// SPDX-License-Identifier: Apache-2.0

package terminal

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTable(t *testing.T) {
	columns := []Column{
		{Name: "NAMESPACE", Names: true}, {Name: "POD", Names: true}, {Name: "ID"}, {Name: "SPAN", Rank: 1},
		{Name: "LOST", Rank: 2},
		{Name: "ENGINE", Extra: true},
	}
	pods := [][]string{
		{"default", "web-0", "0123", "5s", "0", "docker"},
		{"kube-system", "a\x1b[2Jb", "4567", "", "12345", ""},
	}
	plain := [][]string{{"", "", "0123", "5s", "0", "docker"}, {"", "", "4567", "1m", "1", "docker"}}
	for _, c := range []struct {
		what  string
		table Table
		want  string
	}{
		{"all fits", Table{Rows: pods, Width: 60}, "" +
			"NAMESPACE     POD         ID     SPAN   LOST\n" +
			"default       web-0       0123   5s     0\n" +
			"kube-system   a\\x1b[2Jb   4567   -      12345\n"},
		{"the whole", Table{Rows: pods, Width: 10, Whole: true}, "" +
			"NAMESPACE     POD         ID     SPAN   LOST    ENGINE\n" +
			"default       web-0       0123   5s     0       docker\n" +
			"kube-system   a\\x1b[2Jb   4567   -      12345   -\n"},
		{"narrow", Table{Rows: pods, Width: 44}, "" +
			"NAMESPACE    POD        ID    SPAN  LOST\n" +
			"default      web-0      0123  5s    0\n" +
			"kube-system  a\\x1b[2Jb  4567  -     12345\n"},
		{"a column too many", Table{Rows: pods, Width: 40}, "" +
			"NAMESPACE     POD         ID     SPAN\n" +
			"default       web-0       0123   5s\n" +
			"kube-system   a\\x1b[2Jb   4567   -\n"},
		{"essential columns stay", Table{Rows: pods, Width: 1}, "" +
			"NAMESPACE    POD        ID\n" +
			"default      web-0      0123\n" +
			"kube-system  a\\x1b[2Jb  4567\n"},
		{"empty columns", Table{Rows: plain, Width: 60}, "" +
			"ID     SPAN   LOST\n" +
			"0123   5s     0\n" +
			"4567   1m     1\n"},
		{"the whole, empty columns", Table{Rows: plain, Whole: true}, "" +
			"NAMESPACE   POD   ID     SPAN   LOST   ENGINE\n" +
			"-           -     0123   5s     0      docker\n" +
			"-           -     4567   1m     1      docker\n"},
		{"nothing", Table{Width: 60}, "NAMESPACE   POD   ID   SPAN   LOST\n"},
		{"names are cut",
			Table{Rows: [][]string{{"a-rather-long-namespace", "web-7d9f6c5b4-x2k4q", "0123", "5s", "0", ""}}, Width: 40}, "" +
				"NAMESPACE         POD               ID\n" +
				"a-rathe…amespace  web-7d9…b4-x2k4q  0123\n"},
		{"a long name is cut before a column is dropped", Table{Rows: [][]string{
			{"default", "web-0", "0123", "5s", "0", ""}, {"default", strings.Repeat("x", 60) + "y", "4567", "5s", "0", ""},
		}, Width: 64}, "" +
			"NAMESPACE  POD                                  ID    SPAN  LOST\n" +
			"default    web-0                                0123  5s    0\n" +
			"default    xxxxxxxxxxxxxxxxx…xxxxxxxxxxxxxxxxy  4567  5s    0\n"},
		{"a long name is cut no more than it must", Table{Rows: [][]string{
			{"default", strings.Repeat("x", 50), "0123", "5s", "12345", ""},
		}, Width: 60}, "" +
			"NAMESPACE  POD                                    ID    SPAN\n" +
			"default    xxxxxxxxxxxxxxxxxx…xxxxxxxxxxxxxxxxxx  0123  5s\n"},
		{"the whole, a long name", Table{Rows: [][]string{
			{strings.Repeat("x", 40), "b", "c", "", "", ""},
		}, Width: 10, Whole: true}, "" +
			"NAMESPACE                                  POD   ID   SPAN   LOST   ENGINE\n" +
			strings.Repeat("x", 40) + "   b     c    -      -      -\n"},
		{"wide characters", Table{Rows: [][]string{
			{"名前空間", "ポッド", "0", "1", "2", ""}, {"e\u0301t\u00e9", "a", "3", "4", "5", ""},
		}, Width: 60}, "" +
			"NAMESPACE   POD      ID   SPAN   LOST\n" +
			"名前空間    ポッド   0    1      2\n" +
			"e\u0301t\u00e9         a        3    4      5\n"},
		{"marks and names that look like them", Table{Rows: [][]string{
			{Cell("<sandbox>"), Cell("-"), "", "", "", ""}, {"<sandbox>", Cell(`a "b`), "", "", "", ""},
		}, Width: 60}, "" +
			"NAMESPACE     POD\n" +
			"\"<sandbox>\"   \"-\"\n" +
			"<sandbox>     \"a \\\"b\"\n"},
	} {
		c.table.Columns = columns
		var out bytes.Buffer
		if _, err := c.table.WriteTo(&out); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c.want, out.String()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.what, diff)
		}
	}
}

// TestTableFits checks that a table fits 100 characters with names of any length.
func TestTableFits(t *testing.T) {
	long := strings.Repeat("x", 63)
	table := Table{Columns: []Column{{Name: "A", Names: true}, {Name: "B", Names: true}, {Name: "C", Names: true},
		{Name: "ID"}}, Rows: [][]string{{long, long, long, long[:12]}}}
	var out bytes.Buffer
	table.For(&out)
	if table.Width != 100 {
		t.Errorf("for a buffer: %+v", table)
	}
	if _, err := table.WriteTo(&out); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(out.String()) {
		if n := len([]rune(line)) - 1; n > 100 {
			t.Errorf("line of %d characters: %q", n, line)
		}
	}
}

func TestIs(t *testing.T) {
	if _, ok := Is(&bytes.Buffer{}); ok {
		t.Error("a buffer is a terminal")
	}
	file, err := os.Create(filepath.Join(t.TempDir(), "file"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, ok := Is(file); ok {
		t.Error("a file is a terminal")
	}
	tty, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skip(err)
	}
	defer tty.Close()
	if got, ok := Is(tty); !ok || got != tty {
		t.Error("a pseudo-terminal is none")
	}
	if table := (&Table{}).For(tty); table.Width != 100 {
		t.Errorf("for a terminal without a size: %+v", table)
	}
}
