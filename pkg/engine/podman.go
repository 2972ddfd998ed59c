// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"context"
	"maps"
	"path"
	"slices"
	"strings"
	"time"
)

// podman is the driver of Podman, which is no daemon.
type podman struct{}

func (podman) kind() Kind { return Podman }

func (podman) detect(h Host) ([]Engine, error) {
	e, found, err := installed{nil, nil, "/etc/containers/containers.conf"}.find(h, Podman)
	if e.Binary == "" {
		found = nil // other tools have its configuration files, too
	}
	return found, err
}

func (podman) traits() traits { return traits{program: "podman"} }

// podmanSection is where Podman's runtimes stand: for each the paths of its program, of which the first that exists is
// taken, and the PATH where none does. See containers.conf(5).
var podmanSection = key{"engine", "runtimes"}

// podmanRuntimes are those that Podman takes for the default one where none is named, in this order.
var podmanRuntimes = []string{"crun", "runc", "runj", "kata", "runsc", "ocijail"}

// podmanAbilities are lists of the runtimes that can do something, and what Podman takes where no file has the list.
var podmanAbilities = map[string][]any{
	"runtime_supports_json":      {"crun", "runc", "kata", "runsc", "youki", "krun", "ocijail"},
	"runtime_supports_nocgroups": {"crun", "krun"},
}

// podmanDirs are where it looks for crun and runc where no file says so, in its order.
var podmanDirs = []string{"/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin", "/sbin", "/bin"}

// podmanOther are further places.
var podmanOther = map[string][]string{
	"crun": {"/run/current-system/sw/bin/crun"},
	"runc": {"/usr/lib/cri-o-runc/sbin/runc", "/run/current-system/sw/bin/runc"},
}

// podmanConfig are the files of all users, in the order in which Podman reads them.
func (e Engine) podmanConfig(h Host) (overlaid, string, error) {
	dir := e.Config + ".d"
	files := append([]string{"/usr/share/containers/containers.conf", e.Config}, h.glob(path.Join(dir, "*.conf"))...)
	config, err := h.overlay(files, podmanSection)
	return config, path.Join(dir, confDropinName), err
}

// podmanPaths is the list for a runtime.
func podmanPaths(config overlaid, name string) []any {
	if list, ok := lookUp(config, slices.Concat(podmanSection, key{name})).([]any); ok {
		return list
	}
	if name != "crun" && name != "runc" {
		return nil
	}
	var list []any
	for _, dir := range podmanDirs {
		list = append(list, path.Join(dir, name))
	}
	for _, file := range podmanOther[name] {
		list = append(list, file)
	}
	return list
}

func podmanProgram(h Host, config overlaid, name string) string {
	if path.IsAbs(name) {
		return name
	}
	for _, file := range strs(podmanPaths(config, name)) {
		if h.exists(file) {
			return file
		}
	}
	return h.program(name, programDirs)
}

func podmanDefault(h Host, config overlaid) string {
	if name := config.text("engine", "runtime"); name != "" {
		return name
	}
	// Podman decides this before it reads its files, from the paths that it knows itself.
	for _, name := range podmanRuntimes {
		if podmanProgram(h, nil, name) != "" {
			return name
		}
	}
	return "crun"
}

func (podman) configured(h Host, e Engine) (runtimes, error) {
	config, _, err := e.podmanConfig(h)
	if err != nil {
		return runtimes{}, err
	}
	known := runtimes{name: podmanDefault(h, config), paths: make(map[string]string), driver: config.text("engine", "cgroup_manager")}
	entries, _ := lookUp(config, podmanSection).(map[string]any)
	names := slices.Collect(maps.Keys(entries))
	for _, name := range append(names, "crun", "runc", known.name) {
		if program := podmanProgram(h, config, name); program != "" {
			known.paths[name] = program
		}
	}
	if known.driver == "" {
		known.driver = "cgroupfs"
		if h.unified() && h.hasSystemd() {
			known.driver = "systemd"
		}
	}
	return known, nil
}

func (podman) running(context.Context, Host, Engine) (runtimes, error) {
	return runtimes{}, errNoAnswer
}

func (podman) edit(h Host, e Engine, r Request) ([]File, error) {
	config, ours, err := e.podmanConfig(h)
	if err != nil {
		return nil, err
	}
	name := podmanDefault(h, config)
	engine := make(map[string]any)
	// The programs that were called so far stay behind the shim: where that is gone, containers go on.
	paths := append([]any{r.Shim}, slices.DeleteFunc(slices.Clone(podmanPaths(config, name)), func(path any) bool { return path == r.Shim })...)
	if !r.Default {
		for ability, able := range podmanAbilities {
			if list, ok := lookUp(config, key{"engine", ability}).([]any); ok {
				able = list
			}
			if slices.Contains(able, any(name)) && !slices.Contains(able, any(addedRuntime)) {
				engine[ability] = append(slices.Clone(able), addedRuntime)
			}
		}
		name = addedRuntime
	}
	engine["runtimes"] = map[string]any{name: paths}
	return h.editDropin(ours, map[string]any{"engine": engine})
}

// check has Podman read its configuration, which it does before anything else. Any command that asks for more makes its storage.
func (podman) check(Host, Engine) ([]string, error) { return []string{"--version"}, nil }

func (podman) socket(Host, Engine) (string, error) { return "", nil }

func (podman) ask(context.Context, string) error { return nil }

// dependents asks podman, whose database is its own matter. It keeps the name of a container's runtime, and finds the
// program anew for every command, so that only who has our name, or a path, needs anything.
func (podman) dependents(h Host, e Engine, shims []string) ([]string, error) {
	if h.Run == nil || e.Binary == "" || !h.exists("/var/lib/containers/storage") {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	ids, err := h.Run(ctx, e.Binary, "ps", "--all", "--quiet", "--no-trunc")
	if err != nil {
		return nil, err
	}
	list := strings.Fields(string(ids))
	if len(list) == 0 {
		return nil, nil
	}
	text, err := h.Run(ctx, e.Binary, append([]string{"container", "inspect", "--format", "{{.Id}} {{.OCIRuntime}}"}, list...)...)
	if err != nil {
		return nil, err
	}
	var found []string
	for line := range strings.Lines(string(text)) {
		id, runtime, _ := strings.Cut(strings.TrimSpace(line), " ")
		if runtime == addedRuntime || slices.Contains(shims, runtime) {
			found = append(found, id)
		}
	}
	return found, nil
}
