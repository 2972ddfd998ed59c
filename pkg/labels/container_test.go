// SPDX-License-Identifier: Apache-2.0

package labels

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/identity"
)

// maps is a fake of the kernel's maps: identities, and labels by source.
type maps struct {
	identities []abi.Identity
	told       map[subject]abi.Labels
	looked     int // number of calls of Identity
}

type subject struct {
	source uint32
	name   string
}

func (m *maps) Identity(index int) (abi.Identity, bool) {
	m.looked++
	if index >= len(m.identities) || m.identities[index].Generation == 0 || m.identities[index].Generation&1 != 0 {
		return abi.Identity{}, false
	}
	return m.identities[index], true
}

func (m *maps) Labels(source uint32, name string) (abi.Labels, bool) {
	l, ok := m.told[subject{source, name}]
	return l, ok
}

// tell has a source report labels, with a later stamp than any before.
func (m *maps) tell(source uint32, name string, labels map[string]string) {
	if m.told == nil {
		m.told = map[subject]abi.Labels{}
	}
	l := abi.Labels{Updated: uint64(2 * (len(labels) + 1000*len(m.told)))}
	used, _ := identity.EncodeLabels(l.Text[:], labels, nil)
	l.Length = uint32(used)
	m.told[subject{source, name}] = l
}

// newDirectory returns a Directory that never caches.
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
	identity.SetLabels(&i.Who, identity.Labels{Own: labels}, nil)
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
	for range 2 { // the second round reads cached containers
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
	identity.SetLabels(&m.identities[0].Who, identity.Labels{Own: map[string]string{"late": "1"}}, nil)
	check("filled in later", map[string]string{"app": "web", "late": "1"})
	identity.SetLabels(&m.identities[1].Who, identity.Labels{Own: map[string]string{"app": "new"}}, nil)
	check("changed at the sandbox", map[string]string{"app": "new", "late": "1"})
	m.identities[1] = slot(4, "another", "", abi.WhoRecord, map[string]string{"app": "other"})
	check("the sandbox is gone", map[string]string{"app": "new", "late": "1"})
	m.identities[0] = slot(4, "another container", "", abi.WhoRecord, map[string]string{"x": "y"})
	check("the slot was used again", map[string]string{"x": "y"})
}

// TestDirectoryLooksSeldom looks a container up many times within a moment: the kernel is asked once.
func TestDirectoryLooksSeldom(t *testing.T) {
	m := &maps{identities: []abi.Identity{slot(2, "c", "", abi.WhoRecord, nil)}}
	d := NewDirectory(m, 1)
	d.refresh = time.Hour
	d.Lookup(0, 2)
	identity.SetLabels(&m.identities[0].Who, identity.Labels{Own: map[string]string{"late": "1"}}, nil)
	if c, _ := d.Lookup(0, 2); len(c.Labels) != 0 {
		t.Errorf("labels %v were looked at within the hour", c.Labels)
	}
	m.identities[0] = slot(4, "another", "", abi.WhoRecord, map[string]string{"x": "y"})
	if c, _ := d.Lookup(0, 4); c.Labels["x"] != "y" {
		t.Errorf("another container has the labels %v", c.Labels)
	}
}

// TestDirectoryFindsSandboxAtOnce registers pods, each sandbox before its container, much faster than the interval
// at which missing sandboxes are looked for again.
func TestDirectoryFindsSandboxAtOnce(t *testing.T) {
	m := &maps{identities: make([]abi.Identity, 64)}
	d := newDirectory(m)
	for n := uint32(0); n < 60; n += 3 {
		sandbox := fmt.Sprint("sandbox", n)
		m.identities[n] = slot(2, "noise", "unknown", abi.WhoRecord, nil)
		m.identities[n+1] = slot(2, sandbox, sandbox, abi.WhoSandbox, map[string]string{"app": "web"})
		m.identities[n+2] = slot(2, "container", sandbox, abi.WhoRecord, nil)
		d.Lookup(n, 2)
		d.nextScan = time.Time{} // assume that a search takes no time
		if c, ok := d.Lookup(n+2, 2); !ok || c.Labels["app"] != "web" || c.SandboxUnknown {
			t.Fatalf("the container of %s: %+v", sandbox, c)
		}
		if c, _ := d.Lookup(n, 2); !c.SandboxUnknown {
			t.Fatalf("the one whose sandbox is unknown: %+v", c)
		}
	}
}

// TestDirectoryBoundsSearches looks up many containers, again and again, whose sandboxes do not exist: each
// container causes one search at once, and all of them together one a second.
func TestDirectoryBoundsSearches(t *testing.T) {
	m := &maps{identities: make([]abi.Identity, 256)}
	d := newDirectory(m)
	for n := range m.identities {
		m.identities[n] = slot(2, fmt.Sprint("c", n), fmt.Sprint("gone", n), abi.WhoRecord, nil)
	}
	begin := time.Now()
	for n := range 100 * len(m.identities) {
		d.Lookup(uint32(n/100), 2)
	}
	if most := len(m.identities) + 1 + int(time.Since(begin)/rescan); d.scans > most {
		t.Errorf("%d searches, want at most %d", d.scans, most)
	}
	d.nextScan = time.Now().Add(time.Hour) // as if the last search took minutes
	m.identities[0] = slot(4, "c", "new", abi.WhoRecord, nil)
	scans := d.scans
	if c, _ := d.Lookup(0, 4); d.scans != scans || !c.SandboxUnknown {
		t.Errorf("%d more searches than there is time for: %+v", d.scans-scans, c)
	}
}
