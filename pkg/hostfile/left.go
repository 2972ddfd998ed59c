// SPDX-License-Identifier: Apache-2.0

package hostfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// LeftError lists the files that could not be restored. They stay in the journal, and Restore tries them again.
type LeftError struct {
	Files []Left
}

// Left is a file that could not be restored.
type Left struct {
	Path string // as the host sees it
	Err  error
}

func (e *LeftError) Error() string {
	var parts []string
	for _, f := range e.Files {
		parts = append(parts, f.Err.Error())
	}
	return strings.Join(parts, "; ")
}

// Unwrap returns the errors of all files.
func (e *LeftError) Unwrap() []error {
	var errs []error
	for _, f := range e.Files {
		errs = append(errs, f.Err)
	}
	return errs
}

// Has reports whether the list contains a file.
func (e *LeftError) Has(path string) bool {
	for _, f := range e.Files {
		if f.Path == path {
			return true
		}
	}
	return false
}

// Add adds the files that the list does not contain yet.
func (e *LeftError) Add(files ...Left) {
	for _, f := range files {
		if !e.Has(f.Path) {
			e.Files = append(e.Files, f)
		}
	}
}

func (e *LeftError) add(path string, err error) {
	e.Add(Left{path, explain("restoring", path, err)})
}

func (e *LeftError) orNil() error {
	if len(e.Files) == 0 {
		return nil
	}
	return e
}

// remedies says how to remove a cause that prevents the change of a file.
var remedies = []struct {
	errno  unix.Errno
	remedy string
}{
	{unix.EPERM, "if lsattr shows that it or its directory is immutable, run chattr -i"},
	{unix.EBUSY, "it is a mount point: change the mounted file, or unmount it"},
	{unix.EROFS, "its file system is read-only: remount it, or put the file into the system's image"},
	{unix.ENOSPC, "its file system is full: free some space"},
	{unix.EDQUOT, "the disk quota is used up: free some space"},
}

// explain says what failed on which file of the host, why, and how to fix it.
func explain(doing, path string, err error) error {
	var shown *shownError
	if errors.As(err, &shown) {
		return err
	}
	// Leave out the paths of the temporary file and of the root: they do not help the user.
	cause := err
	var atPath *fs.PathError
	var link *os.LinkError
	switch {
	case errors.As(err, &atPath):
		cause = atPath.Err
	case errors.As(err, &link):
		cause = link.Err
	}
	text := fmt.Sprintf("%s %s: %v", doing, path, cause)
	for _, r := range remedies {
		if errors.Is(err, r.errno) {
			text += " (" + r.remedy + ")"
		}
	}
	return &shownError{text, err}
}

// shownError is an error with the text that explain made.
type shownError struct {
	text string
	err  error
}

func (e *shownError) Error() string { return e.text }
func (e *shownError) Unwrap() error { return e.err }
