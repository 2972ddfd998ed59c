// SPDX-License-Identifier: Apache-2.0

package bpf_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/runc-trace/runc-trace/pkg/bpf"
	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/ring"
)

// TestUnmapped compares an instance without mappings with one that has them.
func TestUnmapped(t *testing.T) {
	i := load(t, small)
	containers := map[string]bool{}
	for n := range 6 { // more than the rings of the pool
		path := fmt.Sprintf("/runc-trace-census-%d", n)
		container(t, i, path)
		containers[path[1:]] = true
	}
	c, err := bpf.OpenUnmapped(i.Dir)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if diff := cmp.Diff(i.Layout, c.Layout); diff != "" {
		t.Errorf("layout (-mapped +unmapped):\n%s", diff)
	}
	var got abi.Identity
	for index := range i.Pool().Identities {
		want, used := i.Identity(index)
		if known := c.ReadIdentity(index, &got); known != used || used && got != want {
			t.Errorf("identity %d: %v, want %v; or they differ", index, known, used)
		}
		if again, known := c.Identity(index); known != used || used && again != want {
			t.Errorf("identity %d, by value: %v, want %v; or they differ", index, known, used)
		}
		delete(containers, id(got.Who.ID[:]))
	}
	if len(containers) > 0 {
		t.Errorf("without an identity: %v", containers)
	}
	if c.ReadIdentity(i.Pool().Identities, &got) {
		t.Error("an identity beyond the last one")
	}

	rings := 0
	header := func(index int, h ring.Header) {
		r, err := i.Recording(index)
		if err != nil {
			t.Fatal(err)
		}
		want := r.Header()
		if diff := cmp.Diff(want, h); diff != "" {
			t.Errorf("ring %d (-mapped +unmapped):\n%s", index, diff)
		}
		if h.Generation != 0 {
			rings++
		}
	}
	if err := c.RecordingHeaders(header); err != nil || rings != small.Rings {
		t.Errorf("%d rings in use, error %v; want all %d", rings, err, small.Rings)
	}
	if _, err := c.ExecLogHeaders(); err != nil {
		t.Error(err)
	}
	if _, err := c.Recording(0); err == nil {
		t.Error("a ring that is not mapped")
	}
	if _, err := c.ExecLog(); err == nil {
		t.Error("an exec log that is not mapped")
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
