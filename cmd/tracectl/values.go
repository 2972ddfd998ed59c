// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/runc-trace/runc-trace/pkg/syscalls"
	"github.com/runc-trace/runc-trace/pkg/timestamp"
)

// span is a flag that accepts a positive duration.
type span struct{ time.Duration }

func (s *span) Type() string { return "time" }

func (s *span) String() string {
	if s.Duration == 0 {
		return ""
	}
	return s.Duration.String()
}

func (s *span) Set(text string) (err error) {
	s.Duration, err = timestamp.Span(text)
	return err
}

// since is a flag that accepts a past time. The zero value is unset.
type since struct {
	at   time.Time
	text string
}

func (s *since) String() string { return s.text }
func (s *since) Type() string   { return "time" }

func (s *since) Set(text string) (err error) {
	s.at, err = timestamp.Since(text, time.Now())
	s.text = text
	return err
}

// set reports whether a time was given. It may be the zero time.Time.
func (s *since) set() bool { return s.text != "" }

// ago returns the time since then, 100 years at most, so that sums do not overflow; 0 if unset.
func (s *since) ago() time.Duration {
	const most = 100 * 365 * 24 * time.Hour
	if !s.set() {
		return 0
	}
	return min(max(time.Since(s.at), 1), most)
}

// natural is a flag that accepts a non-negative integer.
type natural int

func (n *natural) String() string { return strconv.Itoa(int(*n)) }
func (n *natural) Type() string   { return "number" }

func (n *natural) Set(text string) error {
	number, err := strconv.ParseUint(text, 10, 31)
	if err != nil {
		return errors.New("must be a whole number, 0 or more")
	}
	*n = natural(number)
	return nil
}

// pids is a flag that accepts process IDs.
type pids []uint32

func (p *pids) Type() string { return "pid,..." }

func (p *pids) String() string {
	words := make([]string, len(*p))
	for i, pid := range *p {
		words[i] = strconv.FormatUint(uint64(pid), 10)
	}
	return strings.Join(words, ",")
}

func (p *pids) Set(text string) error {
	for word := range strings.SplitSeq(text, ",") {
		pid, err := strconv.ParseUint(word, 10, 32)
		if err != nil || pid == 0 {
			return errors.New("must be process IDs such as 4711 or 4711,4712")
		}
		*p = append(*p, uint32(pid))
	}
	return nil
}

// calls is a flag that accepts names of system calls.
type calls struct {
	abis  []syscalls.ABI
	names []string
}

func (l *calls) String() string { return strings.Join(l.names, ",") }
func (l *calls) Type() string   { return "call,..." }

func (l *calls) Set(text string) error {
	known := l.known()
	for name := range strings.SplitSeq(strings.TrimPrefix(text, "trace="), ",") {
		if !known[name] {
			return fmt.Errorf("unknown system call %q", name)
		}
		l.names = append(l.names, name)
	}
	return nil
}

// known returns the names of all system calls.
func (l *calls) known() map[string]bool {
	const most = 1024 // above all numbers of system calls
	names := map[string]bool{}
	for _, abi := range l.abis {
		for nr := range syscalls.Nr(most) {
			if call, ok := syscalls.Lookup(abi, nr); ok {
				names[call.Name] = true
			}
		}
	}
	return names
}
