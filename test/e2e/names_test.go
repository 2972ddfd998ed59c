// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestNames passes each form of a container's name to every verb that takes one. All verbs must find the same
// containers, and report an unknown or ambiguous name in the same way.
func TestNames(t *testing.T) {
	x := load(t)
	const id, other = "4f1c0ffee4f1c0ffee4f1c0ffee4f1c0ffee4f1c0ffee4f1c0ffee4f1c0ffee0", "4f1cbeef000000000000000000000000"
	plain := func(id, pod, container string) {
		b := bundle{id: id, args: []string{"/bin/true", id}}
		if pod != "" {
			b.annotations = within(pod, container)
		}
		if o := x.runContainer(b); o.code != 0 {
			t.Fatalf("%s: %+v", id, o)
		}
	}
	plain(id, "web-0", "app")
	plain(other, "web-0", "proxy")
	plain("lone", "", "")
	plain("other", "lone", "x") // named like the ID of another container

	const several = "matches several containers; use one of:\n  "
	for _, c := range []struct {
		name      string
		one, many string // short IDs for verbs that take one container, and for those that also take a pod; or the error
	}{
		{id, "4f1c0", "4f1c0"},
		{id[:12], "4f1c0", "4f1c0"},
		{"4f1cbe", "4f1cb", "4f1cb"},
		{"containerd://" + id, "4f1c0", "4f1c0"},
		{"containerd://" + id[:12], "4f1c0", "4f1c0"},
		{"default/web-0/app", "4f1c0", "4f1c0"},
		{"app", "4f1c0", "4f1c0"},
		{"default/web-0", several + "default/web-0/app\n  default/web-0/proxy", "4f1c0 4f1cb"},
		{"web-0", several + "default/web-0/app\n  default/web-0/proxy", "4f1c0 4f1cb"},
		{"4f1c", several + "default/web-0/app\n  default/web-0/proxy", several + "default/web-0/app\n  default/web-0/proxy"},
		{"lone", several + "default/lone/x\n  runc://lone", several + "default/lone\n  runc://lone"},
		{"runc://lone", "lone", "lone"},
		{"default/lone", "other", "other"},
		{"docker://" + id, "no ", "no "},
		{"deadbeef0000", "no ", "no "},
		{"nobody", "no ", "no "},
	} {
		for _, verb := range []struct {
			args []string
			want string
		}{
			{[]string{"exec", "--no-follow", "-o=json", "--runtime"}, c.many},
			{[]string{"containers", "-o=json"}, c.many},
			{[]string{"straceback", "list", "-o=json"}, c.many},
			{[]string{"straceback", "list", "--names", "-o=json"}, c.many},
			{[]string{"straceback", "show", "-o=json"}, c.one},
		} {
			args := append(verb.args, c.name)
			o := x.run(tracectlPath, args...)
			if strings.HasPrefix(verb.want, "no ") || strings.HasPrefix(verb.want, several) {
				want := strings.TrimPrefix(verb.want, "no ")
				if o.code != 4 || o.stdout != "" || !strings.HasPrefix(o.stderr, "tracectl: ") ||
					!strings.Contains(o.stderr, fmt.Sprintf("%q", c.name)) ||
					!strings.Contains(o.stderr, want) {
					t.Errorf("%q: %+v, want %q", args, o, verb.want)
				}
				continue
			}
			var got []string
			if verb.args[1] == "show" {
				for _, call := range objects[callJSON](t, o.stdout) {
					if call.Syscall == "execve" && call.Ret != nil && *call.Ret == 0 && call.data("filename") == `/bin/true` {
						got = append(got, verb.want) // these calls have no container; the lists are compared by it
					}
				}
			} else {
				for _, j := range objects[Identity](t, o.stdout) {
					got = append(got, j.ContainerID[:min(5, len(j.ContainerID))])
				}
			}
			slices.Sort(got)
			if diff := cmp.Diff(verb.want, strings.Join(slices.Compact(got), " ")); diff != "" || o.code != 0 || o.stderr != "" {
				t.Errorf("%q: exit code %d, %s(-want +got):\n%s", args, o.code, o.stderr, diff)
			}
		}
	}

	// A flag with an unknown container, pod or namespace is an error. A pattern or a label that matches none is not.
	for _, c := range []struct {
		flags  []string
		code   int
		stderr string
	}{
		{[]string{"--container", id[:12]}, 0, ""},
		{[]string{"--container", "deadbeef0000"}, 4, "tracectl: no container called \"deadbeef0000\"\n"},
		{[]string{"--container", "docker://" + id}, 4, "tracectl: no container called \"docker://" + id + "\"\n"},
		{[]string{"--container", "nobody"}, 4, "tracectl: no container called \"nobody\"\n"},
		{[]string{"--pod", "nobody"}, 4, "tracectl: no container in pod \"nobody\"\n"},
		{[]string{"--pod", "nobody", "-o=json"}, 4, "tracectl: no container in pod \"nobody\"\n"},
		{[]string{"--namespace", "nowhere"}, 4, "tracectl: no container in namespace \"nowhere\"\n"},
		{[]string{"default/web-0", "--namespace", "nowhere"}, 4,
			"tracectl: \"default/web-0\" is known, but does not match --namespace \"nowhere\"\n"},
		{[]string{"lone", "--pod", "other"}, 4, "tracectl: \"lone\" is known, but does not match --pod \"other\"\n"},
		{[]string{"--pod", "no*"}, 0, "tracectl: no container matches\n"},
		{[]string{"--namespace", "no*"}, 0, "tracectl: no container matches\n"},
	} {
		for _, verb := range [][]string{{"exec", "--no-follow"}, {"containers", "--all"}, {"straceback", "list"}} {
			args := append(verb, c.flags...)
			if o := x.run(tracectlPath, args...); o.code != c.code || o.stderr != c.stderr {
				t.Errorf("%q: %+v, want %d and %q", args, o, c.code, c.stderr)
			}
		}
	}

	// Ended containers are not unknown.
	for _, name := range []string{id, "app"} {
		want := "tracectl: no running container matches; --all lists 1 ended container\n"
		o := x.run(tracectlPath, "containers", "--container", name)
		if o.code != 0 || strings.Contains(o.stdout, "app") || o.stderr != want {
			t.Errorf("containers --container %s: %+v", name, o)
		}
	}

	// These commands wait for further execs, but not for an unknown ID.
	for _, args := range [][]string{{"exec", "nobody"}, {"exec", "--container", "deadbeef0000"},
		{"exec", "docker://" + id}} {
		if o := x.run(tracectlPath, args...); o.code != 4 || o.stdout != "" {
			t.Errorf("%q: %+v", args, o)
		}
	}
	const hint = "tracectl: no container called \"nobody\"; to wait for one, use --container, --pod or --label\n"
	if o := x.run(tracectlPath, "exec", "nobody"); o.stderr != hint {
		t.Errorf("exec nobody: %+v", o)
	}
	p := x.follow("default/web-0/app")
	plain("again", "web-0", "app")
	plain("beside", "web-0", "proxy")
	eventually(t, "the next run is followed", func() bool { return strings.Contains(p.stdout(), "/bin/true again\n") })
	if lines := p.interrupt(""); len(grep(lines, "beside")) != 0 {
		t.Errorf("another container is followed, too: %q", lines)
	}
}

// within returns the annotations of a container in a pod.
func within(name, container string) map[string]string {
	a := pod(name, nil)
	a["io.kubernetes.cri.container-name"] = container
	return a
}
