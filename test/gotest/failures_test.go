// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFailures(t *testing.T) {
	said := func(test, text string) (events []event) {
		for line := range strings.Lines(text) {
			events = append(events, event{Action: "output", Package: module + "p", Test: test, Output: line})
		}
		return events
	}
	ended := func(action, test string) []event { return []event{{Action: action, Package: module + "p", Test: test}} }
	lines := func(count int) string { return strings.Repeat("        line\n", count) }
	var many, shown strings.Builder
	for i := range 20 {
		fmt.Fprintf(&many, "    a_test.go:%d: message\n", i)
		if i < firstMessages || i >= 20-lastMessages {
			fmt.Fprintf(&shown, "    a_test.go:%d: message\n", i)
		} else if i == firstMessages {
			shown.WriteString("    [8 messages]\n")
		}
	}
	for name, c := range map[string]struct {
		events [][]event
		want   string
	}{
		"passed": {[][]event{said("TestA", "    a_test.go:1: note\n"), ended("pass", "TestA"), ended("pass", "")}, ""},
		"the log of an engine after the message": {
			[][]event{
				said("TestA", "=== RUN   TestA\nnot of package testing\n    a_test.go:1: wrong:\n          -a\n          +b\n"),
				said("TestA", "    a_test.go:2: the last that containerd said:\n"+lines(30)+"--- FAIL: TestA (1.00s)\n"),
				ended("fail", "TestA"), said("", "FAIL\n"), ended("fail", ""),
			},
			"p TestA\n    a_test.go:1: wrong:\n          -a\n          +b\n" +
				"    a_test.go:2: the last that containerd said:\n" + lines(messageLines-1) + "        [16 lines]\n",
		},
		"many": {
			[][]event{said("TestA", many.String()), ended("fail", "TestA"), ended("fail", "")},
			"p TestA\n" + shown.String(),
		},
		"without a message": {
			[][]event{said("TestA", "--- FAIL: TestA (0.00s)\n"), ended("fail", "TestA"), ended("fail", "")},
			"p TestA\n",
		},
		"by a part alone": {
			[][]event{
				said("TestA/good", "    a_test.go:1: note\n"), ended("pass", "TestA/good"),
				said("TestA/bad", "    a_test.go:2: wrong\n"), ended("fail", "TestA/bad"),
				ended("fail", "TestA"), ended("fail", ""),
			},
			"p TestA/bad\n    a_test.go:2: wrong\n",
		},
		"a crash": {
			[][]event{
				said("TestA", "    a_test.go:1: note\npanic: odd\n\ngoroutine 1:\n"),
				said("", "FAIL\tp\t1s\n"), ended("fail", ""),
			},
			"p TestA\n    a_test.go:1: note\npanic: odd\n\ngoroutine 1:\n",
		},
		"before any test": {[][]event{said("", "no root\nFAIL\tp\t1s\n"), ended("fail", "")}, "p\nno root\nFAIL\tp\t1s\n"},
		"not built": {
			[][]event{
				{{Action: "build-output", ImportPath: "q", Output: "q.go:1: not Go\n"}, {Action: "build-fail", ImportPath: "q"}},
				said("", "FAIL\tp [build failed]\n"), {{Action: "fail", Package: module + "p", FailedBuild: "q"}},
			},
			"p\nq.go:1: not Go\nFAIL\tp [build failed]\n",
		},
	} {
		var text strings.Builder
		for _, events := range c.events {
			for _, e := range events {
				if err := json.NewEncoder(&text).Encode(e); err != nil {
					t.Fatal(err)
				}
			}
		}
		r := newReport(io.Discard)
		if err := r.read(strings.NewReader(text.String())); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c.want, r.failed.text()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
