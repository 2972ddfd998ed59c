// SPDX-License-Identifier: Apache-2.0

package hostfile

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// Recorded is a file in the journal.
type Recorded struct {
	Path string // as the host sees it, without symbolic links
	For  string // component that the file belongs to
}

// Recorded returns the files that Restore can restore, in the order of their first writing.
func (s *Store) Recorded() []Recorded {
	var list []Recorded
	for _, r := range s.journal.Files {
		list = append(list, Recorded{r.Path, r.For})
	}
	return list
}

// Undone returns the contents that Restore would leave in a file, nil if it would remove the file. It returns false if
// the file is not in the journal.
func (s *Store) Undone(path string, discard bool) (data []byte, recorded bool, err error) {
	_, real, err := s.resolve(path, true)
	if err != nil {
		return nil, false, err
	}
	list, left, err := s.planRestore(func(r Recorded) bool {
		_, at, err := s.resolve(r.Path, true)
		return err == nil && at == real
	}, discard)
	if err == nil {
		err = left.orNil()
	}
	if err != nil || len(list) == 0 {
		return nil, false, err
	}
	return list[len(list)-1].after.data, true, nil
}

// Outcome returns the contents that Restore would leave in the chosen files, by path without symbolic links; nil for no
// file. The error is a *LeftError if some of them cannot be restored.
func (s *Store) Outcome(chosen func(Recorded) bool, discard bool) (map[string][]byte, error) {
	list, left, err := s.planRestore(chosen, discard)
	if err == nil {
		err = left.orNil()
	}
	if err != nil {
		return nil, err
	}
	files := make(map[string][]byte)
	for _, r := range list {
		files[r.path] = nil
		if r.after.Kind == kindFile {
			files[r.path] = append([]byte{}, r.after.data...)
		}
	}
	return files, nil
}

// EditedError lists files that were edited so that the contents written by Apply cannot be removed from them.
type EditedError struct {
	Files []Edited
}

var errNoInverse = errors.New("its format is unknown")

// Edited is a file that was edited after it was written.
type Edited struct {
	Path string
	Err  error  // names the lines that are in the way
	Diff string // a unified diff from the written to the current contents, or a sentence if either is not text
}

func (e *EditedError) Error() string {
	var parts []string
	for _, f := range e.Files {
		parts = append(parts, fmt.Sprintf("%s: %v", f.Path, f.Err))
	}
	return "changed since the installation and cannot be restored: " + strings.Join(parts, "; ")
}

// restoration is a change that restores a file.
type restoration struct {
	change
	recorded string // its path in the journal
	edited   bool   // edited since it was written
	whole    bool   // the original is restored, with its times
	keep     bool   // keep a copy of the edits, which would be lost
	link     string // path of a new symbolic link to the file, which is removed with it
	lost     error  // why the file cannot be restored
}

// PlanRestore returns the changes that Restore would make. The error is a *LeftError if originals were lost.
func (s *Store) PlanRestore(chosen func(Recorded) bool, discard bool) ([]Change, error) {
	list, left, err := s.planRestore(chosen, discard)
	if err != nil {
		return nil, err
	}
	return restored(list), left.orNil()
}

// restored returns the changes, including edited files that need none.
func restored(list []restoration) []Change {
	var changes []Change
	for _, r := range list {
		same := r.before.same(r.after.state)
		if same && !r.edited {
			continue
		}
		c := public([]change{r.change})[0]
		c.Edited = r.edited && !r.whole
		if same {
			c = Change{Path: c.Path, For: c.For, Action: Leave, Edited: true}
		}
		changes = append(changes, c)
	}
	return changes
}

// planRestore plans the chosen files, most recently written first.
// left lists the files whose originals were lost.
func (s *Store) planRestore(chosen func(Recorded) bool, discard bool) ([]restoration, *LeftError, error) {
	var list []restoration
	left := new(LeftError)
	var edited []Edited
	planned := make(map[string]contents) // by real path: symbolic links can make two paths of the journal one file
	for _, r := range slices.Backward(s.journal.Files) {
		if !chosen(Recorded{r.Path, r.For}) {
			continue
		}
		one, problem := s.planOne(r, discard, planned)
		if problem != nil {
			edited = append(edited, *problem)
			continue
		}
		if one.lost != nil {
			left.Add(Left{r.Path, one.lost})
			continue
		}
		list = append(list, one)
		planned[one.real] = one.after
	}
	if len(edited) > 0 {
		slices.Reverse(edited)
		return nil, nil, &EditedError{edited}
	}
	return list, left, nil
}

