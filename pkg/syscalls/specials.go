// SPDX-License-Identifier: Apache-2.0

package syscalls

import (
	"encoding/binary"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
)

// specials add the structs whose members depend on each other in a way that structs.txt cannot tell.
var specials = map[string]func(c *Call, t *tape, l *layout, data []byte, marks Marks){
	"siginfo":     (*Call).addSignal,
	"cap_data":    (*Call).addCapabilities,
	"file_handle": (*Call).addHandle,
	"dirents":     (*Call).addEntries, "dirents64": (*Call).addEntries64,
}

// addCapabilities adds three sets of capabilities, whose upper halves are behind the lower ones.
func (c *Call) addCapabilities(t *tape, l *layout, data []byte, marks Marks) {
	index := t.open(Value{Kind: KindStruct, Marks: marks})
	defer t.close(index)
	if len(data) < l.size {
		t.add(Value{Kind: KindMissing, Marks: Truncated})
		return
	}
	for i := range 3 {
		f := &l.fields[i]
		set := number(data[f.offset:], f.size, false) | number(data[l.fields[i+3].offset:], f.size, false)<<32
		t.add(Value{Kind: f.kind, Name: f.name, Number: set, table: f.table})
	}
}

// addHandle adds a struct file_handle, whose last member has as many bytes as its first one says. name_to_handle_at
// takes only the first one, and fills in the others.
func (c *Call) addHandle(t *tape, l *layout, data []byte, marks Marks) {
	size, typ, handle := &l.fields[0], &l.fields[1], &l.fields[2]
	if len(data) < handle.offset || marks&Output == 0 && c.Syscall().Name == "name_to_handle_at" {
		index := t.open(Value{Kind: KindStruct, Marks: marks &^ Truncated})
		t.addElement(size.name, size, data, 0)
		t.close(index)
		return
	}
	index := t.open(Value{Kind: KindStruct, Marks: marks &^ Truncated})
	t.addElement(size.name, size, data, 0)
	t.addElement(typ.name, typ, data[typ.offset:], 0)
	v := Value{Kind: KindBytes, Name: handle.name, Bytes: data[handle.offset:]}
	if n := number(data, size.size, false); n < uint64(len(v.Bytes)) {
		v.Bytes = v.Bytes[:n]
	} else if n > uint64(len(v.Bytes)) {
		v.Marks = Truncated
	}
	t.add(v)
	t.close(index)
}

// addSignal adds the struct siginfo of a call.
func (c *Call) addSignal(t *tape, _ *layout, data []byte, marks Marks) {
	t.addSiginfo(data, c.PointerSize(), marks)
}

// archs are the ABIs of the architectures of seccomp: include/uapi/linux/audit.h.
var archs = map[uint64]ABI{0xc000003e: AMD64, 0x40000003: I386, 0xc00000b7: ARM64, 0x40000028: ARM}

