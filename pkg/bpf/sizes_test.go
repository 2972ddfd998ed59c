// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/config"
)

// layout3 is the size of a recording before layout 4, when one ring held all calls.
const layout3 = 256 << 10

func TestResolve(t *testing.T) {
	const gib = 1 << 30
	for _, test := range []struct {
		name              string
		change            func(*config.Pool)
		memory            uint64
		rings, identities int
	}{
		{"a large machine", func(*config.Pool) {}, 64 * gib, 256, 4096},
		{"a machine of 4 GiB", func(*config.Pool) {}, 4 * gib, 98, 1568},
		{"a small machine", func(*config.Pool) {}, gib / 2, 16, 256},
		{"large recordings", func(p *config.Pool) { p.RingSize = 64 << 20 }, 64 * gib, 16, 256},
		{"large recordings on a small machine", func(p *config.Pool) { p.RingSize = 64 << 20 }, 2 * gib, 3, 48},
		{"a number of recordings", func(p *config.Pool) { p.Rings = 1000 }, gib, 1000, 16000},
		{"a number of identities", func(p *config.Pool) { p.Identities = 64 }, 64 * gib, 32, 64},
	} {
		p := config.DefaultPool()
		test.change(&p)
		p = resolve(p, test.memory)
		if p.Rings != test.rings || p.Identities != test.identities {
			t.Errorf("%s: %d recordings and %d identities, want %d and %d", test.name, p.Rings, p.Identities, test.rings,
				test.identities)
		}
		if err := p.Validate(); err != nil {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}

// TestShares gives each lane its share, and the lane recent no less than the only ring of earlier layouts had.
func TestShares(t *testing.T) {
	p := share(config.DefaultPool())
	if p.RecentSize < layout3 {
		t.Errorf("the lane recent has %v", p.RecentSize)
	}
	p = share(config.Pool{RingSize: 32 << 10, SaidSize: 64 << 10})
	want := [abi.Lanes]config.Size{abi.LaneRecent: 16 << 10, abi.LaneFirst: 4 << 10, abi.LaneFiles: 4 << 10,
		abi.LaneDistinct: 4 << 10, abi.LaneSaid: 64 << 10, abi.LaneRuntime: 4 << 10}
	for lane, size := range laneSizes(&p) {
		if *size != want[lane] {
			t.Errorf("lane %d has %v, want %v", lane, *size, want[lane])
		}
	}
}

// TestAllows compares a pool with what is loaded: what the pool leaves to be chosen may differ.
func TestAllows(t *testing.T) {
	loaded := resolve(config.DefaultPool(), 4<<30)
	for _, test := range []struct {
		name   string
		change func(*config.Pool)
		want   bool
	}{
		{"the same", func(p *config.Pool) { *p = loaded }, true},
		{"nothing in particular", func(*config.Pool) {}, true},
		{"another number of recordings", func(p *config.Pool) { p.Rings = 1 }, false},
		{"another size", func(p *config.Pool) { p.RingSize *= 2 }, false},
		{"another share", func(p *config.Pool) { p.SaidSize = 4 << 10 }, false},
		{"the share that it has", func(p *config.Pool) { p.SaidSize = loaded.SaidSize }, true},
		{"captures of no bytes", func(p *config.Pool) { p.CaptureSize = 0 }, false},
	} {
		p := config.DefaultPool()
		test.change(&p)
		if got := allows(p, loaded); got != test.want {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
	}
	if diff := cmp.Diff(loaded, pool(layout(loaded, 1, 2))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
