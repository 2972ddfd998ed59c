// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/tailscale/hujson"
)

// object is a JSON object that is edited as text: order, white space and untouched values stay.
type object struct {
	mark []byte // byte order mark before the object
	root hujson.Value
}

// byteOrderMark may precede the text of daemon.json: dockerd skips it since 23.0.
var byteOrderMark = []byte("\xef\xbb\xbf")

func parseObject(text []byte) (*object, error) {
	text, marked := bytes.CutPrefix(text, byteOrderMark)
	o := &object{}
	if marked {
		o.mark = byteOrderMark
	}
	if len(bytes.TrimSpace(text)) == 0 {
		text = []byte("{}\n")
	}
	root, err := hujson.Parse(text)
	if err != nil {
		return nil, err
	}
	if !root.IsStandard() {
		return nil, fmt.Errorf("it has comments or trailing commas, which JSON does not allow")
	}
	if isNull(root) {
		root.Value = &hujson.Object{}
	}
	if _, ok := root.Value.(*hujson.Object); !ok {
		return nil, fmt.Errorf("it is not an object")
	}
	o.root = root
	return o, nil
}

// bytes returns the current text.
func (o *object) bytes() []byte {
	return append(bytes.Clone(o.mark), o.root.Pack()...)
}

// decode decodes the object into a Go value.
func (o *object) decode(into any) error {
	return json.Unmarshal(o.root.Pack(), into)
}

// set sets the member at the path of names, and creates objects on the way. It replaces an existing value. A new
// member comes last, on a line of its own if the others are.
func (o *object) set(value any, names ...string) error {
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	parsed, err := hujson.Parse(text)
	if err != nil {
		return err
	}
	at := &o.root
	for depth, name := range names {
		if isNull(*at) { // Go decodes it like a missing member
			at.Value = &hujson.Object{}
		}
		in, ok := at.Value.(*hujson.Object)
		if !ok {
			return fmt.Errorf("the parent of %q is not an object", name)
		}
		member := find(in, name)
		if member == nil {
			member = o.add(in, name, depth+1)
			member.Value.Value = &hujson.Object{}
		}
		at = &member.Value
	}
	at.Value = o.spread(parsed.Value, len(names))
	return nil
}

func (o *object) values() (map[string]any, error) {
	values := make(map[string]any)
	return values, o.decode(&values)
}

func (o *object) change(k key, value any) error { return o.set(value, k...) }

// remove removes the member at the path. If it was the last one, the closing brace moves up to its line.
func (o *object) remove(k key) error {
	at := &o.root
	for i, name := range k {
		if isNull(*at) {
			return nil
		}
		in, ok := at.Value.(*hujson.Object)
		if !ok {
			return fmt.Errorf("the parent of %q is not an object", name)
		}
		member := find(in, name)
		if member == nil {
			return nil
		}
		if i < len(k)-1 {
			at = &member.Value
			continue
		}
		last := &in.Members[len(in.Members)-1] == member
		in.Members = slices.DeleteFunc(in.Members, func(m hujson.ObjectMember) bool {
			literal, ok := m.Name.Value.(hujson.Literal)
			return ok && literal.String() == name
		})
		if n := len(in.Members); n == 0 {
			in.AfterExtra = nil
		} else if last {
			in.Members[n-1].Value.AfterExtra = nil
		}
	}
	return nil
}

func isNull(v hujson.Value) bool {
	literal, ok := v.Value.(hujson.Literal)
	return ok && literal.Kind() == 'n'
}

func find(in *hujson.Object, name string) *hujson.ObjectMember {
	for i := range in.Members {
		if literal, ok := in.Members[i].Name.Value.(hujson.Literal); ok && literal.String() == name {
			return &in.Members[i]
		}
	}
	return nil
}

// add appends a member without a value.
func (o *object) add(in *hujson.Object, name string, depth int) *hujson.ObjectMember {
	before, after := o.line(depth), o.line(depth-1)
	if n := len(in.Members); n > 0 {
		before = in.Members[n-1].Name.BeforeExtra
		if len(before) == 0 {
			before = hujson.Extra(" ")
		}
		after = in.AfterExtra
		if len(after) == 0 {
			after = in.Members[n-1].Value.AfterExtra
		}
		in.Members[n-1].Value.AfterExtra = nil
	}
	in.AfterExtra = after
	member := hujson.ObjectMember{Name: hujson.Value{BeforeExtra: before, Value: hujson.String(name)}}
	member.Value.BeforeExtra = hujson.Extra(" ")
	in.Members = append(in.Members, member)
	return &in.Members[len(in.Members)-1]
}

// spread puts each member of a new object on a line of its own; lists stay on one line.
func (o *object) spread(value hujson.ValueTrimmed, depth int) hujson.ValueTrimmed {
	switch value := value.(type) {
	case *hujson.Object:
		for i := range value.Members {
			m := &value.Members[i]
			m.Name.BeforeExtra = o.line(depth + 1)
			m.Value.BeforeExtra = hujson.Extra(" ")
			m.Value.Value = o.spread(m.Value.Value, depth+1)
		}
		if len(value.Members) > 0 {
			value.AfterExtra = o.line(depth)
		}
	case *hujson.Array:
		for i := range value.Elements {
			if i > 0 {
				value.Elements[i].BeforeExtra = hujson.Extra(" ")
			}
			value.Elements[i].Value = o.spread(value.Elements[i].Value, depth+1)
		}
	}
	return value
}

// line returns a line break, indented like the file's first member, or by four spaces.
func (o *object) line(depth int) hujson.Extra {
	unit := []byte("    ")
	root := o.root.Value.(*hujson.Object)
	if len(root.Members) > 0 {
		first := root.Members[0].Name.BeforeExtra
		newline := bytes.LastIndexByte(first, '\n')
		if newline < 0 {
			if depth == 0 {
				return nil
			}
			return first
		}
		if indent := first[newline+1:]; len(indent) > 0 {
			unit = indent
		}
	}
	return append(hujson.Extra("\n"), bytes.Repeat(unit, depth)...)
}
