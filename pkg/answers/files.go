// SPDX-License-Identifier: Apache-2.0

package answers

import (
	"cmp"
	"slices"
	"strings"

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
	Usage

	missing bool // as far as the last call tells
}

// Files says what the container did with files, by the calls that are selected.
func (p *Past) Files(selected Selected, order UsageOrder) *Files {
	w := fileWalk{Files: &Files{past: p, ending: p.ending(), Covers: p.coverage("opens", "reads", "writes")},
		files: map[string]*FileUse{}, visit: p.newVisit(selected), complete: p.Calls.Complete()}
	p.each(selected, w.call)
	w.end()
	for _, f := range w.files {
		f.sum()
		w.Files.Files = append(w.Files.Files, f)
	}
	slices.SortFunc(w.Files.Files, func(a, b *FileUse) int {
		return cmp.Or(order.compare(&a.Usage, &b.Usage), cmp.Compare(a.Path, b.Path))
	})
	return w.Files
}

// fileWalk puts together what calls did with files.
type fileWalk struct {
	*Files
	visit
	files    map[string]*FileUse // by fileKey
	complete uint64              // as of straceback.Calls
}

// call learns from a call.
func (w *fileWalk) call(e *straceback.Event, name string, values []syscalls.Value) {
	if !w.look(e, name) {
		return
	}
	c := &e.Call
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
		path, ok := pathOf(v)
		if !ok || path == "" {
			continue
		}
		cut := v.File != nil && v.File.Truncated
		if directory, relative := strings.CutSuffix(path, "/"+string(v.Bytes)); relative && v.File != nil && !cut {
			path = tidy(directory+"/", string(v.Bytes))
		} else if !cut {
			path = tidy("", path)
		}
		paths = append(paths, syscalls.Descriptor{Path: path, Truncated: cut})
	}
	return paths
}

// tidy returns a path without empty and "." components, and without ".." that leave the directory that it begins from.
// That directory has no symbolic links; it is empty if it is not known. Other ".." may follow a symbolic link.
func tidy(directory, given string) string {
	names := strings.FieldsFunc(directory, func(r rune) bool { return r == '/' })
	absolute := directory != "" || strings.HasPrefix(given, "/")
	leaves := absolute
	for name := range strings.SplitSeq(given, "/") {
		switch {
		case name == "" || name == ".":
		case name == ".." && leaves:
			names = names[:max(0, len(names)-1)]
		default:
			names, leaves = append(names, name), false
		}
	}
	path := strings.Join(names, "/")
	if absolute {
		return "/" + path
	}
	return cmp.Or(path, ".")
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
		f = &FileUse{Path: d.Path, Cut: d.Truncated, Usage: newUsage(&w.visit)}
		w.files[fileKey(d)] = f
	}
	return f
}

// resolved returns the file to which a path led a call.
func (w *fileWalk) resolved(given syscalls.Descriptor) *FileUse {
	is, ok := w.Call.File()
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
	f.missing = syscalls.ErrnoName(w.errno) == "ENOENT" || w.errno != 0 && f.missing
	f.add(&w.visit, action)
}

// also counts what the call did with a file besides.
func (w *fileWalk) also(f *FileUse, action Action) { f.also(&w.visit, action) }

// opens learns from a call that opened a file, or failed to.
func (w *fileWalk) opens(path syscalls.Descriptor, name string) {
	const create, exclusive, truncate = 0o100, 0o200, 0o1000 // the same on all architectures
	named := w.files[fileKey(path)]
	missing := named != nil && named.missing && w.Call.Time >= w.complete
	f := w.resolved(path)
	w.did(f, Opened)
	flags := openFlags(&w.Call, name)
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
	other.missing = false
	if action == Linked {
		w.also(other, Created)
		return
	}
	w.also(other, Replaced)
	const exchange = 2 // RENAME_EXCHANGE
	old.RenamedTo, other.RenamedFrom = other.Path, old.Path
	old.missing = w.Call.Syscall().Name != "renameat2" || w.Call.Args[4]&exchange == 0
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
				w.move(&transfer{fd: int32(w.Call.Args[arg]), writes: i == 1})
			}
		}
	}
	for i := range moved {
		w.move(&moved[i])
	}
}

func (w *fileWalk) move(t *transfer) {
	is := taken(&w.Call, t.fd)
	switch {
	case is == nil:
		w.Unknown.Calls++
		w.Unknown.moved(t)
		return
	case is.Path == "": // a pipe or a socket
		return
	}
	f := w.at(*is)
	f.missing = false
	f.move(&w.visit, t)
}
