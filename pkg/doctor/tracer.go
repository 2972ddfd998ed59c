// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/runc-trace/runc-trace/pkg/bpf"
)

// loaded judges what is loaded, and how full it is.
func loaded(f Facts) []Check {
	t, dir, flag := f.Tracer, f.PinDir.Path, ""
	if dir != f.Configuration.Config.PinDir {
		flag = " --pin-dir " + dir
	}
	load := "tracectl load" + flag
	again := fmt.Sprintf("tracectl unload%s && %s, which drops all recordings", flag, load)
	switch {
	case errors.Is(t.Err, bpf.ErrNotLoaded):
		return fail("loaded", "nothing is loaded below "+dir, load)
	case errors.Is(t.Err, bpf.ErrVersion):
		return fail("loaded", t.Err.Error(), again)
	case t.Err != nil && !f.Self.privileged():
		return nil // privileges says why
	case errors.Is(t.Err, os.ErrPermission):
		return fail("loaded", t.Err.Error(), "sudo tracectl doctor")
	case t.Err != nil:
		return fail("loaded", t.Err.Error(), again)
	}
	checks := ok("loaded", fmt.Sprintf("layout %d below %s since %s, %.1f MiB", t.Layout, dir, t.Loaded.Local().Format(time.DateTime), float64(t.Memory)/(1<<20)))
	missed := slices.IndexFunc(t.Programs, func(p Program) bool { return p.Missed > 0 })
	switch {
	case t.ProgramsErr != nil:
		checks = append(checks, fail("programs", t.ProgramsErr.Error(), again)...)
	case !t.Current:
		checks = append(checks, warn("programs", "those that run are of another version than this tracectl", "tracectl load --replace"+flag+", which keeps what was recorded")...)
	case missed >= 0:
		p := t.Programs[missed]
		checks = append(checks, warn("programs", fmt.Sprintf("%s was not run %s, since it was running on the CPU already", p.Name, count(int(p.Missed), "time", "times")),
			"see tracectl status; where it keeps growing, look for other tracers (bpftool prog) and report it")...)
	default:
		checks = append(checks, ok("programs", fmt.Sprintf("all %d are attached", len(t.Programs)))...)
	}
	return append(checks, pools(t)...)
}

func pools(t Tracer) []Check {
	const format = "%d of %d belong to containers that live"
	var checks []Check
	r, i := t.Recordings, t.Identities
	used := fmt.Sprintf(format, r.Live, r.Total)
	if r.Live < r.Total {
		checks = ok("recordings", used)
	} else {
		checks = warn("recordings", used+": the next one is not recorded", larger("rings", r.Total))
	}
	used = fmt.Sprintf(format, i.Live, i.Total)
	if i.Live*10 < i.Total*9 {
		return append(checks, ok("identities", used)...)
	}
	return append(checks, warn("identities", used+": those that ended lose their names soon", larger("identities", i.Total))...)
}

// larger says how to get more of something in [pool].
func larger(key string, n int) string {
	return fmt.Sprintf("%s = %d below [pool] in the configuration, tracectl unload, tracectl load", key, 2*n)
}

// remedies are what to do about drops, by the names that tracectl status has for them.
var remedies = map[string]string{
	"pendingStale":     "see why the runtime takes minutes to make a cgroup: systemd or the disk may be overloaded",
	"pendingElsewhere": "see that the engine's cgroup driver is the one that its runtime is called with",
	"noIdentity":       "more identities below [pool] in the configuration, tracectl unload, tracectl load",
	"noRing":           "more rings below [pool] in the configuration, tracectl unload, tracectl load",
	"noBinding":        "see with systemd-cgls whether a container makes thousands of cgroups",
	"children":         "see with systemd-cgls which container makes so many cgroups",
	"noStorage":        "free memory: the kernel had none left",
	"busy":             "nothing where it stays low; where it grows, look for other tracers (bpftool prog)",
	"staleRing":        "nothing where it stays low; otherwise more rings below [pool] in the configuration",
	"torn":             "nothing where it stays low; otherwise a larger ring-size below [pool], or CPUs that are not stolen",
}

// drops judges what was dropped.
func drops(f Facts) []Check {
	if f.Tracer.Err != nil {
		return nil
	}
	var checks []Check
	for _, d := range f.Tracer.Drops {
		if d.Count > 0 {
			checks = append(checks, warn("drop "+d.Name, fmt.Sprintf("%d %s", d.Count, d.Text), remedies[d.Name])...)
		}
	}
	if checks == nil {
		return ok("drops", "nothing was dropped")
	}
	return checks
}

// containers judges whether those that run are known, and by the cgroups that they are in.
func containers(f Facts) []Check {
	if f.Tracer.Err != nil || slices.Contains(f.Self.Namespaces, "pid") {
		return nil
	}
	known := map[uint64]bool{}
	looked := 0
	for _, c := range f.Tracer.Containers {
		known[c.Cgroup] = true
		if len(c.Cgroups) == 0 {
			continue // no init runs, or it has ended meanwhile
		}
		looked++
		if !slices.Contains(c.Cgroups, c.Cgroup) {
			return warn("containers", fmt.Sprintf("%s is registered for cgroup %d, but its init (%d) is in %d", c.Name, c.Cgroup, c.Init, c.Cgroups[0]),
				"see who moved it: its calls are recorded no longer. Restart it")
		}
	}
	unknown, example := 0, ""
	for _, r := range f.Running {
		if len(r.Cgroups) > 0 && !slices.ContainsFunc(r.Cgroups, func(id uint64) bool { return known[id] }) {
			unknown, example = unknown+1, r.ID
		}
	}
	if unknown > 0 {
		return warn("containers", fmt.Sprintf("%s not started through runc-trace, such as %s", count(unknown, "container that runs was", "containers that run were"), example),
			"see that its engine goes through runc-trace, and restart it")
	}
	if looked == 0 {
		return ok("containers", "none runs")
	}
	return ok("containers", count(looked, "runs", "run")+", in the cgroups that are registered for them")
}
