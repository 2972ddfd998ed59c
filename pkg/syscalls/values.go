// SPDX-License-Identifier: Apache-2.0

package syscalls

import (
	"encoding/binary"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
)

// Values appends the arguments that the call takes, with what they point to, as far as it was recorded. inFlight says
// that the call has not returned: otherwise, input that has no capture was unreadable.
func (c *Call) Values(dst []Value, inFlight bool) []Value {
	t := tape{values: dst, verbose: true}
	c.addArguments(&t, inFlight)
	return t.values
}

// addArguments adds the arguments that the call takes.
func (c *Call) addArguments(t *tape, inFlight bool) {
	s, n, start := c.Syscall(), min(max(c.NArgs, 0), len(c.Args)), len(t.values)
	if s == nil {
		for i := range n {
			t.add(Value{Kind: KindHex, Number: c.Args[i]})
		}
		return
	}
	for i := range s.Args[:min(len(s.Args), n)] {
		a := &s.Args[i]
		if a.forms != nil {
			form, kept := c.formOf(a)
			if form == nil && !(kept && t.registers) {
				continue
			}
			if form != nil {
				a = form
			}
		}
		if i > 0 && a.half != "" && s.Args[i-1].half == a.half {
			c.joinHalves(t, &s.Args[i-1], a, i)
			continue
		}
		c.addArgument(t, a, i, !inFlight)
	}
	if len(s.Args) == 0 {
		if p := c.part(abi.CaptureResult, abi.PartBlocked); p != nil && len(p.Data) >= 8 {
			t.add(Value{Kind: KindSignals, Name: "mask", Marks: Output, Number: binary.LittleEndian.Uint64(p.Data)})
		}
	}
	c.describe(t.values[start:])
}

// joinHalves makes argument i and the one before it, which has been added, one number of 64 bits.
func (c *Call) joinHalves(t *tape, before, a *Arg, i int) {
	low, high := c.Args[i-1], c.Args[i]
	if before.high {
		low, high = high, low
	}
	v := &t.values[len(t.values)-1]
	v.Name, v.Number = a.half, uint64(uint32(low))|high<<32
	if v.Kind = KindInt; a.half == "mask" || a.half == "cookie" {
		v.Kind = KindHex
	}
}

// addArgument adds argument i.
func (c *Call) addArgument(t *tape, a *Arg, i int, ended bool) {
	k, index := &kinds[a.kind], len(t.values)
	v := t.next(k.value)
	v.Name, v.Number, v.table = a.Name, c.Args[i], a.flags
	switch {
	case a.kind == kindID16:
		if v.Number = uint64(uint16(v.Number)); v.Number == 0xffff { // low2highuid in include/linux/highuid.h
			v.Number = 0xffffffff
		}
	case a.kind == kindMode || a.kind == kindFileMode:
		v.Number = uint64(uint16(v.Number))
	case a.kind == kindDev: // new_decode_dev in include/linux/kdev_t.h
		v.Number = uint64(uint32(v.Number))
	case k.signed && !a.wide():
		v.Number = uint64(int32(v.Number))
	case k.signed:
		v.Number = uint64(c.signedWord(v.Number))
	case !a.wide():
		v.Number = uint64(uint32(v.Number))
	default:
		v.Number = c.word(v.Number)
	}
	if a.kind == kindRing {
		c.addOperations(t, i)
		t.close(index)
		return
	}
	if a.kind == kindCommand && c.Capture(i) == nil {
		v.Kind = KindHex
	}
	if v.Kind != KindPointer {
		return
	}
	if a.written {
		v.Marks = Output
	}
	if v.Number != 0 {
		c.addPointed(t, a, i, ended)
		t.close(index)
	}
}

