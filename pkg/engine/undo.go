// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"bytes"
	"fmt"
	"maps"
	"path"
	"reflect"
	"slices"
	"strings"
)

// Rewritten is a file that was edited for an engine, and was changed by others since.
type Rewritten struct {
	Path     string   // as the host sees it
	Original []byte   // before our edit, nil if there was no file
	Written  []byte   // after our edit
	Now      []byte   // current contents
	Shims    []string // all paths by which an engine may call the shim
	Own      bool     // every value written is ours: this is runc-trace's own configuration
}

// Undo reverses Edit for a file that was changed since: it removes the values that Edit wrote, and keeps all others.
// It returns Now itself if no value of ours is left, and nil if nothing else is left. An error names the lines that
// prevent it: the file cannot be parsed, or a foreign entry calls the shim.
func Undo(f Rewritten) ([]byte, error) {
	switch {
	case path.Base(f.Path) == unitDropin && strings.HasSuffix(path.Dir(f.Path), ".service.d"):
		return f.Original, nil // the whole file is ours
	case !f.Own && !f.named(f.Now) && !f.interim(f.Now):
		return f.Now, nil
	case strings.HasSuffix(f.Path, ".tmpl"):
		return f.undoTemplate()
	case strings.HasSuffix(f.Path, ".json"):
		return f.undo(func(text []byte) (editable, error) { return parseObject(text) })
	}
	return f.undo(func(text []byte) (editable, error) { return parseDocument(text) })
}

// editable is a text that can be edited key by key.
type editable interface {
	values() (map[string]any, error)
	change(k key, value any) error // sets the value of a key
	remove(k key) error            // removes a key and all keys below it
	bytes() []byte
}

func (f Rewritten) undo(parse func([]byte) (editable, error)) ([]byte, error) {
	now, err := parse(f.Now)
	if err != nil {
		if f.Own {
			return nil, fmt.Errorf("it cannot be parsed: %w", err)
		}
		return nil, fmt.Errorf("it cannot be parsed (%w), and names runc-trace in %s", err, f.lines())
	}
	var trees [3]map[string]any
	for i, text := range [][]byte{f.Original, f.Written, f.Now} {
		parsed, err := parse(text)
		if err == nil {
			trees[i], err = parsed.values()
		}
		if err != nil {
			return nil, err
		}
	}
	for _, tree := range trees[:2] {
		moveSection(tree, trees[2])
	}
	t := takeOut{Rewritten: f, before: trees[0], after: trees[1], now: trees[2]}
	t.plan()
	if t.problem != nil {
		return nil, t.problem
	}
	if f.Original == nil && !t.hasOther() {
		return nil, nil
	}
	for _, s := range t.steps {
		if s.value == nil {
			err = now.remove(s.key)
		} else {
			err = now.change(s.key, s.value)
		}
		if err != nil {
			return nil, fmt.Errorf("%w: remove %s by hand, in %s", err, header(s.key), f.lines())
		}
	}
	result, err := now.values()
	if err != nil {
		return nil, err
	}
	if !reflect.DeepEqual(withoutEmpty(result), withoutEmpty(t.now)) {
		return nil, fmt.Errorf("its syntax cannot be edited: remove runc-trace by hand, in %s", f.lines())
	}
	if !f.Own && f.named(now.bytes()) && t.foreign(t.now, nil) {
		return nil, fmt.Errorf("entries not written by tracectl name runc-trace: remove them by hand, in %s", f.linesAmong(now.bytes()))
	}
	return now.bytes(), nil
}

// defaultKey is Docker's setting of the default runtime.
const defaultKey = "default-runtime"

// interim reports whether a text has the default runtime that Keep has added to Docker's configuration.
func (f Rewritten) interim(text []byte) bool {
	if !strings.HasSuffix(f.Path, ".json") {
		return false
	}
	var configs [3]daemonJSON
	for i, text := range [][]byte{f.Original, f.Written, text} {
		o, err := parseObject(text)
		if err != nil || o.decode(&configs[i]) != nil {
			return false
		}
	}
	return configs[0].DefaultRuntime == "" && configs[1].DefaultRuntime == "runc" && configs[2].DefaultRuntime == "runc"
}

// moveSection moves containerd's runtimes in a tree to the section that has them in the current file, which may have
// been converted to another version.
func moveSection(tree, now map[string]any) {
	version, _ := now["version"].(int64)
	to := criSection(version)
	for _, from := range criSections {
		section, ok := lookUp(tree, from).(map[string]any)
		if !ok || version == 0 || slices.Equal(from, to) || lookUp(now, to) == nil || lookUp(tree, to) != nil {
			continue
		}
		plugin, _ := lookUp(tree, from[:2]).(map[string]any)
		delete(plugin, from[2])
		_ = put(tree, to, section) // plugins is a table
	}
}

