// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/runc-trace/runc-trace/pkg/bpf"
	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/config"
	"github.com/runc-trace/runc-trace/pkg/engine"
	"github.com/runc-trace/runc-trace/pkg/status"
	"github.com/runc-trace/runc-trace/pkg/unregistered"
)

const runc = "/usr/sbin/runc"

// healthy returns new facts of a host without problems.
func healthy() Facts {
	c := config.Default()
	return Facts{
		Self:          Self{Version: "v1", Layout: 1, Path: "/usr/bin/tracectl", Capabilities: ^uint64(0)},
		Kernel:        Kernel{Release: "6.1.0-1-amd64", BTF: true, Lockdown: "integrity"},
		PinDir:        PinDir{Path: c.PinDir, Mounted: true, Default: true},
		Cgroups:       Cgroups{Unified: "/sys/fs/cgroup"},
		Clock:         Clock{Now: time.Unix(1800000000, 0), Synchronised: true},
		Systemd:       true,
		Configuration: Configuration{Path: "/c.toml", Present: true, Config: c},
		Runtimes:      []Runtime{{Wanted: config.Runtime{runc}, Path: runc, Answer: "runc version 1.1"}},
		Shims:         []Shim{{Path: "/usr/bin/runc-trace", Mode: 0o755, Same: true, Answer: "runc version 1.1"}},
		Engines: []Engine{{Engine: engine.Engine{
			Kind: engine.Containerd, Binary: "/usr/bin/containerd", Version: "2.0", Variant: "k3s", Unit: "k3s.service",
			CgroupDriver: "systemd", Runtime: engine.Runtime{Name: "runc", Path: "/usr/bin/runc-trace"},
		}, Use: engine.Use{Default: true, Runtimes: []string{"runc"}}, Reload: "systemctl restart k3s.service"}},
		KubeletDriver: "systemd",
		Unit: Unit{Load: "loaded", File: "enabled", Active: "active",
			Before: []string{"k3s.service", "shutdown.target"}},
		Running: []Running{{ID: "aa", Path: "/a/aa", Cgroups: []uint64{12, 11, 1}}},
		Tracer: Tracer{
			Status: status.Status{
				Layout: 1, Current: true, Memory: 1 << 20, Pool: config.Pool{Rings: 4, Identities: 10},
				Recordings: status.Recordings{Live: 1, Free: 3}, Identities: status.Identities{Running: 1, Free: 9},
				Programs: []bpf.Program{{Name: "on_exec"}, {Name: "on_exit"}},
			},
			Since:      time.Unix(1790000000, 0),
			Containers: []Container{{Name: "web", Cgroup: 11, Init: 7, Cgroups: []uint64{12, 11, 1}}},
		},
	}
}

