// SPDX-License-Identifier: Apache-2.0

package timestamp

import (
	"testing"
	"time"
)

func TestBrief(t *testing.T) {
	for span, want := range map[time.Duration]string{
		0: "0s", 12300 * time.Microsecond: "12ms", 5250 * time.Millisecond: "5.3s", 3 * time.Hour: "3h",
	} {
		if got := Brief(span); got != want {
			t.Errorf("%v is %s, want %s", span, got, want)
		}
	}
}
