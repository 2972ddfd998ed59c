// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"

	"github.com/runc-trace/runc-trace/pkg/config"
	"github.com/runc-trace/runc-trace/test/roottest"
)

// TestPreemptible checks that kernels that can hold a CPU accept the programs as they are for kernels that run these
// with preemption enabled.
func TestPreemptible(t *testing.T) {
	roottest.Require(t)
	kernel, err := btf.LoadKernelSpec()
	if err != nil {
		t.Fatal(err)
	}
	var f *btf.Func
	if kernel.TypeByName("bpf_preempt_disable", &f) != nil {
		return // before 6.10
	}
	spec, err := newSpec(layout(config.SmallestPool(), 0, 1))
	if err != nil {
		t.Fatal(err)
	}
	if err := set(spec, map[string]any{"preemptible": uint32(1)}); err != nil {
		t.Fatal(err)
	}
	c, err := ebpf.NewCollection(spec)
	if err != nil {
		t.Fatalf("%+v", err)
	}
	c.Close()
}