// addSiginfo adds a struct siginfo, whose members depend on the signal and its code:
// include/uapi/asm-generic/siginfo.h. A pointer in it has `word` bytes.
func (t *tape) addSiginfo(data []byte, word int, marks Marks) {
	index := t.open(Value{Kind: KindStruct, Marks: marks})
	defer t.close(index)
	at := 8 + word // behind three numbers, aligned
	if len(data) < at+8+2*word {
		t.add(Value{Kind: KindMissing, Marks: Truncated})
		return
	}
	signal, code := number(data, 4, false), int32(number(data[8:], 4, true))
	if signal == 0 {
		return // waitid found no child
	}
	t.add(Value{Kind: KindSignal, Name: "si_signo", Number: signal})
	t.add(Value{Kind: KindCode, Name: "si_code", Number: uint64(int64(code)), Bytes: data[:4]})
	if err := number(data[4:], 4, true); err != 0 {
		t.add(Value{Kind: KindErrno, Name: "si_errno", Number: err})
	}
	field := func(kind Kind, name string, at, size int, signed bool) {
		t.add(Value{Kind: kind, Name: name, Number: number(data[at:], size, signed)})
	}
	name := signalName(signal)
	switch {
	case code == siTimer:
		field(KindInt, "si_timerid", at, 4, true)
		field(KindInt, "si_overrun", at+4, 4, true)
		field(KindInt, "si_int", at+8, 4, true)
		field(KindPointer, "si_ptr", at+8, word, false)
	case name == "SIGCHLD" && code > 0:
		field(KindInt, "si_pid", at, 4, true)
		field(KindID, "si_uid", at+4, 4, false)
		if code == 1 { // CLD_EXITED
			field(KindInt, "si_status", at+8, 4, true)
		} else {
			field(KindSignal, "si_status", at+8, 4, false)
		}
		times := (at + 12 + word - 1) &^ (word - 1)
		field(KindInt, "si_utime", times, word, true)
		field(KindInt, "si_stime", times+word, word, true)
	case isFault(name) && name != "SIGSYS" && code > 0:
		field(KindPointer, "si_addr", at, word, false)
		switch bounds := at + 2*word; {
		case name == "SIGSEGV" && code == segvBounds && len(data) >= bounds+2*word:
			field(KindPointer, "si_lower", bounds, word, false)
			field(KindPointer, "si_upper", bounds+word, word, false)
		case name == "SIGSEGV" && code == segvKey && len(data) >= bounds+4:
			field(KindUint, "si_pkey", bounds, 4, false)
		}
	case name == "SIGSYS" && code > 0:
		field(KindPointer, "si_call_addr", at, word, false)
		arch := number(data[at+word+4:], 4, false)
		if abi, ok := archs[arch]; ok {
			names := tableOf(abi)
			t.add(Value{Kind: KindFlags, Name: "si_syscall", Number: number(data[at+word:], 4, true), table: names.numbers})
			t.add(Value{Kind: KindFlags, Name: "si_arch", Number: arch, table: names.arch})
		} else {
			field(KindInt, "si_syscall", at+word, 4, true)
			field(KindHex, "si_arch", at+word+4, 4, false)
		}
	case code == siIO || code > 0 && int(code) <= len(codesOf["SIGIO"]) && (name == "SIGIO" || codesOf[name] == nil):
		field(KindInt, "si_band", at, word, true)
		field(KindFD, "si_fd", at+word, 4, true)
	case code > 0 && number(data[at:], 8, false) == 0: // of the kernel, which has no process
	default:
		field(KindInt, "si_pid", at, 4, true)
		field(KindID, "si_uid", at+4, 4, false)
		if code < 0 && code != siTkill && number(data[at+8:], word, false) != 0 {
			field(KindInt, "si_int", at+8, 4, true)
			field(KindPointer, "si_ptr", at+8, word, false)
		}
	}
}

// siginfoSize is how many bytes of a struct siginfo of the kernel are recorded of a signal.
const siginfoSize = 48

// addEntries adds the entries of a directory that getdents returns: struct linux_dirent in fs/readdir.c.
func (c *Call) addEntries(t *tape, _ *layout, data []byte, marks Marks) {
	word := c.PointerSize()
	c.addDirectory(t, data, marks, 2*word, func(entry []byte) (name []byte, typ int) {
		return entry[2*word+2:], len(entry) - 1
	})
}

// addEntries64 adds the entries of a directory that getdents64 returns: include/linux/dirent.h.
func (c *Call) addEntries64(t *tape, _ *layout, data []byte, marks Marks) {
	c.addDirectory(t, data, marks, 16, func(entry []byte) (name []byte, typ int) { return entry[19:], 18 })
}

// addDirectory adds the entries of a directory, of which each begins with its inode and a position, up to its length.
func (c *Call) addDirectory(t *tape, data []byte, marks Marks, at int, rest func([]byte) (name []byte, typ int)) {
	index := t.open(Value{Kind: KindArray, Marks: marks})
	defer t.close(index)
	for len(data) > at+3 {
		length := int(binary.LittleEndian.Uint16(data[at:]))
		if length < at+4 || length > len(data) {
			break
		}
		entry := data[:length]
		data = data[length:]
		name, typ := rest(entry)
		name, _ = cutNUL(name)
		one := t.open(Value{Kind: KindStruct})
		if t.verbose {
			t.add(Value{Kind: KindUint, Name: "d_ino", Number: number(entry, at/2, false)})
			t.add(Value{Kind: KindInt, Name: "d_off", Number: number(entry[at/2:], at/2, true)})
			t.add(Value{Kind: KindUint, Name: "d_reclen", Number: uint64(length)})
		}
		t.add(Value{Kind: KindFlags, Name: "d_type", Number: uint64(entry[typ]), table: tableOf(c.ABI).fileType})
		t.add(Value{Kind: KindString, Name: "d_name", Bytes: name})
		t.close(one)
	}
	if len(data) > 0 {
		t.mark(index, Truncated)
	}
}

