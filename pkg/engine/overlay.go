// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"fmt"
	"slices"
	"strings"
)

// overlaid is the combination of configuration files in which later files override earlier ones, key by key.
type overlaid map[string]any

// overlay reads files in order and skips missing ones. Entries of the section are replaced as a whole, as when
// decoding into a Go map.
func (h Host) overlay(files []string, section key) (overlaid, error) {
	return h.overlayOn(make(overlaid), files, section)
}

// overlayOn is like overlay, but begins with defaults, which it changes.
func (h Host) overlayOn(all overlaid, files []string, section key) (overlaid, error) {
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
		extendLists(all, doc.tree)
		merge(all, doc.tree)
	}
	return all, nil
}

// extendLists puts the earlier items of lists in front of their new ones if the lists say so: an item {append = true}
// extends the list instead of replacing it, here and in later files. See "APPENDING TO STRING ARRAYS" in
// containers.conf(5).
func extendLists(earlier, later map[string]any) {
	for name, value := range later {
		switch value := value.(type) {
		case map[string]any:
			before, _ := earlier[name].(map[string]any)
			extendLists(before, value)
		case []any:
			before, _ := earlier[name].([]any)
			items, extends := splitList(value)
			old, always := splitList(before)
			if extends == nil {
				extends = always
			}
			if on, _ := extends["append"].(bool); on {
				items = slices.Concat(old, items)
			}
			if extends != nil {
				items = append(items, extends)
			}
			later[name] = items
		}
	}
}

// splitList separates the items of a list from the one that says whether the list extends an earlier one.
func splitList(list []any) (items []any, extends map[string]any) {
	for _, item := range list {
		if table, ok := item.(map[string]any); ok && table["append"] != nil {
			extends = table
			continue
		}
		items = append(items, item)
	}
	return items, extends
}

// placeOf returns the place in the last of the files that sets one of the keys, or a table with it. The line is 0 if
// it is unknown, and the file "" if none sets it.
func (h Host) placeOf(files []string, keys ...key) (at place) {
	for _, file := range files {
		text, err := h.read(file)
		if err != nil {
			continue
		}
		doc, err := parseDocument(text)
		if err != nil {
			continue
		}
		if found, ok := doc.placeOf(file, keys); ok {
			at = found
		}
	}
	return at
}

func (d *document) placeOf(file string, keys []key) (place, bool) {
	for _, k := range keys {
		if d.get(k) == nil {
			continue
		}
		at := place{file: file}
		elements, _ := d.elements()
		for _, e := range elements {
			if isPrefix(e.key, k) && !(e.header && at.line > 0) {
				at.line = 1 + strings.Count(string(d.text[:e.start]), "\n")
			}
		}
		return at, true
	}
	return place{}, false
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
