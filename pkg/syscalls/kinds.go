// SPDX-License-Identifier: Apache-2.0

package syscalls

import "github.com/runc-trace/runc-trace/pkg/bpf/abi"

// kind determines how an argument is shown and how much of its memory is captured.
type kind uint8

const (
	kindFlags kind = iota // a table of flags.txt
	kindInt
	kindUint
	kindLong
	kindSize
	kindHex32
	kindHex
	kindPtr
	kindFD
	kindDirFD
	kindSignal
	kindID
	kindID16
	kindMode
	kindFileMode
	kindDev
	kindPath
	kindStr
	kindText
	kindIn
	kindOut
	kindOutStr
	kindVectorIn
	kindVectorOut
	kindMessageIn
	kindMessageOut
	kindSockAddr
	kindSockName
	kindMessagesIn
	kindMessagesOut
	kindValue
	kindCommand
	kindSigmask
	kindSocketcall
	kindControlBlocks
	kindQueuedIn
	kindQueuedOut
	kindRing
	kindArgv
	kindEnvp
	kindOptionIn
	kindOptionOut
	kindCount
)

type kindInfo struct {
	name   string // in signatures.txt
	value  Kind   // of the argument
	signed bool   // its number is
	sized  bool   // another argument has its length
	rows   []row  // of the memory that is captured; their length is that argument if it is "$"
	shown  bool   // its memory is shown
	output bool   // shown is what is available only at the call's exit
	always bool   // captured if its memory can be read, for any content and any result of the call
}

var aString = []row{{Capture: abi.Capture{Kind: abi.CaptureString}}}

// counted is a row of kind k with as many elements as the argument "$" says.
func counted(k, moment, count, flags uint8) []row {
	return []row{{Capture: abi.Capture{Kind: k, Moment: moment, Count: count, Flags: flags}, length: "$"}}
}

// filledIn are the rows of memory that the kernel fills in, and whose size is at the pointer "$": before the call that
// of the buffer, after it that of the data.
func filledIn() []row {
	size := row{Capture: abi.Capture{Kind: abi.CaptureBytes, Flags: abi.RowStruct}, of: "int", arg: "$"}
	after := size
	after.Moment = abi.AtSuccess
	data := row{length: "$"}
	data.Capture = abi.Capture{Kind: abi.CaptureBytes, Moment: abi.AtSuccess, Count: abi.ElementsPointed,
		Flags: abi.RowStruct}
	return []row{size, after, data}
}

