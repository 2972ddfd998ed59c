// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/runc-trace/runc-trace/pkg/agent/agenttest"
	"github.com/runc-trace/runc-trace/pkg/bpf"
)

// TestKeepLabels has a pod with more labels than there is room for: the configuration says which are kept,
// regardless of their names.
func TestKeepLabels(t *testing.T) {
	labels := set{"team": "enforced", "example.com/a": "1", "example.com/b": "2"}
	for n := range 60 {
		labels[fmt.Sprintf("a%02d", n)] = strings.Repeat("x", 63)
		labels[fmt.Sprintf("b%02d%s", n, strings.Repeat("y", 60))] = ""
	}
	socket := filepath.Join(t.TempDir(), "cri.sock")
	engine := agenttest.NewCRI(t, socket)
	engine.Put("s0", "u0", 1, false, labels)
	m := newMemory()
	n := &node{t: t, m: m}
	n.start(Config{CRIEndpoints: []string{socket}, KeepLabels: []string{"team", "example.com/*"}})
	eventually(t, "the labels are there", func() bool { _, ok := m.set(bpf.SourceCRI, "u0"); return ok })
	l, _ := m.set(bpf.SourceCRI, "u0")
	if !l.Truncated || l.Set["team"] != "enforced" || l.Set["example.com/a"] != "1" || l.Set["example.com/b"] != "2" {
		t.Errorf("%d of %d labels are kept, truncated %v: %q", len(l.Set), len(labels), l.Truncated, l.Set["team"])
	}
}
