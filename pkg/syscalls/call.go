// SPDX-License-Identifier: Apache-2.0

package syscalls

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"unsafe" // for offsets, which are constants

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
)

// NumberNone is the Nr of a record without a call: a signal killed the task outside of any call. NumberOther is the Nr
// of all calls whose number is NumberOther or larger: see Number.
const (
	NumberNone  Nr = abi.NumberNone
	NumberOther Nr = abi.NumberOther
)

// Call is a recorded system call. It can be reused for any number of Decodes, which do not allocate.
type Call struct {
	// Native is the native ABI of the machine that the records come from. Decode does not change it; zero means
	// NativeABI().
	Native ABI

	ABI      ABI       // of this call
	Nr       Nr        // within ABI, or NumberNone, or NumberOther
	NArgs    int       // number of recorded arguments in Args
	Args     [6]uint64 // as in the registers; sign-extended if the record has only 32 bits
	Result   int64     // a negative errno is a failure; of an Unfinished call, the task's status as in wait(2)
	Time     uint64    // of the enter, in ns of CLOCK_BOOTTIME
	Duration uint64    // in ns
	TID, PID uint32    // in the initial PID namespace
	// Inner are the same IDs in the task's own PID namespace, or 0 if the record does not have them.
	Inner      IDs
	CPU        uint16
	Comm       []byte // the thread's name, at most 15 bytes, hostile; part of the record
	Unfinished bool   // the task ended in this call
	NoEnter    bool   // seen only at its exit, whose time is Time
	// Abandoned is true if a signal interrupted the call, and the task ended without returning to its program. Decode
	// clears it, because only the task's next record tells.
	Abandoned bool
	// OutOfMemory is true of an Unfinished call if the kernel killed the task because memory ran out.
	OutOfMemory bool
	// Captures is reused by the next Decode.
	Captures []Capture
	// Multiplexed is the call that a call of socketcall(2) or ipc(2) stands for, whose arguments Args are; or nil.
	Multiplexed *Syscall
	// Describe returns what a descriptor of the call's process is, or CWD: before the call or after it. It returns nil if
	// that is not known, and is nil if nothing is. Decode does not change it.
	Describe func(fd int32, after bool) *Descriptor
	// Path is from another record of the same FileKey, if this one leaves the path out. Decode does not change it.
	Path *Capture
	// Waited is the ID, in the initial PID namespace, of the process for which the call waited, or 0. Decode does not
	// change it.
	Waited uint32
	// Withheld is true if memory may be missing because it was not to be recorded, and not because it could not be read.
	// Decode does not change it.
	Withheld bool
}

// IDs are those of a thread and its process in a PID namespace.
type IDs struct{ TID, PID uint32 }

// Capture is the memory that a pointer argument pointed to.
type Capture struct {
	Arg       int    // index of the argument, less than the call's NArgs; or abi.CaptureResult
	Part      int    // of what the argument points to; 0: all of it, or its beginning
	Data      []byte // hostile; part of the record
	Truncated bool   // the memory was longer
	Fault     bool   // the memory could not be read; Data is empty
	Late      bool   // input that could be read only at the call's exit
	Output    bool   // read at the call's exit
	Kernel    bool   // not from the memory of the task: what the kernel made of the argument
}

// Capture returns the memory that an argument pointed to, or nil if none was recorded.
func (c *Call) Capture(arg int) *Capture {
	for i := range c.Captures {
		if c.Captures[i].Arg == arg && c.Captures[i].Part == 0 && !c.Captures[i].Kernel {
			return &c.Captures[i]
		}
	}
	return nil
}

// Child returns the ID, in the initial PID namespace, of the process or thread that the call made, or for which it
// waited.
func (c *Call) Child() (id uint32, ok bool) {
	if c.Waited != 0 {
		return c.Waited, true
	}
	for i := range c.Captures {
		if p := &c.Captures[i]; p.Arg == abi.CaptureResult && p.Part == abi.PartChild && len(p.Data) == 4 {
			return binary.LittleEndian.Uint32(p.Data), true
		}
	}
	return 0, false
}

