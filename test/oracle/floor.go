// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
)

// floor is what a comparison must reach, in percent.
type floor struct {
	present, results float64 // of calls
	args             float64 // that are equal
	calls            float64 // of which all arguments are equal
	signals, ends    float64
	wrong            int // largest number of wrong values
	descriptors      float64
	// Largest number of descriptors that are said to be something else: files that were renamed while they were open,
	// of which a recording has the name at that time, and strace the name at the time of the call.
	renamed int
}

// strict is the floor of all programs together.
var strict = floor{
	present: 100, results: 100, args: 99, calls: 97, signals: 100, ends: 100, descriptors: 99, renamed: 5,
}

// check returns an error if a report is below the floor.
func (f floor) check(r *report) error {
	c := r.all()
	if c.calls == 0 {
		return errors.New("strace has seen no calls")
	}
	var errs []error
	for _, share := range []struct {
		what  string
		n, of int
		least float64
	}{
		{"of calls are in the recordings", c.present, c.calls, f.present},
		{"of results are equal", c.results, c.present, f.results},
		{"of arguments are equal", c.args[equal], sum(c.args), f.args},
		{"of calls have all arguments equal", c.whole, c.present, f.calls},
		{"of signals are equal", c.sameSignals, c.signals, f.signals},
		{"of ends are equal", c.sameEnds, c.ends, f.ends},
		{"of descriptors are equal", c.descriptors[equal], sum(c.descriptors), f.descriptors},
	} {
		if float64(share.n)*100 < share.least*float64(share.of) {
			errs = append(errs, fmt.Errorf("%s %% %s: the floor is %v", percent(share.n, share.of), share.what, share.least))
		}
	}
	if c.extra > 0 && f.present == 100 {
		errs = append(errs, fmt.Errorf("%d calls are only in the recordings", c.extra))
	}
	if c.args[wrong] > f.wrong {
		errs = append(errs, fmt.Errorf("%d values are wrong: the floor is %d", c.args[wrong], f.wrong))
	}
	if c.descriptors[wrong] > f.renamed {
		errs = append(errs, fmt.Errorf("%d descriptors are wrong: the floor is %d", c.descriptors[wrong], f.renamed))
	}
	if r.hidden > 0 {
		errs = append(errs, fmt.Errorf("%d values are missing without strace", r.hidden))
	}
	return errors.Join(errs...)
}
