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
	Process *os.File      // its directory in /proc
	Started time.Duration // since boot
	Waits   bool          // the container's program has not been started yet
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
	return !known, errors.Join(err, a.adoptBelow(directory, cgroup))
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
	if init.Waits {
		request.Waits = 1
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
	directoriesMax = 1 << 16
	roundsMax      = 3
)

// adoptBelow gives a container's own cgroup and those below it its binding. A cgroup that is made from now on gets it
// from its parent. A cgroup that was being made when its parent became known may appear a little later, so adoptBelow
// looks several times.
func (a *Adopter) adoptBelow(directory string, container uint64) error {
	d, err := openDirectory(unix.AT_FDCWD, directory)
	if errors.Is(err, ErrNoCgroup) {
		return nil
	}
	if err != nil {
		return err
	}
	defer d.Close()
	if d.id != container {
		return nil // it was removed, and another one was made with its name
	}
	for range roundsMax {
		looked, found := 0, false
		if err := a.descend(d, container, &looked, &found); err != nil || !found {
			return err
		}
	}
	return nil
}

// descend gives a cgroup and all below it the binding of their container. It opens each by its parent, so that it stays
// below the container's own, whatever is made and removed meanwhile.
func (a *Adopter) descend(d directory, container uint64, looked *int, found *bool) error {
	if *looked++; *looked > directoriesMax {
		return fmt.Errorf("the container has more than %d cgroups: the others are not followed", directoriesMax)
	}
	if known, err := a.give(d, container); err != nil {
		return err
	} else if !known {
		*found = true
	}
	if _, err := d.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("listing cgroups: %w", err)
	}
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
			child, err := openDirectory(int(d.Fd()), entry.Name())
			if errors.Is(err, ErrNoCgroup) {
				continue
			}
			if err != nil {
				return err
			}
			err = a.descend(child, container, looked, found)
			child.Close()
			if err != nil {
				return err
			}
		}
	}
}

// give gives a cgroup the binding of the container that it belongs to. It returns whether the cgroup had it before.
func (a *Adopter) give(d directory, container uint64) (known bool, err error) {
	child := d.id != container
	if a.bindings != nil {
		known, err = a.storeIn(d.File, container)
	} else if child {
		known, err = a.known(d.id)
	}
	if err != nil || known || !child {
		return true, err
	}
	if err := a.run(abi.BindRequest{Cgroup: d.id, Parent: container}); err != nil { // counts it
		return false, err
	}
	if a.bindings != nil {
		return false, nil
	}
	// The kernel reports a removal once, as above.
	if unix.Faccessat(int(d.Fd()), "cgroup.procs", unix.F_OK, 0) != nil {
		return false, a.run(abi.BindRequest{Cgroup: d.id, Removed: 1})
	}
	known, err = a.known(d.id)
	return !known, err // if it found no room, another try changes nothing
}

// runBind runs the program bind.
func runBind(bind *ebpf.Program, request abi.BindRequest) (result uint32, err error) {
	in, err := binary.Append(nil, binary.NativeEndian, request)
	if err != nil {
		return 0, fmt.Errorf("encoding a request: %w", err)
	}
	// The program reads this memory of the process.
	var pinner runtime.Pinner
	defer pinner.Unpin()
	pinner.Pin(unsafe.SliceData(in))
	return bind.Run(&ebpf.RunOptions{Context: uint64(uintptr(unsafe.Pointer(unsafe.SliceData(in))))})
}

// run asks the program bind for something about a cgroup.
func (a *Adopter) run(request abi.BindRequest) error {
	result, err := runBind(a.bind, request)
	switch {
	case err != nil:
		return fmt.Errorf("binding cgroup %d: %w", request.Cgroup, err)
	case result == 0:
		return nil
	case result == 1+abi.CountNoIdentity:
		return fmt.Errorf("binding cgroup %d: %w", request.Cgroup, ErrNoIdentity)
	case result == 1+abi.CountNoRing:
		return fmt.Errorf("binding cgroup %d: %w", request.Cgroup, ErrNoRing)
	}
	return fmt.Errorf("binding cgroup %d: %s", request.Cgroup, abi.ReasonOf(result-1).Text)
}

// directory is an open cgroup of the unified hierarchy.
type directory struct {
	*os.File
	id uint64 // its inode number
}

// openDirectory opens the cgroup at a path, relative to the directory at. It refuses the root of the hierarchy, because
// that is never a container. Errors match ErrNoCgroup if there is none.
func openDirectory(at int, path string) (d directory, err error) {
	fd, err := unix.Openat(at, path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err == nil {
		d.File = os.NewFile(uintptr(fd), path)
		defer func() {
			if err != nil {
				d.Close()
			}
		}()
	}
	var s unix.Stat_t
	var f unix.Statfs_t
	if err == nil {
		err = unix.Fstat(fd, &s)
	}
	if err == nil {
		err = unix.Fstatfs(fd, &f)
	}
	switch {
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENODEV), errors.Is(err, unix.ENOTDIR),
		errors.Is(err, unix.ELOOP), err == nil && f.Type != unix.CGROUP2_SUPER_MAGIC:
		return d, fmt.Errorf("cgroup %q: %w", path, ErrNoCgroup)
	case err != nil:
		return d, fmt.Errorf("opening cgroup %q: %w", path, err)
	case s.Ino == rootCgroup:
		return d, fmt.Errorf("cgroup %q: %w: it is the root of the hierarchy", path, ErrNoCgroup)
	}
	d.id = s.Ino
	return d, nil
}

// cgroupID returns the ID of the cgroup at a path. Errors are those of openDirectory.
func cgroupID(path string) (uint64, error) {
	d, err := openDirectory(unix.AT_FDCWD, path)
	if err == nil {
		d.Close()
	}
	return d.id, err
}

// rootCgroup is the ID of the root of the unified hierarchy, see cgroup_setup_root() in the kernel's
// kernel/cgroup/cgroup.c.
const rootCgroup = 1
