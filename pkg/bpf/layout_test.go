// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"embed"
	"errors"
	"flag"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/cilium/ebpf/btf"
	"github.com/google/go-cmp/cmp"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
)

// layouts are embedded because on other kernels the test binary runs without its source tree.
//
//go:embed testdata
var layouts embed.FS

var updateLayout = flag.Bool("update", false, "write the golden layout if the version has none yet")

// TestLayoutHasItsVersion compares the layout of the data that programs share, in maps and in tasks' storage, with the
// one recorded when ABI_VERSION was last raised. Programs of one version replace each other while containers run, so a
// difference needs a new version.
func TestLayoutHasItsVersion(t *testing.T) {
	spec, err := loadRecorder()
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for _, name := range maps {
		m := spec.Maps[name]
		if name == abi.PinScratch {
			continue // its contents do not outlive a run
		}
		fmt.Fprintf(&text, "map %s: %v, key %d, value %d, flags %#x\n", name, m.Type, m.KeySize, m.ValueSize, m.Flags)
	}
	for _, shared := range []any{
		abi.Pending{}, abi.Who{}, abi.Identity{}, abi.Torn{}, abi.Ring{}, abi.Writer{}, abi.Syscall{},
		abi.Capture{}, abi.ABI{},
		abi.Entry{}, abi.Call{}, abi.CaptureHeader{}, abi.Exec{}, abi.PendingCall{}, abi.BindRequest{},
		abi.LabelsKey{}, abi.Labels{},
	} {
		s := reflect.TypeOf(shared)
		fmt.Fprintf(&text, "%s: %d bytes\n", s.Name(), s.Size())
		for f := range s.Fields() {
			fmt.Fprintf(&text, "\t%d: %s, %d bytes\n", f.Offset, f.Name, f.Type.Size())
		}
	}
	var s *btf.Struct
	if err := spec.Types.TypeByName("in_flight", &s); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(&text, "in_flight: %d bytes\n", s.Size)
	for _, m := range s.Members {
		size, err := btf.Sizeof(m.Type)
		if err != nil {
			t.Fatalf("member %s: %v", m.Name, err)
		}
		fmt.Fprintf(&text, "\t%d: %s, %d bytes\n", m.Offset.Bytes(), m.Name, size)
	}

	path := fmt.Sprintf("testdata/layout-%d.txt", abi.ABIVersion)
	want, err := layouts.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) && *updateLayout {
		want = []byte(text.String())
		err = os.WriteFile(path, want, 0o644)
	}
	if err != nil {
		t.Fatalf("%v: go test ./pkg/bpf -run TestLayoutHasItsVersion -update writes it", err)
	}
	if diff := cmp.Diff(string(want), text.String()); diff != "" {
		t.Errorf("the layout differs from that of version %d: raise ABI_VERSION in bpf/contract.h (-want +got):\n%s", abi.ABIVersion, diff)
	}
}
