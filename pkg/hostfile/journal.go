// SPDX-License-Identifier: Apache-2.0

package hostfile

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/runc-trace/runc-trace/pkg/regular"
)

// journalVersion is increased whenever an older tracectl would misread a journal.
const journalVersion = 1

// journal records every path that was changed. It is written before the change itself.
type journal struct {
	Version     int      `json:"version"`
	Files       []record `json:"files"`       // in the order of their first writing
	Directories []string `json:"directories"` // created for the files, outermost first

	Marks map[string]time.Time `json:"marks,omitempty"`
	Notes map[string]string    `json:"notes,omitempty"`
}

// record is a file of the journal.
type record struct {
	Path     string  `json:"path"` // without symbolic links
	For      string  `json:"for,omitempty"`
	Original state   `json:"original"`
	Written  []state `json:"written"` // possible current states: more than one after a crash
}

// edited reports whether a file was edited since it was recorded.
func (r *record) edited(now state) bool {
	return !now.same(r.Original) && !slices.ContainsFunc(r.Written, now.same)
}

// isLink reports whether a symbolic link was written.
func (r *record) isLink() bool {
	return len(r.Written) > 0 && r.Written[len(r.Written)-1].Kind == kindLink
}

func (j *journal) find(path string) *record {
	for i := range j.Files {
		if j.Files[i].Path == path {
			return &j.Files[i]
		}
	}
	return nil
}

// put enters a record. It replaces an existing record of the same path.
func (j *journal) put(r record) {
	if present := j.find(r.Path); present != nil {
		*present = r
		return
	}
	j.Files = append(j.Files, r)
}

// add enters created directories.
func (j *journal) add(directories []string) {
	for _, dir := range directories {
		if !slices.Contains(j.Directories, dir) {
			j.Directories = append(j.Directories, dir)
		}
	}
}

func (j *journal) clone() journal {
	c := journal{Version: j.Version, Files: slices.Clone(j.Files), Directories: slices.Clone(j.Directories),
		Marks: maps.Clone(j.Marks), Notes: maps.Clone(j.Notes)}
	for i := range c.Files {
		c.Files[i].Written = slices.Clone(c.Files[i].Written)
	}
	return c
}

// Mark stores a time under a name in the journal, until all files are restored. It is written with the next change.
func (s *Store) Mark(name string, t time.Time) {
	if s.journal.Marks == nil {
		s.journal.Marks = make(map[string]time.Time)
	}
	s.journal.Marks[name] = t
}

// Unmark removes a mark.
func (s *Store) Unmark(name string) { delete(s.journal.Marks, name) }

// Marked returns the time stored by Mark.
func (s *Store) Marked(name string) (time.Time, bool) {
	t, ok := s.journal.Marks[name]
	return t, ok
}

// Note stores a text under a name in the journal, also if the journal has no files. An empty text removes the note.
// Note writes the journal at once.
func (s *Store) Note(name, text string) error {
	if s.journal.Notes[name] == text {
		return nil
	}
	if s.journal.Notes == nil {
		s.journal.Notes = make(map[string]string)
	}
	s.journal.Notes[name] = text
	if text == "" {
		delete(s.journal.Notes, name)
	}
	return s.writeJournal()
}

// Noted returns the text stored by Note, "" if there is none.
func (s *Store) Noted(name string) string { return s.journal.Notes[name] }

// Empty reports whether the journal has no files and no notes.
func (s *Store) Empty() bool { return len(s.journal.Files) == 0 && len(s.journal.Notes) == 0 }

// statePath returns the path of a file of the store.
func (s *Store) statePath(elements ...string) (string, error) {
	_, path, err := s.resolve(StateDir, true)
	return filepath.Join(append([]string{path}, elements...)...), err
}

const (
	journalName = "journal.json"
	keptName    = "files"  // contents to which the journal refers, by digest
	editedName  = "edited" // copies of edited files that were replaced
)

func (s *Store) readJournal() (journal, error) {
	j := journal{Version: journalVersion}
	path, err := s.statePath(journalName)
	if err != nil {
		return j, err
	}
	text, err := regular.Read(path, regular.Text)
	if errors.Is(err, fs.ErrNotExist) {
		return j, nil
	}
	if err != nil {
		return j, fmt.Errorf("reading the journal: %w", err)
	}
	if err := json.Unmarshal(text, &j); err != nil {
		return j, fmt.Errorf("reading the journal %s: %w", path, err)
	}
	if j.Version != journalVersion {
		return j, fmt.Errorf("the journal %s has version %d, but this tracectl needs %d: use the tracectl that wrote it", path, j.Version, journalVersion)
	}
	return j, nil
}

func (s *Store) writeJournal() error {
	text, err := json.MarshalIndent(s.journal, "", "  ")
	if err != nil {
		return fmt.Errorf("encoding the journal: %w", err)
	}
	path, err := s.statePath(journalName)
	if err != nil {
		return err
	}
	err = s.place(path, contents{state: state{Kind: kindFile, Mode: 0o600, UID: os.Geteuid(), GID: os.Getegid()},
		data: append(text, '\n')}, false)
	if err != nil {
		return explain("writing", filepath.Join(StateDir, journalName), err)
	}
	return nil
}

// keep stores contents by their digest, for kept.
func (s *Store) keep(c contents) error {
	if c.Kind != kindFile {
		return nil
	}
	path, err := s.statePath(keptName, c.Digest)
	if err != nil {
		return err
	}
	if present, err := capture(path); err == nil && present.Digest == c.Digest {
		return nil
	}
	if _, err := s.makeDirs(missing(filepath.Dir(path)), 0o700); err != nil {
		return err
	}
	err = s.place(path, contents{state: state{Kind: kindFile, Mode: 0o600, UID: os.Geteuid(), GID: os.Getegid()},
		data: c.data}, false)
	if err != nil {
		return explain("saving an original below", StateDir, err)
	}
	return nil
}

// kept returns the contents that keep stored for a state.
func (s *Store) kept(of state) (contents, error) {
	c := contents{state: of}
	if of.Kind != kindFile {
		return c, nil
	}
	path, err := s.statePath(keptName, of.Digest)
	if err != nil {
		return c, err
	}
	data, err := regular.Read(path, regular.Program)
	if err == nil && digest(data) != of.Digest {
		err = fmt.Errorf("%s was changed", path)
	}
	if err == nil {
		c.data = data
	}
	return c, err
}

// tidy removes contents to which the journal does not refer. If the journal is empty, tidy removes it and its
// directory.
func (s *Store) tidy() error {
	dir, err := s.statePath()
	if err != nil {
		return err
	}
	used := make(map[string]bool)
	for _, r := range s.journal.Files {
		for _, state := range append(r.Written, r.Original) {
			used[state.Digest] = true
		}
	}
	kept, err := os.ReadDir(filepath.Join(dir, keptName))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, file := range kept {
		if !used[file.Name()] {
			if err := s.remove(filepath.Join(dir, keptName, file.Name())); err != nil {
				return err
			}
		}
	}
	if !s.Empty() {
		return nil
	}
	path := filepath.Join(dir, journalName)
	above, err := s.removeDirs(s.journal.Directories) // parents of StateDir stay
	if err != nil {
		return err
	}
	for _, name := range []string{temporary(path), path} {
		if err := s.remove(name); err != nil {
			return err
		}
	}
	own := s.hostPaths([]string{dir, filepath.Join(dir, keptName)})
	_, err = s.removeDirs(append(above, own...))
	return err
}
