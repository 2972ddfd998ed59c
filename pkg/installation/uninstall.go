// SPDX-License-Identifier: Apache-2.0

package installation

import (
	"cmp"
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
	Restart        bool   // have the engines load their configuration at once
	RestartCommand string // shell command that restarts an engine, instead of systemd
	Force          bool   // also remove files that containers or engines still need
	DiscardEdits   bool   // restore the original over files from which our part cannot be removed because of edits
	DryRun         bool
}

// Uninstall restores everything that Install changed: first the engines' files, then the files that the engines
// called. A file that was edited since keeps the edits and loses only Install's part. If that part cannot be removed
// from some file, Uninstall changes nothing and returns a *hostfile.EditedError.
//
// Files that existing containers need are kept until those containers are gone. Files that an engine may still call
// are kept until it has read its configuration. Report.Kept lists both, and another Uninstall removes them later. As
// long as any file is kept, the programs stay loaded, with all recordings.
//
// If no installation is recorded, but parts of one are on the host, Uninstall changes nothing and returns an error that
// lists them.
//
// If a file cannot be written, the others are still restored. The shim stays with that file, unless Force is set.
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
		return report, h.unrecorded()
	}
	var left *hostfile.LeftError
	if _, err := store.PlanRestore(everything, r.DiscardEdits); err != nil && !errors.As(err, &left) {
		return report, err
	}
	u := uninstallation{Host: h, Removal: r, store: store, shims: shims(recorded), report: &report}
	found, problem := engine.Detect(h.engine())
	for _, e := range found {
		if err := u.engine(ctx, e); err != nil {
			return report, err
		}
	}
	switch {
	case problem == nil:
	case u.unseen(found) && !r.Force:
		return report, fmt.Errorf("%w; files in use are kept: correct that and run it again, or use --force", problem)
	default:
		report.Notes = append(report.Notes, problem.Error())
	}
	// The remaining files of engines belong to engines that are gone.
	if err := u.restore(func(r hostfile.Recorded) bool { return !isOwn(r) && !u.keeps(r) }); err != nil {
		return report, err
	}
	if len(u.left.Files) > 0 && !r.Force {
		return report, u.unfinished()
	}
	if err := u.rest(ctx); err != nil {
		return report, err
	}
	u.unused()
	if edited := path.Join(hostfile.StateDir, "edited"); h.exists(edited) {
		report.Edited = edited
	}
	if len(u.left.Files) > 0 {
		return report, u.unfinished()
	}
	return report, nil
}

// uninstallation is one run of Uninstall.
type uninstallation struct {
	Host
	Removal
	store  *hostfile.Store
	shims  []string
	left   hostfile.LeftError
	report *Report
}

func (u *uninstallation) unfinished() error {
	others := "the files that they need are kept"
	if u.Force {
		others = "the others were removed"
	}
	return fmt.Errorf("%w; %s: correct that, and run tracectl uninstall again", &u.left, others)
}

func everything(hostfile.Recorded) bool { return true }

// isOwn reports whether a file belongs to no engine.
func isOwn(r hostfile.Recorded) bool {
	return r.For == forShim || r.For == forUnit || r.For == forUser
}

func forEngine(e engine.Engine) func(hostfile.Recorded) bool {
	return func(r hostfile.Recorded) bool { return r.For == e.String() }
}

// unseen reports whether some engine with changed files was not found.
func (u *uninstallation) unseen(found []engine.Engine) bool {
	return slices.ContainsFunc(u.store.Recorded(), func(r hostfile.Recorded) bool {
		return !isOwn(r) && !slices.ContainsFunc(found, func(e engine.Engine) bool {
			return e.String() == r.For
		})
	})
}

