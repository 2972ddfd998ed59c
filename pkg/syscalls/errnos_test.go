// SPDX-License-Identifier: Apache-2.0

package syscalls_test

import (
	"strconv"
	"testing"

	"github.com/runc-trace/runc-trace/pkg/syscalls"
)

// TestErrnos checks which results a list of errors selects.
func TestErrnos(t *testing.T) {
	results := []int64{0, -2, -11, -95, -4096}
	for list, want := range map[string]string{
		"":              "0 -2 -11 -95 -4096",
		"ENOENT":        "-2",
		"ENOENT,EAGAIN": "-2 -11",
		"EWOULDBLOCK":   "-11",
		"!EAGAIN":       "0 -2 -95 -4096",
		"!ENOTSUP":      "0 -2 -11 -4096",
	} {
		var s, again syscalls.Errnos
		if list != "" {
			if err := s.Add(list); err != nil {
				t.Fatal(err)
			}
			if err := again.Add(s.String()); err != nil {
				t.Fatal(err)
			}
		}
		for _, s := range []*syscalls.Errnos{&s, &again} {
			got := ""
			for _, result := range results {
				if made := call(t, "read", result); s.Has(&made) {
					got += " " + strconv.FormatInt(result, 10)
				}
			}
			if got != " "+want {
				t.Errorf("%q selects%s, want %s", list, got, want)
			}
		}
	}
	told := call(t, "getsockopt", 0)
	told.NArgs, told.Args = 5, [6]uint64{3, 1, 4, 1, 1} // SOL_SOCKET, SO_ERROR
	told.Captures = []syscalls.Capture{{Arg: 3, Data: []byte{111, 0, 0, 0}, Output: true}}
	for list, want := range map[string]bool{"ECONNREFUSED": true, "ENOENT": false, "!ECONNREFUSED": false} {
		var s syscalls.Errnos
		if err := s.Add(list); err != nil || s.Has(&told) != want {
			t.Errorf("%q selects the error of a socket: %v, %v", list, !want, err)
		}
	}
	var s syscalls.Errnos
	for list, want := range map[string]string{
		"ENOTEXIST":    `unknown error "ENOTEXIST"; did you mean EEXIST?`,
		"ENOENT,ENOET": `unknown error "ENOET"; did you mean ENOENT, ENONET or ENODEV?`,
		"enoent":       `unknown error "enoent"; did you mean ENOENT?`,
		"":             `unknown error ""`,
	} {
		if err := s.Add(list); err == nil || err.Error() != want || s.String() != "" {
			t.Errorf("%q gives %v, want %s", list, err, want)
		}
	}
}
