// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/runc-trace/runc-trace/pkg/labels"
)

// ArchiveRules say of which containers recordings are saved.
type ArchiveRules struct {
	Status     []string // how it ended, see NewArchiveRules; any of them
	Namespaces []string // patterns, with "!" in front: not these
	Labels     labels.Selector
	PerHour    int // of one container
}

// NewArchiveRules checks the rules of a configuration. A status is "crashed" (see labels.Status), "any", an exit code
// such as "3", a range such as "1-125", or a signal such as "SIGSEGV".
func NewArchiveRules(status, namespaces []string, selector string, perHour int) (ArchiveRules, error) {
	r := ArchiveRules{Status: status, Namespaces: namespaces, PerHour: perHour}
	for _, s := range status {
		if _, _, isCode := exitCodes(s); s != "any" && s != "crashed" && unix.SignalNum(s) == 0 && !isCode {
			return r, fmt.Errorf("archive.status %q must be crashed, any, an exit code such as 3 or 1-125, or a signal "+
				"such as SIGSEGV", s)
		}
	}
	for _, pattern := range namespaces {
		if _, err := path.Match(strings.TrimPrefix(pattern, "!"), ""); err != nil {
			return r, fmt.Errorf("archive.namespaces %q: %w", pattern, err)
		}
	}
	var err error
	if r.Labels, err = labels.ParseSelector(selector); err != nil {
		return r, fmt.Errorf("archive.labels: %w", err)
	}
	return r, nil
}

// exitCodes parses an exit code or a range of them.
func exitCodes(text string) (from, to uint64, ok bool) {
	first, last, isRange := strings.Cut(text, "-")
	if !isRange {
		last = first
	}
	from, err := strconv.ParseUint(first, 10, 8)
	to, wrong := strconv.ParseUint(last, 10, 8)
	return from, to, err == nil && wrong == nil && from <= to
}

// Want reports whether the recording of a container that ended is to be saved. One whose labels are not all known is,
// if they could match.
func (r *ArchiveRules) Want(c *labels.Container) bool {
	return slices.ContainsFunc(r.Status, func(s string) bool { return ended(c.Status(), s) }) &&
		among(r.Namespaces, c.Namespace) && r.Labels.Judge(c) != labels.No
}

// ended reports whether a status is what a rule says.
func ended(s labels.Status, rule string) bool {
	switch rule {
	case "any":
		return true
	case "crashed":
		return s.Crashed()
	}
	if s.State != labels.Exited {
		return false
	}
	if s.Signal != "" {
		return s.Signal == rule
	}
	from, to, ok := exitCodes(rule)
	return ok && uint64(s.ExitCode) >= from && uint64(s.ExitCode) <= to
}

// among reports whether a name matches one of the patterns, if there are some without "!", and none with "!".
func among(patterns []string, name string) bool {
	wanted, found := false, false
	for _, pattern := range patterns {
		bare, not := strings.CutPrefix(pattern, "!")
		match, _ := path.Match(bare, name) // it was checked
		if not && match {
			return false
		}
		wanted, found = wanted || !not, found || !not && match
	}
	return found || !wanted
}
