// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"

	"github.com/runc-trace/runc-trace/pkg/boottime"
	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/config"
)

// VersionError means that programs of another layout are loaded below a directory. It matches ErrVersion.
type VersionError struct {
	Dir    string
	Layout uint32
}

func (e *VersionError) Error() string {
	return fmt.Sprintf("pin directory %s: %v (layout %d, this tracectl needs %d): %s", e.Dir, ErrVersion, e.Layout,
		abi.ABIVersion, otherVersion)
}

// Is reports whether target is ErrVersion.
func (e *VersionError) Is(target error) bool { return target == ErrVersion }

// otherVersion is the remedy if another version's layout is loaded.
const otherVersion = "read and export the recordings with the tracectl that loaded them (straceback show NAME -o json); " +
	"then tracectl load --replace --discard-recordings replaces the programs, and deletes all recordings"

// Beside is an instance that is loaded beside the programs of another layout, or of other sizes, which go on recording.
// Its pins are in a directory of their own. The shims of both layouts register containers then, each in its own maps.
type Beside struct {
	Dir   string // its pin directory, below that of the others
	Other string // a phrase that names what the others have, such as "layout 3"

	dir            string
	known, pending *ebpf.Map // of the others; nil if it cannot be opened
}

// OtherSizes is the Other of programs that have this layout.
const OtherSizes = "other sizes"

// besidePatience limits for how long Finish waits for the cgroup of a container that was announced to the others.
const besidePatience = 10 * time.Second

// LoadBeside loads the programs beside those that are loaded below dir and cannot be replaced. If none are, it returns
// nil. It completes an earlier call that was interrupted.
func LoadBeside(dir string, p config.Pool) (*Beside, error) {
	other, err := Unreplaceable(dir, p)
	if err != nil || other == "" {
		return nil, err
	}
	unlock, err := lockDir(dir)
	if err != nil {
		return nil, err
	}
	defer unlock()
	b := &Beside{Dir: besideDir(dir), Other: other, dir: dir}
	b.known, _ = loadMap(filepath.Join(dir, abi.PinContainers)) // see Known
	b.pending, _ = loadMap(filepath.Join(dir, abi.PinPending))  // without it, nothing was announced
	_, err = Load(b.Dir, Options{Pool: p})
	if errors.Is(err, ErrOtherOptions) { // of an interrupted call
		if err = removePins(b.Dir); err == nil {
			_, err = Load(b.Dir, Options{Pool: p})
		}
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("loading beside the programs of %s: %w", other, err), b.Close())
	}
	return b, nil
}

// Close forgets the other programs. It changes nothing.
func (b *Beside) Close() error { return errors.Join(b.known.Close(), b.pending.Close()) }

// Unreplaceable returns a phrase that names why Load could not keep the recordings below dir, such as "layout 3", or
// "" if it could.
func Unreplaceable(dir string, p config.Pool) (string, error) {
	layout, err := readABI(dir)
	if err == nil {
		if !allows(p, pool(layout)) {
			return OtherSizes, nil
		}
		_, err = Examine(dir)
	}
	var other *VersionError
	switch {
	case errors.As(err, &other):
		return fmt.Sprintf("layout %d", other.Layout), nil
	case errors.Is(err, ErrVersion):
		return "another layout", nil
	case errors.Is(err, ErrNotLoaded), errors.Is(err, ErrDamaged):
		return "", nil
	}
	return "", err
}

// Known returns the cgroups that the other programs have registered, also after Finish.
func (b *Beside) Known() (map[uint64]bool, error) {
	m := b.known
	if m == nil || m.Type() != ebpf.Hash || m.KeySize() != 8 {
		return nil, fmt.Errorf("the map %s of %s cannot be read, so its running containers are not registered again",
			abi.PinContainers, b.Other)
	}
	known := map[uint64]bool{}
	var cgroup uint64
	value := make([]byte, m.ValueSize())
	entries := m.Iterate()
	for entries.Next(&cgroup, &value) {
		known[cgroup] = true
	}
	if err := entries.Err(); err != nil && !errors.Is(err, ebpf.ErrIterationAborted) {
		return nil, fmt.Errorf("reading the containers of %s: %w", b.Other, err)
	}
	return known, nil
}

