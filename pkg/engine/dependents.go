// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/runc-trace/runc-trace/pkg/terminal"
)

// Use says what of an engine goes through the shim.
type Use struct {
	Default  bool     // its default runtime does
	Runtimes []string // names of all runtimes that do, sorted
}

// UsesShim says which of the engine's runtimes, as its configuration is now, call one of the paths.
func (e Engine) UsesShim(h Host, shims []string) (Use, error) {
	known, err := e.known(h)
	if errors.Is(err, ErrNoCRI) {
		return Use{}, nil
	}
	if err != nil {
		return Use{}, fmt.Errorf("reading the configuration of %s: %w", e, err)
	}
	var use Use
	for name, program := range known.paths {
		if slices.Contains(shims, program) {
			use.Runtimes = append(use.Runtimes, name)
		}
	}
	slices.Sort(use.Runtimes)
	use.Default = slices.Contains(use.Runtimes, known.name)
	return use, nil
}

// Dependents returns the IDs of the engine's containers that need one of the paths, or the runtime that Edit added, for what is still to
// be done with them: running ones, and those of Docker's, Podman's and CRI-O's that may be started again. Containerd's are
// NAMESPACE/ID. They are sorted and fit to be shown. After an error, nothing is known: there may be some.
func (e Engine) Dependents(h Host, shims []string) ([]string, error) {
	var (
		ids []string
		err error
	)
	switch e.Kind {
	case Containerd:
		ids, err = e.containerdDependents(h, shims)
	case Docker:
		ids, err = e.dockerDependents(h, shims)
	case CRIO:
		ids, err = crioDependents(h)
	case Podman:
		ids, err = e.podmanDependents(h, shims)
	}
	if err != nil {
		return nil, fmt.Errorf("looking for containers of %s that need the shim: %w", e, err)
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	for i, id := range ids {
		ids[i] = terminal.String(id)
	}
	return ids, nil
}

// tasks returns the IDs of containers whose containerd shim was told to call one of the paths: it keeps that in the bundle, and calls it
// for exec, kill and delete.
func tasks(h Host, state string, shims []string) ([]string, error) {
	var found []string
	for _, file := range h.glob(path.Join(state, "io.containerd.runtime.v2.task/*/*/runtime")) {
		program, err := h.read(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue // it ended meanwhile
		}
		if err != nil {
			return nil, err
		}
		if slices.Contains(shims, strings.TrimSpace(string(program))) {
			namespace, id := path.Base(path.Dir(path.Dir(file))), path.Base(path.Dir(file))
			found = append(found, namespace+"/"+id)
		}
	}
	return found, nil
}

func (e Engine) containerdDependents(h Host, shims []string) ([]string, error) {
	state := "/run/containerd"
	switch e.Variant {
	case "k3s", "rke2":
		state = "/run/k3s/containerd" // RKE2's, too
	}
	c, err := e.containerd(h)
	if err != nil && !errors.Is(err, ErrNoCRI) {
		return nil, err
	}
	for _, l := range c.layers {
		if dir, _ := l.doc.get(key{"state"}).(string); dir != "" {
			state = dir
		}
	}
	u, _, err := h.unit(e.Unit)
	if err != nil {
		return nil, err
	}
	if dir, ok := option(u.args(), "--state"); ok {
		state = dir
	}
	found, err := tasks(h, state, shims)
	// Docker's are named where Docker is asked.
	return slices.DeleteFunc(found, func(id string) bool { return strings.HasPrefix(id, "moby/") }), err
}

func (e Engine) dockerDependents(h Host, shims []string) ([]string, error) {
	_, config, err := e.docker(h)
	if err != nil {
		return nil, err
	}
	u, _, err := h.unit(e.Unit)
	if err != nil {
		return nil, err
	}
	data, exec := "/var/lib/docker", "/var/run/docker"
	for _, dir := range []string{config.DataRoot, lastOption(u.args(), "--data-root")} {
		if dir != "" {
			data = dir
		}
	}
	for _, dir := range []string{config.ExecRoot, lastOption(u.args(), "--exec-root")} {
		if dir != "" {
			exec = dir
		}
	}
	found := []string{}
	for _, file := range h.glob(path.Join(data, "containers/*/hostconfig.json")) {
		text, err := h.read(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		container, err := parseHostConfig(text)
		if err != nil {
			return nil, fmt.Errorf("parsing %q: %w", file, err)
		}
		if runtime := container.Runtime; runtime == addedRuntime || slices.Contains(shims, config.Runtimes[runtime].Path) {
			found = append(found, path.Base(path.Dir(file)))
		}
	}
	// Its containers are also tasks of the containerd that it uses, the host's or one of its own.
	for _, state := range []string{"/run/containerd", path.Join(exec, "containerd/daemon")} {
		running, err := tasks(h, state, shims)
		if err != nil {
			return nil, err
		}
		for _, id := range running {
			if id, ok := strings.CutPrefix(id, "moby/"); ok {
				found = append(found, id)
			}
		}
	}
	return found, nil
}

// crioDependents are the pods that were made for our handler, and their containers: CRI-O looks a pod's handler up by name for
// whatever it does with it. Those of the default handler are served by whatever program that has. conmon, which has
// our path from their start, does not call it again.
func crioDependents(h Host) ([]string, error) {
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

// podmanDependents asks podman, whose database is its own matter. It keeps the name of a container's runtime, and finds the
// program anew for every command, so that only who has our name, or a path, needs anything.
func (e Engine) podmanDependents(h Host, shims []string) ([]string, error) {
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
