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
	pendingShape = pinned.Shape{Type: unix.BPF_MAP_TYPE_LRU_HASH, KeySize: abi.LeafSize, ValueSize: abi.SizeofPending}
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
func register(op Operation, dialect Dialect, pinDir string, rules identity.Rules) error {
	if err := checkABI(pinDir); err != nil {
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

	// When a directory is made, a program in the kernel compares the end of its path, and cannot read a longer one. It is
	// not needed for a directory that exists.
	place, end := cgroup.place(), cgroup.End()
	if end == "" || len(place.path) >= abi.ExecPathLimit {
		if _, exists := place.existing(); !exists {
			return failure{fmt.Errorf("cgroup path of %d bytes is too long", len(place.path)), unregistered.CgroupTooLong}
		}
	}

	var entry abi.Pending
	entry.PathLength = uint32(copy(entry.Path[:], end))
	entry.Who = identity.Parse(op.Container, s.Annotations, op.Bundle, rules)
	spec.AddPodLabels(&entry.Who, op.Bundle, rules)
	enginefiles.AddDocker(&entry.Who, s.Root.Path, rules)
	enginefiles.AddPodman(&entry.Who, "", op.Bundle, syscall.Getppid(), rules)
	if s.Cut {
		entry.Who.Flags |= abi.WhoLabelsTruncated
	}
	entry.Who.MountNamespace = mountNamespace(&s)
	entry.Time = boottime.Now()
	key := cgroup.Key()

	pending, err := openMap(path.Join(pinDir, abi.PinPending), pendingShape)
	if err != nil {
		return err
	}
	defer pending.Close()
	if err := pending.Update(key[:], bytesOf(&entry)); err != nil {
		return failure{fmt.Errorf("storing an entry for cgroup %q: %w", end, err), unregistered.NotWritten}
	}

	// A cgroup that exists already does not appear again: bind it now. Check this after storing the entry, so that a
	// cgroup that appears in between is not missed.
	if id, ok := place.existing(); ok {
		return bind(pinDir, id, key)
	}
	return nil
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

// checkABI rejects maps of another version of the contract.
func checkABI(pinDir string) error {
	m, err := openMap(path.Join(pinDir, abi.PinABI), abiShape)
	if err != nil {
		return err
	}
	defer m.Close()
	var loaded abi.ABI
	if err := m.Lookup(make([]byte, 4), bytesOf(&loaded)); err != nil {
		err = fmt.Errorf("reading the loaded version below %q: %w", pinDir, err)
		return failure{err, unregistered.PinsUnusable}
	}
	if loaded.Version != abi.ABIVersion {
		reason := unregistered.OtherVersion
		if loaded.Version == 0 {
			reason = unregistered.NotLoaded // load writes the version last
		}
		return failure{fmt.Errorf("the programs below %q have version %d, but this shim needs %d: run tracectl unload and tracectl load of this version",
			pinDir, loaded.Version, abi.ABIVersion), reason}
	}
	return nil
}

// bind registers an existing cgroup with the entry stored under its name.
func bind(pinDir string, cgroup uint64, leaf [abi.LeafSize]byte) error {
	program, err := pinned.OpenProgram(path.Join(pinDir, abi.PinBind))
	if err != nil {
		return failure{err, unregistered.NotBound}
	}
	defer program.Close()
	request := abi.BindRequest{Cgroup: cgroup, Leaf: leaf}
	result, err := program.Run(bytesOf(&request))
	if err != nil {
		return failure{fmt.Errorf("binding cgroup %d: %w", cgroup, err), unregistered.NotBound}
	}
	if result != 0 {
		return fmt.Errorf("binding cgroup %d: refused, counter %d", cgroup, result-1)
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
func bytesOf[T abi.ABI | abi.Pending | abi.BindRequest](value *T) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(value)), unsafe.Sizeof(*value))
}