// Finish removes the other programs and all their recordings, and puts this instance in their place. The shim finds one
// or the other at every moment. If a container was announced to the others, and has no cgroup yet, they go on until it
// has: see Known.
func (b *Beside) Finish() error {
	unlock, err := lockDir(b.dir)
	if err != nil {
		return err
	}
	defer unlock()
	others := openPrograms(b.dir)
	defer func() {
		for _, o := range others {
			o.Close()
		}
	}()
	if err := moveUp(b.dir); err != nil {
		return err
	}
	for b.announced() {
		time.Sleep(10 * time.Millisecond)
	}
	return nil
}

// announced reports whether the others wait for the cgroup of a container that was announced lately. In every layout,
// the value of pending begins with the time.
func (b *Beside) announced() bool {
	if b.pending == nil {
		return false
	}
	key, value := make([]byte, b.pending.KeySize()), make([]byte, b.pending.ValueSize())
	since := boottime.Now() - uint64(besidePatience)
	entries := b.pending.Iterate()
	for entries.Next(&key, &value) {
		if len(value) >= 8 && binary.NativeEndian.Uint64(value) > since {
			return true
		}
	}
	return false
}

// openPrograms opens the pinned links below dir, and the maps that hold the programs of the hooks: the kernel empties
// such a map if it is neither pinned nor open. It leaves out what it cannot open.
func openPrograms(dir string) (closers []io.Closer) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		if strings.HasPrefix(e.Name(), abi.PinLinkPrefix) {
			if l, err := link.LoadPinnedLink(path, nil); err == nil {
				closers = append(closers, l)
			}
		} else if strings.HasPrefix(e.Name(), abi.PinSlotPrefix) {
			if m, err := ebpf.LoadPinnedMap(path, nil); err == nil {
				closers = append(closers, m)
			}
		}
	}
	return closers
}

// Undo removes this instance. The other programs stay as they were.
func (b *Beside) Undo() error {
	if _, err := Unload(b.Dir); err != nil {
		return fmt.Errorf("unloading what was loaded beside %s: %w", b.Other, err)
	}
	return nil
}

// besideDir returns the directory of the instance of this layout beside that of another.
func besideDir(dir string) string { return filepath.Join(dir, abi.PinBesideDir) }

// moveUp puts the instance of the directory beside in the place of the one in dir.
func moveUp(dir string) error {
	beside := besideDir(dir)
	names, err := os.ReadDir(beside)
	if err != nil {
		return fmt.Errorf("listing pins: %w", err)
	}
	if err := removeOwnPins(dir); err != nil {
		return err
	}
	link := func(name string) error {
		if err := os.Link(filepath.Join(beside, name), filepath.Join(dir, name)); err != nil {
			return fmt.Errorf("moving a pin: %w", err)
		}
		replaceStep()
		return nil
	}
	for _, entry := range names {
		if name := entry.Name(); name != abi.PinABI {
			if err := link(name); err != nil {
				return err
			}
		}
	}
	if err := link(abi.PinABI); err != nil { // as in a load, it comes last
		return err
	}
	return removeBeside(dir)
}

// settle completes a change of layouts that was interrupted after the other programs were removed.
func settle(dir string) error {
	if !exists(dir, abi.PinBesideDir) {
		return nil
	}
	_, err := readABI(dir)
	switch {
	case err == nil:
		return removeBeside(dir)
	case errors.Is(err, ErrVersion):
		return nil
	}
	if _, err := readABI(besideDir(dir)); err != nil {
		return nil
	}
	return moveUp(dir)
}

// removeBeside removes the instances that were loaded beside the one in dir.
func removeBeside(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("listing pins: %w", err)
	}
	for _, e := range entries {
		if !e.IsDir() || !strings.HasPrefix(e.Name(), abi.PinBesidePrefix) {
			continue
		}
		beside := filepath.Join(dir, e.Name())
		if err := removeOwnPins(beside); err != nil {
			return err
		}
		if err := os.Remove(beside); err != nil {
			return fmt.Errorf("removing a pin directory: %w", err)
		}
	}
	return nil
}
