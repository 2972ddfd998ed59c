// SPDX-License-Identifier: Apache-2.0

package syscalls

import (
	"encoding/base64"
	"encoding/json"
	"math/bits"
	"strconv"
	"unicode/utf8"
)

// JSON is a machine-readable call. Names of fields are stable; texts are printable ASCII.
type JSON struct {
	Syscall    string          `json:"syscall,omitempty"` // absent if a signal killed the task outside of any call
	ABI        string          `json:"abi,omitempty"`     // if not the native one: ia32, arm, x32
	Number     *uint32         `json:"number,omitempty"`  // within the ABI; absent if it was not recorded
	Args       json.RawMessage `json:"args"`              // only those that the call takes: see AppendJSONValues
	Ret        *int64          `json:"ret"`               // of the kernel; a negative errno is a failure; null: no return
	Errno      string          `json:"errno,omitempty"`   // name of a failed call's errno, such as ENOENT
	Unfinished bool            `json:"unfinished,omitempty"`
	NoEnter    bool            `json:"noEnter,omitempty"` // seen only at its exit, as when seccomp denied it
	Signal     string          `json:"signal,omitempty"`  // the signal that killed the task
	CoreDumped bool            `json:"coreDumped,omitempty"`
	ExitCode   *int            `json:"exitCode,omitempty"` // of a task that ended in the call without a signal
	// OutOfMemory is true if the kernel killed the task because memory ran out.
	OutOfMemory bool      `json:"outOfMemory,omitempty"`
	Delivered   *Delivery `json:"delivered,omitempty"` // instead of a call
	Child       *uint32   `json:"child,omitempty"`     // initial PID of the process or thread that it made
	File        *File     `json:"file,omitempty"`      // that it opened, executed or entered, if that was kept
	// Returned is what the descriptor is that the call returned, if that is known.
	Returned *Descriptor `json:"returned,omitempty"`
}

// JSON returns the call in machine-readable form. It keeps no reference to the record. A call in flight has no result,
// because it has not returned yet.
func (c *Call) JSON(inFlight bool) JSON {
	j := JSON{Args: json.RawMessage("[]"), Unfinished: c.Unfinished, NoEnter: c.NoEnter}
	s := c.Syscall()
	if d, ok := c.Delivery(); ok {
		j.Delivered = &d
		return j
	}
	if inFlight || c.Abandoned {
		j.Unfinished = true
	} else if c.Nr == NumberNone || c.Unfinished {
		status := StatusOf(c.Result)
		j.Signal, j.CoreDumped, j.OutOfMemory = status.Signal, status.CoreDumped, c.OutOfMemory
		if j.Signal == "" {
			j.ExitCode = &status.Code
		}
	} else {
		result := c.Result
		j.Ret = &result
		if number := -uint64(result); result < 0 && number <= maxErrno {
			j.Errno = lookupErrno(number).name
		}
	}
	if c.Event() {
		return j
	}
	if child, ok := c.Child(); ok {
		j.Child = &child
	}
	if file, ok := c.File(); ok {
		j.File = &file
	}
	if !inFlight {
		j.Returned = c.returned()
	}
	name := *c
	name.Native = c.ABI // the ABI's name has a field of its own
	if j.Syscall = string(name.appendName(nil, s)); c.ABI != c.native() {
		j.ABI = c.ABI.String()
	}
	if number, known := c.Number(); known {
		j.Number = &number
	}
	j.Args = appendJSONArguments(nil, c.Values(nil, inFlight))
	return j
}

// appendJSONArguments appends arguments as an array of objects. Each is that of appendJSONValue, with "value" and
// "data" as of version 1, which are deprecated.
func appendJSONArguments(dst []byte, values []Value) []byte {
	dst = append(dst, '[')
	Each(values, func(v *Value, parts []Value) {
		if dst[len(dst)-1] != '[' {
			dst = append(dst, ',')
		}
		dst = appendJSONValue(dst, v, parts)
		dst = append(dst[:len(dst)-1], `,"value":`...)
		dst = strconv.AppendQuote(dst, string(appendScalar(nil, v)))
		if data := appendData(nil, parts); data != nil {
			dst = append(dst, `,"data":`...)
			dst = strconv.AppendQuoteToASCII(dst, string(data))
		}
		if v.Kind == KindPointer {
			dst = appendJSONMarks(dst, &Value{Marks: marksOfPointed(parts) & (Truncated | Unreadable | Late)})
		}
		dst = append(dst, '}')
	})
	return append(dst, ']')
}

