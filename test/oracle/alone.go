// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
)

// shape is an argument of a call, by the way in which the call ended: some are filled in only if it succeeded, or only
// if its result is not 0.
type shape struct {
	argument     string
	failed, zero bool
}

// learn remembers which arguments of strace's run had contents in each call.
func (r *report) learn(s *event) {
	for i, a := range s.args {
		key := shape{s.argument(i), s.failed(), s.result == "0"}
		if a.kind != word {
			r.contents[key]++
		} else if a.isPointer() {
			r.pointers[key]++
		}
	}
}

func (e *event) failed() bool {
	return len(e.result) > 2 && e.result[:3] == "-1 " || e.result[:1] == "?"
}

// alone looks at the recording of a run without strace. If an argument always had contents in the runs with strace, but
// is a bare pointer here, then its memory was there only because strace had read it.
func (r *report) alone(program string, record []*event) {
	for _, e := range record {
		if e.call == "" {
			continue
		}
		for i, a := range e.args {
			key := shape{e.argument(i), e.failed(), e.result == "0"}
			if a.isPointer() && r.contents[key] > 0 && r.pointers[key] == 0 {
				r.hidden++
				r.differ(program, e.argument(i), "alone", fmt.Sprintf("contents in %d calls", r.contents[key]), e.line)
			}
		}
	}
}