// addSigmask adds what pselect6 takes: a pointer to a set of signals, and its size.
func (c *Call) addSigmask(t *tape, i int) {
	var index = -1
	word := c.PointerSize()
	for n := range c.Captures {
		p := &c.Captures[n]
		switch {
		case p.Arg != i || p.Kernel:
		case p.Part == abi.PartWhole && len(p.Data) < 2*word:
			t.add(Value{Kind: KindMissing, Marks: marksOf(p)})
		case p.Part == abi.PartWhole:
			index = t.open(Value{Kind: KindStruct, Marks: marksOf(p)})
			pointer := t.open(Value{Kind: KindPointer, Name: "sigmask", Number: number(p.Data, word, false)})
			if mask := c.part(i, abi.PartInner); mask != nil && len(mask.Data) >= 8 {
				t.add(Value{Kind: KindSignals, Marks: marksOf(mask), Number: binary.LittleEndian.Uint64(mask.Data)})
			}
			t.close(pointer)
			t.add(Value{Kind: KindUint, Name: "sigsetsize", Number: number(p.Data[word:], word, false)})
			t.close(index)
		}
	}
}

// part returns a part of what an argument points to, or nil.
func (c *Call) part(arg, part int) *Capture {
	for n := range c.Captures {
		if p := &c.Captures[n]; p.Arg == arg && p.Part == part {
			return p
		}
	}
	return nil
}

// addQueued adds a struct msgbuf of System V: the message's type, and the message.
func (c *Call) addQueued(t *tape, i int) {
	head, text := c.part(i, abi.PartWhole), c.part(i, abi.PartInner)
	if head == nil {
		return
	}
	if len(head.Data) < c.PointerSize() {
		t.add(Value{Kind: KindMissing, Marks: marksOf(head)})
		return
	}
	index := t.open(Value{Kind: KindStruct, Marks: marksOf(head)})
	t.add(Value{Kind: KindInt, Name: "mtype", Number: number(head.Data, c.PointerSize(), true)})
	if text != nil {
		t.add(Value{Kind: KindBytes, Name: "mtext", Marks: marksOf(text) &^ Output, Bytes: text.Data})
	}
	t.close(index)
}

// addControlBlocks adds the structs that an array of pointers points to.
func (c *Call) addControlBlocks(t *tape, l *layout, i int) {
	index := -1
	for n := range c.Captures {
		p := &c.Captures[n]
		if p.Arg != i || p.Part != abi.PartInner {
			continue
		}
		if index < 0 {
			index = t.open(Value{Kind: KindArray})
		}
		t.addStruct("", l, p.Data, 0, marksOf(p))
	}
	if index >= 0 {
		t.close(index)
	}
}

