// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"path"
	"slices"
)

// podman is the driver of Podman, which has no daemon.
type podman struct{}

func (podman) kind() Kind { return Podman }

func (podman) detect(h Host) ([]Engine, error) {
	e, found, err := installed{nil, nil, "/etc/containers/containers.conf", false}.find(h, Podman)
	if e.Binary == "" {
		found = nil // other tools have its configuration files, too
	}
	return found, err
}

func (podman) traits() traits { return traits{program: "podman", byName: true} }

// podmanSection contains Podman's runtimes, each with a list of paths. Podman uses the first path that exists, and if
// none does, searches PATH. See containers.conf(5).
var podmanSection = key{"engine", "runtimes"}

// podmanRuntimes are Podman's candidates for the default runtime, in order, if the configuration names none.
var podmanRuntimes = []string{"crun", "runc", "runj", "kata", "runsc", "ocijail"}

// podmanAbilities maps keys of Podman's lists of runtimes with an ability to Podman's defaults.
var podmanAbilities = map[string][]any{
	"runtime_supports_json":      {"crun", "runc", "kata", "runsc", "youki", "krun", "ocijail"},
	"runtime_supports_nocgroups": {"crun", "krun"},
}

// podmanDirs are the directories in which Podman looks for crun and runc by default, in order.
var podmanDirs = []string{"/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin", "/sbin", "/bin"}

// podmanOther are further default paths.
var podmanOther = map[string][]string{
	"crun": {"/run/current-system/sw/bin/crun"},
	"runc": {"/usr/lib/cri-o-runc/sbin/runc", "/run/current-system/sw/bin/runc"},
}

// podmanForeign maps names of runtimes that are not compatible with runc, as Podman knows them, to their types.
var podmanForeign = map[string]string{"kata": "kata", "runsc": "gVisor", "krun": "krun",
	"runj": "jail", "ocijail": "jail"}

// podmanFiles returns the configuration files for all users, in Podman's order.
func (e Engine) podmanFiles(h Host) []string {
	files := []string{"/usr/share/containers/containers.conf"}
	files = append(files, h.confFiles("/usr/share/containers/containers.conf.d")...)
	files = append(append(files, e.Config), h.confFiles(e.Config+".d")...)
	return files
}

// podmanConfig returns the configuration for all users, and the path of our drop-in.
func (e Engine) podmanConfig(h Host) (overlaid, string, error) {
	abilities := make(map[string]any)
	for ability, able := range podmanAbilities {
		abilities[ability] = able
	}
	config, err := h.overlayOn(overlaid{"engine": abilities}, e.podmanFiles(h), podmanSection)
	return config, path.Join(e.Config+".d", confDropinName), err
}

// confFiles returns the files in a directory of Podman's drop-ins. Podman ignores subdirectories.
func (h Host) confFiles(dir string) []string {
	return slices.DeleteFunc(h.glob(path.Join(dir, "*.conf")), h.isDir)
}

// podmanVariables returns the variables in the environment of all users that make Podman read other files.
func podmanVariables(h Host) ([]setting, error) {
	u, _ := h.unit("podman.service")
	text, err := h.readIfThere("/etc/environment")
	if err != nil {
		return nil, err
	}
	settings := parseEnvironment("/etc/environment", text, false)
	for _, name := range []string{"CONTAINERS_CONF", "CONTAINERS_CONF_OVERRIDE"} {
		settings = append(settings, u.env[name])
	}
	return slices.DeleteFunc(settings, func(s setting) bool {
		return s.value == "" || s.name != "CONTAINERS_CONF" && s.name != "CONTAINERS_CONF_OVERRIDE"
	}), nil
}

// podmanModules are the files that users add with podman --module.
const podmanModules = "/etc/containers/containers.conf.modules/*"

// podmanRemaining returns the configured runtimes, and those of the files that variables name.
func (d podman) podmanRemaining(h Host, e Engine) (runtimes, error) {
	known, err := d.configured(h, e)
	if err != nil {
		return known, err
	}
	var others []string
	for _, file := range h.glob(podmanModules) {
		if !h.isDir(file) {
			others = append(others, file)
		}
	}
	settings, err := podmanVariables(h)
	for _, s := range settings {
		others = append(others, s.value)
	}
	for _, file := range others {
		config, err := h.overlay([]string{file}, podmanSection)
		if err != nil {
			return known, err
		}
		entries, _ := lookUp(config, podmanSection).(map[string]any)
		for name := range entries {
			if program := podmanProgram(h, config, name); known.paths[name] == "" || h.exists(program) {
				known.add(name, program, podmanForeign[name])
			}
		}
		known.name = cmp.Or(config.text("engine", "runtime"), known.name)
	}
	return known, err
}

