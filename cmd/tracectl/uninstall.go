// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io"
	"path"

	"github.com/spf13/cobra"

	"github.com/runc-trace/runc-trace/pkg/hostfile"
	"github.com/runc-trace/runc-trace/pkg/installation"
)

const uninstallLong = `Put back what "tracectl install" changed: every file byte for byte, with its mode, owner
and times; what was made is removed. The programs are unloaded, which drops all
recordings. Containers run on.

Where a file was edited since, nothing is changed, and the edits are shown. With
--discard-edits the original is put back all the same; the edited file is then below
/var/lib/runc-trace/edited.

Containers that were made through runc-trace need it as long as they are there: their
engine calls it to start, enter, signal and delete them. So does an engine that has not
been restarted since its configuration was put back. What they need is kept then and
named, and the exit code is 5; to do it again later removes the rest, and --force removes
it now.`

// errKept says that there will have to be another uninstall.
var errKept = errors.New(`not everything could be removed yet: run "tracectl uninstall" again then`)

func newUninstall(s *settings) *cobra.Command {
	var r installation.Removal
	var root string
	c := &cobra.Command{
		Use:   "uninstall",
		Short: "Put back what install changed",
		Long:  uninstallLong,
		Example: `  tracectl uninstall --dry-run
  tracectl uninstall --restart
  tracectl uninstall --restart --force`,
		Args: exactly(0),
	}
	flags := c.Flags()
	flags.BoolVar(&r.Restart, "restart", false, "have the engines take their old configuration now")
	flags.BoolVar(&r.Force, "force", false, "remove what containers or engines still need, too")
	flags.BoolVar(&r.DiscardEdits, "discard-edits", false, "put files back that were edited since")
	flags.BoolVar(&r.DryRun, "dry-run", false, "show what would be changed, and change nothing")
	addRootFlag(c, &root)
	output := addOutput(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		h, err := s.host(root)
		if err != nil {
			return err
		}
		report, err := h.Uninstall(c.Context(), r)
		var edited *hostfile.EditedError
		if errors.As(err, &edited) {
			for _, f := range edited.Files {
				fmt.Fprint(c.ErrOrStderr(), f.Diff)
			}
			return fmt.Errorf("%w; nothing was changed: take out the edits shown above, or use --discard-edits, which keeps the edited files below %s",
				err, path.Join(hostfile.StateDir, "edited"))
		}
		if err != nil {
			return err
		}
		if output.word == "json" {
			err = printJSON(c.OutOrStdout(), newReport(report, ""))
		} else {
			_, err = io.WriteString(c.OutOrStdout(), uninstalledText(report))
		}
		if err == nil && len(report.Kept) > 0 {
			return errKept
		}
		return err
	}
	return c
}
