// SPDX-License-Identifier: Apache-2.0

// Package timestamp reads and writes times as people do: "10m" ago, or RFC 3339.
package timestamp

import (
	"errors"
	"strconv"
	"strings"
	"time"
)

// errSince says what Since takes.
var errSince = errors.New(`must be a time ago such as 10m, 2h30m or 1d, or a date such as "2026-01-31 15:04"`)

// errFuture says that a time lies ahead.
var errFuture = errors.New("lies in the future")

// dates are the layouts of local dates that Since takes.
var dates = [...]string{
	"2006-01-02", "2006-01-02 15:04", "2006-01-02 15:04:05", "2006-01-02T15:04", "2006-01-02T15:04:05",
}

// clocks are the layouts of times of a day.
var clocks = [...]string{"15:04", "15:04:05"}

// Since reads a time of the past as of now: a span before now as Span reads it, a local date with or without the time
// of day, RFC 3339, or a time of day, which means the last time that a clock showed it.
func Since(text string, now time.Time) (time.Time, error) {
	if span, err := Span(text); err == nil {
		return now.Add(-span), nil
	}
	at, err := time.Parse(time.RFC3339, text)
	for _, layout := range dates {
		if err != nil {
			at, err = time.ParseInLocation(layout, text, now.Location())
		}
	}
	if err == nil {
		if at.After(now) {
			return time.Time{}, errFuture
		}
		return at, nil
	}
	for _, layout := range clocks {
		if c, err := time.Parse(layout, text); err == nil {
			year, month, day := now.Date()
			at := time.Date(year, month, day, c.Hour(), c.Minute(), c.Second(), 0, now.Location())
			if at.After(now) {
				at = time.Date(year, month, day-1, c.Hour(), c.Minute(), c.Second(), 0, now.Location())
			}
			return at, nil
		}
	}
	return time.Time{}, errSince
}

// errSpan says what Span takes.
var errSpan = errors.New("must be a time such as 30s, 10m, 2h30m or 1d")

// Span reads a length of time above 0: numbers with units, the largest unit first: "1d12h", "90s", "1.5h". The units are
// those of time.ParseDuration, and d, which is 24 hours, and w, which is 7 days.
func Span(text string) (time.Duration, error) {
	const day, week = 24 * time.Hour, 7 * 24 * time.Hour
	var total float64 // nanoseconds
	rest := text
	for _, unit := range []struct {
		name string
		span time.Duration
	}{{"w", week}, {"d", day}} {
		number, after, ok := strings.Cut(rest, unit.name)
		if !ok {
			continue
		}
		n, err := strconv.ParseFloat(number, 64)
		if err != nil || strings.Trim(number, "0123456789.") != "" {
			return 0, errSpan
		}
		total += n * float64(unit.span)
		rest = after
	}
	if total > float64(1<<62) {
		return 0, errSpan
	}
	span := time.Duration(total)
	if rest != "" {
		d, err := time.ParseDuration(rest)
		if err != nil || d < 0 || rest[0] == '+' || rest[0] == '-' {
			return 0, errSpan
		}
		span += d
	}
	if span <= 0 {
		return 0, errSpan
	}
	return span, nil
}
