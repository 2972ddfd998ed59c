// SPDX-License-Identifier: Apache-2.0

package installation

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"

	"github.com/runc-trace/runc-trace/pkg/engine"
	"github.com/runc-trace/runc-trace/pkg/hostfile"
)

// Keys of the notes that the journal keeps about an attempt with which an engine did not work.
const (
	rejectedNote  = "rejected"  // checksum of the attempt
	rejectionNote = "rejection" // error that was reported
)

func forget(store *hostfile.Store) error {
	for _, name := range []string{rejectedNote, rejectionNote} {
		if err := store.Note(name, ""); err != nil {
			return err
		}
	}
	return nil
}

// attempt collects everything that decides whether engines work after an installation: their own configuration and
// versions, the files to write, and the programs.
type attempt struct {
	parts map[string]string
}

// newAttempt starts with the installed shim, because Install does not write a shim that a package provides.
func (h Host) newAttempt(shim, restartCommand string) (*attempt, error) {
	text, err := h.readFile(shim)
	if err != nil {
		return nil, fmt.Errorf("reading the shim that is in place: %w", err)
	}
	return &attempt{map[string]string{"shim": digest(text), "restart": restartCommand}}, nil
}

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// watched returns a host that records everything read of an engine's configuration.
func (a *attempt) watched(h engine.Host, e engine.Engine) engine.Host {
	a.parts["version "+e.String()] = e.Version
	h.Seen = func(path string, text []byte) { a.parts["read "+path] = digest(text) }
	return h
}

// sum returns a checksum of the attempt.
func (a *attempt) sum(files []hostfile.File) string {
	if a == nil {
		return ""
	}
	parts := maps.Clone(a.parts)
	for _, f := range files {
		parts["write "+f.Path] = digest(f.Data) + f.Link
	}
	sum := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(parts)) {
		fmt.Fprintf(sum, "%q %q\n", name, parts[name])
	}
	return hex.EncodeToString(sum.Sum(nil))
}
