// SPDX-License-Identifier: Apache-2.0

// Package unregistered counts containers that the shim could not register, by reason. The counters are in a file of a
// fixed size below /run, and start from 0 at each boot. They are not in a map, because missing maps may be the reason.
//
// The shim imports this package, so it must not import heavy packages.
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

// Reason is a reason why a container was not registered. Its number is its index in the file, and must not change,
// because shim and reader may be of different versions. pkg/status describes each reason.
type Reason int

// The reasons that a shim can detect. Programs in the kernel count their own.
const (
	NotLoaded     Reason = iota // no maps are pinned
	PinsUnusable                // the pinned maps cannot be opened
	OtherVersion                // the loaded programs have another layout
	SpecUnread                  // config.json is a pipe, or has a form that only crun can read
	SpecMalformed               // the runtime refuses config.json: unreadable, no spec, or an invalid cgroup path
	SpecTooLarge                // a needed part of config.json exceeds its limit
	NoCgroup                    // the runtime's cgroup cannot be predicted
	NotWritten                  // the map of pending containers rejects the entry
	NotBound                    // the program that binds an existing cgroup cannot be run
	Broken                      // any other error, which is a fault of the shim
	CgroupTooLong               // the path or name of the cgroup is longer than the program in the kernel can compare
	Reasons                     // number of reasons
)

const (
	name = "unregistered"
	// fileSize has room for reasons of later versions.
	fileSize = 64 * 8
)

// DirEnv names the environment variable that replaces DefaultDir. The shim honours it only for privileged callers.
const DirEnv = "RUNC_TRACE_RUN_DIR"

// DefaultDir contains the file. The shim creates it, accessible to root only.
const DefaultDir = "/run/runc-trace"

func dir() string {
	if named := os.Getenv(DirEnv); named != "" {
		return named
	}
	return DefaultDir
}

// Read returns the counters since boot, all 0 if the shim has counted nothing.
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

// Remove deletes the file, and its directory if that is empty.
func Remove() error {
	if err := os.Remove(path.Join(dir(), name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("removing what the shim could not register: %w", err)
	}
	_ = os.Remove(dir()) // an agent may have its socket there
	return nil
}
