// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/runc-trace/runc-trace/pkg/terminal"
)

// ErrLine is wrapped by a handler's error if a line is not of the requested kind. Such lines are left out and
// counted; other errors end everything.
var ErrLine = errors.New("unexpected output")

// Object is one JSON object printed by a node: valid, compact, and valid UTF-8. The node chose its contents.
type Object []byte

// ParseObject parses a copy of a line.
func ParseObject(line []byte) (Object, error) {
	if !utf8.Valid(line) {
		line = bytes.ToValidUTF8(line, []byte("\ufffd"))
	}
	var compact bytes.Buffer
	compact.Grow(len(line))
	if err := json.Compact(&compact, line); err != nil || compact.Len() == 0 || compact.Bytes()[0] != '{' {
		return nil, fmt.Errorf("reading %d bytes: not a JSON object: %w", len(line), ErrLine)
	}
	return compact.Bytes(), nil
}

// Decode is json.Unmarshal. It ignores unknown members, as those of a newer tracectl.
func (o Object) Decode(value any) error {
	if err := json.Unmarshal(o, value); err != nil {
		return fmt.Errorf("%w: %w", err, ErrLine)
	}
	return nil
}

// AppendWithNode appends the object as a line that is safe for a terminal, with the node's name as the first member
// "node". A member of that name from the node itself is left out.
func (o Object) AppendWithNode(dst []byte, node string) []byte {
	name, _ := json.Marshal(node) // encoding a string cannot fail
	dst = terminal.AppendJSON(append(dst, `{"node":`...), name)
	for member := range o.members() {
		if !strings.EqualFold(member.key(), "node") {
			dst = terminal.AppendJSON(append(dst, ','), member.text)
		}
	}
	return append(dst, "}\n"...)
}

// member is a member of an object: its text, "key":value, and the index at which the value begins.
type member struct {
	text  []byte
	value int
}

func (m member) key() string {
	quoted := m.text[:m.value-1]
	if bytes.IndexByte(quoted, '\\') < 0 {
		return string(quoted[1 : len(quoted)-1])
	}
	var key string
	_ = json.Unmarshal(quoted, &key) // it is valid
	return key
}

// members yields the members in the order of the text.
func (o Object) members() iter.Seq[member] {
	return func(yield func(member) bool) {
		for i := 1; i < len(o)-1; i++ { // skip the brace or the comma
			start := i
			i = o.stringEnd(i)
			m := member{value: i + 1 - start}
			depth := 0
			for i++; depth > 0 || o[i] != ',' && o[i] != '}'; i++ {
				switch o[i] {
				case '"':
					i = o.stringEnd(i) - 1
				case '{', '[':
					depth++
				case '}', ']':
					depth--
				}
			}
			if m.text = o[start:i]; !yield(m) {
				return
			}
		}
	}
}

// stringEnd returns the index after the string that begins at i.
func (o Object) stringEnd(i int) int {
	for i++; o[i] != '"'; i++ {
		if o[i] == '\\' {
			i++
		}
	}
	return i + 1
}

// head holds the members of an event or a heartbeat that merging needs.
type head struct {
	Time      time.Time  `json:"time"`
	Log       uint64     `json:"log"`
	Sequence  *uint64    `json:"sequence"`
	Heartbeat *time.Time `json:"heartbeat"`
}

// head decodes them. Members that are missing or have another type, as in the output of another version, are zero.
func (o Object) head() head {
	var h head
	for m := range o.members() {
		value := m.text[m.value:]
		switch m.key() {
		case "time":
			_ = json.Unmarshal(value, &h.Time)
		case "log":
			_ = json.Unmarshal(value, &h.Log)
		case "sequence":
			if json.Unmarshal(value, &h.Sequence) != nil {
				h.Sequence = nil
			}
		case "heartbeat":
			if json.Unmarshal(value, &h.Heartbeat) != nil {
				h.Heartbeat = nil
			}
		}
	}
	return h
}
