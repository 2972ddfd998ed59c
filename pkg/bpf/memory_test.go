// SPDX-License-Identifier: Apache-2.0

package bpf_test

import (
	"os"
	"strings"
	"testing"

	"github.com/cilium/ebpf"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
)

// TestMemoryBesideThePools compares docs/security.md with the memory that the kernel allocates outside the pools. For
// each map element, it allocates the next power of two above the size of header, key and value.
func TestMemoryBesideThePools(t *testing.T) {
	text, err := os.ReadFile("../../docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	i := load(t, small)
	for _, c := range []struct {
		pin  string
		size uint32 // bytes of an element, including its header
		says string
	}{
		{abi.PinCallStorage, 512, "- 512 bytes for each thread of a recorded container"},
		{abi.PinLabels, 8 << 10, "- up to 8 KiB for each pod or container whose labels an agent brought"},
	} {
		pinned(t, i.Dir, c.pin, func(m *ebpf.Map) error {
			const header = 76
			if need := m.KeySize() + m.ValueSize() + header; need > c.size || need <= c.size/2 {
				t.Errorf("an element of %s takes %d bytes", c.pin, need)
			}
			return nil
		})
		if !strings.Contains(string(text), c.says) {
			t.Errorf("docs/security.md does not say %q", c.says)
		}
	}
}
