// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"cmp"
	"errors"
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
	if err := errors.Join(config.keepFlagged(o), config.route(o, r)); err != nil {
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

// keepFlagged adds the runtimes of flags to daemon.json. dockerd merges both at its start, and both may have a runtime.
// But if daemon.json has runtimes when dockerd reloads it, dockerd forgets all others, and 20.10 crashes if one of them
// is its default runtime.
func (config daemonJSON) keepFlagged(o *object) error {
	for _, name := range config.flagged {
		if err := o.set(config.Runtimes[name], "runtimes", name); err != nil {
			return err
		}
	}
	return nil
}

// ReloadLoses returns the runtimes that a running Docker forgets when it reloads its configuration: see keepFlagged.
// Installing again keeps them. ReloadLoses returns none for other engines.
func (e Engine) ReloadLoses(h Host) []Runtime {
	if !e.KeepsDefault() {
		return nil
	}
	o, config, err := e.daemonJSON(h)
	if err != nil {
		return nil
	}
	if values, err := o.values(); err != nil || values["runtimes"] == nil {
		return nil
	}
	var lost []Runtime
	for _, name := range config.flagged {
		lost = append(lost, Runtime{Name: name, Path: config.Runtimes[name].program()})
	}
	return lost
}

// route adds our runtime, or corrects its path: it copies the default runtime and calls the shim. Docker reserves the
// name of its own runtime, so the shim always has a separate name.
func (config daemonJSON) route(o *object, r Request) error {
	name := cmp.Or(config.DefaultRuntime, config.flagDefault)
	if _, ok := config.Runtimes[addedRuntime]; ok {
		name = addedRuntime
	}
	if name == "" || slices.Contains(stockRuntimes, name) {
		return o.set(dockerRuntime{Path: r.Shim}, "runtimes", addedRuntime)
	}
	runtime, ok := config.runtime(name)
	if !ok {
		return fmt.Errorf("its default-runtime %q is not one of its runtimes", name)
	}
	if kind := runtime.foreign(); kind != "" {
		if r.Default {
			return fmt.Errorf("its default-runtime %q has type %q, %w: "+
				"choose a runtime that does, or install without --set-default", name, kind, ErrNotRunc)
		}
		return o.set(dockerRuntime{Path: r.Shim}, "runtimes", addedRuntime)
	}
	if name == addedRuntime {
		return config.reroute(o, name, r.Shim)
	}
	return o.set(runtime.through(r.Shim), "runtimes", addedRuntime)
}

// reroute makes an existing runtime call the shim.
func (config daemonJSON) reroute(o *object, name, shim string) error {
	switch runtime := config.Runtimes[name]; {
	case runtime.program() == shim:
		return nil
	case runtime.Path != "":
		return o.set(shim, "runtimes", name, "path")
	default:
		return o.set(shim, "runtimes", name, "options", "BinaryName")
	}
}

// through returns a copy of the runtime that calls the shim.
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

// conflicts returns an error if a flag of dockerd must not be in daemon.json as well, because dockerd would not start.
// Runtimes may be in both.
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
			return fmt.Errorf("%s passes %s to dockerd, which therefore rejects the same setting in %q: move it there, or install without --set-default and change the flag to %s", w.at, given, e.Config, addedRuntime)
		}
	}
	return nil
}

// Forget returns a configuration that makes a running Docker, when it reads it, forget runtimes that neither `now` nor
// a flag has. now is the current configuration, nil if there is no file. The result names runtimes and, unless a flag
// does, a default one, because Docker keeps its previous value if a key is missing.
func (e Engine) Forget(h Host, now []byte) (File, error) {
	o, config, err := e.parseDaemonJSON(h, now)
	if err == nil {
		err = config.keepFlagged(o)
	}
	if err == nil && config.Runtimes == nil {
		err = o.set(map[string]any{}, "runtimes")
	}
	if err == nil && config.DefaultRuntime == "" && e.conflicts(h) == nil {
		err = o.set("runc", defaultKey)
	}
	if err != nil {
		return File{}, fmt.Errorf("editing %q: %w", e.Config, err)
	}
	return File{Path: e.Config, Data: o.bytes(), Mode: 0o644}, nil
}

// LostDefault returns the default runtime in a text of daemon.json if nothing defines it, so that dockerd would not
// start. Otherwise it returns "".
func (e Engine) LostDefault(h Host, text []byte) string {
	_, config, err := e.parseDaemonJSON(h, text)
	if _, known := config.runtime(config.DefaultRuntime); known || err != nil {
		return ""
	}
	return config.DefaultRuntime
}

// Keep returns Docker's configuration for the time between an uninstall and the end of the last container that has our
// runtime: the configuration before install (nil if there was no file), with that runtime in it. It always names a
// default runtime that dockerd knows, because dockerd keeps the old one until its configuration names another, or until
// it is restarted. But if flags may name one, Keep does not, because dockerd would not start.
func (e Engine) Keep(h Host, before []byte, shim string) (File, error) {
	o, config, err := e.parseDaemonJSON(h, before)
	_, known := config.runtime(config.DefaultRuntime)
	if !known && err == nil {
		config.DefaultRuntime = ""
		err = o.remove(key{defaultKey})
	}
	if err == nil {
		err = errors.Join(config.keepFlagged(o), config.route(o, Request{Shim: shim}))
	}
	if !known && err == nil && e.conflicts(h) == nil {
		err = o.set("runc", defaultKey)
	}
	if err != nil {
		return File{}, fmt.Errorf("keeping the runtime of containers in %q: %w", e.Config, err)
	}
	return File{Path: e.Config, Data: o.bytes(), Mode: 0o644}, nil
}
