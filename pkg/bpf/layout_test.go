// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"embed"
	"errors"
	"flag"
	"fmt"
	"hash/fnv"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/cilium/ebpf/btf"
	"github.com/google/go-cmp/cmp"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/config"
)

// layouts are embedded because on other kernels the test binary runs without its source tree.
//
//go:embed testdata abi/zz_contract.go
var layouts embed.FS

var updateLayout = flag.Bool("update", false, "write the golden layout if the version has none yet")

// TestLayoutHasItsVersion compares what builds of one version share with the text that was written when ABI_VERSION was
// last raised: the maps with their sizes, the contract, the data in tasks' storage, and the keys of signatures.
// Programs of one version replace each other while containers run, and each tracectl reads all of them, so a
// difference needs a new version. Counters may be added.
func TestLayoutHasItsVersion(t *testing.T) {
	path := fmt.Sprintf("testdata/layout-%d.txt", abi.ABIVersion)
	want, err := layouts.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) && *updateLayout {
		want = []byte(sharedText(t, abi.Counters))
		err = os.WriteFile(path, want, 0o644)
	}
	if err != nil {
		t.Fatalf("%v: go test ./pkg/bpf -run TestLayoutHasItsVersion -update writes it", err)
	}
	counters := len(counterLine.FindAll(want, -1))
	if diff := cmp.Diff(string(want), sharedText(t, counters)); diff != "" {
		t.Errorf("the layout differs from that of version %d: raise ABI_VERSION in bpf/contract/limits.h (-want +got):\n%s",
			abi.ABIVersion, diff)
	}
}

// counterLine is the line of a counter in the contract.
var counterLine = regexp.MustCompile(`(?m)^Count[A-Z]\w* = (0x\w+)\n`)

// sharedText describes what builds share, with the first counters only.
func sharedText(t *testing.T, counters int) string {
	spec, err := loadRecorder()
	if err != nil {
		t.Fatal(err)
	}
	// These sizes differ from each other, so that a map that gets another one shows.
	pool := share(config.Pool{Rings: 3, RingSize: 64 << 10, Identities: 7, ExecLogSize: 4 << 20, CaptureSize: 128,
		ArgvSize: 4096})
	const cpus = 5
	layout := layout(pool, 1, cpus)
	if err := size(spec, layout); err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for _, name := range maps {
		m := spec.Maps[name]
		fmt.Fprintf(&text, "map %s: %v, %d of key %d, value %d, flags %#x\n", name, m.Type, m.MaxEntries, m.KeySize,
			m.ValueSize, m.Flags)
	}
	fmt.Fprintf(&text, "layout of %v: %+v\n", pool, layout)
	sum := fnv.New64a()
	fmt.Fprint(sum, keys(1))
	fmt.Fprintf(&text, "keys of signatures: %#x\n", sum.Sum64())

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
		fmt.Fprintf(&text, "%d: %s, %d bytes\n", m.Offset.Bytes(), m.Name, size)
	}

	contract, err := layouts.ReadFile("abi/zz_contract.go")
	if err != nil {
		t.Fatal(err)
	}
	_, types, _ := strings.Cut(string(contract), "package abi\n")
	types, _, _ = strings.Cut(types, "\n// Reasons") // texts are not shared
	for line := range strings.Lines(types) {
		line = strings.Join(strings.Fields(line), " ") + "\n"
		if c := counterLine.FindStringSubmatch(line); c != nil {
			if n, err := strconv.ParseUint(c[1], 0, 32); err != nil || n >= uint64(counters) {
				continue
			}
		}
		if !strings.HasPrefix(line, "Counters = ") && line != "\n" {
			text.WriteString(line)
		}
	}
	return text.String()
}

// TestSpareCounter checks that a build with one more counter has the layout of the build before, and that the next
// counters find room.
func TestSpareCounter(t *testing.T) {
	after := sharedText(t, abi.Counters)
	lines := counterLine.FindAllString(after, -1)
	if len(lines) != abi.Counters {
		t.Fatalf("%d counters are among what builds share: %q", len(lines), lines)
	}
	before := strings.Replace(after, lines[abi.Counters-1], "", 1)
	if diff := cmp.Diff(before, sharedText(t, abi.Counters-1)); diff != "" {
		t.Errorf("one more counter changes the layout (-want +got):\n%s", diff)
	}
	if abi.Counters > abi.CountersMax-16 {
		t.Errorf("%d of %d counters are in use: the next layout needs more", abi.Counters, abi.CountersMax)
	}
}
