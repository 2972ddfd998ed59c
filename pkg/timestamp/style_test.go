// SPDX-License-Identifier: Apache-2.0

package timestamp

import (
	"testing"
	"time"
)

func TestStyle(t *testing.T) {
	defer func(zone *time.Location) { time.Local = zone }(time.Local)
	at := time.Date(2026, 3, 4, 5, 6, 7, 80, time.UTC)
	for _, c := range []struct {
		style   Style
		zone    *time.Location
		elapsed time.Duration
		want    string
	}{
		{None, time.UTC, time.Second, ""},
		{Relative, time.UTC, 0, "00:00.000000000"},
		{Relative, time.UTC, 63359811, "00:00.063359811"},
		{Relative, time.UTC, 59*time.Minute + time.Second, "59:01.000000000"},
		{Relative, time.UTC, 1234*time.Minute + 5*time.Second + 6, "1234:05.000000006"},
		{Relative, time.UTC, -1, "-00:00.000000001"},
		{Relative, time.UTC, -1 << 63, "-153722867:16.854775808"},
		{Delta, time.UTC, 1500, "00:00.000001500"},
		{Wall, time.UTC, 0, "2026-03-04T05:06:07.000000080Z"},
		{Wall, time.FixedZone("", 5*3600+1800), 0, "2026-03-04T10:36:07.000000080+05:30"},
		{UTC, time.FixedZone("", 5*3600+1800), 0, "2026-03-04T05:06:07.000000080Z"},
	} {
		time.Local = c.zone
		got := string(c.style.Append(nil, at.In(time.FixedZone("", 3600)), c.elapsed))
		if got != c.want || len(got) < c.style.Width() {
			t.Errorf("%s: %q, want %q, of a width of %d", c.style, got, c.want, c.style.Width())
		}
	}
}