// Number returns the call's number. If it does not fit an Nr, no ABI has such a call. known is false if the record has
// no call, or is of an older format that did not keep large numbers.
func (c *Call) Number() (number uint32, known bool) {
	switch c.Nr {
	case NumberNone, NumberSignal:
		return 0, false
	case NumberOther:
		if p := c.Capture(0); p != nil && len(p.Data) == 4 {
			return binary.LittleEndian.Uint32(p.Data), true
		}
		return 0, false
	}
	return uint32(c.Nr), true
}

// Failed reports whether the call failed: it returned an errno, it was seen only at its exit, as when seccomp refuses a
// call, or a signal killed the task in it or outside of any call.
func (c *Call) Failed() bool {
	if c.Unfinished || c.Nr == NumberNone {
		return StatusOf(c.Result).Signal != ""
	}
	if d, ok := c.Delivery(); ok {
		return !d.Handled && (isFault(d.Signal) || d.Signal == "SIGKILL" || d.Signal == "SIGABRT")
	}
	return c.NoEnter || c.Result < 0 && -uint64(c.Result) <= maxErrno
}

// Interrupted reports whether a signal interrupted the call, which the kernel or the program may restart.
func (c *Call) Interrupted() bool {
	return !c.Unfinished && !c.Event() && uint64(-c.Result)-firstRestart < uint64(len(restarts))
}

// Syscall returns the call's description, or nil if its number is unknown.
func (c *Call) Syscall() *Syscall {
	if c.ABI == 0 || c.ABI >= abis {
		return nil
	}
	if c.Multiplexed != nil {
		return c.Multiplexed
	}
	return tableOf(c.ABI).lookup(c.Nr)
}

func (c *Call) native() ABI {
	if c.Native == 0 {
		return NativeABI()
	}
	return c.Native
}

// ErrRecord is wrapped by Decode's errors: the bytes are not a record of a call.
var ErrRecord = errors.New("not a record of a system call")

// Offsets of fields in struct call of bpf/contract/records.h.
const (
	offsetTime     = unsafe.Offsetof(abi.Call{}.Entry.Time)
	offsetLength   = unsafe.Offsetof(abi.Call{}.Entry.Length)
	offsetCPU      = unsafe.Offsetof(abi.Call{}.Entry.CPU)
	offsetNumber   = unsafe.Offsetof(abi.Call{}.Entry.Number)
	offsetFlags    = unsafe.Offsetof(abi.Call{}.Entry.Flags)
	offsetTID      = unsafe.Offsetof(abi.Call{}.TID)
	offsetPID      = unsafe.Offsetof(abi.Call{}.PID)
	offsetDuration = unsafe.Offsetof(abi.Call{}.Duration)
	offsetResult   = unsafe.Offsetof(abi.Call{}.Result)
	offsetComm     = unsafe.Offsetof(abi.Call{}.Comm)
)

// entry is the first field, so offsets within it are offsets within the record.
var _ [0]byte = [unsafe.Offsetof(abi.Call{}.Entry)]byte{}

// Decode reads a record: struct call of bpf/contract/records.h and the data that follows it. If the header has a
// length, Decode ignores the bytes beyond it; if it has none, as within struct pending_call, the record is the whole
// slice. Decode does not check the commit word. Comm and the captures' Data point into the record and live as long as
// it does. After an error, which wraps ErrRecord, the Call's fields are undefined.
func (c *Call) Decode(record []byte) error {
	if len(record) < abi.SizeofCall {
		return fmt.Errorf("decoding %d bytes: %w", len(record), ErrRecord)
	}
	if length := int(binary.LittleEndian.Uint16(record[offsetLength:])); length != 0 {
		if length < abi.SizeofCall || length > len(record) {
			return fmt.Errorf("decoding %d bytes of %d: %w", len(record), length, ErrRecord)
		}
		record = record[:length]
	}
	flags := binary.LittleEndian.Uint16(record[offsetFlags:])
	number := binary.LittleEndian.Uint16(record[offsetNumber:])
	c.Time = binary.LittleEndian.Uint64(record[offsetTime:])
	c.CPU = binary.LittleEndian.Uint16(record[offsetCPU:])
	c.TID = binary.LittleEndian.Uint32(record[offsetTID:])
	c.PID = binary.LittleEndian.Uint32(record[offsetPID:])
	c.Duration = duration(record, flags)
	c.Result = int64(int32(binary.LittleEndian.Uint32(record[offsetResult:])))
	c.Nr = Nr(number & abi.NumberMask)
	c.NArgs = int(number >> abi.NumberArgsShift & 7)
	c.Unfinished = flags&abi.CallUnfinished != 0
	c.NoEnter = flags&abi.CallNoEnter != 0
	c.Abandoned = false
	c.OutOfMemory = flags&abi.CallOom != 0
	c.ABI = abiOf(number, c.native())
	if c.NArgs > len(c.Args) {
		return fmt.Errorf("decoding a call with %d arguments: %w", c.NArgs, ErrRecord)
	}
	if err := c.decodeBody(record, flags); err != nil {
		return err
	}
	if n := int64(int32(c.Result)); c.ABI.is32() && n < 0 && n >= -maxErrno {
		c.Result = n // a register of 32 bits, which sigreturn has restored
	}
	c.takeApart()
	return nil
}

