// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/runc-trace/runc-trace/pkg/terminal"
	"github.com/runc-trace/runc-trace/pkg/unified"
)

// system judges this process's privileges and the kernel.
func system(f Facts) []Check {
	checks := ok("tracectl", fmt.Sprintf("%s, layout %d, %s", f.Self.Version, f.Self.Layout, f.Self.Path))
	checks = append(checks, privileges(f.Self)...)
	checks = append(checks, kernel(f.Kernel)...)
	switch {
	case !f.Kernel.BTF:
		checks = append(checks, fail("btf", "the kernel has no type information (/sys/kernel/btf/vmlinux)",
			"boot a kernel with CONFIG_DEBUG_INFO_BTF=y; in a container, mount the host's /sys")...)
	case f.Self.privileged() && f.Kernel.Trial != nil:
		checks = append(checks, ok("btf", "/sys/kernel/btf/vmlinux")...)
		checks = append(checks, fail("ebpf", f.Kernel.Trial.Error(),
			"boot a kernel of 5.15 or newer with CONFIG_BPF_SYSCALL, CONFIG_BPF_EVENTS, CONFIG_FTRACE_SYSCALLS and CONFIG_CGROUPS")...)
	case f.Self.privileged():
		checks = append(checks, ok("btf", "/sys/kernel/btf/vmlinux")...)
		checks = append(checks, ok("ebpf", "the kernel accepts all programs and maps")...)
	default:
		checks = append(checks, ok("btf", "/sys/kernel/btf/vmlinux")...)
	}
	switch f.Kernel.Lockdown {
	case "":
	case "confidentiality":
		checks = append(checks, fail("lockdown", "programs cannot read kernel memory: lockdown is in confidentiality mode",
			"boot with the kernel option lockdown=integrity, or without lockdown=confidentiality")...)
	default:
		checks = append(checks, ok("lockdown", f.Kernel.Lockdown)...)
	}
	return checks
}

// privileged reports whether the process may load and read programs.
func (s Self) privileged() bool {
	has := func(capability int) bool { return s.Capabilities>>capability&1 != 0 }
	return !slices.Contains(s.Namespaces, "user") &&
		(has(unix.CAP_SYS_ADMIN) || has(unix.CAP_BPF) && has(unix.CAP_PERFMON))
}

func privileges(s Self) []Check {
	const unseen = ": loaded programs cannot be inspected"
	switch {
	case slices.Contains(s.Namespaces, "user"):
		return fail("privileges", fmt.Sprintf("user ID %d is in a user namespace%s", s.UID, unseen),
			"run it as root on the host: sudo tracectl doctor")
	case !s.privileged() && s.UID != 0:
		return fail("privileges", fmt.Sprintf("user ID %d has neither CAP_SYS_ADMIN nor CAP_BPF with CAP_PERFMON%s", s.UID,
			unseen), "sudo tracectl doctor")
	case !s.privileged():
		return fail("privileges", "root has neither CAP_SYS_ADMIN nor CAP_BPF with CAP_PERFMON"+unseen,
			"run it on the host, or in a privileged container")
	case len(s.Namespaces) > 0:
		return warn("privileges", "running in a container: host engines, containers and files may be invisible", "run it on the host")
	}
	return ok("privileges", fmt.Sprintf("user ID %d may load programs", s.UID))
}

func kernel(k Kernel) []Check {
	name := fmt.Sprintf("%s on %s", k.Release, runtime.GOARCH)
	var major, minor int
	if _, err := fmt.Sscanf(k.Release, "%d.%d", &major, &minor); err != nil {
		return warn("kernel", name+": its version is unreadable", "check that it is 5.15 or newer")
	}
	if major > 5 || major == 5 && minor >= 15 {
		return ok("kernel", name)
	}
	if k.BTF && k.Trial == nil {
		return warn("kernel", name+" is older than 5.15, but accepts the programs", "boot a kernel of 5.15 or newer")
	}
	return fail("kernel", name+" is older than 5.15", "boot a kernel of 5.15 or newer")
}

// fileSystems judges the file system of the pins.
func fileSystems(f Facts) []Check {
	p := f.PinDir
	switch {
	case p.Err != nil && !f.Self.privileged():
		return nil
	case p.Err != nil:
		return fail("bpffs", p.Err.Error(), "mount -t sysfs sysfs /sys, on a kernel with CONFIG_BPF_SYSCALL=y")
	case p.Mounted:
		return ok("bpffs", fmt.Sprintf("mounted for %s (tracefs is not needed)", p.Path))
	case p.Default:
		return ok("bpffs", "not mounted; tracectl load mounts it (tracefs is not needed)")
	}
	return fail("bpffs", fmt.Sprintf("pin directory %s is not on a bpf file system", p.Path),
		"choose one below /sys/fs/bpf with --pin-dir or pin-dir in the configuration")
}

// cgroups judges whether the unified hierarchy can tell containers apart.
func cgroups(f Facts) []Check {
	const pure, hybrid = unified.Mount, unified.Hybrid
	reboot, mount := "boot with the kernel option systemd.unified_cgroup_hierarchy=1",
		"mkdir -p "+hybrid+" && mount -t cgroup2 cgroup2 "+hybrid
	remedy := mount
	if f.Systemd {
		remedy = reboot
	}
	switch c := f.Cgroups; {
	case c.Unified == "" && c.V1:
		return fail("cgroups", "only version 1 is mounted: tracing needs the unified hierarchy to tell containers apart", remedy)
	case c.Unified == "":
		return fail("cgroups", "no hierarchy is mounted", "mount -t cgroup2 cgroup2 "+pure)
	case c.Unified != pure && c.Unified != hybrid:
		return fail("cgroups", fmt.Sprintf("the unified hierarchy is mounted at %s, but runtimes do not look there", c.Unified), remedy)
	case !c.V1:
		return ok("cgroups", "version 2 at "+c.Unified)
	}
	outside := 0
	for _, r := range f.Running {
		if r.Path == "/" {
			outside++
		}
	}
	if outside > 0 {
		return warn("cgroups", fmt.Sprintf("hybrid: %s outside the unified hierarchy cannot be traced",
			terminal.Count(outside, "container")),
			reboot+", or use a runtime that does so (runc 1.1 or newer)")
	}
	return ok("cgroups", "hybrid: version 2 at "+f.Cgroups.Unified)
}

// farStep is a step of the wall clock that is large enough to confuse a comparison of times.
const farStep = 10 * time.Second

// clocks judges the wall clock, which is used to show times.
func clocks(f Facts) []Check {
	const remedy = "synchronise the clock: timedatectl set-ntp true, or run chronyd"
	switch now := f.Clock.Now; {
	case now.Year() < 2020:
		return warn("clock", "the date is not "+now.Format(time.DateOnly)+", so the times shown are wrong", remedy)
	case f.Tracer.Stepped.Abs() > farStep:
		return warn("clock",
			fmt.Sprintf("it was changed by %v since the programs were loaded: earlier times are shown by the current clock",
				f.Tracer.Stepped.Round(time.Second)), remedy)
	case !f.Clock.Synchronised:
		return warn("clock", "it is not synchronised: times may differ from other machines", remedy)
	}
	return ok("clock", "synchronised")
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	return strings.TrimSpace(line)
}
