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
func appendDevice(dst []byte, device uint64) []byte {
	v := uint32(device)
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

// signalName returns the name of a signal, such as SIGKILL.
func signalName(v uint64) string { return string(appendSignal(nil, v)) }

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
