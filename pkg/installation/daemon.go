// SPDX-License-Identifier: Apache-2.0

package installation

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/runc-trace/runc-trace/pkg/boottime"
	"github.com/runc-trace/runc-trace/pkg/engine"
	"github.com/runc-trace/runc-trace/pkg/regular"
)

// stale says whether a running engine may not have read its configuration since a time. One that can read it without being
// started again is asked: knows judges which of its runtimes call one of the shims.
func (h Host) stale(ctx context.Context, e engine.Engine, since time.Time, shims []string, knows func(engine.Use) bool) bool {
	if !e.Daemon() || e.Binary == "" || !h.live() {
		return false
	}
	started, running := h.Started(e.Binary)
	if !running || started.After(since) {
		return false
	}
	if !e.Rereads() {
		return true
	}
	use, asked, err := e.RunsShim(ctx, h.engine(), shims)
	return err != nil || !asked || !knows(use)
}

// Started says when the oldest process of a program started, and whether there is any: a Host's Started for this machine.
func Started(program string) (oldest time.Time, running bool) {
	program, err := filepath.EvalSymlinks(program)
	if err != nil {
		return oldest, false
	}
	links, _ := filepath.Glob("/proc/[0-9]*/exe")
	for _, link := range links {
		// A program that was replaced while it runs is still called by its name.
		target, err := os.Readlink(link)
		if err != nil || strings.TrimSuffix(target, " (deleted)") != program {
			continue
		}
		started, err := startTime(filepath.Dir(link))
		if err == nil && (!running || started.Before(oldest)) {
			oldest, running = started, true
		}
	}
	return oldest, running
}

// startTime is when a process started, by its directory in /proc: see proc_pid_stat(5).
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
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:])) // the third one is the first of them
	ticks, err := strconv.ParseInt(fields[startField-3], 10, 64)
	if err != nil {
		return time.Time{}, err
	}
	return boot.Add(time.Duration(ticks) * time.Second / ticksPerSecond), nil
}
