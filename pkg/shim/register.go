// SPDX-License-Identifier: Apache-2.0

package shim

import (
	"errors"
	"fmt"
	"path"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/runc-trace/runc-trace/pkg/boottime"
	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/enginefiles"
	"github.com/runc-trace/runc-trace/pkg/identity"
	"github.com/runc-trace/runc-trace/pkg/pinned"
	"github.com/runc-trace/runc-trace/pkg/regular"
	"github.com/runc-trace/runc-trace/pkg/spec"
	"github.com/runc-trace/runc-trace/pkg/unregistered"
)

var (
	abiShape     = pinned.Shape{Type: unix.BPF_MAP_TYPE_ARRAY, KeySize: 4, ValueSize: abi.SizeofABI}
	pendingShape = pinned.Shape{Type: unix.BPF_MAP_TYPE_HASH, KeySize: abi.SizeofPendingKey,
		ValueSize: abi.SizeofPending}
	containersShape = pinned.Shape{Type: unix.BPF_MAP_TYPE_HASH, KeySize: 8, ValueSize: 8}
	bindingsShape   = pinned.Shape{Type: unix.BPF_MAP_TYPE_CGRP_STORAGE, KeySize: 4, ValueSize: 8}
)

// failure is the reason why a container was not registered.
type failure struct {
	error
	reason unregistered.Reason
}

func (f failure) Unwrap() error { return f.error }

// register stores the identity of the container, for the kernel to bind to the cgroup that the runtime is about to
// make. It checks the maps below pinDir before it reads or writes anything, and only reads config.json. The error is a
// failure, unless the runtime or a program in the kernel reports the problem itself.
//
// While the programs of another layout are being replaced, the maps of this one are in a directory of their own, until
// they are moved.
func register(op Operation, dialect Dialect, pinDir string, rules identity.Rules) error {
	err := registerIn(pinDir, op, dialect, rules)
	for _, dir := range []string{path.Join(pinDir, abi.PinBesideDir), pinDir} {
		var f failure
		if !errors.As(err, &f) || f.reason != unregistered.NotLoaded && f.reason != unregistered.OtherVersion {
			return err
		}
		if again := registerIn(dir, op, dialect, rules); !isMissing(again) {
			return again
		}
	}
	return err
}

// isMissing reports whether a container was not registered because there are no maps.
func isMissing(err error) bool {
	var f failure
	return errors.As(err, &f) && f.reason == unregistered.NotLoaded
}

func registerIn(pinDir string, op Operation, dialect Dialect, rules identity.Rules) error {
	loaded, err := readABI(pinDir)
	if err != nil {
		return err
	}
	s, err := readSpec(op, dialect)
	if err != nil {
		return err
	}
	cgroup, err := Locate(dialect, op.Driver, s.Linux.CgroupsPath, op.Container)
	switch {
	case errors.Is(err, errRefused):
		return failure{err, unregistered.SpecMalformed}
	case err != nil:
		return failure{err, unregistered.NoCgroup}
	}

	place, err := cgroup.Place()
	if err != nil {
		return failure{err, unregistered.NoCgroup}
	}

	// When a directory is made, a program in the kernel compares the end of its path, and cannot read a longer one. It is
	// not needed for a directory that exists.
	if place.ID == 0 && (place.Path == "" || len(cgroup.Path) >= abi.ExecPathLimit) {
		return failure{fmt.Errorf("cgroup path of %d bytes is too long", len(cgroup.Path)), unregistered.CgroupTooLong}
	}

	key := abi.PendingKey{Ancestor: place.Ancestor, Leaf: cgroup.Key()}
	entry := abi.Pending{Levels: uint32(place.Levels)}
	entry.PathLength = uint32(copy(entry.Path[:], place.Path))
	entry.Who = identity.Parse(op.Container, s.Annotations, op.Bundle, rules)
	spec.AddPodLabels(&entry.Who, op.Bundle, rules)
	enginefiles.AddDocker(&entry.Who, s.Root.Path, rules)
	enginefiles.AddPodman(&entry.Who, "", op.Bundle, syscall.Getppid(), rules)
	identity.SetContents(&entry.Who, s.Annotations, &rules.Contents)
	if s.Cut {
		entry.Who.Flags |= abi.WhoLabelsTruncated
	}
	if op.Verb == "restore" {
		entry.Who.Flags |= abi.WhoRestored
	}
	entry.Who.MountNamespace = mountNamespace(&s)
	identity.SetHolders(&entry.Who, loaded.Secret)
	entry.Time = boottime.Now()

	pending, err := openMap(path.Join(pinDir, abi.PinPending), pendingShape)
	if err != nil {
		return err
	}
	defer pending.Close()
	if err := store(pending, &key, &entry); err != nil {
		return failure{fmt.Errorf("storing an entry for cgroup %q: %w", cgroup.Path, err), unregistered.NotWritten}
	}

	// A cgroup that exists already does not appear again: bind it now. Check this after storing the entry, so that a
	// cgroup that appears in between is not missed.
	if place, err = cgroup.Place(); err == nil && place.ID != 0 {
		return bind(pinDir, cgroup.Path, place, key)
	}
	return nil
}

