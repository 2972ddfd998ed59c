// SPDX-License-Identifier: Apache-2.0

package labels

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
)

func runs(list []Known, name string) ([]Known, error) {
	s := NewSearch(name, "recording of")
	for _, k := range list {
		s.Add(k)
	}
	return s.Runs()
}

func TestRunsOnNodes(t *testing.T) {
	on := func(node, namespace, pod, container, id string, created uint64) Known {
		return Known{node, &Container{Namespace: namespace, Pod: pod, Name: container, ID: id, Created: created}}
	}
	list := []Known{
		on("n1", "default", "web-0", "nginx", "aaaa", 1),
		on("n2", "default", "web-0", "nginx", "bbbb", 2), // it moved
		on("n1", "default", "db", "db", "cccc", 3),
		on("n1", "default", "db", "db", "dddd", 4), // it was restarted
		on("n1", "", "", "", "plain", 5),
		on("n2", "", "", "", "plain", 6),
		on("n1", "", "", "registry", "eeee", 7),
		on("n2", "", "", "registry", "ffff", 8),
		on("n2", "", "", "proxy", "0000", 9),
	}
	for _, c := range []struct {
		name string
		want []string // node and ID; or the error
	}{
		{"web-0", []string{
			`"web-0" matches several containers; use one of:`, "  n1_default_web-0_nginx", "  n2_default_web-0_nginx",
		}},
		{"n2_default_web-0", []string{"n2 bbbb"}},
		{"n1_default_web-0_nginx", []string{"n1 aaaa"}},
		{"n3_default_web-0", []string{
			`no recording of "n3_default_web-0"; similar names:`, "  n1_default_web-0_nginx", "  n2_default_web-0_nginx",
		}},
		{"bb", []string{"n2 bbbb"}},
		{"default/db", []string{"n1 dddd", "n1 cccc"}},
		{"plain", []string{
			`"plain" matches several containers; use one of:`, "  plain (of node n1)", "  plain (of node n2)",
		}},
		{"registry", []string{
			`"registry" matches several containers; use one of:`, "  registry (of node n1)", "  registry (of node n2)",
		}},
		{"proxy", []string{"n2 0000"}},
	} {
		var got []string
		found, err := runs(list, c.name)
		if err != nil {
			got = strings.Split(err.Error(), "\n")
		}
		for _, r := range found {
			got = append(got, r.Node+" "+r.ID)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

func TestRuns(t *testing.T) {
	var list []Known
	for i, c := range []struct{ namespace, pod, container, id string }{
		{"default", "mypod", "sh", "c0ffee0000"},
		{"default", "web-1", "nginx", "beef000000"},
		{"default", "web-1", "nginx", "beef111111"}, // a later run
		{"default", "web-1", "agent", "fade000000"},
		{"prod", "db", "db", "babe000000"},
		{"test", "db", "db", "babe111111"},
		{"default", "lone", "", "5a5a000000"}, // a sandbox
		{"default", "duo", "", "5b5b000000"},  // a sandbox with a container
		{"default", "duo", "app", "1234000000"},
		{"", "", "", "my_plain_container"},
		{"evil", "\x1b[2J", "x", "666"},
		{"evil", "odd one", "x", "777"},
	} {
		container := &Container{Namespace: c.namespace, Pod: c.pod, Name: c.container, ID: c.id, Created: uint64(100 + i)}
		if c.container == "" && c.pod != "" {
			container.Flags = abi.WhoSandbox
		}
		list = append(list, Known{Container: container})
	}
	for _, c := range []struct {
		name string
		want []string // IDs; or the beginning of the error
	}{
		{"default/mypod/sh", []string{"c0ffee0000"}},
		{"default/mypod", []string{"c0ffee0000"}},
		{"mypod", []string{"c0ffee0000"}},
		{"10.0.13.143_default_mypod", []string{"c0ffee0000"}},
		{"node_default_mypod_sh", []string{"c0ffee0000"}},
		{"c0ffee0000", []string{"c0ffee0000"}},
		{"c0f", []string{"c0ffee0000"}},
		{"default/web-1/nginx", []string{"beef111111", "beef000000"}},
		{"beef", []string{"beef111111", "beef000000"}},
		{"beef000000", []string{"beef000000"}},
		{"prod/db", []string{"babe000000"}},
		{"lone", []string{"5a5a000000"}},
		{"duo", []string{"1234000000"}},
		{"5b5b", []string{"5b5b000000"}},
		{"my_plain_container", []string{"my_plain_container"}},
		{"my_pl", []string{"my_plain_container"}},
		{"web-1", []string{
			`"web-1" matches several containers; use one of:`, "  default/web-1/agent", "  default/web-1/nginx",
		}},
		{"db", []string{`"db" matches several containers; use one of:`, "  prod/db/db", "  test/db/db"}},
		{"babe", []string{`"babe" matches several containers; use one of:`, "  prod/db/db", "  test/db/db"}},
		{"default/mypo", []string{`no recording of "default/mypo"; similar names:`, "  default/mypod/sh"}},
		{"prod/web-1", []string{
			`no recording of "prod/web-1"; similar names:`, "  default/web-1/agent", "  default/web-1/nginx",
		}},
		{"mypod/sh", []string{`no recording of "mypod/sh"`}},
		{"a/b/c/d", []string{`no recording of "a/b/c/d"`}},
		{"default_mypod", []string{`no recording of "default_mypod"; similar names:`, "  default/mypod/sh"}},
		{"", []string{`no recording of ""`}},
		{"666/[2J", []string{`no recording of "666/[2J"; similar names:`, `  "evil/\x1b[2J/x"`}},
		{"evil/odd", []string{`no recording of "evil/odd"; similar names:`, `  "evil/odd one/x"`}},
	} {
		found, err := runs(list, c.name)
		var got []string
		for _, r := range found {
			got = append(got, r.ID)
		}
		var name *NameError
		if err != nil {
			if !errors.As(err, &name) || name.Name != c.name {
				t.Errorf("%q: error %v is of another kind", c.name, err)
			}
			got = strings.Split(err.Error(), "\n")
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", c.name, diff)
		}
	}
}

// TestForms finds containers of several engines by each form of a name: for a command that needs one container, and
// for one that also accepts a pod.
func TestForms(t *testing.T) {
	const long = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde"
	list := []*Container{
		{ID: long + "0", Engine: "docker", Name: "web"},
		{ID: long + "1", Engine: "docker"}, // the agent has not told its name yet
		{ID: "fedcba9876543210fedcba9876543210", Engine: "podman", Name: "db"},
		{ID: "aa11223344556677aa11223344556677", Engine: "containerd", Namespace: "prod", Pod: "api-0", Name: "app"},
		{ID: "bb11223344556677bb11223344556677", Engine: "containerd", Namespace: "prod", Pod: "api-0", Name: "proxy"},
		{ID: "cc11223344556677cc11223344556677", Engine: "containerd", Namespace: "prod", Pod: "api-0",
			Flags: abi.WhoSandbox},
		{ID: "dd11223344556677dd11223344556677", Engine: "cri-o", Namespace: "test", Pod: "one", Name: "only"},
		{ID: "chosen"},
		// Names chosen to be mistaken for another container's.
		// as Docker's container
		{ID: "ee11223344556677ee11223344556677", Engine: "containerd", Namespace: "evil", Pod: "web", Name: "x"},
		{ID: "only2", Namespace: "evil", Pod: "chosen", Name: "x"}, // as an ID
		{ID: "api-0"}, // as a pod
		{ID: "0011223344556677", Engine: "docker", Name: "fedcba987654"}, // as the short ID of another
		{ID: "ff11223344556677", Engine: "docker", Name: "fe"},           // prefix of an ID by chance
		{ID: "proxy"}, // as a container of a pod
		{ID: "9911223344556677", Engine: "podman", Name: "twin"}, {ID: "8811223344556677", Engine: "docker", Name: "twin"},
	}
	const several = " matches several containers; use one of:"
	for _, c := range []struct {
		name        string
		one, target string // IDs that match, shortened; or candidates
	}{
		{long + "0", "012", "012"},
		{"docker://" + long + "0", "012", "012"},
		{"docker://" + long[:12], several + " " + long + "1 web", several + " " + long + "1 web"},
		{long[:12], several + " " + long + "1 web", several + " " + long + "1 web"},
		{"containerd://" + long + "0", "none", "none"},
		{"docker://", "none", "none"},
		{"podman://fedcba", "fed", "fed"},
		{"fedcba98", "fed", "fed"},
		{"prod/api-0", several + " prod/api-0/app prod/api-0/proxy", "aa1 bb1 cc1"},
		{"prod/api-0/app", "aa1", "aa1"},
		{"node_prod_api-0", several + " prod/api-0/app prod/api-0/proxy", "aa1 bb1 cc1"},
		{"node_prod_api-0_app", "aa1", "aa1"},
		{"aa1122334455", "aa1", "aa1"},
		{"aa1", "aa1", "aa1"},
		{"containerd://aa11223344556677aa11223344556677", "aa1", "aa1"},
		{"cc1122334455", "cc1", "cc1"},
		{"one", "dd1", "dd1"},
		{"only", "dd1", "dd1"},
		{"test/one/only", "dd1", "dd1"},
		{"db", "fed", "fed"},
		{"web", several + " docker://" + long + "0 evil/web/x", several + " docker://" + long + "0 evil/web"},
		{"evil/web", "ee1", "ee1"},
		{"chosen", several + " evil/chosen/x runc://chosen", several + " evil/chosen runc://chosen"},
		{"runc://chosen", "cho", "cho"},
		{"evil/chosen", "onl", "onl"},
		{"api-0", several + " prod/api-0/app prod/api-0/proxy runc://api-0", several + " prod/api-0 runc://api-0"},
		{"fedcba987654", several + " db docker://0011223344556677", several + " db docker://0011223344556677"},
		{"fe", "ff1", "ff1"},
		{"proxy", several + " prod/api-0/proxy runc://proxy", several + " prod/api-0/proxy runc://proxy"},
		{"twin", several + " docker://8811223344556677 podman://9911223344556677",
			several + " docker://8811223344556677 podman://9911223344556677"},
		{"podman://9911223344556677", "991", "991"},
		{"nothing", "none", "none"},
		{"", "none", "none"},
		{"/", "none", "none"},
		{"//", "none", "none"},
		{"__", "none", "none"},
	} {
		s := NewSearch(c.name, "container called")
		for _, container := range list {
			s.Add(Known{Container: container})
		}
		text := func(found []*Container, err error) string {
			var problem *NameError
			if errors.As(err, &problem) {
				if !problem.Ambiguous {
					return "none"
				}
				return several + " " + strings.Join(problem.Candidates, " ")
			}
			var ids []string
			for _, container := range found {
				ids = append(ids, container.ID[:3])
			}
			return strings.Join(ids, " ")
		}
		var found []*Container
		all, err := s.Runs()
		for _, k := range all {
			found = append(found, k.Container)
		}
		if got := text(found, err); got != c.one {
			t.Errorf("the container %q: %s, want %s", c.name, got, c.one)
		}
		var f Filter
		err = f.Resolve([]string{c.name}, "container called", list)
		found = nil
		for _, container := range list {
			if f.Judge(container) == Yes {
				found = append(found, container)
			}
		}
		if got := text(found, err); got != c.target {
			t.Errorf("the target %q: %s, want %s", c.name, got, c.target)
		}
	}
}

// TestTargetFollows checks which later containers a target includes.
func TestTargetFollows(t *testing.T) {
	list := []*Container{
		{ID: "aa11223344556677", Engine: "containerd", Namespace: "prod", Pod: "api-0", Name: "app"},
		{ID: "bb11223344556677", Engine: "docker", Name: "web"},
	}
	next := []*Container{
		{ID: "0", Engine: "containerd", Namespace: "prod", Pod: "api-0", Name: "app"},
		{ID: "1", Engine: "containerd", Namespace: "prod", Pod: "api-0", Name: "proxy"},
		{ID: "2", Engine: "docker", Name: "web"},
		{ID: "3", Engine: "docker", Unlabelled: true},
		{ID: "4", Namespace: "test", Pod: "api-0", Name: "app"},
		{ID: "5"},
	}
	for name, want := range map[string][]Verdict{
		"prod/api-0/app": {Yes, No, No, No, No, No},
		"prod/api-0":     {Yes, Yes, No, No, No, No},
		"aa1122334455":   {No, No, No, No, No, No},
		"web":            {No, No, Yes, Unknown, No, No},
		"bb1122":         {No, No, No, No, No, No},
	} {
		var f Filter
		if err := f.Resolve([]string{name}, "", list); err != nil {
			t.Fatal(err)
		}
		var got []Verdict
		for _, c := range next {
			got = append(got, f.JudgeNames(c))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// TestExactNames checks that a whole ID or name is preferred to the beginning of an ID, as NAME and as --container.
func TestExactNames(t *testing.T) {
	list := []*Container{
		{ID: "facade"}, {ID: "facade1"}, {ID: "facade00112233445566"},
		{ID: "0123456789abcdef", Engine: "docker", Name: "web"},
		{ID: "0123456789abcdef0", Engine: "docker", Name: "api"},
		{ID: "0123456789abcdef00", Engine: "podman", Name: "db"},
		{ID: "decade1", Engine: "docker", Name: "one"}, {ID: "decade2", Engine: "docker", Name: "decade"},
		{ID: "beaded1", Engine: "containerd", Namespace: "prod", Pod: "beaded", Name: "app"}, {ID: "beaded2"},
		{ID: "efface1", Engine: "containerd", Namespace: "prod", Pod: "x", Name: "efface"},
	}
	for _, c := range []struct {
		name           string
		one, container string // IDs that NAME and --container select; or "several"
	}{
		{"facade", "facade", "facade"},
		{"runc://facade", "facade", "facade"},
		{"facade1", "facade1", "facade1"},
		{"facade0", "facade00112233445566", "facade00112233445566"},
		{"facad", "several", ""},
		{"runc://facad", "several", "facade facade1 facade00112233445566"},
		{"0123456789abcdef", "0123456789abcdef", "0123456789abcdef"},
		{"docker://0123456789abcdef", "0123456789abcdef", "0123456789abcdef"},
		{"docker://0123456789abcdef0", "0123456789abcdef0", "0123456789abcdef0"},
		{"docker://0123456789ab", "several", "0123456789abcdef 0123456789abcdef0"},
		{"0123456789abcde", "several", "0123456789abcdef 0123456789abcdef0 0123456789abcdef00"},
		{"decade", "decade2", "decade2"},
		{"beaded", "beaded1", "beaded2"},
		{"efface", "efface1", "efface1"},
	} {
		for _, names := range [][]string{{c.name}, nil} {
			var f Filter
			want := c.one
			if names == nil {
				f.Container, want = Glob(c.name), c.container
			}
			err := f.Resolve(names, "container called", list)
			var ids []string
			for _, container := range list {
				if f.Judge(container) == Yes {
					ids = append(ids, container.ID)
				}
			}
			got := strings.Join(ids, " ")
			if name := (*NameError)(nil); errors.As(err, &name) && name.Ambiguous {
				got = "several"
			}
			if got != want {
				t.Errorf("%s, NAME %q: %s, want %s", c.name, names, got, want)
			}
		}
	}
}

// TestResolveWithFilter checks that labels which are not known yet do not hide a name, and that an error says which
// flag leaves out a container.
func TestResolveWithFilter(t *testing.T) {
	list := []*Container{
		{ID: "aa11223344556677", Namespace: "prod", Pod: "api", Name: "app", Labels: map[string]string{"app": "api"}},
		{ID: "bb11223344556677", Namespace: "test", Pod: "api", Name: "app", Labels: map[string]string{"app": "api"}},
		{ID: "cc11223344556677", Namespace: "prod", Pod: "young", Name: "app", Unlabelled: true, provisional: true},
	}
	for _, c := range []struct {
		name, selector string
		namespace, pod Glob
		want           string // the error, shortened
	}{
		{"prod/api", "app=api", "", "", ""},
		{"prod/api", "app!=api", "", "", `"prod/api" is known, but does not match --label "app!=api"`},
		{"young", "app=web", "", "", ""},
		{"young", "app!=web,!canary", "", "", ""},
		{"cc1122", "!canary", "", "", ""},
		{"api", "", "prod", "", ""},
		{"api", "", "", "", `"api" matches several containers; use one of:`},
		{"api", "app=web", "prod", "", `"api" is known, but does not match --label "app=web"`},
		{"api", "", "nowhere", "", `"api" is known, but does not match --namespace "nowhere"`},
		{"aa1122", "app=web", "test", "other", `"aa1122" is known, but does not match --namespace "test" --pod "other"`},
		{"nobody", "app=web", "test", "", `no container called "nobody"`},
		{"prod/ap", "app=web", "test", "", `no container called "prod/ap"`},
	} {
		selector, err := ParseSelector(c.selector)
		if err != nil {
			t.Fatal(err)
		}
		f := Filter{Labels: selector, Namespace: c.namespace, Pod: c.pod}
		got := ""
		if err := f.Resolve([]string{c.name}, "container called", list); err != nil {
			got, _, _ = strings.Cut(err.Error(), "\n")
		}
		if got != c.want {
			t.Errorf("%+v: %q", c, got)
		}
	}
}

// TestUnmet checks which filters name something that does not exist.
func TestUnmet(t *testing.T) {
	list := []*Container{
		{ID: "aa11223344556677", Namespace: "prod", Pod: "api", Name: "app"},
		{ID: "bb11223344556677", Namespace: "test", Pod: "web", Name: "app", State: abi.StateEnded},
	}
	for _, c := range []struct {
		namespace, pod, container Glob
		want                      string
	}{
		{"", "", "", ""},
		{"prod", "", "", ""},
		{"nowhere", "", "", `no container in namespace "nowhere"`},
		{"no*", "", "", ""},
		{"", "web", "", ""},
		{"", "test/web", "", ""},
		{"", "nobody", "", `no container in pod "nobody"`},
		{"prod", "web", "", `no container in pod "web" in namespace "prod"`},
		{"prod", "w*", "", ""},
		{"nowhere", "w*", "x", `no container called "x" in namespace "nowhere"`},
		{"", "", "app", ""},
		{"", "", "bb1122", ""},
		{"", "", "proxy", `no container called "proxy"`},
		{"prod", "api", "proxy", `no container called "proxy" in pod "api" in namespace "prod"`},
	} {
		f := Filter{Namespace: c.namespace, Pod: c.pod, Container: c.container}
		got := ""
		if err := f.Unmet(list); err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
}
