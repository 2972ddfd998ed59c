// SPDX-License-Identifier: Apache-2.0

package execlog

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/identity"
	"github.com/runc-trace/runc-trace/pkg/labels"
)

// node is a fake host on which the labels of pods may arrive late.
type node struct {
	identities []abi.Identity
	told       map[string]abi.Labels // by the pod's UID
	agent      uint64                // when the agent was last seen, or 0
	now        uint64

	selection Selection
	emitted   []uint32 // PIDs
	doubts    []string
}

func (n *node) Identity(index int) (abi.Identity, bool) {
	return n.identities[index], true
}

func (n *node) Labels(source uint32, subject string) (abi.Labels, bool) {
	if source == abi.LabelsAgent {
		return abi.Labels{Updated: n.agent}, n.agent != 0
	}
	l, ok := n.told[subject]
	return l, ok && source == abi.LabelsKubernetes
}

func (n *node) pod(name string, created time.Duration) {
	i := abi.Identity{Generation: 2, State: abi.StateRunning, Created: uint64(created)}
	identity.Put(i.Who.Namespace[:], "default")
	identity.Put(i.Who.Pod[:], name)
	identity.Put(i.Who.PodUID[:], name+"-uid")
	identity.Put(i.Who.Container[:], "main")
	n.identities = append(n.identities, i)
}

func (n *node) tell(pod string, set map[string]string) {
	var l abi.Labels
	used, _ := identity.EncodeLabels(l.Text[:], set, nil)
	l.Updated, l.Length = 1, uint32(used)
	n.told[pod+"-uid"] = l
}

func (n *node) exec(t *testing.T, container, pid uint32) {
	t.Helper()
	path := []byte("/bin/true")
	r := Record{Exec: abi.Exec{Identity: container, Generation: 2, PID: pid}, Path: path}
	if err := n.selection.Take(&r); err != nil {
		t.Fatal(err)
	}
	clear(path) // records are valid only until the next poll
}

func newNode(t *testing.T, selector string) *node {
	t.Helper()
	n := &node{told: map[string]abi.Labels{}, now: uint64(100 * time.Second)}
	n.agent = n.now
	n.pod("web", 99*time.Second)
	n.pod("db", 99*time.Second)
	parsed, err := labels.ParseSelector(selector)
	if err != nil {
		t.Fatal(err)
	}
	n.selection = Selection{
		Filter: &labels.Filter{Labels: parsed, Container: "main"},
		Emit: func(r *Record, c *labels.Container) error {
			if string(r.Path) != "/bin/true" {
				t.Errorf("PID %d: the path is %q by now", r.PID, r.Path)
			}
			n.emitted = append(n.emitted, r.PID)
			return nil
		},
		Doubt: func(c *labels.Container, d Doubt) {
			n.doubts = append(n.doubts,
				[...]string{LabelsLate: "late ", LabelsUnknown: "unknown ", LabelsTruncated: "truncated "}[d]+c.FullName())
		},
		Now: func() uint64 { return n.now },
	}
	n.look()
	return n
}

// look drops all cached labels.
func (n *node) look() { n.selection.Directory = labels.NewDirectory(n, len(n.identities)) }

func (n *node) release(t *testing.T, all bool) {
	t.Helper()
	n.look()
	if err := n.selection.Release(all); err != nil {
		t.Fatal(err)
	}
}

func (n *node) check(t *testing.T, what string, emitted []uint32, doubts []string, waiting bool) {
	t.Helper()
	if diff := cmp.Diff(emitted, n.emitted); diff != "" {
		t.Errorf("%s: emitted (-want +got):\n%s", what, diff)
	}
	if diff := cmp.Diff(doubts, n.doubts); diff != "" {
		t.Errorf("%s: doubts (-want +got):\n%s", what, diff)
	}
	if n.selection.Waiting() != waiting {
		t.Errorf("%s: something is kept back: %v", what, !waiting)
	}
}

