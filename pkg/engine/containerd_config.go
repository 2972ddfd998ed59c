// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
)

// ErrNoCRI is wrapped by errors about a containerd with a disabled CRI plugin. Its clients (Docker, ctr, nerdctl)
// choose the runtime themselves, and containerd's configuration has no effect on that.
var ErrNoCRI = errors.New("containerd's CRI plugin is disabled")

// errUnsure is wrapped by errors about files whose combined effect only the engine knows.
var errUnsure = errors.New("the versions of its files do not fit")

// runcType is the containerd shim that calls runc, and can call our shim instead.
const runcType = "io.containerd.runc.v2"

// containerdConfig is containerd's default configuration file.
const containerdConfig = "/etc/containerd/config.toml"

// criSections are the sections of the CRI plugin that define runtimes, since version 3 of the configuration and
// before.
var criSections = []key{{"plugins", "io.containerd.cri.v1.runtime", "containerd"},
	{"plugins", "io.containerd.grpc.v1.cri", "containerd"}}

// criSection returns the section's key in a file of the given version.
func criSection(version int64) key {
	if version >= 3 {
		return criSections[0]
	}
	return criSections[1]
}

// layer is one file of containerd's configuration.
type layer struct {
	path    string
	doc     *document
	version int64 // from the file, or assumed
}

// versionAt returns the line that sets the file's version.
func (l layer) versionAt() place {
	for i, line := range strings.Split(string(l.doc.text), "\n") {
		if strings.HasPrefix(strings.TrimSpace(line), "version") {
			return place{l.path, i + 1}
		}
	}
	return place{file: l.path}
}

func (l layer) section() key { return criSection(l.version) }

// containerdFiles is containerd's configuration, in the order in which containerd reads the files.
type containerdFiles struct {
	layers  []layer
	merges  bool // imports extend plugins' sections; before containerd 2.0 they replace them
	version int64
	mixed   error          // why only containerd knows the combined effect of the files
	written map[string]any // runtime section from the files
	cri     map[string]any // runtime section in effect
}

// containerdFiles reads the files.
func (e Engine) containerdFiles(h Host) (containerdFiles, error) {
	c := containerdFiles{merges: atLeast(e.Version, 2, 0), version: 2}
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
			return c, fmt.Errorf("reading %q, which containerd's configuration imports: no such file", file)
		}
		if text == nil {
			break
		}
		doc, err := parseDocument(text)
		if err != nil {
			return c, fmt.Errorf("parsing %q: %w", file, err)
		}
		version, _ := doc.get(key{"version"}).(int64)
		if c.layers == nil {
			c.merges = c.merges || e.Version == "" && version >= 3 // older versions do not know it
		}
		c.layers = append(c.layers, layer{file, doc, version})
		for _, pattern := range strs(doc.get(key{"imports"})) {
			files, err := c.imported(h, file, pattern)
			if err != nil {
				return c, err
			}
			pending = append(pending, files...)
		}
	}
	if len(c.layers) > 0 {
		c.version = c.layers[0].version
	} else if atLeast(e.Version, 2, 0) {
		c.version = 3
	}
	if err := c.check(e); err != nil {
		return c, err
	}
	c.settleVersions(e)
	c.written = c.inForce()
	c.cri = c.written
	return c, nil
}

// containerdInForce reads the files, and asks containerd for their combined effect.
func (e Engine) containerdInForce(h Host) (containerdFiles, error) {
	c, err := e.containerdFiles(h)
	if err != nil || h.Run == nil || e.Binary == "" || h.planned != nil {
		return c, errors.Join(err, c.mixed)
	}
	ctx, cancel := context.WithTimeout(context.Background(), askTime)
	defer cancel()
	if cri, err := e.dump(ctx, h); err == nil {
		c.cri = cri
	}
	return c, c.mixed
}

// settleVersions sets the version that applies to each file. Before containerd 2.0 there is only one version. Since
// 2.3, containerd migrates each file separately. In between, the version of the last file decides whether sections of
// version 2 count in all files, so that one more file may change the meaning of the others.
func (c *containerdFiles) settleVersions(e Engine) {
	for i := range c.layers {
		l := &c.layers[i]
		if l.version == 0 && c.merges {
			l.version = 2 // containerd migrates only plugin names from version 1
		}
		switch new := l.version >= 3; {
		case new && !c.merges && e.Version != "":
			c.mixed = fmt.Errorf("%w: %s has version %d, which containerd %s does not know; write it in version 2",
				errUnsure, l.versionAt(), l.version, e.Version)
		case new != (c.version >= 3) && !atLeast(e.Version, 2, 3):
			c.mixed = fmt.Errorf("%w: %s has version %d, but %q has version %d; write all in one version "+
				"(before containerd 2.3, the last file decides which ones are read)",
				errUnsure, l.versionAt(), l.version, e.Config, c.version)
		}
		if !c.merges && e.Version != "" {
			l.version = 2 // the only version that it knows, whatever the file says
		}
	}
}

