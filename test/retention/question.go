// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/runc-trace/runc-trace/pkg/syscalls"
)

// answer tells how much of what is asked the recording knows.
type answer struct {
	have, of int
	lost     []string // those that it does not know
	full     bool     // it has as many as its memory holds
	note     string
}

func (a answer) String() string {
	text := "yes"
	switch {
	case a.of == 0:
		return "-"
	case a.have < a.of:
		text = fmt.Sprintf("%d of %d", a.have, a.of)
	}
	return text + a.note
}

// ask counts those things that the recording knows.
func ask[T fmt.Stringer](things []T, knows func(T) bool) answer {
	a := answer{of: len(things)}
	for _, thing := range things {
		if knows(thing) {
			a.have++
		} else {
			a.lost = append(a.lost, thing.String())
		}
	}
	return a
}

// text is a string that can be asked for.
type text string

func (t text) String() string { return string(t) }

func texts(list []string) []text {
	converted := make([]text, len(list))
	for i, one := range list {
		converted[i] = text(one)
	}
	return converted
}

// kept is what the recording has of one deed.
type kept struct {
	count       uint64
	first, last time.Time // ends of calls
}

// inquiry compares what the recording and the witness know of one container.
type inquiry struct {
	*container
	recording *recording
	testimony *testimony
	boot      time.Time // when CLOCK_BOOTTIME began
	known     map[key]kept
	opened    map[string]bool
}

// question is one that section 1 of the table asks of each server.
type question struct {
	text   string
	answer func(*inquiry) (answer, error)
}

// always is the number of failed look-ups that are asked for without exception.
const always = 64

var questions = []question{
	{"configuration files", func(q *inquiry) (answer, error) {
		return ask(texts(q.configured), func(path text) bool { return q.opened[string(path)] }), nil
	}},
	{"libraries of its first program", func(q *inquiry) (answer, error) {
		list, err := libraries(q.program)
		return ask(texts(list), func(path text) bool { return q.opened[string(path)] }), err
	}},
	{"addresses listened on", func(q *inquiry) (answer, error) {
		return q.deeds(func(d deed) bool { return d.call == "bind" && d.errno == 0 }), nil
	}},
	{"addresses connected to", func(q *inquiry) (answer, error) {
		return q.deeds(func(d deed) bool { return d.call == "connect" }), nil
	}},
	{"programs executed", func(q *inquiry) (answer, error) {
		return q.deeds(func(d deed) bool { return d.call == "execve" && d.errno == 0 }), nil
	}},
	{"failures but look-ups", func(q *inquiry) (answer, error) { return q.deeds(isFailure), nil }},
	{"failed look-ups, the first 64", func(q *inquiry) (answer, error) {
		list := q.lookUps()
		return q.ask(list[:min(len(list), always)]), nil
	}},
	{"failed look-ups, later ones", func(q *inquiry) (answer, error) {
		list := q.lookUps()
		a := q.ask(list[min(len(list), always):])
		if a.full = q.full(); a.full && a.have < a.of {
			a.note, a.lost = " (`files` is full)", nil
		}
		return a, nil
	}},
	{"count, first, last of these", (*inquiry).times},
	{"totals by call", (*inquiry).totals},
	{"last 20 lines of output", (*inquiry).lastLines},
	{"last moments, whole", (*inquiry).lastMoments},
}

func isFailure(d deed) bool { return d.errno != 0 && !d.lookUp() }

// inquire prepares the questions.
func inquire(c *container, r *recording, t *testimony, boot time.Time) *inquiry {
	q := &inquiry{container: c, recording: r, testimony: t, boot: boot, known: make(map[key]kept),
		opened: make(map[string]bool)}
	for i := range r.records {
		one := &r.records[i]
		if one.Syscall == "" {
			continue
		}
		if one.Ret != nil && *one.Ret >= 0 && strings.HasPrefix(one.Syscall, "open") {
			q.opened[one.names()] = true
			if one.File != nil {
				q.opened[one.File.Path] = true
			}
		}
		k := one.key()
		was, again := q.known[k]
		if one.Count == 0 && again && !was.first.IsZero() {
			continue // one of those that were counted
		}
		if end := one.end(); !again || end.Before(was.first) {
			was.first = end
		}
		if one.LastTime != nil && one.LastTime.After(was.last) {
			was.last = *one.LastTime
		}
		was.count += one.Count
		q.known[k] = was
	}
	return q
}

