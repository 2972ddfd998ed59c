// SPDX-License-Identifier: Apache-2.0

// Package archive keeps saved recordings as files in a directory, within bounds. Only root can read them. Nothing that
// a container chooses is part of a file's name.
package archive

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Limits bound what a directory keeps. The oldest files go first.
type Limits struct {
	Bytes int64
	Files int
	Age   time.Duration // since the container ended
}

// Directory is a directory that recordings are saved to. It has one writer at a time.
type Directory struct {
	Path   string
	Limits Limits
}

// ErrTooLarge means that a recording alone exceeds the limit of bytes.
var ErrTooLarge = errors.New("it is larger than the whole archive may be")

const (
	suffix  = ".rec"
	pending = ".pending" // beside a file of which a bucket has no copy yet
	partial = ".partial" // of a file that is being written
	layout  = "20060102T150405.000Z"
)

// Entry is a file of the archive.
type Entry struct {
	Path    string
	Ended   time.Time // when its container ended
	Key     string    // see Key
	Bytes   int64
	Pending bool // no copy of it is in the bucket yet
}

// Name returns the name of the entry's file.
func (e *Entry) Name() string { return filepath.Base(e.Path) }

// Key identifies a run of a container: by the boot of its machine, its ID, and when it was created, in ns since boot.
func Key(boot, id string, created uint64) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\x00%s\x00%d", boot, id, created))
	return hex.EncodeToString(sum[:8])
}

// Open makes the directory if it does not exist, for its owner only, and removes files that an earlier writer left
// unfinished.
func Open(path string, l Limits) (*Directory, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("making the archive: %w", err)
	}
	info, err := os.Lstat(path)
	if err != nil {
		return nil, fmt.Errorf("looking at the archive: %w", err)
	}
	if owner, ok := info.Sys().(*syscall.Stat_t); !info.IsDir() || ok && int(owner.Uid) != os.Geteuid() {
		return nil, fmt.Errorf("archive %s: it is not a directory of this user", path)
	}
	if info.Mode().Perm() != 0o700 {
		if err := os.Chmod(path, 0o700); err != nil {
			return nil, fmt.Errorf("restricting the archive to its owner: %w", err)
		}
	}
	d := &Directory{path, l}
	files, err := os.ReadDir(path)
	if err != nil {
		return nil, fmt.Errorf("reading the archive: %w", err)
	}
	for _, file := range files {
		if strings.HasSuffix(file.Name(), partial) {
			if err := os.Remove(filepath.Join(path, file.Name())); err != nil {
				return nil, fmt.Errorf("removing an unfinished file: %w", err)
			}
		}
	}
	return d, nil
}

// List returns the files of an archive, the newest first, and nothing if there is no such directory.
func List(path string) ([]Entry, error) {
	files, err := os.ReadDir(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the archive: %w", err)
	}
	names := map[string]bool{}
	for _, file := range files {
		names[file.Name()] = true
	}
	var list []Entry
	for _, file := range files {
		e, ok := parse(file.Name())
		if !ok {
			continue
		}
		info, err := file.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue // it has just been removed
		}
		if err != nil {
			return nil, fmt.Errorf("reading the archive: %w", err)
		}
		if !info.Mode().IsRegular() {
			continue
		}
		e.Path, e.Bytes, e.Pending = filepath.Join(path, file.Name()), info.Size(), names[file.Name()+pending]
		list = append(list, e)
	}
	slices.SortFunc(list, func(a, b Entry) int { return strings.Compare(b.Name(), a.Name()) })
	return list, nil
}

// parse returns what a file's name says.
func parse(name string) (e Entry, ok bool) {
	stem, isFile := strings.CutSuffix(name, suffix)
	at, key, hasKey := strings.Cut(stem, "-")
	ended, err := time.Parse(layout, at)
	bytes, malformed := hex.DecodeString(key)
	return Entry{Ended: ended, Key: key}, isFile && hasKey && err == nil && malformed == nil && len(bytes) == 8
}

// Add writes a file. If copies are to be made, it is Pending until Copied. It returns the files that it removed to make
// room, and ErrTooLarge if nothing would be left of its own.
func (d *Directory) Add(key string, ended time.Time, copies bool,
	write func(io.Writer) error) (removed []Entry, err error) {
	path := filepath.Join(d.Path, ended.UTC().Format(layout)+"-"+key+suffix)
	file, err := os.OpenFile(path+partial, os.O_WRONLY|os.O_CREATE|os.O_EXCL|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("writing into the archive: %w", err)
	}
	err = write(&bounded{file, d.Limits.Bytes})
	if err = errors.Join(err, file.Sync(), file.Close()); err == nil && copies {
		err = os.WriteFile(path+pending, nil, 0o600)
	}
	if err == nil {
		err = os.Rename(path+partial, path)
	}
	if err != nil {
		_, _ = os.Remove(path+partial), os.Remove(path+pending)
		return nil, fmt.Errorf("writing into the archive: %w", err)
	}
	removed, err = d.Prune(time.Now())
	return removed, errors.Join(err, d.sync())
}

// sync makes names of files durable.
func (d *Directory) sync() error {
	directory, err := os.Open(d.Path)
	if err != nil {
		return fmt.Errorf("writing the archive's directory: %w", err)
	}
	if err := errors.Join(directory.Sync(), directory.Close()); err != nil {
		return fmt.Errorf("writing the archive's directory: %w", err)
	}
	return nil
}

// bounded refuses to write more than a number of bytes.
type bounded struct {
	to   io.Writer
	left int64
}

func (b *bounded) Write(p []byte) (int, error) {
	if b.left -= int64(len(p)); b.left < 0 {
		return 0, ErrTooLarge
	}
	return b.to.Write(p)
}

// Prune removes what exceeds the limits, the oldest files first, and returns it.
func (d *Directory) Prune(now time.Time) (removed []Entry, err error) {
	list, err := List(d.Path)
	if err != nil {
		return nil, err
	}
	var bytes int64
	full := false // from here on, all files go: no older one stays
	for n, e := range list {
		bytes += e.Bytes
		full = full || n >= d.Limits.Files || bytes > d.Limits.Bytes || now.Sub(e.Ended) > d.Limits.Age
		if !full {
			continue
		}
		if err := Remove(e); err != nil {
			return removed, err
		}
		removed = append(removed, e)
	}
	return removed, nil
}

// Remove removes a file.
func Remove(e Entry) error {
	for _, path := range []string{e.Path, e.Path + pending} {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("removing a file of the archive: %w", err)
		}
	}
	return nil
}

// Copied notes that the bucket has a copy of a file.
func Copied(e Entry) error {
	if err := os.Remove(e.Path + pending); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("noting a copy of a file of the archive: %w", err)
	}
	return nil
}
