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

// Undone is what Restore would leave in a file, nil if it would remove it. It returns false for a file that the journal does not know.
func (s *Store) Undone(path string, discard bool) (data []byte, recorded bool, err error) {
	_, real, err := s.resolve(path, true)
	if err != nil {
		return nil, false, err
	}
	list, err := s.planRestore(func(r Recorded) bool {
		_, at, err := s.resolve(r.Path, true)
		return err == nil && at == real
	}, discard)
	if err != nil || len(list) == 0 {
		return nil, false, err
	}
	return list[len(list)-1].after.data, true, nil
}

// EditedError says that files were changed since they were written, in such a way that what was put in cannot be taken out of them.
type EditedError struct {
	Files []Edited
}

var errNoInverse = errors.New("nothing is known of its format")

// Edited is a file that others changed since it was written.
type Edited struct {
	Path string
	Err  error  // which lines are in the way
	Diff string // from what was written to what is there now: a unified diff, or a sentence if one of both is no text
}

func (e *EditedError) Error() string {
	var parts []string
	for _, f := range e.Files {
		parts = append(parts, fmt.Sprintf("%s: %v", f.Path, f.Err))
	}
	return "changed since install, and cannot be undone: " + strings.Join(parts, "; ")
}

// restoration is a change that puts a file back.
type restoration struct {
	change
	recorded string // its path in the journal
	edited   bool   // others changed it since
	whole    bool   // the original is put back, with its times
	keep     bool   // what they wrote would be lost
	link     string // where a symbolic link now stands that leads to the file, which goes with it
}

// PlanRestore tells what Restore would change.
func (s *Store) PlanRestore(chosen func(Recorded) bool, discard bool) ([]Change, error) {
	list, err := s.planRestore(chosen, discard)
	if err != nil {
		return nil, err
	}
	return restored(list), nil
}

// restored tells of what is changed, and of what others changed so that nothing is left to do.
func restored(list []restoration) []Change {
	var changes []Change
	for _, r := range list {
		same := r.before.same(r.after.state)
		if same && !r.edited {
			continue
		}
		c := public([]change{r.change})[0]
		c.Edited = r.edited
		if same {
			c = Change{Path: c.Path, For: c.For, Action: Leave, Edited: true}
		}
		changes = append(changes, c)
	}
	return changes
}

// planRestore gives the chosen files, those first that were written last.
func (s *Store) planRestore(chosen func(Recorded) bool, discard bool) ([]restoration, error) {
	var list []restoration
	var edited []Edited
	planned := make(map[string]contents) // by where a file is: symbolic links lead two of the journal's to one
	for _, r := range slices.Backward(s.journal.Files) {
		if !chosen(Recorded{r.Path, r.For}) {
			continue
		}
		one, problem, err := s.planOne(r, discard, planned)
		if err != nil {
			return nil, err
		}
		if problem != nil {
			edited = append(edited, *problem)
			continue
		}
		list = append(list, one)
		planned[one.real] = one.after
	}
	if len(edited) > 0 {
		slices.Reverse(edited)
		return nil, &EditedError{edited}
	}
	return list, nil
}

// planOne finds out what has to be done to put one file back.
func (s *Store) planOne(r record, discard bool, planned map[string]contents) (one restoration, problem *Edited, err error) {
	// A link of ours is looked at itself. What others put a link in the place of is where that leads.
	host, real, err := s.resolve(r.Path, !r.isLink())
	if err != nil {
		return one, &Edited{Path: r.Path, Err: err}, nil
	}
	one = restoration{change: change{path: host, real: real, owner: r.For}, recorded: r.Path}
	if real != s.real(r.Path) {
		one.link = s.real(r.Path)
	}
	var known bool
	if one.before, known = planned[real]; !known {
		if one.before, err = capture(real); err != nil && !errors.Is(err, errOther) {
			return one, &Edited{Path: r.Path, Err: err}, nil
		}
	}
	now := one.before
	one.edited = r.edited(now.state)
	if one.link == "" && !one.edited {
		one.whole = true
		one.after, err = s.kept(r.Original)
		return one, nil, orFinding(r.Path, err)
	}
	if one.after, err = s.without(r, now); err == nil {
		one.keep = one.edited && (one.after.Kind != kindFile || !isText(one.after.data))
		return one, nil, nil
	}
	if !discard {
		text, diffErr := s.edits(r, now)
		return one, &Edited{Path: r.Path, Err: err, Diff: text}, diffErr
	}
	one.whole, one.keep = true, true
	one.after, err = s.kept(r.Original)
	return one, nil, orFinding(r.Path, err)
}

