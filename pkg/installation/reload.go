// SPDX-License-Identifier: Apache-2.0

package installation

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/runc-trace/runc-trace/pkg/engine"
	"github.com/runc-trace/runc-trace/pkg/hostfile"
)

// tellTime limits the command that makes an engine load its configuration. shimTime limits how long the shim may take
// to print its version.
const (
	tellTime = 3 * time.Minute
	shimTime = 20 * time.Second
)

// jitter is the largest difference between two readings of the start time of one process.
const jitter = 100 * time.Millisecond

// errOld says that an engine still uses its previous configuration.
var errOld = errors.New("it still runs with its previous configuration")

// runsShim has the real runtime print its version through the path by which the engine will call the shim.
func (h Host) runsShim(ctx context.Context, e Engine) error {
	if e.Runtime == (engine.Runtime{}) {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, shimTime)
	defer cancel()
	said, err := h.Run(ctx, e.Shim, "--version")
	if err == nil && strings.TrimSpace(string(said)) == "" {
		err = errors.New("it printed nothing")
	}
	if err != nil {
		return fmt.Errorf("running %s --version, which calls %s: %w", e.Shim, e.Real, err)
	}
	return nil
}

// reload makes an engine load its configuration and waits until it works, or reports the command for it. It returns
// whether the engine was told.
func (h Host) reload(ctx context.Context, r Request, e *Engine, store *hostfile.Store, report *Report) (bool, error) {
	if e.Daemon() && e.Binary == "" && h.live() {
		// We cannot tell whether the engine runs.
		report.Commands = append(report.Commands, h.reloadCommand(e.Engine))
		return false, nil
	}
	if !h.behind(ctx, r, e, store) {
		return false, nil
	}
	if !r.Restart {
		report.Commands = append(report.Commands, h.reloadCommand(e.Engine))
		return false, nil
	}
	done, what, err := h.tell(ctx, e.Engine, r.RestartCommand)
	switch {
	case err != nil:
		return true, fmt.Errorf("%s did not load its new configuration: %w", e, err)
	case !done:
		report.Commands = append(report.Commands, what)
		return false, nil
	}
	e.Taken = what
	stale := func() bool { return h.waits(ctx, r, e, store) }
	obeying := h
	obeying.Answers = func(ctx context.Context, _ engine.Engine) error {
		if err := h.Answers(ctx, e.Engine); err != nil {
			return err
		}
		return h.obeys(ctx, e, r)
	}
	if err := obeying.works(ctx, e.Engine, stale); err != nil {
		return true, fmt.Errorf("%s does not work with its new configuration: %w", e, err)
	}
	return true, nil
}

// met reports whether an engine that uses the shim in this way fulfils the request.
func (r Request) met(use engine.Use) bool {
	return len(use.Runtimes) > 0 && (use.Default || !r.Default)
}

// waits reports whether a running engine has not loaded its new configuration.
func (h Host) waits(ctx context.Context, r Request, e *Engine, store *hostfile.Store) bool {
	changed, marked := store.Marked(changedMark + e.String())
	if !marked {
		changed, _ = store.Marked(appliedMark + e.String())
	}
	return h.stale(ctx, e.Engine, changed, []string{e.Shim}, r.met)
}

// behind is like waits. It also reports true if only runtimes beside the default one differ.
func (h Host) behind(ctx context.Context, r Request, e *Engine, store *hostfile.Store) bool {
	return h.waits(ctx, r, e, store) || h.lacks(ctx, e.Engine) || h.bypasses(ctx, e)
}

// obeys asks the running engine whether it does what was requested.
func (h Host) obeys(ctx context.Context, e *Engine, r Request) error {
	use, asked, err := e.RunsShim(ctx, h.engine(), []string{e.Shim})
	switch {
	case err != nil || !asked || r.met(use):
		return err
	case r.Default:
		return fmt.Errorf("it reports that its default runtime does not call %s", e.Shim)
	}
	return fmt.Errorf("it reports that none of its runtimes calls %s", e.Shim)
}

// mute reports whether an engine that can reload its configuration cannot be queried, because it listens only on the
// network.
func (h Host) mute(ctx context.Context, e engine.Engine) bool {
	if !e.Rereads() {
		return false
	}
	_, asked, err := e.RunsShim(ctx, h.engine(), nil)
	return err == nil && !asked
}

