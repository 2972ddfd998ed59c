// SPDX-License-Identifier: Apache-2.0

//go:build linux

package boottime

import (
	"bufio"
	"bytes"
	"math"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/runc-trace/runc-trace/pkg/regular"
)

// source is where the clocks and the kernel's own offsets are read.
type source struct {
	read      func(id int32) (int64, error) // ns
	timerList func() ([]byte, error)        // /proc/timer_list, which only root may read
}

var kernel = source{read, func() ([]byte, error) { return regular.Read("/proc/timer_list", regular.Text) }}

// offset is the wall clock minus CLOCK_BOOTTIME, in nanoseconds.
func (s source) offset() (int64, error) {
	wall, err := s.wallOffset()
	if err != nil {
		return 0, err
	}
	boot, err := s.bootOffset()
	return wall - boot, err
}

// wallOffset is CLOCK_REALTIME minus CLOCK_MONOTONIC. Their coarse clocks stand still between two ticks of the kernel
// (1 to 10 ms): read within the same tick, they differ by exactly that.
func (s source) wallOffset() (int64, error) {
	for {
		before, err := s.read(unix.CLOCK_MONOTONIC_COARSE)
		if err != nil {
			return 0, err
		}
		wall, err := s.read(unix.CLOCK_REALTIME_COARSE)
		if err != nil {
			return 0, err
		}
		after, err := s.read(unix.CLOCK_MONOTONIC_COARSE)
		if err != nil {
			return 0, err
		}
		if before == after {
			return wall - before, nil
		}
	}
}

// bootOffset is CLOCK_BOOTTIME minus CLOCK_MONOTONIC: how long the machine has been suspended, 0 on nearly every
// server. Reading one between two reads of the other leaves a range of less than a microsecond. If 0 is not in it, the kernel's
// own number is looked for in /proc/timer_list; without that, the middle of the range has to do.
func (s source) bootOffset() (int64, error) {
	const samples = 8
	least, most := int64(math.MinInt64), int64(math.MaxInt64)
	for range samples {
		before, err := s.read(unix.CLOCK_MONOTONIC)
		if err != nil {
			return 0, err
		}
		boot, err := s.read(unix.CLOCK_BOOTTIME)
		if err != nil {
			return 0, err
		}
		after, err := s.read(unix.CLOCK_MONOTONIC)
		if err != nil {
			return 0, err
		}
		least, most = max(least, boot-after), min(most, boot-before)
	}
	if least <= 0 && most >= 0 {
		return 0, nil
	}
	list, err := s.timerList()
	if err == nil {
		if offset, ok := offsetWithin(list, least, most); ok {
			return offset, nil
		}
	}
	return least + (most-least)/2, nil
}

// offsetWithin finds the offset of a clock in /proc/timer_list (kernel/time/timer_list.c) that lies in a range.
func offsetWithin(timerList []byte, least, most int64) (int64, bool) {
	for lines := bufio.NewScanner(bytes.NewReader(timerList)); lines.Scan(); {
		word, is := bytes.CutPrefix(bytes.TrimSpace(lines.Bytes()), []byte(".offset:"))
		if !is {
			continue
		}
		word = bytes.TrimSpace(bytes.TrimSuffix(word, []byte("nsecs")))
		if n, err := strconv.ParseInt(string(word), 10, 64); err == nil && n >= least && n <= most {
			return n, true
		}
	}
	return 0, false
}
