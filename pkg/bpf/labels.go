// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/runc-trace/runc-trace/pkg/boottime"
	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/identity"
)

// ErrFull means that the map has no room for the labels of another subject. It has as many entries as the pool has
// identities.
var ErrFull = errors.New("no room for more labels")

// LabelSource is a source of labels: enum label_source.
type LabelSource uint32

// The sources of labels.
const (
	SourceAgent      LabelSource = abi.LabelsAgent
	SourceKubernetes LabelSource = abi.LabelsKubernetes
	SourceCRI        LabelSource = abi.LabelsCri
	SourceDocker     LabelSource = abi.LabelsDocker
)

// String returns the source's name in messages, metrics and JSON.
func (s LabelSource) String() string {
	switch s {
	case SourceAgent:
		return "agent"
	case SourceKubernetes:
		return "kubernetes"
	case SourceCRI:
		return "cri"
	case SourceDocker:
		return "docker"
	}
	return fmt.Sprintf("source %d", uint32(s))
}

// Labels are the labels of one subject from one source.
type Labels struct {
	Updated   time.Duration     // CLOCK_BOOTTIME of the last update
	Name      string            // of the container, or empty
	Image     string            // of the container, or empty
	Set       map[string]string // empty: the subject is known to have no labels
	Truncated bool              // some labels did not fit
}

// LabelStore writes labels from other sources than the shim. They remain when the store is closed. Its methods may be
// called from several goroutines; if two put labels of the same subject, the last one wins.
type LabelStore struct {
	m *ebpf.Map
}

// OpenLabelStore opens the label store that is loaded below dir. Errors match ErrNotLoaded, ErrVersion,
// os.ErrPermission.
func OpenLabelStore(dir string) (*LabelStore, error) {
	if _, err := readABI(dir); err != nil {
		return nil, err
	}
	path := filepath.Join(dir, abi.PinLabels)
	m, err := ebpf.LoadPinnedMap(path, nil)
	if err != nil {
		return nil, unopened(path, err)
	}
	return &LabelStore{m}, nil
}

// Close closes the store.
func (s *LabelStore) Close() error { return s.m.Close() }

// Put replaces, in one step, the labels that a source has for a subject (a pod's UID or a container's ID), and sets
// their time to now. Labels that cannot be encoded (see identity.EncodeLabels) or do not fit are left out. It returns
// an error if the subject is too long to be unique, and one that wraps ErrFull if the map is full.
func (s *LabelStore) Put(source LabelSource, subject string, l Labels) error {
	key, err := labelsKey(source, subject)
	if err != nil {
		return err
	}
	value := abi.Labels{Updated: boottime.Now()}
	used, truncated := identity.EncodeLabels(value.Text[:], l.Set, nil)
	value.Length = uint32(used)
	if truncated || l.Truncated {
		value.Flags |= abi.LabelsTruncated
	}
	identity.Put(value.Name[:], l.Name)
	identity.Put(value.Image[:], l.Image)
	err = s.m.Put(key, value)
	if errors.Is(err, unix.E2BIG) {
		err = fmt.Errorf("%w: %w", ErrFull, err)
	}
	if err != nil {
		return fmt.Errorf("writing labels of %q: %w", subject, err)
	}
	return nil
}

// Delete removes the labels that a source has for a subject. If there are none, it returns no error.
func (s *LabelStore) Delete(source LabelSource, subject string) error {
	key, err := labelsKey(source, subject)
	if err != nil {
		return err
	}
	if err := s.m.Delete(key); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
		return fmt.Errorf("removing labels of %q: %w", subject, err)
	}
	return nil
}

// Each calls f with each entry, in no particular order, until f returns false. It may or may not include subjects that
// are put or deleted meanwhile.
func (s *LabelStore) Each(f func(LabelSource, string, Labels) bool) error {
	var keys []abi.LabelsKey
	var key abi.LabelsKey
	err := s.m.NextKey(nil, &key)
	for ; err == nil && len(keys) < int(s.m.MaxEntries()); err = s.m.NextKey(key, &key) {
		keys = append(keys, key)
	}
	if err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
		return fmt.Errorf("listing labels: %w", err)
	}
	for _, key := range keys {
		var value abi.Labels
		err := s.m.Lookup(key, &value)
		if errors.Is(err, ebpf.ErrKeyNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("reading labels: %w", err)
		}
		if !f(LabelSource(key.Source), identity.String(key.Subject[:]), readLabels(&value)) {
			return nil
		}
	}
	return nil
}

func labelsKey(source LabelSource, subject string) (abi.LabelsKey, error) {
	key := abi.LabelsKey{Source: uint32(source)}
	identity.Put(key.Subject[:], subject)
	if identity.String(key.Subject[:]) != subject {
		return key, fmt.Errorf("%q is not a pod UID or container ID: it has a NUL byte or more than %d bytes", subject, len(key.Subject)-1)
	}
	return key, nil
}

func readLabels(value *abi.Labels) Labels {
	return Labels{
		Updated:   time.Duration(value.Updated),
		Name:      identity.String(value.Name[:]),
		Image:     identity.String(value.Image[:]),
		Set:       identity.DecodeLabels(value.Text[:min(int(value.Length), len(value.Text))]),
		Truncated: value.Flags&abi.LabelsTruncated != 0,
	}
}

// Labels returns the labels that a source, of enum label_source, has for a subject, or false if it has none.
func (i *Instance) Labels(source uint32, subject string) (abi.Labels, bool) {
	var value abi.Labels
	key, err := labelsKey(LabelSource(source), subject)
	if err != nil || i.labels.Lookup(key, &value) != nil {
		return abi.Labels{}, false
	}
	return value, true
}
