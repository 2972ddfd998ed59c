// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"time"
	"unsafe"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/runc-trace/runc-trace/pkg/boottime"
	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/config"
	"github.com/runc-trace/runc-trace/pkg/identity"
)

var (
	// ErrNoIdentity means that a container was not registered because living containers hold all identities.
	ErrNoIdentity = errors.New("all identities are in use")
	// ErrNoRing means that a container was registered but is not recorded because living containers hold all rings.
	ErrNoRing = errors.New("all recordings are in use")
	// ErrNoCgroup means that the unified hierarchy has no such cgroup, or that the cgroup was removed meanwhile.
	ErrNoCgroup = errors.New("no such cgroup")
)

// Adopter registers containers whose cgroups already exist. Its methods are not safe for concurrent use, but several
// adopters and the shim may register the same containers at the same time.
type Adopter struct {
	layout              abi.ABI
	pending, containers *ebpf.Map
	bindings            *ebpf.Map // nil if the kernel has no storage for cgroups
	bind                *ebpf.Program
}

// Init is the first process of a running container.
type Init struct {
	Process *os.File      // its directory in /proc; nil if the container's program has not been started yet
	Started time.Duration // since boot
}

// OpenAdopter opens the programs and maps that are loaded below dir. Errors match ErrNotLoaded, ErrVersion,
// os.ErrPermission.
func OpenAdopter(dir string) (*Adopter, error) {
	layout, err := readABI(dir)
	if err != nil {
		return nil, err
	}
	a := &Adopter{layout: layout}
	pending, bind := filepath.Join(dir, abi.PinPending), filepath.Join(dir, abi.PinBind)
	if a.pending, err = ebpf.LoadPinnedMap(pending, nil); err != nil {
		return nil, unopened(pending, err)
	}
	if a.containers, err = loadMap(filepath.Join(dir, abi.PinContainers)); err != nil {
		return nil, errors.Join(err, a.Close())
	}
	bindings := filepath.Join(dir, abi.PinBindings)
	if a.bindings, err = ebpf.LoadPinnedMap(bindings, nil); err != nil {
		return nil, errors.Join(unopened(bindings, err), a.Close())
	}
	if a.bindings.Type() != ebpf.CgroupStorage {
		a.bindings.Close()
		a.bindings = nil
	}
	if a.bind, err = ebpf.LoadPinnedProgram(bind, nil); err != nil {
		return nil, errors.Join(unopened(bind, err), a.Close())
	}
	return a, nil
}

// Close closes the adopter. The containers that it registered stay registered.
func (a *Adopter) Close() error {
	var errs []error
	for _, c := range []io.Closer{a.pending, a.containers, a.bind} {
		errs = append(errs, c.Close())
	}
	if a.bindings != nil {
		errs = append(errs, a.bindings.Close())
	}
	return errors.Join(errs...)
}

// Pool returns the sizes that were loaded.
func (a *Adopter) Pool() config.Pool { return pool(a.layout) }

// Adopt registers the container whose cgroup is the given directory, with the flag abi.WhoAdopted, and registers the
// cgroups below it as part of the same container. If the cgroup is already known, Adopt leaves its registration alone,
// looks only at the cgroups below it, and returns false. If two callers register the same cgroup at the same moment,
// both may get true, although only one of them registered it. Errors match ErrNoCgroup, ErrNoIdentity, and ErrNoRing;
// with ErrNoRing, Adopt returns true.
func (a *Adopter) Adopt(directory string, who abi.Who, init Init) (adopted bool, err error) {
	cgroup, err := cgroupID(directory)
	if err != nil {
		return false, err
	}
	known, err := a.known(cgroup)
	if err != nil {
		return false, err
	}
	if !known {
		if err = a.register(cgroup, who, init); err != nil && !errors.Is(err, ErrNoRing) {
			return false, err
		}
		// The kernel reports a removal once. If that happened before the cgroup was known, the report was ignored.
		if now, gone := cgroupID(directory); gone != nil || now != cgroup {
			return false, errors.Join(fmt.Errorf("cgroup %q: %w", directory, ErrNoCgroup),
				a.run(abi.BindRequest{Cgroup: cgroup, Removed: 1}))
		}
	}
	if stored := a.store(directory, cgroup); stored != nil {
		return !known, errors.Join(err, stored)
	}
	return !known, errors.Join(err, a.adoptBelow(directory, cgroup))
}

