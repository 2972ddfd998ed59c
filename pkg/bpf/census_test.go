// SPDX-License-Identifier: Apache-2.0

package bpf_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/runc-trace/runc-trace/pkg/bpf"
	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
)

// TestCensus holds a census against the instance, which maps what it reads.
func TestCensus(t *testing.T) {
	i := load(t, small)
	containers := map[string]bool{}
	for n := range 6 { // more than there are rings
		path := fmt.Sprintf("/runc-trace-census-%d", n)
		container(t, i, path)
		containers[path[1:]] = true
	}
	c, err := bpf.OpenCensus(i.Dir)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if diff := cmp.Diff(i.Layout, c.Layout()); diff != "" {
		t.Errorf("layout (-instance +census):\n%s", diff)
	}
	var got abi.Identity
	for index := range i.Pool().Identities {
		want, used := i.Identity(index)
		if known := c.Identity(uint32(index), &got); known != used || used && got != want {
			t.Errorf("identity %d: %v, want %v; or they differ", index, known, used)
		}
		delete(containers, id(got.Who.ID[:]))
	}
	if len(containers) > 0 {
		t.Errorf("without an identity: %v", containers)
	}
	if c.Identity(uint32(i.Pool().Identities), &got) {
		t.Error("an identity beyond the last one")
	}

	rings := 0
	header := func(index int, h bpf.RingHeader) {
		r, err := i.Ring(index)
		if err != nil {
			t.Fatal(err)
		}
		w := r.Header()
		want := bpf.RingHeader{
			Head: w.Head, Written: w.Written, Lost: w.Lost, Generation: w.Generation, Identity: w.Identity, IdentityGeneration: w.IdentityGeneration,
		}
		if diff := cmp.Diff(want, h); diff != "" {
			t.Errorf("ring %d (-instance +census):\n%s", index, diff)
		}
		if h.Generation != 0 {
			rings++
		}
	}
	if err := c.Recordings(header); err != nil || rings != small.Rings {
		t.Errorf("%d rings in use, error %v; want all %d", rings, err, small.Rings)
	}
	if _, err := c.ExecLog(); err != nil {
		t.Error(err)
	}
}

func id(field []byte) string {
	for n, b := range field {
		if b == 0 {
			return string(field[:n])
		}
	}
	return string(field)
}
