// SPDX-License-Identifier: Apache-2.0

package answers

import (
	"cmp"
	"maps"
	"slices"

	"github.com/runc-trace/runc-trace/pkg/straceback"
	"github.com/runc-trace/runc-trace/pkg/syscalls"
)

// Files is what a container did with files.
type Files struct {
	past   *Past
	ending Ending
	Files  []*FileUse
	// Unknown is what was read and written by descriptors of which it is not known what they are: files, pipes or sockets.
	Unknown Use
	Covers  []Coverage
}

// FileUse is what was done with a file, or with a name that is none.
type FileUse struct {
	Path string // whole if that is known; hostile
	Cut  bool   // Path lacks its beginning
	// Names are others by which it was opened, such as those of symbolic links: the first ones.
	Names []string
	// RenamedTo and RenamedFrom are its last other names.
	RenamedTo, RenamedFrom string
	Use                    // of all processes
	Did                    map[Action]uint64
	Errors                 []ErrorTally // most frequent first
	By                     []*User      // those that moved most bytes first, then those with most calls
	First, Last            uint64       // start of its first and of its last call that is kept, in ns of CLOCK_BOOTTIME

	missing bool // as far as the last call tells
	did     map[kindOfAction]*actionCount
	by      map[*Process]*User
}

// Use sums up calls. Bytes and times are those of calls that are kept.
type Use struct {
	Calls, Failed uint64 // at least
	Read, Written uint64 // bytes
	Time          uint64 // ns in the calls
}

// User is what one process did.
type User struct {
	Process *Process
	Use
}

// kindOfAction is a kind of calls that did something.
type kindOfAction struct {
	outcome
	action Action
}

// actionCount counts calls of a kind.
type actionCount struct {
	repeats
	name string // of the call
	also bool   // the calls did something else before all, so that they are counted already
}

// FileOrder is what files are sorted by.
type FileOrder string

// The orders of files. All but FilesByPath begin with the largest; equal files are sorted by their paths.
const (
	FilesByBytes  FileOrder = "bytes"
	FilesByTime   FileOrder = "time"
	FilesByCalls  FileOrder = "calls"
	FilesByErrors FileOrder = "errors"
	FilesByLast   FileOrder = "last"
	FilesByPath   FileOrder = "path"
)

func (o FileOrder) compare(a, b *FileUse) int {
	by := 0
	switch o {
	case FilesByBytes:
		by = cmp.Or(cmp.Compare(b.moved(), a.moved()), cmp.Compare(b.Calls-b.Failed, a.Calls-a.Failed))
	case FilesByTime:
		by = cmp.Compare(b.Time, a.Time)
	case FilesByCalls:
		by = cmp.Compare(b.Calls, a.Calls)
	case FilesByErrors:
		by = cmp.Compare(b.Failed, a.Failed)
	case FilesByLast:
		by = cmp.Compare(b.Last, a.Last)
	}
	return cmp.Or(by, cmp.Compare(a.Path, b.Path))
}

func (u *Use) moved() uint64 { return u.Read + u.Written }

// Files says what the container did with files, by the calls that are selected.
func (p *Past) Files(selected Selected, order FileOrder) *Files {
	w := fileWalk{Files: &Files{past: p, ending: p.ending(), Covers: p.coverage("opens", "reads", "writes")},
		files: map[string]*FileUse{}, of: p.finder(), complete: p.Calls.Complete()}
	p.each(selected, w.call)
	for _, f := range w.files {
		f.sum()
		w.Files.Files = append(w.Files.Files, f)
	}
	slices.SortFunc(w.Files.Files, order.compare)
	return w.Files
}

// fileWalk puts together what calls did with files.
type fileWalk struct {
	*Files
	files    map[string]*FileUse // by fileKey
	of       func(pid uint32, at uint64) *Process
	complete uint64 // as of straceback.Calls

	// Of the call that is looked at:
	e       *straceback.Event
	process *Process // nil if it was not needed yet
	errno   int
}

