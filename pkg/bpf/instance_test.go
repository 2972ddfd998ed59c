// SPDX-License-Identifier: Apache-2.0

package bpf_test

import (
	"bytes"
	"fmt"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/runc-trace/runc-trace/pkg/bpf"
	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/ring"
)

// TestInstance reads identities and recordings one by one, and checks that an instance keeps no more memory mapped than
// it needs for that.
func TestInstance(t *testing.T) {
	loaded := load(t, small)
	containers := map[string]bool{}
	for n := range 6 { // more than the rings of the pool
		path := fmt.Sprintf("/rt-instance-%d", n)
		in := container(t, loaded, path)
		containers[path[1:]] = true
		if n == 0 {
			run(t, in, "sh", "-c", "i=0; while [ $i -lt 4000 ]; do umask; i=$((i + 1)); done >/dev/null")
		}
	}
	others := mappings(t)
	i, err := bpf.Open(loaded.Dir)
	if err != nil {
		t.Fatal(err)
	}
	defer i.Close()
	for index := range i.Pool().Identities {
		if found, ok := i.Identity(index); ok {
			name, _, _ := bytes.Cut(found.Who.ID[:], []byte{0})
			delete(containers, string(name))
		}
	}
	if len(containers) > 0 {
		t.Errorf("without an identity: %v", containers)
	}
	if _, ok := i.Identity(i.Pool().Identities); ok {
		t.Error("an identity beyond the last one")
	}
	headers := map[int]ring.Header{}
	oldest := map[int][]byte{}
	if err := i.RecordingHeaders(func(index int, h ring.Header) { headers[index] = h }); err != nil {
		t.Fatal(err)
	}
	lapped := 0
	for index, h := range headers {
		if oldest[index], err = i.OldestRecord(index); err != nil {
			t.Fatal(err)
		}
		if h.Head-h.Base > uint64(i.Layout.LaneSizes[abi.LaneRecent]) {
			lapped++
		}
	}
	if lapped != 1 {
		t.Errorf("%d recordings have overwritten calls, not that of one container", lapped)
	}
	if _, err := i.ExecLogHeaders(); err != nil {
		t.Error(err)
	}
	if maps := mappings(t); maps != others+2 {
		t.Errorf("%d mappings, not only the writers and a window of the identities", maps-others)
	}
	bpf.MapTogether(256 << 10) // so that several mappings are needed
	defer bpf.MapTogether(64 << 20)
	for index, h := range headers {
		r, err := i.Recording(index)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(r.Header(), h); diff != "" || h.Generation == 0 {
			t.Errorf("recording %d (-mapped +header):\n%s", index, diff)
		}
		all, err := r.Lanes[abi.LaneRecent].Read(0, false)
		if err != nil {
			t.Fatal(err)
		}
		if len(all.Records) > 0 && !bytes.Equal(oldest[index], all.Records[0]) {
			t.Errorf("recording %d: the oldest record is %x, want %x", index, oldest[index], all.Records[0])
		}
	}
	if maps := mappings(t) - others; maps < 4 {
		t.Errorf("%d mappings for recordings of more than 256 KiB each", maps)
	}
	if len(headers) != small.Rings {
		t.Errorf("%d recordings", len(headers))
	}
	if err := i.Close(); err != nil {
		t.Fatal(err)
	}
	if maps := mappings(t); maps != others {
		t.Errorf("%d mappings are left after Close", maps-others)
	}
}

// mappings counts the mappings of eBPF maps in this process.
func mappings(t *testing.T) int {
	text, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Count(text, []byte("bpf-map"))
}