// undoTemplate removes a block of lines from a template, which cannot be parsed as TOML.
func (f Rewritten) undoTemplate() ([]byte, error) {
	added, ok := bytes.CutPrefix(f.Written, f.Original)
	if f.Original == nil {
		_, added, ok = bytes.Cut(f.Written, []byte("\n\n"))
	}
	added = bytes.TrimSpace(added)
	if before, after, found := bytes.Cut(f.Now, added); ok && found && len(added) > 0 {
		result := append(bytes.TrimRight(before, "\n"), '\n')
		if after = bytes.TrimLeft(after, "\n"); len(after) > 0 {
			result = slices.Concat(result, []byte("\n"), after)
		}
		if f.Original == nil && string(result) == baseTemplate {
			return nil, nil
		}
		still := func(shim string) bool { return bytes.Contains(result, []byte(shim)) }
		if !slices.ContainsFunc(f.Shims, still) && !tableOfOurs.Match(result) && !chosen.Match(result) {
			return result, nil
		}
	}
	return nil, fmt.Errorf("it names runc-trace in %s: remove that by hand", f.lines())
}

// takeOut computes the steps that remove an edit from a tree.
type takeOut struct {
	Rewritten
	before, after, now map[string]any // now becomes the result
	steps              []step
	problem            error
}

// step changes one key, or removes it and all below it.
type step struct {
	key   key
	value any
}

// plan finds the parts of the edit that are still in the file.
func (t *takeOut) plan() {
	if t.Own {
		t.leaves(nil, t.after)
		return
	}
	t.entries(nil, t.after)
	t.leaves(nil, t.after)
	if t.interim(t.Now) {
		t.take(key{defaultKey})
	}
	if len(t.steps) > 0 {
		t.companions(nil, t.after)
	}
}

// entries removes entries with our name, including values that others added to them.
func (t *takeOut) entries(k key, table map[string]any) {
	for _, name := range slices.Sorted(maps.Keys(table)) {
		at := slices.Concat(k, key{name})
		if name == addedRuntime && lookUp(t.before, at) == nil {
			t.take(at)
		} else if below, ok := table[name].(map[string]any); ok {
			t.entries(at, below)
		}
	}
}

// leaves restores values that refer to us, or in our own configuration, all values that are as written.
func (t *takeOut) leaves(k key, table map[string]any) {
	for _, name := range slices.Sorted(maps.Keys(table)) {
		at := slices.Concat(k, key{name})
		was, is := lookUp(t.before, at), lookUp(t.now, at)
		if below, ok := table[name].(map[string]any); ok {
			t.leaves(at, below)
			continue
		}
		if t.Own && (reflect.DeepEqual(was, table[name]) || !reflect.DeepEqual(is, table[name])) {
			continue
		}
		if !t.Own && (!t.ours(table[name]) || t.ours(was) || !t.ours(is)) {
			continue
		}
		if former, ok := was.(string); ok && slices.Equal(at, key{defaultKey}) && t.lost(former) {
			was = nil
		}
		if list, ok := is.([]any); ok && !reflect.DeepEqual(is, table[name]) {
			// The list was changed by others: keep their elements.
			was = slices.DeleteFunc(slices.Clone(list), t.ours)
		}
		if was == nil {
			t.take(at)
			continue
		}
		t.steps = append(t.steps, step{at, was})
		_ = put(t.now, at, was) // the path exists
	}
}

// lost reports whether others have removed a runtime of Docker that the original file defined. dockerd does not start
// if it is the default one.
func (t *takeOut) lost(runtime string) bool {
	at := key{"runtimes", runtime}
	return lookUp(t.before, at) != nil && lookUp(t.now, at) == nil
}

// companions removes entries of runtimes that were written together with references to us, if nothing was added to
// them.
func (t *takeOut) companions(k key, table map[string]any) {
	for _, name := range slices.Sorted(maps.Keys(table)) {
		at := slices.Concat(k, key{name})
		below, ok := table[name].(map[string]any)
		if !ok {
			continue
		}
		is, _ := lookUp(t.now, at).(map[string]any)
		switch {
		case len(k) == 0 || k[len(k)-1] != "runtimes":
			t.companions(at, below)
		case is == nil || lookUp(t.before, at) != nil:
		case covers(below, is):
			t.take(at)
		case t.ours(below[crioPath]) && is[crioPath] == nil:
			// The entry would still hide the one in another file, which has the program.
			t.problem = fmt.Errorf("its table [%s] was changed: move the changes to CRI-O's own table and remove this one, in %s", header(at), t.lines())
		}
	}
}

