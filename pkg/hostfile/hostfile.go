// SPDX-License-Identifier: Apache-2.0

// Package hostfile changes files of a host and can restore them byte for byte. After a crash at any point, every file
// is whole, either old or new, and a journal knows both versions.
package hostfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	securejoin "github.com/cyphar/filepath-securejoin"
	"golang.org/x/sys/unix"
)

// StateDir holds the journal and the originals, readable by root only. It is removed when everything is restored.
const StateDir = "/var/lib/runc-trace"

// ErrBusy says that another process has the store open.
var ErrBusy = errors.New("another install or uninstall is running: try again later")

// File is a file as it should be.
type File struct {
	Path string      // absolute, as the host sees it; symbolic links are followed, hard links are refused
	Data []byte      // contents of a regular file
	Mode fs.FileMode // of a new regular file; an existing one keeps its own
	Link string      // target of a symbolic link, which replaces a link at Path; Data and Mode are then unused
	For  string      // component that the file belongs to, by which Restore selects files

	// If Yields is set, a file at Path that Apply did not write is left alone.
	Yields bool
	// Base says that other files need this one: it is not taken back as long as one of them cannot be restored.
	Base bool
}

// Inverse removes Apply's changes from a file that was edited since. original and written are the file's contents
// before and after Apply, now are its current contents. It returns the new contents. nil stands for no file and for
// contents that are not text. An error names the lines that prevent the removal.
type Inverse func(file Recorded, original, written, now []byte) ([]byte, error)

// Store changes files below a root. One process at a time can open it. The zero value is not usable: see Open.
type Store struct {
	root    string
	dir     *os.File // the state directory, locked; nil if the store is read-only
	inverse Inverse
	journal journal
	undo    []change // changes that were applied and not committed
	before  journal  // the journal before these changes
	disk    disk
}

// disk holds the operations that tests replace.
type disk struct {
	step func(what string) error   // called before each change; an error stops everything, like a crash
	sync func(file *os.File) error // waits until a file or directory is on the disk
}

// Open opens the store of the host whose files are below root, "/" except for images and tests. It creates StateDir.
// If another process has the store open, it returns ErrBusy. The caller has to call Close.
func Open(root string, inverse Inverse) (*Store, error) {
	return open(root, inverse, disk{func(string) error { return nil }, (*os.File).Sync})
}

func open(root string, inverse Inverse, d disk) (*Store, error) {
	s := &Store{root: root, inverse: inverse, disk: d}
	_, path, err := s.resolve(StateDir, true)
	if err != nil {
		return nil, err
	}
	made, err := s.makeDirs(missing(path), 0o700)
	if err != nil {
		return nil, fmt.Errorf("making the directory of the journal: %w", err)
	}
	if s.dir, err = lock(path); err != nil {
		return nil, err
	}
	if s.journal, err = s.readJournal(); err != nil {
		unlock(s.dir)
		return nil, err
	}
	s.journal.add(s.hostPaths(made[:max(0, len(made)-1)]))
	return s, nil
}

// View returns a read-only store. It does not create StateDir.
func View(root string, inverse Inverse) (*Store, error) {
	s := &Store{root: root, inverse: inverse, disk: disk{step: func(what string) error {
		return fmt.Errorf("%s: the store was opened read-only", what)
	}}}
	var err error
	s.journal, err = s.readJournal()
	return s, err
}

// Close lets others open the store. Changes that were neither committed nor rolled back stay, as after a crash.
func (s *Store) Close() error {
	if s.dir == nil {
		return nil
	}
	err := s.tidy()
	return errors.Join(err, unlock(s.dir))
}

// unlock unlocks a directory and closes it. Closing alone is not enough: a process that another goroutine has just
// forked may still have the descriptor open.
func unlock(dir *os.File) error {
	return errors.Join(unix.Flock(int(dir.Fd()), unix.LOCK_UN), dir.Close())
}

// lock locks a directory.
func lock(path string) (*os.File, error) {
	dir, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("opening the directory of the journal: %w", err)
	}
	err = unix.Flock(int(dir.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		err = ErrBusy
	}
	if err == nil {
		// The last holder of the lock may have removed the directory before releasing it.
		var opened, found os.FileInfo
		if opened, err = dir.Stat(); err == nil {
			if found, err = os.Stat(path); errors.Is(err, fs.ErrNotExist) || err == nil && !os.SameFile(opened, found) {
				err = ErrBusy
			}
		}
	}
	if err != nil {
		unlock(dir)
		return nil, fmt.Errorf("locking %s: %w", path, err)
	}
	return dir, nil
}

