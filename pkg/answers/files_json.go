// SPDX-License-Identifier: Apache-2.0

package answers

import "time"

// filesVersion is that of FilesJSON: it grows if a field changes its meaning or goes.
const filesVersion = 1

// FilesJSON is a Files in machine-readable form. Names are stable.
type FilesJSON struct {
	Version int `json:"version"`
	AboutJSON
	Files []FileUseJSON `json:"files"`
	// Unknown is what was read and written by descriptors of which it is not known what they are.
	Unknown TransferredJSON `json:"unknown"`
	Covers  []CoverageJSON  `json:"covers"`
	Kept    KeptJSON        `json:"kept"`
}

// FileUseJSON is what was done with a file.
type FileUseJSON struct {
	Path        string   `json:"path"`
	Truncated   bool     `json:"truncated,omitempty"` // Path lacks its beginning
	Names       []string `json:"names,omitempty"`     // others by which it was opened
	RenamedTo   string   `json:"renamedTo,omitempty"`
	RenamedFrom string   `json:"renamedFrom,omitempty"`
	UsageJSON
}

// UsageJSON is what calls did with one file or address.
type UsageJSON struct {
	UseJSON
	First   time.Time    `json:"first"` // start of its first call that is kept
	Last    time.Time    `json:"last"`
	Actions []ActionJSON `json:"actions"`
	Errors  []ErrorJSON  `json:"errors"` // most frequent first
	By      []UserJSON   `json:"by"`     // those that moved most bytes first
}

// UseJSON sums up calls.
type UseJSON struct {
	Count  uint64 `json:"count"`  // calls
	Failed uint64 `json:"failed"` // of them
	TransferredJSON
	Time uint64 `json:"time"` // ns in the calls that are kept
}

// TransferredJSON is bytes that calls moved that are kept.
type TransferredJSON struct {
	Read    uint64 `json:"read"`
	Written uint64 `json:"written"`
}

// ActionJSON is what calls did, and how often at least.
type ActionJSON struct {
	Action Action `json:"action"`
	Count  uint64 `json:"count"`
}

// UserJSON is what a process did.
type UserJSON struct {
	ProcessJSON
	UseJSON
}

// CoverageJSON tells how many calls of some kinds are kept, of those that the container made in its whole life.
type CoverageJSON struct {
	Calls string `json:"calls"`
	Kept  uint64 `json:"kept"`
	Made  uint64 `json:"made"`
}

// JSON returns what was done with files in machine-readable form.
func (f *Files) JSON() *FilesJSON {
	p := f.past
	j := &FilesJSON{Version: filesVersion, AboutJSON: p.about(&f.ending), Files: []FileUseJSON{},
		Unknown: TransferredJSON{f.Unknown.Read, f.Unknown.Written}, Covers: newCoverageJSON(f.Covers), Kept: p.keptJSON()}
	for _, file := range f.Files {
		j.Files = append(j.Files, FileUseJSON{Path: file.Path, Truncated: file.Cut, Names: file.Names,
			RenamedTo: file.RenamedTo, RenamedFrom: file.RenamedFrom, UsageJSON: p.usageJSON(&file.Usage)})
	}
	return j
}

func (p *Past) usageJSON(u *Usage) UsageJSON {
	j := UsageJSON{UseJSON: newUseJSON(&u.Use), First: p.at(u.First), Last: p.at(u.Last), Actions: []ActionJSON{},
		Errors: newErrorsJSON(u.Errors), By: []UserJSON{}}
	for _, action := range u.actions() {
		j.Actions = append(j.Actions, ActionJSON{action, u.Did[action]})
	}
	for _, user := range u.By {
		j.By = append(j.By, UserJSON{newProcessJSON(user.Process), newUseJSON(&user.Use)})
	}
	return j
}

func newUseJSON(u *Use) UseJSON {
	return UseJSON{u.Calls, u.Failed, TransferredJSON{u.Read, u.Written}, u.Time}
}

func newCoverageJSON(covers []Coverage) []CoverageJSON {
	all := []CoverageJSON{}
	for _, c := range covers {
		all = append(all, CoverageJSON(c))
	}
	return all
}
