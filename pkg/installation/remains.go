// SPDX-License-Identifier: Apache-2.0

package installation

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/runc-trace/runc-trace/install"
	"github.com/runc-trace/runc-trace/pkg/engine"
	"github.com/runc-trace/runc-trace/pkg/hostfile"
)

// remains returns the files that Install writes at fixed paths and that no package provides.
func (h Host) remains() []string {
	files := []string{
		path.Join(install.BinDir, shimName), path.Join(install.BinDir, tracectlName),
		path.Join(unitDir, unitName), path.Join(unitDir, agentName),
	}
	return slices.DeleteFunc(files, func(file string) bool { return !h.exists(file) })
}

// remainsMax limits the number of places in an error.
const remainsMax = 8

// unrecorded returns an error if parts of an installation are on the host although the journal has none: it was
// removed, or somebody configured the engines by hand.
func (h Host) unrecorded() error {
	var places []string
	found, _ := engine.Detect(h.engine()) // an engine that cannot be read is not known to need anything
	for _, e := range found {
		for _, m := range e.Mentions(h.engine(), nil, shims(nil)) {
			if !slices.Contains(places, m.At) {
				places = append(places, m.At)
			}
		}
	}
	places = append(places, h.remains()...)
	if len(places) == 0 {
		return nil
	}
	if more := len(places) - remainsMax; more > 0 {
		places = append(places[:remainsMax:remainsMax], fmt.Sprintf("%d more", more))
	}
	return fmt.Errorf("no installation is recorded in %s, but parts of one are there: %s; "+
		"take runc-trace out of the engines' files by hand, restart the engines, and then remove the other files",
		hostfile.StateDir, strings.Join(places, ", "))
}
