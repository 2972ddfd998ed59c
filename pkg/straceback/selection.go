// SPDX-License-Identifier: Apache-2.0

package straceback

import (
	"bytes"
	"errors"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/syscalls"
)

// Selection says which calls of a recording are shown: those that match all of its fields. The zero value selects all
// calls of the container's programs. It is not safe for concurrent use.
type Selection struct {
	Syscalls syscalls.Set
	Errnos   syscalls.Errnos
	Runtime  bool     // also calls of the container runtime
	Failed   bool     // only calls that failed, were refused or were killed
	PIDs     []uint32 // only these processes or threads, by their IDs on the host or in the container
	FDs      []int32  // only calls that take or return one of these descriptors
	Paths    []Glob   // only calls that name such a path, or that take, open or execute such a file
	// Addresses selects only calls that name such an address, or that take a socket of which it is the peer, or the own
	// one if the socket has no peer.
	Addresses []Address
	// Text selects only calls with this text in the memory that was recorded of them: what they read, wrote, named or
	// executed.
	Text   string
	Comms  []Glob        // only threads with such a name
	Since  time.Time     // without those that ended before
	Until  time.Time     // without those that began later; zero: without a limit
	Last   time.Duration // only the last part of the recording; 0: all of it
	Slower time.Duration // only calls that took, or have taken until now, at least this long
	Grep   *regexp.Regexp

	values []syscalls.Value // reused
	line   []byte
}

// Select keeps the selected calls of a timeline. f is how they are printed: Grep looks at its lines.
func (s *Selection) Select(t *Timeline, f *Format) {
	printed := *f // AppendLine changes a Format
	printed.Color = false
	t.Select(func(e *Event) bool { return s.Has(e, &printed) })
}

// Has reports whether a call, which is Whole or InFlight, is selected. f is as for Select, but without colors. It asks
// the cheapest questions first.
func (s *Selection) Has(e *Event, f *Format) bool {
	c := &e.Call
	return (s.Runtime || e.Lane != Runtime) && s.during(e, f) && s.Syscalls.Has(c) && s.Errnos.Has(c) &&
		(!s.Failed || c.Failed()) && s.by(c) && s.holds(c) && s.takes(e) && s.names(e) && s.reaches(e) &&
		s.prints(e, f)
}

// holds reports whether the memory of a call has the text. The path of the file that it found is not part of that.
func (s *Selection) holds(c *syscalls.Call) bool {
	return s.Text == "" || slices.ContainsFunc(c.Captures, func(p syscalls.Capture) bool {
		return p.Arg != abi.CaptureResult && bytes.Contains(p.Data, []byte(s.Text))
	})
}

// reaches reports whether a call is about a selected address.
func (s *Selection) reaches(e *Event) bool {
	if len(s.Addresses) == 0 {
		return true
	}
	s.values = e.Call.Values(s.values[:0], e.Part == InFlight)
	return slices.ContainsFunc(s.Addresses, func(a Address) bool { return a.matchesAny(s.values) })
}

// during reports whether a call is within the selected time, and took long enough.
func (s *Selection) during(e *Event, f *Format) bool {
	begin, end := e.Call.Time, e.Call.Time+e.Call.Duration
	if e.Part == InFlight {
		end = max(begin, f.Now)
	}
	if s.Slower > 0 && end-begin < uint64(s.Slower) || s.Last > 0 && end+uint64(s.Last) < f.Now {
		return false
	}
	return !f.Boot.Add(time.Duration(end)).Before(s.Since) &&
		(s.Until.IsZero() || !f.Boot.Add(time.Duration(begin)).After(s.Until))
}

// by reports whether a selected thread made the call.
func (s *Selection) by(c *syscalls.Call) bool {
	if len(s.Comms) > 0 && !slices.ContainsFunc(s.Comms, func(g Glob) bool { return g.matches(string(c.Comm)) }) {
		return false
	}
	return len(s.PIDs) == 0 || slices.ContainsFunc(s.PIDs, func(pid uint32) bool {
		return pid == c.PID || pid == c.TID || pid == c.Inner.PID || pid == c.Inner.TID
	})
}

// takes reports whether a call takes or returns a selected descriptor.
func (s *Selection) takes(e *Event) bool {
	if len(s.FDs) == 0 {
		return true
	}
	if e.Part != InFlight && e.Call.ReturnsDescriptor() && slices.Contains(s.FDs, int32(e.Call.Result)) {
		return true
	}
	s.values = e.Call.Values(s.values[:0], e.Part == InFlight)
	return slices.ContainsFunc(s.values, func(v syscalls.Value) bool {
		return slices.ContainsFunc(s.FDs, func(fd int32) bool {
			switch v.Kind {
			case syscalls.KindFD, syscalls.KindDirFD:
				return int32(v.Number) == fd
			case syscalls.KindFDs:
				return fd >= 0 && int(fd/8) < len(v.Bytes) && v.Bytes[fd/8]>>(fd%8)&1 != 0
			}
			return false
		})
	})
}

// names reports whether a call names a selected path, or led to such a file.
func (s *Selection) names(e *Event) bool {
	if len(s.Paths) == 0 {
		return true
	}
	matches := func(path string) bool {
		return slices.ContainsFunc(s.Paths, func(g Glob) bool { return g.MatchesPath(path) })
	}
	if file, ok := e.Call.File(); ok && matches(file.Path) {
		return true
	}
	s.values = e.Call.Values(s.values[:0], e.Part == InFlight)
	return slices.ContainsFunc(s.values, func(v syscalls.Value) bool {
		current := v.Kind == syscalls.KindDirFD && int32(v.Number) == syscalls.CWD // it is that of nearly every call
		return v.Kind == syscalls.KindPath && matches(string(v.Bytes)) ||
			v.File != nil && v.File.Path != "" && !current && matches(v.File.Path)
	})
}

// prints reports whether the line of a call matches.
func (s *Selection) prints(e *Event, f *Format) bool {
	if s.Grep == nil {
		return true
	}
	s.line = f.AppendLine(s.line[:0], e)
	return s.Grep.Match(bytes.TrimSuffix(s.line, []byte("\n")))
}

// Glob is a pattern of names, as of a shell, in which "*" and "?" match slashes, too.
type Glob string

// NewGlob checks a pattern.
func NewGlob(pattern string) (Glob, error) {
	if _, err := path.Match(pattern, ""); err != nil || pattern == "" {
		return "", errors.New("must be a name or a pattern such as '/etc/*': brackets must be closed")
	}
	return Glob(pattern), nil
}

// slash stands for a slash in patterns and names, so that path.Match takes it for any other character.
var slash = strings.NewReplacer("/", "\x00")

func (g Glob) matches(name string) bool {
	matched, err := path.Match(slash.Replace(string(g)), slash.Replace(name))
	return err == nil && matched
}

// MatchesPath reports whether a path matches. A pattern without a slash is that of the last name in the path.
func (g Glob) MatchesPath(name string) bool {
	if !strings.Contains(string(g), "/") {
		name = path.Base(name)
	}
	return g.matches(name)
}
