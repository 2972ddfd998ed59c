// SPDX-License-Identifier: Apache-2.0

package installation

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
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
	Default        bool        // route default runtimes through the shim; otherwise add a runtime "runc-trace"
	All            bool        // also route all other runc-compatible runtimes; implies Default
	Restart        bool        // have the engines load their configuration at once
	RestartCommand string      // shell command that restarts an engine, instead of systemd
	Retry          bool        // try again even if engines did not work with this before
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
	if err := CheckBinDir(r.BinDir); err != nil {
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
	if len(report.Changes) > 0 {
		report.Notes = append(report.Notes, h.agentAdvice(report.Engines)...)
	}
	if r.DryRun {
		h.foresee(ctx, r, store, &report)
		return report, nil
	}
	if store.Noted(rejectedNote) == p.attempt && !r.Retry {
		return Report{}, errors.New(store.Noted(rejectionNote))
	}
	if len(report.Changes) > 0 {
		store.Begin()
	}
	for _, e := range report.Engines {
		mark(store, report.Changes, e.Engine)
	}
	if _, err = store.Apply(p.files); err != nil {
		return Report{DryRun: r.DryRun}, undone(err)
	}
	if err := h.activate(ctx, p, &report, store); err != nil {
		return Report{DryRun: r.DryRun}, err
	}
	if err := errors.Join(store.Commit(), forget(store)); err != nil {
		return report, err
	}
	return report, nil
}

