// SPDX-License-Identifier: Apache-2.0

package timestamp

import (
	"time"

	"k8s.io/apimachinery/pkg/util/duration"
)

// Brief returns a duration in two or three digits: "12ms", "5.3s", "3h".
func Brief(d time.Duration) string {
	switch {
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	case d < time.Minute:
		return d.Round(100 * time.Millisecond).String()
	}
	return duration.HumanDuration(d)
}