// marksOfPointed returns the marks of what an argument points to.
func marksOfPointed(parts []Value) (marks Marks) {
	for i := range parts {
		marks |= parts[i].Marks
	}
	return marks
}

// appendData appends what an argument points to as text: the bytes, escaped, or the struct.
func appendData(dst []byte, parts []Value) []byte {
	if len(parts) == 0 {
		return nil
	}
	last := 0
	for i := 0; i < len(parts); i += 1 + int(parts[i].Parts) {
		last = i
	}
	v, inner := &parts[last], parts[last+1:]
	switch v.Kind {
	case KindMissing:
		return nil
	case KindString, KindPath, KindBytes:
		return append(AppendEscaped([]byte{}, v.Bytes), dst...)
	}
	if text, ok := joined(v, inner); ok {
		return text
	}
	if len(inner) == 1 && inner[0].Kind == KindMissing {
		return nil
	}
	unmarked := *v
	unmarked.Marks &^= Late | Unreadable
	return new(Text).appendTree([]byte{}, &unmarked, inner, wholeCall)
}

// joined returns the bytes that iovecs point to, up to the first that is missing.
func joined(v *Value, inner []Value) (text []byte, ok bool) {
	text = []byte{}
	for i := range inner {
		if inner[i].Name != "iov_base" {
			continue
		}
		ok = true
		if inner[i].Parts == 0 {
			continue
		}
		part := &inner[i+1]
		text = AppendEscaped(text, part.Bytes)
		if part.Marks&(Truncated|Unreadable) != 0 {
			break
		}
	}
	return text, ok
}

// kindNames are the types of values in JSON.
var kindNames = [...]string{
	KindInt: "int", KindUint: "uint", KindHex: "hex", KindMode: "mode", KindFlags: "flags", KindFD: "fd", KindDirFD: "fd",
	KindSignal: "signal", KindSignals: "signals", KindID: "id", KindDevice: "device", KindErrno: "errno", KindTime: "time",
	KindStatus: "status", KindCode: "code", KindVariables: "variables", KindPort: "port", KindFileMode: "fileMode",
	KindLimit: "limit", KindPointer: "pointer", KindString: "string", KindPath: "path", KindBytes: "bytes", KindIP: "ip",
	KindStruct: "struct", KindArray: "array",
	KindBits: "set", KindFDs: "fds", KindChanged: "changed", KindMissing: "missing",
}

// appendJSONValue appends a value as an object:
//
//	{"name":"flags","type":"flags","number":524288,"flags":["O_RDONLY","O_CLOEXEC"]}
//	{"name":"fd","type":"fd","number":3,"file":{"path":"/etc/hosts"}}
//	{"name":"filename","type":"pointer","address":"0x7ffe4b2c","in":{"type":"path","text":"/etc/hosts"}}
//	{"name":"statbuf","type":"pointer","address":"0x7ffe4b2c","out":{"type":"struct","fields":[{"name":"st_mode",...}]}}
func appendJSONValue(dst []byte, v *Value, parts []Value) []byte {
	dst = append(dst, '{')
	if v.Name != "" {
		dst = append(append(append(dst, `"name":"`...), v.Name...), `",`...)
	}
	kind := kindNames[v.Kind]
	if v.Kind == KindFlags && v.table.enum {
		kind = "enum"
	}
	dst = append(append(append(dst, `"type":"`...), kind...), '"')
	switch v.Kind {
	case KindStruct:
		dst = appendJSONList(append(dst, `,"fields":`...), parts)
	case KindArray:
		dst = appendJSONList(append(dst, `,"elements":`...), parts)
	case KindChanged:
		dst = appendJSONPointed(dst, parts)
	case KindPointer:
		dst = append(dst, `,"address":"`...)
		dst = strconv.AppendUint(append(dst, "0x"...), v.Number, 16)
		dst = appendJSONPointed(append(dst, '"'), parts)
	case KindString, KindPath, KindBytes:
		dst = appendJSONBytes(dst, v.Bytes)
	case KindIP:
		dst = append(dst, `,"address":"`...)
		dst = append(addressOf(v.Bytes).AppendTo(dst), '"')
	case KindBits, KindFDs:
		dst = appendJSONBits(append(dst, `,"members":`...), v.Bytes)
	case KindMissing:
	default:
		dst = appendJSONNumber(dst, v)
		dst = appendJSONPointed(dst, parts)
	}
	if v.File != nil {
		file, _ := json.Marshal(v.File) // cannot fail
		dst = append(append(dst, `,"file":`...), file...)
	}
	return append(appendJSONMarks(dst, v), '}')
}

