// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"context"
	"fmt"
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
	e, found, err := installed{nil, nil, "/etc/containers/containers.conf", false}.find(h, Podman)
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

// podmanForeign are runtimes by the names that Podman knows, which call nothing of runc's kind.
var podmanForeign = map[string]string{"kata": "kata", "runsc": "gVisor", "krun": "krun", "runj": "jail", "ocijail": "jail"}

// podmanConfig are the files of all users, in the order in which Podman reads them.
func (e Engine) podmanConfig(h Host) (overlaid, string, error) {
	files := []string{"/usr/share/containers/containers.conf"}
	files = append(files, h.confFiles("/usr/share/containers/containers.conf.d")...)
	files = append(append(files, e.Config), h.confFiles(e.Config+".d")...)
	config, err := h.overlay(files, podmanSection)
	return config, path.Join(e.Config+".d", confDropinName), err
}

// confFiles are the files of a folder of drop-ins of Podman's: it leaves folders in it alone.
func (h Host) confFiles(dir string) []string {
	return slices.DeleteFunc(h.glob(path.Join(dir, "*.conf")), h.isDir)
}

// podmanElsewhere is an error if all users' environment has Podman read other files.
func podmanElsewhere(h Host) error {
	u, _, err := h.unit("podman.service")
	if err != nil {
		return err
	}
	text, err := h.readIfThere("/etc/environment")
	if err != nil {
		return err
	}
	settings := parseEnvironment("/etc/environment", text)
	for _, name := range []string{"CONTAINERS_CONF", "CONTAINERS_CONF_OVERRIDE"} {
		settings = append(settings, u.env[name])
	}
	for _, s := range settings {
		switch {
		case s.value == "":
		case s.name == "CONTAINERS_CONF":
			return fmt.Errorf("%s has CONTAINERS_CONF=%s, and Podman reads no other file then: write [engine.runtimes] into that by hand, or remove the variable", s.at, s.value)
		case s.name == "CONTAINERS_CONF_OVERRIDE":
			config, err := h.overlay([]string{s.value}, podmanSection)
			if err != nil {
				return err
			}
			if lookUp(config, podmanSection) != nil || lookUp(config, key{"engine", "runtime"}) != nil {
				return fmt.Errorf("%s has CONTAINERS_CONF_OVERRIDE=%s, which says last what Podman's runtimes are: take them out of that file, or remove the variable", s.at, s.value)
			}
		}
	}
	return nil
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

// podmanStorage is where Podman keeps what it has; asking it for anything makes that.
const podmanStorage = "/var/lib/containers/storage"

// asked is what `podman info` says.
func (d podman) asked(ctx context.Context, h Host, e Engine, also []string) (runtimes, error) {
	if !h.exists(podmanStorage) {
		return runtimes{}, ErrNoAnswer
	}
	known, err := d.configured(h, e)
	if err != nil {
		return known, err
	}
	known.source = "podman info"
	for i, args := range append([][]string{nil}, runtimeFlags(also)...) {
		// It asks rpm, if that is there, for the runtime's version, and rpm makes a database in its home: here it cannot.
		text, err := h.Run(ctx, "env", append(append([]string{"HOME=/proc", e.Binary}, args...), "info", "--format", "{{.Host.OCIRuntime.Name}} {{.Host.OCIRuntime.Path}}")...)
		if err != nil {
			return known, err
		}
		name, program, ok := strings.Cut(strings.TrimSpace(string(text)), " ")
		if !ok {
			return known, ErrNoAnswer
		}
		if i == 0 {
			known.name = name
		}
		known.paths[name] = program
	}
	return known, nil
}

func runtimeFlags(names []string) [][]string {
	var all [][]string
	for _, name := range names {
		all = append(all, []string{"--runtime", name})
	}
	return all
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
	// The programs that were called so far stay behind the shim: where that is gone, containers go on.
	route := func(to, name, shim string) {
		runtimes[to] = append([]any{shim}, slices.DeleteFunc(slices.Clone(podmanPaths(config, name)), func(path any) bool { return path == shim })...)
	}
	for name, shim := range r.Others {
		route(name, name, shim)
	}
	if r.Default {
		if kind := known.types[known.name]; kind != "" {
			return nil, fmt.Errorf("its default runtime is %q, %w: name another in runtime below [engine], or install without --set-default", known.name, ErrNotRunc)
		}
		route(known.name, known.name, r.Shim)
	} else {
		name := known.name
		if known.types[name] != "" {
			name = "crun"
		}
		route(addedRuntime, name, r.Shim)
		for ability, able := range podmanAbilities {
			if list, ok := lookUp(config, key{"engine", ability}).([]any); ok {
				able = list
			}
			if slices.Contains(able, any(name)) && !slices.Contains(able, any(addedRuntime)) {
				engine[ability] = append(slices.Clone(able), addedRuntime)
			}
		}
	}
	engine["runtimes"] = runtimes
	return h.editDropin(ours, map[string]any{"engine": engine})
}

// check has Podman read its configuration, which it does before anything else. Any command that asks for more makes its storage.
func (podman) check(_ Host, e Engine) (string, []string, error) {
	return e.Binary, []string{"--version"}, nil
}

func (podman) socket(Host, Engine) (string, error) { return "", nil }

func (podman) ask(context.Context, string) error { return nil }

// dependents asks podman, whose database is its own matter. It keeps the name of a container's runtime, and finds the
// program anew for every command, so that only who has our name, or a path, needs anything.
func (podman) dependents(h Host, e Engine, shims []string) ([]Container, error) {
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
	text, err := h.Run(ctx, e.Binary, append([]string{"container", "inspect", "--format", "{{.Id}} {{.OCIRuntime}} {{.Name}}"}, list...)...)
	if err != nil {
		return nil, err
	}
	var found []Container
	for line := range strings.Lines(string(text)) {
		id, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		runtime, name, _ := strings.Cut(rest, " ")
		if runtime == addedRuntime || slices.Contains(shims, runtime) {
			found = append(found, Container{id, name})
		}
	}
	return found, nil
}
