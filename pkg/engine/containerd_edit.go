// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"fmt"
	"path"
	"path/filepath"
	"strings"
)

// wanted returns the values that the section has to contain.
func (c containerdFiles) wanted(r Request) (map[string]any, error) {
	name, entry, err := defaultRuntime(c.cri)
	if err != nil {
		return nil, err
	}
	runtimes := make(map[string]any)
	route := func(name, shim string) {
		ours := map[string]any{"options": map[string]any{"BinaryName": shim}}
		if lookUp(c.written, key{"runtimes", name, "runtime_type"}) != runcType {
			ours["runtime_type"] = runcType
		}
		runtimes[name] = ours
	}
	for other, shim := range r.Others {
		route(other, shim)
	}
	kind := containerdType(entry)
	if r.Default && kind != "" {
		return nil, fmt.Errorf("containerd's default runtime %q has type %q, %w: set default_runtime_name to a runtime of type %q, or install without --set-default", name, kind, ErrNotRunc, runcType)
	}
	if r.Default {
		route(name, r.Shim)
		return map[string]any{"runtimes": runtimes}, nil
	}
	if kind != "" {
		name = "runc"
		if entry, _ = lookUp(c.cri, key{"runtimes", name}).(map[string]any); containerdType(entry) != "" {
			entry = nil
		}
	}
	added := withoutZeros(entry)
	if lookUp(c.written, key{"runtimes", name, "sandboxer"}) == nil {
		delete(added, "sandboxer") // `config dump` adds containerd's default to each entry
	}
	merge(added, map[string]any{"options": map[string]any{"BinaryName": r.Shim}, "runtime_type": runcType})
	runtimes[addedRuntime] = added
	if _, ok := c.written["runtimes"]; !ok {
		// The first table of runtimes in a file replaces containerd's default table, which contains runc.
		runtimes[name] = map[string]any{"runtime_type": runcType}
	}
	return map[string]any{"runtimes": runtimes}, nil
}

// withoutZeros returns a copy without values that equal containerd's defaults for missing keys: half of the output of
// `containerd config default`.
func withoutZeros(table map[string]any) map[string]any {
	copied := make(map[string]any)
	for name, value := range table {
		switch value := value.(type) {
		case map[string]any:
			if below := withoutZeros(value); len(below) > 0 {
				copied[name] = below
			}
		case []any:
			if len(value) > 0 {
				copied[name] = value
			}
		default:
			if value != "" && value != int64(0) && value != false {
				copied[name] = value
			}
		}
	}
	return copied
}

func (containerd) edit(h Host, e Engine, r Request) ([]File, error) {
	c, err := e.containerdInForce(h)
	if err != nil {
		return nil, err
	}
	want, err := c.wanted(r)
	if err != nil {
		return nil, err
	}
	if c.satisfies(want) {
		return nil, nil
	}
	if dropin := c.dropin(); dropin != "" {
		return c.editFile(h, dropin, c.version, fromUs, want)
	}
	if e.embedded() {
		return e.editTemplate(h, c, r, want)
	}
	target, ok := c.last()
	if !ok {
		target = layer{path: e.Config, version: c.version}
	}
	if readOnly(target.path) {
		return e.editCopy(h, c, target, want)
	}
	return c.editFile(h, target.path, target.version, "", want)
}

// satisfies reports whether all wanted values are already in effect.
func (c containerdFiles) satisfies(want map[string]any) bool {
	merged := clone(c.cri)
	merge(merged, want)
	return equal(merged, c.cri)
}

const dropinName = "99-runc-trace.toml"

// dropin returns the path of a file of our own that containerd would import and merge, "" if it would not.
func (c containerdFiles) dropin() string {
	if !c.merges {
		return ""
	}
	for _, l := range c.layers {
		for _, pattern := range strs(l.doc.get(key{"imports"})) {
			pattern = importPath(l.path, pattern)
			file := path.Join(path.Dir(pattern), dropinName)
			if ok, _ := filepath.Match(pattern, file); ok && strings.Contains(path.Base(pattern), "*") &&
				!strings.Contains(path.Dir(pattern), "*") {
				return file
			}
		}
	}
	return ""
}

// editFile sets the wanted values in a file of a version. A new file begins with the comment.
func (c containerdFiles) editFile(h Host, file string, version int64, comment string,
	want map[string]any) ([]File, error) {
	text, err := h.readIfThere(file)
	if err != nil {
		return nil, err
	}
	if text == nil {
		text = fmt.Appendf(nil, "%sversion = %d\n", comment, version)
	}
	doc, err := parseDocument(text)
	if err != nil {
		return nil, fmt.Errorf("parsing %q: %w", file, err)
	}
	if said, ok := doc.get(key{"version"}).(int64); ok {
		version = said
	}
	if err := doc.setAll(criSection(version), want); err != nil {
		return nil, fmt.Errorf("editing %q: %w", file, err)
	}
	return []File{{Path: file, Data: doc.text, Mode: 0o644}}, nil
}