// TestSelectionWaits holds back execs until labels arrive, then selects by them, in order.
func TestSelectionWaits(t *testing.T) {
	n := newNode(t, "app=web")
	n.exec(t, 0, 1)
	n.exec(t, 1, 2)
	n.tell("web", map[string]string{"app": "web"})
	n.look()
	n.exec(t, 0, 3) // its labels have arrived, but an earlier exec is held back
	n.check(t, "before a release", nil, nil, true)
	n.release(t, false)
	n.check(t, "one pod's labels", []uint32{1, 3}, nil, true)
	n.tell("db", map[string]string{"app": "db"})
	n.release(t, false)
	n.exec(t, 1, 4)
	n.exec(t, 0, 5)
	n.check(t, "both pods' labels", []uint32{1, 3, 5}, nil, false)
	if n.selection.LeftOut != 0 || n.selection.Unknown != 0 {
		t.Errorf("%+v", n.selection)
	}
}

// TestSelectionGivesUp emits the execs held back if their labels do not arrive, and reports it once for each
// container. Later execs are left out, since no labels are expected any more.
func TestSelectionGivesUp(t *testing.T) {
	n := newNode(t, "app=web")
	n.exec(t, 0, 1)
	n.exec(t, 0, 2)
	n.now += uint64(LabelWait)
	n.agent = n.now
	n.release(t, false)
	n.exec(t, 0, 3)
	n.exec(t, 0, 4)
	n.check(t, "labels are late", []uint32{1, 2}, []string{"late default/web/main", "unknown default/web/main"}, false)
	if n.selection.LeftOut != 2 {
		t.Errorf("%d were left out, want 2", n.selection.LeftOut)
	}
	n.tell("web", map[string]string{"app": "web"})
	n.look()
	n.exec(t, 0, 5)
	n.check(t, "labels are there", []uint32{1, 2, 5}, []string{"late default/web/main", "unknown default/web/main"}, false)

	n = newNode(t, "app=web")
	n.exec(t, 1, 1)
	n.release(t, true)
	n.check(t, "at the end", []uint32{1}, []string{"late default/db/main"}, false)

	n = newNode(t, "app=web")
	n.exec(t, 1, 1)
	n.now += uint64(LabelWait) / 2
	n.agent = n.now - uint64(AgentAlive)
	n.exec(t, 0, 2)
	n.release(t, false)
	n.check(t, "the agent died", []uint32{1}, []string{"unknown default/web/main", "late default/db/main"}, false)
}

// TestSelectionLooksAgain decides by labels that have just arrived, although the container's labels were read a moment
// before: a reader that ends must neither warn of them nor show what they exclude.
func TestSelectionLooksAgain(t *testing.T) {
	for _, end := range []string{"the end", "the deadline"} {
		n := newNode(t, "app=web")
		n.exec(t, 0, 1)
		n.exec(t, 1, 2)
		n.tell("web", map[string]string{"app": "web"})
		n.tell("db", map[string]string{"app": "db"})
		if end == "the deadline" {
			n.now += uint64(LabelWait)
			n.agent = n.now
		}
		if err := n.selection.Release(end == "the end"); err != nil {
			t.Fatal(err)
		}
		n.check(t, end, []uint32{1}, nil, false)
	}
}

// TestSelectionByMissingLabel holds back execs of containers that may have a label, then decides: by the label if it
// has arrived; without an agent, or if no labels are expected, an exec is left out and counted.
func TestSelectionByMissingLabel(t *testing.T) {
	for _, selector := range []string{"tier!=db", "!canary", "tier notin (db,cache)"} {
		n := newNode(t, selector)
		n.exec(t, 0, 1)
		n.exec(t, 1, 2)
		n.check(t, selector+", expected", nil, nil, true)
		n.tell("web", map[string]string{"app": "web"})
		n.tell("db", map[string]string{"tier": "db", "canary": ""})
		n.release(t, false)
		n.check(t, selector+", told", []uint32{1}, nil, false)

		n = newNode(t, selector)
		n.exec(t, 0, 1)
		n.now += uint64(LabelWait)
		n.agent = n.now
		n.release(t, false)
		n.exec(t, 0, 2)
		n.check(t, selector+", late", []uint32{1}, []string{"late default/web/main", "unknown default/web/main"}, false)

		n = newNode(t, selector)
		n.agent = 0
		n.exec(t, 0, 1)
		n.exec(t, 0, 2)
		n.check(t, selector+", no agent", nil, []string{"unknown default/web/main"}, false)
		if n.selection.LeftOut != 2 {
			t.Errorf("%s: %d execs were left out, want 2", selector, n.selection.LeftOut)
		}
	}
}