// call learns from a call.
func (w *fileWalk) call(e *straceback.Event, name string, values []syscalls.Value) {
	c := &e.Call
	w.e, w.process, w.errno = e, nil, c.Errno()
	if has("EAGAIN EINTR", syscalls.ErrnoName(w.errno)) {
		return
	}
	if m, ok := movements[name]; ok {
		w.moves(m, transfers(c, values))
		return
	}
	action, known := actionOf[name]
	if !known {
		if action = Used; !takesPath(c.Syscall()) {
			return
		}
	}
	paths := pathsOf(values)
	if len(paths) == 0 {
		w.takes(action, values)
		return
	}
	switch last := paths[len(paths)-1]; action {
	case Opened:
		w.opens(paths[0], name)
	case Executed, Entered:
		w.did(w.resolved(paths[0]), action)
	case Renamed, Linked:
		w.renames(paths[0], last, action)
	case Created: // a symbolic link leads to what its first path names
		w.did(w.at(last), action)
	default:
		for _, path := range paths {
			f := w.at(path)
			w.did(f, action)
			f.missing = f.missing || action == Deleted && w.errno == 0
		}
	}
}

// pathsOf returns the paths among the arguments of a call, without those that are empty.
func pathsOf(values []syscalls.Value) (paths []syscalls.Descriptor) {
	for i := range values {
		v := &values[i]
		if path, ok := pathOf(v); ok && path != "" {
			paths = append(paths, syscalls.Descriptor{Path: path, Truncated: v.File != nil && v.File.Truncated})
		}
	}
	return paths
}

// fileKey returns what tells a file apart from others.
func fileKey(d syscalls.Descriptor) string {
	if d.Truncated {
		return "\x00" + d.Path // no path has a NUL
	}
	return d.Path
}

// at returns the file of a path.
func (w *fileWalk) at(d syscalls.Descriptor) *FileUse {
	f := w.files[fileKey(d)]
	if f == nil {
		f = &FileUse{Path: d.Path, Cut: d.Truncated, Did: map[Action]uint64{}, did: map[kindOfAction]*actionCount{},
			by: map[*Process]*User{}, First: w.e.Call.Time}
		w.files[fileKey(d)] = f
	}
	return f
}

// resolved returns the file to which a path led a call.
func (w *fileWalk) resolved(given syscalls.Descriptor) *FileUse {
	is, ok := w.e.Call.File()
	if !ok || is.Path == "" || is.Detached || w.errno != 0 {
		return w.at(given)
	}
	f := w.at(syscalls.Descriptor{Path: is.Path, Truncated: is.Truncated})
	const most = 8
	if given.Path != f.Path && len(f.Names) < most && !slices.Contains(f.Names, given.Path) {
		f.Names = append(f.Names, given.Path)
	}
	return f
}

// did counts the call as one that did something with a file, or failed to.
func (w *fileWalk) did(f *FileUse, action Action) {
	c := &w.e.Call
	u := w.user(f)
	u.Calls++
	if w.errno != 0 {
		u.Failed++
	}
	u.Time += c.Duration
	f.Time += c.Duration
	f.Last = c.Time
	f.missing = syscalls.ErrnoName(w.errno) == "ENOENT" || w.errno != 0 && f.missing
	w.count(f, action, false)
}

// also counts what the call did with a file besides.
func (w *fileWalk) also(f *FileUse, action Action) { w.count(f, action, true) }

func (w *fileWalk) count(f *FileUse, action Action, also bool) {
	c := &w.e.Call
	kind := kindOfAction{outcome{c.ABI, c.Nr, w.errno}, action}
	count := f.did[kind]
	if count == nil {
		count = &actionCount{name: string(c.AppendName(nil)), also: also}
		f.did[kind] = count
	}
	count.add(w.e)
}

// user returns what the process of the call did with a file.
func (w *fileWalk) user(f *FileUse) *User {
	if w.process == nil {
		w.process = w.of(w.e.Call.PID, w.e.Call.Time)
	}
	u := f.by[w.process]
	if u == nil {
		u = &User{Process: w.process}
		f.by[w.process] = u
	}
	return u
}