// Plan returns the changes that Apply would make. It omits files that need none.
func (s *Store) Plan(files []File) ([]Change, error) {
	changes, err := s.plan(files)
	return public(changes), err
}

func (s *Store) plan(files []File) ([]change, error) {
	var changes []change
	for _, f := range files {
		host, real, err := s.resolve(f.Path, f.Link == "")
		if err != nil {
			return nil, err
		}
		before, err := capture(real)
		if f.Yields && errors.Is(err, errOther) {
			continue
		}
		if err != nil {
			return nil, explain("reading", host, err)
		}
		if f.Yields && s.foreign(host, before.state) {
			continue
		}
		after := contents{state: f.state(), data: f.Data}
		if f.Link != "" {
			after.data = nil
		}
		after = after.owned(before)
		if !before.same(after.state) {
			if before.links > 1 && s.journal.find(host) == nil {
				return nil, fmt.Errorf("writing %s: it has %d hard links, and the others would keep the old contents; "+
					"make it a file of its own: cp -a %s %s.new && mv %s.new %s", host, before.links, host, host, host, host)
			}
			changes = append(changes, change{path: host, real: real, owner: f.For, base: f.Base, before: before, after: after})
		}
	}
	return changes, nil
}

// foreign reports whether the file at a path was not written by Apply.
func (s *Store) foreign(host string, now state) bool {
	r := s.journal.find(host)
	return now.Kind != kindAbsent && (r == nil || !slices.ContainsFunc(r.Written, now.same))
}

// Foreign returns the paths of the files that Apply would leave alone because a foreign file is in their place.
func (s *Store) Foreign(files []File) ([]string, error) {
	var paths []string
	for _, f := range files {
		if !f.Yields {
			continue
		}
		host, real, err := s.resolve(f.Path, f.Link == "")
		if err != nil {
			return nil, err
		}
		now, err := capture(real)
		if err != nil || s.foreign(host, now.state) && !now.same(f.state()) {
			paths = append(paths, f.Path)
		}
	}
	return paths, nil
}

// state returns the part of a file's state that does not depend on the file at its path.
func (f File) state() state {
	if f.Link != "" {
		return state{Kind: kindLink, Link: f.Link}
	}
	return state{Kind: kindFile, Digest: digest(f.Data), Mode: uint32(f.Mode.Perm())}
}

// Apply writes files in order, and returns the changes it made. The journal records the previous state before the
// first file is touched. If a file cannot be written, Apply rolls back to the last Commit, and the error names what
// could not be rolled back; see Rollback.
//
// Apply also writes a file that was edited since the last Apply. Restore later brings back the edited version, without
// the earlier changes of Apply.
func (s *Store) Apply(files []File) ([]Change, error) {
	changes, err := s.plan(files)
	if err == nil {
		err = s.apply(changes)
	}
	if err == nil {
		return public(changes), nil
	}
	if problem := s.Rollback(); problem != nil {
		return nil, fmt.Errorf("%w; restoring everything failed, too: %w", err, problem)
	}
	return nil, err
}

func (s *Store) apply(changes []change) error {
	if len(changes) == 0 {
		return nil
	}
	s.Begin()
	var missed []string
	for _, c := range changes {
		missed = append(missed, missing(filepath.Dir(c.real))...)
		if err := s.record(c); err != nil {
			return err
		}
	}
	s.journal.add(s.hostPaths(missed))
	if err := s.writeJournal(); err != nil {
		return err
	}
	for _, c := range changes {
		s.undo = append(s.undo, c)
		_, err := s.makeDirs(missing(filepath.Dir(c.real)), 0o755)
		if err == nil {
			err = s.place(c.real, c.after, false)
		}
		if err != nil {
			return explain("writing", c.path, err)
		}
	}
	return nil
}

// Begin marks the current journal, including its marks, as the state to which Rollback returns, unless there are
// already changes to roll back. Apply calls Begin itself.
func (s *Store) Begin() {
	if s.undo == nil {
		s.before, s.undo = s.journal.clone(), []change{}
	}
}

