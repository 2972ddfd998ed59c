// SPDX-License-Identifier: Apache-2.0

// Package patience waits in tests for what other processes or the kernel are about to do. How long that may take is
// said here only, because a machine may be emulated.
package patience

import (
	"os"
	"strconv"
	"testing"
	"time"
)

// Limit is the time after which nothing that a test waits for is still to come: two minutes, times
// RUNC_TRACE_TEST_PATIENCE if that is set.
var Limit = 2 * time.Minute * factor()

func factor() time.Duration {
	text := os.Getenv("RUNC_TRACE_TEST_PATIENCE")
	if text == "" {
		return 1
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		panic("RUNC_TRACE_TEST_PATIENCE=" + text + " is not a whole number above 0")
	}
	return time.Duration(n)
}

// Until waits until so returns true. If it does not within Limit, it ends the test, which says what it waited for.
func Until(t testing.TB, what string, so func() bool) {
	t.Helper()
	for end := time.Now().Add(Limit); !so(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited %v in vain until %s", Limit, what)
		}
	}
}

// For returns the condition of a loop that lasts for some time, and longer, up to Limit, until it has done something.
func For(d time.Duration) func(done bool) bool {
	begin := time.Now()
	return func(done bool) bool {
		since := time.Since(begin)
		return since < d || !done && since < Limit
	}
}
