// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParse(t *testing.T) {
	const tap = "1..6\r\n" +
		"ok 1 passes\r\n" +
		"not ok 2 fails in a test # and has a sharp name\n" +
		"# (in test file tests/integration/x.bats, line 12)\n" +
		"#   `[ \"$status\" -eq 0 ]' failed\n" +
		"# (in test file tests/integration/x.bats, line 99)\n" +
		"not ok 3 fails in a helper\n" +
		"# (from function `wait' in file tests/integration/helpers.bash, line 771,\n" +
		"#  in test file tests/integration/x.bats, line 136)\n" +
		"ok 4 is skipped # skip test requires criu\n" +
		"ok 5 is skipped for nothing # skip\n" +
		"not ok 6 fails nowhere\n"
	want := ending{
		"x.bats: passes": "ok",
		"x.bats: fails in a test # and has a sharp name": "failed in line 12",
		"x.bats: fails in a helper":                      "failed in line 136",
		"x.bats: is skipped":                             "skipped test requires criu",
		"x.bats: is skipped for nothing":                 "skipped",
		"x.bats: fails nowhere":                          "failed",
	}
	got, err := parse("x.bats", tap)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := got.count(); got != (counts{passed: 1, failed: 3, skipped: 2}) {
		t.Errorf("%+v", got)
	}
	for _, cut := range []string{"", "1..2\nok 1 passes\n", "ok 1 passes\n", "bash: bats: command not found\n"} {
		if got, err := parse("x.bats", cut); err == nil {
			t.Errorf("%q is taken for %v", cut, got)
		}
	}
}

func TestDifferences(t *testing.T) {
	bare := ending{"a.bats: same": "ok", "a.bats: other": "ok", "b.bats: gone": "ok",
		"b.bats: elsewhere": "failed in line 1"}
	shim := ending{"a.bats: same": "ok", "a.bats: other": "failed in line 2", "b.bats: new": "ok",
		"b.bats: elsewhere": "failed in line 2"}
	want := differenceList{
		{"a.bats: other", "ok", "failed in line 2"},
		{"b.bats: elsewhere", "failed in line 1", "failed in line 2"},
		{"b.bats: gone", "ok", ""},
		{"b.bats: new", "", "ok"},
	}
	got := differences(bare, shim)
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(difference{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"a.bats", "b.bats"}, got.files()); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	if got := differences(bare, bare); got != nil {
		t.Errorf("from itself: %v", got)
	}
}

func TestDisputes(t *testing.T) {
	of := func(ways ...string) []ending {
		var runs []ending
		for _, how := range ways {
			run := ending{}
			if how != "" {
				run["a.bats: test"] = how
			}
			runs = append(runs, run)
		}
		return runs
	}
	for _, test := range []struct {
		name       string
		bare, shim []ending
		want       []dispute
	}{
		{"always the same", of("ok", "ok"), of("ok", "ok"), nil},
		{"fails the same", of("failed", "failed"), of("failed", "failed"), nil},
		{"as unsteady", of("ok", "failed"), of("failed", "ok"),
			[]dispute{{"a.bats: test", `1 times "failed", 1 times "ok"`, `1 times "failed", 1 times "ok"`, false}}},
		{"steadier", of("ok", "failed"), of("ok", "ok"),
			[]dispute{{"a.bats: test", `1 times "failed", 1 times "ok"`, `2 times "ok"`, false}}},
		{"always different", of("ok", "ok"), of("failed", "failed"),
			[]dispute{{"a.bats: test", `2 times "ok"`, `2 times "failed"`, true}}},
		{"once different", of("ok", "ok", "ok"), of("ok", "failed", "ok"),
			[]dispute{{"a.bats: test", `3 times "ok"`, `1 times "failed", 2 times "ok"`, true}}},
		{"seldom different", of("ok", "ok", "ok", "ok"), of("ok", "failed", "ok", "ok"),
			[]dispute{{"a.bats: test", `4 times "ok"`, `1 times "failed", 3 times "ok"`, false}}},
		{"fails elsewhere", of("failed in line 1"), of("failed in line 2"),
			[]dispute{{"a.bats: test", `1 times "failed in line 1"`, `1 times "failed in line 2"`, true}}},
		{"is gone", of("ok", "ok"), of("ok", ""),
			[]dispute{{"a.bats: test", `2 times "ok"`, `1 times "", 1 times "ok"`, true}}},
		{"is new", of(""), of("ok"), []dispute{{"a.bats: test", `1 times ""`, `1 times "ok"`, true}}},
	} {
		if diff := cmp.Diff(test.want, disputes(test.bare, test.shim), cmp.AllowUnexported(dispute{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}
