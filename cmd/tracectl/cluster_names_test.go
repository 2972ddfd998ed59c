// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestClusterNames requests containers by name: all nodes are asked for their lists, and only the node that has the
// container is asked for the rest.
func TestClusterNames(t *testing.T) {
	node := func(lines string) replies {
		return func(args string) result {
			switch {
			case strings.Contains(args, "--container=nobody"):
				return result{4, "", "tracectl: no container called \"nobody\"\n"}
			case strings.HasPrefix(args, "tracectl exec"):
				return result{0, `{"time":"2026-01-01T00:00:00Z","log":1,"sequence":3,"comm":"sh"}` + "\n", ""}
			}
			return result{0, lines, ""}
		}
	}
	server, asked := fakeCluster(t, map[string]replies{
		"n1": node(fmt.Sprintf(recordingLine, "web", "aaaa") + fmt.Sprintf(recordingLine, "db", "cccc")),
		"n2": node(fmt.Sprintf(recordingLine, "web", "bbbb")),
		"n3": node(fmt.Sprintf(recordingLine, "db", "dddd")),
	})
	run := func(args ...string) result {
		return tracectl(t, append(append([]string{"cluster"}, args...), "--server", server, "-o=json")...)
	}
	for _, c := range []struct {
		args []string
		ran  string // node and command that ran
	}{
		{[]string{"containers", "containerd://aaaa", "-a"}, "n1: tracectl containers --output=json --all=true -- containerd://aaaa"},
		{[]string{"straceback", "list", "n2_default_web", "-n", "default"},
			"n2: tracectl straceback list --output=json --namespace=default -- n2_default_web"},
		{[]string{"exec", "--no-follow", "db/app", "--failed"}, ""},
		{[]string{"exec", "--no-follow", "n1_default_db_app"}, "n1: tracectl exec --output=json --no-follow=true -- n1_default_db_app"},
	} {
		before := len(asked())
		got := run(c.args...)
		all := asked()
		if c.ran == "" {
			if got.Code != exitNotFound || len(all) != before+3 {
				t.Errorf("%q: %+v", c.args, got)
			}
		} else if got.Code != 0 || got.Stderr != "" || got.Stdout == "" || len(all) != before+4 ||
			!slices.Contains(all, c.ran) {
			t.Errorf("%q: %+v, asked %q", c.args, got, all)
		}
	}
	const candidates = "tracectl: \"default/db\" matches several containers; use one of:\n  n1_default_db\n  n3_default_db\n"
	for _, args := range [][]string{{"containers", "default/db"}, {"exec", "default/db"},
		{"straceback", "list", "default/db"}} {
		if diff := cmp.Diff(result{exitNotFound, "", candidates}, run(args...)); diff != "" {
			t.Errorf("%q (-want +got):\n%s", args, diff)
		}
	}
	want := result{exitNotFound, "", "tracectl: no container called \"nobody\"\n"}
	for _, args := range [][]string{{"containers"}, {"straceback", "list"}, {"exec", "--no-follow"}} {
		if diff := cmp.Diff(want, run(append(args, "--container=nobody")...)); diff != "" {
			t.Errorf("%q (-want +got):\n%s", args, diff)
		}
	}
}
