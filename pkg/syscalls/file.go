// SPDX-License-Identifier: Apache-2.0

package syscalls

import (
	"bytes"
	"encoding/binary"
	pathpkg "path"
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

// FileKey tells the file of a call, and the argument that led to it, apart from others. A record leaves the path out if
// the recording keeps another record of the same key.
type FileKey struct {
	Device uint32 // as in the kernel
	Inode  uint64
	Given  string // the path among the arguments; hostile
}

// FileKey returns the key of a call's file, and the capture with its path, which is nil if the record leaves it out.
func (c *Call) FileKey() (key FileKey, path *Capture, ok bool) {
	p := c.resolved()
	if p == nil {
		return FileKey{}, nil, false
	}
	key.Device, key.Inode = deviceOf(p), inodeOf(p)
	if given := c.given(); given != nil {
		key.Given = string(given.Data)
	}
	if leavesOut(p) {
		return key, nil, true
	}
	return key, p, true
}

// given returns the capture of the path among the arguments, or nil.
func (c *Call) given() *Capture {
	for i := range c.Captures {
		if given := &c.Captures[i]; given.Part == 0 && !given.Kernel && !given.Output {
			return given
		}
	}
	return nil
}

// Reaches reports whether the path in a capture, which another record of the same FileKey has, is that of the call's
// file. If the argument is relative, it must be so from the directory of this call: from another one, the argument can
// lead to the same file by another name, or on another mount.
func (c *Call) Reaches(path *Capture) bool {
	given := c.given()
	if given == nil { // fchdir, for one
		d := c.described(0)
		return d != nil && d.Path == fileOf(path).Path
	}
	name := bytes.TrimSuffix(given.Data, []byte{0})
	if len(name) > 0 && name[0] == '/' {
		return true
	}
	whole := c.whole(given.Arg, name, 0)
	if len(name) == 0 && given.Arg > 0 { // AT_EMPTY_PATH
		whole = c.described(given.Arg - 1)
	}
	return whole != nil && pathpkg.Clean(whole.Path) == fileOf(path).Path
}

// described returns what the descriptor in an argument is before the call, or nil.
func (c *Call) described(arg int) *Descriptor {
	if c.Describe == nil {
		return nil
	}
	return c.Describe(int32(c.Args[arg]), false)
}

// resolved returns the capture with a struct resolved and a path, or nil.
func (c *Call) resolved() *Capture {
	if p := c.result(abi.PartFile); p != nil && !isMade(p) {
		return p
	}
	return nil
}

// result returns a struct resolved, and what follows it, of what the call made, or nil.
func (c *Call) result(part int) *Capture {
	for i := range c.Captures {
		p := &c.Captures[i]
		if p.Arg == abi.CaptureResult && p.Part == part && len(p.Data) >= abi.SizeofResolved {
			return p
		}
	}
	return nil
}

// isMade reports whether a struct resolved is of a socket or a pipe that the call made: it has no path. The path of the
// root directory has no components either.
func isMade(p *Capture) bool {
	const typeMask, directory = 0o170000, 0o040000
	return !p.Truncated && len(p.Data) == abi.SizeofResolved && modeOf(p)&typeMask != directory
}

// Inodes returns those of the sockets or the pipe that the call made, in the order of its descriptors.
func (c *Call) Inodes() (inodes []uint64) {
	for i := range c.Captures {
		p := &c.Captures[i]
		if p.Arg == abi.CaptureResult && p.Part == abi.PartFile && len(p.Data) >= abi.SizeofResolved && isMade(p) {
			inodes = append(inodes, inodeOf(p))
		}
	}
	return inodes
}

// Beginning returns what a program has that was executed from outside of the container: with CWD its current directory,
// with 0, 1 and 2 its standard input, output and error. Ok is false for any other call.
func (c *Call) Beginning(fd int32) (f File, ok bool) {
	part := abi.PartStdio + int(fd)
	if fd == CWD {
		part = abi.PartCwd
	}
	if p := c.result(part); p != nil {
		return fileOf(p), true
	}
	return File{}, false
}

func leavesOut(p *Capture) bool { return p.Truncated && len(p.Data) == abi.SizeofResolved }

func deviceOf(p *Capture) uint32 {
	return binary.LittleEndian.Uint32(p.Data[unsafe.Offsetof(abi.Resolved{}.Device):])
}

func inodeOf(p *Capture) uint64 {
	return binary.LittleEndian.Uint64(p.Data[unsafe.Offsetof(abi.Resolved{}.Inode):])
}

func modeOf(p *Capture) uint16 {
	return binary.LittleEndian.Uint16(p.Data[unsafe.Offsetof(abi.Resolved{}.Mode):])
}

// File returns the file of a call, if the record has it. If the record leaves the path out, it is that of c.Path.
func (c *Call) File() (File, bool) {
	p := c.resolved()
	if p == nil {
		return File{}, false
	}
	f := fileOf(p)
	if leavesOut(p) && c.Path != nil {
		f.setPath(c.Path)
		f.Detached = fileOf(c.Path).Detached
	}
	return f, true
}

// fileOf returns the file of a struct resolved and the components behind it.
func fileOf(p *Capture) File {
	device := deviceOf(p)
	flags := binary.LittleEndian.Uint16(p.Data[unsafe.Offsetof(abi.Resolved{}.Flags):])
	f := File{
		Deleted:  flags&abi.ResolvedDeleted != 0,
		Detached: flags&abi.ResolvedDetached != 0,
		Device:   uint64(device>>20)<<8 | uint64(device)&0xff | uint64(device)&0xfff00<<12,
		Inode:    inodeOf(p),
		Mode:     modeOf(p),
	}
	f.setPath(p)
	return f
}

// setPath joins the components of a path, of which the last one comes first.
func (f *File) setPath(p *Capture) {
	f.Truncated = p.Truncated
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
}