// podmanElsewhere returns an error if the environment of all users makes Podman read other files.
func podmanElsewhere(h Host) error {
	settings, err := podmanVariables(h)
	if err != nil {
		return err
	}
	for _, s := range settings {
		switch {
		case s.name == "CONTAINERS_CONF":
			return fmt.Errorf("%s sets CONTAINERS_CONF=%s, so Podman reads only that file: add [engine.runtimes] to it by hand, or remove the variable", s.at, s.value)
		case s.name == "CONTAINERS_CONF_OVERRIDE":
			config, err := h.overlay([]string{s.value}, podmanSection)
			if err != nil {
				return err
			}
			if lookUp(config, podmanSection) != nil || lookUp(config, key{"engine", "runtime"}) != nil {
				return fmt.Errorf("%s sets CONTAINERS_CONF_OVERRIDE=%s, which overrides Podman's runtimes: remove them from that file, or remove the variable", s.at, s.value)
			}
		}
	}
	return nil
}

// podmanPaths returns the list of paths of a runtime.
func podmanPaths(config overlaid, name string) []any {
	if path.IsAbs(name) {
		return []any{name}
	}
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
	// Podman chooses this before it reads its files, from its built-in paths.
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
	known := runtimes{name: podmanDefault(h, config), paths: make(map[string]string),
		driver: config.text("engine", "cgroup_manager")}
	entries, _ := lookUp(config, podmanSection).(map[string]any)
	names := slices.Collect(maps.Keys(entries))
	for _, name := range append(names, "crun", "runc", known.name) {
		if program := podmanProgram(h, config, name); program != "" {
			known.add(name, program, podmanForeign[name])
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
	return runtimes{}, ErrNoAnswer
}

func (podman) edit(h Host, e Engine, r Request) ([]File, error) {
	if err := podmanElsewhere(h); err != nil {
		return nil, err
	}
	config, ours, err := e.podmanConfig(h)
	if err != nil {
		return nil, err
	}
	known, err := e.known(h)
	if err != nil {
		return nil, err
	}
	engine, runtimes := make(map[string]any), make(map[string]any)
	// Keep the previous programs after the shim: if the shim is removed, containers still start.
	route := func(to, name, shim string) {
		others := slices.DeleteFunc(strs(podmanPaths(config, name)), func(path string) bool { return path == shim })
		runtimes[to] = anys(append([]string{shim}, others...))
	}
	for name, shim := range r.Others {
		route(name, name, shim)
	}
	name := known.name
	switch kind := known.types[name]; {
	case kind != "" && r.Default:
		return nil, fmt.Errorf("its default runtime is %q, %w: set engine.runtime to another, or install without --set-default", name, ErrNotRunc)
	case kind != "":
		name = "crun"
	case r.Default && path.IsAbs(name): // Podman looks up only names
		engine["runtime"] = addedRuntime
	}
	if r.Default && !path.IsAbs(name) {
		route(name, name, r.Shim)
	} else {
		route(addedRuntime, name, r.Shim)
		for ability := range podmanAbilities {
			// Podman looks abilities up by the base name.
			able := strs(lookUp(config, key{"engine", ability}))
			if slices.Contains(able, path.Base(name)) && !slices.Contains(able, addedRuntime) {
				engine[ability] = anys(append(able, addedRuntime))
			}
		}
	}
	engine["runtimes"] = runtimes
	return h.editDropin(ours, map[string]any{"engine": engine})
}

func (podman) decides(h Host, e Engine, runtime string) place {
	return h.placeOf(e.podmanFiles(h), slices.Concat(podmanSection, key{runtime}), key{"engine", "runtime"})
}

// check has Podman read its configuration. Other commands would also create its storage.
func (podman) check(_ Host, e Engine) (string, []string, error) {
	return e.Binary, []string{"--version"}, nil
}

func (podman) socket(Host, Engine) (string, error) { return "", nil }

func (podman) ask(context.Context, string) error { return nil }
