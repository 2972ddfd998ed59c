// SPDX-License-Identifier: Apache-2.0

package syscalls

import "strconv"

// word truncates a register to its width in the call's ABI.
func (c *Call) word(v uint64) uint64 {
	if c.ABI.is32() {
		return uint64(uint32(v))
	}
	return v
}

// signedWord is word for signed values.
func (c *Call) signedWord(v uint64) int64 {
	if c.ABI.is32() {
		return int64(int32(v))
	}
	return int64(v)
}

// appendValue appends the value of argument i, without the memory that it points to.
func (c *Call) appendValue(dst []byte, a *Arg, i int) []byte {
	v := c.Args[i]
	switch a.kind {
	case kindFlags:
		return a.flags.append(dst, c.word(v))
	case kindInt, kindFD, kindRing:
		return strconv.AppendInt(dst, int64(int32(v)), 10)
	case kindUint:
		return strconv.AppendUint(dst, uint64(uint32(v)), 10)
	case kindLong:
		return strconv.AppendInt(dst, c.signedWord(v), 10)
	case kindSize:
		return strconv.AppendUint(dst, c.word(v), 10)
	case kindHex32:
		return appendHex(dst, uint64(uint32(v)))
	case kindHex, kindCommand:
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
	case kindID16: // low2highuid in include/linux/highuid.h
		if uint16(v) == ^uint16(0) {
			return append(dst, "-1"...)
		}
		return strconv.AppendUint(dst, uint64(uint16(v)), 10)
	case kindMode:
		if uint16(v) != 0 {
			dst = append(dst, '0')
		}
		return strconv.AppendUint(dst, uint64(uint16(v)), 8)
	case kindDev:
		return appendDevice(dst, uint32(v))
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

// appendDevice shows a device number in the encoding that the kernel takes from programs (new_decode_dev).
func appendDevice(dst []byte, v uint32) []byte {
	dst = append(dst, "makedev("...)
	dst = appendHex(dst, uint64(v&0xfff00>>8))
	dst = append(dst, ", "...)
	dst = appendHex(dst, uint64(v&0xff|v>>12&0xfff00))
	return append(dst, ')')
}

// signals are the names of include/uapi/asm-generic/signal.h. Signal 0 tests for existence.
var signals = [...]string{
	"0", "SIGHUP", "SIGINT", "SIGQUIT", "SIGILL", "SIGTRAP", "SIGABRT", "SIGBUS", "SIGFPE", "SIGKILL", "SIGUSR1",
	"SIGSEGV", "SIGUSR2", "SIGPIPE", "SIGALRM", "SIGTERM", "SIGSTKFLT", "SIGCHLD", "SIGCONT", "SIGSTOP", "SIGTSTP",
	"SIGTTIN", "SIGTTOU", "SIGURG", "SIGXCPU", "SIGXFSZ", "SIGVTALRM", "SIGPROF", "SIGWINCH", "SIGIO", "SIGPWR",
	"SIGSYS",
}

// appendSignal shows a signal by name, such as SIGKILL. Signals from 32 on are SIGRTMIN, SIGRT_1 and so on; others are
// shown as numbers.
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