var kinds = [kindCount]kindInfo{
	kindFlags:    {name: "", value: KindFlags},
	kindInt:      {name: "int", value: KindInt, signed: true},
	kindUint:     {name: "uint", value: KindUint},
	kindLong:     {name: "long", value: KindInt, signed: true},
	kindSize:     {name: "size", value: KindUint},
	kindHex32:    {name: "hex32", value: KindHex},
	kindHex:      {name: "hex", value: KindHex},
	kindPtr:      {name: "ptr", value: KindPointer},
	kindFD:       {name: "fd", value: KindFD, signed: true},
	kindDirFD:    {name: "dirfd", value: KindDirFD, signed: true},
	kindSignal:   {name: "sig", value: KindSignal},
	kindID:       {name: "id", value: KindID},
	kindID16:     {name: "id16", value: KindID},
	kindMode:     {name: "mode", value: KindMode},
	kindFileMode: {name: "filemode", value: KindFileMode},
	kindDev:      {name: "dev", value: KindDevice},
	kindPath:     {name: "path", value: KindPointer, rows: aString, shown: true, always: true},
	kindStr:      {name: "str", value: KindPointer, rows: aString, shown: true, always: true},
	// A string that may hold a password: it belongs to what the program writes.
	kindText: {name: "text", value: KindPointer, shown: true, always: true,
		rows: []row{{Capture: abi.Capture{Kind: abi.CaptureString, Flags: abi.RowContent}}}},
	kindIn: {name: "in", value: KindPointer, sized: true, shown: true, always: true,
		rows: counted(abi.CaptureBytes, abi.AtEnter, abi.ElementsArgument, abi.RowContent)},
	kindOut: {name: "out", value: KindPointer, sized: true, shown: true, output: true,
		rows: counted(abi.CaptureBytes, abi.AtPositive, abi.ElementsResult, abi.RowContent)},
	kindOutStr: {name: "outstr", value: KindPointer, sized: true, shown: true, output: true,
		rows: counted(abi.CaptureBytes, abi.AtPositive, abi.ElementsResult, 0)},
	kindVectorIn: {name: "vecin", value: KindPointer, sized: true, shown: true, always: true,
		rows: counted(abi.CaptureVector, abi.AtEnter, abi.ElementsArgument, 0)},
	kindVectorOut: {name: "vecout", value: KindPointer, sized: true, shown: true, output: true,
		rows: counted(abi.CaptureVector, abi.AtPositive, abi.ElementsArgument, 0)},
	kindMessageIn: {name: "msgin", value: KindPointer, shown: true, always: true,
		rows: []row{{Capture: abi.Capture{Kind: abi.CaptureMessage}}}},
	kindMessageOut: {name: "msgout", value: KindPointer, shown: true, output: true, rows: []row{
		{Capture: abi.Capture{Kind: abi.CaptureBytes, Part: abi.PartRoom, Flags: abi.RowStruct}, of: "msghdr_name"},
		{Capture: abi.Capture{Kind: abi.CaptureMessage, Moment: abi.AtSuccess}},
	}},
	kindMessagesIn: {name: "mmsgin", value: KindPointer, sized: true, rows: []row{
		{Capture: abi.Capture{Kind: abi.CaptureMessages, Count: abi.ElementsArgument}, length: "$"},
		{Capture: abi.Capture{Kind: abi.CaptureBytes, Moment: abi.AtPositive, Count: abi.ElementsResult, Part: abi.PartSent,
			Flags: abi.RowStruct}, of: "mmsghdr", length: "$"},
	}},
	kindMessagesOut: {name: "mmsgout", value: KindPointer, sized: true, output: true, rows: []row{
		{Capture: abi.Capture{Kind: abi.CaptureBytes, Count: abi.ElementsArgument, Part: abi.PartRoom,
			Flags: abi.RowStruct}, of: "mmsghdr", length: "$"},
		{Capture: abi.Capture{Kind: abi.CaptureMessages, Moment: abi.AtPositive, Count: abi.ElementsResult}, length: "$"},
	}},
	kindSockAddr: {name: "sockaddr", value: KindPointer, sized: true, shown: true, always: true,
		rows: counted(abi.CaptureBytes, abi.AtEnter, abi.ElementsArgument, abi.RowStruct|abi.RowAddress)},
	kindSockName: {name: "sockname", value: KindPointer, sized: true, shown: true, output: true, rows: filledIn()},
	kindValue:    {name: "value", value: KindPointer, sized: true, rows: filledIn()},
	// The number of an ioctl has its size and direction: include/uapi/asm-generic/ioctl.h. Its memory may be a key.
	kindCommand: {name: "command", value: KindPointer, sized: true, rows: []row{
		{Capture: abi.Capture{Kind: abi.CaptureBytes, Count: abi.ElementsCommand, Flags: abi.RowStruct | abi.RowContent,
			WhenArg: 1, Mask: 0x40000000, Value: 0x40000000}, length: "$"},
		{Capture: abi.Capture{Kind: abi.CaptureBytes, Count: abi.ElementsCommand, Flags: abi.RowStruct | abi.RowContent,
			Moment: abi.AtSuccess, WhenArg: 1, Mask: 0x80000000, Value: 0x80000000}, length: "$"},
	}},
	// A pointer to a set of signals, and its size.
	kindSigmask: {name: "sigmask_arg", value: KindPointer, rows: append(mustRows("in.sigmask_arg"), row{
		Capture: abi.Capture{Kind: abi.CaptureBytes, Part: abi.PartInner, Size: 8, Flags: abi.RowStruct | abi.RowFollow}})},
	// The first argument of a program, which the kernel replaces if it is a script.
	kindArgv: {name: "argv", value: KindPointer, rows: []row{{Capture: abi.Capture{
		Kind: abi.CaptureString, Part: abi.PartInner, Flags: abi.RowFollow}}}},
	kindEnvp: {name: "envp", value: KindPointer},
	// Some options are keys, such as those of TLS.
	kindOptionIn: {name: "optin", value: KindPointer, sized: true,
		rows: counted(abi.CaptureBytes, abi.AtEnter, abi.ElementsArgument, abi.RowStruct|abi.RowContent)},
	kindOptionOut:     {name: "optout", value: KindPointer, sized: true, output: true, rows: filledIn()},
	kindSocketcall:    {name: "socketcall_args", value: KindPointer, rows: socketcall},
	kindControlBlocks: {name: "iocbs", value: KindPointer, sized: true, rows: controlBlocks},
	kindRing:          {name: "ring", value: KindFD, signed: true, rows: operations},
	// A long, which is the type of the message, and the message.
	kindQueuedIn: {name: "msgbufin", value: KindPointer, sized: true, rows: append(mustRows("in.long"), row{
		Capture: abi.Capture{Kind: abi.CaptureBytes, Count: abi.ElementsArgument, Part: abi.PartInner, Flags: abi.RowContent},
		length:  "$", after: "long"})},
	kindQueuedOut: {name: "msgbufout", value: KindPointer, sized: true, rows: append(mustRows("out.long"), row{
		Capture: abi.Capture{Kind: abi.CaptureBytes, Moment: abi.AtPositive, Count: abi.ElementsResult, Part: abi.PartInner,
			Flags: abi.RowContent}, length: "$", after: "long"})},
}

// operations are what a call of io_uring_enter submits, and the results that it leaves.
var operations = []row{
	{Capture: abi.Capture{Kind: abi.CaptureSubmissions, Size: 1, Part: abi.PartSubmission}},
	{Capture: abi.Capture{Kind: abi.CaptureCompletions, Size: 1, Part: abi.PartCompletions, Moment: abi.AtSuccess}},
}

var controlBlocks = []row{{
	Capture: abi.Capture{Kind: abi.CapturePointers, Count: abi.ElementsArgument, Part: abi.PartInner},
	of:      "iocb", length: "$",
}}

func mustRows(typ string) []row {
	m, ok := parseMemory(typ)
	if !ok {
		panic(typ)
	}
	return m.rows
}
