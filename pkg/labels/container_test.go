// SPDX-License-Identifier: Apache-2.0

package labels

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/identity"
)

// maps are identities, as they lie in the map, and what is known of others' labels.
type maps struct {
	identities []abi.Identity
	told       map[subject]abi.Labels
}

type subject struct {
	source uint32
	name   string
}

func (m *maps) Identity(index int) (abi.Identity, bool) {
	if index >= len(m.identities) || m.identities[index].Generation == 0 || m.identities[index].Generation&1 != 0 {
		return abi.Identity{}, false
	}
	return m.identities[index], true
}

func (m *maps) Labels(source uint32, name string) (abi.Labels, bool) {
	l, ok := m.told[subject{source, name}]
	return l, ok
}

// tell has a source say something later than all that was said.
func (m *maps) tell(source uint32, name string, labels map[string]string) {
	if m.told == nil {
		m.told = map[subject]abi.Labels{}
	}
	l := abi.Labels{Updated: uint64(2 * (len(labels) + 1000*len(m.told)))}
	used, _ := identity.EncodeLabels(l.Text[:], labels)
	l.Length = uint32(used)
	m.told[subject{source, name}] = l
}

// newDirectory looks again whenever it is asked.
func newDirectory(m *maps) *Directory {
	d := NewDirectory(m, len(m.identities))
	d.refresh = 0
	return d
}

func slot(generation uint32, id, sandbox string, flags uint32, labels map[string]string) abi.Identity {
	i := abi.Identity{Generation: generation, State: abi.StateRunning, Created: 100}
	copy(i.Who.ID[:], id)
	copy(i.Who.SandboxID[:], sandbox)
	i.Who.Flags = flags
	identity.SetLabels(&i.Who, labels)
	return i
}

func TestDirectory(t *testing.T) {
	m := &maps{identities: []abi.Identity{
		slot(2, "c1", "s1", abi.WhoRecord, map[string]string{"own": "1", "both": "container"}),
		slot(4, "s1", "s1", abi.WhoSandbox, map[string]string{"app": "web", "both": "sandbox"}),
		slot(6, "alone", "", abi.WhoRecord, nil),
		slot(2, "orphan", "gone", abi.WhoRecord, map[string]string{"a": "b"}),
		slot(3, "being written", "", 0, nil),
	}}
	d := newDirectory(m)
	want := map[uint32]map[string]string{
		0: {"own": "1", "both": "container", "app": "web"},
		1: {"app": "web", "both": "sandbox"},
		2: {},
		3: {"a": "b"},
	}
	for range 2 { // the second time out of what is known
		for index, labels := range want {
			c, ok := d.Lookup(index, m.identities[index].Generation)
			if !ok {
				t.Fatalf("identity %d is evicted", index)
			}
			if diff := cmp.Diff(labels, c.Labels); diff != "" {
				t.Errorf("labels of identity %d (-want +got):\n%s", index, diff)
			}
		}
	}
	if c, ok := d.Lookup(0, 4); ok {
		t.Errorf("an identity of another generation is shown as %+v", c)
	}
	if c, ok := d.Lookup(4, 3); ok {
		t.Errorf("an identity that is being written is shown as %+v", c)
	}
	if all := d.All(); len(all) != 4 {
		t.Errorf("%d identities are in use, want 4", len(all))
	}
}

