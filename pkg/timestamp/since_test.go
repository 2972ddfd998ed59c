// SPDX-License-Identifier: Apache-2.0

package timestamp

import (
	"errors"
	"testing"
	"time"
)

func TestSince(t *testing.T) {
	zone := time.FixedZone("somewhere", 2*3600)
	now := time.Date(2026, 3, 4, 5, 6, 7, 8, zone)
	at := func(text string) time.Time {
		parsed, err := time.Parse(time.RFC3339Nano, text)
		if err != nil {
			t.Fatal(err)
		}
		return parsed
	}
	for text, want := range map[string]time.Time{
		"10m":                       now.Add(-10 * time.Minute),
		"2h30m":                     now.Add(-150 * time.Minute),
		"1.5h":                      now.Add(-90 * time.Minute),
		"1d":                        now.Add(-24 * time.Hour),
		"1d12h":                     now.Add(-36 * time.Hour),
		"2w1d":                      now.Add(-15 * 24 * time.Hour),
		"500ms":                     now.Add(-500 * time.Millisecond),
		"2026-03-01":                at("2026-03-01T00:00:00+02:00"),
		"2026-03-01 23:59":          at("2026-03-01T23:59:00+02:00"),
		"2026-03-01 23:59:58":       at("2026-03-01T23:59:58+02:00"),
		"2026-03-01T23:59":          at("2026-03-01T23:59:00+02:00"),
		"2026-03-01T23:59:58Z":      at("2026-03-01T23:59:58Z"),
		"2026-03-01T01:02:03.5Z":    at("2026-03-01T01:02:03.5Z"),
		"2026-03-01T01:02:03+05:30": at("2026-03-01T01:02:03+05:30"),
		"05:06":                     at("2026-03-04T05:06:00+02:00"),
		"05:07":                     at("2026-03-03T05:07:00+02:00"),
		"23:30:15":                  at("2026-03-03T23:30:15+02:00"),
	} {
		if got, err := Since(text, now); err != nil || !got.Equal(want) {
			t.Errorf("Since(%q) = %v, %v, want %v", text, got, err, want)
		}
	}
	for _, text := range []string{
		"", "yesterday", "0s", "0d", "-1s", "-1d", "+5m", "10", "10x", "1d-2h", "d", "1h1d", "1d1d", "1e9d",
		"NaNd", "99999999999999999w",
		"2026-13-01", "2026-03-01 25:00", "24:00", "10m ", "1 d",
	} {
		if got, err := Since(text, now); !errors.Is(err, errSince) {
			t.Errorf("Since(%q) = %v, %v, want %v", text, got, err, errSince)
		}
	}
	for _, text := range []string{"2026-03-05", "2026-03-04T05:06:08+02:00", "9999-01-01 00:00"} {
		if got, err := Since(text, now); !errors.Is(err, errFuture) {
			t.Errorf("Since(%q) = %v, %v, want %v", text, got, err, errFuture)
		}
	}
}