func (q *inquiry) ask(deeds []deed) answer {
	keys := make([]key, len(deeds))
	for i, d := range deeds {
		keys[i] = d.key()
	}
	return ask(keys, func(k key) bool {
		_, ok := q.known[k]
		return ok
	})
}

func (q *inquiry) deeds(which func(deed) bool) answer { return q.ask(q.choose(which)) }

func (q *inquiry) choose(which func(deed) bool) []deed {
	var list []deed
	for _, d := range q.testimony.deeds {
		if which(d) {
			list = append(list, d)
		}
	}
	return list
}

// full reports whether the lane of files has as many as its memory holds.
func (q *inquiry) full() bool { return q.recording.listed.Lanes["files"].Lapped }

func (q *inquiry) lookUps() []deed { return q.choose(deed.lookUp) }

// tolerance is how much later or earlier the witness may see the end of a call.
const tolerance = 100 * time.Millisecond

// times asks for count, first and last time of the deeds that the recording has.
func (q *inquiry) times() (answer, error) {
	a := answer{}
	for _, d := range q.choose(func(d deed) bool {
		return d.errno != 0 || d.call == "bind" || d.call == "connect" || d.call == "execve"
	}) {
		k, ok := q.known[d.key()]
		if !ok {
			continue
		}
		a.of++
		first, last := q.boot.Add(time.Duration(d.first)), q.boot.Add(time.Duration(d.last))
		if k.count == d.count && first.Sub(k.first).Abs() < tolerance && last.Sub(k.last).Abs() < tolerance {
			a.have++
			continue
		}
		if d.lookUp() && q.full() { // it was forgotten, and came again
			a.of--
			continue
		}
		a.lost = append(a.lost, fmt.Sprintf("%v: %d times (%d), first %v, last %v (seconds late)", d.key(), k.count, d.count,
			k.first.Sub(first).Seconds(), k.last.Sub(last).Seconds()))
	}
	return a, nil
}

// total is how often a call came.
type total struct {
	call  string
	count uint64
}

func (t total) String() string { return fmt.Sprintf("%s: %d", t.call, t.count) }

func (q *inquiry) totals() (answer, error) {
	known := make(map[string]uint64)
	for _, t := range q.recording.listed.Totals {
		known[t.Syscall] += t.Count
	}
	var list []total
	for call, count := range q.testimony.totals {
		list = append(list, total{call, count})
	}
	a := ask(list, func(t total) bool { return known[t.call] == t.count })
	for i, lost := range a.lost {
		call, _, _ := strings.Cut(lost, ":")
		a.lost[i] += fmt.Sprintf(" (recorded: %d)", known[call])
	}
	return a, nil
}

// lastLines asks for the last lines that the server wrote.
func (q *inquiry) lastLines() (answer, error) {
	said, err := os.ReadFile(q.said())
	if err != nil {
		return answer{}, err
	}
	lines := bytes.Split(bytes.TrimSuffix(said, []byte("\n")), []byte("\n"))
	lines = lines[max(0, len(lines)-20):]
	var all strings.Builder
	for _, r := range q.recording.records {
		if r.Lane == "said" {
			for _, arg := range r.Args {
				if arg.Data != nil {
					all.WriteString(*arg.Data)
				}
			}
		}
	}
	var list []string
	for _, line := range lines {
		if len(line) > 0 {
			list = append(list, string(syscalls.AppendEscaped(nil, line)))
		}
	}
	return ask(texts(list), func(line text) bool { return strings.Contains(all.String(), string(line)) }), nil
}

// lastMoments asks whether all calls are there that came since the first one of the lane recent.
func (q *inquiry) lastMoments() (answer, error) {
	var since time.Time
	for i := range q.recording.records {
		r := &q.recording.records[i]
		if r.Lane == "recent" && r.Duration != nil && (since.IsZero() || r.end().Before(since)) {
			since = r.end()
		}
	}
	a := answer{}
	var newest time.Time
	for i := range q.recording.records {
		r := &q.recording.records[i]
		if r.Duration != nil && r.Syscall != "" && !r.end().Before(since) {
			a.have++
			if r.end().After(newest) {
				newest = r.end()
			}
		}
	}
	from := uint64(since.Sub(q.boot))
	i, _ := slices.BinarySearch(q.testimony.ends, from)
	a.of = len(q.testimony.ends) - i
	if a.have > a.of || a.of-a.have <= edge {
		a.have = a.of
	}
	a.note = fmt.Sprintf(": %.2f s, %d calls", newest.Sub(since).Seconds(), a.of)
	return a, nil
}

// edge is the number of calls that the recorder and the witness may see on different sides of a moment.
const edge = 3
