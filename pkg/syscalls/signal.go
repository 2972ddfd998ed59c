// SPDX-License-Identifier: Apache-2.0

package syscalls

import (
	"bytes"
	"encoding/binary"
	"strconv"
	"unsafe" // for offsets, which are constants

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
)

// NumberSignal is the Nr of a record without a call: a signal was delivered to the task.
const NumberSignal Nr = abi.NumberSignal

// Event reports whether the record is not of a call, but of an event of the task.
func (c *Call) Event() bool { return c.Nr == NumberNone || c.Nr == NumberSignal }

// Delivery is a signal that was delivered to a task. The task took it on its way back to its program.
type Delivery struct {
	Signal  string  `json:"signal"`            // SIGSEGV
	Code    string  `json:"code"`              // SEGV_MAPERR, SI_USER; or a number
	Address string  `json:"address,omitempty"` // of a fault: the memory that the task accessed, or the instruction
	PID     int32   `json:"pid,omitempty"`     // of the sender, as the task sees it; absent if it cannot see it
	Handled bool    `json:"handled"`           // the program has a handler for it
	Sender  *Sender `json:"sender,omitempty"`  // absent if the kernel sent it
}

// Sender is a process that sent a signal.
type Sender struct {
	PID    uint32 `json:"pid"`    // in the initial PID namespace
	Comm   string `json:"comm"`   // hostile
	Cgroup uint64 `json:"cgroup"` // ID
}

// Delivery returns the signal of a record of a delivery, and false for other records.
func (c *Call) Delivery() (d Delivery, ok bool) {
	if c.Nr != NumberSignal || c.NArgs < abi.SignalArgs {
		return d, false
	}
	signal, code := c.Args[abi.SignalNumber], int32(c.Args[abi.SignalCode])
	d = Delivery{
		Signal: string(appendSignal(nil, signal)), PID: int32(c.Args[abi.SignalSender]),
		Handled: c.Args[abi.SignalAction] != 0,
	}
	d.Code = signalCode(d.Signal, code)
	if isFault(d.Signal) && code > 0 {
		d.Address = string(appendHex(nil, c.Args[abi.SignalAddress]))
	}
	for i := range c.Captures {
		p := &c.Captures[i]
		if p.Kernel && p.Arg == abi.SignalSender && len(p.Data) == abi.SizeofSender {
			d.Sender = &Sender{
				PID:    binary.LittleEndian.Uint32(p.Data[unsafe.Offsetof(abi.Sender{}.PID):]),
				Comm:   cString(p.Data[unsafe.Offsetof(abi.Sender{}.Comm):][:abi.CommSize]),
				Cgroup: binary.LittleEndian.Uint64(p.Data[unsafe.Offsetof(abi.Sender{}.Cgroup):]),
			}
		}
	}
	return d, true
}

// cString returns the bytes before the first NUL.
func cString(field []byte) string {
	text, _, _ := bytes.Cut(field, []byte{0})
	return string(text)
}

func isFault(signal string) bool {
	switch signal {
	case "SIGSEGV", "SIGBUS", "SIGILL", "SIGFPE", "SIGTRAP", "SIGSYS":
		return true
	}
	return false
}

// appendDelivery appends a delivered signal in the format of strace, and who sent it:
//
//	--- SIGSEGV {si_signo=SIGSEGV, si_code=SEGV_MAPERR, si_addr=0x10} ---
//	--- SIGKILL {si_signo=SIGKILL, si_code=SI_USER} from pid 4711 "kubelet" ---
func (c *Call) appendDelivery(dst []byte) []byte {
	d, ok := c.Delivery()
	if !ok {
		return append(dst, "--- ? ---"...)
	}
	return d.append(dst)
}

func (d *Delivery) append(dst []byte) []byte {
	dst = append(append(dst, "--- "...), d.Signal...)
	dst = append(append(dst, " {si_signo="...), d.Signal...)
	dst = append(append(dst, ", si_code="...), d.Code...)
	if d.Address != "" {
		dst = append(append(dst, ", si_addr="...), d.Address...)
	}
	if d.PID != 0 {
		dst = strconv.AppendInt(append(dst, ", si_pid="...), int64(d.PID), 10)
	}
	dst = append(dst, '}')
	if d.Sender != nil {
		dst = strconv.AppendUint(append(dst, " from pid "...), uint64(d.Sender.PID), 10)
		dst = AppendQuoted(append(dst, ' '), []byte(d.Sender.Comm))
	}
	return append(dst, " ---"...)
}

// signalCode returns the name of a signal's si_code: include/uapi/asm-generic/siginfo.h.
func signalCode(signal string, code int32) string {
	if name, ok := codes[code]; ok && (code <= 0 || code == siKernel) {
		return name
	}
	if names := codesOf[signal]; code > 0 && int(code) <= len(names) {
		return names[code-1]
	}
	return strconv.Itoa(int(code))
}

const (
	siKernel = 0x80
	siTimer  = -2
	siIO     = -5
	siTkill  = -6

	segvBounds = 3
	segvKey    = 4
)

var codes = map[int32]string{
	0: "SI_USER", siKernel: "SI_KERNEL", -1: "SI_QUEUE", -2: "SI_TIMER", -3: "SI_MESGQ", -4: "SI_ASYNCIO",
	-5: "SI_SIGIO", -6: "SI_TKILL", -7: "SI_DETHREAD", -60: "SI_ASYNCNL",
}

// codesOf names the codes from 1 on.
var codesOf = map[string][]string{
	"SIGSEGV": {"SEGV_MAPERR", "SEGV_ACCERR", "SEGV_BNDERR", "SEGV_PKUERR", "SEGV_ACCADI", "SEGV_ADIDERR", "SEGV_ADIPERR",
		"SEGV_MTEAERR", "SEGV_MTESERR", "SEGV_CPERR"},
	"SIGBUS": {"BUS_ADRALN", "BUS_ADRERR", "BUS_OBJERR", "BUS_MCEERR_AR", "BUS_MCEERR_AO"},
	"SIGILL": {"ILL_ILLOPC", "ILL_ILLOPN", "ILL_ILLADR", "ILL_ILLTRP", "ILL_PRVOPC", "ILL_PRVREG", "ILL_COPROC",
		"ILL_BADSTK", "ILL_BADIADDR"},
	"SIGFPE": {"FPE_INTDIV", "FPE_INTOVF", "FPE_FLTDIV", "FPE_FLTOVF", "FPE_FLTUND", "FPE_FLTRES", "FPE_FLTINV",
		"FPE_FLTSUB"},
	"SIGTRAP": {"TRAP_BRKPT", "TRAP_TRACE", "TRAP_BRANCH", "TRAP_HWBKPT", "TRAP_UNK", "TRAP_PERF"},
	"SIGCHLD": {"CLD_EXITED", "CLD_KILLED", "CLD_DUMPED", "CLD_TRAPPED", "CLD_STOPPED", "CLD_CONTINUED"},
	"SIGIO":   {"POLL_IN", "POLL_OUT", "POLL_MSG", "POLL_ERR", "POLL_PRI", "POLL_HUP"},
	"SIGSYS":  {"SYS_SECCOMP", "SYS_USER_DISPATCH"},
}
