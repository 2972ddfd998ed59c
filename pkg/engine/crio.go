// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"path"
	"slices"
	"strings"
)

// crio is the driver of CRI-O.
type crio struct{}

func (crio) kind() Kind { return CRIO }

func (crio) detect(h Host) ([]Engine, error) {
	_, found, err := installed{[]string{"crio.service", "cri-o.service"}, goFlags("config", "c"),
		"/etc/crio/crio.conf", true}.find(h, CRIO)
	return found, err
}

func (crio) traits() traits {
	return traits{program: "crio", verb: "restart", class: true, byName: true}
}

// crioSection contains CRI-O's runtimes. See crio.conf(5).
var crioSection = key{"crio", "runtime", "runtimes"}

// crioDropins is CRI-O's directory of drop-ins, unless --config-dir names another. See crio.conf.d(5).
const crioDropins = "/etc/crio/crio.conf.d"

// crioPath is the key of an entry's program.
const crioPath = "runtime_path"

const confDropinName = "99-runc-trace.conf"

// crioRuntime returns CRI-O's built-in entry for its default runtime. An entry in a file replaces it as a whole.
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

// crioVariables is the prefix of the environment variables that are options of CRI-O.
const crioVariables = "CONTAINER_"

// crioOption returns the value of an option of CRI-O: that of the flag, or else that of the environment variable. The
// flags are without dashes.
func (c command) crioOption(variable string, flags ...string) string {
	if value, ok := option(c.args(), goFlags(flags...)...); ok {
		return value
	}
	return c.env[variable].text
}

// crioFiles returns CRI-O's files in its order, and its directory of drop-ins.
func (e Engine) crioFiles(h Host, c command) (files []string, dir string) {
	dir = cmp.Or(c.crioOption("CONTAINER_CONFIG_DIR", "config-dir", "d"), crioDropins)
	return append([]string{cmp.Or(c.crioOption("CONTAINER_CONFIG", "config", "c"), e.Config)}, h.walk(dir)...), dir
}

// crioConfig returns CRI-O's configuration including flags and variables, and the path of our drop-in.
func (e Engine) crioConfig(h Host) (config overlaid, ours string, err error) {
	c, err := e.command(h)
	if err != nil {
		return nil, "", err
	}
	files, dir := e.crioFiles(h, c)
	ours = path.Join(dir, confDropinName)
	if config, err = h.overlay(files, crioSection); err != nil {
		return nil, "", err
	}
	for variable, o := range map[string]struct {
		flag string
		key  key
	}{
		"CONTAINER_DEFAULT_RUNTIME": {"default-runtime", key{"crio", "runtime", "default_runtime"}},
		"CONTAINER_CGROUP_MANAGER":  {"cgroup-manager", key{"crio", "runtime", "cgroup_manager"}},
		"CONTAINER_LISTEN":          {"listen", key{"crio", "api", "listen"}},
	} {
		if value := c.crioOption(variable, o.flag); value != "" {
			if err := put(config, o.key, value); err != nil {
				return nil, "", err
			}
		}
	}
	// Format: NAME:PATH:ROOT:TYPE...; these entries replace those of files.
	flagged := strings.Join(options(c.args(), goFlags("runtimes")...), ",")
	for entry := range strings.SplitSeq(cmp.Or(flagged, c.env["CONTAINER_RUNTIMES"].text), ",") {
		fields := append(strings.Split(entry, ":"), "", "", "")
		if fields[0] == "" {
			continue
		}
		table := map[string]any{"runtime_path": fields[1], "runtime_root": fields[2], "runtime_type": fields[3]}
		if err := put(config, slices.Concat(crioSection, key{fields[0]}), table); err != nil {
			return nil, "", err
		}
	}
	return config, ours, nil
}

// crioDefault returns the name of the default runtime: by default, that is crun since CRI-O 1.31.
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
	return cmp.Or(config.text("crio", "runtime", "cgroup_manager"), "systemd")
}

func (crio) configured(h Host, e Engine) (runtimes, error) {
	config, _, err := e.crioConfig(h)
	if err != nil {
		return runtimes{}, err
	}
	return e.crioRuntimes(h, config)
}