// store writes a pending entry. If the map is full, it first deletes entries that are too old to be bound: they are
// left when a runtime failed before it made the cgroup.
func store(pending pinned.Map, key *abi.PendingKey, entry *abi.Pending) error {
	err := pending.Update(bytesOf(key), bytesOf(entry))
	if !errors.Is(err, syscall.E2BIG) {
		return err
	}
	var old, next abi.PendingKey
	var found abi.Pending
	for range 2 * abi.PendingMax {
		if pending.Next(bytesOf(&old), bytesOf(&next)) != nil {
			break
		}
		old = next
		if pending.Lookup(bytesOf(&next), bytesOf(&found)) == nil && found.Time+abi.PendingSeconds*1e9 < entry.Time {
			_ = pending.Delete(bytesOf(&next))
		}
	}
	return pending.Update(bytesOf(key), bytesOf(entry))
}

// readSpec reads the file that the runtime is about to read. It resolves the path as the kernel does, because the
// runtime enters the bundle first: ".." after a symbolic link is not the parent in a cleaned path.
func readSpec(op Operation, dialect Dialect) (spec.Spec, error) {
	name := op.SpecFile
	if name == "" {
		name = "config.json"
	}
	if op.Bundle != "" && !path.IsAbs(name) {
		name = op.Bundle + "/" + name
	}
	f, err := regular.Open(name)
	switch {
	case errors.Is(err, syscall.ENOENT):
		return spec.Spec{}, err // the runtime does not find it either
	case errors.Is(err, regular.ErrIrregular) && !errors.Is(err, syscall.EISDIR):
		return spec.Spec{}, failure{err, unregistered.SpecUnread}
	case err != nil:
		return spec.Spec{}, failure{err, unregistered.SpecMalformed} // the runtime cannot open it either
	}
	defer f.Close()
	s, err := spec.Parse(f, f.Size)
	if err == nil {
		return s, nil
	}
	reason := unregistered.SpecMalformed
	switch {
	case errors.Is(err, spec.ErrTooLarge):
		reason = unregistered.SpecTooLarge
	case dialect == Crun: // its parser, yajl, accepts comments
		reason = unregistered.SpecUnread
	}
	return spec.Spec{}, failure{fmt.Errorf("reading %q: %w", name, err), reason}
}

// openMap opens a pinned map. Its error is a failure.
func openMap(path string, shape pinned.Shape) (pinned.Map, error) {
	m, err := pinned.OpenMap(path, shape)
	if err == nil {
		return m, nil
	}
	reason := unregistered.PinsUnusable
	switch {
	case errors.Is(err, syscall.ENOENT):
		reason = unregistered.NotLoaded
	case errors.Is(err, pinned.ErrShape):
		reason = unregistered.OtherVersion
	}
	return m, failure{err, reason}
}

