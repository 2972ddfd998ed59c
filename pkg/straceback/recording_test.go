// SPDX-License-Identifier: Apache-2.0

package straceback

import (
	"encoding/binary"
	"errors"
	"fmt"
	"testing"
	"unsafe"

	"github.com/google/go-cmp/cmp"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/labels"
	"github.com/runc-trace/runc-trace/pkg/ring"
	"github.com/runc-trace/runc-trace/pkg/syscalls"
	"github.com/runc-trace/runc-trace/pkg/syscalls/recordtest"
)

// node simulates a few recordings and identities as the kernel writes them.
type node struct {
	memory     [][]byte
	identities []abi.Identity
}

// laneSize is the number of bytes of each lane. A benchmark sets it.
var laneSize uint64 = 1 << 12

func layout() abi.ABI {
	l := abi.ABI{Secret: 0xfedcba9876543210, SeenSets: 1}
	at := uint32(abi.SizeofRecording + abi.SizeofSeenSet)
	for lane := range abi.Lanes {
		l.LaneSizes[lane], l.LaneOffsets[lane] = uint32(laneSize), at
		at += uint32(laneSize) + abi.RecordLimit
	}
	l.RingStride = at
	return l
}

func newNode(recordings int) *node {
	n := &node{}
	for range recordings {
		words := make([]uint64, layout().RingStride/8)
		n.memory = append(n.memory, unsafe.Slice((*byte)(unsafe.Pointer(&words[0])), len(words)*8))
	}
	return n
}

func (n *node) shared(index int) *abi.Recording {
	return (*abi.Recording)(unsafe.Pointer(&n.memory[index][0]))
}

func (n *node) Recording(index int) (*ring.Recording, error) {
	return ring.NewRecording(n.memory[index], make([]abi.Writer, 1), layout(), uint32(index))
}

func (n *node) Identity(index int) (abi.Identity, bool) {
	if index >= len(n.identities) {
		return abi.Identity{}, false
	}
	return n.identities[index], true
}

func (n *node) RecordingHeaders(f func(int, ring.Header)) error {
	for index := range n.memory {
		f(index, ring.ReadRecording(n.shared(index)))
	}
	return nil
}

// record gives a ring to a new container.
func (n *node) record(index int, namespace, pod, container, id string, created uint64) {
	identity := abi.Identity{Generation: 2, State: abi.StateRunning, Created: created}
	copy(identity.Who.Namespace[:], namespace)
	copy(identity.Who.Pod[:], pod)
	copy(identity.Who.Container[:], container)
	copy(identity.Who.ID[:], id)
	n.identities = append(n.identities, identity)
	shared := n.shared(index)
	for lane := range shared.Lanes {
		h := &shared.Lanes[lane]
		h.Generation++
		h.Identity, h.IdentityGeneration = uint32(len(n.identities)-1), 2
		h.Base, h.Lost = h.Head, 0
	}
	shared.Totals, shared.Runtime = [len(shared.Totals)]abi.Total{}, abi.Total{}
}

// put adds a call to a lane, and returns its position.
func (n *node) put(index int, lane Lane, c syscalls.Call) uint64 {
	shared := n.shared(index)
	h, l := &shared.Lanes[lane], layout()
	b := recordtest.Append(nil, &c)
	position := h.Head
	binary.NativeEndian.PutUint64(b, (position^l.Secret)+uint64(h.Generation)*abi.CommitStep)
	copy(n.memory[index][uint64(l.LaneOffsets[lane])+position%laneSize:], b)
	h.Head += uint64(len(b))
	if lane == Runtime {
		shared.Runtime.Count++
	} else {
		shared.Totals[c.Nr].Count++
	}
	return position
}

// write adds calls of 1,000 ns each to the lane recent, one after another.
func (n *node) write(index, calls int) {
	total := &n.shared(index).Totals[number("getppid")]
	for range calls {
		begin := 1e6 + total.Count*1000
		n.put(index, Recent, call(1, "getppid", begin, begin+1000))
	}
}

