// SPDX-License-Identifier: Apache-2.0

package installation

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/runc-trace/runc-trace/pkg/hostfile"
)

// activate has the engines check the new files, loads the programs, and then has the engines load their configuration.
// If anything fails, it restores everything. Once an engine was told to load its configuration, activate ignores the
// cancellation of ctx.
func (h Host) activate(ctx context.Context, p plan, beside *Beside, report *Report, store *hostfile.Store) error {
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
	load := h.Load
	if beside != nil {
		load = func() (Loaded, error) { return beside.Loaded, nil }
	}
	loaded, err := load()
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
		return fmt.Errorf("%w; those files stay installed, with what they need: "+
			"correct that, and run tracectl uninstall", err)
	case errors.Join(problems...) != nil:
		return err
	}
	return fmt.Errorf("%w; everything was put back", err)
}

func (h Host) startUnit(ctx context.Context, loaded Loaded) error {
	if !h.runsSystemd() {
		return nil
	}
	if err := h.systemctl(ctx, "daemon-reload"); err != nil || loaded.Note != "" || loaded.Lost != "" {
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

// unload unloads the programs that this installation loaded, unless that was beside others: see Beside.
func (h Host) unload(loaded Loaded) error {
	if !loaded.New || loaded.Lost != "" {
		return nil
	}
	_, err := h.Unload()
	return err
}
