// SPDX-License-Identifier: Apache-2.0

package installation

import (
	"context"
	"errors"
	"reflect"
	"time"

	"github.com/runc-trace/runc-trace/pkg/hostfile"
)

// UninstallAll calls Uninstall once per interval until nothing is kept or ctx ends, and returns the last report. It
// does not cancel a running step. It calls say with each report whose list of kept files differs from the last one,
// and with the error of a failed call. If the first call fails, UninstallAll returns at once, because there is
// nothing to wait for.
func (h Host) UninstallAll(ctx context.Context, r Removal, interval time.Duration,
	say func(Report, error)) (Report, error) {
	last, err := h.Uninstall(context.WithoutCancel(ctx), r)
	for errors.Is(err, hostfile.ErrBusy) && pause(ctx, interval) {
		last, err = h.Uninstall(context.WithoutCancel(ctx), r)
	}
	if err != nil || r.DryRun {
		return last, err
	}
	said := ""
	say(last, nil)
	for len(last.Kept) > 0 && pause(ctx, interval) {
		next, err := h.Uninstall(ctx, Removal{DryRun: true, DiscardEdits: r.DiscardEdits})
		if err == nil && !reflect.DeepEqual(next.Kept, last.Kept) {
			if next, err = h.Uninstall(context.WithoutCancel(ctx), r); err == nil {
				last, said = next, ""
				say(last, nil)
			}
		}
		if err != nil && err.Error() != said && ctx.Err() == nil {
			said = err.Error()
			say(last, err)
		}
	}
	return last, nil
}

// pause waits for the interval, and reports whether ctx is still valid.
func pause(ctx context.Context, interval time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(interval):
		return true
	}
}

// Installed reports whether Uninstall would restore or remove any file, or would find one that is not recorded. It
// ignores loaded programs.
func (h Host) Installed() (bool, error) {
	store, err := hostfile.View(h.Root, nil)
	if err != nil {
		return false, err
	}
	return !store.Empty() || len(h.remains()) > 0, nil
}