func TestHealthy(t *testing.T) {
	t.Setenv("TZ", "UTC")
	var names []string
	for _, c := range Checks(healthy()) {
		names = append(names, c.Name)
		if c.State != OK || c.Detail == "" || c.Remedy != "" {
			t.Errorf("%+v", c)
		}
	}
	want := []string{
		"tracectl", "privileges", "kernel", "btf", "ebpf", "lockdown", "bpffs", "cgroups", "clock",
		"configuration", "runtime", "shim",
		"engine containerd (k3s)", "unit", "loaded", "programs", "recordings", "identities", "drops", "containers",
	}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// unprivileged removes the facts that only root can read.
func unprivileged(f *Facts) {
	f.Self.UID, f.Self.Capabilities = 1000, 0
	f.PinDir.Err, f.Configuration.Err = os.ErrPermission, os.ErrPermission
}

var ofTracer = []string{"loaded", "programs", "recordings", "identities", "drops", "containers"}

// TestChecks changes one fact at a time.
func TestChecks(t *testing.T) {
	const (
		unseen   = ": loaded programs cannot be inspected"
		newer    = "boot a kernel of 5.15 or newer"
		mount    = "mkdir -p /sys/fs/cgroup/unified && mount -t cgroup2 cgroup2 /sys/fs/cgroup/unified"
		reboot   = "boot with the kernel option systemd.unified_cgroup_hierarchy=1"
		ntp      = "synchronise the clock: timedatectl set-ntp true, or run chronyd"
		editMain = "set runtime to the real runtime in /c.toml"
		again    = "tracectl unload && tracectl load, which deletes all recordings"
	)
	wrong := fmt.Errorf("pin directory /x: %w", bpf.ErrVersion)
	for _, test := range []struct {
		what   string
		change func(*Facts)
		want   []Check  // those that differ from a healthy host
		gone   []string // missing checks, besides those of the same names
	}{
		{"a user", unprivileged, []Check{{"privileges", Fail,
			"user ID 1000 has neither CAP_SYS_ADMIN nor CAP_BPF with CAP_PERFMON" + unseen, "sudo tracectl doctor"}},
			append([]string{"ebpf", "bpffs", "configuration"}, ofTracer...)},
		{"root of a user namespace", func(f *Facts) { unprivileged(f); f.Self.UID = 0; f.Self.Namespaces = []string{"user"} },
			[]Check{{"privileges", Fail, "user ID 0 is in a user namespace" + unseen,
				"run it as root on the host: sudo tracectl doctor"}},
			append([]string{"ebpf", "bpffs", "configuration"}, ofTracer...)},
		{"root without capabilities", func(f *Facts) { unprivileged(f); f.Self.UID = 0 },
			[]Check{{"privileges", Fail, "root has neither CAP_SYS_ADMIN nor CAP_BPF with CAP_PERFMON" + unseen,
				"run it on the host, or in a privileged container"}},
			append([]string{"ebpf", "bpffs", "configuration"}, ofTracer...)},
		{"the capabilities alone", func(f *Facts) { f.Self.Capabilities = 1<<unix.CAP_BPF | 1<<unix.CAP_PERFMON }, nil, nil},
		{"half of them", func(f *Facts) { f.Self.UID, f.Self.Capabilities = 1, 1<<unix.CAP_BPF },
			[]Check{{"privileges", Fail, "user ID 1 has neither CAP_SYS_ADMIN nor CAP_BPF with CAP_PERFMON" + unseen,
				"sudo tracectl doctor"}}, append([]string{"ebpf"}, ofTracer...)},
		{"a privileged container", func(f *Facts) { f.Self.Namespaces = []string{"pid", "cgroup"} },
			[]Check{{"privileges", Warn, "running in a container: host engines, containers and files may be invisible",
				"run it on the host"}}, []string{"containers"}},

		{"an old kernel", func(f *Facts) { f.Kernel = Kernel{Release: "4.19.0"} }, []Check{
			{"kernel", Fail, "4.19.0 on " + runtime.GOARCH + " is older than 5.15", newer},
			{"btf", Fail, "the kernel has no type information (/sys/kernel/btf/vmlinux)",
				"boot a kernel with CONFIG_DEBUG_INFO_BTF=y; in a container, mount the host's /sys"},
		}, []string{"ebpf", "lockdown"}},
		{"an old kernel with much put back into it", func(f *Facts) { f.Kernel.Release = "5.14.0-1.el9" },
			[]Check{
				{"kernel", Warn, "5.14.0-1.el9 on " + runtime.GOARCH + " is older than 5.15, but accepts the programs", newer},
			}, nil},
		{"the oldest kernel", func(f *Facts) {
			f.Kernel.Release = "5.15.0-91-generic"
		}, []Check{{"kernel", OK, "5.15.0-91-generic on " + runtime.GOARCH, ""}}, nil},
		{"a kernel of no version", func(f *Facts) { f.Kernel.Release = "x" },
			[]Check{
				{"kernel", Warn, "x on " + runtime.GOARCH + ": its version is unreadable", "check that it is 5.15 or newer"},
			}, nil},
		{"a kernel that takes no programs", func(f *Facts) { f.Kernel.Trial = errors.New("loading programs: no") },
			[]Check{{"ebpf", Fail, "loading programs: no",
				newer + " with CONFIG_BPF_SYSCALL, CONFIG_BPF_EVENTS, CONFIG_FTRACE_SYSCALLS and CONFIG_CGROUPS"}}, nil},
		{"lockdown", func(f *Facts) { f.Kernel.Lockdown = "confidentiality" },
			[]Check{{"lockdown", Fail, "programs cannot read kernel memory: lockdown is in confidentiality mode",
				"boot with the kernel option lockdown=integrity, or without lockdown=confidentiality"}}, nil},

		{"no bpf file system yet", func(f *Facts) { f.PinDir.Mounted = false },
			[]Check{{"bpffs", OK, "not mounted; tracectl load mounts it (tracefs is not needed)", ""}}, nil},
		{"another file system", func(f *Facts) {
			f.PinDir = PinDir{Path: "/run/x"}
			f.Configuration.Config.PinDir = "/run/x"
			f.Tracer.Err = bpf.ErrNotLoaded
		}, []Check{
			{"bpffs", Fail, "pin directory /run/x is not on a bpf file system",
				"choose one below /sys/fs/bpf with --pin-dir or pin-dir in the configuration"},
			{"loaded", Fail, "nothing is loaded below /run/x", "tracectl load"},
		}, ofTracer},
		{"no sysfs", func(f *Facts) { f.PinDir.Err = errors.New("looking at /: no") },
			[]Check{{"bpffs", Fail, "looking at /: no", "mount -t sysfs sysfs /sys, on a kernel with CONFIG_BPF_SYSCALL=y"}}, nil},

		{"cgroups of version 1, systemd", func(f *Facts) { f.Cgroups = Cgroups{V1: true} },
			[]Check{{"cgroups", Fail, "only version 1 is mounted: tracing needs the unified hierarchy to tell containers apart", reboot}}, nil},
		{"cgroups of version 1, no systemd", func(f *Facts) { f.Cgroups, f.Systemd = Cgroups{V1: true}, false },
			[]Check{{"cgroups", Fail, "only version 1 is mounted: tracing needs the unified hierarchy to tell containers apart", mount}}, []string{"unit"}},
		{"no cgroups", func(f *Facts) { f.Cgroups = Cgroups{} },
			[]Check{{"cgroups", Fail, "no hierarchy is mounted", "mount -t cgroup2 cgroup2 /sys/fs/cgroup"}}, nil},
		{"cgroups elsewhere", func(f *Facts) { f.Cgroups = Cgroups{"/mnt", true} },
			[]Check{{"cgroups", Fail, "the unified hierarchy is mounted at /mnt, but runtimes do not look there", reboot}}, nil},
		{"hybrid cgroups", func(f *Facts) { f.Cgroups = Cgroups{"/sys/fs/cgroup/unified", true} },
			[]Check{{"cgroups", OK, "hybrid: version 2 at /sys/fs/cgroup/unified", ""}}, nil},
		{"hybrid cgroups, containers outside of the unified hierarchy", func(f *Facts) {
			f.Cgroups = Cgroups{"/sys/fs/cgroup/unified", true}
			f.Running = append(f.Running, Running{ID: "bb", Path: "/"}, Running{ID: "cc", Path: "/"})
		}, []Check{{"cgroups", Warn, "hybrid: 2 containers outside the unified hierarchy cannot be traced",
			reboot + ", or use a runtime that does so (runc 1.1 or newer)"}}, nil},

		{"a clock that was never set", func(f *Facts) { f.Clock.Now = time.Date(1970, 1, 2, 0, 0, 0, 0, time.UTC) },
			[]Check{{"clock", Warn, "the date is not 1970-01-02, so the times shown are wrong", ntp}}, nil},
		{"a clock that was set", func(f *Facts) { f.Tracer.Stepped = -time.Hour },
			[]Check{{"clock", Warn, "it was changed by -1h0m0s since the programs were loaded: earlier times are shown by the current clock", ntp}}, nil},
		{"a clock that nobody keeps", func(f *Facts) { f.Clock.Synchronised = false },
			[]Check{{"clock", Warn, "it is not synchronised: times may differ from other machines", ntp}}, nil},

		{"no configuration", func(f *Facts) {
			f.Configuration.Present = false
		}, []Check{{"configuration", OK, "using the defaults: there is no /c.toml", ""}}, nil},
		{"a broken configuration", func(f *Facts) {
			f.Configuration.Err = errors.New("parsing: a\nb")
		}, []Check{{"configuration", Fail, "parsing: a; b", "edit /c.toml"}}, nil},
		{"rules for labels that the shim does not know", func(f *Facts) {
			f.Configuration.Config.Contents.None = []string{"payments", "app=vault"}
		}, []Check{
			{"contents", Warn, "rules for labels in [contents] match no pod of containerd: the shim does not know its labels",
				"name namespaces in /c.toml, or annotate pods with runc-trace.contents"},
		}, nil},
		{"a pattern that is none", func(f *Facts) {
			f.Configuration.Config.Redact.Patterns = []string{"a", "("}
		}, []Check{
			{"redact", Warn, "redact.patterns has an invalid pattern \"(\": error parsing regexp: missing closing ): `(`",
				"correct the pattern in /c.toml"},
		}, nil},
		{"another pin directory", func(f *Facts) {
			f.PinDir.Path = "/sys/fs/bpf/x"
			f.Tracer.Err = bpf.ErrNotLoaded
		}, []Check{
			{"bpffs", OK, "mounted for /sys/fs/bpf/x (tracefs is not needed)", ""},
			{"configuration", Warn,
				"/c.toml registers containers below /sys/fs/bpf/runc-trace, but the pin directory checked here is /sys/fs/bpf/x",
				"run tracectl doctor --pin-dir /sys/fs/bpf/runc-trace, or change pin-dir in the configuration"},
			{"loaded", Fail, "nothing is loaded below /sys/fs/bpf/x", "tracectl load --pin-dir /sys/fs/bpf/x"},
		}, ofTracer},

		{"no runtime", func(f *Facts) { f.Runtimes[0] = Runtime{Wanted: config.Runtime{"a", "b"}} },
			[]Check{{"runtime", Fail, "no program found: a, b",
				"install it, run tracectl install if it has moved, or " + editMain}}, nil},
		{"the shim for a runtime", func(f *Facts) { f.Runtimes[0].Shim = true },
			[]Check{{"runtime", Fail, runc + " is runc-trace itself", editMain}}, nil},
		{"a runtime that hangs", func(f *Facts) { f.Runtimes[0].Err = errors.New("late") },
			[]Check{{"runtime", Fail, runc + " does not print its version: late", "repair it, or " + editMain}}, nil},
		{"a second runtime", func(f *Facts) {
			f.Runtimes = append(f.Runtimes, Runtime{Name: "crun", Path: "/crun", Answer: "crun 1"},
				Runtime{Name: "x", Path: "/x", Shim: true})
		}, []Check{{"runtime crun", OK, "/crun, crun 1", ""},
			{"runtime x", Fail, "/x is runc-trace itself", "set runtimes.x to the real runtime in /c.toml"}}, nil},

		{"no shim", func(f *Facts) { f.Shims = nil },
			[]Check{{"shim", Fail, "runc-trace was not found beside tracectl, in /opt/runc-trace/bin or in PATH", "tracectl install"}}, nil},
		{"a shim that others can write", func(f *Facts) { f.Shims[0].Mode = 0o775 },
			[]Check{{"shim", Fail,
				"/usr/bin/runc-trace can be changed by other users (user ID 0, mode 0775), but engines run it as root",
				"chown root /usr/bin/runc-trace; chmod 755 /usr/bin/runc-trace"}}, nil},
		{"a user's shim", func(f *Facts) { f.Shims[0].UID = 1000 },
			[]Check{{"shim", Fail,
				"/usr/bin/runc-trace can be changed by other users (user ID 1000, mode 0755), but engines run it as root",
				"chown root /usr/bin/runc-trace; chmod 755 /usr/bin/runc-trace"}}, nil},
		{"a shim without a runtime", func(f *Facts) { f.Shims[0].Err = errors.New("none") },
			[]Check{{"shim", Fail, "/usr/bin/runc-trace does not reach a runtime: none", "see the runtime check above"}}, nil},
		{"a busy host", func(f *Facts) {
			f.Shims[0].Err = fmt.Errorf("running env: %w", context.DeadlineExceeded)
		}, []Check{{"shim", Warn,
			"/usr/bin/runc-trace did not reach a runtime within 10s: the host is busy, or the runtime hangs",
			"see the runtime check above, and run tracectl doctor again"}}, nil},
		{"shims of two versions", func(f *Facts) { f.Shims = append(f.Shims, Shim{Path: "/opt/s", Mode: 0o755}) },
			[]Check{{"shim", Warn, "/opt/s and /usr/bin/runc-trace are different versions",
				"tracectl install, which installs one version of all"}}, nil},

		{"an engine without the shim", func(f *Facts) {
			f.Engines[0].Use = engine.Use{}
		}, []Check{{"engine containerd (k3s)", Warn,
			"version 2.0, cgroup driver systemd; none of its runtimes is runc-trace",
			"tracectl install --engine containerd --set-default --restart"}}, nil},
		{"an engine whose default runtime is not like runc", func(f *Facts) {
			f.Engines[0].Use, f.Engines[0].Runtime.Type = engine.Use{}, "io.containerd.kata.v2"
		}, []Check{{"engine containerd (k3s)", Warn,
			"version 2.0, cgroup driver systemd; none of its runtimes is runc-trace",
			"make a runtime that calls runc its default one, then run " +
				"tracectl install --engine containerd --set-default --restart"}}, nil},
		{"an engine with the shim beside its default runtime", func(f *Facts) {
			f.Engines[0].Use = engine.Use{Runtimes: []string{"runc-trace"}}
		}, []Check{{"engine containerd (k3s)", Warn,
			"version 2.0, cgroup driver systemd; its runtime runc-trace is runc-trace, but its default runtime runc is not",
			"tracectl install --engine containerd --set-default --restart"}}, nil},
		{"an engine with runtimes beside its default one", func(f *Facts) {
			f.Engines[0].Running = &engine.Use{Default: true}
			f.Engines[0].Untraced = []engine.Runtime{{Name: "nvidia", Path: "/usr/bin/nvidia-container-runtime"},
				{Name: "kata", Type: "io.containerd.kata.v2"}}
		}, []Check{{"engine containerd (k3s)", OK, "version 2.0, cgroup driver systemd; its default runtime runc is runc-trace; not traced: containers of its runtimes nvidia, kata (io.containerd.kata.v2)", ""}}, nil},
		{"an engine with a runtime that its next reload loses", func(f *Facts) {
			f.Engines[0].Kind, f.Engines[0].Variant, f.Engines[0].Unit = engine.Docker, "", ""
			f.Engines[0].Loses = []engine.Runtime{{Name: "crun", Path: "/usr/bin/crun"}}
		}, []Check{
			{"engine docker", OK, "version 2.0, cgroup driver systemd; its default runtime runc is runc-trace", ""},
			{"engine docker", Warn, "its next reload loses its runtime crun, which only --add-runtime defines",
				"tracectl install --engine docker --restart"},
		}, []string{"engine containerd (k3s)"}},
		{"an engine that has not read its configuration", func(f *Facts) {
			f.Engines[0].Running = &engine.Use{}
		}, []Check{{"engine containerd (k3s)", Warn,
			"version 2.0, cgroup driver systemd; its default runtime runc is runc-trace in its configuration, but the running engine reports that it calls another program", "systemctl restart k3s.service"}}, nil},
		{"an engine that goes on with what it had", func(f *Facts) {
			f.Engines[0].Use, f.Engines[0].Running = engine.Use{}, &engine.Use{Default: true}
		}, []Check{{"engine containerd (k3s)", Warn,
			"version 2.0, cgroup driver systemd; its default runtime runc is not runc-trace in its configuration, but the running engine reports that it still calls it", "systemctl restart k3s.service"}}, nil},
		{"an engine that does not answer", func(f *Facts) {
			f.Engines[0].RunningErr = errors.New("asking containerd (k3s) for its runtimes: refused")
		}, []Check{{"engine containerd (k3s)", Warn,
			"version 2.0, cgroup driver systemd; its default runtime runc is runc-trace in its configuration, but the running engine could not be asked whether it uses it: asking containerd (k3s) for its runtimes: refused", "systemctl restart k3s.service"}}, nil},
		{"an engine whose program was not found", func(f *Facts) {
			f.Engines[0].Binary, f.Engines[0].Version = "", ""
		}, []Check{{"engine containerd (k3s)", Warn,
			"cgroup driver systemd, program not found; its default runtime runc is runc-trace",
			"start the engine, so that doctor can find its program"}}, nil},
		{"an engine whose shim is gone", func(f *Facts) { f.Engines[0].Missing = true },
			[]Check{{"engine containerd (k3s)", Fail,
				"version 2.0, cgroup driver systemd; it cannot start containers: its runtime runc is /usr/bin/runc-trace, which does not exist",
				"tracectl install --engine containerd --set-default --restart, or tracectl uninstall"}}, nil},
		{"an engine whose own runtime is gone", func(f *Facts) {
			f.Engines[0].Missing, f.Engines[0].Use = true, engine.Use{}
		}, []Check{{"engine containerd (k3s)", Warn,
			"version 2.0, cgroup driver systemd; none of its runtimes is runc-trace",
			"tracectl install --engine containerd --set-default --restart"}}, nil},
		{"an engine of which little is known", func(f *Facts) {
			f.Engines[0] = Engine{Engine: engine.Engine{Kind: engine.Podman, Binary: "/usr/bin/podman",
				Runtime: engine.Runtime{Name: "crun"}}, Use: engine.Use{
				Default: true, Runtimes: []string{"crun"},
			}}
		}, []Check{{"engine podman", OK, "its default runtime crun is runc-trace", ""}}, []string{"engine containerd (k3s)"}},
		{"an engine that others tell the runtime", func(f *Facts) {
			f.Engines[0] = Engine{Engine: engine.Engine{Kind: engine.Containerd, Binary: "/usr/bin/containerd", Version: "1"}}
		},
			[]Check{{"engine containerd", OK, "version 1; it has no default runtime", ""}}, []string{"engine containerd (k3s)"}},
		{"Docker's snap", func(f *Facts) { f.Unhandled = []string{"a snap"} },
			[]Check{{"engines", Warn, "a snap", "install Docker from its packages"}}, nil},
		{"engines that cannot be read", func(f *Facts) { f.EnginesErr = errors.New("a\nb") },
			[]Check{{"engines", Warn, "a; b", "correct the engine's configuration"}}, nil},
		{"a kubelet of another mind", func(f *Facts) {
			f.KubeletDriver = "cgroupfs"
		}, []Check{{"kubelet", Warn, "its cgroup driver is cgroupfs, but containerd (k3s) uses systemd",
			"set cgroupDriver: systemd in /var/lib/kubelet/config.yaml, then run systemctl restart kubelet"}}, nil},
		{"a kubelet that does not say", func(f *Facts) { f.KubeletDriver = "" }, nil, nil},

		{"systemd that does not answer", func(f *Facts) { f.Unit = Unit{Err: errors.New("late")} },
			[]Check{{"unit", Warn, "systemd does not report the state of runc-trace.service: late",
				"systemctl status runc-trace.service"}}, nil},
		{"no unit", func(f *Facts) { f.Unit = Unit{Load: "not-found"} },
			[]Check{{"unit", Warn, "runc-trace.service is not installed: the programs are not loaded at boot", "tracectl install"}}, nil},
		{"a unit that is not enabled", func(f *Facts) { f.Unit.File = "disabled" },
			[]Check{{"unit", Warn, "runc-trace.service is disabled: the programs are not loaded at boot",
				"systemctl enable runc-trace.service"}}, nil},
		{"a unit that failed", func(f *Facts) { f.Unit.Active = "failed" },
			[]Check{{"unit", Fail, "runc-trace.service has failed", "journalctl -u runc-trace.service"}}, nil},
		{"a unit out of order", func(f *Facts) { f.Unit.Before = nil },
			[]Check{{"unit", Warn,
				"runc-trace.service is not ordered before k3s.service: the first containers after a boot are missed",
				"run systemctl edit runc-trace.service and add [Unit] Before=k3s.service"}}, nil},

		{"nothing loaded", func(f *Facts) { f.Tracer = Tracer{Err: bpf.ErrNotLoaded} },
			[]Check{{"loaded", Fail, "nothing is loaded below /sys/fs/bpf/runc-trace", "tracectl load"}}, ofTracer},
		{"another version loaded", func(f *Facts) {
			f.Tracer = Tracer{Err: wrong}
		}, []Check{{"loaded", Fail, wrong.Error(), "tracectl load --replace --discard-recordings"}}, ofTracer},
		{"pins of somebody else's", func(f *Facts) {
			f.Tracer = Tracer{Err: os.ErrPermission}
		}, []Check{{"loaded", Fail, "permission denied", "sudo tracectl doctor"}}, ofTracer},
		{"pins missing", func(f *Facts) {
			f.Tracer = Tracer{Err: &bpf.DamageError{Damage: []bpf.Damage{
				{Pin: "link_exec", Problem: "is missing", Unrecorded: "execs"}, {Pin: "pending", Problem: "is not a map"},
			}}}
		}, []Check{{"loaded", Fail, "pins below /sys/fs/bpf/runc-trace are damaged: link_exec is missing (execs are not recorded), pending is not a map",
			"tracectl load, which keeps the recordings if possible"}}, ofTracer},
		{"something broken loaded", func(f *Facts) {
			f.Tracer = Tracer{Err: errors.New("odd")}
		}, []Check{{"loaded", Fail, "odd", again}}, ofTracer},
		{"a program missing", func(f *Facts) {
			f.Tracer.ProgramsErr = errors.New("looking at on_exit: no")
		}, []Check{{"programs", Fail, "looking at on_exit: no", again}}, nil},
		{"programs of another version", func(f *Facts) { f.Tracer.Current = false }, []Check{{"programs", Warn,
			"the loaded programs and this tracectl are different versions",
			"tracectl load --replace, which keeps the recordings"}}, nil},
		{"a program that was not run", func(f *Facts) {
			f.Tracer.Programs[1].Missed = 2
		}, []Check{{"programs", Warn, "on_exit was skipped 2 times because of recursion",
			"see tracectl status; if it keeps growing, look for other tracers (bpftool prog) and report it"}}, nil},
		{"no recording free", func(f *Facts) {
			f.Tracer.Recordings.Live = 4
		}, []Check{{"recordings", Warn, "4 of 4 belong to live containers: the next container may not be recorded",
			"set pool.rings = 8 in the configuration, then run tracectl unload and tracectl load"}}, nil},
		{"containers that are not recorded in full", func(f *Facts) {
			f.Tracer.Incomplete = []status.Incomplete{{Name: "default/web/nginx", Left: 2}, {Name: "y", Refused: 1}}
		}, []Check{{"incomplete", Warn, "not recorded in full: default/web/nginx (2 moves of a process to a cgroup outside); 1 more",
			"see tracectl status; find out what moves processes out of their cgroup, or why a container has so many threads"}}, nil},
		{"few identities left", func(f *Facts) {
			f.Tracer.Identities.Exited = 8
		}, []Check{{"identities", Warn, "9 of 10 belong to live containers: ended containers will lose their names soon",
			"set pool.identities = 20 in the configuration, then run tracectl unload and tracectl load"}}, nil},
		{"not registered", func(f *Facts) {
			f.Unregistered = [unregistered.Reasons]uint64{unregistered.NoCgroup: 3, unregistered.NotLoaded: 4,
				unregistered.SpecMalformed: 5}
		}, []Check{{"unregistered noCgroup", Warn, status.Unregistered[unregistered.NoCgroup].Text + " (3)",
			"configure the engine to give each container its own cgroup"}}, nil},
		{"drops", func(f *Facts) {
			f.Tracer.Dropped = []status.Drop{
				{Reason: abi.Reasons[abi.CountNoRing], Count: 3}, {Reason: abi.Reasons[abi.CountTorn]},
			}
		}, []Check{{"drop noRing", Warn, "containers not recorded: all recordings were in use (3)",
			"increase pool.rings in the configuration, then run tracectl unload and tracectl load"}}, []string{"drops"}},

		{"a container that was moved", func(f *Facts) {
			f.Tracer.Containers[0].Cgroups = []uint64{5, 1}
		}, []Check{{"containers", Warn,
			"web is registered for cgroup 11, but its init (7) is in 5",
			"find out what moved the process, then restart the container; it is no longer recorded"}}, nil},
		{"a container of which nothing is known", func(f *Facts) {
			f.Running = append(f.Running, Running{"bb", "/bb", []uint64{13, 1}})
		}, []Check{{"containers", Warn,
			"1 running container not started through runc-trace, for example bb", "tracectl load"}}, nil},
		{"containers that are going", func(f *Facts) {
			f.Tracer.Containers[0].Cgroups, f.Running[0].Cgroups = nil, nil
		}, []Check{{"containers", OK, "none is running", ""}}, nil},
	} {
		f := healthy()
		before := Checks(f)
		test.change(&f)
		var got, kept []Check
		for _, c := range Checks(f) {
			if slices.Contains(before, c) {
				kept = append(kept, c)
			} else {
				got = append(got, c)
			}
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.what, diff)
		}
		before = slices.DeleteFunc(before, func(c Check) bool {
			changed := slices.ContainsFunc(test.want, func(w Check) bool { return w.Name == c.Name })
			return slices.Contains(test.gone, c.Name) || changed && test.what != "shims of two versions"
		})
		if diff := cmp.Diff(before, kept); diff != "" {
			t.Errorf("%s: the rest (-want +got):\n%s", test.what, diff)
		}
	}
}