func orFinding(path string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("finding the original of %s: %w", path, err)
}

// without is what others made of a file, without what was written into it.
func (s *Store) without(r record, now contents) (contents, error) {
	if now.Kind != kindFile || r.isLink() {
		return now, nil // nothing of it is there any more
	}
	original, err := s.kept(r.Original)
	if err != nil {
		return now, err
	}
	if now.same(r.Original) {
		return original, nil
	}
	written := contents{state: r.Original}
	if len(r.Written) > 0 {
		written.state = r.Written[len(r.Written)-1]
	}
	if written, err = s.kept(written.state); err != nil && !errors.Is(err, fs.ErrNotExist) { // only texts are kept
		return now, err
	}
	return s.invert(Recorded{r.Path, r.For}, original, written, now)
}

// invert asks for the inverse of one change of a file, given what the file is now.
func (s *Store) invert(f Recorded, original, written, now contents) (contents, error) {
	if now.Kind != kindFile {
		return now, nil
	}
	if now.same(written.state) && original.Kind != kindLink {
		now.data, now.Digest, now.Kind = original.data, original.Digest, original.Kind
		return now, nil
	}
	if s.inverse == nil {
		return now, errNoInverse
	}
	result, err := s.inverse(f, original.data, written.data, now.data)
	switch {
	case err != nil:
		return now, err
	case result == nil:
		return contents{state: state{Kind: kindAbsent}}, nil
	}
	now.data, now.Digest = result, digest(result)
	return now, nil
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
// A file that others changed since loses what was written into it, and keeps all else; if nothing of it is there any more, the file is left
// alone. What is removed although others wrote it is kept below StateDir, in edited. If some file cannot be undone so, Restore changes nothing and
// returns an *EditedError, unless discard says that the original is to be put over it: then the edited file is kept, too.
//
// A file that cannot be written keeps no other from being put back: the *LeftError names it, and it stays in the journal.
func (s *Store) Restore(chosen func(Recorded) bool, discard bool) ([]Change, error) {
	list, err := s.planRestore(chosen, discard)
	if err != nil {
		return nil, err
	}
	var left LeftError
	for _, r := range list {
		if err := s.restore(r); err != nil {
			left.add(r.recorded, err)
		}
	}
	list = slices.DeleteFunc(list, func(r restoration) bool { return left.Has(r.recorded) })
	var problem error
	if s.journal.Directories, problem = s.removeDirs(s.journal.Directories); len(left.Files) > 0 {
		problem = nil // what is left is in there
	}
	s.journal.Files = slices.DeleteFunc(s.journal.Files, func(r record) bool { return chosen(Recorded{r.Path, r.For}) && !left.Has(r.Path) })
	return restored(list), errors.Join(left.orNil(), problem, s.writeJournal())
}

func (s *Store) restore(r restoration) error {
	if err := s.remove(temporary(r.real)); err != nil {
		return err
	}
	if r.before.same(r.after.state) {
		return nil
	}
	if r.keep && r.before.Kind == kindFile {
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
	if r.after.Kind == kindAbsent && r.link != "" {
		if err := s.removeLink(r.link); err != nil {
			return err
		}
	}
	if r.after.Kind != kindAbsent {
		if _, err := s.makeDirs(missing(filepath.Dir(r.real)), 0o755); err != nil {
			return err
		}
	}
	return s.place(r.real, r.after, r.whole)
}

// removeLink removes a symbolic link: what it leads to is not to be there any more, and engines do not start with one that leads nowhere.
func (s *Store) removeLink(path string) error {
	if now, err := capture(path); err != nil || now.Kind != kindLink {
		return err
	}
	return s.remove(path)
}
