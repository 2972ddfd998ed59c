// SPDX-License-Identifier: Apache-2.0

package syscalls

import (
	"bytes"
	"encoding/binary"
	"strings"
	"unsafe" // for offsets, which are constants

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
)

// File is what a call opened, executed or entered, as the kernel sees it: no other thread can forge it, and it is whole
// if the argument is relative.
type File struct {
	Path      string `json:"path"`                // from the root directory of the task; hostile
	Truncated bool   `json:"truncated,omitempty"` // Path lacks its beginning, or it is empty: that of an earlier call
	Deleted   bool   `json:"deleted,omitempty"`   // the file does not have this name any more
	Detached  bool   `json:"detached,omitempty"`  // Path does not begin at the root directory of the task
	Device    uint64 `json:"device"`              // as in st_dev of stat(2)
	Inode     uint64 `json:"inode"`
	Mode      uint16 `json:"mode"` // type and permissions, as in st_mode
}

// File returns the file of a call, if the record has it.
func (c *Call) File() (File, bool) {
	for i := range c.Captures {
		p := &c.Captures[i]
		if p.Arg != abi.CaptureResult || p.Part != abi.PartFile || len(p.Data) < abi.SizeofResolved {
			continue
		}
		device := binary.LittleEndian.Uint32(p.Data[unsafe.Offsetof(abi.Resolved{}.Device):])
		flags := binary.LittleEndian.Uint16(p.Data[unsafe.Offsetof(abi.Resolved{}.Flags):])
		f := File{
			Truncated: p.Truncated,
			Deleted:   flags&abi.ResolvedDeleted != 0,
			Detached:  flags&abi.ResolvedDetached != 0,
			Device:    uint64(device>>20)<<8 | uint64(device)&0xff | uint64(device)&0xfff00<<12,
			Inode:     binary.LittleEndian.Uint64(p.Data[unsafe.Offsetof(abi.Resolved{}.Inode):]),
			Mode:      binary.LittleEndian.Uint16(p.Data[unsafe.Offsetof(abi.Resolved{}.Mode):]),
		}
		var path strings.Builder
		names := bytes.Split(p.Data[abi.SizeofResolved:], []byte{0})
		for n := len(names) - 1; n >= 0; n-- {
			if len(names[n]) > 0 && string(names[n]) != "/" {
				path.WriteByte('/')
				path.Write(names[n])
			}
		}
		if f.Path = path.String(); f.Path == "" && !f.Truncated {
			f.Path = "/"
		}
		return f, true
	}
	return File{}, false
}
