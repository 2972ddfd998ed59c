// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/signal"
	"path"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/runc-trace/runc-trace/pkg/hostfile"
	"github.com/runc-trace/runc-trace/pkg/installation"
)

const uninstallLong = `Undo "tracectl install": restore every file byte for byte, with its times, and
remove files that install created. The programs are unloaded, which deletes all
recordings; --dry-run prints how many. Containers keep running.

If a file was changed after install, those changes are kept, also of its mode and owner,
and only install's part is taken out. If none of it is left, the file is left alone. If
it cannot be taken out, nothing is changed, and the conflicting lines are printed.
--discard-edits then restores the original file and keeps the changed one below
/var/lib/runc-trace/edited.

A file that cannot be restored, because it is immutable or its original was lost, is
named, and the other files are restored anyway. Fix the cause, and run uninstall again.

Containers that were started through runc-trace need it until they are removed: their
engine calls it to start, enter, signal and delete them. An engine needs it until it is
restarted with its restored configuration. It also needs it if a line that install did
not write names it, such as dockerd's flag --default-runtime=runc-trace. Until then,
uninstall keeps the files that they need and lists them with the reason, the programs
stay loaded with all recordings, and the exit code is 5. Run uninstall again later to
remove the rest, or use --force to remove it now. --wait retries every ten seconds, and
prints what it waits for when that changes. --check changes nothing; its exit code is 5
if anything is left.

With --restart, or --restart-command if systemd does not run the engines, the exit code
is 1 if an engine does not work within a minute. With --host, this works on the host
from within a container; see tracectl-install(8). A pod for that runs

  tracectl uninstall --host --restart --wait --stay

which sleeps when it is done, and has the readinessProbe

  tracectl uninstall --host --check

If the pod itself was started through runc-trace, it says so and waits for its own end:
delete it once, so that its replacement can finish.`

// errKept says that another uninstall is needed.
var errKept = errors.New(`some files are still in use; run "tracectl uninstall" again later`)

// errInstalled says that an uninstall is needed.
var errInstalled = errors.New(`some installed files are left; run "tracectl uninstall"`)

// pollInterval is how often --wait checks whether kept files are still needed.
const pollInterval = 10 * time.Second

// removal holds the flags of uninstall.
type removal struct {
	installation.Removal
	wait   *time.Duration
	stay   bool
	check  bool
	root   string
	output *choice
}

func newUninstall(s *settings) *cobra.Command {
	var r removal
	c := &cobra.Command{
		Use:   "uninstall",
		Short: "Undo what install changed",
		Long:  uninstallLong,
		Example: `  tracectl uninstall --dry-run
  tracectl uninstall --restart
  tracectl uninstall --restart --wait=10m
  tracectl uninstall --restart --force`,
		Args: exactly(0),
	}
	flags := c.Flags()
	flags.BoolVar(&r.Restart, "restart", false, "restart the engines so that they use the old configuration")
	addRestartCommand(c, &r.RestartCommand)
	flags.BoolVar(&r.Force, "force", false, "also remove files that containers or engines still need")
	flags.BoolVar(&r.DiscardEdits, "discard-edits", false, "if an edited file cannot be undone, restore the original")
	flags.BoolVar(&r.DryRun, "dry-run", false, "show what would change, and change nothing")
	r.wait = flags.Duration("wait", 0, "retry until everything is removed, for at most this long (0: no limit)")
	flags.Lookup("wait").NoOptDefVal = "0s"
	flags.BoolVar(&r.stay, "stay", false, "when everything is removed, sleep until a signal (for a DaemonSet)")
	flags.BoolVar(&r.check, "check", false, "only check if anything is left to remove")
	addRootFlag(c, &r.root)
	pod := addPodFlags(c)
	r.output = addOutput(c)
	exclude(c, "check", "dry-run", "wait")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if *r.wait < 0 {
			return &usageError{c, fmt.Errorf("--wait %q: must not be negative", *r.wait)}
		}
		r.Restart = r.Restart || r.RestartCommand != ""
		err := pod.run(c, func(ctx context.Context) (string, error) {
			if r.check {
				return "nothing is left", s.checkRemoved(r)
			}
			report, err := s.uninstall(ctx, c, r, flags.Changed("wait"))
			return uninstalledLine(report), err
		})
		if err == nil && r.stay && !pod.elsewhere() {
			ctx, stop := signal.NotifyContext(c.Context(), syscall.SIGINT, syscall.SIGTERM)
			defer stop()
			<-ctx.Done()
		}
		return err
	}
	return c
}

// uninstall uninstalls, and prints the changes.
func (s *settings) uninstall(ctx context.Context, c *cobra.Command, r removal, wait bool) (installation.Report, error) {
	h, err := s.host(r.root)
	if err != nil {
		return installation.Report{}, err
	}
	show := func(report installation.Report, problem error) {
		switch {
		case problem != nil:
			fmt.Fprintf(c.ErrOrStderr(), "tracectl: %v; retrying\n", problem)
		case r.output.word == "json":
			err = printJSON(c.OutOrStdout(), newReport(report, ""))
		default:
			_, err = io.WriteString(c.OutOrStdout(), uninstalledText(report))
		}
	}
	var report installation.Report
	var problem error
	if wait {
		if *r.wait > 0 {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, *r.wait)
			defer cancel()
		}
		report, problem = h.UninstallAll(ctx, r.Removal, pollInterval, show)
	} else if report, problem = h.Uninstall(context.WithoutCancel(ctx), r.Removal); problem == nil {
		show(report, nil)
	}
	if problem != nil && len(report.Changes) > 0 { // the parts that worked
		show(report, nil)
	}
	var edited *hostfile.EditedError
	if errors.As(problem, &edited) {
		for _, f := range edited.Files {
			fmt.Fprint(c.ErrOrStderr(), f.Diff)
		}
		return report, fmt.Errorf("%w; nothing was changed: undo these edits, or use --discard-edits to restore the original and keep the edited file below %s",
			problem, path.Join(hostfile.StateDir, "edited"))
	}
	if err = errors.Join(problem, err); err == nil && len(report.Kept) > 0 {
		err = errKept
	}
	return report, err
}

// checkRemoved returns an error unless everything of an installation is removed.
func (s *settings) checkRemoved(r removal) error {
	h, err := s.host(r.root)
	if err != nil {
		return err
	}
	installed, err := h.Installed()
	if err != nil {
		return err
	}
	if installed {
		return errInstalled
	}
	return nil
}
