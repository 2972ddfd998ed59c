// SPDX-License-Identifier: Apache-2.0

package hostfile

import (
	"fmt"
	"io/fs"

	"github.com/rogpeppe/go-internal/diff"
)

// Action says how a file is changed.
type Action string

const (
	Create  Action = "create"
	Replace Action = "replace"
	Remove  Action = "remove"
	Leave   Action = "leave" // edited since: nothing of ours is left to remove
)

// Change describes the change of one file.
type Change struct {
	Path   string // as the host sees it, without symbolic links
	For    string // component that the file belongs to
	Action Action
	Link   string      // target of the resulting symbolic link
	Mode   fs.FileMode // mode of the resulting file
	Diff   string      // a unified diff; "" if either version is a symbolic link or not text
	Edited bool        // edited since Apply: only our part is removed, and the original is not restored
}

// change is a Change with everything needed to make and undo it.
type change struct {
	path, real, owner string
	base              bool
	before, after     contents
}

func public(changes []change) []Change {
	list := make([]Change, 0, len(changes))
	for _, c := range changes {
		action := Replace
		switch kindAbsent {
		case c.before.Kind:
			action = Create
		case c.after.Kind:
			action = Remove
		}
		list = append(list, Change{
			Path: c.path, For: c.owner, Action: action, Link: c.after.Link, Mode: fs.FileMode(c.after.Mode).Perm(),
			Diff: unified(c.path, c.before, c.after),
		})
	}
	return list
}

// unified compares two texts at one path.
func unified(path string, before, after contents) string {
	name := func(c contents) string {
		if c.Kind == kindAbsent {
			return "/dev/null"
		}
		return path
	}
	for _, c := range []contents{before, after} {
		if c.Kind == kindLink || !isText(c.data) {
			return ""
		}
	}
	return string(diff.Diff(name(before), before.data, name(after), after.data))
}

// note describes a change that has no diff.
func note(path string, before, after contents) string {
	describe := func(c contents) string {
		switch c.Kind {
		case kindLink:
			return "a symbolic link to " + c.Link
		case kindFile:
			return fmt.Sprintf("a file (sha256 %.12s)", c.Digest)
		}
		return "absent"
	}
	return fmt.Sprintf("%s was %s and is %s\n", path, describe(before), describe(after))
}