// addPointed adds the memory that argument i, which is not NULL, points to.
func (c *Call) addPointed(t *tape, a *Arg, i int, ended bool) {
	before := len(t.values)
	switch a.kind {
	case kindVectorIn, kindVectorOut:
		c.addVector(t, a, i)
	case kindMessageIn, kindMessageOut:
		c.addMessages(t, a, i, false)
	case kindMessagesIn, kindMessagesOut:
		c.addMessages(t, a, i, true)
	case kindSigmask:
		c.addSigmask(t, i)
	case kindQueuedIn, kindQueuedOut:
		c.addQueued(t, i)
	case kindControlBlocks:
		c.addControlBlocks(t, tableOf(c.ABI).layouts["iocb"], i)
	case kindArgv, kindEnvp:
		c.addStrings(t, i, a.kind == kindEnvp)
	default:
		for n := range c.Captures {
			if p := &c.Captures[n]; p.Arg == i && p.Part == abi.PartWhole && !p.Kernel {
				c.addCapture(t, a, i, p)
			}
		}
		if p := c.kernelCopy(i); p != nil && len(t.values) == before && a.kind == kindPath {
			c.addCapture(t, a, i, p)
		}
	}
	if p := c.part(i, abi.PartRoom); p != nil && t.registers && a.kind == kindMessageOut && len(t.values) == before {
		t.addStruct("", tableOf(c.ABI).layouts["msghdr_room"], p.Data, 0, marksOf(p))
	}
	if len(t.values) == before && ended && kinds[a.kind].always && !c.Withheld {
		t.add(Value{Kind: KindMissing, Marks: Unreadable})
	}
}

// kernelCopy returns what the kernel read of an argument, or nil if that was not recorded.
func (c *Call) kernelCopy(arg int) *Capture {
	for i := range c.Captures {
		if p := &c.Captures[i]; p.Kernel && p.Arg == arg && p.Part == abi.PartWhole {
			return p
		}
	}
	return nil
}

// marksOf returns the marks of a capture.
func marksOf(p *Capture) (marks Marks) {
	if p.Truncated {
		marks |= Truncated
	}
	if p.Fault {
		marks |= Unreadable
	}
	if p.Late {
		marks |= Late
	}
	if p.Output {
		marks |= Output
	}
	if p.Kernel {
		marks |= Kernel
	}
	return marks
}

// addCapture adds what was captured at once.
func (c *Call) addCapture(t *tape, a *Arg, i int, p *Capture) {
	marks, data := marksOf(p), p.Data
	if kinds[a.kind].output {
		marks |= Output
	}
	if len(data) == 0 && p.Fault {
		t.add(Value{Kind: KindMissing, Marks: marks})
		return
	}
	switch a.kind {
	case kindPath, kindStr, kindText, kindOutStr:
		var ended bool
		if a.kind == kindOutStr {
			data, marks = c.within(a, data, marks)
		}
		if data, ended = cutNUL(data); ended {
			marks &^= Truncated
		}
		v := Value{Kind: KindString, Marks: marks, Bytes: data}
		if a.kind == kindPath {
			v.Kind = KindPath
			if c.resolved() == nil {
				v.File = c.whole(i, data, marks)
			}
		}
		t.add(v)
	case kindIn:
		t.add(Value{Kind: KindBytes, Marks: marks, Bytes: data})
	case kindOut:
		if data, marks = c.within(a, data, marks); len(data) > 0 {
			t.add(Value{Kind: KindBytes, Marks: marks, Bytes: data})
		}
	case kindSockAddr, kindSockName:
		c.addSocketAddress(t, "", data, marks)
	case kindOptionIn, kindOptionOut, kindCommand:
		c.addOption(t, i-1, data, marks)
	default:
		if a.kind == kindPtr && a.of == nil && len(data) == 4 { // the size of what another argument points to
			t.add(Value{Kind: KindInt, Marks: marks, Number: number(data, 4, true)})
			return
		}
		if a.of != nil {
			begin := 0
			if a.recorded && len(data) != a.of.size {
				begin = a.of.begin
			}
			if begin > 0 && len(data) != a.of.end-begin { // it may begin at either place
				t.add(Value{Kind: KindMissing, Marks: marks})
				return
			}
			c.addMemory(t, a.of, a.array, begin, data, marks)
		} else {
			t.add(Value{Kind: KindBytes, Marks: marks, Bytes: data})
		}
	}
}

// addOption adds the value of a socket's option, or what an ioctl takes or returns. Argument i says which one it is.
func (c *Call) addOption(t *tape, i int, data []byte, marks Marks) {
	a := c.form(&c.Syscall().Args[i])
	l := tableOf(c.ABI).layouts["int"]
	if e := a.flags.entry(uint64(uint32(c.Args[i]))); e != nil && e.of != "" {
		l = tableOf(c.ABI).layouts[e.of]
	} else if len(data) != l.size || a.kind == kindInt {
		t.add(Value{Kind: KindBytes, Marks: marks, Bytes: data})
		return
	}
	c.addMemory(t, l, false, 0, data, marks)
}

