// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSplitter(t *testing.T) {
	const in = "one\n\ntwelve bytes\nthis is thirteen bytes and more\nexactly 12 b\nmuch too long, and no end"
	want := []string{"one", "", "twelve bytes", "exactly 12 b"}
	for size := 1; size <= len(in); size++ {
		var got []string
		s := splitter{longest: 12, handle: func(line []byte) error {
			got = append(got, string(line))
			return nil
		}}
		for rest := in; rest != ""; {
			n := min(size, len(rest))
			if _, err := s.Write([]byte(rest[:n])); err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
		}
		if err := s.end(); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" || s.tooLong != 2 {
			t.Errorf("in pieces of %d bytes: %d lines left out (-want +got):\n%s", size, s.tooLong, diff)
		}
	}
}

func TestSplitterBoundsMemory(t *testing.T) {
	s := splitter{longest: longestLine, handle: func([]byte) error { return errors.New("no line is expected") }}
	piece := []byte(strings.Repeat("x", 1<<16))
	for range 1 << 8 {
		if _, err := s.Write(piece); err != nil {
			t.Fatal(err)
		}
		if cap(s.part) > 2*longestLine {
			t.Fatalf("%d bytes are kept of a line without an end", cap(s.part))
		}
	}
	if s.tooLong != 1 {
		t.Errorf("%d lines were left out", s.tooLong)
	}
}

func TestSplitterLastLine(t *testing.T) {
	var got []string
	s := splitter{longest: 10, handle: func(line []byte) error { got = append(got, string(line)); return nil }}
	s.Write([]byte("a\nb"))
	s.end()
	if diff := cmp.Diff([]string{"a", "b"}, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
