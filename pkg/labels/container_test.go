// SPDX-License-Identifier: Apache-2.0

package labels

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/identity"
)

// slots are identities, as they lie in the map.
type slots []abi.Identity

func (s slots) Identity(index int) (abi.Identity, bool) {
	if index >= len(s) || s[index].Generation == 0 || s[index].Generation&1 != 0 {
		return abi.Identity{}, false
	}
	return s[index], true
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
	identities := slots{
		slot(2, "c1", "s1", abi.WhoRecord, map[string]string{"own": "1", "both": "container"}),
		slot(4, "s1", "s1", abi.WhoSandbox, map[string]string{"app": "web", "both": "sandbox"}),
		slot(6, "alone", "", abi.WhoRecord, nil),
		slot(2, "orphan", "gone", abi.WhoRecord, map[string]string{"a": "b"}),
		slot(3, "being written", "", 0, nil),
	}
	d := NewDirectory(identities, len(identities))
	want := map[uint32]map[string]string{
		0: {"own": "1", "both": "container", "app": "web"},
		1: {"app": "web", "both": "sandbox"},
		2: {},
		3: {"a": "b"},
	}
	for range 2 { // the second time out of what is known
		for index, labels := range want {
			c, ok := d.Lookup(index, identities[index].Generation)
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
	identities := slots{
		slot(2, "c1", "s1", abi.WhoRecord, nil),
		slot(2, "s1", "s1", abi.WhoSandbox, map[string]string{"app": "web"}),
	}
	d := NewDirectory(identities, len(identities))
	labels := func() map[string]string {
		c, ok := d.Lookup(0, identities[0].Generation)
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
	identity.SetLabels(&identities[0].Who, map[string]string{"late": "1"})
	check("filled in later", map[string]string{"app": "web", "late": "1"})
	identity.SetLabels(&identities[1].Who, map[string]string{"app": "new"})
	check("changed at the sandbox", map[string]string{"app": "new", "late": "1"})
	identities[1] = slot(4, "another", "", abi.WhoRecord, map[string]string{"app": "other"})
	check("the sandbox is gone", map[string]string{"app": "new", "late": "1"})
	identities[0] = slot(4, "another container", "", abi.WhoRecord, map[string]string{"x": "y"})
	check("the slot was used again", map[string]string{"x": "y"})
}
