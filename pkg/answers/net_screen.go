// SPDX-License-Identifier: Apache-2.0

package answers

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/runc-trace/runc-trace/pkg/terminal"
)

// NetScreen is how a Net is printed.
type NetScreen struct {
	Screen
	All bool // all rows, questions and columns, however much room they take
}

var endpointColumns = []terminal.Column{
	{Name: "CALLS", Number: true, Rank: 2}, {Name: "SENT", Number: true}, {Name: "RECEIVED", Number: true},
	{Name: "TIME", Number: true, Rank: 3}, {Name: "LAST", Extra: true}, {Name: "TYPE", Rank: 1}, {Name: "WAY"},
	{Name: "ADDRESS", Names: true}, {Name: "DID", Names: true}, {Name: "BY", Names: true},
}

// questionLines is how many lines the questions take on one screen.
const questionLines = 5

// Write prints on one screen what was done with sockets.
func (s *NetScreen) Write(to io.Writer, n *Net) error {
	tail := s.questions(n)
	var failed []failedUse
	for _, e := range n.Endpoints {
		if len(e.Errors) > 0 && (s.All || !matchesAny(ordinary, e.Address)) {
			failed = append(failed, failedUse{string(e.Way) + " " + e.Shown(), &e.Usage})
		}
	}
	tail = append(tail, s.failed(failed, s.All)...)
	if n.Unknown.bytes() > 0 {
		tail = append(tail, s.line("Unknown", fmt.Sprintf("%s sent, %s received by sockets of which no address is known",
			terminal.Count(n.Unknown.Written, "byte"), terminal.Number(n.Unknown.Read))))
	}
	tail = append(append(tail, s.covers(n.past, n.Covers)...), s.line("Kept", n.past.kept()))
	if !s.All {
		tail = append(tail, s.line("More", n.past.Program+" net "+n.past.shownName()+" --all | --sort last"))
	}
	table := usageTable{columns: endpointColumns, nouns: "addresses", none: "no call that is kept uses a socket"}
	for _, e := range n.Endpoints {
		table.rows = append(table.rows, n.row(e))
	}
	return table.write(to, &s.Screen, s.header(n.past, &n.ending), tail, s.All)
}

// row returns the cells of an endpoint.
func (n *Net) row(e *Endpoint) []string {
	return []string{number(e.Calls), number(e.Written), number(e.Read), brief(time.Duration(e.Time)),
		n.past.at(e.Last).Local().Format("15:04:05.000"), e.Type, string(e.Way), e.Shown(), e.Summary(), users(e.By)}
}

// Shown returns the address, escaped.
func (e *Endpoint) Shown() string {
	address := terminal.Cell(e.Address)
	switch {
	case e.Way == Within && e.Type == "NETLINK":
		return "<the kernel>"
	case e.Way == Within:
		return "<a pair>"
	case address == "":
		address = "<unnamed>"
	}
	if e.Way == From && e.Local != "" {
		address += " on " + terminal.Cell(e.Local)
	}
	return address
}

// Summary says in words what was done with an address.
func (e *Endpoint) Summary() string {
	words := e.failures()
	for _, action := range e.actions() {
		switch action {
		case Connected, Accepted:
			words = append(words, string(action)+times(e.Did[action]))
		case Connecting:
			words = append(words, "outcome not kept"+times(e.Did[action]))
		case Bound, Listened:
			words = append(words, string(action))
		}
	}
	if len(words) == 0 && e.Written > 0 {
		words = append(words, "sent")
	}
	if len(words) == 0 && e.Read > 0 {
		words = append(words, "received")
	}
	return strings.Join(words, ", ")
}

// questions has a line for each of the first DNS questions.
func (s *NetScreen) questions(n *Net) (lines []string) {
	label := "DNS"
	for i, q := range n.Questions {
		if left := len(n.Questions) - i; i+1 == questionLines && left > 1 && !s.All {
			return append(lines, s.line(label, "and "+terminal.Count(left, "more question")))
		}
		lines = append(lines, s.line(label, q.String()))
		label = ""
	}
	return lines
}

// String returns the question and the responses in one line, which is printable.
func (q *Question) String() string {
	text := cmp.Or(q.Type, "?") + " " + q.Name
	if q.NameCut {
		text += "…"
	}
	text += ": " + q.response()
	if q.Took > 0 {
		text += " after " + brief(q.Took)
	}
	text += ";"
	for _, process := range q.By[:min(len(q.By), 2)] {
		text += " " + name(process)
	}
	return text + " asked " + strings.Join(q.Servers, ", ") + times(q.Asked)
}

// response says what came back.
func (q *Question) response() string {
	var words []string
	for _, c := range q.Codes {
		if c.Code != "NOERROR" {
			words = append(words, c.Code+times(c.Count))
		}
	}
	for _, r := range q.Records {
		switch {
		case r.Type == "A" || r.Type == "AAAA":
			words = append(words, r.Data)
		default:
			words = append(words, strings.TrimSpace(r.Type+" "+r.Data))
		}
	}
	switch {
	case q.Cut:
		words = append(words, "(more was not recorded)")
	case len(q.Codes) == 0:
		return "no response is kept"
	case len(words) == 0:
		return "no records"
	}
	return strings.Join(words, " ")
}
