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

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/identity"
	"github.com/runc-trace/runc-trace/pkg/terminal"
)

// Use says what of an engine goes through the shim.
type Use struct {
	Default  bool     // its default runtime does
	Runtimes []string // names of all runtimes that do, sorted
}

// uses says which of the runtimes call one of the paths.
func (r runtimes) uses(shims []string) Use {
	var use Use
	for name, program := range r.paths {
		if slices.Contains(shims, program) {
			use.Runtimes = append(use.Runtimes, name)
		}
	}
	slices.Sort(use.Runtimes)
	use.Default = slices.Contains(use.Runtimes, r.name)
	return use
}

// UsesShim says which of the engine's runtimes call one of the paths if it starts now.
func (e Engine) UsesShim(h Host, shims []string) (Use, error) {
	known, err := e.known(h)
	if errors.Is(err, ErrNoCRI) {
		return Use{}, nil
	}
	if err != nil {
		return Use{}, fmt.Errorf("reading the configuration of %s: %w", e, err)
	}
	return known.uses(shims), nil
}

// Container is one of an engine's containers. Both texts are fit to be shown.
type Container struct {
	ID   string // as the engine has it; containerd's are NAMESPACE/ID
	Name string // namespace/pod/container, namespace/pod of a pod's sandbox, or the engine's own name; "" if it has none
}

// Dependents returns the engine's containers that need one of the paths, or the runtime that Edit added, for what is still to
// be done with them: running ones, and those of Docker's, Podman's and CRI-O's that may be started again. They are sorted
// by ID. After an error, nothing is known: there may be some.
func (e Engine) Dependents(h Host, shims []string) ([]Container, error) {
	found, err := e.driver().dependents(h, e, shims)
	if err != nil {
		return nil, fmt.Errorf("looking for containers of %s that need the shim: %w", e, err)
	}
	for i, c := range found {
		found[i] = Container{terminal.String(c.ID), terminal.String(c.Name)}
	}
	// Of those found twice, the one with a name comes first.
	slices.SortFunc(found, func(a, b Container) int { return cmp.Or(cmp.Compare(a.ID, b.ID), cmp.Compare(b.Name, a.Name)) })
	return slices.CompactFunc(found, func(a, b Container) bool { return a.ID == b.ID }), nil
}

// podName is what annotations of a container's configuration say of its name.
func podName(id, bundle string, annotations map[string]string) string {
	who := identity.Parse(id, annotations, bundle, identity.Rules{})
	return PodName(&who)
}

// PodName is the Name of a Container.
func PodName(who *abi.Who) string {
	var parts []string
	for _, field := range [][]byte{who.Namespace[:], who.Pod[:], who.Container[:]} {
		if part := identity.String(field); part != "" {
			parts = append(parts, part)
		}
	}
	return strings.Join(parts, "/")
}

// readAnnotations reads those of a container's configuration, which is config.json in its bundle. It returns nil if that cannot be read:
// it may just be written, or removed.
func (h Host) readAnnotations(file string) map[string]string {
	var spec struct {
		Annotations map[string]string `json:"annotations"`
	}
	text, err := h.read(file)
	if err != nil || json.Unmarshal(text, &spec) != nil {
		return nil
	}
	return spec.Annotations
}

// tasks returns the containers whose containerd shim was told to call one of the paths: it keeps that in the bundle, and calls it
// for exec, kill and delete.
func tasks(h Host, state string, shims []string) ([]Container, error) {
	var found []Container
	for _, file := range h.glob(path.Join(state, "io.containerd.runtime.v2.task/*/*/runtime")) {
		program, err := h.read(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue // it ended meanwhile
		}
		if err != nil {
			return nil, err
		}
		if slices.Contains(shims, strings.TrimSpace(string(program))) {
			bundle := path.Dir(file)
			id := path.Base(bundle)
			found = append(found, Container{path.Base(path.Dir(bundle)) + "/" + id, podName(id, bundle, h.readAnnotations(path.Join(bundle, "config.json")))})
		}
	}
	return found, nil
}
