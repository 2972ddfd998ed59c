// SPDX-License-Identifier: Apache-2.0

package kubernetes

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestFollowFromTheHeader checks that a reader that has seen the header sees every later exec, although connecting
// takes time.
func TestFollowFromTheHeader(t *testing.T) {
	c := use(t)
	c.deploy()
	namespace := c.namespace("header")
	for _, n := range c.nodes {
		c.applyText(fmt.Sprintf(counting, n.name, namespace, "counts: quickly", n.name, "Never",
			"n=0; while :; do n=$((n+1)); /bin/true $n; /bin/usleep 10000; done"))
	}
	for _, n := range c.nodes {
		c.await(namespace, "pod/"+n.name, "condition=Ready")
	}
	f := c.follow("--label=counts=quickly")
	begin := time.Now()
	var want map[*node][]string
	c.eventually("each node has executed 20 programs", func() (string, bool) {
		want = map[*node][]string{}
		for _, e := range c.execs("--namespace=" + namespace) {
			if e.Time.After(begin) {
				n := c.node(e.Node)
				want[n] = append(want[n], e.asText())
			}
		}
		enough := true
		for _, n := range c.nodes {
			enough = enough && len(want[n]) >= 20
		}
		return fmt.Sprintf("they have executed %v", want), enough
	})
	// Later execs are printed after all of these.
	for _, n := range c.nodes {
		f.await(n, len(f.lines(n))+max(20, len(want[n])))
	}
	f.stop()
	for _, n := range c.nodes {
		wanted := map[string]bool{}
		for _, line := range want[n] {
			wanted[line] = true
		}
		var got []string
		for _, line := range f.lines(n) {
			if wanted[line] {
				got = append(got, line)
			}
		}
		if diff := cmp.Diff(want[n], got); diff != "" {
			t.Errorf("execs on %s after the header (-want +got):\n%s", n.name, diff)
		}
	}
}

// TestConnectionsEnd ends and kills followers: nothing of theirs keeps running on the nodes.
func TestConnectionsEnd(t *testing.T) {
	c := use(t)
	c.deploy()
	followed := func(n *node) string {
		return n.run("pgrep", "--full", "--list-full", "tracectl exec .*--until-eof").Stdout
	}
	for what, end := range map[string]func(*follower){
		"ended": func(f *follower) { // whose exit code says if a node has not answered yet
			if _, err := f.process.Stop(); err != nil {
				t.Fatal(err)
			}
			f.stopped = true
		},
		"killed": func(f *follower) {
			if err := f.process.Signal(syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			f.stopped = true
		},
	} {
		f := c.follow("--label=connection=" + what)
		for _, n := range c.nodes {
			c.eventually(n.name+" is followed", func() (string, bool) { return "", followed(n) != "" })
		}
		end(f)
		for _, n := range c.nodes {
			c.eventually("after a follower was "+what+", nothing is left of it on "+n.name, func() (string, bool) {
				left := followed(n)
				return left, left == ""
			})
		}
	}
}
