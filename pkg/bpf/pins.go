// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
)

// prepareDir makes the pin directory, mounts a bpf file system if the directory would be on another one, and locks it.
func prepareDir(dir string) (unlock func(), err error) {
	if !filepath.IsAbs(dir) {
		return nil, fmt.Errorf("pin directory %q must be an absolute path", dir)
	}
	if on, err := onBPFFS(dir); err != nil {
		return nil, err
	} else if !on {
		if dir != mountPoint && !strings.HasPrefix(dir, mountPoint+"/") {
			return nil, fmt.Errorf("pin directory %s is not on a bpf file system: choose one below %s, or mount one (mount -t bpf bpf DIR)", dir, mountPoint)
		}
		if err := Mount(); err != nil {
			return nil, err
		}
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("making pin directory: %w", err)
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		return nil, fmt.Errorf("restricting pin directory to root: %w", err)
	}
	return lockDir(dir)
}

// mountPoint is the usual place of the bpf file system.
const mountPoint = "/sys/fs/bpf"

// Mount mounts a bpf file system at /sys/fs/bpf, for root only, unless one is mounted there.
func Mount() error {
	// Serialized: a second mount would hide the pins of the first one's caller.
	unlock, err := lockDir(filepath.Dir(mountPoint))
	if err != nil {
		return err
	}
	defer unlock()
	if on, err := onBPFFS(mountPoint); err != nil || on {
		return err
	}
	if err := unix.Mount("bpf", mountPoint, "bpf", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC|unix.MS_RELATIME,
		"mode=700"); err != nil {
		return fmt.Errorf("mounting a bpf file system at %s: %w", mountPoint, err)
	}
	return nil
}

// onBPFFS reports whether a path, or its nearest existing parent directory, is on a bpf file system.
func onBPFFS(path string) (bool, error) {
	for {
		var s unix.Statfs_t
		err := unix.Statfs(path, &s)
		if err == nil {
			return s.Type == unix.BPF_FS_MAGIC, nil
		}
		if !errors.Is(err, unix.ENOENT) || path == "/" {
			return false, fmt.Errorf("inspecting %s: %w", path, err)
		}
		path = filepath.Dir(path)
	}
}

// lockDir locks a directory against concurrent changes.
func lockDir(dir string) (unlock func(), err error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, fmt.Errorf("opening directory to lock: %w", err)
	}
	if err := unix.Flock(int(d.Fd()), unix.LOCK_EX); err != nil {
		d.Close()
		return nil, fmt.Errorf("locking directory %s: %w", dir, err)
	}
	return func() {
		// A process that another goroutine has just forked may still have the descriptor open.
		unix.Flock(int(d.Fd()), unix.LOCK_UN)
		d.Close()
	}, nil
}

// maps lists the names of all pinned maps.
var maps = append([]string{
	abi.PinABI, abi.PinPending, abi.PinContainers, abi.PinBindings, abi.PinIdentities, abi.PinRings, abi.PinExecLog,
	abi.PinExecShares, abi.PinFreeIdentities, abi.PinEndedIdentities, abi.PinSlots, abi.PinHeld,
	abi.PinWriters, abi.PinCounters, abi.PinRefusals, abi.PinLabels, abi.PinSyscalls, abi.PinScratch, abi.PinCallStorage,
}, slots()...)

// slots returns the names of the maps that hold the programs of the hooks.
func slots() []string {
	var names []string
	for _, hook := range hooks {
		names = append(names, abi.PinSlotPrefix+hook)
	}
	return names
}

// pinOver pins an object by its name below dir. It replaces an existing pin of that name in one step, and removes an
// empty directory of that name first.
func pinOver(dir, name string, pin func(string) error) error {
	path, next := filepath.Join(dir, name), filepath.Join(dir, abi.PinNextPrefix+name)
	if err := os.Remove(next); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("removing pin: %w", err)
	}
	if err := pin(next); err != nil {
		return fmt.Errorf("pinning %s: %w", name, err)
	}
	if info, err := os.Lstat(path); err == nil && info.IsDir() {
		if err := os.Remove(path); err != nil {
			return fmt.Errorf("removing a file in the place of a pin: %w", err)
		}
	}
	if err := os.Rename(next, path); err != nil {
		return fmt.Errorf("renaming pin: %w", err)
	}
	return nil
}

// pins returns the names of our pins below dir in the order of removal: the map abi first, so that readers do not take
// the rest for complete, and then the links, so that programs stop before their maps are removed. It includes all
// links, hooks and slots that exist, since another version may have others.
func pins(dir string) ([]string, error) {
	present, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("listing pins: %w", err)
	}
	names := []string{abi.PinABI}
	for _, prefix := range []string{abi.PinLinkPrefix, abi.PinNextPrefix, abi.PinHookPrefix, abi.PinSlotPrefix} {
		for _, pin := range present {
			if strings.HasPrefix(pin.Name(), prefix) {
				names = append(names, pin.Name())
			}
		}
	}
	names = append(names, abi.PinUnfinishedCalls, abi.PinBind)
	return slices.Concat(names, maps[1:], former), nil
}

// former are the names of maps of earlier layouts.
var former = []string{"free_rings", "ended_rings"}

// removePins removes all of our pins below dir, and nothing else.
func removePins(dir string) error {
	if err := removeOwnPins(dir); err != nil {
		return err
	}
	return removeBeside(dir)
}

func removeOwnPins(dir string) error {
	names, err := pins(dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := os.Remove(filepath.Join(dir, name)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("removing pin: %w", err)
		}
		replaceStep()
	}
	return nil
}