// addStrings adds the arguments of an exec, or how many variables its environment has. It reports whether it knows.
func (c *Call) addStrings(t *tape, i int, environment bool) bool {
	p, counted := c.part(i, abi.PartWhole), c.part(i, abi.PartStrings)
	count := -1
	if counted != nil && len(counted.Data) >= 4 {
		count = int(binary.LittleEndian.Uint32(counted.Data))
	}
	if count == 0 && counted.Fault {
		t.add(Value{Kind: KindMissing, Marks: Unreadable})
		return true
	}
	if p == nil {
		known := environment && count >= 0
		if known {
			t.add(Value{Kind: KindVariables, Number: uint64(count), Marks: marksOf(counted) & Unreadable})
		}
		return known
	}
	marks := marksOf(p) &^ (Output | Kernel)
	index := t.open(Value{Kind: KindArray, Marks: marks})
	defer t.close(index)
	data := p.Data
	if t.registers && counted != nil && len(counted.Data) >= 8 &&
		binary.LittleEndian.Uint32(counted.Data[4:])&abi.ExecInterpreted != 0 {
		if given, rest, ok := c.beforeInterpreter(i, data); ok {
			t.add(Value{Kind: KindString, Bytes: given})
			data, count = rest, -1
		}
	}
	if t.registers && count == 1 && len(data) == 1 && c.part(i, abi.PartInner) == nil {
		return true // the kernel has made up an empty first argument
	}
	for n := 0; len(data) > 0 && (count < 0 || n < count); n++ {
		text, ended := cutNUL(data)
		v := Value{Kind: KindString, Bytes: text}
		if !ended {
			v.Marks = Truncated
		}
		t.add(v)
		data = data[min(len(data), len(text)+1):]
	}
	return true
}

// beforeInterpreter returns the first argument that a script was given, and those behind it, of argument i: the kernel
// has put an interpreter and the script's path in the place of the first one. Ok is false if that is not known.
func (c *Call) beforeInterpreter(i int, args []byte) (first, rest []byte, ok bool) {
	const deepest = 8 // interpreters can be scripts
	given, path := c.part(i, abi.PartInner), c.part(i-1, abi.PartWhole)
	if given == nil || path == nil || given.Truncated || path.Truncated {
		return nil, nil, false
	}
	script, _ := cutNUL(path.Data)
	first, _ = cutNUL(given.Data)
	for n := 0; n < deepest && len(args) > 0; n++ {
		arg, _ := cutNUL(args)
		if args = args[min(len(args), len(arg)+1):]; n > 0 && string(arg) == string(script) {
			return first, args, true
		}
	}
	return nil, nil, false
}

// addOperations adds what a call of io_uring_enter submits, and the results that it leaves.
func (c *Call) addOperations(t *tape, i int) {
	layouts := tableOf(c.ABI).layouts
	submitted, index := -1, -1
	end := func() {
		if index >= 0 {
			t.close(index)
			index = -1
		}
	}
	for n := range c.Captures {
		p := &c.Captures[n]
		switch {
		case p.Arg != i:
		case p.Part == abi.PartSubmission && len(p.Data) >= submissionSize:
			end()
			if submitted < 0 {
				submitted = t.open(Value{Kind: KindArray, Name: "submitted"})
			}
			index = t.open(Value{Kind: KindStruct, Marks: marksOf(p) &^ Kernel})
			c.addSubmission(t, p.Data)
		case p.Part == abi.PartName && index >= 0:
			if p.Kernel {
				continue
			}
			if t.values[index+1].Number == operationConnect {
				c.addSocketAddress(t, "addr", p.Data, marksOf(p))
				continue
			}
			text, _ := cutNUL(p.Data)
			t.add(Value{Kind: KindPath, Name: "path", Marks: marksOf(p), Bytes: text})
		case p.Part == abi.PartCompletions:
			end()
			if submitted >= 0 {
				t.close(submitted)
				submitted = -1
			}
			completed := t.open(Value{Kind: KindArray, Name: "completed", Marks: marksOf(p) &^ Kernel})
			for data := p.Data; len(data) >= layouts["io_uring_cqe"].size; data = data[layouts["io_uring_cqe"].size:] {
				t.addStruct("", layouts["io_uring_cqe"], data[:layouts["io_uring_cqe"].size], 0, 0)
			}
			t.close(completed)
		}
	}
	end()
	if submitted >= 0 {
		t.close(submitted)
	}
}

// Of struct io_uring_sqe in include/uapi/linux/io_uring.h.
const (
	submissionSize   = 64
	operationConnect = 16
)

// addSubmission adds the members of a struct io_uring_sqe.
func (c *Call) addSubmission(t *tape, data []byte) {
	l := tableOf(c.ABI).layouts["io_uring_sqe"]
	for i := range l.fields {
		if f := &l.fields[i]; f.shown(data, 0) {
			t.addField(f.name, f, data[f.offset:], 0)
		}
	}
}
