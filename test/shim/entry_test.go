// SPDX-License-Identifier: Apache-2.0

package shim_test

import (
	"debug/elf"
	"testing"

	"github.com/runc-trace/runc-trace/test/entry"
)

// TestEntry checks that `make build-shim` gives the shim its own entry point.
func TestEntry(t *testing.T) {
	program, err := elf.Open(shimPath)
	if err != nil {
		t.Fatal(err)
	}
	defer program.Close()
	if begin, err := entry.Of(program); err != nil || begin != entry.Shim {
		t.Errorf("it begins with %q, %v", begin, err)
	}
}
