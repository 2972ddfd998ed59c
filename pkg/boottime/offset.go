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

// source reads the clocks and the kernel's own offsets.
type source struct {
	read      func(id int32) (int64, error) // ns
	timerList func() ([]byte, error)        // /proc/timer_list, which only root can read
}

var kernel = source{read, func() ([]byte, error) { return regular.Read("/proc/timer_list", regular.Text) }}

// offset returns the wall clock minus CLOCK_BOOTTIME, in nanoseconds.
func (s source) offset() (int64, error) {
	wall, err := s.wallOffset()
	if err != nil {
		return 0, err
	}
	boot, err := s.bootOffset()
	return wall - boot, err
}

// wallOffset returns CLOCK_REALTIME minus CLOCK_MONOTONIC. Their coarse clocks do not advance between two ticks of
// the kernel (1 to 10 ms): if both are read within the same tick, their difference is exact.
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

// bootOffset returns CLOCK_BOOTTIME minus CLOCK_MONOTONIC: the time for which the machine was suspended, 0 on
// nearly every server. Reading one clock between two reads of the other gives a range of less than a microsecond.
// If 0 is not in the range, bootOffset looks for the kernel's own number in /proc/timer_list, and otherwise returns
// the middle of the range.
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

// offsetWithin returns the offset of a clock in /proc/timer_list (kernel/time/timer_list.c) that lies in a range.
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
