// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/runc-trace/runc-trace/pkg/terminal"
)

// runtimes are the runtimes of an engine.
type runtimes struct {
	name   string            // of the default runtime
	paths  map[string]string // programs by runtime, "" if none was found or the runtime has none
	types  map[string]string // types by runtime; only of runtimes that do not call runc or a compatible program
	driver string            // cgroup driver
	source string            // the command that reported them, "" if they come from files
}

// ErrNoAnswer is wrapped by errors about engines that can never be asked.
var ErrNoAnswer = errors.New("it cannot be asked")

// ErrNotRunc is wrapped by errors about a default runtime that does not call runc or a compatible program.
var ErrNotRunc = errors.New("which does not call runc")

// askTime limits one query of an engine's program.
const askTime = 20 * time.Second

// known returns the runtimes of an engine at its next start: as its program reports them, otherwise from its
// configuration.
func (e Engine) known(h Host, also ...string) (runtimes, error) {
	known, err := e.asked(h, also...)
	if err == nil {
		return known, nil
	}
	known, readErr := e.driver().configured(h, e)
	if readErr != nil && !errors.Is(readErr, ErrNoCRI) && !errors.Is(err, ErrNoAnswer) {
		readErr = fmt.Errorf("%w (running it: %w)", readErr, err)
	}
	return known, readErr
}

// asked returns the default runtime and the runtimes in also, as the engine's program reports them. The error is
// ErrNoAnswer if the program cannot be asked, and another one if it failed.
func (e Engine) asked(h Host, also ...string) (runtimes, error) {
	if h.Run == nil || e.Binary == "" || h.planned != nil {
		return runtimes{}, ErrNoAnswer
	}
	ctx, cancel := context.WithTimeout(context.Background(), askTime)
	defer cancel()
	return e.driver().asked(ctx, h, e, also)
}

// add adds a runtime. kind is "" if it calls runc or a compatible program.
func (r *runtimes) add(name, program, kind string) {
	if r.paths == nil {
		r.paths = make(map[string]string)
	}
	if r.types == nil {
		r.types = make(map[string]string)
	}
	delete(r.types, name)
	if r.paths[name] = program; kind != "" {
		r.paths[name], r.types[name] = "", kind
	}
}

// list returns the runtimes, sorted by name.
func (r runtimes) list() []Runtime {
	var all []Runtime
	for _, name := range slices.Sorted(maps.Keys(r.paths)) {
		all = append(all, Runtime{Name: name, Path: r.paths[name], Type: r.types[name]})
	}
	return all
}

// Names lists runtimes in words: "runtimes crun, kata (io.containerd.kata.v2)".
func Names(all []Runtime) string {
	names := make([]string, 0, len(all))
	for _, r := range all {
		name := terminal.String(r.Name)
		if r.Type != "" {
			name += " (" + terminal.String(r.Type) + ")"
		}
		names = append(names, name)
	}
	if len(names) == 1 {
		return "runtime " + names[0]
	}
	return "runtimes " + strings.Join(names, ", ")
}

// Confirm asks the engine's program whether the installed configuration does what was requested. It returns nil if the
// engine cannot be asked, or had already failed to answer before.
func (e Engine) Confirm(h Host, r Request) error {
	if e.rendersLater(h) {
		return nil
	}
	want := maps.Clone(r.Others)
	if want == nil {
		want = make(map[string]string)
	}
	also := slices.Sorted(maps.Keys(want))
	if !r.Default {
		also = append(also, addedRuntime)
	}
	known, err := e.asked(h, also...)
	switch {
	case errors.Is(err, ErrNoAnswer), err != nil && e.NoAnswer != "": // it did not answer before either
		return nil
	case err != nil:
		return fmt.Errorf("checking how %s reads its configuration: %w", e, err)
	case r.Default:
		want[known.name] = r.Shim
	default:
		want[addedRuntime] = r.Shim
	}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if got := known.paths[name]; got != want[name] {
			return fmt.Errorf("%s ignores the change: `%s` shows that its runtime %q calls %q, not %s", e,
				known.source, name, got, want[name])
		}
	}
	return nil
}

// RunsShim asks the running engine which of its runtimes call one of the shims. It returns false if it cannot be
// asked.
func (e Engine) RunsShim(ctx context.Context, h Host, shims []string) (use Use, asked bool, err error) {
	if h.API == nil {
		return use, false, nil
	}
	ctx, cancel := context.WithTimeout(ctx, tryTime)
	defer cancel()
	known, err := e.driver().running(ctx, h, e)
	if errors.Is(err, ErrNoAnswer) {
		return use, false, nil
	}
	if err != nil {
		return use, true, fmt.Errorf("asking %s for its runtimes: %w", e, err)
	}
	return known.uses(h, shims), true, nil
}

// Lacks reports whether the running engine does not offer a runtime of its configuration or flags. It returns false if
// the engine cannot be asked.
func (e Engine) Lacks(ctx context.Context, h Host) bool {
	if h.API == nil {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, tryTime)
	defer cancel()
	offered, err := e.driver().running(ctx, h, e)
	if err != nil {
		return false
	}
	wanted, err := e.driver().configured(h, e)
	return err == nil && slices.ContainsFunc(wanted.list(), func(r Runtime) bool {
		_, offers := offered.paths[r.Name]
		return r.Type != r.Name && !offers // a type needs no entry
	})
}
