// SPDX-License-Identifier: Apache-2.0

package straceback

import (
	"encoding/binary"
	"errors"
	"strings"
	"testing"
	"unsafe"

	"github.com/google/go-cmp/cmp"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/labels"
	"github.com/runc-trace/runc-trace/pkg/ring"
	"github.com/runc-trace/runc-trace/pkg/syscalls/recordtest"
)

// node is a few rings and identities, written as the kernel does.
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

// write adds calls of 1,000 ns, one after the other.
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

// Labels: nobody told any.
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

func TestFindOnNodes(t *testing.T) {
	on := func(node, namespace, pod, container, id string, created uint64) *Recording {
		return &Recording{Node: node, Container: &labels.Container{Namespace: namespace, Pod: pod, Name: container, ID: id, Created: created}}
	}
	list := []*Recording{
		on("n1", "default", "web-0", "nginx", "aaaa", 1),
		on("n2", "default", "web-0", "nginx", "bbbb", 2), // it moved
		on("n1", "default", "db", "db", "cccc", 3),
		on("n1", "default", "db", "db", "dddd", 4), // it was restarted
		on("n1", "", "", "", "plain", 5),
		on("n2", "", "", "", "plain", 6),
		on("n1", "", "", "registry", "eeee", 7),
		on("n2", "", "", "registry", "ffff", 8),
		on("n2", "", "", "proxy", "0000", 9),
		{Node: "n2"},
	}
	for _, c := range []struct {
		name string
		want []string // node and ID; or the error
	}{
		{"web-0", []string{`"web-0" means more than one container; name one of:`, "  n1_default_web-0_nginx", "  n2_default_web-0_nginx"}},
		{"n2_default_web-0", []string{"n2 bbbb"}},
		{"n1_default_web-0_nginx", []string{"n1 aaaa"}},
		{"n3_default_web-0", []string{`no recording of "n3_default_web-0"; similar ones are:`, "  n1_default_web-0_nginx", "  n2_default_web-0_nginx"}},
		{"bb", []string{"n2 bbbb"}},
		{"default/db", []string{"n1 dddd", "n1 cccc"}},
		{"plain", []string{`"plain" means more than one container; name one of:`, "  plain (of node n1)", "  plain (of node n2)"}},
		{"registry", []string{`"registry" means more than one container; name one of:`, "  registry (of node n1)", "  registry (of node n2)"}},
		{"proxy", []string{"n2 0000"}},
	} {
		var got []string
		found, err := Find(list, c.name)
		if err != nil {
			got = strings.Split(err.Error(), "\n")
		}
		for _, r := range found {
			got = append(got, r.Node+" "+r.Container.ID)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

func TestFind(t *testing.T) {
	n := newNode(16)
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
	} {
		n.record(i, c.namespace, c.pod, c.container, c.id, uint64(100+i))
		if c.container == "" && c.pod != "" {
			n.identities[i].Who.Flags = abi.WhoSandbox
		}
	}
	list := n.list(t)
	for _, c := range []struct {
		name string
		want []string // IDs; or how the error begins
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
		{"web-1", []string{`"web-1" means more than one container; name one of:`, "  default/web-1/agent", "  default/web-1/nginx"}},
		{"db", []string{`"db" means more than one container; name one of:`, "  prod/db/db", "  test/db/db"}},
		{"babe", []string{`"babe" means more than one container; name one of:`, "  prod/db/db", "  test/db/db"}},
		{"default/mypo", []string{`no recording of "default/mypo"; similar ones are:`, "  default/mypod/sh"}},
		{"prod/web-1", []string{`no recording of "prod/web-1"; similar ones are:`, "  default/web-1/agent", "  default/web-1/nginx"}},
		{"mypod/sh", []string{`no recording of "mypod/sh"`}},
		{"a/b/c/d", []string{`no recording of "a/b/c/d"`}},
		{"default_mypod", []string{`no recording of "default_mypod"; similar ones are:`, "  default/mypod/sh"}},
		{"", []string{`no recording of ""`}},
		{"666/[2J", []string{`no recording of "666/[2J"; similar ones are:`, `  evil/\x1b[2J/x`}},
	} {
		found, err := Find(list, c.name)
		var got []string
		for _, r := range found {
			got = append(got, r.Container.ID)
		}
		var name *NameError
		if err != nil {
			if !errors.As(err, &name) || name.Name != c.name {
				t.Errorf("Find(%q): error %v is of another kind", c.name, err)
			}
			got = strings.Split(err.Error(), "\n")
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("Find(%q) (-want +got):\n%s", c.name, diff)
		}
	}
}
