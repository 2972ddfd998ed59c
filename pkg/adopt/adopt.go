// SPDX-License-Identifier: Apache-2.0

// Package adopt registers running containers that are not registered: those that were started before the programs
// were loaded, and those that were started without the shim.
//
// It asks no engine and no runtime, but reads the state directories of runc and crun, which belong to root. The
// annotations in them are chosen by a container's owner.
package adopt

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/runc-trace/runc-trace/pkg/bpf"
	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/enginefiles"
	"github.com/runc-trace/runc-trace/pkg/identity"
	"github.com/runc-trace/runc-trace/pkg/spec"
	"github.com/runc-trace/runc-trace/pkg/unified"
)

// Host is the host whose containers are adopted.
type Host struct {
	// Root is the prefix of the paths of state directories and cgroups: "" on the host itself, or the directory at
	// which its /run and /sys/fs/cgroup are visible. Processes are read from /proc, whose PIDs must be those that
	// the runtimes see.
	Root string
	// Only, if it is not nil, has the IDs of the cgroups whose containers are adopted. Others are left alone.
	Only map[uint64]bool
}

// Report counts the containers found.
type Report struct {
	Adopted    int // newly registered
	Unrecorded int // of those: without a recording, since none was free
	Known      int // already registered
	Stopped    int // the program has ended, but the runtime's state exists
	Failed     int // could not be registered or read
}

// Run registers every running container that is not registered below the pin directory, sandboxes first. If one
// container cannot be registered, Run continues with the next; the error reports the first few. It stops when no
// identity is free, and when the context is done. Errors match bpf.ErrNotLoaded, bpf.ErrVersion, bpf.ErrNoIdentity,
// os.ErrPermission.
func (h Host) Run(ctx context.Context, pinDir string, rules identity.Rules) (Report, error) {
	var report Report
	a, err := bpf.OpenAdopter(pinDir)
	if err != nil {
		return report, err
	}
	defer a.Close()
	found, problems := h.find(a.Pool().Identities)
	report.Failed = len(problems)
	if len(found) == 0 {
		return report, summary(problems)
	}
	hierarchy, err := unified.Find(h.Root)
	if err != nil {
		report.Failed += len(found)
		return report, errors.Join(err, summary(problems))
	}
	var candidates []candidate
	for _, c := range found {
		if h.Only != nil && !h.Only[cgroupID(hierarchy, c)] {
			continue
		}
		who := identity.Parse(c.id, c.annotations, c.bundle, rules)
		spec.AddPodLabels(&who, filepath.Join(h.Root, c.bundle), rules)
		enginefiles.AddDocker(&who, filepath.Join(h.Root, c.rootfs), rules)
		candidates = append(candidates, candidate{c, who})
	}
	slices.SortStableFunc(candidates, candidate.compare)
	for i := range candidates {
		if err := ctx.Err(); err != nil {
			return report, errors.Join(err, summary(problems))
		}
		err := candidates[i].adopt(a, h.Root, hierarchy, rules, &report)
		if errors.Is(err, bpf.ErrNoIdentity) {
			report.Failed += len(candidates) - i
			return report, errors.Join(err, summary(problems))
		}
		if err != nil {
			report.Failed++
			problems = append(problems, err)
		}
	}
	return report, summary(problems)
}

// Waiting returns the containers that Run would register, among the first most ones: those that run, and whose
// cgroup is not in known.
func (h Host) Waiting(most int, known map[uint64]uint32, rules identity.Rules) ([]abi.Who, error) {
	found, problems := h.find(most)
	if len(found) == 0 {
		return nil, summary(problems)
	}
	hierarchy, err := unified.Find(h.Root)
	if err != nil {
		return nil, err
	}
	var waiting []abi.Who
	for _, c := range found {
		p, err := openProcess(c.pid, c.start)
		if err != nil {
			continue // has ended
		}
		p.close()
		cgroup := cgroupID(hierarchy, c)
		if _, registered := known[cgroup]; cgroup != 0 && !registered {
			waiting = append(waiting, identity.Parse(c.id, c.annotations, c.bundle, rules))
		}
	}
	return waiting, summary(problems)
}

// cgroupID returns the ID of a container's cgroup, or 0 if there is none.
func cgroupID(hierarchy string, c container) uint64 {
	var s unix.Stat_t
	if unix.Stat(filepath.Join(hierarchy, c.cgroup), &s) != nil {
		return 0
	}
	return s.Ino
}

// candidate is a container to register.
type candidate struct {
	container
	who abi.Who
}

// compare orders sandboxes before containers, which inherit data of their sandbox, and cgroups before their
// descendants.
func (c candidate) compare(other candidate) int {
	return cmp.Or(cmp.Compare(other.who.Flags&abi.WhoSandbox, c.who.Flags&abi.WhoSandbox),
		cmp.Compare(c.cgroup, other.cgroup))
}

func (c *candidate) adopt(a *bpf.Adopter, root, hierarchy string, rules identity.Rules, report *Report) error {
	p, err := openProcess(c.pid, c.start)
	if errors.Is(err, errStopped) {
		report.Stopped++
		return nil
	}
	if err != nil {
		return fmt.Errorf("container %q: %w", c.id, err)
	}
	defer p.close()
	c.who.MountNamespace = p.mountNamespace()
	enginefiles.AddPodman(&c.who, root, filepath.Join(root, c.bundle), p.stat.parent, rules)
	identity.SetContents(&c.who, c.annotations, &rules.Contents)
	init := bpf.Init{Process: p.dir, Started: p.started(), Waits: !c.started()}
	adopted, err := a.Adopt(filepath.Join(hierarchy, c.cgroup), c.who, init)
	if errors.Is(err, bpf.ErrNoCgroup) && !p.runs() {
		report.Stopped++
		return nil
	}
	if adopted {
		report.Adopted++
	} else if err == nil {
		report.Known++
	}
	if errors.Is(err, bpf.ErrNoRing) {
		report.Unrecorded++
		return nil
	}
	if err != nil {
		return fmt.Errorf("container %q: %w", c.id, err)
	}
	return nil
}

// problemsMax is the number of errors that are reported one by one.
const problemsMax = 8

func summary(problems []error) error {
	if more := len(problems) - problemsMax; more > 0 {
		problems = append(slices.Clone(problems[:problemsMax]), fmt.Errorf("and %d more", more))
	}
	return errors.Join(problems...)
}
