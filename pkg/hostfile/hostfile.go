// SPDX-License-Identifier: Apache-2.0

// Package hostfile changes files of a host so that they can be put back as they were, byte for byte, whatever happens in
// between: a crash at any point leaves every file either whole and new or whole and old, and a journal that knows both.
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

// StateDir is where the journal and the originals are kept, for root only. It is gone when everything is put back.
const StateDir = "/var/lib/runc-trace"

// ErrBusy says that another process has the store open.
var ErrBusy = errors.New("another install or uninstall is running: try again when it is done")

// File is a file as it shall be.
type File struct {
	Path string      // absolute, as the host sees it; where it is a symbolic link, what it leads to is meant
	Data []byte      // contents of a regular file
	Mode fs.FileMode // of a regular file that does not exist yet; one that does keeps its own
	Link string      // target of a symbolic link; then Data and Mode are not used, and a link that stands at Path is replaced
	For  string      // whom the file is for, by which it can be chosen when files are restored

	// Yields leaves a file alone that stands at Path and is not one that was written there before.
	Yields bool
	// Base says that the others need it: it is not taken back as long as one of them cannot be put back.
	Base bool
}

// Inverse takes out of a file what Apply put in, if others have changed the file since. original and written are its
// contents before and after that, now are its contents today. The result is the file as it shall be. nil stands for no
// file, and for contents that are no text. An error says which lines keep it from being done.
type Inverse func(file Recorded, original, written, now []byte) ([]byte, error)

// Store changes files below a root, one process at a time. Its zero value is not usable: Open gives one.
type Store struct {
	root    string
	dir     *os.File // of the state, locked; nil where the store is only looked at
	inverse Inverse
	journal journal
	undo    []change // of what was applied and is not committed
	before  journal  // the journal as it was then
	disk    disk
}

// disk is what tests put themselves in the place of.
type disk struct {
	step func(what string) error   // called before each single change; its error ends everything there, as a crash would
	sync func(file *os.File) error // waits until a file or directory is on the disk
}

// Open opens the store of a host whose files stand below root: "/" but for images and tests. It makes StateDir, and
// refuses with ErrBusy if another process has it open. Close is to be called.
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
		s.dir.Close()
		return nil, err
	}
	s.journal.add(s.hostPaths(made[:max(0, len(made)-1)]))
	return s, nil
}

// View gives a store that can be asked, but changes nothing, not even StateDir.
func View(root string, inverse Inverse) (*Store, error) {
	s := &Store{root: root, inverse: inverse, disk: disk{step: func(what string) error { return fmt.Errorf("%s: the store was opened to be looked at", what) }}}
	var err error
	s.journal, err = s.readJournal()
	return s, err
}

// Close lets others open the store. What was applied and neither committed nor rolled back stays as it is, as after a crash.
func (s *Store) Close() error {
	if s.dir == nil {
		return nil
	}
	err := s.tidy()
	return errors.Join(err, s.dir.Close())
}

// lock locks a directory until it is closed.
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
		// Whoever held the lock may have removed the directory before letting go.
		var opened, found os.FileInfo
		if opened, err = dir.Stat(); err == nil {
			if found, err = os.Stat(path); errors.Is(err, fs.ErrNotExist) || err == nil && !os.SameFile(opened, found) {
				err = ErrBusy
			}
		}
	}
	if err != nil {
		dir.Close()
		return nil, fmt.Errorf("locking %s: %w", path, err)
	}
	return dir, nil
}

// Plan tells what Apply would change. Files that are as they shall be are not among it.
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
		} else if before.Kind == kindFile {
			after.Mode, after.UID, after.GID, after.Xattrs = before.Mode, before.UID, before.GID, before.Xattrs
		}
		if !before.same(after.state) {
			changes = append(changes, change{path: host, real: real, owner: f.For, base: f.Base, before: before, after: after})
		}
	}
	return changes, nil
}

// foreign says whether what is at a path was not written there by Apply.
func (s *Store) foreign(host string, now state) bool {
	r := s.journal.find(host)
	return now.Kind != kindAbsent && (r == nil || !slices.ContainsFunc(r.Written, now.same))
}

// Foreign are the paths of the files that Apply leaves alone since something else stands there.
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

// state is a file's own, as far as it does not depend on what stands at its path.
func (f File) state() state {
	if f.Link != "" {
		return state{Kind: kindLink, Link: f.Link}
	}
	return state{Kind: kindFile, Digest: digest(f.Data), Mode: uint32(f.Mode.Perm())}
}

// Apply makes files what they shall be, in their order, and tells what it changed. Before the first one is touched the
// journal knows what was there. If one cannot be written, what was applied since the last Commit is rolled back, and
// the error says what is left of it; see Rollback.
//
// A file that others changed since it was last written is written all the same. What comes back later is what they made
// of it, without what was put in before.
func (s *Store) Apply(files []File) ([]Change, error) {
	changes, err := s.plan(files)
	if err == nil {
		err = s.apply(changes)
	}
	if err == nil {
		return public(changes), nil
	}
	if problem := s.Rollback(); problem != nil {
		return nil, fmt.Errorf("%w; putting everything back failed, too: %w", err, problem)
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

// Begin makes the journal as it is now what a Rollback goes back to, marks included, unless something is to be rolled back already. Apply
// begins by itself.
func (s *Store) Begin() {
	if s.undo == nil {
		s.before, s.undo = s.journal.clone(), []change{}
	}
}

// record enters a change into the journal, and keeps what the journal speaks of.
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
			return nil // it stays known as edited, and as what cannot be undone
		}
		if err := s.keep(original); err != nil {
			return err
		}
		r.Original, r.Written = original.state, nil
	}
	if len(c.after.data) < textMax {
		if err := s.keep(c.after); err != nil { // to be taken out of what others make of it
			return err
		}
	}
	r.Written = append(r.Written, c.after.state)
	return nil
}

// Commit makes what was applied the state to which a later Rollback goes back.
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

// Rollback puts back, last one first, what was applied since the last Commit. It goes on past what it cannot put back. That stays in
// the journal, together with what it needs, for Restore to put it back, and is what the *LeftError names.
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
		return s.place(c.real, c.before, true)
	}
	// Somebody has changed it meanwhile.
	result, err := s.invert(Recorded{c.path, c.owner}, c.before, c.after, now)
	if err != nil || result.same(now.state) {
		return err
	}
	return s.place(c.real, result, false)
}

// resolve gives the path of a file as the host sees it, without symbolic links, and where it is below the root. The last
// component is followed if follow says so.
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

// real is where a path of the journal is, which leads through no symbolic link.
func (s *Store) real(host string) string { return filepath.Join(s.root, host) }

// hostPaths are paths as the host sees them.
func (s *Store) hostPaths(real []string) []string {
	host := make([]string, len(real))
	for i, path := range real {
		relative, err := filepath.Rel(s.root, path)
		if err != nil {
			panic(err) // both are absolute, or both are not
		}
		host[i] = filepath.Join("/", relative)
	}
	return host
}

// missing are the directories that do not exist on the way to one, and itself, outermost first.
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
