// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

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
			return fmt.Errorf("pin directory %s: %w any more", i.Dir, ErrNotLoaded)
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