// readABI reads the parameters of the loaded programs, and rejects maps of another version of the contract.
func readABI(pinDir string) (loaded abi.ABI, err error) {
	m, err := openMap(path.Join(pinDir, abi.PinABI), abiShape)
	if err != nil {
		return loaded, err
	}
	defer m.Close()
	if err := m.Lookup(make([]byte, 4), bytesOf(&loaded)); err != nil {
		err = fmt.Errorf("reading the loaded version below %q: %w", pinDir, err)
		return loaded, failure{err, unregistered.PinsUnusable}
	}
	if loaded.Version != abi.ABIVersion {
		reason := unregistered.OtherVersion
		if loaded.Version == 0 {
			reason = unregistered.NotLoaded // load writes the version last
		}
		return loaded, failure{fmt.Errorf("the programs below %q have version %d, but this shim needs %d: run tracectl install of this version",
			pinDir, loaded.Version, abi.ABIVersion), reason}
	}
	return loaded, nil
}

// bind registers an existing cgroup with the entry stored for it.
func bind(pinDir, name string, place Place, key abi.PendingKey) error {
	program, err := pinned.OpenProgram(path.Join(pinDir, abi.PinBind))
	if err != nil {
		return failure{err, unregistered.NotBound}
	}
	defer program.Close()
	request := abi.BindRequest{Cgroup: place.ID, Owner: place.Owner, Pending: key}
	copy(request.Path[:len(request.Path)-1], name)
	result, err := program.Run(bytesOf(&request))
	if err != nil {
		return failure{fmt.Errorf("binding cgroup %d: %w", place.ID, err), unregistered.NotBound}
	}
	stored := storeBinding(pinDir, place)
	if result != 0 {
		return fmt.Errorf("binding cgroup %d: %s", place.ID, abi.ReasonOf(result-1).Text)
	}
	return stored
}

// storeBinding stores the binding of an existing cgroup in the cgroup, if the kernel has storage for cgroups.
func storeBinding(pinDir string, place Place) error {
	bindings, err := pinned.OpenMap(path.Join(pinDir, abi.PinBindings), bindingsShape)
	if errors.Is(err, pinned.ErrShape) {
		return nil // it has none
	}
	if err != nil {
		return failure{err, unregistered.NotBound}
	}
	defer bindings.Close()
	containers, err := openMap(path.Join(pinDir, abi.PinContainers), containersShape)
	if err != nil {
		return failure{err, unregistered.NotBound}
	}
	defer containers.Close()
	var binding uint64
	if err := containers.Lookup(bytesOf(&place.ID), bytesOf(&binding)); err != nil || binding == 0 {
		return nil // it was not bound, or another shim is binding it
	}
	fd, err := syscall.Open(place.Directory, syscall.O_RDONLY|syscall.O_DIRECTORY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return failure{fmt.Errorf("opening cgroup %s: %w", place.Directory, err), unregistered.NotBound}
	}
	defer syscall.Close(fd)
	key := int32(fd)
	if err := bindings.Update(bytesOf(&key), bytesOf(&binding)); err != nil {
		return failure{fmt.Errorf("storing the binding of cgroup %s: %w", place.Directory, err), unregistered.NotBound}
	}
	return nil
}

// mountNamespace returns the inode number of the runtime's mount namespace, which tells its own execs from those of
// the container. It returns 0 if the container shares that namespace.
func mountNamespace(s *spec.Spec) uint32 {
	var own, joined syscall.Stat_t
	if syscall.Stat("/proc/self/ns/mnt", &own) != nil {
		return 0
	}
	for _, namespace := range s.Linux.Namespaces {
		if namespace.Type != "mount" {
			continue
		}
		if namespace.Path != "" && (syscall.Stat(namespace.Path, &joined) != nil || joined.Ino == own.Ino) {
			return 0
		}
		return uint32(own.Ino)
	}
	return 0
}

// bytesOf returns the memory of a struct of the contract, which has no padding.
func bytesOf[T abi.ABI | abi.PendingKey | abi.Pending | abi.BindRequest | uint64 | int32](value *T) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(value)), unsafe.Sizeof(*value))
}