// TestSelectionOfThePast has execs of containers that ended long ago: no labels are expected, so the known ones
// decide.
func TestSelectionOfThePast(t *testing.T) {
	n := newNode(t, "app=web")
	n.pod("old", time.Second)
	n.pod("nameless", time.Second)
	n.identities[3].Who.Pod, n.identities[3].Who.PodUID = [256]byte{}, [64]byte{}
	identity.Put(n.identities[3].Who.Engine[:], "docker")
	n.look()
	n.exec(t, 2, 1)
	n.exec(t, 3, 2)
	n.check(t, "of the past", nil, []string{"unknown default/old/main", "unknown main"}, false)
	if n.selection.LeftOut != 2 {
		t.Errorf("%d were left out, want 2", n.selection.LeftOut)
	}
}

// TestSelectionWithoutAgent decides by the known labels if there is no agent, and counts all other execs.
func TestSelectionWithoutAgent(t *testing.T) {
	n := newNode(t, "app=web")
	n.agent = 0
	identity.SetLabels(&n.identities[0].Who, identity.Labels{Owner: map[string]string{"app": "web"}}, nil)
	n.exec(t, 0, 1)
	n.exec(t, 1, 2)
	n.check(t, "by annotations", []uint32{1}, []string{"unknown default/db/main"}, false)
	if n.selection.LeftOut != 1 {
		t.Errorf("%d execs were left out, want 1", n.selection.LeftOut)
	}
}

// TestSelectionByName leaves out a container without a name. If nothing is followed and the name is known, that is no
// reason for doubt.
func TestSelectionByName(t *testing.T) {
	for _, settled := range []bool{false, true} {
		n := newNode(t, "")
		for _, name := range []string{"shop", ""} {
			i := abi.Identity{Generation: 2, State: abi.StateRunning, Created: 1}
			identity.Put(i.Who.Engine[:], "docker")
			identity.Put(i.Who.Container[:], name)
			identity.Put(i.Who.ID[:], "id-of-"+name)
			n.identities = append(n.identities, i)
		}
		n.look()
		f := labels.Filter{}
		if err := f.Resolve([]string{"shop"}, "container called", n.selection.Directory.All()); err != nil {
			t.Fatal(err)
		}
		n.selection.Filter, n.selection.Settled = &f, settled
		n.exec(t, 2, 1)
		n.exec(t, 3, 2)
		doubts := []string{"unknown id-of-"}
		if settled {
			doubts = nil
		}
		n.check(t, "by name", []uint32{1}, doubts, false)
		if n.selection.LeftOut != len(doubts) {
			t.Errorf("%d execs were left out, want %d", n.selection.LeftOut, len(doubts))
		}
	}
}

// TestSelectionOfUnknownSandbox holds back execs whose labels are those of a sandbox, with or without an agent,
// until the sandbox is found or LabelWait has passed. After that they are left out and counted.
func TestSelectionOfUnknownSandbox(t *testing.T) {
	for _, engine := range []string{"cri-o", "containerd"} {
		n := newNode(t, "app=web")
		n.agent = 0
		for _, i := range []int{0, 1} {
			identity.Put(n.identities[i].Who.Engine[:], engine)
			identity.Put(n.identities[i].Who.SandboxID[:], fmt.Sprint("sandbox", i))
		}
		n.exec(t, 0, 1)
		n.exec(t, 1, 2)
		n.check(t, engine+", unknown", nil, nil, true)
		sandbox := abi.Identity{Generation: 2, State: abi.StateRunning}
		identity.Put(sandbox.Who.ID[:], "sandbox0")
		sandbox.Who.Flags = abi.WhoSandbox
		said := identity.Labels{Told: map[string]string{"app": "web"}}
		if engine == "containerd" {
			said = identity.Labels{Owner: said.Told}
		}
		identity.SetLabels(&sandbox.Who, said, nil)
		n.identities = append(n.identities, sandbox)
		n.release(t, false)
		n.check(t, engine+", one is found", []uint32{1}, nil, true)
		n.exec(t, 1, 3)
		n.now += uint64(LabelWait)
		n.release(t, false)
		n.exec(t, 1, 4)
		n.check(t, engine+", the other one never is", []uint32{1}, []string{"unknown default/db/main"}, false)
		if n.selection.LeftOut != 3 {
			t.Errorf("%s: %d execs were left out, want 3", engine, n.selection.LeftOut)
		}
	}
}

