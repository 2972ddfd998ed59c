// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
)

// Watch notices that pins are replaced or removed. What is opened through a pin stays usable, but may be out of use.
type Watch struct {
	paths []string
	seen  []os.FileInfo
}

// NewWatch watches pins below dir, by their names. Make it before opening the pins. The error matches ErrNotLoaded if
// one does not exist.
func NewWatch(dir string, pins ...string) (*Watch, error) {
	w := &Watch{}
	for _, name := range pins {
		path := filepath.Join(dir, name)
		info, err := os.Stat(path)
		if errors.Is(err, os.ErrNotExist) {
			return nil, fmt.Errorf("pin directory %s: %w", dir, ErrNotLoaded)
		}
		if err != nil {
			return nil, fmt.Errorf("opening the pinned maps: %w", err)
		}
		w.paths, w.seen = append(w.paths, path), append(w.seen, info)
	}
	return w, nil
}

// Changed reports whether a pin was replaced or removed.
func (w *Watch) Changed() bool {
	for n, path := range w.paths {
		now, err := os.Stat(path)
		if err != nil || !os.SameFile(w.seen[n], now) {
			return true
		}
	}
	return false
}

// Follow returns a function that keeps the instance usable for a reader that follows it: call it about once a second,
// but not at the same time as other methods. If a repair has replaced the map of labels, it opens the new one. It
// returns an error that matches ErrNotLoaded if the instance is not loaded any more: its other maps stay readable,
// but get no new records.
func (i *Instance) Follow() (func() error, error) {
	loaded, err := NewWatch(i.Dir, abi.PinABI)
	if err != nil {
		return nil, err
	}
	var labels *Watch // nil: the map that is open may be an old one
	return func() error {
		if loaded.Changed() {
			// A repair writes the same layout again.
			layout, err := readABI(i.Dir)
			if !errors.Is(err, ErrDamaged) && (err != nil || layout.Secret != i.Layout.Secret) {
				return fmt.Errorf("pin directory %s: %w any more", i.Dir, ErrNotLoaded)
			}
			if now, err := NewWatch(i.Dir, abi.PinABI); err == nil {
				loaded = now
			}
		}
		if labels != nil && !labels.Changed() {
			return nil
		}
		if labels, err = NewWatch(i.Dir, abi.PinLabels); err != nil {
			return nil // it will be repaired
		}
		m, err := loadMap(filepath.Join(i.Dir, abi.PinLabels))
		if err != nil {
			labels = nil
			return nil
		}
		i.labels.Close()
		i.labels = m
		return nil
	}, nil
}

// Unrecorded returns a function that returns the damage below dir because of which events are not recorded. Call it
// about once a second: it examines the pins at the first two calls, when the directory has changed but not since the
// call before, and once a minute, because a slot that is emptied does not change the directory. It returns nil if it
// does not examine the pins, cannot do so, or finds the same damage as before.
func Unrecorded(dir string) func() []Damage {
	var changed time.Time // the kernel sets the directory's time when a pin is made, renamed or removed
	var last []Damage
	calls, due := 0, false
	return func() []Damage {
		info, err := os.Stat(dir)
		if err != nil {
			return nil
		}
		// A change may be half of a repair. And the kernel detaches a hook a little after its link is gone.
		settled := info.ModTime().Equal(changed)
		examine := calls == 0 || settled && (due || calls%60 == 0)
		calls, due, changed = calls+1, !settled, info.ModTime()
		if !examine {
			return nil
		}
		found, _ := Examine(dir)
		found = slices.DeleteFunc(found, func(d Damage) bool { return d.Unrecorded == "" })
		if slices.Equal(found, last) {
			return nil
		}
		last = found
		return found
	}
}
