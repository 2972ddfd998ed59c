// SPDX-License-Identifier: Apache-2.0

package archive

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/runc-trace/runc-trace/pkg/regular"
	"github.com/runc-trace/runc-trace/pkg/terminal"
)

// Counts says what the agent did with recordings, since the archive exists. It is kept in a file of the archive, so
// that others can read it. Names are stable.
type Counts struct {
	Saved    uint64 `json:"saved"`
	Copied   uint64 `json:"copied"`   // to the bucket
	Removed  uint64 `json:"removed"`  // because of the limits
	Missed   uint64 `json:"missed"`   // used again before the agent saw how their container ended
	Limited  uint64 `json:"limited"`  // not saved: too many of one container
	Failed   uint64 `json:"failed"`   // could not be written
	Uncopied uint64 `json:"uncopied"` // of the removed ones, those of which the bucket has no copy

	Problem     string `json:"problem"`     // of the last attempt to save one; empty: it succeeded
	CopyProblem string `json:"copyProblem"` // the same of copying
}

const countsFile = "counts.json"

// ReadCounts returns the counts of an archive: zeros if it has none.
func ReadCounts(path string) (c Counts, err error) {
	const most = 64 << 10
	text, err := regular.Read(filepath.Join(path, countsFile), most)
	if errors.Is(err, fs.ErrNotExist) {
		return c, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &c)
	}
	if err != nil {
		return Counts{}, fmt.Errorf("reading the archive's counts: %w", err)
	}
	return c, nil
}

// Write replaces the counts of an archive.
func (c Counts) Write(path string) error {
	text, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("writing the archive's counts: %w", err)
	}
	file := filepath.Join(path, countsFile)
	if err = os.WriteFile(file+partial, append(text, '\n'), 0o600); err == nil {
		err = os.Rename(file+partial, file)
	}
	if err != nil {
		return fmt.Errorf("writing the archive's counts: %w", err)
	}
	return nil
}

// State is what an archive has, and what became of the recordings that it should have. Names are stable.
type State struct {
	Directory string `json:"directory"`
	Files     int    `json:"files"`
	Bytes     int64  `json:"bytes"`
	Pending   int    `json:"pending"` // of the files, those of which the bucket has no copy yet
	Counts
}

// ReadState returns the state of the archive in a directory.
func ReadState(path string) (s State, err error) {
	s.Directory = path
	files, err := List(path)
	if err != nil {
		return s, err
	}
	for _, file := range files {
		s.Files++
		s.Bytes += file.Bytes
		if file.Pending {
			s.Pending++
		}
	}
	s.Counts, err = ReadCounts(path)
	return s, err
}

// Problems says what was not saved or copied, and why.
func (s *State) Problems() (all []string) {
	add := func(n uint64, what string) {
		if n > 0 {
			all = append(all, terminal.Count(n, "recording")+" "+what)
		}
	}
	add(s.Failed, "could not be saved")
	add(s.Missed, "used again before the agent could save them")
	add(s.Uncopied, "removed before the bucket had a copy")
	if s.Problem != "" {
		all = append(all, "the last attempt failed: "+terminal.Cell(s.Problem))
	}
	if s.CopyProblem != "" {
		all = append(all, "the bucket cannot be reached: "+terminal.Cell(s.CopyProblem))
	}
	return all
}