// foresee adds to the report what would be done besides changing files.
func (h Host) foresee(ctx context.Context, r Request, store *hostfile.Store, report *Report) {
	if !h.live() {
		return
	}
	if loaded, err := h.WouldLoad(); err == nil {
		report.load(loaded)
	} else {
		report.Notes = append(report.Notes, fmt.Sprintf("cannot tell whether the programs would be loaded: %v", err))
	}
	for _, e := range inOrder(report.Engines) {
		changed := slices.ContainsFunc(report.Changes, func(c hostfile.Change) bool { return c.For == e.String() })
		if _, running := h.Started(e.Binary); !running || !e.Daemon() || !changed && !h.waits(ctx, r, e, store) {
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
	routes := newRoutes(now, r.Default)
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
	for _, e := range engines {
		routed, ours, err := h.route(e, routes, r, dir)
		if err != nil {
			return nil, nil, err
		}
		edits, err := e.Edit(attempt.watched(h.engine(), e), routed.request(r))
		if r.Kind == "" && (errors.Is(err, engine.ErrNoCRI) || errors.Is(err, engine.ErrNotRunc)) {
			report.Notes = append(report.Notes, fmt.Sprintf("%s is left unchanged: %s", e, strings.TrimPrefix(err.Error(), fmt.Sprintf("configuring %s: ", e))))
			continue
		}
		if err != nil {
			return nil, nil, err
		}
		for _, f := range edits {
			engineFiles = append(engineFiles, hostfile.File{Path: f.Path, Data: f.Data, Mode: f.Mode, For: e.String()})
		}
		names = append(names, ours...)
		report.Engines = append(report.Engines, routed)
	}
	if len(report.Engines) == 0 {
		return nil, nil, fmt.Errorf("no configurable container engine was found (looked for %s): install one, or configure yours by hand to call %s%s",
			kinds(), path.Join(dir, shimName), reasons(report.Notes))
	}
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

// secretsNote warns the user before recording begins.
const secretsNote = "recordings hold arguments and the first bytes of data read and written, including secrets: root can read them"

// agentAdvice says what the agent is for and how to start it. In a pod, the DaemonSet runs one already.
func (h Host) agentAdvice(engines []Engine) []string {
	forPods := func(e Engine) bool { return e.RuntimeClass() != "" }
	if !h.live() || len(h.Self) > 0 || !slices.ContainsFunc(engines, forPods) {
		return nil
	}
	how := "systemctl enable --now " + strings.TrimSuffix(agentName, ".service")
	if !h.hasSystemd() {
		how = "keep tracectl agent running"
	}
	return []string{"the agent is not running; it adds metrics and pod labels from the API server: " + how}
}

func reasons(notes []string) string {
	if len(notes) == 0 {
		return ""
	}
	return "; " + strings.Join(notes, "; ")
}

func kinds() string {
	var names []string
	for _, k := range engine.Kinds {
		names = append(names, string(k))
	}
	return strings.Join(names, ", ")
}

// engines returns the engines to install for. If the user did not ask for an engine by name and it cannot be
// configured, engines leaves it out.
func (h Host) engines(kind engine.Kind, report *Report) ([]engine.Engine, error) {
	var kinds []engine.Kind
	if kind != "" {
		kinds = append(kinds, kind)
	}
	found, problem := engine.Detect(h.engine(), kinds...)
	unhandled := engine.Unhandled(h.engine(), kinds...)
	report.Notes = append(report.Notes, unhandled...)
	var engines []engine.Engine
	for _, e := range found {
		switch {
		case kind == "" && e.Binary == "":
			report.Notes = append(report.Notes, fmt.Sprintf("%s is left unchanged: its configuration exists, but its program does not", e))
		default:
			engines = append(engines, e)
		}
	}
	for _, e := range engines {
		if e.Runtime.Name == "" && problem != nil {
			return nil, problem
		}
	}
	if kind != "" && len(engines) == 0 {
		missing := fmt.Errorf("%s was not found: it has no program, unit or configuration%s", kind, reasons(unhandled))
		return nil, errors.Join(missing, problem)
	}
	if kind == "" && problem != nil {
		return nil, problem
	}
	return engines, nil
}

// route determines the paths by which an engine will call the shim, and their NAMEs.
func (h Host) route(e engine.Engine, routes *routes, r Request, dir string) (Engine, []string, error) {
	routed := Engine{Engine: e, Shim: path.Join(dir, shimName), Others: make(map[string]string)}
	if e.Runtime == (engine.Runtime{}) || r.Default && e.Runtime.Type != "" { // Edit reports the problem
		return routed, nil, nil
	}
	var names []string
	link := func(runtime engine.Runtime) (shim, real string, err error) {
		name, real, err := h.name(e, runtime, routes, dir)
		if name == "" {
			return path.Join(dir, shimName), real, err
		}
		names = append(names, name)
		return path.Join(r.BinDir, linkPrefix+name), real, err
	}
	var err error
	if routed.Shim, routed.Real, err = link(e.Base(r.Default)); err != nil {
		return routed, nil, err
	}
	possible, impossible := e.Others()
	if r.Default { // otherwise only the added runtime is traced
		routed.Left = impossible
	}
	for _, other := range possible {
		if !r.All && !isShim(other.Path) {
			if r.Default {
				routed.Left = append(routed.Left, other)
			}
			continue
		}
		if routed.Others[other.Name], _, err = link(other); err != nil {
			return routed, nil, err
		}
	}
	return routed, names, nil
}

// Untraced describes the runtimes that are left as they are, "" if there are none.
func (e Engine) Untraced() string {
	if len(e.Left) == 0 {
		return ""
	}
	return fmt.Sprintf("not traced: containers of its %s%s", engine.Names(e.Left), e.remedy())
}

// remedy says how to have them traced, if that is possible.
func (e Engine) remedy() string {
	possible, _ := e.Engine.Others()
	if !slices.ContainsFunc(e.Left, func(r engine.Runtime) bool { return slices.Contains(possible, r) }) {
		return ""
	}
	return " (--all-runtimes also routes the runc-compatible ones)"
}

// request returns the request for an engine's configuration.
func (e Engine) request(r Request) engine.Request {
	return engine.Request{Shim: e.Shim, Default: r.Default, Others: e.Others}
}

// name returns the NAME for a runtime of an engine, "" for the shim's own name, and the program behind it.
func (h Host) name(e engine.Engine, r engine.Runtime, routes *routes, dir string) (name, real string, err error) {
	switch {
	case isShim(r.Path): // left by an earlier installation
		name = strings.TrimPrefix(strings.TrimPrefix(path.Base(r.Path), shimName), "-")
		runtime := routes.config.RuntimeFor(name)
		real = strings.Join(runtime, ", ")
		if !slices.ContainsFunc(runtime.Candidates(""), h.exists) {
			const gone = "%s calls %s, but the program behind it, %s, does not exist: install it, or set its path in %s"
			return "", real, fmt.Errorf(gone, e, r.Path, real, config.DefaultPath)
		}
		return name, real, nil
	case r.Path == "" || !h.exists(r.Path):
		return "", r.Path, fmt.Errorf("%s has the runtime %q, but its program%s does not exist: install it, or correct the engine's configuration",
			e, r.Name, strings.TrimSuffix(" "+r.Path, " "))
	case h.sameFile(r.Path, path.Join(dir, shimName)):
		return "", r.Path, fmt.Errorf("%s has the runtime %q, which is runc-trace itself (%s): configure the real runtime there", e, r.Name, r.Path)
	}
	return routes.name(e, r.Path), r.Path, nil
}

func (h Host) sameFile(a, b string) bool {
	first, err := h.stat(a)
	if err != nil {
		return false
	}
	second, err := h.stat(b)
	return err == nil && os.SameFile(first, second)
}

// activate has the engines check the new files, loads the programs, and then has the engines load their configuration.
// If anything fails, it restores everything. Once an engine was told to load its configuration, activate ignores the
// cancellation of ctx.
func (h Host) activate(ctx context.Context, p plan, report *Report, store *hostfile.Store) error {
	if !h.live() {
		return nil
	}
	going := context.WithoutCancel(ctx)
	for _, e := range report.Engines {
		if err := e.Check(ctx, h.engine()); err != nil {
			return undone(err, store.Rollback())
		}
		if err := e.Confirm(h.engine(), e.request(p.request)); err != nil {
			return undone(err, store.Rollback())
		}
		if err := h.runsShim(ctx, e); err != nil {
			return undone(err, store.Rollback())
		}
	}
	if err := ctx.Err(); err != nil {
		return undone(err, store.Rollback())
	}
	loaded, err := h.Load()
	if err != nil {
		return undone(fmt.Errorf("loading the programs: %w", err), store.Rollback())
	}
	report.load(loaded)
	if err := h.startUnit(ctx, loaded); err != nil {
		return undone(err, store.Rollback(), h.daemonReload(going), h.unload(loaded))
	}
	var told []*Engine
	for _, e := range inOrder(report.Engines) {
		started := time.Now()
		was, err := h.reload(going, p.request, e, store, report)
		if was {
			told = append(told, e)
		}
		if err == nil {
			continue
		}
		if said := e.Complaints(going, h.engine(), started); said != "" {
			err = fmt.Errorf("%w; it printed: %s", err, said)
		}
		return h.takeBack(going, p, err, told, loaded, store, report)
	}
	return nil
}

// inOrder returns the engines in the order in which to reload them. Engines that cannot undo everything come last.
func inOrder(engines []Engine) []*Engine {
	var order []*Engine
	for i := range engines {
		order = append(order, &engines[i])
	}
	slices.SortStableFunc(order, func(a, b *Engine) int {
		rank := map[bool]int{true: 1}
		return cmp.Compare(rank[a.KeepsDefault()], rank[b.KeepsDefault()])
	})
	return order
}

// undone adds to an error the problems with undoing the rest.
func undone(err error, problems ...error) error {
	if problem := errors.Join(problems...); problem != nil {
		err = fmt.Errorf("%w; restoring everything failed, too: %w", err, problem)
	}
	var left *hostfile.LeftError
	switch {
	case errors.As(err, &left):
		return fmt.Errorf("%w; those files stay installed, with what they need: correct that, and run tracectl uninstall", err)
	case errors.Join(problems...) != nil:
		return err
	}
	return fmt.Errorf("%w; everything was put back", err)
}

func (h Host) startUnit(ctx context.Context, loaded Loaded) error {
	if !h.runsSystemd() {
		return nil
	}
	if err := h.systemctl(ctx, "daemon-reload"); err != nil || loaded.Note != "" {
		return err // the programs that would be loaded now differ from the loaded ones
	}
	return h.systemctl(ctx, "start", unitName)
}

func (h Host) daemonReload(ctx context.Context) error {
	if !h.runsSystemd() {
		return nil
	}
	return h.systemctl(ctx, "daemon-reload")
}

// unload unloads the programs that this installation loaded.
func (h Host) unload(loaded Loaded) error {
	if !loaded.New {
		return nil
	}
	_, err := h.Unload()
	return err
}
