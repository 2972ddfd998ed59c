// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"os"
	"path/filepath"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
)

// ErrOtherOptions says that programs are loaded already, with other sizes than those asked for.
var ErrOtherOptions = errors.New("already loaded with other options")

// Load loads the programs, attaches them, and pins them and their maps below dir, which is made
// (mode 0700) and, where no bpf file system is mounted, mounted. Nothing of it needs a process
// afterwards. syscalls tells what to read of each call: 2*abi.SyscallsMax descriptions.
//
// Where the same options are loaded already, Load changes nothing and returns false. Other options
// are refused with ErrOtherOptions. What a load that was interrupted left behind is removed first.
func Load(dir string, o Options, syscalls []abi.Syscall) (loaded bool, err error) {
	if err := o.Validate(); err != nil {
		return false, err
	}
	if len(syscalls) != 2*abi.SyscallsMax {
		return false, fmt.Errorf("%d syscall descriptions: there must be %d", len(syscalls), 2*abi.SyscallsMax)
	}
	if err := Supported(); err != nil {
		return false, err
	}
	unlock, err := prepareDir(dir)
	if err != nil {
		return false, err
	}
	defer unlock()

	present, err := readABI(dir)
	switch {
	case err == nil && options(present) == o:
		return false, nil
	case err == nil:
		return false, fmt.Errorf("pin directory %s: %w (%v): unload first, which drops all recordings", dir, ErrOtherOptions, options(present))
	case errors.Is(err, ErrVersion):
		return false, err
	}
	if err := removePins(dir); err != nil {
		return false, fmt.Errorf("removing what an interrupted load left in %s: %w", dir, err)
	}
	if err := load(dir, o, syscalls); err != nil {
		return false, errors.Join(err, removePins(dir))
	}
	return true, nil
}

func load(dir string, o Options, syscalls []abi.Syscall) error {
	cpus, err := ebpf.PossibleCPU()
	if err != nil {
		return fmt.Errorf("counting CPUs: %w", err)
	}
	var seed [8]byte
	rand.Read(seed[:])
	layout := o.layout(binary.NativeEndian.Uint64(seed[:]), bootTime(), cpus)

	spec, err := loadRecorder()
	if err != nil {
		return fmt.Errorf("reading the embedded programs: %w", err)
	}
	if err := size(spec, layout); err != nil {
		return err
	}
	collection, err := ebpf.NewCollection(spec)
	if err != nil {
		return fmt.Errorf("loading programs: %w", explain(err))
	}
	defer collection.Close()
	if err := fill(collection, layout, syscalls); err != nil {
		return err
	}
	for name, m := range collection.Maps {
		if name == abi.PinABI || name == ".rodata" {
			continue
		}
		if err := m.Pin(filepath.Join(dir, name)); err != nil {
			return fmt.Errorf("pinning map %s: %w", name, err)
		}
	}
	if err := collection.Programs["bind_existing"].Pin(filepath.Join(dir, abi.PinBind)); err != nil {
		return fmt.Errorf("pinning program bind: %w", err)
	}
	if err := attach(dir, collection); err != nil {
		return err
	}
	// Last of all, and in place only once its contents are: whoever finds it finds everything.
	if err := collection.Maps[abi.PinABI].Put(uint32(0), layout); err != nil {
		return fmt.Errorf("writing map abi: %w", err)
	}
	if err := collection.Maps[abi.PinABI].Pin(filepath.Join(dir, abi.PinABI)); err != nil {
		return fmt.Errorf("pinning map abi: %w", err)
	}
	return nil
}

// size gives maps and constants the sizes of a layout.
func size(spec *ebpf.CollectionSpec, a abi.ABI) error {
	for _, c := range []struct {
		name    string
		value   uint32
		entries uint32
	}{
		{abi.PinRings, a.RingStride, a.Rings},
		{abi.PinExecLog, a.ExecStride, a.ExecSegments},
		{abi.PinIdentities, 0, a.Identities},
		{abi.PinFreeIdentities, 0, a.Identities},
		{abi.PinEndedIdentities, 0, a.Identities},
		{abi.PinFreeRings, 0, a.Rings},
		{abi.PinEndedRings, 0, a.Rings},
		{abi.PinWriters, 0, a.Writers},
		{"scratch", 0, a.Writers},
	} {
		m := spec.Maps[c.name]
		if m == nil {
			return fmt.Errorf("embedded programs have no map %s", c.name)
		}
		m.MaxEntries = c.entries
		if c.value != 0 {
			m.ValueSize = c.value
			m.Key, m.Value = nil, nil // BTF would have to know the size
		}
	}
	preemptible, err := preemptible()
	if err != nil {
		return err
	}
	for name, value := range map[string]any{
		"preemptible":   preemptible,
		"secret":        a.Secret,
		"ring_size":     a.RingSize,
		"segment_size":  a.ExecSegmentSize,
		"segment_shift": uint32(bits.TrailingZeros32(a.ExecSegmentSize)),
		"segments":      a.ExecSegments,
		"capture_size":  a.CaptureSize,
		"argv_size":     a.ArgvSize,
	} {
		v := spec.Variables[name]
		if v == nil {
			return fmt.Errorf("embedded programs have no constant %s", name)
		}
		if err := v.Set(value); err != nil {
			return fmt.Errorf("setting constant %s: %w", name, err)
		}
	}
	return nil
}

