// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// daemonJSON is what of daemon.json is about runtimes.
type daemonJSON struct {
	DefaultRuntime string                   `json:"default-runtime"`
	Runtimes       map[string]dockerRuntime `json:"runtimes"`
	ExecOpts       []string                 `json:"exec-opts"`
	DataRoot       string                   `json:"data-root"`
	ExecRoot       string                   `json:"exec-root"`
	Containerd     string                   `json:"containerd"`
	Hosts          []string                 `json:"hosts"`
}

type dockerRuntime struct {
	Path    string         `json:"path,omitempty"`
	Args    []string       `json:"runtimeArgs,omitempty"`
	Type    string         `json:"runtimeType,omitempty"`
	Options map[string]any `json:"options,omitempty"`
}

// stockRuntimes are Docker's own names for the runc that it finds in its PATH.
var stockRuntimes = []string{"runc", runcType}

func (e Engine) docker(h Host) (*object, daemonJSON, error) {
	var config daemonJSON
	text, err := h.readIfThere(e.Config)
	if err != nil {
		return nil, config, err
	}
	o, err := parseObject(text)
	if err == nil {
		err = o.decode(&config)
	}
	if err != nil {
		return nil, config, fmt.Errorf("parsing %q: %w", e.Config, err)
	}
	return o, config, nil
}

func (e Engine) editDocker(h Host, r Request) ([]File, error) {
	o, config, err := e.docker(h)
	if err != nil {
		return nil, err
	}
	if err := e.conflicts(h, r); err != nil {
		return nil, err
	}
	before := o.bytes()
	if err := config.route(o, r); err != nil {
		return nil, fmt.Errorf("editing %q: %w", e.Config, err)
	}
	if r.Default && config.DefaultRuntime != addedRuntime {
		if err := o.set(addedRuntime, "default-runtime"); err != nil {
			return nil, fmt.Errorf("editing %q: %w", e.Config, err)
		}
	}
	if string(o.bytes()) == string(before) {
		return nil, nil
	}
	return []File{{Path: e.Config, Data: o.bytes(), Mode: 0o644}}, nil
}

// route adds our runtime, or corrects its path: a copy of the default one that calls the shim. Docker reserves the name of
// its own runtime, so there the shim always has a name of its own.
func (config daemonJSON) route(o *object, r Request) error {
	name := config.DefaultRuntime
	if _, ok := config.Runtimes[addedRuntime]; ok {
		name = addedRuntime
	}
	if name == "" || slices.Contains(stockRuntimes, name) {
		return o.set(dockerRuntime{Path: r.Shim}, "runtimes", addedRuntime)
	}
	runtime, ok := config.Runtimes[name]
	if !ok {
		return fmt.Errorf("its default-runtime is %q, which is not among its runtimes", name)
	}
	if runtime.Path != "" {
		if runtime.Path == r.Shim && name == addedRuntime {
			return nil
		}
		if name == addedRuntime {
			return o.set(r.Shim, "runtimes", addedRuntime, "path")
		}
		runtime.Path = r.Shim
		return o.set(runtime, "runtimes", addedRuntime)
	}
	if runtime.Type != runcType {
		return fmt.Errorf("its default-runtime %q is of type %q, which does not call a runc: choose one that does", name, runtime.Type)
	}
	if name == addedRuntime && runtime.Options["BinaryName"] == r.Shim {
		return nil
	}
	runtime.Options = maps.Clone(runtime.Options)
	if runtime.Options == nil {
		runtime.Options = make(map[string]any)
	}
	runtime.Options["BinaryName"] = r.Shim
	return o.set(runtime, "runtimes", addedRuntime)
}

// conflicts looks for flags of dockerd's that must not stand in daemon.json as well: it would not start.
func (e Engine) conflicts(h Host, r Request) error {
	u, _, err := h.unit(e.Unit)
	if err != nil {
		return err
	}
	args := u.args()
	var given []string
	if value, ok := option(args, "--add-runtime"); ok {
		given = append(given, "--add-runtime "+value)
	}
	if value, ok := option(args, "--default-runtime"); ok && r.Default {
		given = append(given, "--default-runtime "+value)
	}
	if given == nil {
		return nil
	}
	return fmt.Errorf("unit %s starts dockerd with %s, and dockerd refuses to have that in %q as well: move it there, or add --add-runtime runc-trace=%s to the command line by hand",
		e.Unit, strings.Join(given, " and "), e.Config, r.Shim)
}

// Keep returns Docker's configuration for the time in which tracectl was uninstalled, but containers are left whose runtime is
// ours: what stood there before install (nil where there was no file), with that runtime still in it. The default one is
// named even where it was not before: dockerd keeps the one that it has until its configuration names another, or it is restarted.
func (e Engine) Keep(before []byte, shim string) (File, error) {
	o, err := parseObject(before)
	var config daemonJSON
	if err == nil {
		err = o.decode(&config)
	}
	if err == nil {
		err = config.route(o, Request{Shim: shim})
	}
	if err == nil && config.DefaultRuntime == "" {
		err = o.set("runc", "default-runtime")
	}
	if err != nil {
		return File{}, fmt.Errorf("keeping the runtime of containers in what was %q: %w", e.Config, err)
	}
	return File{Path: e.Config, Data: o.bytes(), Mode: 0o644}, nil
}

func (e Engine) knownDocker(h Host) (runtimes, error) {
	_, config, err := e.docker(h)
	if err != nil {
		return runtimes{}, err
	}
	u, _, err := h.unit(e.Unit)
	if err != nil {
		return runtimes{}, err
	}
	dirs, err := e.searchPath(h)
	if err != nil {
		return runtimes{}, err
	}
	known := runtimes{name: config.DefaultRuntime, paths: map[string]string{"runc": h.program("runc", dirs)}, driver: "cgroupfs"}
	if name, ok := option(u.args(), "--default-runtime"); ok {
		known.name = name
	}
	if known.name == "" {
		known.name = "runc"
	}
	if name, path, ok := strings.Cut(lastOption(u.args(), "--add-runtime"), "="); ok {
		known.paths[name] = h.program(path, dirs)
	}
	for name, runtime := range config.Runtimes {
		path := runtime.Path
		if path == "" && runtime.Type == runcType {
			if path, _ = runtime.Options["BinaryName"].(string); path == "" {
				path = "runc"
			}
		}
		known.paths[name] = h.program(path, dirs)
	}
	if slices.Contains(stockRuntimes, known.name) {
		known.paths[known.name] = known.paths["runc"]
	}
	if h.unified() && h.hasSystemd() {
		known.driver = "systemd"
	}
	for _, opt := range append(config.ExecOpts, lastOption(u.args(), "--exec-opt")) {
		if driver, ok := strings.CutPrefix(opt, "native.cgroupdriver="); ok {
			known.driver = driver
		}
	}
	return known, nil
}

func lastOption(args []string, name string) string {
	value, _ := option(args, name)
	return value
}

// hostConfig is what Docker keeps of how a container was made.
type hostConfig struct {
	Runtime string `json:"Runtime"`
}

func parseHostConfig(text []byte) (hostConfig, error) {
	var c hostConfig
	err := json.Unmarshal(text, &c)
	return c, err
}