// decodeBody reads the data that follows the header.
func (c *Call) decodeBody(record []byte, flags uint16) error {
	at, comm := abi.SizeofCall, record[offsetComm:abi.SizeofCall]
	length := 0
	if flags&abi.CallLongComm != 0 {
		length += 8
	}
	if flags&abi.CallPids != 0 {
		length += abi.SizeofInnerPids
	}
	if flags&abi.CallWideResult != 0 {
		length += 8
	}
	for i := range c.NArgs {
		length += 4 + int(flags>>i&1)*4
	}
	if at+length > len(record) {
		return fmt.Errorf("decoding %d bytes with %d behind the header: %w", len(record), length, ErrRecord)
	}
	if flags&abi.CallLongComm != 0 {
		at += 8
		comm = record[offsetComm:at]
	}
	if end := bytes.IndexByte(comm, 0); end >= 0 {
		comm = comm[:end]
	}
	c.Comm = comm
	c.Inner.TID, c.Inner.PID = 0, 0
	if flags&abi.CallPids != 0 {
		c.Inner.TID = binary.LittleEndian.Uint32(record[at+int(unsafe.Offsetof(abi.InnerPids{}.TID)):])
		c.Inner.PID = binary.LittleEndian.Uint32(record[at+int(unsafe.Offsetof(abi.InnerPids{}.PID)):])
		at += abi.SizeofInnerPids
	}
	if flags&abi.CallWideResult != 0 {
		c.Result = int64(binary.LittleEndian.Uint64(record[at:]))
		at += 8
	}
	c.Args = [6]uint64{}
	for i := range c.NArgs {
		if flags>>i&1 != 0 {
			c.Args[i] = binary.LittleEndian.Uint64(record[at:])
			at += 8
		} else {
			c.Args[i] = uint64(int32(binary.LittleEndian.Uint32(record[at:])))
			at += 4
		}
	}
	return c.decodeCaptures(record[at:])
}

func (c *Call) decodeCaptures(body []byte) error {
	c.Captures = c.Captures[:0]
	for len(body) > 0 {
		if len(body) < abi.SizeofCaptureHeader {
			return fmt.Errorf("decoding capture %d in %d bytes: %w", len(c.Captures), len(body), ErrRecord)
		}
		length := int(binary.LittleEndian.Uint16(body))
		arg, part, flags := int(body[2]&abi.CaptureArgMask), int(body[2]>>abi.CapturePartShift), body[3]
		body = body[abi.SizeofCaptureHeader:]
		if length > len(body) || arg >= c.NArgs && arg != abi.CaptureResult {
			return fmt.Errorf("decoding capture of %d bytes of argument %d: %w", length, arg, ErrRecord)
		}
		c.Captures = append(c.Captures, Capture{
			Arg:       arg,
			Part:      part,
			Data:      body[:length:length],
			Truncated: flags&abi.CaptureTruncated != 0,
			Fault:     flags&abi.CaptureFault != 0,
			Late:      flags&abi.CaptureLate != 0,
			Output:    flags&abi.CaptureOutput != 0,
			Kernel:    flags&abi.CaptureKernel != 0,
		})
		body = body[length:]
	}
	return nil
}
