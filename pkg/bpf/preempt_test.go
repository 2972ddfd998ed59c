// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"strings"
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
	if needed, _ := preemptible(); needed == 0 && err != nil && strings.Contains(err.Error(), "use static function") {
		t.Skip("before 6.15, a program that holds the CPU may call no global function, and none has to hold it")
	}
	if err != nil {
		t.Fatalf("%+v", err)
	}
	c.Close()
}
