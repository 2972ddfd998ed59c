// SPDX-License-Identifier: Apache-2.0

package installation

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/runc-trace/runc-trace/pkg/engine"
	"github.com/runc-trace/runc-trace/pkg/hostfile"
)

// Kept is a reason why some files were not removed.
type Kept struct {
	Engine     string             // the engine that needs them
	Paths      []string           // files that it needs
	Containers []engine.Container // containers made through the shim
	Own        []engine.Container // those of them that belong to the pod of this process
	Command    string             // command to run first, if there are no containers
	Mentions   []engine.Mention   // places that are not ours and make the engine need runc-trace
}

// keeps reports whether a file is kept for an engine.
func (u *uninstallation) keeps(r hostfile.Recorded) bool {
	return slices.ContainsFunc(u.report.Kept, func(k Kept) bool { return slices.Contains(k.Paths, r.Path) })
}

// mentions returns the places that are not ours and make an engine need runc-trace, also when its files are restored.
func (u *uninstallation) mentions(e engine.Engine) ([]engine.Mention, error) {
	undone, err := u.store.Outcome(forEngine(e), u.DiscardEdits)
	var left *hostfile.LeftError
	if errors.As(err, &left) {
		return nil, nil // release reports it
	}
	if err != nil {
		return nil, err
	}
	programs := u.paths(func(r hostfile.Recorded) bool { return r.For == forShim && path.Base(r.Path) == tracectlName })
	for _, shim := range u.shims {
		if !slices.Contains(programs, shim) {
			programs = append(programs, shim)
		}
	}
	return e.Mentions(u.Host.engine(), undone, programs), nil
}

// own returns those of the containers that belong to the pod of this process.
func (u *uninstallation) own(containers []engine.Container) []engine.Container {
	var own []engine.Container
	for _, c := range containers {
		id := path.Base(c.ID)
		if slices.ContainsFunc(u.Self, func(name string) bool {
			name = strings.TrimSuffix(name, ".scope")
			return name == id || strings.HasSuffix(name, "-"+id)
		}) {
			own = append(own, c)
		}
	}
	return own
}

// stale reports whether a running engine may still call the shim, regardless of its current configuration.
func (u *uninstallation) stale(ctx context.Context, e engine.Engine) bool {
	if !u.live() {
		return false
	}
	applied, marked := u.store.Marked(appliedMark + e.String())
	if !marked {
		return u.runsShim(ctx, e)
	}
	if started, running := u.Started(e); running && started.Before(applied) && !e.Rereads() {
		return u.runsShim(ctx, e) // it has never read the changed one, but may have had another
	}
	restored, marked := u.store.Marked(restoredMark + e.String())
	if !marked {
		restored = time.Now()
	}
	return u.Host.stale(ctx, e, restored, u.shims, func(use engine.Use) bool { return !use.Default })
}

// runsShim reports whether a running engine says that it calls the shim. Docker also lists runtimes that it no longer
// has in its files, so only its default counts.
func (u *uninstallation) runsShim(ctx context.Context, e engine.Engine) bool {
	if _, running := u.Started(e); !running {
		return false
	}
	use, asked, err := e.RunsShim(ctx, u.Host.engine(), u.shims)
	return err == nil && asked && (use.Default || len(use.Runtimes) > 0 && !e.KeepsDefault())
}

// interimFile returns Docker's configuration for as long as it has containers that need the shim, or uses our runtime
// as its default. Docker replaces its default only if its configuration names another one. Other engines need no such
// file.
func (u *uninstallation) interimFile(e engine.Engine) ([]hostfile.File, error) {
	if !e.KeepsDefault() {
		return nil, nil
	}
	before, recorded, err := u.store.Undone(e.Config, u.DiscardEdits)
	var left *hostfile.LeftError
	if errors.As(err, &left) {
		return nil, nil // release reports it
	}
	if err != nil || !recorded {
		return nil, err
	}
	if name := e.LostDefault(u.Host.engine(), before); name != "" {
		u.report.Notes = append(u.report.Notes, fmt.Sprintf("the restored %s has the default-runtime %q, "+
			"which nothing defines any more: %s does not start until you change that", e.Config, name, e))
	}
	for _, shim := range u.shims {
		// If the configuration cannot be read, Docker does not use it either.
		if use, err := e.UsesShim(u.Host.engine(), []string{shim}); err == nil && len(use.Runtimes) > 0 {
			f, err := e.Keep(u.Host.engine(), before, shim)
			return []hostfile.File{{Path: f.Path, Data: f.Data, Mode: f.Mode, For: e.String()}}, err
		}
	}
	return nil, nil
}

// keep lists the kept files in the report, by reason.
func (u *uninstallation) keep() {
	shim := u.paths(func(r hostfile.Recorded) bool { return r.For == forShim })
	for i := range u.report.Kept {
		k := &u.report.Kept[i]
		k.Paths = append(slices.Clone(shim), k.Paths...)
	}
}
