// SPDX-License-Identifier: Apache-2.0

package straceback

import (
	"encoding/binary"
	"errors"
	"testing"
	"unsafe"

	"github.com/google/go-cmp/cmp"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/labels"
	"github.com/runc-trace/runc-trace/pkg/ring"
	"github.com/runc-trace/runc-trace/pkg/syscalls/recordtest"
)

// node simulates a few rings and identities as the kernel writes them.
type node struct {
	memory     [][]byte
	identities []abi.Identity
}

const ringSize = 1 << 12

func layout(index int) ring.Layout {
	return ring.Layout{
		Secret: 0xfedcba9876543210, Size: ringSize, Slack: abi.RecordLimit, Segments: 1, ID: uint32(index) + 1,
		Stride: abi.SizeofRing + ringSize + abi.RecordLimit,
	}
}

func newNode(rings int) *node {
	n := &node{}
	for i := range rings {
		words := make([]uint64, layout(i).Stride/8)
		n.memory = append(n.memory, unsafe.Slice((*byte)(unsafe.Pointer(&words[0])), len(words)*8))
	}
	return n
}

func (n *node) header(index int) *abi.Ring {
	return (*abi.Ring)(unsafe.Pointer(&n.memory[index][0]))
}

func (n *node) Ring(index int) (*ring.Ring, error) {
	return ring.New(n.memory[index], make([]abi.Writer, 1), layout(index))
}

func (n *node) Identity(index int) (abi.Identity, bool) {
	if index >= len(n.identities) {
		return abi.Identity{}, false
	}
	return n.identities[index], true
}

// record gives a ring to a new container.
func (n *node) record(index int, namespace, pod, container, id string, created uint64) {
	identity := abi.Identity{Generation: 2, State: abi.StateRunning, Created: created}
	copy(identity.Who.Namespace[:], namespace)
	copy(identity.Who.Pod[:], pod)
	copy(identity.Who.Container[:], container)
	copy(identity.Who.ID[:], id)
	n.identities = append(n.identities, identity)
	h := n.header(index)
	h.Generation++
	h.Identity, h.IdentityGeneration = uint32(len(n.identities)-1), 2
	h.Base, h.Written, h.Lost = h.Head, 0, 0
}

// write adds calls of 1,000 ns each, one after another.
func (n *node) write(index, calls int) {
	h := n.header(index)
	for range calls {
		begin := 1e6 + h.Written*1000
		c := call(1, "getppid", begin, begin+1000)
		b := recordtest.Append(nil, &c)
		binary.NativeEndian.PutUint64(b, (h.Head^layout(index).Secret)+uint64(h.Generation)*abi.CommitStep)
		copy(n.memory[index][abi.SizeofRing+h.Head%ringSize:], b)
		h.Head += uint64(len(b))
		h.Written++
	}
}

// Labels returns no labels.
func (n *node) Labels(uint32, string) (abi.Labels, bool) { return abi.Labels{}, false }

func (n *node) list(t *testing.T) []*Recording {
	t.Helper()
	list, err := List(n, len(n.memory), labels.NewDirectory(n, len(n.identities)))
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestList(t *testing.T) {
	n := newNode(7)
	n.record(0, "default", "web", "nginx", "new", 200)
	n.record(1, "default", "web", "nginx", "old", 100)
	n.record(2, "zoo", "a", "b", "other", 300)
	n.record(3, "default", "web", "agent", "beside", 100)
	n.record(4, "gone", "gone", "gone", "gone", 100)
	n.identities[4].Generation += 2
	n.record(5, "", "", "", "plain", 100)
	var got []string
	for _, r := range n.list(t) {
		if r.Container == nil {
			got = append(got, "")
			continue
		}
		got = append(got, r.Container.ID)
	}
	if diff := cmp.Diff([]string{"plain", "beside", "new", "old", "other", ""}, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestRead(t *testing.T) {
	const kept = ringSize / 48
	n := newNode(2)
	n.record(0, "default", "web", "nginx", "id", 100)
	list := n.list(t)
	read := func() Calls {
		t.Helper()
		c, err := list[0].Read()
		if err != nil {
			t.Fatal(err)
		}
		counts := *c
		counts.Records = nil
		if want := min(n.header(0).Written, kept); uint64(len(c.Records)) != want {
			t.Errorf("%d calls are kept, want %d", len(c.Records), want)
		}
		return counts
	}
	check := func(what string, want Calls) {
		t.Helper()
		if diff := cmp.Diff(want, read()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
	check("nothing yet", Calls{})
	n.write(0, 10)
	check("some", Calls{Oldest: 1_000_000, Newest: 1_010_000})
	n.header(0).Lost = 3
	check("some lost", Calls{Lost: 3, Oldest: 1_000_000, Newest: 1_010_000})
	n.write(0, 990)
	check("more than a lap", Calls{Overwritten: 1000 - kept, Lost: 3, Oldest: 2_000_000 - kept*1000, Newest: 2_000_000})

	n.record(0, "default", "next", "nginx", "id2", 200)
	n.write(0, 5)
	if _, err := list[0].Read(); !errors.Is(err, ErrReused) {
		t.Errorf("reading a recording whose ring was used again: %v", err)
	}
	list = n.list(t)
	check("the next one in the same ring", Calls{Oldest: 1_000_000, Newest: 1_005_000})
}

// TestFind finds the recordings of a container that was restarted, and none of a container that is no longer known.
func TestFind(t *testing.T) {
	n := newNode(4)
	n.record(0, "default", "web", "nginx", "old", 100)
	n.record(1, "default", "web", "nginx", "new", 200)
	n.record(2, "gone", "gone", "gone", "gone", 100)
	n.identities[2].Generation += 2
	list := n.list(t)
	found, err := Find(list, "default/web/nginx")
	if err != nil || len(found) != 2 || found[0].Container.ID != "new" || found[1].Container.ID != "old" {
		t.Errorf("found %+v, %v", found, err)
	}
	var name *labels.NameError
	if _, err := Find(list, "gone"); !errors.As(err, &name) || err.Error() != `no recording of "gone"` {
		t.Errorf("finding one that is not known any more gives %v", err)
	}
}
