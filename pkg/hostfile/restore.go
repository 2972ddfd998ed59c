// SPDX-License-Identifier: Apache-2.0

package hostfile

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
)

// Recorded is a file that the journal knows.
type Recorded struct {
	Path string // as the host sees it, through no symbolic link
	For  string // whom the file is for
}

// Recorded are the files that Restore can put back, in the order in which they were first written.
func (s *Store) Recorded() []Recorded {
	var list []Recorded
	for _, r := range s.journal.Files {
		list = append(list, Recorded{r.Path, r.For})
	}
	return list
}

// Original is what a file had in it before it was first written, nil where it was not there. It returns false for a file that the
// journal does not know.
func (s *Store) Original(path string) (data []byte, recorded bool, err error) {
	host, _, err := s.resolve(path, true)
	if err != nil {
		return nil, false, err
	}
	r := s.journal.find(host)
	if r == nil {
		return nil, false, nil
	}
	original, err := s.kept(r.Original)
	return original.data, true, err
}

// EditedError says that somebody changed files since they were written.
type EditedError struct {
	Files []Edited
}

// Edited is a file that somebody changed since it was written.
type Edited struct {
	Path string
	Diff string // from what was written to what is there now: a unified diff, or a sentence where one of both is no text
}

func (e *EditedError) Error() string {
	var paths []string
	for _, f := range e.Files {
		paths = append(paths, f.Path)
	}
	return "edited since they were written: " + strings.Join(paths, ", ")
}

// restoration is a change that puts a file back.
type restoration struct {
	change
	edited bool
}

// PlanRestore tells what Restore would change.
func (s *Store) PlanRestore(chosen func(Recorded) bool, discard bool) ([]Change, error) {
	list, err := s.planRestore(chosen, discard)
	if err != nil {
		return nil, err
	}
	return restored(list), nil
}

func restored(list []restoration) []Change {
	var changes []change
	for _, r := range list {
		if !r.before.same(r.after.state) {
			changes = append(changes, r.change)
		}
	}
	return public(changes)
}

// planRestore gives the chosen files, those first that were written last.
func (s *Store) planRestore(chosen func(Recorded) bool, discard bool) ([]restoration, error) {
	var list []restoration
	var edited []Edited
	for _, r := range slices.Backward(s.journal.Files) {
		if !chosen(Recorded{r.Path, r.For}) {
			continue
		}
		now, err := capture(s.real(r.Path))
		if err != nil {
			return nil, err
		}
		original, err := s.kept(r.Original)
		if err != nil {
			return nil, fmt.Errorf("finding the original of %s: %w", r.Path, err)
		}
		one := restoration{change{path: r.Path, real: s.real(r.Path), owner: r.For, before: now, after: original}, r.edited(now.state)}
		if one.edited && !discard {
			text, err := s.edits(r, now)
			if err != nil {
				return nil, err
			}
			edited = append(edited, Edited{r.Path, text})
		}
		list = append(list, one)
	}
	if len(edited) > 0 {
		slices.Reverse(edited)
		return nil, &EditedError{edited}
	}
	return list, nil
}

// edits shows what somebody changed in a file since it was written.
func (s *Store) edits(r record, now contents) (string, error) {
	written := contents{state: r.Original}
	if len(r.Written) > 0 {
		written.state = r.Written[len(r.Written)-1]
	}
	kept, err := s.kept(written.state)
	switch {
	case errors.Is(err, fs.ErrNotExist): // it was no text
		return note(r.Path, written, now), nil
	case err != nil:
		return "", err
	}
	if text := unified(r.Path, kept, now); text != "" {
		return text, nil
	}
	return note(r.Path, written, now), nil
}

// Restore puts the chosen files back as they were before they were first written, byte for byte, with their modes, owners,
// attributes and times, and removes directories made for them that are empty. It tells what it changed.
//
// Where somebody edited one of them since, it changes nothing and returns an *EditedError, unless discard says that the
// edits are not wanted: then the edited file is kept below StateDir, in edited.
func (s *Store) Restore(chosen func(Recorded) bool, discard bool) ([]Change, error) {
	list, err := s.planRestore(chosen, discard)
	if err != nil {
		return nil, err
	}
	for _, r := range list {
		if err := s.restore(r); err != nil {
			return nil, fmt.Errorf("restoring %s: %w", r.path, err)
		}
	}
	if s.journal.Directories, err = s.removeDirs(s.journal.Directories); err != nil {
		return nil, fmt.Errorf("removing directories: %w", err)
	}
	s.journal.Files = slices.DeleteFunc(s.journal.Files, func(r record) bool { return chosen(Recorded{r.Path, r.For}) })
	if err := s.writeJournal(); err != nil {
		return nil, err
	}
	return restored(list), nil
}

func (s *Store) restore(r restoration) error {
	if err := s.remove(temporary(r.real)); err != nil {
		return err
	}
	if r.before.same(r.after.state) {
		return nil
	}
	if r.edited && r.before.Kind == kindFile {
		path, err := s.statePath(editedName, r.path)
		if err != nil {
			return err
		}
		if _, err := s.makeDirs(missing(filepath.Dir(path)), 0o700); err != nil {
			return err
		}
		if err := s.place(path, r.before, true); err != nil {
			return err
		}
	}
	if r.after.Kind != kindAbsent {
		if _, err := s.makeDirs(missing(filepath.Dir(r.real)), 0o755); err != nil {
			return err
		}
	}
	return s.place(r.real, r.after, true)
}
