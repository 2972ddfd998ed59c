// SPDX-License-Identifier: Apache-2.0

package labels

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/identity"
)

// joined is the result of merging sources.
type joined struct {
	Labels         map[string]string
	Origins        map[string]Origin
	Unlabelled     bool
	Pending        bool
	SandboxUnknown bool
	Truncated      bool
}

func (c *Container) joined() joined {
	return joined{c.Labels, c.Origins, c.Unlabelled, c.Pending, c.SandboxUnknown, c.Truncated}
}

type set = map[string]string

// ofPod returns the identity of a container in a pod.
func ofPod(id, sandbox, engine string, flags uint32, labels identity.Labels) abi.Identity {
	i := slot(2, id, sandbox, flags, nil)
	identity.Put(i.Who.PodUID[:], "uid")
	identity.Put(i.Who.Engine[:], engine)
	identity.SetLabels(&i.Who, labels, nil)
	return i
}

// TestJoinPod adds the labels of a pod from one source after another: the author's annotations count only until
// another source has told labels.
func TestJoinPod(t *testing.T) {
	m := &maps{identities: []abi.Identity{
		ofPod("c1", "s1", "containerd", abi.WhoRecord,
			identity.Labels{Own: set{"rule": "1", "app": "rule"}, Owner: set{"own": "1", "app": "author"}}),
		ofPod("s1", "s1", "containerd", abi.WhoSandbox, identity.Labels{Own: set{"rule2": "1"}, Owner: set{"old": "1"}}),
	}}
	d := newDirectory(m)
	check := func(what string, want joined) {
		t.Helper()
		c, ok := d.Lookup(0, 2)
		if !ok {
			t.Fatal("evicted")
		}
		if diff := cmp.Diff(want, c.joined()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
	check("annotations alone", joined{
		Labels: set{"own": "1", "app": "rule", "old": "1", "rule": "1", "rule2": "1"},
		Origins: map[string]Origin{"own": FromAnnotation, "app": FromAnnotation, "old": FromSandbox,
			"rule": FromAnnotation, "rule2": FromSandbox},
		Unlabelled: true, Pending: true,
	})
	m.tell(abi.LabelsCri, "uid", set{"app": "web"})
	check("the engine", joined{
		Labels:  set{"app": "web", "rule": "1", "rule2": "1"},
		Origins: map[string]Origin{"app": FromCRI, "rule": FromAnnotation, "rule2": FromSandbox},
	})
	m.tell(abi.LabelsKubernetes, "uid", set{"app": "new"})
	check("the API server instead", joined{
		Labels:  set{"app": "new", "rule": "1", "rule2": "1"},
		Origins: map[string]Origin{"app": FromKubernetes, "rule": FromAnnotation, "rule2": FromSandbox},
	})
	m.tell(abi.LabelsKubernetes, "uid", set{})
	check("a label taken away", joined{
		Labels:  set{"app": "rule", "rule": "1", "rule2": "1"},
		Origins: map[string]Origin{"app": FromAnnotation, "rule": FromAnnotation, "rule2": FromSandbox},
	})
}

// TestJoinCRIO checks labels that CRI-O passes on: read from the sandbox's identity, or read by the shim.
func TestJoinCRIO(t *testing.T) {
	m := &maps{identities: []abi.Identity{
		ofPod("c1", "s1", "cri-o", abi.WhoRecord, identity.Labels{Owner: set{"app": "author"}}),
		ofPod("s1", "s1", "cri-o", abi.WhoSandbox,
			identity.Labels{Told: set{"app": "web"}, Owner: set{"app": "author", "x": "author"}}),
		ofPod("c2", "dropped", "cri-o", abi.WhoRecord, identity.Labels{Told: set{}, Owner: set{"app": "author"}}),
		ofPod("c3", "gone", "cri-o", abi.WhoRecord, identity.Labels{Owner: set{"app": "author"}}),
	}}
	d := newDirectory(m)
	check := func(what string, index uint32, want joined) {
		t.Helper()
		c, _ := d.Lookup(index, 2)
		if diff := cmp.Diff(want, c.joined()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
	check("a container", 0, joined{
		Labels: set{"app": "web"}, Origins: map[string]Origin{"app": FromSandbox}, Pending: true,
	})
	check("its sandbox", 1, joined{
		Labels: set{"app": "web"}, Origins: map[string]Origin{"app": FromAnnotation}, Pending: true,
	})
	check("one whose sandbox does not run", 2, joined{Labels: set{}, Origins: map[string]Origin{}, Pending: true})
	check("one whose sandbox is unknown", 3, joined{
		Labels:         set{"app": "author"},
		Origins:        map[string]Origin{"app": FromAnnotation},
		Unlabelled:     true,
		Pending:        true,
		SandboxUnknown: true,
	})
	m.tell(abi.LabelsKubernetes, "uid", set{"app": "true"})
	for index := range uint32(4) {
		check("told by the API server", index,
			joined{Labels: set{"app": "true"}, Origins: map[string]Origin{"app": FromKubernetes}})
	}
}

// TestJoinOthers checks containers outside of pods: the user who starts them writes their annotations.
func TestJoinOthers(t *testing.T) {
	docker, read, podman := slot(2, "d", "", abi.WhoRecord, nil), slot(2, "r", "", abi.WhoRecord, nil),
		slot(2, "p", "pod", abi.WhoRecord, nil)
	identity.Put(docker.Who.Engine[:], "docker")
	identity.SetLabels(&docker.Who, identity.Labels{Owner: set{"own": "1", "a": "own"}}, nil)
	identity.Put(read.Who.Engine[:], "docker")
	identity.AddMetadata(&read.Who, "read", "nginx", set{"a": "read"}, identity.Rules{})
	identity.Put(podman.Who.Engine[:], "podman")
	identity.SetLabels(&podman.Who, identity.Labels{Owner: set{"own": "1"}}, nil)
	annotated := slot(2, "a", "", abi.WhoRecord, nil)
	identity.Put(annotated.Who.Engine[:], "docker")
	identity.Put(annotated.Who.Pod[:], "mypod")
	identity.Put(annotated.Who.Container[:], "main")
	m := &maps{identities: []abi.Identity{docker, read, podman, annotated}}
	d := newDirectory(m)
	check := func(what string, index uint32, name string, want joined) {
		t.Helper()
		c, _ := d.Lookup(index, 2)
		if diff := cmp.Diff(want, c.joined()); diff != "" || c.Name != name {
			t.Errorf("%s: %q, want %q (-want +got):\n%s", what, c.Name, name, diff)
		}
	}
	own := joined{Labels: set{"own": "1", "a": "own"},
		Origins: map[string]Origin{"own": FromAnnotation, "a": FromAnnotation}, Unlabelled: true, Pending: true}
	check("Docker was not asked", 0, "", own)
	check("what Docker keeps", 1, "read", joined{Labels: set{"a": "read"}, Origins: map[string]Origin{"a": FromDocker}})
	check("Podman", 2, "", joined{
		Labels: set{"own": "1"}, Origins: map[string]Origin{"own": FromAnnotation}, Unlabelled: true,
	})

	m.tell(abi.LabelsDocker, "a", set{"a": "b"})
	l := m.told[subject{abi.LabelsDocker, "a"}]
	identity.Put(l.Name[:], "docker's")
	m.told[subject{abi.LabelsDocker, "a"}] = l
	check("named by annotations", 3, "main", joined{Labels: set{"a": "b"}, Origins: map[string]Origin{"a": FromDocker}})
	for index, id := range []string{"d", "r"} {
		m.tell(abi.LabelsDocker, id, set{"a": "b"})
		l := m.told[subject{abi.LabelsDocker, id}]
		identity.Put(l.Name[:], "web-1")
		identity.Put(l.Image[:], "nginx:1")
		m.told[subject{abi.LabelsDocker, id}] = l
		want := joined{Labels: set{"a": "b"}, Origins: map[string]Origin{"a": FromDocker}}
		if index == 0 {
			own.Unlabelled, own.Pending = false, false
			want = own
		}
		check("Docker's", uint32(index), "web-1", want)
	}
}

// TestTruncated checks sources with more labels than there is room for.
func TestTruncated(t *testing.T) {
	m := &maps{identities: []abi.Identity{
		ofPod("c", "", "containerd", abi.WhoRecord, identity.Labels{Own: set{"team": "rule", "app": "rule"}}),
		ofPod("c", "", "containerd", abi.WhoRecord, identity.Labels{Own: set{"big": strings.Repeat("x", abi.LabelsSize)}}),
	}}
	d := newDirectory(m)
	m.tell(abi.LabelsKubernetes, "uid", set{"app": "web", "n": "7", "e": ""})
	l := m.told[subject{abi.LabelsKubernetes, "uid"}]
	l.Flags = abi.LabelsTruncated
	m.told[subject{abi.LabelsKubernetes, "uid"}] = l
	c, _ := d.Lookup(0, 2)
	if !c.Truncated || c.Labels["team"] != "rule" {
		t.Errorf("%+v", c)
	}
	for text, want := range map[string]Verdict{
		// The labels are certain.
		"": Yes, "app=web": Yes, "app=db": No, "app!=db": Yes, "app!=web": No, "app": Yes, "!app": No, "app in (a,web)": Yes,
		"app notin (web)": No, "n>6": Yes, "n<7": No, "e=": Yes,
		// The label may be missing or left out.
		"other=x": Maybe, "other==x": Maybe, "other!=x": Maybe, "other": Maybe, "!other": Maybe, "other in (x,y)": Maybe,
		"other notin (x)": Maybe, "other>1": Maybe, "other<1": Maybe,
		// The API server may have had another value.
		"team=rule": Maybe, "team=x": Maybe, "team!=rule": Maybe, "team!=x": Maybe, "team": Yes, "!team": No,
		"team in (rule)": Maybe, "team notin (rule)": Maybe, "team>1": Maybe,
		// All requirements must be met.
		"app=web,other=x": Maybe, "app=db,other=x": No, "other=x,app=db": No, "app=web,n>6": Yes,
		"!team,other": No, "other,!team": No,
	} {
		s, err := ParseSelector(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.Judge(c); got != want {
			t.Errorf("%q is met: %v, want %v", text, got, want)
		}
	}
	m.told = nil
	if c, _ := d.Lookup(1, 2); !c.Truncated || len(c.Labels) != 0 {
		t.Errorf("its own labels are too long: %+v", c)
	}
}

// TestChoice selects containers for lists.
func TestChoice(t *testing.T) {
	s, err := ParseSelector("app=web")
	if err != nil {
		t.Fatal(err)
	}
	choice := Choice{Filter: &Filter{Labels: s, Pod: "p"}}
	for _, test := range []struct {
		c    *Container
		want bool
	}{
		{nil, false},
		{&Container{Pod: "p", Labels: set{"app": "web"}}, true},
		{&Container{Pod: "p", Labels: set{"app": "db"}}, false},
		{&Container{Pod: "q", Truncated: true, Unlabelled: true}, false},
		{&Container{Pod: "p", Truncated: true}, true},
		{&Container{Pod: "p", Truncated: true, Labels: set{"app": "db"}}, false},
		{&Container{Pod: "p", Unlabelled: true}, false},
		{&Container{Pod: "p", Unlabelled: true, Labels: set{"app": "web"}}, true},
	} {
		if got := choice.Wants(test.c); got != test.want {
			t.Errorf("%+v is wanted: %v", test.c, got)
		}
	}
	if len(choice.Truncated) != 1 || choice.Unknown != 1 {
		t.Errorf("%d are in doubt, want 1, and %d unknown, want 1", len(choice.Truncated), choice.Unknown)
	}

	// A name that is known is not that of a container whose name is not known.
	named := &Container{ID: "aa", Engine: "docker", Name: "web"}
	nameless := &Container{ID: "bb", Engine: "docker", Unlabelled: true}
	choice = Choice{Filter: &Filter{}}
	if err := choice.Filter.Resolve([]string{"web"}, "", []*Container{named, nameless}); err != nil {
		t.Fatal(err)
	}
	if !choice.Wants(named) || choice.Wants(nameless) || choice.Unknown != 0 {
		t.Errorf("by name: %+v", choice)
	}
}
