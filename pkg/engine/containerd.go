// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"errors"
	"fmt"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// ErrNoCRI is wrapped by errors about a containerd whose CRI plugin is turned off: its clients (Docker, ctr, nerdctl) name
// the runtime themselves, and no configuration of containerd's own does.
var ErrNoCRI = errors.New("containerd's CRI plugin is disabled")

// runcType is the containerd shim that calls a runc, and so can call ours.
const runcType = "io.containerd.runc.v2"

// addedRuntime is the name of the runtime that stands beside the default one.
const addedRuntime = "runc-trace"

// containerdConfig is where an unchanged containerd looks.
const containerdConfig = "/etc/containerd/config.toml"

// layer is one of the files that make up containerd's configuration.
type layer struct {
	path string
	doc  *document
}

// containerdFiles is the whole of it, in the order in which the files are read.
type containerdFiles struct {
	layers  []layer
	merges  bool // imports add to plugins' sections; before containerd 2.1 they replace them
	version int64
	section key            // of the CRI plugin's part about runtimes
	cri     map[string]any // what is in force there
}

func (e Engine) containerd(h Host) (containerdFiles, error) {
	c := containerdFiles{merges: atLeast(e.Version, 2, 1), version: 2}
	seen := make(map[string]bool)
	for pending := []string{e.Config}; len(pending) > 0; pending = pending[1:] {
		file := pending[0]
		if seen[file] {
			continue
		}
		seen[file] = true
		text, err := h.readIfThere(file)
		if err != nil {
			return c, err
		}
		if text == nil && file != e.Config {
			return c, fmt.Errorf("reading %q, which containerd's configuration imports: there is no such file", file)
		}
		if text == nil {
			break
		}
		doc, err := parseDocument(text)
		if err != nil {
			return c, fmt.Errorf("parsing %q: %w", file, err)
		}
		c.layers = append(c.layers, layer{file, doc})
		for _, pattern := range strs(doc.get(key{"imports"})) {
			files, err := c.imported(h, file, pattern)
			if err != nil {
				return c, err
			}
			pending = append(pending, files...)
		}
	}
	if len(c.layers) > 0 {
		c.version, _ = c.layers[0].doc.get(key{"version"}).(int64)
	} else if atLeast(e.Version, 2, 0) {
		c.version = 3
	}
	if err := c.check(e); err != nil {
		return c, err
	}
	c.section = key{"plugins", "io.containerd.grpc.v1.cri", "containerd"}
	if c.version >= 3 {
		c.section = key{"plugins", "io.containerd.cri.v1.runtime", "containerd"}
	}
	c.cri = c.inForce(c.section)
	return c, nil
}

// imported are the files of one of containerd's imports: relative to the file that has it, and a pattern where it has a star.
func (c containerdFiles) imported(h Host, file, pattern string) ([]string, error) {
	found := []string{importPath(file, pattern)}
	if strings.Contains(pattern, "*") {
		found = h.glob(found[0])
		if !path.IsAbs(pattern) && !c.merges && len(found) > 0 {
			return nil, fmt.Errorf("%q imports %q, which some versions of containerd look for beside that file, and others (1.6.20 is one) in their working directory: make it an absolute path", file, pattern)
		}
	}
	return found, nil
}

func importPath(file, pattern string) string {
	if !path.IsAbs(pattern) {
		return path.Join(path.Dir(file), pattern)
	}
	return path.Clean(pattern)
}

func (c containerdFiles) check(e Engine) error {
	for _, l := range c.layers {
		for _, plugin := range strs(l.doc.get(key{"disabled_plugins"})) {
			if slices.Contains([]string{"cri", "io.containerd.grpc.v1.cri", "io.containerd.cri.v1.runtime"}, plugin) {
				return fmt.Errorf("%w in %q (disabled_plugins): what uses this containerd says itself which runtime to call", ErrNoCRI, l.path)
			}
		}
	}
	if len(c.layers) > 0 && c.version < 2 {
		advice := "have `containerd config dump` print it as version 2, look it over, and put that in its place"
		if atLeast(e.Version, 2, 0) {
			advice = "have `containerd config migrate` print it as a newer one, look it over, and put that in its place"
		}
		return fmt.Errorf("%q is a configuration of version 1 (it does not say `version = 2`), which cannot be edited: %s", e.Config, advice)
	}
	return nil
}

// inForce is the section as containerd puts it together.
func (c containerdFiles) inForce(section key) map[string]any {
	merged := make(map[string]any)
	for _, l := range c.layers {
		table, ok := l.doc.get(section).(map[string]any)
		if !c.merges && l.doc.get(section[:2]) != nil {
			merged = make(map[string]any)
		}
		if ok {
			merge(merged, table)
		}
	}
	return merged
}