// engine restores an engine's files, and finds out whether files have to be kept for it.
func (u *uninstallation) engine(ctx context.Context, e engine.Engine) error {
	_, changed := u.store.Marked(appliedMark + e.String())
	stale := u.stale(ctx, e)
	interim, err := u.interimFile(e)
	if err != nil {
		return err
	}
	if mentions, err := u.mentions(e); err != nil {
		return err
	} else if len(mentions) > 0 && !u.Force {
		u.report.Kept = append(u.report.Kept, Kept{Engine: e.String(), Paths: u.paths(forEngine(e)), Mentions: mentions})
		return nil
	} else if len(mentions) > 0 {
		u.note("%s still needs runc-trace, and may not start containers without it: see %s", e, mentions[0].At)
	}
	if e.ByName() && !u.Force {
		containers, err := u.dependents(e, changed)
		if err != nil {
			return err
		}
		if len(containers) > 0 {
			u.report.Kept = append(u.report.Kept, Kept{Engine: e.String(), Paths: u.paths(forEngine(e)),
				Containers: containers, Own: u.own(containers)})
			return nil
		}
	}
	before := len(u.left.Files)
	changes, err := u.release(e, interim)
	if err != nil || len(u.left.Files) > before { // the engine still calls the shim: keep everything for it
		return err
	}
	reloaded := false
	if stale && u.Restart {
		if reloaded, err = u.reload(ctx, e); err != nil {
			return err
		}
		stale = !reloaded
	}
	// Look only now, after it has stopped making new ones.
	var containers []engine.Container
	if !u.Force {
		if containers, err = u.dependents(e, changed); err != nil {
			return err
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
		u.changed(changes)
		u.report.Kept = append(u.report.Kept, kept)
		return nil
	}
	if interim != nil {
		if err := u.restore(forEngine(e)); err != nil {
			return err
		}
	}
	if stale {
		u.report.Commands = append(u.report.Commands, u.reloadCommand(e))
	} else if changed {
		u.forget(ctx, e)
	}
	return nil
}

// dependents returns the engine's containers that need the shim. changed says whether we have changed files of the
// engine.
func (u *uninstallation) dependents(e engine.Engine, changed bool) ([]engine.Container, error) {
	containers, err := e.Dependents(u.Host.engine(), u.shims)
	if err != nil && !changed {
		u.note("cannot tell whether containers of %s need runc-trace, but none of its files was changed: %v", e, err)
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%w; correct that and run it again, or use --force", err)
	}
	return containers, nil
}

// note adds a note to the report, once.
func (u *uninstallation) note(format string, args ...any) {
	if text := fmt.Sprintf(format, args...); !slices.Contains(u.report.Notes, text) {
		u.report.Notes = append(u.report.Notes, text)
	}
}

// paths returns the paths of the chosen files.
func (u *uninstallation) paths(chosen func(hostfile.Recorded) bool) []string {
	var paths []string
	for _, r := range u.store.Recorded() {
		if chosen(r) {
			paths = append(paths, r.Path)
		}
	}
	return paths
}

// forget makes a running engine forget the removed runtime, or reports how to. A leftover runtime harms nothing, so a
// failure here is not an error.
func (u *uninstallation) forget(ctx context.Context, e engine.Engine) {
	if !u.differs(ctx, e, u.shims) || u.DryRun && u.Restart {
		return
	}
	if u.Restart {
		if err := u.forgetRuntime(ctx, e, u.store, u.shims, u.RestartCommand); err == nil {
			return
		}
	}
	if !u.offers(ctx, e, u.shims) {
		return
	}
	u.note("%s offers the removed runtime runc-trace until it is restarted: containers that request it do not start", e)
}

// release restores an engine's files, or writes the interim file, and returns the changes of the interim file.
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
	if u.DiscardEdits { // keeps a copy of the edits
		if err := u.restore(forEngine(e)); err != nil {
			return nil, err
		}
	}
	if _, err := u.store.Apply(interim); err != nil {
		u.left.Add(hostfile.Left{Path: interim[0].Path, Err: err})
		return nil, nil
	}
	return changes, u.store.Commit()
}

// restore restores the chosen files. It goes on past files that cannot be written.
func (u *uninstallation) restore(chosen func(hostfile.Recorded) bool) error {
	do := u.store.Restore
	if u.DryRun {
		do = u.store.PlanRestore
	}
	changes, err := do(chosen, u.DiscardEdits)
	u.changed(changes)
	var left *hostfile.LeftError
	if errors.As(err, &left) {
		u.left.Add(left.Files...)
		return nil
	}
	return err
}

