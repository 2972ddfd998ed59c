// SPDX-License-Identifier: Apache-2.0

// Package timestamp parses and prints times in the forms that people use: "10m" ago, or RFC 3339.
package timestamp

import (
	"errors"
	"strconv"
	"strings"
	"time"
)

// errSince lists the forms that Since accepts.
var errSince = errors.New(`must be a time ago such as 10m, 2h30m or 1d, or a date such as "2026-01-31 15:04"`)

// errFuture is returned for a time in the future.
var errFuture = errors.New("lies in the future")

// dates are the layouts of local dates that Since accepts.
var dates = [...]string{
	"2006-01-02", "2006-01-02 15:04", "2006-01-02 15:04:05", "2006-01-02T15:04", "2006-01-02T15:04:05",
}

// clocks are the layouts of times of day.
var clocks = [...]string{"15:04", "15:04:05"}

// Since parses a time in the past, relative to now: a span before now in the form of Span, a local date with or
// without the time of day, RFC 3339, or a time of day, which means its last occurrence.
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

// errSpan lists the forms that Span accepts.
var errSpan = errors.New("must be a time such as 30s, 10m, 2h30m or 1d")

// Span parses a duration above 0: numbers with units, the largest unit first: "1d12h", "90s", "1.5h". The units are
// those of time.ParseDuration, d (24 hours) and w (7 days).
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
