// SPDX-License-Identifier: Apache-2.0

package hostfile

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"github.com/runc-trace/runc-trace/pkg/regular"
)

// Kinds of files.
const (
	kindAbsent = "absent"
	kindFile   = "file"
	kindLink   = "link"
	kindOther  = "other" // is neither replaced nor restored
)

// errOther reports a file of kindOther.
var errOther = errors.New("it is not a file or a symbolic link")

// state describes the file at a path, without its contents.
type state struct {
	Kind   string            `json:"kind"`
	Digest string            `json:"sha256,omitempty"` // of the contents
	Link   string            `json:"link,omitempty"`   // target of a symbolic link
	Mode   uint32            `json:"mode,omitempty"`   // permissions, and the setuid, setgid and sticky bits
	UID    int               `json:"uid"`
	GID    int               `json:"gid"`
	MTime  int64             `json:"mtime,omitempty"` // nanoseconds since 1970
	Xattrs map[string][]byte `json:"xattrs,omitempty"`
}

// same reports whether two states have the same contents. It ignores permissions and owners.
func (s state) same(other state) bool {
	return s.Kind == other.Kind && s.Digest == other.Digest && s.Link == other.Link
}

// contents is a state with the contents of the file.
type contents struct {
	state
	data  []byte
	links uint64 // number of hard links, if captured
}

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// textMax is the size in bytes from which contents are taken for a program.
const textMax = 1 << 20

// byteOrderMark is what some editors write at the beginning of a file in UTF-8.
const byteOrderMark = "\ufeff"

// isText reports whether contents can be shown on a terminal, line by line. The lines may end as on Windows.
func isText(data []byte) bool {
	if len(data) >= textMax || !utf8.Valid(data) {
		return false
	}
	data = bytes.TrimPrefix(data, []byte(byteOrderMark))
	data = bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n"))
	return !bytes.ContainsFunc(data, func(r rune) bool { return !unicode.IsPrint(r) && r != '\n' && r != '\t' })
}

// owned returns the contents with the permissions, owner and attributes of another file, if both are regular files.
func (c contents) owned(as contents) contents {
	if c.Kind == kindFile && as.Kind == kindFile {
		c.Mode, c.UID, c.GID, c.Xattrs = as.Mode, as.UID, as.GID, as.Xattrs
	}
	return c
}

// capture reads the file at a path.
func capture(path string) (contents, error) {
	var stat unix.Stat_t
	err := unix.Lstat(path, &stat)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) {
		return contents{state: state{Kind: kindAbsent}}, nil
	}
	if err != nil {
		return contents{}, &fs.PathError{Op: "lstat", Path: path, Err: err}
	}
	c := contents{state: state{UID: int(stat.Uid), GID: int(stat.Gid), MTime: stat.Mtim.Nano()}}
	switch stat.Mode & unix.S_IFMT {
	case unix.S_IFLNK:
		c.Kind = kindLink
		c.Link, err = os.Readlink(path)
		return c, err
	case unix.S_IFREG:
		c.Kind, c.Mode, c.links = kindFile, stat.Mode&0o7777, uint64(stat.Nlink)
	default:
		return contents{state: state{Kind: kindOther}}, &fs.PathError{Op: "read", Path: path, Err: errOther}
	}
	if c.data, err = regular.ReadDirect(path, regular.Program); err != nil {
		return contents{}, err
	}
	c.Digest = digest(c.data)
	c.Xattrs, err = xattrs(path)
	return c, err
}

// xattrs reads the extended attributes of a file: its security label, its access control list, and those of users.
func xattrs(path string) (map[string][]byte, error) {
	names, err := readAll(func(b []byte) (int, error) { return unix.Llistxattr(path, b) })
	if errors.Is(err, unix.ENOTSUP) || err == nil && len(names) == 0 {
		return nil, nil
	}
	if err != nil {
		return nil, &fs.PathError{Op: "listxattr", Path: path, Err: err}
	}
	found := make(map[string][]byte)
	for name := range strings.SplitSeq(strings.TrimSuffix(string(names), "\x00"), "\x00") {
		value, err := readAll(func(b []byte) (int, error) { return unix.Lgetxattr(path, name, b) })
		if err != nil {
			return nil, &fs.PathError{Op: "getxattr " + name, Path: path, Err: err}
		}
		found[name] = value
	}
	return found, nil
}

// readAll calls read, which returns the size of buffer that it needs, until a buffer is large enough.
func readAll(read func([]byte) (int, error)) ([]byte, error) {
	for {
		n, err := read(nil)
		if err != nil || n == 0 {
			return nil, err
		}
		buffer := make([]byte, n)
		n, err = read(buffer)
		if !errors.Is(err, unix.ERANGE) {
			return buffer[:max(0, n)], err
		}
	}
}

