// SPDX-License-Identifier: Apache-2.0

package installation

import (
	"bytes"
	"context"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/runc-trace/runc-trace/pkg/boottime"
	"github.com/runc-trace/runc-trace/pkg/engine"
	"github.com/runc-trace/runc-trace/pkg/regular"
)

// stale reports whether a running engine may not have read its configuration since the given time. If the engine can
// read it without a restart, stale asks the engine, and knows judges which of its runtimes call one of the shims.
func (h Host) stale(ctx context.Context, e engine.Engine, since time.Time, shims []string,
	knows func(engine.Use) bool) bool {
	if !e.Daemon() || e.Binary == "" || !h.live() {
		return false
	}
	started, running := h.Started(e)
	if !running || started.After(since) {
		return false
	}
	if !e.Rereads() {
		return true
	}
	use, asked, err := e.RunsShim(ctx, h.engine(), shims)
	return err != nil || !asked || !knows(use)
}

// Started returns the start time of the oldest process of an engine, and whether there is one. It implements
// Host.Started for this machine.
func Started(e engine.Engine) (oldest time.Time, running bool) {
	for _, pid := range (engine.Host{Root: "/"}).Processes(e) {
		started, err := startTime(filepath.Join("/proc", strconv.Itoa(pid)))
		if err == nil && (!running || started.Before(oldest)) {
			oldest, running = started, true
		}
	}
	return oldest, running
}

// startTime returns the start time of a process, given its directory in /proc: see proc_pid_stat(5).
func startTime(dir string) (time.Time, error) {
	const startField, ticksPerSecond = 22, 100
	stat, err := regular.Read(filepath.Join(dir, "stat"), regular.Text)
	if err != nil {
		return time.Time{}, err
	}
	boot, err := boottime.Boot()
	if err != nil {
		return time.Time{}, err
	}
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:])) // begins with the third field
	ticks, err := strconv.ParseInt(fields[startField-3], 10, 64)
	if err != nil {
		return time.Time{}, err
	}
	return boot.Add(time.Duration(ticks) * time.Second / ticksPerSecond), nil
}
