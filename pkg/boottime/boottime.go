// SPDX-License-Identifier: Apache-2.0

//go:build linux

// Package boottime reads CLOCK_BOOTTIME, which is the time in every record, and relates it to the wall clock.
//
// CLOCK_BOOTTIME and the wall clock (CLOCK_REALTIME) run at the same rate: adjtimex(2), and therefore NTP, slews
// both, and both count the time of a suspend. Their difference is a whole number of nanoseconds, which changes only
// if the wall clock is set: clock_settime(2), settimeofday(2), ADJ_SETOFFSET, a leap second. Boot determines that
// number exactly, instead of reading two clocks one after the other, so a record has the same time at every read.
// When the wall clock is set, the times of all records move with it, including older ones.
package boottime

import (
	"fmt"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/runc-trace/runc-trace/pkg/regular"
)

// Now returns the time of CLOCK_BOOTTIME in nanoseconds. It returns 0 if the kernel has no such clock.
func Now() uint64 {
	now, err := read(unix.CLOCK_BOOTTIME)
	if err != nil {
		return 0
	}
	return uint64(now)
}

// Boot returns the time at which CLOCK_BOOTTIME began, in UTC, exact to the nanosecond, and according to the
// current setting of the wall clock: a record of CLOCK_BOOTTIME ns happened at Boot().Add(ns).
func Boot() (time.Time, error) {
	offset, err := kernel.offset()
	if err != nil {
		return time.Time{}, fmt.Errorf("reading the clock: %w", err)
	}
	return time.Unix(0, offset).UTC(), nil
}

// Suspended returns CLOCK_BOOTTIME minus CLOCK_MONOTONIC, in nanoseconds: the time for which the machine was suspended.
func Suspended() (uint64, error) {
	offset, err := kernel.bootOffset()
	return uint64(offset), err
}

// read calls clock_gettime(2), and returns nanoseconds.
func read(id int32) (int64, error) {
	var t unix.Timespec
	if err := unix.ClockGettime(id, &t); err != nil {
		return 0, err
	}
	return t.Nano(), nil
}

// ID returns the ID of this boot of the machine: see random(4).
func ID() (string, error) {
	id, err := regular.Read("/proc/sys/kernel/random/boot_id", 64)
	if err != nil {
		return "", fmt.Errorf("reading the ID of this boot: %w", err)
	}
	return strings.TrimSpace(string(id)), nil
}
