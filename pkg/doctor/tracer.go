// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/runc-trace/runc-trace/pkg/bpf"
	"github.com/runc-trace/runc-trace/pkg/status"
	"github.com/runc-trace/runc-trace/pkg/terminal"
	"github.com/runc-trace/runc-trace/pkg/timestamp"
	"github.com/runc-trace/runc-trace/pkg/unregistered"
)

// loaded judges the loaded programs, and how full their maps are.
func loaded(f Facts) []Check {
	t, dir, flag := f.Tracer, f.PinDir.Path, ""
	if dir != f.Configuration.Config.PinDir {
		flag = " --pin-dir " + dir
	}
	load := "tracectl load" + flag
	again := fmt.Sprintf("tracectl unload%s && %s, which deletes all recordings", flag, load)
	var d *bpf.DamageError
	switch {
	case errors.As(t.Err, &d):
		var all []string
		for _, damage := range d.Damage {
			all = append(all, damage.String())
		}
		return fail("loaded", "pins below "+dir+" are damaged: "+strings.Join(all, ", "),
			load+", which keeps the recordings if possible")
	case errors.Is(t.Err, bpf.ErrNotLoaded):
		return fail("loaded", "nothing is loaded below "+dir, load)
	case errors.Is(t.Err, bpf.ErrVersion):
		return fail("loaded", t.Err.Error(), load+" --replace --discard-recordings")
	case t.Err != nil && !f.Self.privileged():
		return nil // privileges reports the reason
	case errors.Is(t.Err, os.ErrPermission):
		return fail("loaded", t.Err.Error(), "sudo tracectl doctor")
	case t.Err != nil:
		return fail("loaded", t.Err.Error(), again)
	}
	checks := ok("loaded", fmt.Sprintf("layout %d below %s since %s, %.1f MiB", t.Layout, dir,
		t.Since.Local().Format(time.DateTime), float64(t.Memory)/(1<<20)))
	missed := slices.IndexFunc(t.Programs, func(p bpf.Program) bool { return p.Missed > 0 })
	switch {
	case t.ProgramsErr != nil:
		checks = append(checks, fail("programs", t.ProgramsErr.Error(), again)...)
	case !t.Current:
		checks = append(checks, warn("programs", "the loaded programs and this tracectl are different versions",
			"tracectl load --replace"+flag+", which keeps the recordings")...)
	case missed >= 0:
		p := t.Programs[missed]
		checks = append(checks, warn("programs",
			fmt.Sprintf("%s was skipped %s because of recursion", p.Name, terminal.Count(p.Missed, "time")),
			"see tracectl status; if it keeps growing, look for other tracers (bpftool prog) and report it")...)
	default:
		checks = append(checks, ok("programs", fmt.Sprintf("all %d are attached", len(t.Programs)))...)
	}
	return append(append(checks, pools(t)...), incomplete(t)...)
}

// incomplete judges whether containers are recorded in full.
func incomplete(t Tracer) []Check {
	if len(t.Incomplete) == 0 {
		return nil
	}
	first, more := &t.Incomplete[0], ""
	if n := len(t.Incomplete) - 1; n > 0 {
		more = fmt.Sprintf("; %d more", n)
	}
	return warn("incomplete", "not recorded in full: "+first.Name+" ("+first.Reasons()+")"+more,
		"see tracectl status; find out what moves processes out of their cgroup, or why a container has so many threads")
}

func pools(t Tracer) []Check {
	const format = "%d of %d belong to live containers"
	var checks []Check
	rings, identities := t.Pool.Rings, t.Pool.Identities
	used := fmt.Sprintf(format, t.Recordings.Live, rings)
	if reach := t.Recordings.Reach; reach.Recordings > 0 {
		used += fmt.Sprintf(", and have all calls of the last %s or more", timestamp.Brief(reach.Shortest))
	}
	if t.Recordings.Live < rings {
		checks = ok("recordings", used)
	} else {
		checks = warn("recordings", used+": the next container may not be recorded", larger("rings", rings))
	}
	live := t.Identities.Live()
	used = fmt.Sprintf(format, live, identities)
	if live*10 < identities*9 {
		return append(checks, ok("identities", used)...)
	}
	return append(checks, warn("identities", used+": ended containers will lose their names soon",
		larger("identities", identities))...)
}

// larger returns the remedy that doubles n, a limit in [pool].
func larger(key string, n int) string {
	return fmt.Sprintf("set pool.%s = %d in the configuration, then run tracectl unload and tracectl load", key, 2*n)
}

// drops judges the counters of drops.
func drops(f Facts) []Check {
	if f.Tracer.Err != nil {
		return nil
	}
	var checks []Check
	for _, d := range f.Tracer.Dropped {
		if d.Count > 0 {
			checks = append(checks, warn("drop "+d.Name, fmt.Sprintf("%s (%d)", d.Text, d.Count), d.Remedy)...)
		}
	}
	if checks == nil {
		return ok("drops", "nothing was dropped")
	}
	return checks
}

// unregistrations judges the counters of containers that the shim could not register. It ignores containers that the
// runtime refused, and faults of programs that have since been replaced.
func unregistrations(f Facts) []Check {
	if !f.Self.privileged() {
		return nil
	}
	var checks []Check
	for n, count := range f.Unregistered {
		switch unregistered.Reason(n) {
		case unregistered.SpecMalformed:
			continue
		case unregistered.NotLoaded, unregistered.PinsUnusable, unregistered.OtherVersion:
			if f.Tracer.Err == nil {
				continue
			}
		}
		if r := status.Unregistered[n]; count > 0 {
			checks = append(checks, warn("unregistered "+r.Name, fmt.Sprintf("%s (%d)", r.Text, count), r.Remedy)...)
		}
	}
	return checks
}

// containers judges whether the running containers are registered, and with the cgroups that they are in.
func containers(f Facts) []Check {
	if f.Tracer.Err != nil || slices.Contains(f.Self.Namespaces, "pid") {
		return nil
	}
	known := map[uint64]bool{}
	looked := 0
	for _, c := range f.Tracer.Containers {
		known[c.Cgroup] = true
		if len(c.Cgroups) == 0 {
			continue // no init runs, or it has ended in the meantime
		}
		looked++
		if !slices.Contains(c.Cgroups, c.Cgroup) {
			return warn("containers",
				fmt.Sprintf("%s is registered for cgroup %d, but its init (%d) is in %d", c.Name, c.Cgroup, c.Init, c.Cgroups[0]),
				"find out what moved the process, then restart the container; it is no longer recorded")
		}
	}
	unknown, example := 0, ""
	for _, r := range f.Running {
		if len(r.Cgroups) > 0 && !slices.ContainsFunc(r.Cgroups, func(id uint64) bool { return known[id] }) {
			unknown, example = unknown+1, r.ID
		}
	}
	if unknown > 0 {
		return warn("containers", fmt.Sprintf("%s not started through runc-trace, for example %s",
			terminal.Count(unknown, "running container"), example),
			adoption(f.Configuration))
	}
	if looked == 0 {
		return ok("containers", "none is running")
	}
	return ok("containers", terminal.Count(looked, "running container")+" in the registered cgroups")
}

// adoption says how to trace containers that are already running.
func adoption(c Configuration) string {
	if c.Config.Adopt {
		return "tracectl load"
	}
	return fmt.Sprintf("set adopt = true in %s, then run tracectl load", c.Path)
}
