// SPDX-License-Identifier: Apache-2.0

//go:build linux

package boottime

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// machine is a fake of a kernel's clocks: each read takes a while, and the kernel ticks between reads.
type machine struct {
	mono    int64 // ns since boot without suspends
	suspend int64 // ns
	wall    int64 // ns by which the wall clock is ahead of mono
	random  *rand.Rand
	list    string // of /proc/timer_list
}

func (m *machine) source() source {
	return source{m.read, func() ([]byte, error) {
		if m.list == "" {
			return nil, errors.New("not for you")
		}
		return []byte(m.list), nil
	}}
}

func (m *machine) read(id int32) (int64, error) {
	const tick = 4_000_000
	m.mono += 20 + m.random.Int64N(900)
	if m.random.IntN(4) == 0 {
		m.mono += m.random.Int64N(2 * tick) // another task had the CPU
	}
	coarse := m.mono - m.mono%tick
	switch id {
	case unix.CLOCK_MONOTONIC:
		return m.mono, nil
	case unix.CLOCK_BOOTTIME:
		return m.mono + m.suspend, nil
	case unix.CLOCK_MONOTONIC_COARSE:
		return coarse, nil
	case unix.CLOCK_REALTIME_COARSE:
		return coarse + m.wall, nil
	}
	return 0, unix.EINVAL
}

// TestOffset computes a record's time many times: it is the same to the nanosecond, until the wall clock is set.
func TestOffset(t *testing.T) {
	const wall = 1_795_763_192_899_455_173
	for _, test := range []struct {
		what    string
		suspend int64
		list    string
		exact   bool
	}{
		{"a server", 0, "", true},
		{"a laptop, by root", 77_123_456_789, " clock 2:\n  .base:       000000009a247d1e\n  .offset:     0 nsecs\n  .offset:     %d nsecs\n", true},
		{"a laptop, by another user", 77_123_456_789, "", false},
	} {
		t.Run(test.what, func(t *testing.T) {
			m := &machine{mono: 5_000_000_000, suspend: test.suspend, wall: wall, random: rand.New(rand.NewPCG(1, 2))}
			if test.list != "" {
				m.list = fmt.Sprintf(test.list, test.suspend)
			}
			for n := range 2000 {
				if n == 1000 {
					m.wall += 3_600_000_000_001 // the wall clock is set
				}
				got, err := m.source().offset()
				if err != nil {
					t.Fatal(err)
				}
				off := got - (m.wall - m.suspend)
				if test.exact && off != 0 || off < -1000 || off > 1000 {
					t.Fatalf("read %d: %d ns off", n, off)
				}
			}
		})
	}
}

func TestOffsetFails(t *testing.T) {
	s := source{func(int32) (int64, error) { return 0, unix.EINVAL }, nil}
	if _, err := s.offset(); !errors.Is(err, unix.EINVAL) {
		t.Errorf("the error is %v", err)
	}
}

// TestBoot reads this machine's clocks. The wall clock may be set meanwhile, but not ten times.
func TestBoot(t *testing.T) {
	steps := 0
	first, err := Boot()
	if err != nil {
		t.Fatal(err)
	}
	for range 10_000 {
		boot, err := Boot()
		if err != nil {
			t.Fatal(err)
		}
		if !boot.Equal(first) {
			t.Logf("boot moved by %v", boot.Sub(first))
			first = boot
			steps++
		}
	}
	if steps > 10 {
		t.Errorf("boot moved %d times", steps)
	}
	if first.Location() != time.UTC {
		t.Errorf("boot was at %v: its zone is the reader's", first)
	}
	before := time.Now()
	now := first.Add(time.Duration(Now()))
	if steps == 0 && (now.Before(before.Add(-time.Second)) || now.After(time.Now().Add(time.Second))) {
		t.Errorf("it is %v by CLOCK_BOOTTIME, and %v by the wall clock", now, before)
	}
}
