// SPDX-License-Identifier: Apache-2.0

// Package unregistered counts containers that the shim could not register, by reason, in a file of a fixed size
// below /run, where it starts from 0 at each boot. The maps have no room for it, and may be what is missing.
//
// The shim imports it, so it imports nothing heavy.
package unregistered

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"

	"github.com/runc-trace/runc-trace/pkg/regular"
)

// Reason is a reason why a container was not registered. Its number is its place in the file, and stays: shim and
// reader may be of different versions. pkg/status says what each means.
type Reason int

// The reasons that a shim can know. What a program in the kernel refuses is counted by the program.
const (
	NotLoaded     Reason = iota // nothing is pinned
	PinsUnusable                // what is pinned cannot be opened
	OtherVersion                // what is loaded has another layout
	SpecUnread                  // config.json cannot be read
	SpecMalformed               // config.json is no spec
	SpecTooLarge                // what is needed of config.json is beyond its limit
	NoCgroup                    // the runtime will make no cgroup that could be told
	NotWritten                  // the map of pending containers refuses the entry
	NotBound                    // the program that binds an existing cgroup cannot be run
	Broken                      // anything else, which is a fault of the shim
	Reasons                     // how many there are
)

const (
	name = "unregistered"
	// fileSize has room for reasons of later versions.
	fileSize = 64 * 8
)

// DirEnv names the environment variable that names another directory than DefaultDir. The shim heeds it for privileged
// callers only.
const DirEnv = "RUNC_TRACE_RUN_DIR"

// DefaultDir is where the file lies. It is made by the shim, for root only.
const DefaultDir = "/run/runc-trace"

func dir() string {
	if named := os.Getenv(DirEnv); named != "" {
		return named
	}
	return DefaultDir
}

// Read gives the counters since boot, all 0 if the shim never counted anything.
func Read() (counts [Reasons]uint64, err error) {
	text, err := regular.ReadDirect(path.Join(dir(), name), fileSize)
	if errors.Is(err, fs.ErrNotExist) {
		return counts, nil
	}
	if err != nil {
		return counts, fmt.Errorf("reading what the shim could not register: %w", err)
	}
	for r := range counts {
		if len(text) >= r*8+8 {
			counts[r] = binary.NativeEndian.Uint64(text[r*8:])
		}
	}
	return counts, nil
}

// Remove deletes the file, and the directory if nothing else is in it.
func Remove() error {
	if err := os.Remove(path.Join(dir(), name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("removing what the shim could not register: %w", err)
	}
	_ = os.Remove(dir()) // an agent may have its socket there
	return nil
}
