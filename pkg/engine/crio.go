// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
)

// crioSection is where CRI-O's runtimes stand. See crio.conf(5).
var crioSection = key{"crio", "runtime", "runtimes"}

// crioDropins is CRI-O's folder of drop-ins, unless --config-dir names another. See crio.conf.d(5).
const crioDropins = "/etc/crio/crio.conf.d"

const confDropinName = "99-runc-trace.conf"

// crioRuntime is CRI-O's own entry for its default runtime, which an entry in a file replaces as a whole.
func crioRuntime(driver string) map[string]any {
	entry := map[string]any{
		"runtime_type":         "oci",
		"runtime_root":         "/run/crun",
		"allowed_annotations":  []any{"io.containers.trace-syscall", "io.kubernetes.cri-o.Devices"},
		"monitor_env":          []any{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
		"container_min_memory": "500KiB",
	}
	if driver == "systemd" {
		entry["monitor_cgroup"] = "system.slice"
	}
	return entry
}

// overlaid is what configuration files mean of which each one overrides those before it, key by key.
type overlaid map[string]any

// overlay reads files in their order; those that are not there say nothing. Entries of the section are replaced as a
// whole, as it is with a map of Go's that is decoded into.
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

// crioFiles are the files of its configuration in the order in which they are read, and the path of ours.
func (e Engine) crioFiles(h Host) (files []string, ours string, err error) {
	u, _, err := h.unit(e.Unit)
	if err != nil {
		return nil, "", err
	}
	dir, ok := option(u.args(), "--config-dir", "-d")
	if !ok {
		dir = crioDropins
	}
	return append([]string{e.Config}, h.glob(path.Join(dir, "*"))...), path.Join(dir, confDropinName), nil
}

// crioDefault is the default runtime's name: CRI-O took to crun with 1.31.
func (e Engine) crioDefault(config overlaid) string {
	if name := config.text("crio", "runtime", "default_runtime"); name != "" {
		return name
	}
	if e.Version == "" || atLeast(e.Version, 1, 31) {
		return "crun"
	}
	return "runc"
}

func crioDriver(config overlaid) string {
	if driver := config.text("crio", "runtime", "cgroup_manager"); driver != "" {
		return driver
	}
	return "systemd"
}

func (e Engine) editCRIO(h Host, r Request) ([]File, error) {
	files, ours, err := e.crioFiles(h)
	if err != nil {
		return nil, err
	}
	config, err := h.overlay(files, crioSection)
	if err != nil {
		return nil, err
	}
	name := e.crioDefault(config)
	entry, ok := lookUp(config, slices.Concat(crioSection, key{name})).(map[string]any)
	switch {
	case ok:
		entry = clone(entry)
	case name == "crun" && atLeast(e.Version, 1, 31):
		entry = crioRuntime(crioDriver(config))
	default:
		return nil, fmt.Errorf("no file of CRI-O's has a table [%s], and what this version of it takes instead is not known: write one into %q with what `crio config --default` prints", header(slices.Concat(crioSection, key{name})), e.Config)
	}
	if kind, _ := entry["runtime_type"].(string); kind != "" && kind != "oci" {
		return nil, fmt.Errorf("CRI-O's default runtime %q is of type %q, which is no runc: name one of type \"oci\" in default_runtime", name, kind)
	}
	if !r.Default {
		name = addedRuntime
	}
	entry["runtime_path"] = r.Shim
	delete(entry, "inherit_default_runtime") // which would put the default one's path in place of ours
	// An entry for a platform goes before runtime_path, and no recording is wanted less there.
	delete(entry, "platform_runtime_paths")
	return h.editDropin(ours, map[string]any{"crio": map[string]any{"runtime": map[string]any{"runtimes": map[string]any{name: entry}}}})
}

// editDropin sets values in a drop-in that is ours.
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

func (e Engine) knownCRIO(h Host) (runtimes, error) {
	files, _, err := e.crioFiles(h)
	if err != nil {
		return runtimes{}, err
	}
	config, err := h.overlay(files, crioSection)
	if err != nil {
		return runtimes{}, err
	}
	dirs, err := e.searchPath(h)
	if err != nil {
		return runtimes{}, err
	}
	known := runtimes{name: e.crioDefault(config), paths: make(map[string]string), driver: crioDriver(config)}
	entries, _ := lookUp(config, crioSection).(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(entries)) {
		binary, _ := lookUp(entries, key{name, "runtime_path"}).(string)
		if binary == "" {
			binary = name
		}
		if kind, _ := lookUp(entries, key{name, "runtime_type"}).(string); kind != "" && kind != "oci" {
			binary = ""
		}
		known.paths[name] = h.program(binary, dirs)
	}
	if _, ok := known.paths[known.name]; !ok {
		if config.text("crio", "runtime", "default_runtime") != "" && len(entries) > 0 {
			return known, errors.New("CRI-O's default_runtime is \"" + known.name + "\", which has no table in any file of its configuration")
		}
		known.paths[known.name] = h.program(known.name, dirs)
	}
	for name := range entries {
		if inherits, _ := lookUp(entries, key{name, "inherit_default_runtime"}).(bool); inherits {
			known.paths[name] = known.paths[known.name]
		}
	}
	return known, nil
}