// opens learns from a call that opened a file, or failed to.
func (w *fileWalk) opens(path syscalls.Descriptor, name string) {
	const create, exclusive, truncate = 0o100, 0o200, 0o1000 // the same on all architectures
	named := w.files[fileKey(path)]
	missing := named != nil && named.missing && w.e.Call.Time >= w.complete
	f := w.resolved(path)
	w.did(f, Opened)
	flags := openFlags(&w.e.Call, name)
	if w.errno != 0 {
		return
	}
	switch {
	case flags&create == 0:
	case flags&exclusive != 0 || missing:
		w.also(f, Created)
	default:
		w.also(f, MaybeCreated)
	}
	if flags&truncate != 0 {
		w.also(f, Emptied)
	}
	if named != nil {
		named.missing = false
	}
}

// renames learns from a call that gives a file another name, or one more. If it failed, that may be for either name.
func (w *fileWalk) renames(from, to syscalls.Descriptor, action Action) {
	old, other := w.at(from), w.at(to)
	w.did(old, action)
	if w.errno != 0 {
		w.did(other, action)
		return
	}
	other.Last, other.missing = w.e.Call.Time, false
	w.user(other)
	if action == Linked {
		w.also(other, Created)
		return
	}
	w.also(other, Replaced)
	const exchange = 2 // RENAME_EXCHANGE
	old.RenamedTo, other.RenamedFrom = other.Path, old.Path
	old.missing = w.e.Call.Syscall().Name != "renameat2" || w.e.Call.Args[4]&exchange == 0
}

// takes learns from a call that takes the descriptor of a file.
func (w *fileWalk) takes(action Action, values []syscalls.Value) {
	if action == Looked || action == Used { // it tells nothing new of the descriptor
		return
	}
	i := slices.IndexFunc(values, func(v syscalls.Value) bool { return v.Kind == syscalls.KindFD })
	if i >= 0 && values[i].File != nil && values[i].File.Path != "" {
		w.did(w.at(*values[i].File), action)
	}
}

// moves learns from a call that moved bytes, or failed to.
func (w *fileWalk) moves(m movement, moved []transfer) {
	if w.errno != 0 {
		for i, arg := range []int{m.reads, m.writes} {
			if arg != nowhere {
				w.move(&transfer{fd: int32(w.e.Call.Args[arg]), writes: i == 1})
			}
		}
	}
	for i := range moved {
		w.move(&moved[i])
	}
}

func (w *fileWalk) move(t *transfer) {
	is := taken(&w.e.Call, t.fd)
	switch {
	case is == nil:
		w.Unknown.Calls++
		w.Unknown.count(t)
		return
	case is.Path == "": // a pipe or a socket
		return
	}
	action := Read
	if t.writes {
		action = Written
	}
	f := w.at(*is)
	w.did(f, action)
	f.count(t)
	w.user(f).count(t)
}

// count adds the bytes that a call moved.
func (u *Use) count(t *transfer) {
	if t.writes {
		u.Written += t.size
	} else {
		u.Read += t.size
	}
}

// sum adds up what was done.
func (f *FileUse) sum() {
	errors := map[int]*ErrorTally{}
	for kind, count := range f.did {
		n := max(count.kept, count.counted)
		if !count.also {
			f.Calls += n
		}
		if kind.errno == 0 {
			f.Did[kind.action] += n
			continue
		}
		f.Failed += n
		t := errors[kind.errno]
		if t == nil {
			t = &ErrorTally{Errno: kind.errno}
			errors[kind.errno] = t
		}
		t.Count += n
		t.Calls = append(t.Calls, Tally{Name: count.name, Count: n})
	}
	f.Errors = sortedErrors(errors)
	f.By = slices.SortedFunc(maps.Values(f.by), func(a, b *User) int {
		return cmp.Or(cmp.Compare(b.moved(), a.moved()), cmp.Compare(b.Calls, a.Calls),
			cmp.Compare(a.Process.Began, b.Process.Began), cmp.Compare(a.Process.PID, b.Process.PID))
	})
}
