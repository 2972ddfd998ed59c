// SPDX-License-Identifier: Apache-2.0

package straceback

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestImports checks that the decoders import no eBPF and build on other systems.
func TestImports(t *testing.T) {
	list := exec.Command("go", "list", "-deps", "../ring", "../syscalls", "../terminal", "../labels", "../execlog", ".")
	list.Env = append(os.Environ(), "GOOS=darwin", "CGO_ENABLED=0")
	output, err := list.Output()
	if err != nil {
		t.Fatalf("listing imports: %v", err)
	}
	if !strings.Contains(string(output), "pkg/straceback\n") {
		t.Fatalf("listed:\n%s", output)
	}
	for _, name := range strings.Fields(string(output)) {
		if strings.HasPrefix(name, "github.com/cilium/ebpf") || strings.HasSuffix(name, "runc-trace/pkg/bpf") {
			t.Errorf("the decoders import %s", name)
		}
	}
}
