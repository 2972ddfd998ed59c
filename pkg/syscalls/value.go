// SPDX-License-Identifier: Apache-2.0

package syscalls

import "strconv"

// word cuts a register to the width that it has in the call's ABI.
func (c *Call) word(v uint64) uint64 {
	if c.ABI.is32() {
		return uint64(uint32(v))
	}
	return v
}

// signedWord is word for what counts below zero.
func (c *Call) signedWord(v uint64) int64 {
	if c.ABI.is32() {
		return int64(int32(v))
	}
	return int64(v)
}

// appendValue appends argument i, without what it points to.
func (c *Call) appendValue(dst []byte, a *Arg, i int) []byte {
	v := c.Args[i]
	switch a.kind {
	case kindFlags:
		return a.flags.append(dst, c.word(v))
	case kindInt, kindFD:
		return strconv.AppendInt(dst, int64(int32(v)), 10)
	case kindUint:
		return strconv.AppendUint(dst, uint64(uint32(v)), 10)
	case kindLong:
		return strconv.AppendInt(dst, c.signedWord(v), 10)
	case kindSize:
		return strconv.AppendUint(dst, c.word(v), 10)
	case kindHex32:
		return appendHex(dst, uint64(uint32(v)))
	case kindHex:
		return appendHex(dst, c.word(v))
	case kindDirFD:
		if int32(v) == atFDCWD {
			return append(dst, "AT_FDCWD"...)
		}
		return strconv.AppendInt(dst, int64(int32(v)), 10)
	case kindSignal:
		return appendSignal(dst, uint64(uint32(v)))
	case kindID:
		if uint32(v) == ^uint32(0) {
			return append(dst, "-1"...)
		}
		return strconv.AppendUint(dst, uint64(uint32(v)), 10)
	case kindMode:
		if uint16(v) != 0 {
			dst = append(dst, '0')
		}
		return strconv.AppendUint(dst, uint64(uint16(v)), 8)
	case kindDev:
		return appendDevice(dst, uint32(v))
	case kindFcntlArg:
		return c.appendFcntl(dst, uint32(c.Args[i-1]), v)
	case kindSockOpt:
		return c.appendSocketOption(dst, uint32(c.Args[i-1]), v)
	case kindSockProto:
		return c.appendProtocol(dst, uint32(c.Args[0]), v)
	default:
		return appendPointer(dst, c.word(v))
	}
}

const atFDCWD = -100

func appendHex(dst []byte, v uint64) []byte {
	if v == 0 {
		return append(dst, '0')
	}
	return strconv.AppendUint(append(dst, "0x"...), v, 16)
}

func appendPointer(dst []byte, v uint64) []byte {
	if v == 0 {
		return append(dst, "NULL"...)
	}
	return appendHex(dst, v)
}

// appendDevice shows a device's number as the kernel takes it from programs (new_decode_dev).
func appendDevice(dst []byte, v uint32) []byte {
	dst = append(dst, "makedev("...)
	dst = appendHex(dst, uint64(v&0xfff00>>8))
	dst = append(dst, ", "...)
	dst = appendHex(dst, uint64(v&0xff|v>>12&0xfff00))
	return append(dst, ')')
}

// appendFcntl shows fcntl's third argument.
func (c *Call) appendFcntl(dst []byte, cmd uint32, v uint64) []byte {
	const (
		dupFD, setFD, setFL, setOwn, setSig = 0, 2, 4, 8, 10
		dupFDCloexec, setPipeSize, addSeals = 1030, 1031, 1033
	)
	t := tableOf(c.ABI)
	switch cmd {
	case setFD:
		return t.fdFlags.append(dst, v)
	case setFL:
		return t.open.append(dst, v)
	case addSeals:
		return t.seals.append(dst, v)
	case setSig:
		return appendSignal(dst, uint64(uint32(v)))
	case dupFD, dupFDCloexec, setPipeSize, setOwn:
		return strconv.AppendInt(dst, int64(int32(v)), 10)
	}
	return appendHex(dst, c.word(v))
}

// appendSocketOption shows getsockopt's third argument, whose names are its level's.
func (c *Call) appendSocketOption(dst []byte, level uint32, v uint64) []byte {
	t := tableOf(c.ABI)
	switch level {
	case 0: // SOL_IP
		return t.optIP.append(dst, v)
	case 1: // SOL_SOCKET
		return t.optSocket.append(dst, v)
	case 6: // SOL_TCP
		return t.optTCP.append(dst, v)
	case 41: // SOL_IPV6
		return t.optIPv6.append(dst, v)
	case 270: // SOL_NETLINK
		return t.optN.append(dst, v)
	}
	return strconv.AppendInt(dst, int64(int32(v)), 10)
}

// appendProtocol shows socket's third argument, whose names are its family's.
func (c *Call) appendProtocol(dst []byte, family uint32, v uint64) []byte {
	switch family {
	case familyInet, familyInet6:
		return tableOf(c.ABI).ipProtocol.append(dst, v)
	case familyNetlink:
		return tableOf(c.ABI).netlinkProtocol.append(dst, v)
	}
	return strconv.AppendInt(dst, int64(int32(v)), 10)
}

// signals are those of include/uapi/asm-generic/signal.h; 0 tests for existence.
var signals = [...]string{
	"0", "SIGHUP", "SIGINT", "SIGQUIT", "SIGILL", "SIGTRAP", "SIGABRT", "SIGBUS", "SIGFPE", "SIGKILL", "SIGUSR1",
	"SIGSEGV", "SIGUSR2", "SIGPIPE", "SIGALRM", "SIGTERM", "SIGSTKFLT", "SIGCHLD", "SIGCONT", "SIGSTOP", "SIGTSTP",
	"SIGTTIN", "SIGTTOU", "SIGURG", "SIGXCPU", "SIGXFSZ", "SIGVTALRM", "SIGPROF", "SIGWINCH", "SIGIO", "SIGPWR",
	"SIGSYS",
}

// appendSignal shows a signal: SIGKILL; SIGRTMIN, SIGRT_1 and so on for those from 32 on; otherwise its number.
func appendSignal(dst []byte, v uint64) []byte {
	const first, last = 32, 64
	switch {
	case v < uint64(len(signals)):
		return append(dst, signals[v]...)
	case v == first:
		return append(dst, "SIGRTMIN"...)
	case v > first && v <= last:
		return strconv.AppendUint(append(dst, "SIGRT_"...), v-first, 10)
	}
	return strconv.AppendInt(dst, int64(int32(v)), 10)
}
