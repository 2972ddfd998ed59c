// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

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

// Dependents returns the IDs of the engine's containers that need one of the paths, or the runtime that Edit added, for what is still to
// be done with them: running ones, and those of Docker's, Podman's and CRI-O's that may be started again. Containerd's are
// NAMESPACE/ID. They are sorted and fit to be shown. After an error, nothing is known: there may be some.
func (e Engine) Dependents(h Host, shims []string) ([]string, error) {
	ids, err := e.driver().dependents(h, e, shims)
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
