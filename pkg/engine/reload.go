// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/runc-trace/runc-trace/pkg/terminal"
)

// Reload has the running engine take its configuration, by systemctl: containerd and CRI-O are restarted, which containers
// survive; Docker is told to read its own again, since not every restart of Docker leaves containers alone; Podman needs nothing. It
// returns whether it is done, and what was done. Where systemd does not run the host, or not the engine, that is left alone, and what
// is returned is what to do. An engine that is not running is not started.
func (e Engine) Reload(ctx context.Context, h Host) (done bool, what string, err error) {
	if !e.Daemon() {
		return true, fmt.Sprintf("%s reads its configuration at every start", e), nil
	}
	systemctl := e.systemctl(h)
	if systemctl == "" {
		return false, e.reloadAdvice(), nil
	}
	verb := e.driver().traits().verb
	// Whoever stopped an engine has a reason; a unit that was changed must be read again all the same.
	steps := [][]string{{"daemon-reload"}, {verb, e.Unit}}
	running := true
	if state, err := h.Run(ctx, systemctl, "show", "--property=ActiveState", "--value", e.Unit); err == nil {
		switch strings.TrimSpace(string(state)) {
		case "inactive", "failed":
			steps, running = steps[:1], false
		}
	}
	for _, step := range steps {
		if _, err := h.Run(ctx, systemctl, step...); err != nil {
			return false, e.reloadAdvice(), fmt.Errorf("running systemctl %s: %w", strings.Join(step, " "), err)
		}
	}
	if !running {
		return false, e.reloadAdvice(), nil
	}
	return true, fmt.Sprintf("systemctl %s %s", verb, e.Unit), nil
}

// Recover starts an engine again that Reload was tried on, whatever became of it, with the configuration that it has by now.
func (e Engine) Recover(ctx context.Context, h Host) error {
	systemctl := e.systemctl(h)
	if systemctl == "" {
		return nil
	}
	verb := e.driver().traits().verb
	if state, err := h.Run(ctx, systemctl, "show", "--property=ActiveState", "--value", e.Unit); err == nil && strings.TrimSpace(string(state)) != "active" {
		verb = "restart"
	}
	if _, err := h.Run(ctx, systemctl, "daemon-reload"); err != nil {
		return fmt.Errorf("running systemctl daemon-reload: %w", err)
	}
	// After many failed starts systemd refuses to try again.
	_, _ = h.Run(ctx, systemctl, "reset-failed", e.Unit)
	if _, err := h.Run(ctx, systemctl, verb, e.Unit); err != nil {
		return fmt.Errorf("running systemctl %s %s: %w", verb, e.Unit, err)
	}
	return nil
}

// systemctl is its path, "" where systemd does not run the host, or has no unit of the engine's.
func (e Engine) systemctl(h Host) string {
	if h.Run == nil || e.Unit == "" || !h.hasSystemd() {
		return ""
	}
	return h.program("systemctl", programDirs)
}

// ReloadCommand is what has the running engine take its configuration, "" if it needs nothing.
func (e Engine) ReloadCommand(h Host) string {
	if e.Daemon() && e.Unit != "" && h.hasSystemd() {
		return fmt.Sprintf("systemctl %s %s", e.driver().traits().verb, e.Unit)
	}
	return e.reloadAdvice()
}

// reloadAdvice does without systemd.
func (e Engine) reloadAdvice() string {
	t := e.driver().traits()
	switch {
	case !e.Daemon():
		return ""
	case t.advice != "":
		return t.advice
	}
	return "restart " + strings.TrimSuffix(cmp.Or(e.Unit, string(e.Kind)), ".service")
}

// complaint is a line of a log that says what is wrong.
var complaint = regexp.MustCompile(`(?i)error|fatal|fail|panic|invalid|unable|cannot`)

// complaintLines and complaintLength bound what Complaints returns.
const (
	complaintLines  = 3
	complaintLength = 500
)

// Complaints are the last lines that the engine wrote into systemd's journal since a time and that say what is wrong, or its last ones
// where none does: fit to be shown, "" where there is no such journal.
func (e Engine) Complaints(ctx context.Context, h Host, since time.Time) string {
	if e.systemctl(h) == "" {
		return ""
	}
	journalctl := h.program("journalctl", programDirs)
	if journalctl == "" {
		return ""
	}
	text, err := h.Run(ctx, journalctl, "--unit="+e.Unit, fmt.Sprintf("--since=@%d", since.Unix()), "--output=cat", "--no-pager", "--lines=200")
	if err != nil {
		return ""
	}
	var all, bad []string
	for line := range strings.Lines(string(text)) {
		line = terminal.String(strings.TrimSpace(line))
		if len(line) > complaintLength {
			line = strings.ToValidUTF8(line[:complaintLength], "") + "..."
		}
		if line == "" {
			continue
		}
		all = append(all, line)
		if complaint.MatchString(line) {
			bad = append(bad, line)
		}
	}
	if len(bad) == 0 {
		bad = all
	}
	return strings.Join(bad[max(0, len(bad)-complaintLines):], "; ")
}