// tell makes an engine load its configuration, by the command if there is one, and otherwise by engine.Reload.
func (h Host) tell(ctx context.Context, e engine.Engine, command string) (done bool, what string, err error) {
	ctx, cancel := context.WithTimeout(ctx, tellTime)
	defer cancel()
	if command == "" {
		return e.Reload(ctx, h.engine())
	}
	return true, command, h.shell(ctx, e, command)
}

// shell runs a command for an engine, with the engine's kind as its first parameter.
func (h Host) shell(ctx context.Context, e engine.Engine, command string) error {
	if err := h.daemonReload(ctx); err != nil {
		return err
	}
	if _, err := h.Run(ctx, "sh", "-c", command, "sh", string(e.Kind)); err != nil {
		return fmt.Errorf("running the restart command %q: %w", command, err)
	}
	return nil
}

// works waits until an engine works: it is not the old process, it answers, and it still does a moment later.
func (h Host) works(ctx context.Context, e engine.Engine, stale func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, h.Patience)
	defer cancel()
	steady := min(time.Second, h.Patience/10)
	try := func() error {
		if stale() && !h.mute(ctx, e) {
			return errOld
		}
		return h.Answers(ctx, e)
	}
	var problem error
	for {
		since, _ := h.Started(e)
		err := try()
		pause := steady / 4
		if err == nil {
			pause = steady
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
		if ctx.Err() != nil {
			if problem = cmp.Or(problem, err); problem == nil {
				problem = errors.New("it answered too late to show that it stays up")
			}
			return fmt.Errorf("timed out after %v: %w", h.Patience, problem)
		}
		if err == nil {
			if err = try(); err == nil {
				if now, _ := h.Started(e); now.Sub(since).Abs() < jitter {
					return nil
				}
				err = errors.New("it stops again")
			}
		}
		if ctx.Err() == nil || problem == nil { // an error in the very last moment says nothing
			problem = err
		}
	}
}

// takeBack restores everything after the last of the engines told failed. It makes all of them load their previous
// configuration, and notes the attempt so that it is not repeated. The returned error says all of that.
func (h Host) takeBack(ctx context.Context, p plan, err error, told []*Engine, loaded Loaded, store *hostfile.Store,
	report *Report) error {
	since := time.Now()
	var problems []error
	for _, e := range told {
		h.forgetDefault(ctx, p, e, store)
	}
	problems = append(problems, store.Rollback())
	if failed := told[len(told)-1]; !slices.ContainsFunc(report.Changes,
		func(c hostfile.Change) bool { return c.For == failed.String() }) {
		store.Mark(restoredMark+failed.String(), since)
		_, problem := store.Restore(forEngine(failed.Engine), false) // an earlier installation wrote them
		problems = append(problems, problem)
	}
	problems = append(problems, h.daemonReload(ctx))
	var runtimes []string
	for _, e := range told {
		if problem := h.recover(ctx, e, p.request.RestartCommand, since); problem != nil {
			problems = append(problems, fmt.Errorf("%s: %w", e, problem))
		}
		runtimes = append(runtimes, fmt.Sprintf("%s works again, with %s", e, h.runtimeNow(e)))
		if shims := []string{e.Shim}; !h.usesShim(e) && h.differs(ctx, e.Engine, shims) {
			_ = h.forgetRuntime(ctx, e.Engine, store, shims, p.request.RestartCommand) // an extra runtime does no harm
		}
	}
	problems = append(problems, h.unload(loaded))
	if problem := errors.Join(problems...); problem != nil {
		err = fmt.Errorf("%w; restoring everything failed, too: %w", err, problem)
	} else {
		err = fmt.Errorf("%w; everything was put back, and %s; the same version and configuration are not tried again without --retry", err, strings.Join(runtimes, ", "))
	}
	if again, problem := h.plan(p.request, &Report{}); problem == nil {
		p = again // the previous state may differ from the one found at first
	}
	return errors.Join(err, store.Note(rejectionNote, err.Error()), store.Note(rejectedNote, p.attempt))
}

