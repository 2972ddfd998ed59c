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

// Removal says how to uninstall.
type Removal struct {
	Restart        bool   // engines take their configuration at once
	RestartCommand string // by this command of the shell's, and not by systemd
	Force          bool   // what containers or engines still need is removed, too
	DiscardEdits   bool   // files that somebody edited are put back all the same
	DryRun         bool
}

// Uninstall puts back everything that Install changed: engines' files first, and what they called last. Where somebody edited
// a file since, it changes nothing and returns a *hostfile.EditedError. What containers need that were made through the shim is kept
// until they are gone, and what an engine may still call, until it has read its configuration: Report.Kept says so, and
// another Uninstall removes it then.
func (h Host) Uninstall(ctx context.Context, r Removal) (report Report, err error) {
	report.DryRun = r.DryRun
	store, err := h.open(r.DryRun)
	if err != nil {
		return report, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	if !r.DryRun {
		if err := forget(store); err != nil {
			return report, err
		}
	}
	recorded := store.Recorded()
	if len(recorded) == 0 {
		return report, nil
	}
	planned, err := store.PlanRestore(everything, r.DiscardEdits)
	if err != nil {
		return report, err
	}
	u := uninstallation{Host: h, Removal: r, store: store, shims: shims(recorded), planned: planned, report: &report}
	found, problem := engine.Detect(h.engine())
	for _, e := range found {
		if err := u.engine(ctx, e); err != nil {
			return report, err
		}
	}
	switch {
	case problem == nil:
	case u.unseen(found) && !r.Force:
		return report, fmt.Errorf("%w; what containers may need is kept: correct that and run it again, or use --force", problem)
	default:
		report.Notes = append(report.Notes, problem.Error())
	}
	if err := u.rest(ctx); err != nil {
		return report, err
	}
	if edited := path.Join(hostfile.StateDir, "edited"); h.exists(edited) {
		report.Edited = edited
	}
	return report, nil
}

// uninstallation is one run of Uninstall.
type uninstallation struct {
	Host
	Removal
	store   *hostfile.Store
	shims   []string
	planned []hostfile.Change // if nothing is kept
	interim []hostfile.Change // of files that are changed and not put back
	report  *Report
}

func everything(hostfile.Recorded) bool { return true }

func forEngine(e engine.Engine) func(hostfile.Recorded) bool {
	return func(r hostfile.Recorded) bool { return r.For == e.String() }
}

// unseen says whether an engine whose files were changed was not found, or not understood.
func (u *uninstallation) unseen(found []engine.Engine) bool {
	return slices.ContainsFunc(u.store.Recorded(), func(r hostfile.Recorded) bool {
		return r.For != forShim && r.For != forUnit && !slices.ContainsFunc(found, func(e engine.Engine) bool {
			return e.String() == r.For && e.Runtime.Name != ""
		})
	})
}

// engine puts an engine's files back, and finds out whether something has to be kept for it.
func (u *uninstallation) engine(ctx context.Context, e engine.Engine) error {
	_, changed := u.store.Marked(appliedMark + e.String())
	stale := u.stale(ctx, e)
	interim, err := u.interimFile(e)
	if err != nil {
		return err
	}
	changes, err := u.release(e, interim)
	if err != nil {
		return err
	}
	reloaded := false
	if stale && u.Restart {
		if reloaded, err = u.reload(ctx, e); err != nil {
			return err
		}
		stale = !reloaded
	}
	// Only now, when it makes no more of them.
	var containers []string
	if !u.Force {
		containers, err = e.Dependents(u.Host.engine(), u.shims)
		if err != nil && !changed {
			u.report.Notes = append(u.report.Notes, fmt.Sprintf("whether containers of %s need runc-trace is not known, but no file of it was changed: %v", e, err))
		} else if err != nil {
			return fmt.Errorf("%w; correct that and run it again, or use --force", err)
		}
	}
	if len(containers) > 0 || stale && !u.Force {
		kept := Kept{Engine: e.String(), Containers: containers, Own: u.own(containers)}
		if stale {
			kept.Command = u.reloadCommand(e)
		}
		for _, f := range interim {
			kept.Paths = append(kept.Paths, f.Path)
		}
		u.interim = append(u.interim, changes...)
		u.report.Kept = append(u.report.Kept, kept)
		return nil
	}
	if stale {
		u.report.Commands = append(u.report.Commands, u.reloadCommand(e))
	}
	if interim == nil {
		return nil
	}
	if err := u.restore(forEngine(e)); err != nil || !reloaded {
		return err
	}
	_, _, err = u.tell(ctx, e, u.RestartCommand)
	return err
}

// own are those of the containers that belong to the pod that this process runs in.
func (u *uninstallation) own(containers []string) []string {
	var own []string
	for _, container := range containers {
		id := path.Base(container)
		if slices.ContainsFunc(u.Self, func(name string) bool {
			name = strings.TrimSuffix(name, ".scope")
			return name == id || strings.HasSuffix(name, "-"+id)
		}) {
			own = append(own, container)
		}
	}
	return own
}

// stale says whether an engine runs that may still call the shim, whatever its configuration says now.
func (u *uninstallation) stale(ctx context.Context, e engine.Engine) bool {
	applied, marked := u.store.Marked(appliedMark + e.String())
	if !marked || !u.live() {
		return false
	}
	if started, running := u.Started(e.Binary); running && started.Before(applied) && !e.Rereads() {
		return false // it has never read the other one
	}
	restored, marked := u.store.Marked(restoredMark + e.String())
	if !marked {
		restored = time.Now()
	}
	return u.Host.stale(ctx, e, restored, u.shims, func(use engine.Use) bool { return !use.Default })
}

// interimFile is Docker's configuration as long as it has containers that need the shim, or has our runtime for its default
// one: it gives that up when its configuration names another, and not when it names none. Other engines need no such thing.
func (u *uninstallation) interimFile(e engine.Engine) ([]hostfile.File, error) {
	if !e.KeepsDefault() {
		return nil, nil
	}
	before, recorded, err := u.store.Original(e.Config)
	if err != nil || !recorded {
		return nil, err
	}
	for _, shim := range u.shims {
		// What cannot be read, nobody uses.
		if use, err := e.UsesShim(u.Host.engine(), []string{shim}); err == nil && len(use.Runtimes) > 0 {
			f, err := e.Keep(before, shim)
			return []hostfile.File{{Path: f.Path, Data: f.Data, Mode: f.Mode, For: e.String()}}, err
		}
	}
	return nil, nil
}

// release puts an engine's files back, or in the interim one, and tells what the latter changes.
func (u *uninstallation) release(e engine.Engine, interim []hostfile.File) ([]hostfile.Change, error) {
	if !slices.ContainsFunc(u.store.Recorded(), forEngine(e)) {
		return nil, nil
	}
	if _, marked := u.store.Marked(restoredMark + e.String()); !marked {
		u.store.Mark(restoredMark+e.String(), time.Now())
	}
	if interim == nil {
		return nil, u.restore(forEngine(e))
	}
	changes, err := u.store.Plan(interim)
	if err != nil || u.DryRun {
		return changes, err
	}
	if u.DiscardEdits { // keeps them
		if err := u.restore(forEngine(e)); err != nil {
			return nil, err
		}
	}
	if _, err := u.store.Apply(interim); err != nil {
		return nil, err
	}
	return changes, u.store.Commit()
}

func (u *uninstallation) restore(chosen func(hostfile.Recorded) bool) error {
	if u.DryRun {
		return nil
	}
	_, err := u.store.Restore(chosen, u.DiscardEdits)
	return err
}

// reload has an engine take its configuration, and says whether it has.
func (u *uninstallation) reload(ctx context.Context, e engine.Engine) (bool, error) {
	if u.DryRun {
		return true, nil
	}
	started := time.Now()
	done, what, err := u.tell(ctx, e, u.RestartCommand)
	if err == nil && done {
		u.report.Engines = append(u.report.Engines, Engine{Engine: e, Taken: what})
		err = u.works(ctx, e, func() bool { return u.stale(ctx, e) })
	}
	if err != nil {
		err = fmt.Errorf("%s has its configuration back, but: %w", e, err)
		if said := e.Complaints(ctx, u.Host.engine(), started); said != "" {
			err = fmt.Errorf("%w; it said: %s", err, said)
		}
	}
	return done, err
}

// rest puts back what is left but for what is to be kept.
func (u *uninstallation) rest(ctx context.Context) error {
	kept := make(map[string]bool)
	var shim []string
	for _, r := range u.store.Recorded() {
		if r.For == forShim && len(u.report.Kept) > 0 {
			kept[r.Path] = true
			shim = append(shim, r.Path)
		}
	}
	for i := range u.report.Kept {
		k := &u.report.Kept[i]
		for _, path := range k.Paths {
			kept[path] = true
		}
		k.Paths = append(slices.Clone(shim), k.Paths...)
	}
	u.report.Changes = u.interim
	for _, c := range u.planned {
		if !kept[c.Path] {
			u.report.Changes = append(u.report.Changes, c)
		}
	}
	if u.DryRun {
		return nil
	}
	if err := u.stop(ctx); err != nil {
		return err
	}
	if err := u.restore(func(r hostfile.Recorded) bool { return !kept[r.Path] }); err != nil {
		return err
	}
	if u.runsSystemd() {
		return u.systemctl(ctx, "daemon-reload")
	}
	return nil
}

// stop ends the tracing.
func (u *uninstallation) stop(ctx context.Context) error {
	if !u.live() {
		return nil
	}
	hasUnit := slices.ContainsFunc(u.store.Recorded(), func(r hostfile.Recorded) bool { return r.For == forUnit })
	if hasUnit && u.runsSystemd() {
		if err := u.systemctl(ctx, "stop", unitName); err != nil {
			return err
		}
	}
	var err error
	if u.report.Unloaded, err = u.Unload(); err != nil {
		return fmt.Errorf("unloading the programs: %w", err)
	}
	return nil
}
