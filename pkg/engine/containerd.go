// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
)

// containerd is the driver of containerd, including those of k3s, RKE2 and torcx.
type containerd struct{}

func (containerd) kind() Kind { return Containerd }

func (containerd) detect(h Host) ([]Engine, error) {
	e, found, err := installed{[]string{"containerd.service"}, goFlags("config", "c"), containerdConfig,
		false}.find(h, Containerd)
	// If only dockerd starts a containerd, it belongs to Docker.
	if e.Unit == "" && !h.exists(e.Config) && h.program("dockerd", programDirs) != "" {
		found = nil
	}
	more, embeddedErr := detectEmbedded(h)
	if err != nil {
		err = &DetectError{string(Containerd), err}
	}
	return append(found, more...), errors.Join(err, embeddedErr)
}

func (containerd) traits() traits { return traits{program: "containerd", verb: "restart", class: true} }

func (containerd) configured(h Host, e Engine) (runtimes, error) {
	c, err := e.containerdFiles(h)
	if err == nil {
		err = c.mixed
	}
	if err != nil {
		return runtimes{}, err
	}
	known, err := e.containerdRuntimes(h, c.cri)
	if _, ok := known.paths["runc"]; err == nil && !ok && c.merges {
		ours, err := e.containerdRuntimes(h, nil)
		known.paths["runc"] = ours.paths["runc"] // containerd's built-in entry
		return known, err
	}
	return known, err
}

// containerdRuntimes returns the runtimes of a section, and looks up their programs.
func (e Engine) containerdRuntimes(h Host, cri map[string]any) (runtimes, error) {
	dirs := e.searchPath(h)
	return containerdRuntimes(cri, func(program string) string { return h.program(program, dirs) })
}

func (containerd) asked(ctx context.Context, h Host, e Engine, _ []string) (runtimes, error) {
	cri, err := e.dump(ctx, h)
	if err != nil {
		return runtimes{}, err
	}
	// The dump does not show that the plugin is disabled.
	if c, err := e.containerdFiles(h); errors.Is(err, ErrNoCRI) || err == nil && len(c.layers) == 0 && len(cri) == 0 {
		return runtimes{}, ErrNoAnswer
	}
	known, err := e.containerdRuntimes(h, cri)
	known.source = "containerd config " + e.dumpVerb()
	return known, err
}

// running returns the result of `crictl info`.
func (d containerd) running(ctx context.Context, h Host, e Engine) (runtimes, error) {
	socket, err := d.socket(h, e)
	if err != nil {
		return runtimes{}, err
	}
	if socket == "" {
		return runtimes{}, ErrNoAnswer
	}
	info, err := h.API.Status(ctx, socket)
	if err != nil {
		return runtimes{}, err
	}
	var config struct {
		Containerd struct {
			DefaultRuntimeName string
			Runtimes           map[string]struct {
				RuntimeType string
				Options     map[string]any
			}
		}
	}
	if err := json.Unmarshal([]byte(info["config"]), &config); err != nil || len(config.Containerd.Runtimes) == 0 {
		return runtimes{}, ErrNoAnswer // another version has another format
	}
	known := runtimes{name: config.Containerd.DefaultRuntimeName, source: "crictl info"}
	for name, entry := range config.Containerd.Runtimes {
		binary, _ := entry.Options["BinaryName"].(string)
		kind := entry.RuntimeType
		if kind == runcType {
			kind = ""
		}
		known.add(name, binary, kind)
	}
	return known, nil
}

func (containerd) decides(h Host, e Engine, runtime string) place {
	c, _ := e.containerdFiles(h)
	for _, l := range slices.Backward(c.layers) {
		entry := slices.Concat(l.section(), key{"runtimes", runtime})
		if at, ok := l.doc.placeOf(l.path, []key{slices.Concat(entry, key{"options", "BinaryName"}), entry}); ok {
			return at
		}
	}
	return place{}
}

func (containerd) check(h Host, e Engine) (string, []string, error) {
	config, err := e.configInUse(h)
	return e.Binary, []string{"--config", config, "config", e.dumpVerb()}, err
}

// configInUse returns the file that the unit names now. Edit may have returned a unit that names another.
func (e Engine) configInUse(h Host) (string, error) {
	c, err := e.command(h)
	if err != nil || e.embedded() {
		return e.Config, err
	}
	if config, ok := option(c.args(), goFlags("config", "c")...); ok {
		return config, nil
	}
	return e.Config, nil
}

func (containerd) socket(h Host, e Engine) (string, error) {
	command, err := e.command(h)
	if err != nil {
		return "", err
	}
	args := command.args()
	socket := "/run/containerd/containerd.sock"
	if e.embedded() {
		return "/run/k3s/containerd/containerd.sock", nil
	}
	if config, err := e.configInUse(h); err == nil {
		e.Config = config
	}
	c, err := e.containerdFiles(h)
	if errors.Is(err, ErrNoCRI) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	for _, l := range c.layers {
		for _, k := range []key{{"grpc", "address"}, {"plugins", "io.containerd.server.v1.grpc", "address"}} {
			if address, _ := l.doc.get(k).(string); address != "" {
				socket = address
			}
		}
	}
	flag, _ := option(args, goFlags("address", "a")...)
	return first(flag, socket), nil
}

func (containerd) ask(ctx context.Context, socket string) error { return askCRI(ctx, socket) }

func (containerd) dependents(h Host, e Engine, shims []string) ([]Container, error) {
	state := "/run/containerd"
	if e.embedded() {
		state = "/run/k3s/containerd" // also for RKE2
	}
	c, err := e.containerdFiles(h)
	if err != nil && !errors.Is(err, ErrNoCRI) {
		return nil, err
	}
	for _, l := range c.layers {
		if dir, _ := l.doc.get(key{"state"}).(string); dir != "" {
			state = dir
		}
	}
	command, err := e.command(h)
	if err != nil {
		return nil, err
	}
	if dir, ok := option(command.args(), goFlags("state")...); ok {
		state = dir
	}
	found, err := tasks(h, state, shims)
	// Docker's driver reports Docker's own containers.
	return slices.DeleteFunc(found, func(c Container) bool { return strings.HasPrefix(c.ID, "moby/") }), err
}
