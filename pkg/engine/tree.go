// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"fmt"
	"reflect"
)

func lookUp(tree map[string]any, k key) any {
	var value any = tree
	for _, part := range k {
		table, ok := value.(map[string]any)
		if !ok {
			return nil
		}
		value = table[part]
	}
	return value
}

func clone(table map[string]any) map[string]any {
	copied := make(map[string]any, len(table))
	for name, value := range table {
		if below, ok := value.(map[string]any); ok {
			value = clone(below)
		}
		copied[name] = value
	}
	return copied
}

// put sets a value in a tree, and creates the tables that lead to it.
func put(tree map[string]any, k key, value any) error {
	for _, part := range k[:len(k)-1] {
		below, ok := tree[part].(map[string]any)
		if !ok {
			if tree[part] != nil {
				return fmt.Errorf("%q is not a table", part)
			}
			below = make(map[string]any)
			tree[part] = below
		}
		tree = below
	}
	tree[k[len(k)-1]] = value
	return nil
}

func merge(to, from map[string]any) {
	for name, value := range from {
		below, isTable := value.(map[string]any)
		if into, ok := to[name].(map[string]any); ok && isTable {
			merge(into, below)
			continue
		}
		if isTable {
			value = clone(below)
		}
		to[name] = value
	}
}

func equal(a, b map[string]any) bool {
	return reflect.DeepEqual(a, b)
}

// anys is the reverse of strs.
func anys(texts []string) []any {
	list := make([]any, len(texts))
	for i, text := range texts {
		list[i] = text
	}
	return list
}

// strs returns the strings in a list.
func strs(value any) []string {
	list, _ := value.([]any)
	var found []string
	for _, item := range list {
		if text, ok := item.(string); ok {
			found = append(found, text)
		}
	}
	return found
}
