// SPDX-License-Identifier: Apache-2.0

package straceback

import (
	"bytes"

	"github.com/runc-trace/runc-trace/pkg/syscalls"
)

// files has the paths of files that calls found. Only one record of those that a path led to the same file has it: the
// others are filled in from that one.
type files map[syscalls.FileKey]*syscalls.Capture

// learn takes over the path of the file that a call found.
func (known files) learn(c *syscalls.Call) {
	if key, path, ok := c.FileKey(); ok && path != nil {
		kept := *path
		kept.Data = bytes.Clone(path.Data)
		known[key] = &kept
	}
}

// of returns the path of the file that a call found, or nil if the call has it or it is not known. If the argument is
// relative, c.Describe has to know its directory.
func (known files) of(c *syscalls.Call) *syscalls.Capture {
	key, path, ok := c.FileKey()
	if !ok || path != nil {
		return nil
	}
	if path = known[key]; path == nil || !c.Reaches(path) {
		return nil
	}
	return path
}
