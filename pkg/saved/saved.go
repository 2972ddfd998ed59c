// SPDX-License-Identifier: Apache-2.0

// Package saved writes a recording into a file, and reads it back: later, or on another machine, of any architecture
// and operating system. docs/recordings.md describes the format.
//
// A file is made of chunks, each compressed and with a checksum of its own. If parts of it are damaged or missing, Read
// returns the others, and says what it lacks. A file may come from anybody: what Read keeps of it is bounded, and its
// text is as hostile as that of a container.
package saved

import (
	"errors"
	"fmt"
	"strings"

	"github.com/runc-trace/runc-trace/pkg/terminal"
)

// Version is that of the format and of the records in it. Files of a later version are refused.
const Version = 1

// ErrFormat is wrapped by errors about files that are not a recording, or of which nothing is left.
var ErrFormat = errors.New("not a saved recording")

// Damage says what a file lacks.
type Damage struct {
	Chunks      int  // that are damaged or missing, as far as that is known
	Cut         bool // the end of the file is missing
	Calls       int  // records that are lost
	InFlight    int  // records of calls in flight that are lost
	Descriptors int  // that are lost
	Unreadable  int  // records that are intact, and are none of a call
}

// Any reports whether the file lacks anything.
func (d Damage) Any() bool { return d != Damage{} }

// String says what is lost: "2 parts of it are damaged: 1,024 calls are lost".
func (d Damage) String() string {
	var lost []string
	for _, l := range []struct {
		n    int
		what string
	}{{d.Calls, "call"}, {d.InFlight, "call in flight"}, {d.Descriptors, "open descriptor"}, {d.Unreadable, "record"}} {
		if l.n > 0 {
			lost = append(lost, terminal.Count(l.n, l.what))
		}
	}
	what := "nothing else is lost"
	if len(lost) > 0 {
		what = "lost: " + strings.Join(lost, ", ")
	}
	var how []string
	if d.Chunks > 0 {
		how = append(how, terminal.Count(d.Chunks, "part")+" damaged or missing")
	}
	if d.Cut {
		how = append(how, "its end is missing")
	}
	if len(how) == 0 {
		return what
	}
	return fmt.Sprintf("%s; %s", strings.Join(how, ", "), what)
}