// temporary returns the path at which a file is written before it takes its place. The name depends only on the path,
// so that a later run finds the leftovers of a crash.
func temporary(path string) string {
	return filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".runc-trace")
}

// place puts contents at a path atomically: readers see the old or the new contents, whole. When it returns, they are
// on the disk. If restore is set, it also restores the file's times.
func (s *Store) place(path string, c contents, restore bool) error {
	if c.Kind == kindAbsent {
		return s.remove(path)
	}
	temp := temporary(path)
	if err := s.remove(temp); err != nil {
		return err
	}
	if err := s.disk.step("write " + temp); err != nil {
		return err
	}
	write := s.writeFile
	if c.Kind == kindLink {
		write = writeLink
	}
	if err := write(temp, c, restore); err != nil {
		return errors.Join(err, s.remove(temp))
	}
	if err := s.disk.step("rename " + temp); err != nil {
		return err
	}
	if err := os.Rename(temp, path); err != nil {
		return errors.Join(err, s.remove(temp))
	}
	return s.syncDir(filepath.Dir(path))
}

func writeLink(path string, c contents, restore bool) error {
	if err := os.Symlink(c.Link, path); err != nil || !restore {
		return err
	}
	if err := os.Lchown(path, c.UID, c.GID); err != nil {
		return err
	}
	return setTime(path, c.MTime)
}

func (s *Store) writeFile(path string, c contents, restore bool) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.Write(c.data); err != nil {
		return err
	}
	if err := f.Chown(c.UID, c.GID); err != nil {
		return err
	}
	if err := unix.Fchmod(int(f.Fd()), c.Mode); err != nil {
		return fmt.Errorf("changing the mode of %s: %w", path, err)
	}
	for _, name := range slices.Sorted(maps.Keys(c.Xattrs)) {
		if err := unix.Fsetxattr(int(f.Fd()), name, c.Xattrs[name], 0); err != nil {
			return &fs.PathError{Op: "setxattr " + name, Path: path, Err: err}
		}
	}
	if restore {
		if err := setTime(path, c.MTime); err != nil {
			return err
		}
	}
	return s.disk.sync(f)
}

func setTime(path string, mtime int64) error {
	t := unix.NsecToTimespec(mtime)
	if err := unix.UtimesNanoAt(unix.AT_FDCWD, path, []unix.Timespec{t, t}, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return &fs.PathError{Op: "utimes", Path: path, Err: err}
	}
	return nil
}

// remove removes a file, if it exists.
func (s *Store) remove(path string) error {
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) {
		return nil
	}
	if err := s.disk.step("remove " + path); err != nil {
		return err
	}
	if err := os.Remove(path); err != nil {
		return err
	}
	return s.syncDir(filepath.Dir(path))
}

// makeDirs creates directories, outermost first, and returns those that it created.
func (s *Store) makeDirs(dirs []string, mode fs.FileMode) ([]string, error) {
	for i, dir := range dirs {
		if err := s.disk.step("mkdir " + dir); err != nil {
			return dirs[:i], err
		}
		if err := os.Mkdir(dir, mode); err != nil {
			return dirs[:i], err
		}
		if err := os.Chmod(dir, mode); err != nil { // regardless of the umask
			return dirs[:i+1], err
		}
		if err := s.syncDir(filepath.Dir(dir)); err != nil {
			return dirs[:i+1], err
		}
	}
	return dirs, nil
}

// removeDirs removes the empty ones of these directories of the host, innermost first, and returns the others. The
// error says why an empty directory could not be removed.
func (s *Store) removeDirs(host []string) (stay []string, err error) {
	for _, dir := range slices.Backward(host) {
		_, path, problem := s.resolve(dir, false) // it may have moved
		if problem == nil {
			problem = s.disk.step("rmdir " + path)
		}
		if problem == nil {
			problem = unix.Rmdir(path)
		}
		switch {
		case problem == nil, errors.Is(problem, fs.ErrNotExist), errors.Is(problem, unix.ENOTDIR):
			continue
		case !errors.Is(problem, unix.ENOTEMPTY) && !errors.Is(problem, unix.EEXIST):
			err = errors.Join(err, explain("removing", dir, problem))
		}
		stay = append(stay, dir)
	}
	slices.Reverse(stay)
	return stay, err
}

func (s *Store) syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	defer dir.Close()
	return s.disk.sync(dir)
}
