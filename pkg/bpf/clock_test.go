// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"testing"
	"time"

	"github.com/cilium/ebpf"

	"github.com/runc-trace/runc-trace/pkg/boottime"
	"github.com/runc-trace/runc-trace/pkg/config"
	"github.com/runc-trace/runc-trace/test/roottest"
)

// TestSuspend checks what the programs do at the events of a suspend: they measure by how much CLOCK_BOOTTIME is ahead,
// but keep a number that is right already.
func TestSuspend(t *testing.T) {
	roottest.Require(t)
	right, err := boottime.Suspended()
	if err != nil {
		t.Fatal(err)
	}
	spec, err := newSpec(layout(config.SmallestPool(), 0, 1))
	if err != nil {
		t.Fatal(err)
	}
	// As a program of this type, it can be run without an event.
	program := spec.Programs["on_suspend_resume"]
	program.Type, program.AttachType, program.AttachTo = ebpf.RawTracepoint, ebpf.AttachNone, ""
	spec.Programs = map[string]*ebpf.ProgramSpec{"on_suspend_resume": program}
	c, err := ebpf.NewCollection(spec)
	if err != nil {
		t.Fatalf("%+v", err)
	}
	defer c.Close()

	suspended := c.Variables["suspended"]
	var got uint64
	if err := suspended.Get(&got); err != nil || got != right {
		t.Fatalf("loaded with %d (%v), want %d", got, err, right)
	}
	for _, test := range []struct {
		name        string
		off, within time.Duration
	}{
		{"before a suspend of an hour", -time.Hour, time.Millisecond},
		{"too far ahead", time.Hour, time.Millisecond},
		{"right, but for the time between two reads", 100 * time.Microsecond, 0},
	} {
		set := right + uint64(test.off)
		want := right
		if test.within == 0 {
			want = set
		}
		if err := suspended.Set(set); err != nil {
			t.Fatal(err)
		}
		// An interrupt in each of its attempts would have it wait for the next event.
		for range 10 {
			if _, err := c.Programs["on_suspend_resume"].Run(&ebpf.RunOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		if err := suspended.Get(&got); err != nil {
			t.Fatal(err)
		}
		if d := time.Duration(got - want).Abs(); d > test.within {
			t.Errorf("%s: %d, want %d: off by %s", test.name, got, want, d)
		}
	}
}