// store stores the binding of a container's own cgroup in the cgroup, as the program does that sees cgroups being made.
func (a *Adopter) store(directory string, cgroup uint64) error {
	if a.bindings == nil {
		return nil
	}
	d, err := os.Open(directory)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("opening a cgroup: %w", err)
	}
	defer d.Close()
	var s unix.Stat_t
	if err := unix.Fstat(int(d.Fd()), &s); err != nil || s.Ino != cgroup {
		return err // it was removed, and another one was made with its name
	}
	_, err = a.storeIn(d, cgroup)
	return err
}

const storeTries = 1000

// storeIn stores the binding of the container with a cgroup in that cgroup, or in one below it. It returns whether the
// binding was there before. A cgroup that is gone, or a container that has ended, is not an error.
func (a *Adopter) storeIn(d *os.File, cgroup uint64) (known bool, err error) {
	var binding uint64
	if err := a.containers.Lookup(cgroup, &binding); err != nil {
		if errors.Is(err, ebpf.ErrKeyNotExist) {
			return true, nil
		}
		return false, fmt.Errorf("finding cgroup %d: %w", cgroup, err)
	}
	if binding == 0 {
		return true, nil // a shim is registering it, and will store it
	}
	// While others store something in the same cgroup, the kernel asks to try again.
	for range storeTries {
		err = a.bindings.Update(int32(d.Fd()), binding, ebpf.UpdateNoExist)
		if !errors.Is(err, unix.EAGAIN) {
			break
		}
	}
	switch {
	case errors.Is(err, ebpf.ErrKeyExist), errors.Is(err, ebpf.ErrKeyNotExist), errors.Is(err, unix.EBADF):
		return true, nil // without it: the cgroup was removed
	case err != nil:
		return false, fmt.Errorf("storing the binding of cgroup %s: %w", d.Name(), err)
	}
	return false, nil
}

func (a *Adopter) known(cgroup uint64) (bool, error) {
	var binding uint64
	err := a.containers.Lookup(cgroup, &binding)
	if errors.Is(err, ebpf.ErrKeyNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("finding cgroup %d: %w", cgroup, err)
	}
	return true, nil
}

// register adds a pending entry and runs the program bind on it. The entry's name is unique and cannot be a directory's
// name, so it collides neither with other adopters nor with a container of the same name that is being created now.
func (a *Adopter) register(cgroup uint64, who abi.Who, init Init) error {
	who.Flags |= abi.WhoAdopted
	identity.SetHolders(&who, a.layout.Secret)
	request := abi.BindRequest{Cgroup: cgroup, Created: uint64(init.Started)}
	copy(request.Pending.Leaf[:], "/adopt/"+rand.Text())
	if init.Process != nil {
		request.Init = uint32(init.Process.Fd()) + 1
	}
	if err := a.pending.Put(request.Pending, abi.Pending{Time: boottime.Now(), Who: who}); err != nil {
		return fmt.Errorf("storing an entry for cgroup %d: %w", cgroup, err)
	}
	err := a.run(request)
	runtime.KeepAlive(init.Process)
	if err != nil {
		if left := a.pending.Delete(request.Pending); left != nil && !errors.Is(left, ebpf.ErrKeyNotExist) {
			err = errors.Join(err, left)
		}
	}
	return err
}

// These bounds limit the work for one container, no matter how many cgroups are below its own.
const (
	directoriesMax = 4 * abi.ChildrenMax
	roundsMax      = 3
)

// adoptBelow gives the cgroups below a known cgroup the same binding. A cgroup that is made from now on gets it from
// its parent. A cgroup that was being made when its parent became known may appear a little later, so adoptBelow looks
// several times.
func (a *Adopter) adoptBelow(directory string, cgroup uint64) error {
	for range roundsMax {
		looked, found := 0, false
		if err := a.descend(directory, cgroup, &looked, &found); err != nil || !found {
			return err
		}
	}
	return nil
}

