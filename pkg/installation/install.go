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

	"github.com/runc-trace/runc-trace/pkg/config"
	"github.com/runc-trace/runc-trace/pkg/engine"
	"github.com/runc-trace/runc-trace/pkg/hostfile"
)

// Request describes what to install.
type Request struct {
	Kind           engine.Kind // "" for all engines found
	Default        bool        // route default runtimes through the shim; otherwise only add a runtime "runc-trace"
	All            bool        // also route all other runc-compatible runtimes; implies Default
	Restart        bool        // have the engines load their configuration at once
	RestartCommand string      // shell command that restarts an engine, instead of systemd
	Retry          bool        // try again even if engines did not work with this before
	Discard        bool        // if loaded programs cannot be replaced without deleting recordings, delete them
	DryRun         bool
	BinDir         string // directory for links to the shim, and for the programs unless a package provides them
	Executable     string // path of tracectl; the shim is beside it

	// Completion returns the script with which a shell (bash, zsh, fish) completes tracectl's arguments. If it is nil,
	// no scripts are installed.
	Completion func(shell string) ([]byte, error)
}

// Install installs everything or nothing. If an engine refuses its configuration or does not work with it, or if
// anything else fails, Install restores every file. It leaves files that are already installed as they are, and files
// that are no longer needed to Uninstall. Install remembers an attempt with which an engine did not work and does not
// repeat it: it returns the same error and changes nothing.
func (h Host) Install(ctx context.Context, r Request) (report Report, err error) {
	report.DryRun = r.DryRun
	if err := h.checkBinDir(r.BinDir); err != nil {
		return report, fmt.Errorf("directory for programs %q: %w", r.BinDir, err)
	}
	r.BinDir = path.Clean(r.BinDir)
	store, err := h.open(r.DryRun)
	if err != nil {
		return report, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	r.Default = r.Default || r.All
	p, err := h.plan(r, &report)
	if err != nil {
		return report, err
	}
	if err := nested(p.files); err != nil {
		return report, err
	}
	if report.Changes, err = store.Plan(p.files); err != nil {
		return report, err
	}
	report.Changes = withoutDiffs(report.Changes)
	others, err := foreign(store, p.files)
	if err != nil {
		return report, err
	}
	report.Notes = append(report.Notes, others...)
	report.Notes = append(report.Notes, replaced(store, report.Changes)...)
	if len(store.Recorded()) == 0 { // later, it may be running
		report.Notes = append(report.Notes, h.agentAdvice(report.Engines)...)
	}
	if r.DryRun {
		return report, h.foresee(ctx, r, store, &report)
	}
	if store.Noted(rejectedNote) == p.attempt && !r.Retry {
		return Report{}, errors.New(store.Noted(rejectionNote))
	}
	beside, err := h.loadBeside(r)
	if err != nil {
		return Report{}, err
	}
	installed := false
	defer func() {
		if beside != nil && !installed {
			err = errors.Join(err, beside.Undo())
		}
	}()
	if len(report.Changes) > 0 {
		store.Begin()
	}
	for _, e := range report.Engines {
		mark(store, report.Changes, e.Engine)
	}
	if _, err = store.Apply(p.files); err != nil {
		return Report{DryRun: r.DryRun}, undone(err)
	}
	if err := h.activate(ctx, p, beside, &report, store); err != nil {
		return Report{DryRun: r.DryRun}, err
	}
	if err := errors.Join(store.Commit(), forget(store)); err != nil {
		return report, err
	}
	if beside == nil {
		return report, nil
	}
	installed = true
	if err := beside.Finish(); err != nil {
		return report, fmt.Errorf("removing the programs of the other version: %w; run tracectl load to complete it", err)
	}
	return report, h.startUnit(ctx, Loaded{})
}

// foresee adds to the report what would be done besides changing files.
func (h Host) foresee(ctx context.Context, r Request, store *hostfile.Store, report *Report) error {
	if !h.live() {
		return nil
	}
	beside, err := h.loadBeside(r)
	if err != nil {
		return err
	}
	if beside != nil {
		report.load(beside.Loaded)
	} else if loaded, err := h.WouldLoad(); err == nil {
		report.load(loaded)
	} else {
		report.Notes = append(report.Notes, fmt.Sprintf("cannot tell whether the programs would be loaded: %v", err))
	}
	for _, e := range inOrder(report.Engines) {
		changed := slices.ContainsFunc(report.Changes, func(c hostfile.Change) bool { return c.For == e.String() })
		if _, running := h.Started(e.Engine); !running || !e.Daemon() || !changed && !h.behind(ctx, r, e, store) {
			continue
		}
		switch {
		case r.RestartCommand != "":
			e.Taken = r.RestartCommand
		case r.Restart && h.runsSystemd() && e.Unit != "":
			e.Taken = h.reloadCommand(e.Engine)
		default:
			report.Commands = append(report.Commands, h.reloadCommand(e.Engine))
		}
	}
	return nil
}

// loadBeside loads the programs beside loaded ones whose recordings they cannot keep, or returns nil.
func (h Host) loadBeside(r Request) (*Beside, error) {
	if !h.live() || h.Beside == nil {
		return nil, nil
	}
	return h.Beside(r.Discard, r.DryRun)
}

// load reports the result of loading the programs.
func (r *Report) load(l Loaded) {
	r.Loaded = &l
	if l.New {
		r.Notes = append(r.Notes, secretsNote)
	}
}

// mark notes when an engine's configuration was first and last changed. An engine that started before has not read it.
func mark(store *hostfile.Store, changes []hostfile.Change, e engine.Engine) {
	if !slices.ContainsFunc(changes, func(c hostfile.Change) bool { return c.For == e.String() }) {
		return
	}
	now := time.Now()
	_, applied := store.Marked(appliedMark + e.String())
	if _, restored := store.Marked(restoredMark + e.String()); restored || !applied {
		store.Mark(appliedMark+e.String(), now)
		store.Unmark(restoredMark + e.String())
	}
	store.Mark(changedMark+e.String(), now)
}

// Prefixes of an engine's marks in the journal.
const (
	appliedMark  = "applied "  // when its files were first changed
	changedMark  = "changed "  // when its files were last changed
	restoredMark = "restored " // when its files were first restored
)

// plan is the result of planning an installation.
type plan struct {
	request Request
	files   []hostfile.File
	attempt string // checksum of the attempt: if it differs from a failed one, this one may work
}

// plan finds the engines and computes all files.
func (h Host) plan(r Request, report *Report) (plan, error) {
	files, attempt, err := h.files(r, report)
	if err != nil {
		return plan{}, err
	}
	p := plan{r, files, attempt.sum(files)}
	dir, copied, err := h.programs(r.Executable, r.BinDir)
	if err != nil || !copied {
		return p, err
	}
	handy, notes, err := h.shellFiles(dir, r.Completion)
	report.Notes = append(report.Notes, notes...)
	firstOfEngine := slices.IndexFunc(files, func(f hostfile.File) bool { return f.For != forShim && f.For != forUnit })
	if firstOfEngine < 0 {
		firstOfEngine = len(files)
	}
	p.files = slices.Insert(slices.Clone(files), firstOfEngine, handy...)
	return p, err
}

func (h Host) files(r Request, report *Report) ([]hostfile.File, *attempt, error) {
	engines, err := h.engines(r.Kind, report)
	if err != nil {
		return nil, nil, err
	}
	text, err := h.readFile(config.DefaultPath)
	if err != nil {
		return nil, nil, fmt.Errorf("reading the configuration: %w", err)
	}
	now, err := config.Parse(string(text))
	if err != nil {
		return nil, nil, fmt.Errorf("%s is invalid, correct it first: %w", config.DefaultPath, err)
	}
	routes := newRoutes(now)
	routes.repair(h.exists)
	dir, _, err := h.programs(r.Executable, r.BinDir)
	if err != nil {
		return nil, nil, err
	}
	attempt, err := h.newAttempt(path.Join(dir, shimName), r.RestartCommand)
	if err != nil {
		return nil, nil, err
	}
	var names []string
	var engineFiles []hostfile.File
	stays := false // some default runtime stays routed
	for _, e := range engines {
		routed, ours, err := h.route(e, routes, r, dir)
		var edits []engine.File
		if err == nil {
			edits, err = e.Edit(attempt.watched(h.engine(), e), routed.request(r))
		}
		if r.Kind == "" && (errors.Is(err, engine.ErrNoCRI) || errors.Is(err, engine.ErrNotRunc)) {
			report.Notes = append(report.Notes,
				fmt.Sprintf("%s is left unchanged: %s", e, strings.TrimPrefix(err.Error(), fmt.Sprintf("configuring %s: ", e))))
			continue
		}
		if err != nil {
			return nil, nil, err
		}
		for _, f := range edits {
			engineFiles = append(engineFiles, hostfile.File{Path: f.Path, Data: f.Data, Mode: f.Mode, For: e.String()})
		}
		// A default runtime named runc-trace may be the user's choice, if it does not come from --set-default.
		if !r.Default && isShim(e.Runtime.Path) && (e.Runtime.Name != shimName || now.Adopt) {
			stays = true
			report.Notes = append(report.Notes, staysRouted(e))
		}
		for _, name := range ours {
			if !slices.Contains(names, name) { // engines share a runtime
				names = append(names, name)
			}
		}
		report.Engines = append(report.Engines, routed)
	}
	if len(report.Engines) == 0 {
		return nil, nil, fmt.Errorf("no configurable container engine was found (looked for %s): install one, or configure yours by hand to call %s%s",
			kinds(), path.Join(dir, shimName), reasons(report.Notes))
	}
	// Adopt the containers of a default runtime, but not those of an engine that only got a runtime.
	routes.config.Adopt = r.Default || stays && now.Adopt
	settings, err := routes.write(text)
	if err != nil {
		return nil, nil, err
	}
	files, err := h.ownFiles(r.Executable, r.BinDir, settings, names)
	if err != nil {
		return nil, nil, err
	}
	if !h.hasSystemd() && h.live() {
		report.Notes = append(report.Notes, `systemd was not found: run "tracectl load" at each boot, before the engines start`)
	}
	return append(files, engineFiles...), attempt, nil
}

// staysRouted tells a user who did not ask for it that an engine's default runtime still goes through the shim.
func staysRouted(e engine.Engine) string {
	return fmt.Sprintf("%s: its default runtime %s still goes through runc-trace: to trace only containers of the runtime runc-trace, uninstall first",
		e, e.Runtime.Name)
}

// secretsNote warns the user before recording begins.
const secretsNote = "recordings hold arguments and the first bytes of data read and written, including secrets: root can read them"