// TestSelectionOfTruncatedLabels emits execs that may be wanted, with a warning.
func TestSelectionOfTruncatedLabels(t *testing.T) {
	n := newNode(t, "team=x")
	for _, pod := range []string{"web", "db"} {
		n.tell(pod, map[string]string{"app": pod})
		l := n.told[pod+"-uid"]
		l.Flags = abi.LabelsTruncated
		n.told[pod+"-uid"] = l
	}
	n.look()
	n.exec(t, 0, 1)
	n.exec(t, 0, 2)
	n.check(t, "the label is missing", []uint32{1, 2}, []string{"truncated default/web/main"}, false)
	n.tell("db", map[string]string{"team": "y"})
	n.look()
	n.exec(t, 1, 3)
	n.check(t, "the label is another one", []uint32{1, 2}, []string{"truncated default/web/main"}, false)
}

// TestSelectionByLateName holds back execs of a Docker container whose name is still expected.
func TestSelectionByLateName(t *testing.T) {
	n := newNode(t, "")
	n.selection.Filter.Container = "shop"
	n.identities[0].Who = abi.Who{}
	identity.Put(n.identities[0].Who.Engine[:], "docker")
	identity.Put(n.identities[0].Who.ID[:], "abc")
	n.look()
	n.exec(t, 0, 1)
	n.exec(t, 1, 2)
	n.check(t, "unknown", nil, nil, true)
	identity.Put(n.identities[0].Who.Container[:], "shop")
	n.release(t, false)
	n.check(t, "known", []uint32{1}, nil, false)
}

// TestSelectionWithoutLabels does not wait if the selection does not use labels.
func TestSelectionWithoutLabels(t *testing.T) {
	n := newNode(t, "")
	n.exec(t, 0, 1)
	n.exec(t, 1, 2)
	n.check(t, "at once", []uint32{1, 2}, nil, false)
}

// TestSelectionBound limits the memory for records held back: if there are too many, it gives up waiting for the
// container with the most, and for no other.
func TestSelectionBound(t *testing.T) {
	n := newNode(t, "app=web")
	n.exec(t, 1, 0)
	most := heldBytes / size(&Record{Path: []byte("/bin/true")})
	for pid := range uint32(most) {
		n.exec(t, 0, pid+1)
	}
	if len(n.emitted) != most || !n.selection.Waiting() {
		t.Errorf("%d of %d were emitted when there was no room", len(n.emitted), most)
	}
	n.tell("db", map[string]string{"app": "db"})
	n.release(t, false)
	if len(n.emitted) != most || n.selection.Waiting() {
		t.Errorf("%d of %d were emitted", len(n.emitted), most)
	}
}

// TestSelectionCountsExecs checks that LeftOut counts execs, not containers, including those held back before.
func TestSelectionCountsExecs(t *testing.T) {
	n := newNode(t, "app=web")
	n.exec(t, 0, 1)
	n.exec(t, 0, 2)
	n.exec(t, 1, 3)
	n.agent = 0 // the agent reports that it stops
	n.identities[1].Generation += 2
	n.release(t, false)
	n.check(t, "without an agent any more", nil, []string{"unknown default/web/main"}, false)
	if n.selection.LeftOut != 2 || n.selection.Unknown != 1 {
		t.Errorf("%d execs were left out, want 2, and %d unknown, want 1", n.selection.LeftOut, n.selection.Unknown)
	}
}