func (a *Adopter) descend(directory string, cgroup uint64, looked *int, found *bool) error {
	d, err := os.Open(directory)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("listing cgroups: %w", err)
	}
	defer d.Close()
	for {
		entries, err := d.ReadDir(128)
		if errors.Is(err, io.EOF) || errors.Is(err, os.ErrNotExist) || errors.Is(err, unix.ENODEV) {
			return nil // the cgroup was removed, and all below it
		}
		if err != nil {
			return fmt.Errorf("listing cgroups: %w", err)
		}
		for _, entry := range entries {
			if !entry.IsDir() {
				continue
			}
			if *looked++; *looked > directoriesMax {
				return fmt.Errorf("the container has more than %d cgroups: the others are not followed", directoriesMax)
			}
			child := filepath.Join(directory, entry.Name())
			if err := a.adoptChild(child, cgroup, looked, found); err != nil {
				return err
			}
		}
	}
}

func (a *Adopter) adoptChild(directory string, parent uint64, looked *int, found *bool) error {
	cgroup, err := cgroupID(directory)
	if errors.Is(err, ErrNoCgroup) {
		return nil
	}
	if err != nil {
		return err
	}
	if a.bindings != nil {
		d, err := os.Open(directory)
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("opening a cgroup: %w", err)
		}
		known, err := a.storeIn(d, parent)
		d.Close()
		if err != nil {
			return err
		}
		if !known {
			*found = true
			if err := a.run(abi.BindRequest{Cgroup: cgroup, Parent: parent}); err != nil { // counts it
				return err
			}
		}
		return a.descend(directory, parent, looked, found)
	}
	known, err := a.known(cgroup)
	if err != nil {
		return err
	}
	if !known {
		*found = true
		if err := a.run(abi.BindRequest{Cgroup: cgroup, Parent: parent}); err != nil {
			return err
		}
		if now, gone := cgroupID(directory); gone != nil || now != cgroup {
			return a.run(abi.BindRequest{Cgroup: cgroup, Removed: 1})
		}
	}
	return a.descend(directory, cgroup, looked, found)
}

// run runs the program bind.
func (a *Adopter) run(request abi.BindRequest) error {
	in, err := binary.Append(nil, binary.NativeEndian, request)
	if err != nil {
		return fmt.Errorf("encoding a request: %w", err)
	}
	// The program reads this memory of the process.
	var pinner runtime.Pinner
	defer pinner.Unpin()
	pinner.Pin(unsafe.SliceData(in))
	result, err := a.bind.Run(&ebpf.RunOptions{Context: uint64(uintptr(unsafe.Pointer(unsafe.SliceData(in))))})
	switch {
	case err != nil:
		return fmt.Errorf("binding cgroup %d: %w", request.Cgroup, err)
	case result == 0:
		return nil
	case result == 1+abi.CountNoIdentity:
		return fmt.Errorf("binding cgroup %d: %w", request.Cgroup, ErrNoIdentity)
	case result == 1+abi.CountNoRing:
		return fmt.Errorf("binding cgroup %d: %w", request.Cgroup, ErrNoRing)
	case result == 1+abi.CountChildren:
		return fmt.Errorf("binding cgroup %d: its container has more than %d cgroups", request.Cgroup, abi.ChildrenMax)
	}
	return fmt.Errorf("binding cgroup %d: %s", request.Cgroup, abi.ReasonOf(result-1).Text)
}

// cgroupID returns the ID of the cgroup at a directory of the unified hierarchy, which is its inode number. It refuses
// the root of the hierarchy, because that is never a container.
func cgroupID(directory string) (uint64, error) {
	var s unix.Stat_t
	fd, err := unix.Open(directory, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err == nil {
		defer unix.Close(fd)
		var f unix.Statfs_t
		if err = unix.Fstatfs(fd, &f); err == nil && f.Type != unix.CGROUP2_SUPER_MAGIC {
			err = unix.ENOENT
		}
	}
	if err == nil {
		err = unix.Fstat(fd, &s)
	}
	switch {
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENODEV), errors.Is(err, unix.ENOTDIR):
		return 0, fmt.Errorf("cgroup %q: %w", directory, ErrNoCgroup)
	case err != nil:
		return 0, fmt.Errorf("inspecting cgroup %q: %w", directory, err)
	case s.Ino == rootCgroup:
		return 0, fmt.Errorf("cgroup %q: %w: it is the root of the hierarchy", directory, ErrNoCgroup)
	}
	return s.Ino, nil
}

// rootCgroup is the ID of the root of the unified hierarchy, see cgroup_setup_root() in the kernel's
// kernel/cgroup/cgroup.c.
const rootCgroup = 1