// appendJSONList appends values as an array.
func appendJSONList(dst []byte, parts []Value) []byte {
	dst = append(dst, '[')
	first := true
	Each(parts, func(part *Value, inner []Value) {
		if part.Kind == KindMissing && part.Marks == 0 {
			return // the mark says so
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = appendJSONValue(dst, part, inner)
	})
	return append(dst, ']')
}

// appendJSONPointed appends what a pointer points to, as "in" and "out".
func appendJSONPointed(dst []byte, parts []Value) []byte {
	Each(parts, func(part *Value, inner []Value) {
		switch {
		case part.Name != "":
			dst = append(append(append(dst, `,"`...), part.Name...), `":`...)
		case part.Marks&Output != 0:
			dst = append(dst, `,"out":`...)
		default:
			dst = append(dst, `,"in":`...)
		}
		dst = appendJSONValue(dst, part, inner)
	})
	return dst
}

// appendJSONMarks appends the marks that are set.
func appendJSONMarks(dst []byte, v *Value) []byte {
	for _, m := range [...]struct {
		mark Marks
		text string
	}{
		{Truncated, `,"truncated":true`}, {Unreadable, `,"fault":true`}, {Late, `,"late":true`},
		{Abridged, `,"abridged":true`}, {Abstract, `,"abstract":true`},
	} {
		if v.Marks&m.mark != 0 {
			dst = append(dst, m.text...)
		}
	}
	return dst
}

// appendJSONBytes appends bytes as "text", if they are UTF-8, or else as "base64".
func appendJSONBytes(dst, data []byte) []byte {
	if utf8.Valid(data) {
		text, _ := json.Marshal(string(data)) // cannot fail
		return append(append(dst, `,"text":`...), text...)
	}
	dst = append(dst, `,"base64":"`...)
	return append(base64.StdEncoding.AppendEncode(dst, data), '"')
}

// appendJSONBits appends the members of a set of numbers as an array.
func appendJSONBits(dst, set []byte) []byte {
	dst = append(dst, '[')
	for at, b := range set {
		for ; b != 0; b &= b - 1 {
			if dst[len(dst)-1] != '[' {
				dst = append(dst, ',')
			}
			dst = strconv.AppendInt(dst, int64(at*8+bits.TrailingZeros8(b)), 10)
		}
	}
	return append(dst, ']')
}

// appendJSONNumber appends a number, and its name if it has one.
func appendJSONNumber(dst []byte, v *Value) []byte {
	dst = append(dst, `,"number":`...)
	switch v.Kind {
	case KindInt, KindFD, KindDirFD, KindTime, KindErrno, KindCode:
		dst = strconv.AppendInt(dst, int64(v.Number), 10)
	case KindID:
		if uint32(v.Number) == ^uint32(0) {
			return append(dst, "-1"...)
		}
		dst = strconv.AppendUint(dst, v.Number, 10)
	default:
		dst = strconv.AppendUint(dst, v.Number, 10)
	}
	switch v.Kind {
	case KindFlags:
		if v.table.enum {
			if named, ok := v.table.appendName(append(dst, `,"symbol":"`...), v.Number); ok {
				return append(named, '"')
			}
			return dst
		}
		return v.table.appendJSON(append(dst, `,"flags":`...), v.Number)
	case KindSignal, KindErrno, KindCode, KindStatus, KindFileMode:
		dst = append(dst, `,"symbol":"`...)
		return append(appendScalar(dst, v), '"')
	case KindDirFD:
		if int32(v.Number) == atFDCWD {
			return append(dst, `,"symbol":"AT_FDCWD"`...)
		}
	case KindSignals:
		dst = append(dst, `,"signals":[`...)
		for n := range uint64(64) {
			if v.Number>>n&1 == 0 {
				continue
			}
			if dst[len(dst)-1] != '[' {
				dst = append(dst, ',')
			}
			dst = append(appendSignal(append(dst, '"'), n+1), '"')
		}
		return append(dst, ']')
	}
	return dst
}
