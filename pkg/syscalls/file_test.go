// SPDX-License-Identifier: Apache-2.0

package syscalls_test

import (
	"encoding/binary"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/syscalls"
	"github.com/runc-trace/runc-trace/pkg/syscalls/recordtest"
)

func TestFile(t *testing.T) {
	for components, want := range map[string]syscalls.File{
		"":                   {}, // the path is in the record of an earlier call
		"f\x00b\x00a\x00":    {Path: "/a/b/f"},
		"cut":                {Path: "/cut"},
		"a\x1bb\x00\xff\x00": {Path: "/\xff/a\x1bb"},
	} {
		resolved := abi.Resolved{Inode: 7, Device: 259<<20 | 0x12345, Mode: 0o100644}
		data, err := binary.Append(nil, binary.NativeEndian, resolved)
		if err != nil {
			t.Fatal(err)
		}
		c := call(t, "openat", 3, 0, 0, 0, 0)
		c.Captures = []syscalls.Capture{{
			Arg: abi.CaptureResult, Part: abi.PartFile, Data: append(data, components...), Kernel: true, Truncated: true,
		}}
		got := syscalls.Call{Native: syscalls.AMD64}
		if err := got.Decode(recordtest.Append(nil, &c)); err != nil {
			t.Fatal(err)
		}
		want.Truncated, want.Inode, want.Mode, want.Device = true, 7, 0o100644, 0x12310345
		file, ok := got.File()
		if diff := cmp.Diff(want, file); diff != "" || !ok {
			t.Errorf("%q (-want +got):\n%s", components, diff)
		}
		if j := got.JSON(false); j.File == nil || *j.File != want || j.Child != nil {
			t.Errorf("JSON has %+v, child %v", j.File, j.Child)
		}
	}
	made := call(t, "socket", 3, 2, 1, 0)
	data, err := binary.Append(nil, binary.NativeEndian, abi.Resolved{Inode: 7, Mode: 0o140777})
	if err != nil {
		t.Fatal(err)
	}
	made.Captures = []syscalls.Capture{{Arg: abi.CaptureResult, Part: abi.PartFile, Data: data, Kernel: true}}
	if file, ok := made.File(); ok || !slices.Equal(made.Inodes(), []uint64{7}) {
		t.Errorf("a socket has the file %+v, the inodes %d", file, made.Inodes())
	}
	root := call(t, "chdir", 0, 0)
	if data, err = binary.Append(nil, binary.NativeEndian, abi.Resolved{Inode: 2, Mode: 0o40755}); err != nil {
		t.Fatal(err)
	}
	root.Captures = []syscalls.Capture{{Arg: abi.CaptureResult, Part: abi.PartFile, Data: data, Kernel: true}}
	if file, ok := root.File(); !ok || file.Path != "/" || root.Inodes() != nil {
		t.Errorf("the root directory is %+v, inodes %d", file, root.Inodes())
	}
	c := call(t, "openat", 3, 0, 0, 0, 0)
	if file, ok := c.File(); ok || c.Inodes() != nil {
		t.Errorf("a record without a file has %+v", file)
	}
}
