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

// Reload makes the running engine load its configuration with systemctl. It restarts containerd and CRI-O, whose
// containers keep running. It makes Docker reload, because some restarts of Docker stop containers. Podman needs
// nothing. If the configuration is loaded, Reload returns true and the command that it ran. If systemd does not run
// the host or the engine, it returns false and advice for the user. It does not start a stopped engine.
func (e Engine) Reload(ctx context.Context, h Host) (done bool, what string, err error) {
	if !e.Daemon() {
		return true, fmt.Sprintf("%s reads its configuration at every start", e), nil
	}
	systemctl := e.systemctl(h)
	if systemctl == "" {
		return false, e.reloadAdvice(), nil
	}
	verb := e.driver().traits().verb
	// Do not start an engine that the user stopped. But a changed unit has to be reloaded in any case.
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

// Recover loads the current configuration after a Reload, and starts the engine if the Reload has stopped it.
func (e Engine) Recover(ctx context.Context, h Host) error {
	systemctl := e.systemctl(h)
	if systemctl == "" {
		return nil
	}
	verb := e.driver().traits().verb
	if state, err := h.Run(ctx, systemctl, "show", "--property=ActiveState", "--value", e.Unit); err == nil &&
		strings.TrimSpace(string(state)) != "active" {
		verb = "restart"
	}
	if _, err := h.Run(ctx, systemctl, "daemon-reload"); err != nil {
		return fmt.Errorf("running systemctl daemon-reload: %w", err)
	}
	// After many failed starts, systemd rejects further ones.
	_, _ = h.Run(ctx, systemctl, "reset-failed", e.Unit)
	if _, err := h.Run(ctx, systemctl, verb, e.Unit); err != nil {
		return fmt.Errorf("running systemctl %s %s: %w", verb, e.Unit, err)
	}
	return nil
}

// systemctl returns its path, "" if systemd does not run the host, or has no unit of the engine.
func (e Engine) systemctl(h Host) string {
	if h.Run == nil || e.Unit == "" || !h.hasSystemd() {
		return ""
	}
	return h.program("systemctl", programDirs)
}

// ReloadCommand returns the command that makes the running engine load its configuration, "" if none is needed.
func (e Engine) ReloadCommand(h Host) string {
	if e.Daemon() && e.Unit != "" && h.hasSystemd() {
		return fmt.Sprintf("systemctl %s %s", e.driver().traits().verb, e.Unit)
	}
	return e.reloadAdvice()
}

// reloadAdvice returns the equivalent without systemd.
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

// complaint matches log lines that report a problem.
var complaint = regexp.MustCompile(`(?i)error|fatal|fail|panic|invalid|unable|cannot`)

// complaintLines and complaintLength limit the result of Complaints.
const (
	complaintLines  = 3
	complaintLength = 500
)

// Complaints returns the last lines that report a problem in the engine's systemd journal since a time, or just the
// last lines if none does. They are escaped for a terminal. It returns "" if there is no such journal.
func (e Engine) Complaints(ctx context.Context, h Host, since time.Time) string {
	if e.systemctl(h) == "" {
		return ""
	}
	journalctl := h.program("journalctl", programDirs)
	if journalctl == "" {
		return ""
	}
	text, err := h.Run(ctx, journalctl, "--unit="+e.Unit, fmt.Sprintf("--since=@%d", since.Unix()), "--output=cat",
		"--no-pager", "--lines=200")
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
