// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/identity"
	"github.com/runc-trace/runc-trace/pkg/terminal"
)

// Use says which runtimes of an engine go through the shim.
type Use struct {
	Default  bool     // the default runtime does
	Runtimes []string // names of all such runtimes, sorted
}

// uses returns which of the runtimes call one of the paths, directly or through a link or a script.
func (r runtimes) uses(h Host, shims []string) Use {
	var use Use
	for name, program := range r.paths {
		if h.calls(program, shims) {
			use.Runtimes = append(use.Runtimes, name)
		}
	}
	slices.Sort(use.Runtimes)
	use.Default = slices.Contains(use.Runtimes, r.name)
	return use
}

// UsesShim returns which of the engine's runtimes will call one of the paths at the engine's next start.
func (e Engine) UsesShim(h Host, shims []string) (Use, error) {
	known, err := e.known(h)
	if errors.Is(err, ErrNoCRI) {
		return Use{}, nil
	}
	if err != nil {
		return Use{}, fmt.Errorf("reading the configuration of %s: %w", e, err)
	}
	return known.uses(h, shims), nil
}

// Container is a container of an engine. Both strings are escaped for a terminal.
type Container struct {
	ID   string // the engine's ID; NAMESPACE/ID for containerd
	Name string // namespace/pod/container, namespace/pod of a pod's sandbox, or the engine's own name; "" if it has none
}

// Dependents returns the engine's containers that still need one of the paths, or the runtime that Edit added: running
// containers, and stopped ones of Docker, Podman and CRI-O that may be started again. They are sorted by ID. If it
// returns an error, there may be any number of them.
func (e Engine) Dependents(h Host, shims []string) ([]Container, error) {
	found, err := e.driver().dependents(h, e, shims)
	if err != nil {
		return nil, fmt.Errorf("finding containers of %s that need the shim: %w", e, err)
	}
	for i, c := range found {
		found[i] = Container{terminal.String(c.ID), terminal.String(c.Name)}
	}
	// Prefer the duplicate that has a name.
	slices.SortFunc(found, func(a, b Container) int {
		return cmp.Or(cmp.Compare(a.ID, b.ID), cmp.Compare(b.Name, a.Name))
	})
	return slices.CompactFunc(found, func(a, b Container) bool { return a.ID == b.ID }), nil
}

// podName returns a container's name from the annotations of its configuration.
func podName(id, bundle string, annotations map[string]string) string {
	who := identity.Parse(id, annotations, bundle, identity.Rules{})
	return PodName(&who)
}

// PodName returns the Name of a Container.
func PodName(who *abi.Who) string {
	var parts []string
	for _, field := range [][]byte{who.Namespace[:], who.Pod[:], who.Container[:]} {
		if part := identity.String(field); part != "" {
			parts = append(parts, part)
		}
	}
	return strings.Join(parts, "/")
}

// readAnnotations returns the annotations of a container's config.json. It returns nil if the file cannot be read,
// because it may be removed or still being written.
func (h Host) readAnnotations(file string) map[string]string {
	var spec specs.Spec
	text, err := h.read(file)
	if err != nil || json.Unmarshal(text, &spec) != nil {
		return nil
	}
	return spec.Annotations
}

// tasks returns the containers whose containerd shim was started with one of the paths. That shim keeps the path in
// the bundle, and calls it for exec, kill and delete.
func tasks(h Host, state string, shims []string) ([]Container, error) {
	var found []Container
	for _, file := range h.glob(path.Join(state, "io.containerd.runtime.v2.task/*/*/runtime")) {
		program, err := h.read(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue // it has ended
		}
		if err != nil {
			return nil, err
		}
		if h.calls(strings.TrimSpace(string(program)), shims) {
			bundle := path.Dir(file)
			id := path.Base(bundle)
			found = append(found, Container{
				path.Base(path.Dir(bundle)) + "/" + id, podName(id, bundle, h.readAnnotations(path.Join(bundle, "config.json"))),
			})
		}
	}
	return found, nil
}
