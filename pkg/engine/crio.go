// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
)

// crio is the driver of CRI-O.
type crio struct{}

func (crio) kind() Kind { return CRIO }

func (crio) detect(h Host) ([]Engine, error) {
	_, found, err := installed{[]string{"crio.service", "cri-o.service"}, []string{"--config", "-c"}, "/etc/crio/crio.conf"}.find(h, CRIO)
	return found, err
}

func (crio) traits() traits { return traits{program: "crio", verb: "restart", class: true} }

// crioSection is where CRI-O's runtimes stand. See crio.conf(5).
var crioSection = key{"crio", "runtime", "runtimes"}

// crioDropins is CRI-O's folder of drop-ins, unless --config-dir names another. See crio.conf.d(5).
const crioDropins = "/etc/crio/crio.conf.d"

// crioPath is the key of the program in an entry.
const crioPath = "runtime_path"

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

// crioFiles are the files of its configuration in the order in which they are read, and the path of ours.
func (e Engine) crioFiles(h Host) (files []string, ours string, err error) {
	c, err := e.command(h)
	if err != nil {
		return nil, "", err
	}
	dir, ok := option(c.args(), "--config-dir", "-d")
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

func (crio) configured(h Host, e Engine) (runtimes, error) {
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
		binary, _ := lookUp(entries, key{name, crioPath}).(string)
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

func (crio) running(context.Context, Host, Engine) (runtimes, error) { return runtimes{}, errNoAnswer }

func (crio) edit(h Host, e Engine, r Request) ([]File, error) {
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
	entry[crioPath] = r.Shim
	delete(entry, "inherit_default_runtime") // which would put the default one's path in place of ours
	// An entry for a platform goes before runtime_path, and no recording is wanted less there.
	delete(entry, "platform_runtime_paths")
	return h.editDropin(ours, map[string]any{"crio": map[string]any{"runtime": map[string]any{"runtimes": map[string]any{name: entry}}}})
}

func (crio) check(h Host, e Engine) ([]string, error) {
	_, ours, err := e.crioFiles(h)
	return []string{"--config", e.Config, "--config-dir", path.Dir(ours), "config"}, err
}

func (crio) socket(h Host, e Engine) (string, error) {
	files, _, err := e.crioFiles(h)
	if err != nil {
		return "", err
	}
	config, err := h.overlay(files, crioSection)
	if err != nil {
		return "", err
	}
	c, err := e.command(h)
	if err != nil {
		return "", err
	}
	return first(lastOption(c.args(), "--listen"), config.text("crio", "api", "listen"), "/var/run/crio/crio.sock"), nil
}

func (crio) ask(ctx context.Context, socket string) error { return askCRI(ctx, socket) }

// dependents are the pods that were made for our handler, and their containers: CRI-O looks a pod's handler up by name for
// whatever it does with it. Those of the default handler are served by whatever program that has. conmon, which has
// our path from their start, does not call it again.
func (crio) dependents(h Host, _ Engine, _ []string) ([]string, error) {
	var found []string
	for _, root := range []string{"/run/containers/storage", "/var/lib/containers/storage"} {
		for _, file := range h.glob(path.Join(root, "overlay-containers/*/userdata/config.json")) {
			var spec struct {
				Annotations map[string]string `json:"annotations"`
			}
			text, err := h.read(file)
			if err != nil || json.Unmarshal(text, &spec) != nil {
				continue // another engine's, or just being written or removed
			}
			if spec.Annotations["io.kubernetes.cri-o.RuntimeHandler"] == addedRuntime {
				found = append(found, path.Base(path.Dir(path.Dir(file))))
			}
		}
	}
	return found, nil
}
