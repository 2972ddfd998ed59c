// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSet(t *testing.T) {
	for _, test := range []struct {
		name string
		text string
		key  key
		want string
	}{
		{"empty", "", key{"a", "b"}, "[a]\n  b = \"new\"\n"},
		{"no table", "# one\nx = 1 # two\n\n[t]\ny = 2\n", key{"z"}, "# one\nx = 1 # two\nz = \"new\"\n\n[t]\ny = 2\n"},
		{"no table, and no value above the first", "[t]\ny = 2\n", key{"z"}, "z = \"new\"\n[t]\ny = 2\n"},
		{"value", "[a]\nb = 'old'  # why\nc = 1\n", key{"a", "b"}, "[a]\nb = \"new\"  # why\nc = 1\n"},
		{"long string", "[a]\nb = \"\"\"\nold\n\"\"\"\nc = 1\n", key{"a", "b"}, "[a]\nb = \"new\"\nc = 1\n"},
		{"another type", "[a]\n  b   = [ 1,\n 2 ] # why\n", key{"a", "b"}, "[a]\n  b = \"new\" # why\n"},
		{"value by a dotted key", "a . 'b' = 1\n", key{"a", "b"}, "a.'b' = \"new\"\n"},
		{"beside dotted keys", "a.x.y = 1\nz = 2\n", key{"a", "x", "b"}, "a.x.y = 1\na.x.b = \"new\"\nz = 2\n"},
		{"table that follows another of the same beginning", "[a.x]\ny = 1\n[a]\nz = 1\n", key{"a", "b"},
			"[a.x]\ny = 1\n[a]\nz = 1\nb = \"new\"\n"},
		{"table without values", "[a]\n[c]\n", key{"a", "b"}, "[a]\n  b = \"new\"\n[c]\n"},
		{"table of which there is only a part below", "[a.x]\ny = 1\n", key{"a", "b"},
			"[a.x]\ny = 1\n\n[a]\n  b = \"new\"\n"},
		{"braces", "[a]\nx = { y = 1 }\n", key{"a", "x", "b"}, "[a]\nx = { y = 1, b = \"new\" }\n"},
		{"empty braces", "[a]\nx = {}\n", key{"a", "x", "b"}, "[a]\nx = { b = \"new\" }\n"},
		{"braces within braces", "a = { x = { y = 1 }, z = {w=2} }\n", key{"a", "z", "b"},
			"a = { x = { y = 1 }, z = {w=2, b = \"new\" } }\n"},
		{"braces without the table", "a = { x = 1 }\n", key{"a", "y", "b"}, "a = { x = 1, y = { b = \"new\" } }\n"},
		{"a comment at the end, without a newline", "[a] # last", key{"a", "b"}, "[a] # last\n  b = \"new\"\n"},
		{"a key like a path", "[a.\"b.c\"]\nx = 1\n", key{"a", "b.c", "b"}, "[a.\"b.c\"]\nx = 1\nb = \"new\"\n"},
		{"tables in a list", "[[l]]\na.b = 1\n[[l]]\n", key{"a", "b"}, "[[l]]\na.b = 1\n[[l]]\n\n[a]\n  b = \"new\"\n"},
		{"a table of one in a list", "[[l]]\n[l.a]\nb = 1\n", key{"a", "b"}, "[[l]]\n[l.a]\nb = 1\n\n[a]\n  b = \"new\"\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			doc, err := parseDocument([]byte(test.text))
			if err != nil {
				t.Fatal(err)
			}
			for range 2 { // the second round changes nothing
				if err := doc.set(test.key, "new"); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(test.want, string(doc.text)); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			}
		})
	}
}

func TestSetRefuses(t *testing.T) {
	for _, test := range []struct{ name, text, want string }{
		{"no table", "a = 1\n", `this table cannot be edited (toml: key a is already defined); write it by hand: [a] b = "new"`},
		{"a list of tables", "[[a]]\nb = 1\n", `this table cannot be edited (toml: table a already exists as an array of tables); write it by hand: [a] b = "new"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			doc, err := parseDocument([]byte(test.text))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, message(doc.set(key{"a", "b"}, "new"))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if string(doc.text) != test.text {
				t.Errorf("the text became %q", doc.text)
			}
		})
	}
}

// FuzzSet checks that an edited text means the same as before plus the new value. Otherwise the edit has to fail.
func FuzzSet(f *testing.F) {
	for _, text := range []string{"", "[a]\nb = 1\n", "a = { x = {} }", "a.b.c = 1\r\n[[l]]\n[l.a]\n",
		"[a.'b']\nc = \"\"\"\n\"\"\" # x\n"} {
		f.Add(text, "a", "b", "c")
	}
	f.Fuzz(func(t *testing.T, text, one, two, three string) {
		doc, err := parseDocument([]byte(text))
		if err != nil {
			return
		}
		want := clone(doc.tree)
		k := key{one, two, three}
		if err := doc.set(k, "new"); err != nil {
			return
		}
		if err := put(want, k, "new"); err != nil {
			t.Fatal(err)
		}
		again, err := parseDocument(doc.text)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(again.tree, want) {
			t.Errorf("%q became %q", text, doc.text)
		}
	})
}