// crioRuntimes returns the runtimes of a configuration.
func (e Engine) crioRuntimes(h Host, config overlaid) (runtimes, error) {
	dirs := e.searchPath(h)
	known := runtimes{name: e.crioDefault(config), driver: crioDriver(config)}
	entries, _ := lookUp(config, crioSection).(map[string]any)
	for name, entry := range entries {
		entry, _ := entry.(map[string]any)
		binary, _ := entry[crioPath].(string)
		known.add(name, h.program(cmp.Or(binary, name), dirs), crioType(entry))
	}
	if _, ok := known.paths["crun"]; !ok && atLeast(e.Version, 1, 31) {
		known.add("crun", h.program("crun", dirs), "") // built-in
	}
	if _, ok := known.paths[known.name]; !ok {
		if config.text("crio", "runtime", "default_runtime") != "" && len(entries) > 0 {
			return known, fmt.Errorf("CRI-O's default_runtime is %q, but no configuration file has a table for it", known.name)
		}
		known.add(known.name, h.program(known.name, dirs), "")
	}
	for name := range entries {
		if inherits, _ := lookUp(entries, key{name, "inherit_default_runtime"}).(bool); inherits {
			known.add(name, known.paths[known.name], known.types[known.name])
		}
	}
	return known, nil
}

// crioType returns an entry's type if it does not call runc or a compatible program, otherwise "".
func crioType(entry map[string]any) string {
	kind, _ := entry["runtime_type"].(string)
	if kind == "oci" {
		return ""
	}
	return kind
}

// asked returns the output of `crio config` with the flags and variables of CRI-O's command. The output omits
// defaults.
func (crio) asked(ctx context.Context, h Host, e Engine, _ []string) (runtimes, error) {
	program, args, err := e.crioCommand(h, "config")
	if err != nil {
		return runtimes{}, err
	}
	text, err := h.Run(ctx, program, args...)
	if err != nil {
		return runtimes{}, err
	}
	if len(bytes.TrimSpace(text)) == 0 {
		return runtimes{}, ErrNoAnswer
	}
	return e.crioAnswer(h, text, "crio config")
}

// running returns the output of `crio status config`.
func (d crio) running(ctx context.Context, h Host, e Engine) (runtimes, error) {
	socket, err := d.socket(h, e)
	if err != nil {
		return runtimes{}, err
	}
	text, err := h.API.Get(ctx, socket, "/config")
	if err != nil {
		return runtimes{}, err
	}
	return e.crioAnswer(h, text, "crio status config")
}

func (e Engine) crioAnswer(h Host, text []byte, source string) (runtimes, error) {
	doc, err := parseDocument(text)
	if err != nil {
		return runtimes{}, fmt.Errorf("reading the output of %s: %w", source, err)
	}
	known, err := e.crioRuntimes(h, doc.tree)
	known.source = source
	return known, err
}

// crioCommand returns a command of the engine's program, with the same flags and variables as the engine itself.
func (e Engine) crioCommand(h Host, command string) (program string, args []string, err error) {
	c, err := e.command(h)
	if err != nil {
		return "", nil, err
	}
	args = append(c.args(), command)
	if env := c.environment(func(name string) bool { return strings.HasPrefix(name, crioVariables) }); len(env) > 0 {
		return "env", slices.Concat(env, []string{e.Binary}, args), nil
	}
	return e.Binary, args, nil
}

func (crio) edit(h Host, e Engine, r Request) ([]File, error) {
	config, ours, err := e.crioConfig(h)
	if err != nil {
		return nil, err
	}
	runtimes := make(map[string]any)
	for name, shim := range r.Others {
		if runtimes[name], err = e.crioEntry(config, name, shim); err != nil {
			return nil, err
		}
	}
	name := e.crioDefault(config)
	entry, err := e.crioEntry(config, name, r.Shim)
	switch {
	case err != nil:
		return nil, err
	case r.Default:
		runtimes[name] = entry
	case crioType(entry) != "":
		kind, other := crioType(entry), e.Base(false).Name
		if entry, err = e.crioEntry(config, other, r.Shim); err != nil || crioType(entry) != "" {
			return nil, fmt.Errorf("CRI-O's default runtime %q has type %q, %w, and there is no table for %s: "+
				"add one to %q", name, kind, ErrNotRunc, other, e.Config)
		}
		fallthrough
	default:
		runtimes[addedRuntime] = entry
	}
	if kind := crioType(entry); kind != "" {
		return nil, fmt.Errorf("CRI-O's default runtime %q has type %q, %w: set default_runtime to a runtime of type \"oci\", or install without --set-default", name, kind, ErrNotRunc)
	}
	return h.editDropin(ours, map[string]any{"crio": map[string]any{"runtime": map[string]any{"runtimes": runtimes}}})
}