// last is the file whose word about the section is the last.
func (c containerdFiles) last(section key) (layer, bool) {
	for _, l := range slices.Backward(c.layers) {
		if l.doc.get(section[:2]) != nil {
			return l, true
		}
	}
	if len(c.layers) > 0 {
		return c.layers[0], true
	}
	return layer{}, false
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

// defaultRuntime is the name of the runtime for who asks for none, and its entry, nil where there is none of it in any file.
func (c containerdFiles) defaultRuntime() (string, map[string]any, error) {
	if old, _ := lookUp(c.cri, key{"default_runtime", "runtime_type"}).(string); old != "" {
		return "", nil, fmt.Errorf("containerd's configuration has the table %s, which its versions since 1.3 only read for old times' sake: move it to %s, and name that in default_runtime_name",
			header(slices.Concat(c.section, key{"default_runtime"})), header(slices.Concat(c.section, key{"runtimes", "NAME"})))
	}
	name, _ := c.cri["default_runtime_name"].(string)
	if name == "" {
		name = "runc"
	}
	entry, _ := lookUp(c.cri, key{"runtimes", name}).(map[string]any)
	if entry == nil && name != "runc" {
		return name, nil, fmt.Errorf("containerd's default runtime is %q, but no file has a table %s", name, header(slices.Concat(c.section, key{"runtimes", name})))
	}
	return name, entry, nil
}

// wanted is what has to stand in the section, as a tree.
func (c containerdFiles) wanted(r Request) (map[string]any, error) {
	name, entry, err := c.defaultRuntime()
	if err != nil {
		return nil, err
	}
	kind, _ := entry["runtime_type"].(string)
	if kind == "" {
		kind = runcType
	}
	if kind != runcType {
		return nil, fmt.Errorf("containerd's default runtime %q is of type %q, which does not call a runc: name one of type %q in default_runtime_name", name, kind, runcType)
	}
	ours := map[string]any{"options": map[string]any{"BinaryName": r.Shim}}
	if r.Default {
		if entry["runtime_type"] != kind {
			ours["runtime_type"] = kind
		}
		return map[string]any{"runtimes": map[string]any{name: ours}}, nil
	}
	added := withoutZeros(entry)
	merge(added, ours)
	added["runtime_type"] = kind
	runtimes := map[string]any{addedRuntime: added}
	if _, ok := c.cri["runtimes"]; !ok {
		// The first table of runtimes in a file takes the place of containerd's own one, which has runc.
		runtimes[name] = map[string]any{"runtime_type": runcType}
	}
	return map[string]any{"runtimes": runtimes}, nil
}

// withoutZeros is a copy without the values that containerd takes where there are none: half of what `containerd config default` prints.
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

func (e Engine) editContainerd(h Host, r Request) ([]File, error) {
	c, err := e.containerd(h)
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
		return c.editFile(h, dropin, true, want)
	}
	if e.Variant == "k3s" || e.Variant == "rke2" {
		return e.editTemplate(h, c, r, want)
	}
	target, ok := c.last(c.section)
	if !ok {
		target.path = e.Config
	}
	if readOnly(target.path) {
		return e.editCopy(h, c, target, want)
	}
	return c.editFile(h, target.path, false, want)
}

// satisfies says whether all that is wanted is already in force.
func (c containerdFiles) satisfies(want map[string]any) bool {
	merged := clone(c.cri)
	merge(merged, want)
	return equal(merged, c.cri)
}

const dropinName = "99-runc-trace.toml"

// dropin is the path of a file of our own that containerd would import and merge, "" where there can be none.
func (c containerdFiles) dropin() string {
	if !c.merges {
		return ""
	}
	for _, l := range c.layers {
		for _, pattern := range strs(l.doc.get(key{"imports"})) {
			pattern = importPath(l.path, pattern)
			file := path.Join(path.Dir(pattern), dropinName)
			if ok, _ := filepath.Match(pattern, file); ok && strings.Contains(path.Base(pattern), "*") && !strings.Contains(path.Dir(pattern), "*") {
				return file
			}
		}
	}
	return ""
}

// editFile sets what is wanted in a file, which need not exist.
func (c containerdFiles) editFile(h Host, file string, dropin bool, want map[string]any) ([]File, error) {
	text, err := h.readIfThere(file)
	if err != nil {
		return nil, err
	}
	if text == nil {
		comment := ""
		if dropin {
			comment = fromUs
		}
		text = fmt.Appendf(nil, "%sversion = %d\n", comment, c.version)
	}
	doc, err := parseDocument(text)
	if err != nil {
		return nil, fmt.Errorf("parsing %q: %w", file, err)
	}
	if err := doc.setAll(c.section, want); err != nil {
		return nil, fmt.Errorf("editing %q: %w", file, err)
	}
	return []File{{Path: file, Data: doc.text, Mode: 0o644}}, nil
}

// fromUs opens every file that is ours alone.
const fromUs = "# Written by tracectl install; tracectl uninstall removes it.\n"

// known are containerd's runtimes.
func (e Engine) knownContainerd(h Host) (runtimes, error) {
	c, err := e.containerd(h)
	if err != nil {
		return runtimes{}, err
	}
	name, _, err := c.defaultRuntime()
	if err != nil {
		return runtimes{}, err
	}
	dirs, err := e.searchPath(h)
	if err != nil {
		return runtimes{}, err
	}
	known := runtimes{name: name, paths: make(map[string]string), driver: "cgroupfs"}
	entries, _ := c.cri["runtimes"].(map[string]any)
	for _, runtime := range slices.Sorted(maps.Keys(entries)) {
		binary, _ := lookUp(entries, key{runtime, "options", "BinaryName"}).(string)
		kind, _ := lookUp(entries, key{runtime, "runtime_type"}).(string)
		if binary == "" && (kind == runcType || kind == "") {
			binary = "runc"
		}
		known.paths[runtime] = h.program(binary, dirs)
	}
	if _, ok := known.paths[name]; !ok {
		known.paths[name] = h.program("runc", dirs)
	}
	if on, _ := lookUp(entries, key{name, "options", "SystemdCgroup"}).(bool); on {
		known.driver = "systemd"
	}
	return known, nil
}

// strs are the strings of a list.
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