// imported returns the files of an import of containerd. A path is relative to the importing file, and may be a
// pattern. In some versions before 2.0 (1.6.20, but not 1.7.35), a pattern is relative to the working directory, which
// is / for a service.
func (c containerdFiles) imported(h Host, file, pattern string) ([]string, error) {
	if !strings.Contains(pattern, "*") {
		return []string{importPath(file, pattern)}, nil
	}
	found := h.glob(importPath(file, pattern))
	if !c.merges && !slices.Equal(found, h.glob(path.Join("/", pattern))) {
		return nil, fmt.Errorf("%q imports %q by a relative path, which depends on containerd's version: make it absolute", file, pattern)
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
				return fmt.Errorf("%w in %q (disabled_plugins): clients of this containerd choose the runtime themselves", ErrNoCRI, l.path)
			}
		}
	}
	if len(c.layers) > 0 && c.version < 2 {
		advice := "print it as version 2 with `containerd config dump`, check the result and replace the file with it"
		if atLeast(e.Version, 2, 0) {
			advice = "convert it with `containerd config migrate`, check the result and replace the file with it"
		}
		return fmt.Errorf("%q has configuration version 1 (no `version = 2`), which tracectl cannot edit: %s", e.Config, advice)
	}
	return nil
}

// inForce returns the section as containerd combines it.
func (c containerdFiles) inForce() map[string]any {
	merged := make(map[string]any)
	for _, l := range c.layers {
		section := l.section()
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

// last returns the file that takes precedence for runtimes.
func (c containerdFiles) last() (layer, bool) {
	for _, l := range slices.Backward(c.layers) {
		if l.doc.get(l.section()[:2]) != nil {
			return l, true
		}
	}
	if len(c.layers) > 0 {
		return c.layers[0], true
	}
	return layer{}, false
}

// dumpVerb returns the subcommand of `containerd config` that prints the effective configuration. In 2.0, `dump` does
// not migrate files of version 2, although containerd itself does.
func (e Engine) dumpVerb() string {
	if atLeast(e.Version, 2, 0) && !atLeast(e.Version, 2, 1) {
		return "migrate"
	}
	return "dump"
}

// dump returns the section that containerd reports.
func (e Engine) dump(ctx context.Context, h Host) (section map[string]any, err error) {
	config, err := e.configInUse(h)
	if err != nil {
		return nil, err
	}
	text, err := h.Run(ctx, e.Binary, "--config", config, "config", e.dumpVerb())
	if err != nil {
		return nil, err
	}
	return dumped(text)
}

func dumped(text []byte) (map[string]any, error) {
	doc, err := parseDocument(text)
	if err != nil {
		return nil, fmt.Errorf("reading its output: %w", err)
	}
	for _, k := range criSections {
		if section, ok := doc.get(k).(map[string]any); ok {
			return section, nil
		}
	}
	return nil, ErrNoAnswer // no plugin, or no output
}

// oldDefault returns an error if the section has an obsolete table, which we cannot edit.
func oldDefault(cri map[string]any) error {
	if old, _ := lookUp(cri, key{"default_runtime", "runtime_type"}).(string); old != "" {
		return errors.New("containerd's configuration has a deprecated table [... containerd.default_runtime]: " +
			"move it to [... containerd.runtimes.NAME] and set default_runtime_name to NAME")
	}
	return nil
}

// defaultRuntime returns the name of the default runtime, and its entry, nil if no file has one.
func defaultRuntime(cri map[string]any) (string, map[string]any, error) {
	if err := oldDefault(cri); err != nil {
		return "", nil, err
	}
	name, _ := cri["default_runtime_name"].(string)
	if name == "" {
		name = "runc"
	}
	entry, _ := lookUp(cri, key{"runtimes", name}).(map[string]any)
	if entry == nil && name != "runc" {
		return name, nil, fmt.Errorf("containerd's default runtime is %q, but no file has a table containerd.runtimes for it", name)
	}
	return name, entry, nil
}

// containerdType returns an entry's type if it does not call runc or a compatible program, otherwise "".
func containerdType(entry map[string]any) string {
	kind, _ := entry["runtime_type"].(string)
	if kind == runcType {
		return ""
	}
	return kind
}

// containerdRuntimes returns the runtimes of the section.
func containerdRuntimes(cri map[string]any, find func(program string) string) (runtimes, error) {
	name, _, err := defaultRuntime(cri)
	if err != nil {
		return runtimes{}, err
	}
	known := runtimes{name: name, driver: "cgroupfs"}
	entries, _ := cri["runtimes"].(map[string]any)
	for runtime, entry := range entries {
		entry, _ := entry.(map[string]any)
		binary, _ := lookUp(entry, key{"options", "BinaryName"}).(string)
		if binary == "" {
			binary = "runc"
		}
		known.add(runtime, find(binary), containerdType(entry))
	}
	if _, ok := known.paths[name]; !ok {
		known.add(name, find("runc"), "")
	}
	if on, _ := lookUp(entries, key{name, "options", "SystemdCgroup"}).(bool); on {
		known.driver = "systemd"
	}
	return known, nil
}