// record enters a change into the journal, and keeps the contents to which the journal refers.
func (s *Store) record(c change) error {
	r := s.journal.find(c.path)
	if r == nil {
		if err := s.keep(c.before); err != nil {
			return err
		}
		s.journal.Files = append(s.journal.Files, record{Path: c.path, For: c.owner, Original: c.before.state})
		r = &s.journal.Files[len(s.journal.Files)-1]
	} else if r.edited(c.before.state) {
		original, err := s.without(*r, c.before)
		if err != nil {
			return nil // stays recorded as edited, and as irreversible
		}
		if err := s.keep(original); err != nil {
			return err
		}
		r.Original, r.Written = original.state, nil
	}
	if len(c.after.data) < textMax {
		if err := s.keep(c.after); err != nil { // needed for removing it from a later edit
			return err
		}
	}
	r.Written = append(r.Written, c.after.state)
	return nil
}

// Commit makes the current state the one to which a later Rollback returns.
func (s *Store) Commit() error {
	if s.undo == nil {
		return nil
	}
	for _, c := range s.undo {
		if r := s.journal.find(c.path); len(r.Written) > 1 {
			r.Written = r.Written[len(r.Written)-1:]
		}
	}
	s.undo = nil
	return s.writeJournal()
}

// Rollback undoes all changes since the last Commit, in reverse order. It goes on past files that it cannot restore.
// These stay in the journal together with the files that they need, so that Restore can try again, and *LeftError
// names them.
func (s *Store) Rollback() error {
	if s.undo == nil {
		return nil
	}
	var left LeftError
	var stayed []string
	for _, c := range slices.Backward(s.undo) {
		if c.base && len(left.Files) > 0 {
			stayed = append(stayed, c.path)
		} else if err := s.takeBack(c); err != nil {
			left.add(c.path, err)
			stayed = append(stayed, c.path)
		}
	}
	s.undo = nil
	stay, _ := s.removeDirs(s.journal.Directories[min(len(s.before.Directories), len(s.journal.Directories)):])
	journal := s.before.clone()
	if len(stayed) > 0 {
		journal.Marks = s.journal.Marks
		journal.add(stay)
	}
	for _, path := range stayed {
		journal.put(*s.journal.find(path))
	}
	s.journal = journal
	return errors.Join(left.orNil(), s.writeJournal())
}

// takeBack undoes one change, if it was made.
func (s *Store) takeBack(c change) error {
	if err := s.remove(temporary(c.real)); err != nil {
		return err
	}
	now, err := capture(c.real)
	if err != nil || now.same(c.before.state) {
		return err
	}
	if now.same(c.after.state) {
		return s.place(c.real, c.before.owned(now), true)
	}
	// The file was edited in the meantime.
	result, err := s.invert(Recorded{c.path, c.owner}, c.before, c.after, now)
	if err != nil || result.same(now.state) {
		return err
	}
	return s.place(c.real, result, false)
}

// resolve returns the path of a file as the host sees it, without symbolic links, and its path below the root. It
// follows a link in the last component only if follow is set.
func (s *Store) resolve(path string, follow bool) (host, real string, err error) {
	if !filepath.IsAbs(path) {
		return "", "", fmt.Errorf("path %q is not absolute", path)
	}
	dir, base := path, ""
	if !follow {
		dir, base = filepath.Dir(path), filepath.Base(path)
	}
	if real, err = securejoin.SecureJoin(s.root, dir); err != nil {
		return "", "", fmt.Errorf("following %q: %w", path, err)
	}
	real = filepath.Join(real, base)
	return s.hostPaths([]string{real})[0], real, nil
}

// hostPaths converts paths to how the host sees them.
func (s *Store) hostPaths(real []string) []string {
	host := make([]string, len(real))
	for i, path := range real {
		relative, err := filepath.Rel(s.root, path)
		if err != nil {
			panic(err) // impossible: both are absolute, or both are relative
		}
		host[i] = filepath.Join("/", relative)
	}
	return host
}

// missing returns the directories that have to be created for dir, including dir, outermost first.
func missing(dir string) []string {
	var dirs []string
	for {
		if _, err := os.Lstat(dir); !errors.Is(err, fs.ErrNotExist) {
			slices.Reverse(dirs)
			return dirs
		}
		dirs = append(dirs, dir)
		dir = filepath.Dir(dir)
	}
}
