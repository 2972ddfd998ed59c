// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"errors"
	"fmt"
	"sync"

	"github.com/cilium/ebpf/btf"
	"golang.org/x/sys/unix"

	"github.com/runc-trace/runc-trace/pkg/config"
)

// Try lets the kernel verify the programs as Load would, with the smallest sizes, and then releases them: it attaches,
// pins and keeps nothing. It takes up to two seconds and needs the same rights as Load.
func Try() error {
	if err := Supported(); err != nil {
		return err
	}
	collection, err := newCollection(layout(config.SmallestPool(), 0, 1), nil)
	if err != nil {
		return err
	}
	collection.Close()
	return nil
}

// Mounted reports whether a pin directory is on a bpf file system, or would be if it were made.
func Mounted(dir string) (bool, error) { return onBPFFS(dir) }

// kernelTypes returns the types of this kernel. They are read once, because that takes 20 ms.
var kernelTypes = sync.OnceValues(btf.LoadKernelSpec)

// haveCgroupStorage reports whether the kernel has storage for cgroups (Linux 6.2), by its types: an attempt to make
// such a map may wait 200 ms. Tests replace it.
var haveCgroupStorage = func() bool {
	var f *btf.Func
	kernel, err := kernelTypes()
	return err == nil && kernel.TypeByName("bpf_cgrp_storage_get", &f) == nil
}

// Supported returns an error that names the first missing kernel feature and the kernel version that introduced it.
func Supported() error {
	var uts unix.Utsname
	if err := unix.Uname(&uts); err != nil {
		return fmt.Errorf("reading the kernel's version: %w", err)
	}
	release := unix.ByteSliceToString(uts.Release[:])
	kernel, err := kernelTypes()
	if err != nil {
		return fmt.Errorf("kernel %s has no type information in /sys/kernel/btf/vmlinux (needs CONFIG_DEBUG_INFO_BTF=y, kernel 5.15 or newer): %w", release, err)
	}
	for _, need := range []struct{ function, feature, version string }{
		{"btf_trace_cgroup_mkdir", "the tracepoint cgroup_mkdir (CONFIG_CGROUPS=y)", "5.2"},
		{"btf_trace_sys_enter", "the tracepoint sys_enter (CONFIG_FTRACE_SYSCALLS=y)", "5.5"},
		{"btf_trace_sched_process_exec", "the tracepoint sched_process_exec", "5.5"},
	} {
		var t *btf.Typedef
		if err := kernel.TypeByName(need.function, &t); err != nil {
			return fmt.Errorf("kernel %s lacks %s: boot kernel %s or newer", release, need.feature, need.version)
		}
	}
	var f *btf.Func
	if err := kernel.TypeByName("bpf_task_storage_get_recur", &f); err != nil {
		if err := kernel.TypeByName("bpf_task_storage_get", &f); err != nil {
			return fmt.Errorf("kernel %s lacks task storage for tracing programs: boot kernel 5.15 or newer", release)
		}
	}
	return nil
}

// preemptible returns 1 if the kernel may run tracing programs with preemption enabled, else 0. Linux 6.18 does not;
// 7.3 does. For versions in between it returns 1, which costs two extra calls if it is not needed.
func preemptible() (uint32, error) {
	var uts unix.Utsname
	if err := unix.Uname(&uts); err != nil {
		return 0, fmt.Errorf("reading the kernel's version: %w", err)
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

// explain adds the most likely reason to a load error.
func explain(err error) error {
	switch {
	case errors.Is(err, unix.EPERM):
		return fmt.Errorf("%w (run it as root, in a container with CAP_BPF and CAP_PERFMON; "+
			"the kernel must not be in lockdown mode confidentiality)", err)
	case errors.Is(err, unix.ENOMEM), errors.Is(err, unix.E2BIG):
		return fmt.Errorf("%w (not enough memory for these sizes: use fewer or smaller recordings)", err)
	}
	return err
}