// changed adds changes of files to the report.
func (u *uninstallation) changed(changes []hostfile.Change) {
	for _, c := range withoutDiffs(changes) {
		known := slices.ContainsFunc(u.report.Changes, func(r hostfile.Change) bool { return r.Path == c.Path })
		switch {
		case c.Action == hostfile.Leave && !u.exists(c.Path):
			u.note("%s was removed after the installation: it is not restored", c.Path)
		case c.Action == hostfile.Leave:
			u.note("%s was changed after the installation and no longer names runc-trace: it is left unchanged", c.Path)
		case !known:
			u.report.Changes = append(u.report.Changes, c)
		}
	}
}

// unused names an edited file that an engine reads only because of a drop-in of ours: a copy of a configuration that
// cannot be edited in place.
func (u *uninstallation) unused() {
	for _, c := range u.report.Changes {
		named := func(d hostfile.Change) bool {
			return d.For == c.For && d.Action == hostfile.Remove && strings.HasSuffix(path.Dir(d.Path), ".service.d")
		}
		if c.Edited && c.Action == hostfile.Replace && slices.ContainsFunc(u.report.Changes, named) {
			u.note("%s keeps its edits, but %s does not read it any more: move them, and delete it", c.Path, c.For)
		}
	}
}

// reload makes an engine load its configuration, and reports whether it has.
func (u *uninstallation) reload(ctx context.Context, e engine.Engine) (bool, error) {
	if u.DryRun {
		if u.RestartCommand == "" && (!u.runsSystemd() || e.Unit == "") {
			return false, nil
		}
		u.report.Engines = append(u.report.Engines, Engine{Engine: e, Taken: cmp.Or(u.RestartCommand, u.reloadCommand(e))})
		return true, nil
	}
	started := time.Now()
	done, what, err := u.tell(ctx, e, u.RestartCommand)
	if err == nil && done {
		u.report.Engines = append(u.report.Engines, Engine{Engine: e, Taken: what})
		err = u.works(ctx, e, func() bool { return u.stale(ctx, e) })
	}
	if err != nil {
		err = fmt.Errorf("%s has its configuration back, but does not use it: %w", e, err)
		if said := e.Complaints(ctx, u.Host.engine(), started); said != "" {
			err = fmt.Errorf("%w; it printed: %s", err, said)
		}
	}
	return done, err
}

// rest restores the remaining files and stops the tracing, unless some file is kept.
func (u *uninstallation) rest(ctx context.Context) error {
	if len(u.report.Kept) > 0 {
		u.keep()
		if u.DryRun || len(u.report.Changes) == 0 {
			return nil
		}
		return u.daemonReload(ctx)
	}
	if err := u.stop(ctx); err != nil {
		return err
	}
	if err := u.restore(everything); err != nil || u.DryRun {
		return err
	}
	return u.daemonReload(ctx)
}

// stop stops the tracing.
func (u *uninstallation) stop(ctx context.Context) error {
	if !u.live() {
		return nil
	}
	loaded, recordings, err := u.Recordings()
	if err != nil {
		u.note("cannot count the recordings: %v", err)
	}
	u.report.Unloaded, u.report.Recordings = loaded, recordings
	if u.DryRun {
		return nil
	}
	// The agent may have been enabled. The other unit is enabled by a link, which is restored.
	for _, command := range [][]string{{"disable", "--now", agentName}, {"stop", unitName}} {
		unit := command[len(command)-1]
		recorded := u.store.Recorded()
		at := slices.IndexFunc(recorded, func(r hostfile.Recorded) bool {
			return r.For == forUnit && path.Base(r.Path) == unit
		})
		if at < 0 || !u.runsSystemd() {
			continue
		}
		err := u.systemctl(ctx, command...)
		if text, readErr := u.readFile(recorded[at].Path); err != nil && text == nil && readErr == nil {
			// Somebody removed the unit's file, so systemd cannot disable it. The unit may still run.
			_ = u.systemctl(ctx, "stop", unit)
			continue
		}
		if err != nil {
			return err
		}
	}
	if u.report.Unloaded, err = u.Unload(); err != nil {
		return fmt.Errorf("unloading the programs: %w", err)
	}
	return nil
}