// within cuts an output to the size of its buffer. A result can be larger than that, as with MSG_TRUNC, or with a size
// of 0 that asks for the size: the bytes behind the buffer are not the call's output.
func (c *Call) within(a *Arg, data []byte, marks Marks) ([]byte, Marks) {
	if int(a.length) >= c.NArgs {
		return data, marks
	}
	if size := c.word(c.Args[a.length]); size < uint64(len(data)) {
		return data[:size], marks &^ Truncated
	}
	return data, marks
}

// addMemory adds a struct, of which data is there from an offset on, or an array of structs.
func (c *Call) addMemory(t *tape, l *layout, array bool, begin int, data []byte, marks Marks) {
	t.after = marks&Output != 0
	switch {
	case specials[l.name] != nil && l.plain:
		specials[l.name](c, t, l, data, marks)
		return
	case l.bytes():
		if l.fields[0].kind == KindString {
			data, _ = cutNUL(data)
		}
		t.add(Value{Kind: l.fields[0].kind, Marks: marks, Bytes: data})
		return
	case !array:
		if special := specials[l.name]; special != nil {
			special(c, t, l, data, marks)
			return
		}
		t.addStruct("", l, data, begin, marks)
		return
	}
	index := t.open(Value{Kind: KindArray, Marks: marks})
	for len(data) >= l.size && l.size > 0 {
		t.addStruct("", l, data[:l.size], 0, 0)
		data = data[l.size:]
	}
	t.close(index)
}

// PointerSize returns the size of pointers in the memory of a call's task.
func (c *Call) PointerSize() int {
	if c.ABI.is32() || c.ABI == X32 && c.Nr >= firstX32 {
		return 4
	}
	return 8
}

// iovecs adds what a vector points to: iovecs with their bytes, as long as the result, `left`, goes.
type iovecs struct {
	vector []byte
	size   int // of a pointer
	left   uint64
	index  int // of the array in the tape
	output bool
}

// open begins the array of iovecs of a capture.
func (v *iovecs) open(t *tape, name string, p *Capture) {
	v.vector = p.Data
	v.index = t.open(Value{Kind: KindArray, Name: name, Marks: marksOf(p)})
	if v.output {
		t.mark(v.index, Output)
	}
}

// next adds the next iovec, of which p has the bytes, or nil.
func (v *iovecs) next(t *tape, p *Capture) {
	if len(v.vector) < 2*v.size {
		return
	}
	base, length := number(v.vector, v.size, false), number(v.vector[v.size:], v.size, false)
	v.vector = v.vector[2*v.size:]
	filled := length
	if v.output {
		filled = min(length, v.left)
		v.left -= filled
	}
	iovec := t.open(Value{Kind: KindStruct})
	pointer := t.open(Value{Kind: KindPointer, Name: "iov_base", Number: base})
	switch {
	case p != nil && len(p.Data) == 0 && p.Fault:
		t.add(Value{Kind: KindMissing, Marks: marksOf(p)})
	case p != nil:
		marks := marksOf(p) &^ Truncated
		if uint64(len(p.Data)) < filled {
			marks |= Truncated
		}
		t.add(Value{Kind: KindBytes, Marks: marks, Bytes: p.Data[:min(uint64(len(p.Data)), filled)]})
	case filled > 0 && base != 0:
		t.add(Value{Kind: KindMissing, Marks: Truncated})
	}
	t.close(pointer)
	t.add(Value{Kind: KindUint, Name: "iov_len", Number: length})
	t.close(iovec)
}

// close ends the array. There was no room for the bytes of the iovecs that are left.
func (v *iovecs) close(t *tape) {
	for len(v.vector) >= 2*v.size {
		v.next(t, nil)
	}
	t.close(v.index)
}

// addVector adds an array of iovecs.
func (c *Call) addVector(t *tape, a *Arg, i int) {
	v := iovecs{size: c.PointerSize(), index: -1, output: kinds[a.kind].output, left: uint64(max(c.Result, 0))}
	for n := range c.Captures {
		p := &c.Captures[n]
		if p.Arg != i || p.Kernel {
			continue
		}
		switch {
		case p.Part == abi.PartVector && v.index < 0:
			v.open(t, "", p)
		case p.Part == abi.PartData && v.index >= 0:
			v.next(t, p)
		case p.Fault && v.index < 0:
			t.add(Value{Kind: KindMissing, Marks: marksOf(p)})
		}
	}
	if v.index >= 0 {
		v.close(t)
	}
}
