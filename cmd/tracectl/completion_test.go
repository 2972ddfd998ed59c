// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"

	"github.com/runc-trace/runc-trace/pkg/labels"
)

// TestCompletion completes names and flags with containers. Some of these have names that a terminal or a shell would
// take for more than a word: those are not offered.
func TestCompletion(t *testing.T) {
	const id = "0123456789abcdef0123456789abcdef"
	list := []*labels.Container{
		{ID: "aa" + id, Engine: "containerd", Namespace: "prod", Pod: "web-0", Name: "app",
			Labels: map[string]string{"app": "web", "tier": "front"}},
		{ID: "bb" + id, Engine: "containerd", Namespace: "prod", Pod: "web-0", Name: "proxy",
			Labels: map[string]string{"app": "web"}},
		{ID: "cc" + id, Engine: "docker", Name: "db", Labels: map[string]string{"x": "$(reboot)", "y": "a b", "-z": "z"}},
		{ID: "plain"},
		{ID: "dd" + id, Namespace: "x\ty", Pod: "a\x1b[2J\nb", Name: "c"},
		{ID: "--help", Name: "$(reboot)"},
		{ID: "ee" + id, Name: "-rf", Labels: map[string]string{"\u202e": "a"}},
		{ID: "ff" + id, Name: "`reboot`;"},
	}
	listed := func(*cobra.Command) ([]*labels.Container, error) { return list, nil }
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{""}, "db plain prod/web-0/app prod/web-0/proxy"},
		{[]string{"pr"}, "prod/web-0/app prod/web-0/proxy"},
		{[]string{"web"}, "web-0"},
		{[]string{"aa01"}, "aa0123456789"},
		{[]string{"docker://"}, "docker://cc" + id},
		{[]string{"$"}, ""},
		{[]string{"db", ""}, ""},
		{[]string{"--pod", ""}, "web-0"},
		{[]string{"--namespace", "p"}, "prod"},
		{[]string{"-n", "x"}, ""},
		{[]string{"--container", "p"}, "plain proxy"},
		{[]string{"--container", "cc"}, "cc0123456789"},
		{[]string{"-l", ""}, "app=web tier=front"},
		{[]string{"-l", "app=web,t"}, "app=web,tier=front"},
		{[]string{"-e", "openat"}, "openat openat2"},
		{[]string{"-e", "read,getppi"}, "read,getppid"},
		{[]string{"-e", "trace=getppi"}, "trace=getppid"},
		{[]string{"-e", "!getppi"}, "!getppid"},
		{[]string{"-e", "read,%c"}, "read,%clock read,%creds"},
		{[]string{"--errno", "ENOEN"}, "ENOENT"},
		{[]string{"--errno", "EAGAIN,ENOEN"}, "EAGAIN,ENOENT"},
		{[]string{"--pid", ""}, ""},
		{[]string{"--timestamps="}, "relative none wall utc delta"},
		{[]string{"--color", ""}, "auto always never"},
	} {
		root := &cobra.Command{Use: "tracectl"}
		show := &cobra.Command{Use: "show", Run: func(*cobra.Command, []string) {}}
		addFilter(show)
		addShowFlags(show)
		completeContainers(show, listed)
		root.AddCommand(show)
		var stdout, stderr bytes.Buffer
		runRoot(root, append([]string{"__complete", "show"}, c.args...), strings.NewReader(""), &stdout, &stderr)
		words, directive, _ := strings.Cut(stdout.String(), ":4\n")
		if strings.HasSuffix(words, ":") || directive != "" || strings.ContainsAny(words, "\x1b\t$`") {
			t.Errorf("%q: %q", c.args, stdout.String())
		}
		if diff := cmp.Diff(c.want, strings.Join(strings.Fields(words), " ")); diff != "" {
			t.Errorf("%q (-want +got):\n%s", c.args, diff)
		}
	}
}