// crioEntry returns a runtime's complete entry, because an entry in a file replaces CRI-O's own as a whole.
func (e Engine) crioEntry(config overlaid, name, shim string) (map[string]any, error) {
	entry, ok := lookUp(config, slices.Concat(crioSection, key{name})).(map[string]any)
	switch {
	case ok:
		entry = clone(entry)
	case name == "crun" && atLeast(e.Version, 1, 31):
		entry = crioRuntime(crioDriver(config))
	default:
		return nil, fmt.Errorf("CRI-O has no table [%s] and its default is unknown: copy the table from `crio config --default` to %q",
			header(slices.Concat(crioSection, key{name})), e.Config)
	}
	entry[crioPath] = shim
	delete(entry, "inherit_default_runtime") // would replace our path by that of the default runtime
	// An entry for a platform takes precedence over runtime_path, but those containers are to be recorded, too.
	delete(entry, "platform_runtime_paths")
	return entry, nil
}

func (crio) decides(h Host, e Engine, runtime string) place {
	c, err := e.command(h)
	if err != nil {
		return place{}
	}
	for _, w := range c.words {
		_, value, _ := strings.Cut(w.text, "=")
		if strings.HasPrefix(w.text, runtime+":") || strings.HasPrefix(value, runtime+":") ||
			strings.Contains(w.text, ","+runtime+":") {
			return w.at
		}
	}
	if w := c.env["CONTAINER_RUNTIMES"]; strings.Contains(","+w.text, ","+runtime+":") {
		return w.at
	}
	files, _ := e.crioFiles(h, c)
	return h.placeOf(files, slices.Concat(crioSection, key{runtime, crioPath}), slices.Concat(crioSection, key{runtime}))
}

// check runs the same command as asked.
func (crio) check(h Host, e Engine) (string, []string, error) { return e.crioCommand(h, "config") }

func (crio) socket(h Host, e Engine) (string, error) {
	config, _, err := e.crioConfig(h)
	return first(config.text("crio", "api", "listen"), "/var/run/crio/crio.sock"), err
}

func (crio) ask(ctx context.Context, socket string) error { return askCRI(ctx, socket) }

// crioRoots returns the directories that contain CRI-O's containers: those of its configuration now, of the running
// CRI-O, and of storage.conf.
func (d crio) crioRoots(h Host, e Engine) ([]string, error) {
	commands, err := e.commands(h)
	if err != nil {
		return nil, err
	}
	var roots []string
	for _, c := range append(commands, command{}) {
		more, err := h.storageRoots(c.env[storageVariable].text)
		if err != nil {
			return nil, err
		}
		files, _ := e.crioFiles(h, c)
		config, err := h.overlay(files, crioSection)
		if err != nil {
			return nil, err
		}
		roots = append(append(roots, more...), config.text("crio", "root"), config.text("crio", "runroot"),
			c.crioOption("CONTAINER_ROOT", "root", "r"), c.crioOption("CONTAINER_RUNROOT", "runroot"))
	}
	if h.API != nil { // its files may have changed since it started
		ctx, cancel := context.WithTimeout(context.Background(), askTime)
		defer cancel()
		if socket, err := d.socket(h, e); err == nil {
			text, _ := h.API.Get(ctx, socket, "/config")
			if doc, err := parseDocument(text); err == nil {
				roots = append(roots, overlaid(doc.tree).text("crio", "root"), overlaid(doc.tree).text("crio", "runroot"))
			}
		}
	}
	roots = slices.DeleteFunc(roots, func(dir string) bool { return dir == "" })
	slices.Sort(roots)
	return slices.Compact(roots), nil
}

// dependents returns the pods that were made with our handler, and their containers: CRI-O looks up a pod's handler by
// name for every operation. Pods of the default handler work with any program that it names. conmon was started with
// our path, but does not call it again.
func (d crio) dependents(h Host, e Engine, _ []string) ([]Container, error) {
	roots, err := d.crioRoots(h, e)
	if err != nil {
		return nil, err
	}
	var found []Container
	for _, root := range roots {
		// The storage names the directory for its driver: overlay-containers, vfs-containers.
		for _, file := range h.glob(path.Join(root, "*-containers/*/userdata/config.json")) {
			annotations := h.readAnnotations(file)
			if annotations["io.kubernetes.cri-o.RuntimeHandler"] == addedRuntime {
				bundle := path.Dir(file)
				id := path.Base(path.Dir(bundle))
				found = append(found, Container{id, podName(id, bundle, annotations)})
			}
		}
	}
	return found, nil
}
