// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

func (docker) edit(h Host, e Engine, r Request) ([]File, error) {
	o, config, err := e.daemonJSON(h)
	if err != nil {
		return nil, err
	}
	if r.Default {
		if err := e.conflicts(h); err != nil {
			return nil, err
		}
	}
	before := o.bytes()
	if err := config.route(o, r); err != nil {
		return nil, fmt.Errorf("editing %q: %w", e.Config, err)
	}
	for _, name := range slices.Sorted(maps.Keys(r.Others)) {
		if err := config.reroute(o, name, r.Others[name]); err != nil {
			return nil, fmt.Errorf("editing %q: %w", e.Config, err)
		}
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
	if kind := runtime.foreign(); kind != "" {
		if r.Default {
			return fmt.Errorf("its default-runtime %q is of type %q, %w: choose one that does, or install without --set-default", name, kind, ErrNotRunc)
		}
		return o.set(dockerRuntime{Path: r.Shim}, "runtimes", addedRuntime)
	}
	if name == addedRuntime {
		return config.reroute(o, name, r.Shim)
	}
	return o.set(runtime.through(r.Shim), "runtimes", addedRuntime)
}

// reroute has a runtime that there is call the shim.
func (config daemonJSON) reroute(o *object, name, shim string) error {
	switch runtime := config.Runtimes[name]; {
	case slices.Contains(config.flagged, name):
		return fmt.Errorf("a flag of dockerd's has its runtime %q: move it to this file", name)
	case runtime.program() == shim:
		return nil
	case runtime.Path != "":
		return o.set(shim, "runtimes", name, "path")
	default:
		return o.set(shim, "runtimes", name, "options", "BinaryName")
	}
}

// through is a copy that calls the shim.
func (r dockerRuntime) through(shim string) dockerRuntime {
	if r.Path != "" {
		r.Path = shim
		return r
	}
	r.Options = maps.Clone(r.Options)
	if r.Options == nil {
		r.Options = make(map[string]any)
	}
	r.Options["BinaryName"] = shim
	return r
}

// conflicts looks for a flag of dockerd's that must not stand in daemon.json as well: it would not start. (Runtimes may stand in both.)
func (e Engine) conflicts(h Host) error {
	commands, err := e.commands(h)
	if err != nil {
		return err
	}
	for _, c := range commands {
		if c.unsure != nil {
			return c.unsure
		}
		for i, w := range c.words {
			flag, _, joined := strings.Cut(w.text, "=")
			if flag != "--default-runtime" {
				continue
			}
			given := w.text
			if !joined && i+1 < len(c.words) {
				given += " " + c.words[i+1].text
			}
			return fmt.Errorf("%s gives dockerd %s, with which it refuses the same in %q: move that there, or install without --set-default and name %s in its place", w.at, given, e.Config, addedRuntime)
		}
	}
	return nil
}

// Forget returns the configuration by which a running Docker, when it is told to read it, gives up runtimes that are not in `now`, the
// configuration that it has (nil if there is no file). That is `now` itself if it names runtimes and a default one: Docker keeps what it
// had of a key that is not there.
func (e Engine) Forget(now []byte) (File, error) {
	o, err := parseObject(now)
	var config daemonJSON
	if err == nil {
		err = o.decode(&config)
	}
	if err == nil && config.Runtimes == nil {
		err = o.set(map[string]any{}, "runtimes")
	}
	if err == nil && config.DefaultRuntime == "" {
		err = o.set("runc", "default-runtime")
	}
	if err != nil {
		return File{}, fmt.Errorf("editing %q: %w", e.Config, err)
	}
	return File{Path: e.Config, Data: o.bytes(), Mode: 0o644}, nil
}

// Keep returns Docker's configuration for the time in which tracectl was uninstalled, but containers are left whose runtime is
// ours: what stood there before install (nil where there was no file), with that runtime still in it. The default one is
// named even if it was not before: dockerd keeps the one that it has until its configuration names another, or it is restarted. If flags
// may name one, it is not: dockerd would not start.
func (e Engine) Keep(h Host, before []byte, shim string) (File, error) {
	o, err := parseObject(before)
	var config daemonJSON
	if err == nil {
		err = o.decode(&config)
	}
	if err == nil {
		err = config.route(o, Request{Shim: shim})
	}
	if err == nil && config.DefaultRuntime == "" && e.conflicts(h) == nil {
		err = o.set("runc", "default-runtime")
	}
	if err != nil {
		return File{}, fmt.Errorf("keeping the runtime of containers in what was %q: %w", e.Config, err)
	}
	return File{Path: e.Config, Data: o.bytes(), Mode: 0o644}, nil
}
