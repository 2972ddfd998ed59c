// SPDX-License-Identifier: Apache-2.0

package syscalls

// Kind tells what a Value is.
type Kind uint8

// The kinds of values.
const (
	KindInt       Kind = iota // Number is signed
	KindUint                  // Number
	KindHex                   // Number, shown in hexadecimal
	KindMode                  // Number: permissions
	KindFlags                 // Number: a set of flags, or one of several values
	KindFD                    // Number: a file descriptor, signed
	KindDirFD                 // the same, or AT_FDCWD
	KindSignal                // Number: of a signal
	KindID                    // Number: of a user or a group, 32 bits; all ones: -1
	KindDevice                // Number: as in st_dev
	KindErrno                 // Number: of an error
	KindTime                  // Number: seconds since 1970, signed
	KindStatus                // Number: of a child that ended or stopped, as in wait(2)
	KindCode                  // Number: why a signal came; Bytes has the signal
	KindVariables             // Number: how many variables an environment has
	KindPort                  // Number: of a socket
	KindFileMode              // Number: type and permissions of a file
	KindLimit                 // Number: of a resource
	KindPointer               // Number: an address; what was read there follows as parts
	KindString                // Bytes: text, without its NUL
	KindPath                  // the same: the name of a file, or of a socket in the file system
	KindBytes                 // Bytes
	KindIP                    // Bytes: 4 or 16
	KindStruct                // its parts are the members
	KindArray                 // its parts are the elements
	KindSignals               // Number: a set of signals, of which bit 0 is signal 1
	KindBits                  // Bytes: a set of numbers, of which bit 0 of byte 0 is 0
	KindFDs                   // Bytes: the same, of descriptors
	KindChanged               // its two parts are what was there before the call, and after it
	KindMissing               // it was not recorded, or could not be read
)

// Marks are what is to be said of a value.
type Marks uint8

// The marks of values.
const (
	Truncated  Marks = 1 << iota // there was more
	Unreadable                   // memory could not be read
	Late                         // input read at the call's exit: it may differ from what the kernel read
	Output                       // of the kernel: read at the call's exit
	Abridged                     // of a struct: members are left out
	Abstract                     // of the path of a socket: it is abstract
	Kernel                       // not from the memory of the task: the kernel made it of the argument
)

// Value is an argument of a call, the memory that it points to, or a part of that. Values form a tree: the parts of a
// value follow it.
type Value struct {
	Kind   Kind
	Marks  Marks
	Parts  uint32 // how many of the Values that follow belong to it, their own parts among them
	Name   string // of the argument or the member; "" of an element, and of what a pointer points to
	Number uint64
	Bytes  []byte // hostile; part of the record
	// File is what a descriptor is, or the whole of a relative path, if that is known.
	File  *Descriptor
	table *flagTable
}

// FlagNames calls a function with the names of the flags in a value of KindFlags, or with the name of an enum's value.
func (v *Value) FlagNames(named func(name string)) {
	switch {
	case v.table == nil:
	case !v.table.enum:
		v.table.split(v.Number, named)
	default:
		if e := v.table.entry(v.Number); e != nil {
			named(e.name)
		}
	}
}

// tape is a tree of values that grows.
type tape struct {
	values  []Value
	verbose bool // with the members of structs that are shown only on demand
	after   bool // the call has filled in the memory that is added
	// registers is true if arguments that the call ignores are added, too, as far as strace shows them.
	registers bool
}

func (t *tape) add(v Value) { t.values = append(t.values, v) }

// next adds a value of a kind, and returns it: until the next one is added, it can be changed.
func (t *tape) next(kind Kind) *Value {
	n := len(t.values)
	if n == cap(t.values) {
		t.values = append(t.values, Value{})
	} else {
		t.values = t.values[:n+1]
		t.values[n] = Value{}
	}
	v := &t.values[n]
	v.Kind = kind
	return v
}

// open adds a value to which the values belong that are added until it is closed.
func (t *tape) open(v Value) (index int) {
	t.values = append(t.values, v)
	return len(t.values) - 1
}

func (t *tape) close(index int) {
	t.values[index].Parts = uint32(len(t.values) - index - 1)
}

// mark adds marks to a value.
func (t *tape) mark(index int, marks Marks) { t.values[index].Marks |= marks }

// Each calls a function with each tree of a list of values: the arguments of a call, or the parts of a value.
func Each(values []Value, visit func(v *Value, parts []Value)) {
	for i := 0; i < len(values); {
		v := &values[i]
		end := i + 1 + int(v.Parts)
		visit(v, values[i+1:end])
		i = end
	}
}
