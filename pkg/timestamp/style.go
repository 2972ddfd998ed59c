// SPDX-License-Identifier: Apache-2.0

package timestamp

import (
	"strconv"
	"time"
)

// Style is the format of the times of events.
type Style string

// The styles. Wall and UTC are RFC 3339 with nanoseconds and the zone, of the same length within a zone.
const (
	None     Style = "none"
	Relative Style = "relative" // since the container's creation: minutes, without a limit, and seconds
	Wall     Style = "wall"     // local time
	UTC      Style = "utc"
	Delta    Style = "delta" // since the line before, as Relative
)

const layout = "2006-01-02T15:04:05.000000000Z07:00"

// Width returns the usual number of characters of a time; it may be longer.
func (s Style) Width() int {
	switch s {
	case Relative, Delta:
		return len("00:00.000000000")
	case Wall:
		if _, offset := time.Now().Zone(); offset != 0 {
			return len(layout)
		}
		return len(layout) - len("07:00")
	case UTC:
		return len(layout) - len("07:00")
	}
	return 0
}

// Append appends the time of an event: the wall-clock time at, or the time elapsed since the container's creation or
// the line before.
func (s Style) Append(dst []byte, at time.Time, elapsed time.Duration) []byte {
	switch s {
	case Relative, Delta:
		return appendRelative(dst, elapsed)
	case Wall:
		return at.Local().AppendFormat(dst, layout)
	case UTC:
		return at.UTC().AppendFormat(dst, layout)
	}
	return dst
}

// appendRelative appends MM:SS.nnnnnnnnn.
func appendRelative(dst []byte, elapsed time.Duration) []byte {
	ns := uint64(elapsed)
	if elapsed < 0 {
		dst, ns = append(dst, '-'), -ns
	}
	const minute = uint64(time.Minute)
	if m := ns / minute; m < 10 {
		dst = append(dst, '0', '0'+byte(m))
	} else {
		dst = strconv.AppendUint(dst, m, 10)
	}
	dst = AppendDigits(append(dst, ':'), ns%minute/1e9, 2)
	return AppendDigits(append(dst, '.'), ns%1e9, 9)
}

// AppendDigits appends the last digits of a number, with leading zeros.
func AppendDigits(dst []byte, n uint64, width int) []byte {
	var digits [20]byte
	for i := width - 1; i >= 0; i-- {
		digits[i] = '0' + byte(n%10)
		n /= 10
	}
	return append(dst, digits[:width]...)
}