func TestDirectoryFollowsChanges(t *testing.T) {
	m := &maps{identities: []abi.Identity{
		slot(2, "c1", "s1", abi.WhoRecord, nil),
		slot(2, "s1", "s1", abi.WhoSandbox, map[string]string{"app": "web"}),
	}}
	d := newDirectory(m)
	labels := func() map[string]string {
		c, ok := d.Lookup(0, m.identities[0].Generation)
		if !ok {
			t.Fatal("evicted")
		}
		return c.Labels
	}
	check := func(what string, want map[string]string) {
		t.Helper()
		if diff := cmp.Diff(want, labels()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
	check("at first", map[string]string{"app": "web"})
	identity.SetLabels(&m.identities[0].Who, map[string]string{"late": "1"})
	check("filled in later", map[string]string{"app": "web", "late": "1"})
	identity.SetLabels(&m.identities[1].Who, map[string]string{"app": "new"})
	check("changed at the sandbox", map[string]string{"app": "new", "late": "1"})
	m.identities[1] = slot(4, "another", "", abi.WhoRecord, map[string]string{"app": "other"})
	check("the sandbox is gone", map[string]string{"app": "new", "late": "1"})
	m.identities[0] = slot(4, "another container", "", abi.WhoRecord, map[string]string{"x": "y"})
	check("the slot was used again", map[string]string{"x": "y"})
}

// TestDirectoryJoinsSources has labels come from everywhere, one source after the other.
func TestDirectoryJoinsSources(t *testing.T) {
	pod := func(id, sandbox, engine string, flags uint32, labels map[string]string) abi.Identity {
		i := slot(2, id, sandbox, flags, labels)
		identity.Put(i.Who.PodUID[:], "uid")
		identity.Put(i.Who.Engine[:], engine)
		return i
	}
	docker := slot(2, "d", "", abi.WhoRecord, nil)
	identity.Put(docker.Who.Engine[:], "docker")
	m := &maps{identities: []abi.Identity{
		pod("c1", "s1", "containerd", abi.WhoRecord, map[string]string{"own": "1", "both": "own"}),
		pod("s1", "s1", "containerd", abi.WhoSandbox, map[string]string{"old": "sandbox", "both": "sandbox"}),
		docker,
		pod("c2", "s2", "cri-o", abi.WhoRecord, nil),
	}}
	d := newDirectory(m)
	type joined struct {
		Labels     map[string]string
		Origins    map[string]Origin
		Unlabelled bool
		Name       string
	}
	check := func(what string, index uint32, want joined) {
		t.Helper()
		c, ok := d.Lookup(index, 2)
		if !ok {
			t.Fatal("evicted")
		}
		if diff := cmp.Diff(want, joined{c.Labels, c.Origins, c.Unlabelled, c.Name}); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
	check("annotations", 0, joined{
		Labels:  map[string]string{"own": "1", "both": "own", "old": "sandbox"},
		Origins: map[string]Origin{"own": FromAnnotation, "both": FromAnnotation, "old": FromSandbox}, Unlabelled: true,
	})
	m.tell(abi.LabelsCri, "uid", map[string]string{"app": "web", "both": "cri"})
	check("the engine's instead of the sandbox's", 0, joined{
		Labels:  map[string]string{"own": "1", "both": "own", "app": "web"},
		Origins: map[string]Origin{"own": FromAnnotation, "both": FromAnnotation, "app": FromCRI},
	})
	m.tell(abi.LabelsKubernetes, "uid", map[string]string{"app": "new"})
	check("the API server's instead of the engine's", 0, joined{
		Labels:  map[string]string{"own": "1", "both": "own", "app": "new"},
		Origins: map[string]Origin{"own": FromAnnotation, "both": FromAnnotation, "app": FromKubernetes},
	})
	m.tell(abi.LabelsKubernetes, "uid", map[string]string{})
	check("a label taken away", 0, joined{
		Labels: map[string]string{"own": "1", "both": "own"}, Origins: map[string]Origin{"own": FromAnnotation, "both": FromAnnotation},
	})
	check("a sandbox has its pod's", 1, joined{
		Labels: map[string]string{"old": "sandbox", "both": "sandbox"}, Origins: map[string]Origin{"old": FromAnnotation, "both": FromAnnotation},
	})
	check("CRI-O hands labels on", 3, joined{Labels: map[string]string{}, Origins: map[string]Origin{}})

	check("nobody asked Docker", 2, joined{Labels: map[string]string{}, Origins: map[string]Origin{}, Unlabelled: true})
	m.tell(abi.LabelsDocker, "d", map[string]string{"a": "b"})
	l := m.told[subject{abi.LabelsDocker, "d"}]
	identity.Put(l.Name[:], "web-1")
	m.told[subject{abi.LabelsDocker, "d"}] = l
	d = newDirectory(m)
	check("Docker's", 2, joined{Labels: map[string]string{"a": "b"}, Origins: map[string]Origin{"a": FromDocker}, Name: "web-1"})

	if seen := d.AgentSeen(); seen != 0 {
		t.Errorf("an agent was seen at %d", seen)
	}
	m.tell(abi.LabelsAgent, "", nil)
	if seen := d.AgentSeen(); seen != m.told[subject{abi.LabelsAgent, ""}].Updated {
		t.Errorf("the agent was seen at %d", seen)
	}
}

// TestDirectoryLooksSeldom asks for a container's labels many times a moment, and the kernel only once.
func TestDirectoryLooksSeldom(t *testing.T) {
	m := &maps{identities: []abi.Identity{slot(2, "c", "", abi.WhoRecord, nil)}}
	d := NewDirectory(m, 1)
	d.refresh = time.Hour
	d.Lookup(0, 2)
	identity.SetLabels(&m.identities[0].Who, map[string]string{"late": "1"})
	if c, _ := d.Lookup(0, 2); len(c.Labels) != 0 {
		t.Errorf("labels %v were looked at within the hour", c.Labels)
	}
	m.identities[0] = slot(4, "another", "", abi.WhoRecord, map[string]string{"x": "y"})
	if c, _ := d.Lookup(0, 4); c.Labels["x"] != "y" {
		t.Errorf("another container has the labels %v", c.Labels)
	}
}
