// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"fmt"
	"slices"
)

// overlaid is the combination of configuration files in which later files override earlier ones, key by key.
type overlaid map[string]any

// overlay reads files in order and skips missing ones. Entries of the section are replaced as a whole, as when
// decoding into a Go map.
func (h Host) overlay(files []string, section key) (overlaid, error) {
	all := make(overlaid)
	for _, file := range files {
		text, err := h.readIfThere(file)
		if err != nil {
			return nil, err
		}
		doc, err := parseDocument(text)
		if err != nil {
			return nil, fmt.Errorf("parsing %q: %w", file, err)
		}
		entries, _ := doc.get(section).(map[string]any)
		for name := range entries {
			if table, ok := lookUp(all, section).(map[string]any); ok {
				delete(table, name)
			}
		}
		merge(all, doc.tree)
	}
	return all, nil
}

func (o overlaid) text(k ...string) string {
	text, _ := lookUp(o, k).(string)
	return text
}

// editDropin sets values in our drop-in.
func (h Host) editDropin(file string, values map[string]any) ([]File, error) {
	before, err := h.readIfThere(file)
	if err != nil {
		return nil, err
	}
	text := before
	if text == nil {
		text = []byte(fromUs)
	}
	doc, err := parseDocument(text)
	if err == nil {
		err = doc.setAll(nil, values)
	}
	if err != nil {
		return nil, fmt.Errorf("editing %q: %w", file, err)
	}
	if slices.Equal(doc.text, before) {
		return nil, nil
	}
	return []File{{Path: file, Data: doc.text, Mode: 0o644}}, nil
}

// fromUs is the first line of every file that belongs to us alone.
const fromUs = "# Written by tracectl install; tracectl uninstall removes it.\n"
