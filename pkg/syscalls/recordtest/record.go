// SPDX-License-Identifier: Apache-2.0

// Package recordtest writes records of system calls as the kernel does, for tests of readers.
package recordtest

import (
	"encoding/binary"
	"fmt"
	"unsafe" // for an offset, which is a constant

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/syscalls"
)

// Number returns the number of a call by its name. It panics if the ABI has no such call.
func Number(a syscalls.ABI, name string) syscalls.Nr {
	if nr, ok := syscalls.Find(a, name); ok {
		return nr
	}
	panic(fmt.Sprintf("%v has no call %q", a, name))
}

// SetArgs sets the arguments of a call: numbers, and text or bytes that they point to.
func SetArgs(c *syscalls.Call, args ...any) {
	const pointer = 0x7000
	c.NArgs = len(args)
	for i, arg := range args {
		var data []byte
		switch arg := arg.(type) {
		case int:
			c.Args[i] = uint64(arg)
			continue
		case string:
			data = []byte(arg)
		case []byte:
			data = arg
		}
		c.Args[i] = pointer
		c.Captures = append(c.Captures, syscalls.Capture{Arg: i, Data: data})
	}
}

// Append appends the record of a call: the header with a commit word of zero, the body, and padding to a multiple of 8
// bytes. If a duration does not fit 32 bits in its unit, its upper bits are lost, as in the kernel. Append panics if
// the contract has no record for the call.
func Append(dst []byte, c *syscalls.Call) []byte {
	start := len(dst)
	dst = appendCall(dst, c)
	binary.LittleEndian.PutUint16(dst[start+int(unsafe.Offsetof(abi.Entry{}.Length)):], uint16(len(dst)-start))
	for (len(dst)-start)%8 != 0 {
		dst = append(dst, 0xa5) // the content of padding is arbitrary
	}
	return dst
}

// AppendPending appends a struct pending_call and its body, as the iterator in_flight prints a call that has not
// returned. Its header has no length.
func AppendPending(dst []byte, cgroup uint64, ring, generation uint32, c *syscalls.Call) []byte {
	body := appendCall(nil, c)
	header := abi.PendingCall{
		Cgroup: cgroup, Ring: ring, RingGeneration: generation, BodyLength: uint32(len(body) - abi.SizeofCall),
	}
	dst = appendStruct(dst, header)
	dst = dst[:len(dst)-abi.SizeofCall]
	return append(dst, body...)
}

// appendCall appends the header, with a length of zero, and the body, without padding.
func appendCall(dst []byte, c *syscalls.Call) []byte {
	if c.NArgs > abi.ArgsMax || c.Nr > abi.NumberMask || len(c.Comm) >= abi.CommSize {
		panic(fmt.Sprintf("no record can hold %+v", *c))
	}
	native := c.Native
	if native == 0 {
		native = syscalls.NativeABI()
	}
	number, flags := uint16(c.Nr)|uint16(c.NArgs)<<abi.NumberArgsShift, uint16(0)
	switch c.ABI {
	case native, 0:
	case syscalls.X32:
		number |= abi.NumberX32 << abi.NumberABIShift
	case syscalls.CompatABI(native):
		number |= abi.NumberCompat << abi.NumberABIShift
	default:
		panic(fmt.Sprintf("a machine of ABI %v has no %v", native, c.ABI))
	}
	for i, v := range c.Args[:c.NArgs] {
		if v != uint64(int32(v)) {
			flags |= 1 << i
		}
	}
	if c.Result != int64(int32(c.Result)) {
		flags |= abi.CallWideResult
	}
	if len(c.Comm) > 8 {
		flags |= abi.CallLongComm
	}
	if c.Inner.TID != 0 {
		flags |= abi.CallPids
	}
	if c.Unfinished {
		flags |= abi.CallUnfinished
	}
	if c.OutOfMemory {
		flags |= abi.CallOom
	}
	if c.NoEnter {
		flags |= abi.CallNoEnter
	}
	duration, unit := c.Duration, uint16(0)
	for ; duration > 0xffffffff && unit < 3; unit++ {
		duration /= 1000
	}
	flags |= unit << abi.CallUnitShift

	header := abi.Call{
		Entry:    abi.Entry{Time: c.Time, CPU: c.CPU, Number: number, Flags: flags},
		TID:      c.TID,
		PID:      c.PID,
		Duration: uint32(duration),
		Result:   uint32(c.Result),
	}
	var comm [abi.CommSize]byte
	copy(comm[:], c.Comm)
	copy(header.Comm[:], comm[:])
	dst = appendStruct(dst, header)
	if flags&abi.CallLongComm != 0 {
		dst = append(dst, comm[8:]...)
	}
	if flags&abi.CallPids != 0 {
		dst = appendStruct(dst, abi.InnerPids{TID: c.Inner.TID, PID: c.Inner.PID})
	}
	if flags&abi.CallWideResult != 0 {
		dst = binary.LittleEndian.AppendUint64(dst, uint64(c.Result))
	}
	for i, v := range c.Args[:c.NArgs] {
		if flags>>i&1 != 0 {
			dst = binary.LittleEndian.AppendUint64(dst, v)
		} else {
			dst = binary.LittleEndian.AppendUint32(dst, uint32(v))
		}
	}
	for _, p := range c.Captures {
		dst = appendCapture(dst, &p)
	}
	return dst
}

func appendCapture(dst []byte, p *syscalls.Capture) []byte {
	var flags uint8
	if p.Truncated {
		flags |= abi.CaptureTruncated
	}
	if p.Fault {
		flags |= abi.CaptureFault
	}
	if p.Late {
		flags |= abi.CaptureLate
	}
	if p.Output {
		flags |= abi.CaptureOutput
	}
	if p.Kernel {
		flags |= abi.CaptureKernel
	}
	tag := uint8(p.Arg) | uint8(p.Part)<<abi.CapturePartShift
	dst = appendStruct(dst, abi.CaptureHeader{Length: uint16(len(p.Data)), Tag: tag, Flags: flags})
	return append(dst, p.Data...)
}

func appendStruct(dst []byte, v any) []byte {
	dst, err := binary.Append(dst, binary.LittleEndian, v)
	if err != nil {
		panic(err) // impossible: v is of package abi and has a fixed size
	}
	return dst
}
