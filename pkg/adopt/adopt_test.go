// SPDX-License-Identifier: Apache-2.0

package adopt

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
)

// TestOrder checks that a sandbox comes before its containers, and a cgroup before its descendants.
func TestOrder(t *testing.T) {
	var candidates []candidate
	for _, c := range []struct {
		cgroup string
		flags  uint32
	}{
		{"/pods/a/app/nested", abi.WhoRecord}, {"/pods/a/app", abi.WhoRecord | abi.WhoLabelsTruncated},
		{"/pods/b/pause", abi.WhoSandbox},
		{"/a", abi.WhoRecord}, {"/pods/a/pause", abi.WhoSandbox | abi.WhoRecord},
	} {
		candidates = append(candidates, candidate{container{cgroup: c.cgroup}, abi.Who{Flags: c.flags}})
	}
	slices.SortStableFunc(candidates, candidate.compare)
	var got []string
	for _, c := range candidates {
		got = append(got, c.cgroup)
	}
	if diff := cmp.Diff([]string{"/pods/a/pause", "/pods/b/pause", "/a", "/pods/a/app", "/pods/a/app/nested"},
		got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestSummary(t *testing.T) {
	var problems []error
	for n := range problemsMax + 3 {
		problems = append(problems, fmt.Errorf("problem %d", n))
	}
	for _, test := range []struct {
		problems []error
		want     string
	}{
		{nil, "<nil>"},
		{problems[:2], "problem 0\nproblem 1"},
		{problems, "problem 0\nproblem 1\nproblem 2\nproblem 3\nproblem 4\nproblem 5\nproblem 6\nproblem 7\nand 3 more"},
	} {
		if got := fmt.Sprint(summary(test.problems)); got != test.want {
			t.Errorf("%d problems: %q, want %q", len(test.problems), got, test.want)
		}
	}
	first := errors.New("first")
	if !errors.Is(summary([]error{first}), first) {
		t.Error("a problem is not found in the summary")
	}
}
