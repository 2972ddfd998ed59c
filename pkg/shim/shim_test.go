// SPDX-License-Identifier: Apache-2.0

package shim

import (
	"errors"
	"testing"
)

func TestGuard(t *testing.T) {
	cause := errors.New("cause")
	for _, test := range []struct {
		do   func() error
		want string
	}{
		{func() error { return nil }, ""},
		{func() error { return cause }, "cause"},
		{func() error { panic("at the disco") }, "panic: at the disco"},
		{func() error {
			var none []int
			_ = none[len(none)]
			return nil
		}, "panic: runtime error: index out of range [0] with length 0"},
	} {
		got := ""
		if err := guard(test.do); err != nil {
			got = err.Error()
		}
		if got != test.want {
			t.Errorf("%q, want %q", got, test.want)
		}
	}
}
