// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"context"
	"fmt"
	"strings"
)

// Reload has the running engine take its configuration, by systemctl: containerd and CRI-O are restarted, which containers
// survive; Docker is told to read its own again, since not every restart of Docker leaves containers alone; Podman needs nothing. It
// returns whether it is done, and what was done. Where systemd does not run the host, or not the engine, nothing is done, and what
// is returned is what to do. An engine that is not running is not started.
func (e Engine) Reload(ctx context.Context, h Host) (done bool, what string, err error) {
	if e.Kind == Podman {
		return true, "podman reads its configuration at every start", nil
	}
	systemctl := h.program("systemctl", programDirs)
	if h.Run == nil || e.Unit == "" || systemctl == "" || !h.hasSystemd() {
		return false, e.reloadAdvice(), nil
	}
	verb := "restart"
	if e.Kind == Docker {
		verb = "reload"
	}
	// Whoever stopped an engine has a reason; a unit that was changed must be read again all the same.
	steps := [][]string{{"daemon-reload"}, {verb, e.Unit}}
	if state, err := h.Run(ctx, systemctl, "show", "--property=ActiveState", "--value", e.Unit); err == nil && strings.TrimSpace(string(state)) != "active" {
		steps = steps[:1]
	}
	for _, step := range steps {
		if _, err := h.Run(ctx, systemctl, step...); err != nil {
			return false, e.reloadAdvice(), fmt.Errorf("running systemctl %s: %w", strings.Join(step, " "), err)
		}
	}
	if len(steps) == 1 {
		return true, fmt.Sprintf("%s is not running: it takes its configuration when it is started", e.Unit), nil
	}
	return true, fmt.Sprintf("systemctl %s %s", verb, e.Unit), nil
}

func (e Engine) reloadAdvice() string {
	unit := e.Unit
	if unit == "" {
		unit = string(e.Kind)
	}
	if e.Kind == Docker {
		return "kill -HUP $(pidof dockerd), or restart dockerd"
	}
	return fmt.Sprintf("restart %s", strings.TrimSuffix(unit, ".service"))
}
