// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"bytes"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

// document is a TOML file that is edited as text: untouched text stays as written, including comments. Each edit is
// verified by parsing the result: an edit with any other effect than the requested one fails.
type document struct {
	text []byte
	tree map[string]any
}

// key is the path to a value.
type key []string

func parseDocument(text []byte) (*document, error) {
	d := &document{text: text, tree: make(map[string]any)}
	if err := toml.Unmarshal(text, &d.tree); err != nil {
		return nil, err
	}
	return d, nil
}

// get returns the value at the key, or nil.
func (d *document) get(k key) any {
	return lookUp(d.tree, k)
}

// setAll sets every value of the table at the key: first plain values, then tables, each in alphabetical order.
func (d *document) setAll(k key, table map[string]any) error {
	names := slices.Sorted(maps.Keys(table))
	for _, tables := range []bool{false, true} {
		for _, name := range names {
			below, isTable := table[name].(map[string]any)
			if isTable != tables {
				continue
			}
			var err error
			if isTable {
				err = d.setAll(slices.Concat(k, key{name}), below)
			} else {
				err = d.set(slices.Concat(k, key{name}), table[name])
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// set sets a plain value at a key, in the style of the file. It does nothing if the key has that value already.
func (d *document) set(k key, value any) error {
	if reflect.DeepEqual(d.get(k), value) {
		return nil
	}
	byHand := func(err error) error {
		return fmt.Errorf("this table cannot be edited (%w); write it by hand: [%s] %s = %s", err, header(k[:len(k)-1]),
			bare(k[len(k)-1]), literal(value))
	}
	text, err := d.insert(k, literal(value))
	if err != nil {
		return byHand(err)
	}
	edited, err := parseDocument(text)
	if err != nil {
		return byHand(err)
	}
	want := clone(d.tree)
	if err := put(want, k, value); err != nil {
		return byHand(err)
	}
	if !reflect.DeepEqual(edited.tree, want) {
		return byHand(fmt.Errorf("the result would have another meaning"))
	}
	*d = *edited
	return nil
}

func (d *document) values() (map[string]any, error) { return clone(d.tree), nil }

func (d *document) bytes() []byte { return d.text }

func (d *document) change(k key, value any) error { return d.set(k, value) }

// remove removes a key and all keys below it: their lines, or their parts of an inline table. For a table, it removes
// all lines between its values, too.
func (d *document) remove(k key) error {
	elements, err := d.elements()
	if err != nil {
		return err
	}
	var cuts [][2]int
	done := 0
	for i := range elements {
		e := &elements[i]
		if !isPrefix(k, e.key) || e.start < done {
			continue
		}
		last := e
		for j := i + 1; e.header && j < len(elements) && isPrefix(e.key, elements[j].key); j++ {
			last = &elements[j]
		}
		from, to := d.extent(elements, e, last)
		cuts, done = append(cuts, [2]int{from, to}), to
	}
	text := d.text
	for _, cut := range slices.Backward(cuts) {
		text = slices.Concat(text[:cut[0]], text[cut[1]:])
	}
	edited, err := parseDocument(text)
	if err != nil {
		return err
	}
	*d = *edited
	return nil
}

// extent returns the range to cut for a range of expressions: their lines and one empty line before a table, or a
// comma in braces.
func (d *document) extent(elements []element, first, last *element) (from, to int) {
	for i := range elements {
		if e := &elements[i]; e.inline && e != first && e.start <= first.start && first.end <= e.end {
			from, to = first.start, first.end
			if rest := bytes.TrimLeft(d.text[to:], " \t"); bytes.HasPrefix(rest, []byte(",")) {
				return from, len(d.text) - len(bytes.TrimLeft(rest[1:], " \t"))
			}
			before := bytes.TrimRight(d.text[:from], " \t")
			return len(bytes.TrimSuffix(before, []byte(","))), to
		}
	}
	from, to = bytes.LastIndexByte(d.text[:first.start], '\n')+1, d.lineEnd(last.end)
	newline := d.newline()
	empty := bytes.HasPrefix(d.text[to:], []byte(newline)) || to == len(d.text)
	if first.header && empty && bytes.HasSuffix(d.text[:from], []byte(newline+newline)) {
		from -= len(newline)
	}
	return from, to
}

// insert returns the text with the value inserted.
func (d *document) insert(k key, value string) ([]byte, error) {
	elements, err := d.elements()
	if err != nil {
		return nil, err
	}
	parent, name := k[:len(k)-1], k[len(k)-1]
	var table, dotted *element
	for i := range elements {
		e := &elements[i]
		switch {
		case !e.header && slices.Equal(e.key, k):
			if e.value != 0 {
				return d.splice(e.value, e.end, value), nil
			}
			return d.splice(e.start, e.end, strings.Join(e.names[e.scope:], ".")+" = "+value), nil
		case e.inline && isPrefix(e.key, parent):
			if below := within(elements, e, parent); below != nil {
				e = below
			}
			return d.intoBraces(e, parent[len(e.key):], name, value), nil
		case e.header && slices.Equal(e.key, parent):
			table = e
		case !e.header && e.scope < len(parent) && isPrefix(parent, e.key):
			dotted = e
		}
	}
	switch {
	case table != nil:
		// Insert after the last value of this table, so that the new line does not belong to another one.
		last := table
		for i := range elements {
			if e := &elements[i]; !e.header && e.scope == len(parent) && isPrefix(parent, e.key) && e.start > table.start {
				last = e
			}
		}
		return d.lineAfter(last, d.indent(last, table), bare(name)+" = "+value), nil
	case dotted != nil:
		names := append(slices.Clone(dotted.names[dotted.scope:len(parent)]), bare(name))
		return d.lineAfter(dotted, d.indentOf(dotted.start), strings.Join(names, ".")+" = "+value), nil
	case len(parent) == 0:
		return d.topLevel(elements, bare(name)+" = "+value), nil
	}
	return d.newTable(elements, parent, bare(name)+" = "+value), nil
}

// within returns the innermost inline table, inside of outer, that contains the key.
func within(elements []element, outer *element, k key) *element {
	var found *element
	for i := range elements {
		e := &elements[i]
		if e.inline && e.start > outer.start && e.end <= outer.end && isPrefix(e.key, k) {
			found = e
		}
	}
	return found
}

// intoBraces adds a value to an inline table. Tables between become inline tables as well, because all versions of
// parsers accept that form.
func (d *document) intoBraces(e *element, between key, name, value string) []byte {
	entry := bare(name) + " = " + value
	for _, part := range slices.Backward(between) {
		entry = bare(part) + " = { " + entry + " }"
	}
	end := e.end - 1 // the closing brace
	before := bytes.TrimRight(d.text[:end], " \t")
	if bytes.HasSuffix(before, []byte("{")) {
		return d.splice(len(before), end, " "+entry+" ")
	}
	return d.splice(len(before), end, ", "+entry+" ")
}

// newTable adds a table after its closest relative.
func (d *document) newTable(elements []element, k key, line string) []byte {
	var near, nearTable *element
	common := 0
	for i := range elements {
		e := &elements[i]
		if n := commonPrefix(e.key, k); n > 0 && n >= common {
			near, common = e, n
			if e.header {
				nearTable = e
			}
		}
	}
	names := make([]string, len(k))
	for i, part := range k {
		names[i] = bare(part)
		if near != nil && i < common {
			names[i] = near.names[i]
		}
	}
	indent := ""
	if nearTable != nil {
		indent = d.indentOf(nearTable.start)
	}
	at := len(d.text)
	if near != nil {
		at = d.lineEnd(near.end)
	}
	newline := d.newline()
	table := indent + "[" + strings.Join(names, ".") + "]" + newline + indent + "  " + line + newline
	before := d.text[:at]
	if len(before) > 0 && before[len(before)-1] != '\n' {
		table = newline + table
	}
	if len(before) > 0 && !bytes.HasSuffix(before, []byte(newline+newline)) {
		table = newline + table
	}
	if at < len(d.text) && !strings.HasPrefix(string(d.text[at:]), newline) {
		table += newline
	}
	return d.splice(at, at, table)
}

// topLevel adds a line before all tables.
func (d *document) topLevel(elements []element, line string) []byte {
	var last *element
	for i := range elements {
		if elements[i].header {
			break
		}
		last = &elements[i]
	}
	if last != nil {
		return d.lineAfter(last, "", line)
	}
	return d.splice(0, 0, line+d.newline())
}

func (d *document) lineAfter(e *element, indent, line string) []byte {
	at := d.lineEnd(e.end)
	line = indent + line + d.newline()
	if at > 0 && d.text[at-1] != '\n' {
		line = d.newline() + line
	}
	return d.splice(at, at, line)
}

// indent returns the indentation of a table's last value, or that of its header plus two.
func (d *document) indent(last, table *element) string {
	if last == table {
		return d.indentOf(table.start) + "  "
	}
	return d.indentOf(last.start)
}

var leadingBlank = regexp.MustCompile(`^[ \t]*`)

func (d *document) indentOf(offset int) string {
	start := bytes.LastIndexByte(d.text[:offset], '\n') + 1
	return string(leadingBlank.Find(d.text[start:offset]))
}

// lineEnd returns the offset after the line that contains the offset.
func (d *document) lineEnd(offset int) int {
	if n := bytes.IndexByte(d.text[offset:], '\n'); n >= 0 {
		return offset + n + 1
	}
	return len(d.text)
}

func (d *document) newline() string {
	if bytes.Contains(d.text, []byte("\r\n")) {
		return "\r\n"
	}
	return "\n"
}

func (d *document) splice(from, to int, text string) []byte {
	return slices.Concat(d.text[:from], []byte(text), d.text[to:])
}

var bareKey = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

// bare returns a part of a key as TOML.
func bare(part string) string {
	if bareKey.MatchString(part) {
		return part
	}
	return literal(part)
}

func header(k key) string {
	names := make([]string, len(k))
	for i, part := range k {
		names[i] = bare(part)
	}
	return strings.Join(names, ".")
}

var plainString = regexp.MustCompile(`^[ !#-\[\]-~]*$`)

// literal returns a value as TOML, with strings in double quotes if they need no escapes.
func literal(value any) string {
	if text, ok := value.(string); ok && plainString.MatchString(text) {
		return strconv.Quote(text)
	}
	if list, ok := value.([]any); ok {
		items := make([]string, len(list))
		for i, item := range list {
			items[i] = literal(item)
		}
		return "[" + strings.Join(items, ", ") + "]"
	}
	text, err := toml.Marshal(map[string]any{"v": value})
	if err != nil {
		return fmt.Sprint(value)
	}
	return strings.TrimSpace(strings.TrimPrefix(string(text), "v = "))
}
