// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"fmt"
	"strings"

	"github.com/runc-trace/runc-trace/pkg/archive"
	"github.com/runc-trace/runc-trace/pkg/terminal"
)

// Archive is where the agent saves recordings.
type Archive struct {
	archive.State       // its directory is empty if none are saved
	Err           error // from reading it
	Agent         bool  // an agent runs
}

// archived judges the archive.
func archived(f Facts) []Check {
	a := f.Archive
	const see = "see tracectl status, and the log of the agent"
	switch {
	case a.Directory == "":
		return nil
	case a.Err != nil:
		return warn("archive", a.Err.Error(), see)
	case !a.Agent:
		return warn("archive", "no agent runs, so no recordings are saved in "+terminal.Cell(a.Directory),
			"run tracectl agent: systemctl enable --now runc-trace-agent")
	}
	if problems := a.Problems(); len(problems) > 0 {
		return warn("archive", strings.Join(problems, "; "), see)
	}
	return ok("archive", fmt.Sprintf("%s in %s", terminal.Count(a.Files, "recording"), terminal.Cell(a.Directory)))
}
