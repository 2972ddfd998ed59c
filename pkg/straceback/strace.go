// SPDX-License-Identifier: Apache-2.0

package straceback

import (
	"strconv"
	"time"

	"github.com/runc-trace/runc-trace/pkg/syscalls"
	"github.com/runc-trace/runc-trace/pkg/timestamp"
)

// appendStrace appends an event in the form of the log that strace -f -tt -T writes:
//
//	23855 15:04:05.063359 newfstatat(AT_FDCWD, "/bin/wc", {st_mode=S_IFREG|0755, st_size=43968, ...}, 0) = 0 <0.000004>
//
// The number is the thread's ID on the host. If a thread ended in a call, a line for its end follows.
func (f *Format) appendStrace(dst []byte, event *Event) []byte {
	call, part := &event.Call, event.Part
	at := f.Boot.Add(time.Duration(event.At()))
	if event.From != 0 {
		switch {
		case call.Event():
			return dst // the thread was superseded
		case part == Begin && !call.Unfinished:
			dst = f.appendThread(dst, event.From, at)
			return append(event.AppendPart(dst, &f.strace), '\n')
		case part == Whole && !call.Unfinished:
			begin, end := *event, *event
			begin.Part, end.Part = Begin, End
			return f.appendStrace(f.appendStrace(dst, &begin), &end)
		case part == End && !call.Unfinished:
			dst = append(f.appendThread(dst, call.TID, at), "+++ superseded by execve in pid "...)
			dst = append(strconv.AppendUint(dst, uint64(event.From), 10), " +++\n"...)
		}
	}
	dst = event.AppendPart(f.appendThread(dst, call.TID, at), &f.strace)
	if part != Whole && part != End || call.Event() {
		return append(dst, '\n')
	}
	if !call.Unfinished {
		dst = append(dst, " <"...)
		dst = strconv.AppendUint(dst, call.Duration/1e9, 10)
		dst = timestamp.AppendDigits(append(dst, '.'), call.Duration%1e9/1e3, 6)
		return append(dst, ">\n"...)
	}
	if event.From != 0 {
		return append(dst, '\n')
	}
	end := syscalls.Call{Native: call.Native, Nr: syscalls.NumberNone, Result: call.Result}
	dst = f.appendThread(append(dst, '\n'), call.TID, f.Boot.Add(time.Duration(call.Time+call.Duration)))
	return append(f.strace.Append(dst, &end), '\n')
}

// appendThread appends the thread and the time of day with which a line begins.
func (f *Format) appendThread(dst []byte, thread uint32, at time.Time) []byte {
	dst = append(strconv.AppendUint(dst, uint64(thread), 10), ' ')
	return append(at.Local().AppendFormat(dst, "15:04:05.000000"), ' ')
}
