// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
)

// ErrNoCRI is wrapped by errors about a containerd whose CRI plugin is turned off: its clients (Docker, ctr, nerdctl) name
// the runtime themselves, and no configuration of containerd's own does.
var ErrNoCRI = errors.New("containerd's CRI plugin is disabled")

// runcType is the containerd shim that calls a runc, and so can call ours.
const runcType = "io.containerd.runc.v2"

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

// containerdFiles reads them.
func (e Engine) containerdFiles(h Host) (containerdFiles, error) {
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
