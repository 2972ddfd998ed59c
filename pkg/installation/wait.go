// SPDX-License-Identifier: Apache-2.0

package installation

import (
	"context"
	"errors"
	"reflect"
	"time"

	"github.com/runc-trace/runc-trace/pkg/hostfile"
)

// UninstallAll does what Uninstall does, and looks again, once an interval, until nothing is kept or ctx ends: the report is then the last
// one. What is done at a time is not broken off. say is given the report whenever what is kept becomes another,
// and the error of a look that failed, unless it is the first one, after which there is nothing to wait for.
func (h Host) UninstallAll(ctx context.Context, r Removal, interval time.Duration, say func(Report, error)) (Report, error) {
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

// pause waits, and says whether ctx has not ended.
func pause(ctx context.Context, interval time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(interval):
		return true
	}
}

// Installed says whether there is anything that Uninstall would put back or remove, but for programs that are loaded.
func (h Host) Installed() (bool, error) {
	store, err := hostfile.View(h.Root, nil)
	if err != nil {
		return false, err
	}
	return !store.Empty(), nil
}