// forgetDefault makes an engine stop using our runtime as its default, if the engine needs a configuration that names
// another one for that. If it cannot, the engine has to be restarted: recover finds that out.
func (h Host) forgetDefault(ctx context.Context, p plan, e *Engine, store *hostfile.Store) {
	before, recorded, err := store.Undone(e.Config, false)
	if !e.KeepsDefault() || err != nil || !recorded {
		return
	}
	if f, err := e.Keep(h.engine(), before, e.Shim); err == nil {
		if _, err := store.Apply([]hostfile.File{{Path: f.Path, Data: f.Data, Mode: f.Mode, For: e.String()}}); err == nil {
			_, _, _ = h.tell(ctx, e.Engine, p.request.RestartCommand)
		}
	}
}

// runtimeNow returns the runtime with which an engine starts containers after its files were restored.
func (h Host) runtimeNow(e *Engine) string {
	if h.usesShim(e) {
		return "the previously installed runc-trace"
	}
	return "plain " + path.Base(e.Runtime.Path) + ", without runc-trace"
}

func (h Host) usesShim(e *Engine) bool {
	use, err := e.UsesShim(h.engine(), []string{e.Shim})
	return err == nil && len(use.Runtimes) > 0
}

// recover makes an engine load its previous configuration, and waits until it works.
func (h Host) recover(ctx context.Context, e *Engine, command string, since time.Time) error {
	tell, cancel := context.WithTimeout(ctx, tellTime)
	defer cancel()
	var problem error
	if command != "" {
		problem = h.shell(tell, e.Engine, command)
	} else {
		problem = e.Recover(tell, h.engine())
	}
	err := h.works(ctx, e.Engine, func() bool {
		return h.stale(ctx, e.Engine, since, []string{e.Shim}, func(use engine.Use) bool {
			return h.usesShim(e) || !use.Default
		})
	})
	if err == nil {
		return nil // even if the command failed
	}
	return errors.Join(problem, err)
}

// keeps reports whether an engine runs, and is of a kind that keeps runtimes which its configuration no longer names.
func (h Host) keeps(e engine.Engine) bool {
	if !h.live() || !e.KeepsDefault() {
		return false
	}
	_, running := h.Started(e)
	return running
}

// offers reports whether such an engine has a runtime that calls a shim.
func (h Host) offers(ctx context.Context, e engine.Engine, shims []string) bool {
	if !h.keeps(e) {
		return false
	}
	use, asked, err := e.RunsShim(ctx, h.engine(), shims)
	return err == nil && asked && len(use.Runtimes) > 0
}

// lacks reports whether such an engine does not offer a runtime of its configuration or flags.
func (h Host) lacks(ctx context.Context, e engine.Engine) bool {
	return h.keeps(e) && e.Lacks(ctx, h.engine())
}

// bypasses reports whether such an engine does not call the shim for another runtime that goes through it.
func (h Host) bypasses(ctx context.Context, e *Engine) bool {
	if len(e.Others) == 0 || !h.keeps(e.Engine) {
		return false
	}
	use, asked, err := e.RunsShim(ctx, h.engine(), []string{e.Shim})
	return err == nil && asked && slices.ContainsFunc(slices.Collect(maps.Keys(e.Others)), func(name string) bool {
		return !slices.Contains(use.Runtimes, name)
	})
}

// differs reports whether such an engine offers our runtime, or has lost one of its flags by a reload.
func (h Host) differs(ctx context.Context, e engine.Engine, shims []string) bool {
	return h.offers(ctx, e, shims) || h.lacks(ctx, e)
}

// forgetRuntime makes such an engine forget our runtime, and know those of its flags, with a temporary configuration.
func (h Host) forgetRuntime(ctx context.Context, e engine.Engine, store *hostfile.Store, shims []string,
	command string) error {
	now, err := h.readFile(e.Config)
	if err != nil {
		return err
	}
	f, err := e.Forget(h.engine(), now)
	if err != nil {
		return err
	}
	if _, err := store.Apply([]hostfile.File{{Path: f.Path, Data: f.Data, Mode: f.Mode, For: e.String()}}); err != nil {
		return err
	}
	_, _, err = h.tell(ctx, e, command)
	for end := time.Now().Add(h.Patience); err == nil && h.differs(ctx, e, shims); time.Sleep(h.Patience / 100) {
		if time.Now().After(end) {
			err = fmt.Errorf("timed out after %v", h.Patience)
		}
	}
	return errors.Join(err, store.Rollback())
}
