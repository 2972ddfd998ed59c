// SPDX-License-Identifier: Apache-2.0

package bpf_test

import (
	"testing"

	"github.com/runc-trace/runc-trace/pkg/bpf"
	"github.com/runc-trace/runc-trace/test/roottest"
)

// TestTry checks that Try succeeds on this kernel, as Load does in the other tests.
func TestTry(t *testing.T) {
	roottest.Require(t)
	if err := bpf.Try(); err != nil {
		t.Error(err)
	}
}

func TestMounted(t *testing.T) {
	roottest.Require(t)
	if err := bpf.Mount(); err != nil {
		t.Fatal(err)
	}
	for dir, want := range map[string]bool{"/sys/fs/bpf": true, "/sys/fs/bpf/not/made": true,
		"/sys/fs": false, "/not/made": false} {
		if got, err := bpf.Mounted(dir); err != nil || got != want {
			t.Errorf("%s: %v, %v; want %v", dir, got, err, want)
		}
	}
}