// again notes that a call in a lane came several times.
func (n *node) again(index, way int, position, count, last uint64) {
	set := (*abi.SeenSet)(unsafe.Pointer(&n.memory[index][abi.SizeofRecording]))
	set.Signatures[way] = abi.SeenBusy + 1
	set.Entries[way] = abi.Seen{Position: position, Count: count, Last: last}
}

// Labels returns no labels.
func (n *node) Labels(uint32, string) (abi.Labels, bool) { return abi.Labels{}, false }

func (n *node) list(t *testing.T) []*Recording {
	t.Helper()
	list, err := List(n, labels.NewDirectory(n, len(n.identities)))
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
	kept := int(laneSize / 48)
	n := newNode(2)
	n.record(0, "default", "web", "nginx", "id", 100)
	list := n.list(t)
	check := func(what string, want Calls) {
		t.Helper()
		c, err := list[0].Read()
		if err != nil {
			t.Fatal(err)
		}
		if made := int(n.shared(0).Totals[number("getppid")].Count); len(c.Records) != min(made, kept) {
			t.Errorf("%s: %d calls are kept of %d", what, len(c.Records), made)
		}
		want.Records = c.Records
		if len(c.Records) > 0 {
			want.Lanes[Recent] = Reach{len(c.Records), want.Missing > 0, end(c.Records[0].Bytes), want.Oldest, want.Newest}
		}
		if total := n.shared(0).Totals[number("getppid")]; total.Count > 0 {
			want.Totals = []Total{{"getppid", ring.Total{Count: total.Count}}}
		}
		if diff := cmp.Diff(want, *c); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
	check("nothing yet", Calls{})
	n.write(0, 10)
	check("some", Calls{Oldest: 1_000_000, Newest: 1_010_000})
	n.shared(0).Lanes[Recent].Lost = 3
	check("some lost", Calls{Lost: 3, Oldest: 1_000_000, Newest: 1_010_000})
	n.shared(0).Lanes[Recent].Lost = 0
	n.write(0, 990)
	check("more than a lap", Calls{Missing: uint64(1000 - kept), Oldest: 2_000_000 - uint64(kept)*1000, Newest: 2_000_000})

	n.record(0, "default", "next", "nginx", "id2", 200)
	n.write(0, 5)
	if _, err := list[0].Read(); !errors.Is(err, ErrReused) {
		t.Errorf("reading a recording whose memory was used again: %v", err)
	}
	list = n.list(t)
	check("the next one in the same memory", Calls{Oldest: 1_000_000, Newest: 1_005_000})
}

// TestLanes joins lanes by time, and tells how often calls came.
func TestLanes(t *testing.T) {
	n := newNode(1)
	n.record(0, "default", "web", "nginx", "id", 100)
	n.put(0, Runtime, call(9, "getpid", 10, 20))
	first := n.put(0, First, call(1, "execve", 20, 30))
	n.put(0, Said, call(1, "write", 3_000_000, 3_000_001))
	distinct := n.put(0, Distinct, call(1, "openat", 40, 50))
	n.write(0, 2000)
	n.again(0, 0, first|abi.SeenFirst, 7, 1)
	n.again(0, 1, distinct|abi.SeenDistinct, 1, 2)
	n.again(0, 2, 1<<20, 5, 1)
	c, err := n.list(t)[0].Read()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range append(c.Records[:4:4], c.Records[len(c.Records)-2:]...) {
		begin, _ := syscalls.Span(r.Bytes)
		got = append(got, fmt.Sprint(r.Lane, " ", begin, " ", r.Count, " ", r.Last))
	}
	oldest := c.Lanes[Recent].Oldest
	want := []string{"runtime 10 0 0", "first 20 7 1", "distinct 40 1 2", fmt.Sprint("recent ", oldest, " 0 0"),
		"recent 2999000 0 0", "said 3000000 0 0"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	since := c.Lanes[Recent].Since
	if c.Missing != 2000-uint64(c.Lanes[Recent].Calls) || c.Complete() != since || since <= oldest {
		t.Errorf("%d calls are missing before %d, of %d", c.Missing, c.Complete(), since)
	}
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
