// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"slices"

	"github.com/pelletier/go-toml/v2/unstable"
)

// element is one expression of the text: the header of a table, or a key with its value.
type element struct {
	key    key
	names  []string // parts of the key as written
	header bool
	scope  int // number of parts of the key that come from the header
	inline bool
	start  int // offset of the expression
	value  int // offset of a string value, otherwise 0
	end    int
}

// elements returns the text's expressions in order, including those in braces.
func (d *document) elements() ([]element, error) {
	var (
		found []element
		scope element
		p     unstable.Parser
	)
	p.Reset(d.text)
	for p.NextExpression() {
		node := p.Expression()
		switch node.Kind {
		case unstable.Table, unstable.ArrayTable:
			e := element{header: true}
			e.addKey(&p, node.Key())
			scope = e
			if node.Kind == unstable.ArrayTable {
				// Keys below it belong to one of many tables, and no edited key is among them.
				scope.key = key{"\x00array"}
				scope.names = scope.key
				continue
			}
			found = append(found, e)
		case unstable.KeyValue:
			found = appendValue(found, &p, node, scope)
		}
	}
	return found, p.Error()
}

func appendValue(found []element, p *unstable.Parser, node *unstable.Node, scope element) []element {
	e := element{key: slices.Clone(scope.key), names: slices.Clone(scope.names), scope: len(scope.key)}
	e.addKey(p, node.Key())
	e.start, e.end = int(node.Raw.Offset), int(node.Raw.Offset+node.Raw.Length)
	value := node.Value()
	if value.Kind == unstable.String {
		e.value = int(value.Raw.Offset)
	}
	e.inline = value.Kind == unstable.InlineTable
	found = append(found, e)
	if e.inline {
		for children := value.Children(); children.Next(); {
			if child := children.Node(); child.Kind == unstable.KeyValue {
				found = appendValue(found, p, child, e)
			}
		}
	}
	return found
}

// addKey appends the parts of a key. For a header, it also sets the offsets.
func (e *element) addKey(p *unstable.Parser, parts unstable.Iterator) {
	for parts.Next() {
		node := parts.Node()
		e.key = append(e.key, string(node.Data))
		e.names = append(e.names, string(p.Raw(node.Raw)))
		if e.header && e.end == 0 {
			e.start = int(node.Raw.Offset)
		}
		e.end = int(node.Raw.Offset + node.Raw.Length)
	}
}

func isPrefix(short, long key) bool {
	return len(short) <= len(long) && slices.Equal(short, long[:len(short)])
}

func commonPrefix(a, b key) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}
