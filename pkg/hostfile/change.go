// SPDX-License-Identifier: Apache-2.0

package hostfile

import (
	"fmt"
	"io/fs"

	"github.com/rogpeppe/go-internal/diff"
)

// Action is what is done to a file.
type Action string

// The actions.
const (
	Create  Action = "create"
	Replace Action = "replace"
	Remove  Action = "remove"
	Leave   Action = "leave" // others have made of it what has nothing more to be taken out
)

// Change is one file that is changed.
type Change struct {
	Path   string // as the host sees it, through no symbolic link
	For    string // whom the file is for
	Action Action
	Link   string      // target of the symbolic link that is there then
	Mode   fs.FileMode // of a file that is there then
	Diff   string      // a unified diff; "" where one of both is a symbolic link or no text
	Edited bool        // others changed it since: it is not put back, but what was written is taken out
}

// change is the same with all that it takes to make and to undo it.
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
			Path: c.path, For: c.owner, Action: action, Link: c.after.Link, Mode: fs.FileMode(c.after.Mode).Perm(), Diff: unified(c.path, c.before, c.after),
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

// note describes a change of which there is no diff.
func note(path string, before, after contents) string {
	describe := func(c contents) string {
		switch c.Kind {
		case kindLink:
			return "a symbolic link to " + c.Link
		case kindFile:
			return fmt.Sprintf("a file (sha256 %.12s)", c.Digest)
		}
		return "not there"
	}
	return fmt.Sprintf("%s was %s, and is %s\n", path, describe(before), describe(after))
}
