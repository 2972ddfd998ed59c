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
	kindDev
	kindPath
	kindStr
	kindIn
	kindOut
	kindOutStr
	kindVectorIn
	kindVectorOut
	kindMessageIn
	kindMessageOut
	kindSockAddr
	kindSockName
	kindFDs
	kindTimespec
	kindOpenHow
	kindCount
)

// capture describes what the kernel reads of an argument.
type capture struct {
	abi.Capture
	native bool // only in native calls, because structs of the 32-bit ABI differ
}

type kindInfo struct {
	name    string // in signatures.txt
	sized   bool   // another argument has its length
	capture abi.Capture
	native  bool
	output  bool // available only at the call's exit
	always  bool // captured if its memory can be read, for any content and any result of the call
}

const (
	sizeofFDs      = 8
	sizeofTimespec = 16
	sizeofOpenHow  = 24
	sizeofSockName = 28 // struct sockaddr_in6: no more than this is read of addresses that the kernel fills in
)

var kinds = [kindCount]kindInfo{
	kindFlags:    {name: ""},
	kindInt:      {name: "int"},
	kindUint:     {name: "uint"},
	kindLong:     {name: "long"},
	kindSize:     {name: "size"},
	kindHex32:    {name: "hex32"},
	kindHex:      {name: "hex"},
	kindPtr:      {name: "ptr"},
	kindFD:       {name: "fd"},
	kindDirFD:    {name: "dirfd"},
	kindSignal:   {name: "sig"},
	kindID:       {name: "id"},
	kindID16:     {name: "id16"},
	kindMode:     {name: "mode"},
	kindDev:      {name: "dev"},
	kindPath:     {name: "path", capture: abi.Capture{Kind: abi.CaptureString}, always: true},
	kindStr:      {name: "str", capture: abi.Capture{Kind: abi.CaptureString}, always: true},
	kindIn:       {name: "in", sized: true, capture: abi.Capture{Kind: abi.CaptureIn, Content: 1}, always: true},
	kindOut:      {name: "out", sized: true, capture: abi.Capture{Kind: abi.CaptureOut, Content: 1}, output: true},
	kindOutStr:   {name: "outstr", sized: true, capture: abi.Capture{Kind: abi.CaptureOut}, output: true},
	kindVectorIn: {name: "vecin", sized: true, capture: abi.Capture{Kind: abi.CaptureVectorIn, Content: 1}, native: true},
	kindVectorOut: {name: "vecout", sized: true, capture: abi.Capture{Kind: abi.CaptureVectorOut, Content: 1},
		native: true, output: true},
	kindMessageIn: {name: "msgin", capture: abi.Capture{Kind: abi.CaptureMessageIn, Content: 1}, native: true},
	kindMessageOut: {name: "msgout", capture: abi.Capture{Kind: abi.CaptureMessageOut, Content: 1},
		native: true, output: true},
	kindSockAddr: {name: "sockaddr", sized: true, capture: abi.Capture{Kind: abi.CaptureIn}, always: true},
	kindSockName: {name: "sockname",
		capture: abi.Capture{Kind: abi.CaptureFixedOut, Size: sizeofSockName}, output: true},
	kindFDs: {name: "fds", capture: abi.Capture{Kind: abi.CaptureFixedOut, Size: sizeofFDs}, output: true},
	kindTimespec: {name: "timespec", capture: abi.Capture{Kind: abi.CaptureFixedIn, Size: sizeofTimespec},
		native: true, always: true},
	kindOpenHow: {name: "open_how",
		capture: abi.Capture{Kind: abi.CaptureFixedIn, Size: sizeofOpenHow}, always: true},
}
