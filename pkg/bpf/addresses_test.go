// SPDX-License-Identifier: Apache-2.0

package bpf_test

import (
	"fmt"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
)

// addresses are those that the worker connects to: a name, and the bytes before what is left out.
var addresses = []struct {
	family byte
	bytes  string
}{
	{unix.AF_UNIX, "/nonexistent/socket\x00"},
	{unix.AF_UNIX, "\x00abstract\x00" + strings.Repeat("a", 96)}, // an abstract name is as long as its address
	{unix.AF_UNIX, strings.Repeat("/longest", 13) + "/end"},      // 108 bytes, no NUL
	{unix.AF_INET, "\x00\x01\x7f\x00\x00\x01"},
	{unix.AF_INET6, "\x00\x01" + strings.Repeat("\x00", 24)},
}

// TestAddresses gives addresses with remains of the stack behind them: calls with the same address are not new.
func TestAddresses(t *testing.T) {
	i := load(t, small)
	d := container(t, i, "/rt-addresses")
	if state := work(t, d, "addresses"); !state.Success() {
		t.Fatal(state)
	}
	var got, want []string
	for _, c := range lane(t, i, "rt-addresses", abi.LaneFirst) {
		if s := c.Syscall(); s != nil && s.Name == "connect" && string(c.Comm) == "worker" {
			got = append(got, fmt.Sprintf("%q", c.Capture(1).Data))
		}
	}
	for _, a := range addresses {
		want = append(want, fmt.Sprintf("%q", string([]byte{a.family, 0})+a.bytes))
	}
	expect(t, got, want...)
}

// addressesWorker connects to each address with two kinds of remains: as long as the address may be, and shorter.
func addressesWorker() {
	worker()
	for _, a := range addresses {
		for _, rest := range []byte{'x', 'y'} {
			for _, length := range []uintptr{128, 110, 48} {
				var address [128]byte
				for n := range address {
					address[n] = rest
				}
				copy(address[:], string([]byte{a.family, 0})+a.bytes)
				if exact := uintptr(2 + len(a.bytes)); length < exact || length > exact && exact > 100 {
					length = exact
				}
				raw(unix.SYS_CONNECT, 1<<20, pointer(&address), length)
			}
		}
	}
}
