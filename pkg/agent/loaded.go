// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/runc-trace/runc-trace/pkg/bpf"
	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/config"
	"github.com/runc-trace/runc-trace/pkg/status"
)

// Store stores labels: a bpf.LabelStore.
type Store interface {
	Put(source bpf.LabelSource, subject string, l bpf.Labels) error
	Delete(source bpf.LabelSource, subject string) error
	Each(func(source bpf.LabelSource, subject string, l bpf.Labels) bool) error
}

// Reader reads the known containers: a bpf.Instance.
type Reader interface {
	Containers() (map[uint64]uint32, error)
	Identity(index int) (abi.Identity, bool)
	Pool() config.Pool
}

// loaded holds the opened programs and maps.
type loaded struct {
	store  Store
	reader Reader
	status func() (*status.Status, error) // for metrics; nil in tests

	instance *bpf.Instance // nil in tests

	lock  func() (held bool, err error) // keeps other agents from serving the programs until it is closed
	stale func() bool                   // the programs were unloaded or replaced
	close func() error
}

// open opens the programs and maps pinned below dir.
func open(dir string) (*loaded, error) {
	lockPath := filepath.Join(dir, abi.PinUnfinishedCalls)
	// A repair may replace only the map of labels.
	pins, err := bpf.NewWatch(dir, abi.PinABI, abi.PinLabels, abi.PinUnfinishedCalls)
	if err != nil {
		return nil, err
	}
	instance, err := bpf.Open(dir)
	if err != nil {
		return nil, err
	}
	store, err := bpf.OpenLabelStore(dir)
	if err != nil {
		return nil, errors.Join(err, instance.Close())
	}
	// The iterator is the only pin that can be opened as a file, and therefore locked. It belongs to root, exists
	// whenever the other pins do, and changes when programs are loaded or replaced. Commands that change the
	// directory lock the directory itself.
	file, err := os.Open(lockPath)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("opening the agents' lock: %w", err), store.Close(), instance.Close())
	}
	return &loaded{
		store: store, reader: instance, instance: instance,
		status: func() (*status.Status, error) { return status.Read(instance, instance.Layout) },
		lock: func() (bool, error) {
			err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
			if errors.Is(err, unix.EWOULDBLOCK) {
				return false, nil
			}
			if err != nil {
				return false, fmt.Errorf("locking %s: %w", lockPath, err)
			}
			return true, nil
		},
		stale: pins.Changed,
		close: func() error {
			// A process that was just forked may still have the descriptor open.
			return errors.Join(unix.Flock(int(file.Fd()), unix.LOCK_UN), file.Close(), store.Close(), instance.Close())
		},
	}, nil
}