// covers reports whether a tree contains all of another one.
func covers(tree, other map[string]any) bool {
	merged := clone(tree)
	merge(merged, other)
	return equal(merged, tree)
}

// take removes a key, and the tables around it that were created for it and are now empty.
func (t *takeOut) take(k key) {
	if lookUp(t.now, k) == nil {
		return
	}
	for {
		parent, _ := lookUp(t.now, k[:len(k)-1]).(map[string]any)
		delete(parent, k[len(k)-1])
		if len(k) == 1 || len(parent) > 0 || lookUp(t.before, k[:len(k)-1]) != nil {
			break
		}
		k = k[:len(k)-1]
	}
	t.steps = append(t.steps, step{key: k})
}

// ours reports whether a value refers to the shim, or to the added runtime.
func (t *takeOut) ours(value any) bool {
	switch value := value.(type) {
	case string:
		return value == addedRuntime || slices.Contains(t.Shims, value)
	case []any:
		return slices.ContainsFunc(value, t.ours)
	}
	return false
}

// calls reports whether a setting makes the engine call the shim or use the added runtime. Our name alone can also be a
// label.
func (t *takeOut) calls(name string, value any) bool {
	if text, ok := value.(string); ok && text == addedRuntime {
		return strings.Contains(strings.ToLower(name), "runtime")
	}
	if list, ok := value.([]any); ok {
		return slices.ContainsFunc(list, func(item any) bool { return t.calls(name, item) })
	}
	return t.ours(value)
}

// foreign reports whether a tree makes the engine need us at a key at which the original did not.
func (t *takeOut) foreign(tree map[string]any, k key) bool {
	for name, value := range tree {
		at := slices.Concat(k, key{name})
		if below, ok := value.(map[string]any); ok {
			if t.foreign(below, at) {
				return true
			}
		} else if t.calls(name, value) && !t.ours(lookUp(t.before, at)) {
			return true
		}
	}
	return false
}

// hasOther reports whether the file has any value that the edit did not write.
func (t *takeOut) hasOther() bool { return !covers(t.after, withoutEmpty(t.now)) }

// withoutEmpty returns a copy without empty tables, which mean nothing to any engine.
func withoutEmpty(table map[string]any) map[string]any {
	copied := make(map[string]any)
	for name, value := range table {
		if below, ok := value.(map[string]any); ok {
			if below = withoutEmpty(below); len(below) == 0 {
				continue
			}
			value = below
		}
		copied[name] = value
	}
	return copied
}

// named reports whether a text refers to us anywhere.
func (f Rewritten) named(text []byte) bool {
	return len(f.marked(text)) > 0
}

// marked returns the numbers of the lines that refer to us, except comments.
func (f Rewritten) marked(text []byte) []int {
	var numbers []int
	number := 0
	for line := range bytes.Lines(text) {
		number++
		line = bytes.TrimSpace(line)
		if bytes.HasPrefix(line, []byte("#")) {
			continue
		}
		if bytes.Contains(line, []byte(addedRuntime)) ||
			slices.ContainsFunc(f.Shims, func(shim string) bool { return bytes.Contains(line, []byte(shim)) }) {
			numbers = append(numbers, number)
		}
	}
	return numbers
}

// linesMax limits the number of lines in an error.
const linesMax = 5

// lines returns the lines that refer to us.
func (f Rewritten) lines() string { return f.linesAmong(f.Now) }

// linesAmong returns the lines that refer to us in both texts.
func (f Rewritten) linesAmong(text []byte) string {
	still := make(map[string]bool)
	all := bytes.Split(text, []byte("\n"))
	for _, number := range f.marked(text) {
		still[string(bytes.TrimSpace(all[number-1]))] = true
	}
	all = bytes.Split(f.Now, []byte("\n"))
	var shown []string
	for _, number := range f.marked(f.Now) {
		line := bytes.TrimSpace(all[number-1])
		switch {
		case !still[string(line)]:
		case len(shown) == linesMax:
			return strings.Join(shown, ", ") + " and more"
		default:
			shown = append(shown, fmt.Sprintf("line %d: %.120q", number, line))
		}
	}
	return strings.Join(shown, ", ")
}
