// SPDX-License-Identifier: Apache-2.0

// Package cgroup makes cgroups that look to the recorder like a container's, for tests and benchmarks
// that need the kernel side without an engine or a runtime.
package cgroup

import (
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/runc-trace/runc-trace/pkg/boottime"
	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/unified"
	"github.com/runc-trace/runc-trace/test/patience"
)

// Directory is a cgroup of the unified hierarchy.
type Directory struct {
	// Path is the cgroup's, from the root of the hierarchy, as in /proc/PID/cgroup.
	Path string
	root string
	file *os.File
}

// Unmade names a cgroup without making it.
func Unmade(path string) (*Directory, error) {
	root, err := unified.Find("")
	return &Directory{Path: path, root: root}, err
}

// Recorded describes a container that wants a ring, and that is a pod of its own.
func Recorded(id string) abi.Who {
	who := abi.Who{Flags: abi.WhoRecord, PodHash: uint16(crc32.ChecksumIEEE([]byte(id)) % abi.Holders)}
	copy(who.ID[:], id)
	return who
}

// Register leaves a pending identity for the cgroup in the maps below pinDir, and makes the cgroup.
func (d *Directory) Register(pinDir string, who abi.Who) error {
	if err := d.Announce(pinDir, who); err != nil {
		return err
	}
	return d.Make()
}

// Announce leaves a pending identity for the cgroup, at its place below the deepest cgroup above it that exists.
func (d *Directory) Announce(pinDir string, who abi.Who) error {
	key, entry, err := d.Pending()
	if err != nil {
		return err
	}
	entry.Time, entry.Who = boottime.Now(), who
	return Put(pinDir, key, entry)
}

// Pending returns the key of the cgroup's pending identity, and the place in it.
func (d *Directory) Pending() (key abi.PendingKey, entry abi.Pending, err error) {
	copy(key.Leaf[:len(key.Leaf)-1], path.Base(d.Path))
	above := d.Path
	for key.Ancestor == 0 {
		if above == "/" {
			return key, entry, fmt.Errorf("no cgroup above %s exists", d.Path)
		}
		above = path.Dir(above)
		entry.Levels++
		var s unix.Stat_t
		if unix.Stat(filepath.Join(d.root, above), &s) == nil {
			key.Ancestor = s.Ino
		}
	}
	below := d.Path[len(strings.TrimSuffix(above, "/")):]
	entry.PathLength = uint32(copy(entry.Path[:], below[max(0, len(below)-len(entry.Path)+1):]))
	return key, entry, nil
}

// Put writes a pending identity.
func Put(pinDir string, key abi.PendingKey, entry abi.Pending) error {
	pending, err := ebpf.LoadPinnedMap(filepath.Join(pinDir, abi.PinPending), nil)
	if err != nil {
		return fmt.Errorf("opening map pending: %w", err)
	}
	defer pending.Close()
	return pending.Put(key, entry)
}

// Make makes the cgroup, and opens it so that FD can be used to start processes in it.
func (d *Directory) Make() error {
	if err := os.Mkdir(d.Name(), 0o755); err != nil {
		return err
	}
	return d.Open()
}

// Open opens a cgroup that exists, so that FD can be used.
func (d *Directory) Open() (err error) {
	d.file, err = os.Open(d.Name())
	return err
}

// Name is the directory's path in the file system.
func (d *Directory) Name() string { return filepath.Join(d.root, d.Path) }

// ID is the cgroup's ID, its directory's inode number.
func (d *Directory) ID() (uint64, error) {
	var s unix.Stat_t
	err := unix.Stat(d.Name(), &s)
	return s.Ino, err
}

// FD is what syscall.SysProcAttr.CgroupFD takes.
func (d *Directory) FD() int { return int(d.file.Fd()) }

// Remove kills what still runs in the cgroup and removes it; one that was never made is not an error.
func (d *Directory) Remove() error {
	if d.file != nil {
		d.file.Close()
		d.file = nil
	}
	var err error
	for end := time.Now().Add(patience.Limit); time.Now().Before(end); {
		if err = os.Remove(d.Name()); err == nil || errors.Is(err, os.ErrNotExist) {
			return nil
		}
		if pids, readErr := os.ReadFile(filepath.Join(d.Name(), "cgroup.procs")); readErr == nil {
			for _, line := range strings.Fields(string(pids)) {
				var pid int
				if _, err := fmt.Sscan(line, &pid); err == nil && pid > 1 {
					unix.Kill(pid, unix.SIGKILL)
				}
			}
		}
		time.Sleep(5 * time.Millisecond)
	}
	return fmt.Errorf("removing cgroup: %w", err)
}