// fill puts all slots into the queues of free ones, and tells the programs what to read of each call.
func fill(c *ebpf.Collection, a abi.ABI, syscalls []abi.Syscall) error {
	for name, n := range map[string]uint32{abi.PinFreeIdentities: a.Identities, abi.PinFreeRings: a.Rings} {
		for i := range n {
			if err := c.Maps[name].Put(nil, i); err != nil {
				return fmt.Errorf("filling queue %s: %w", name, err)
			}
		}
	}
	for i, s := range syscalls {
		if err := c.Maps[abi.PinSyscalls].Put(uint32(i), s); err != nil {
			return fmt.Errorf("writing map syscalls: %w", err)
		}
	}
	return nil
}

// attached are the programs that are attached, in this order: what begins recordings comes last.
var attached = []string{"on_cgroup_rmdir", "on_exit", "on_exec", "on_sys_exit", "on_sys_enter", "on_cgroup_mkdir"}

// attach attaches every program and pins its link.
func attach(dir string, c *ebpf.Collection) error {
	for _, name := range attached {
		l, err := link.AttachTracing(link.TracingOptions{Program: c.Programs[name]})
		if err != nil {
			return fmt.Errorf("attaching program %s: %w", name, err)
		}
		err = l.Pin(filepath.Join(dir, abi.PinLinkPrefix+name))
		l.Close()
		if err != nil {
			return fmt.Errorf("pinning link of program %s: %w", name, err)
		}
	}
	iter, err := link.AttachIter(link.IterOptions{Program: c.Programs["in_flight"]})
	if err != nil {
		return fmt.Errorf("attaching iterator in_flight: %w", err)
	}
	defer iter.Close()
	if err := iter.Pin(filepath.Join(dir, abi.PinUnfinishedCalls)); err != nil {
		return fmt.Errorf("pinning iterator in_flight: %w", err)
	}
	return nil
}

// Unload detaches the programs and drops all recordings, by removing their pins below dir, and dir itself where
// nothing else is in it. It returns false where there was nothing to remove.
func Unload(dir string) (unloaded bool, err error) {
	if _, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if on, err := onBPFFS(dir); err != nil || !on {
		return false, errors.Join(err, fmt.Errorf("pin directory %s is not on a bpf file system: nothing can be loaded there", dir))
	}
	unlock, err := lockDir(dir)
	if err != nil {
		return false, err
	}
	defer unlock()
	if err := removePins(dir); err != nil {
		return false, err
	}
	if err := os.Remove(dir); err != nil && !errors.Is(err, unix.EBUSY) && !errors.Is(err, unix.ENOTEMPTY) {
		return true, fmt.Errorf("removing pin directory: %w", err)
	}
	return true, nil
}

// Supported returns an error that names the first kernel feature that is missing, and the version that has it.
func Supported() error {
	var uts unix.Utsname
	if err := unix.Uname(&uts); err != nil {
		return fmt.Errorf("asking for the kernel's version: %w", err)
	}
	release := unix.ByteSliceToString(uts.Release[:])
	kernel, err := btf.LoadKernelSpec()
	if err != nil {
		return fmt.Errorf("kernel %s offers no type information in /sys/kernel/btf/vmlinux (CONFIG_DEBUG_INFO_BTF=y, kernel 5.15 or newer): %w", release, err)
	}
	for _, need := range []struct{ function, feature, version string }{
		{"btf_trace_cgroup_mkdir", "the tracepoint cgroup_mkdir (CONFIG_CGROUPS=y)", "5.2"},
		{"btf_trace_sys_enter", "the tracepoint sys_enter (CONFIG_FTRACE_SYSCALLS=y)", "5.5"},
		{"btf_trace_sched_process_exec", "the tracepoint sched_process_exec", "5.5"},
	} {
		var t *btf.Typedef
		if err := kernel.TypeByName(need.function, &t); err != nil {
			return fmt.Errorf("kernel %s lacks %s: kernel %s or newer has it", release, need.feature, need.version)
		}
	}
	var f *btf.Func
	if err := kernel.TypeByName("bpf_task_storage_get_recur", &f); err != nil {
		if err := kernel.TypeByName("bpf_task_storage_get", &f); err != nil {
			return fmt.Errorf("kernel %s lacks storage for tasks in tracing programs: kernel 5.15 or newer has it", release)
		}
	}
	return nil
}

// preemptible tells, as 0 or 1, whether the kernel may run tracing programs with preemption enabled: 6.18 does not, 7.3
// does. In between it is taken to, which costs two calls and nothing else where it does not.
func preemptible() (uint32, error) {
	var uts unix.Utsname
	if err := unix.Uname(&uts); err != nil {
		return 0, fmt.Errorf("asking for the kernel's version: %w", err)
	}
	var major, minor int
	if _, err := fmt.Sscanf(unix.ByteSliceToString(uts.Release[:]), "%d.%d", &major, &minor); err != nil {
		return 0, fmt.Errorf("reading the kernel's version %q: %w", uts.Release, err)
	}
	if major < 6 || major == 6 && minor <= 18 {
		return 0, nil
	}
	return 1, nil
}

// explain adds to a load error what its reason most often is.
func explain(err error) error {
	switch {
	case errors.Is(err, unix.EPERM):
		return fmt.Errorf("%w (root is needed, or CAP_BPF with CAP_PERFMON; kernel lockdown must not be in mode confidentiality)", err)
	case errors.Is(err, unix.ENOMEM), errors.Is(err, unix.E2BIG):
		return fmt.Errorf("%w (there is not enough memory for these sizes: ask for fewer or smaller recordings)", err)
	}
	return err
}

func bootTime() uint64 {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &t); err != nil {
		return 0
	}
	return uint64(t.Nano())
}