// planOne plans how to restore one file.
func (s *Store) planOne(r record, discard bool, planned map[string]contents) (one restoration, problem *Edited) {
	// A link of ours is examined itself. A link that replaced a file of ours is followed. Its directory may have moved
	// and left a link.
	_, link, err := s.resolve(r.Path, false)
	host, real := "", ""
	if err == nil {
		host, real, err = s.resolve(r.Path, !r.isLink())
	}
	if err != nil {
		return one, &Edited{Path: r.Path, Err: err}
	}
	one = restoration{change: change{path: host, real: real, owner: r.For}, recorded: r.Path}
	if real != link {
		one.link = link
	}
	var known bool
	if one.before, known = planned[real]; !known {
		if one.before, err = capture(real); err != nil && !errors.Is(err, errOther) {
			return one, &Edited{Path: r.Path, Err: err}
		}
	}
	now := one.before
	one.edited = r.edited(now.state)
	original, damage := s.kept(r.Original)
	if damage != nil {
		one.lost = s.lost(r, now, damage)
		one.after = now
		return one, nil
	}
	if one.link == "" && !one.edited {
		one.whole = true
		one.after = original.owned(now)
		return one, nil
	}
	if one.after, err = s.without(r, now); err == nil {
		replaced := one.after.Kind == kindFile && one.after.same(r.Original) && !isText(one.after.data)
		one.keep = one.edited && (one.after.Kind != kindFile || replaced)
		return one, nil
	}
	if !discard {
		return one, &Edited{Path: r.Path, Err: err, Diff: s.edits(r, now)}
	}
	one.whole, one.keep = true, true
	one.after = original
	return one, nil
}

// lost returns an error about a file whose original was lost, unless nothing of ours is left in the file.
func (s *Store) lost(r record, now contents, damage error) error {
	if now.Kind != kindFile || r.isLink() || now.same(r.Original) {
		return nil
	}
	if s.inverse != nil && r.edited(now.state) {
		result, err := s.inverse(Recorded{r.Path, r.For}, nil, nil, now.data)
		if err == nil && result != nil && string(result) == string(now.data) {
			return nil
		}
	}
	return fmt.Errorf("restoring %s: its original was lost: %w; put that back, or take runc-trace out of the file by hand",
		r.Path, damage)
}

// without returns the current contents of an edited file, without the contents that Apply wrote.
func (s *Store) without(r record, now contents) (contents, error) {
	if now.Kind != kindFile || r.isLink() {
		return now, nil // nothing of ours is left
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
	written, _ = s.kept(written.state) // without contents if they were lost: only text is kept
	return s.invert(Recorded{r.Path, r.For}, original, written, now)
}

// invert calls the inverse for one change of a file, given the file's current contents.
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

// edits shows the edits of a file since it was written.
func (s *Store) edits(r record, now contents) string {
	written := contents{state: r.Original}
	if len(r.Written) > 0 {
		written.state = r.Written[len(r.Written)-1]
	}
	if kept, err := s.kept(written.state); err == nil {
		if text := unified(r.Path, kept, now); text != "" {
			return text
		}
	}
	return note(r.Path, written, now) // not text
}

// Restore restores the chosen files byte for byte to their state before the first Apply, with their times. A file that
// exists keeps its current mode, owner and attributes. It removes empty directories that were created for them. It
// returns the changes it made.
//
// An edited file loses only the contents that Apply wrote. If none of them are left, Restore leaves the file alone. If
// they cannot be removed from some file, Restore changes nothing and returns an *EditedError. If discard is set,
// Restore writes the original over that file instead. Edits that would be lost are kept below StateDir, in edited.
//
// If a file cannot be written, or its original was lost, the others are still restored. The *LeftError names it, and it
// stays in the journal.
func (s *Store) Restore(chosen func(Recorded) bool, discard bool) ([]Change, error) {
	list, left, err := s.planRestore(chosen, discard)
	if err != nil {
		return nil, err
	}
	for _, r := range list {
		if err := s.restore(r); err != nil {
			left.add(r.recorded, err)
		}
	}
	list = slices.DeleteFunc(list, func(r restoration) bool { return left.Has(r.recorded) })
	var problem error
	if s.journal.Directories, problem = s.removeDirs(s.journal.Directories); len(left.Files) > 0 {
		problem = nil // problem contains what is left
	}
	s.journal.Files = slices.DeleteFunc(s.journal.Files, func(r record) bool {
		return chosen(Recorded{r.Path, r.For}) && !left.Has(r.Path)
	})
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

// removeLink removes a symbolic link, because its target is about to be removed and engines do not start with a
// dangling link.
func (s *Store) removeLink(path string) error {
	if now, err := capture(path); err != nil || now.Kind != kindLink {
		return err
	}
	return s.remove(path)
}
