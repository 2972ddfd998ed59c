// SPDX-License-Identifier: Apache-2.0

package labels

import (
	"cmp"
	"hash/maphash"
	"time"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/identity"
)

// Kernel reads the identities and labels that the kernel keeps. Identity copies the identity with an index; it
// returns false if that slot is empty or is being replaced. Labels returns the labels that a source, of enum
// label_source, told for a pod's UID or a container's ID; false if it told none.
type Kernel interface {
	Identity(index int) (abi.Identity, bool)
	Labels(source uint32, subject string) (abi.Labels, bool)
}

// refresh is how long labels are cached. Containers may exec much more often.
const refresh = 50 * time.Millisecond

// Sandboxes are registered before their containers, so a search after a container was first seen finds its sandbox,
// unless the sandbox is adopted later.
const (
	// rescan is the interval at which a missing sandbox is looked for again.
	rescan = time.Second
	// scanShare bounds the cost of searches: after a search, the next one waits at least scanShare times as long as
	// the search took, no matter how many containers with unknown sandboxes appear.
	scanShare = 10
)

// Directory finds containers among identities. It is not safe for concurrent use.
type Directory struct {
	kernel    Kernel
	count     int
	known     map[uint32]*entry // by index
	sandboxes map[string]int    // ID to index, as of the last scan
	scanned   time.Time         // start of the last scan
	nextScan  time.Time         // earliest start of the next scan
	scans     int
	seed      maphash.Seed
	refresh   time.Duration
}

// entry is a container with the inputs of its labels.
type entry struct {
	container Container
	seen      time.Time // first lookup
	looked    time.Time
	stamps    stamps
	own       identity.Labels
	sandbox   *identity.Labels // the sandbox's labels, kept after the sandbox is gone; nil until it is found
}

// stamps identify versions of the sources: if no stamp changed, no label did. A stamp is 0 if the source has none.
type stamps struct {
	own, sandbox            uint64
	kubernetes, cri, docker uint64
}

// NewDirectory returns a Directory of count identities.
func NewDirectory(kernel Kernel, count int) *Directory {
	return &Directory{
		kernel: kernel, count: count, known: map[uint32]*entry{}, seed: maphash.MakeSeed(), refresh: refresh,
	}
}

// Lookup returns the container with an index and a generation of its identity. It returns false if the identity was
// evicted: the slot belongs to another container now, or soon will. The result is current and shared: do not change
// it, and expect the next Lookup to change it.
func (d *Directory) Lookup(index, generation uint32) (*Container, bool) {
	return d.LookupSince(index, generation, time.Now().Add(-d.refresh))
}

// LookupSince is Lookup with labels that were read at a time or later.
func (d *Directory) LookupSince(index, generation uint32, since time.Time) (*Container, bool) {
	i, ok := d.kernel.Identity(int(index))
	if !ok || i.Generation != generation {
		return nil, false
	}
	return d.container(index, &i, since), true
}

// All returns all containers with an identity, in the order of their slots.
func (d *Directory) All() []*Container {
	d.scan()
	var all []*Container
	for index := range d.count {
		if i, ok := d.kernel.Identity(index); ok && i.State != abi.StateFree {
			c := *d.container(uint32(index), &i, time.Now().Add(-d.refresh))
			all = append(all, &c)
		}
	}
	return all
}

// AgentSeen returns when the agent was last alive, in nanoseconds of CLOCK_BOOTTIME; 0 if it has not run since the
// programs were loaded.
func (d *Directory) AgentSeen() uint64 {
	l, ok := d.kernel.Labels(abi.LabelsAgent, "")
	if !ok {
		return 0
	}
	return l.Updated
}

// container returns the container of a slot, updated from an identity. During the life of an identity only its
// labels change, since a source may tell them later, and the name that Docker tells. They were read at the time since
// or later.
func (d *Directory) container(index uint32, i *abi.Identity, since time.Time) *Container {
	now := time.Now()
	e := d.known[index]
	if e == nil || e.container.Generation != i.Generation {
		e = &entry{container: read(&i.Who), seen: now}
		d.known[index] = e
	}
	if !e.looked.After(since) {
		d.label(e, i)
		e.looked = now
	}
	c := &e.container
	c.Index, c.Generation, c.State = index, i.Generation, identity.State(i)
	c.Cgroup, c.Init, c.ExitStatus = i.Cgroup, i.Init, i.ExitStatus
	c.Ring, c.RingGen = i.Ring, i.RingGeneration
	c.Threads, c.Refused, c.Left, c.Beyond = i.Threads, i.Refused, i.Left, i.ExecsBeyond
	c.Created, c.Started, c.Exited, c.Ended = i.Created, i.Started, i.Exited, 0
	if c.State == abi.StateEnded {
		c.Ended = i.Ended
	}
	return c
}

// label merges the labels of a container if a source changed.
func (d *Directory) label(e *entry, i *abi.Identity) {
	c := &e.container
	s := stamps{own: d.stamp(&i.Who), sandbox: e.stamps.sandbox}
	if c.SandboxID != "" && c.SandboxID != c.ID {
		if sandbox, ok := d.sandbox(c.SandboxID, e.seen); ok {
			if s.sandbox = d.stamp(&sandbox.Who); s.sandbox != e.stamps.sandbox {
				labels := identity.LabelsOf(&sandbox.Who)
				e.sandbox = &labels
			}
		}
	}
	kubernetes := d.told(abi.LabelsKubernetes, c.PodUID, &s.kubernetes)
	cri := d.told(abi.LabelsCri, c.PodUID, &s.cri)
	var docker *abi.Labels
	if c.Engine == "docker" {
		docker = d.told(abi.LabelsDocker, c.ID, &s.docker)
	}
	if c.Labels != nil && s == e.stamps {
		return
	}
	if s.own != e.stamps.own {
		e.own = identity.LabelsOf(&i.Who)
	}
	e.stamps = s
	c.join(sources{own: e.own, sandbox: e.sandbox, kubernetes: kubernetes, cri: cri, docker: docker})
	if docker != nil {
		name := identity.String(i.Who.Container[:])
		// The name that annotations give a pod's container is final. Any other name comes from Docker, and can
		// change.
		if c.Pod == "" || name == "" {
			name = cmp.Or(identity.String(docker.Name[:]), name)
		}
		c.Name, c.Image = name, cmp.Or(identity.String(docker.Image[:]), identity.String(i.Who.Image[:]))
	}
}

// told returns the labels that a source told for a subject, and sets stamp; nil if it told none.
func (d *Directory) told(source uint32, subject string, stamp *uint64) *abi.Labels {
	if subject == "" {
		return nil
	}
	l, ok := d.kernel.Labels(source, subject)
	if !ok {
		return nil
	}
	*stamp = l.Updated | 1
	return &l
}

// stamp returns a number that changes with the labels. It is never 0.
func (d *Directory) stamp(who *abi.Who) uint64 {
	return maphash.Bytes(d.seed, who.Labels[:min(int(who.LabelsLength), len(who.Labels))]) | 1
}

// sandbox returns the identity of the sandbox with an ID, for a container that was first seen at a time.
func (d *Directory) sandbox(id string, seen time.Time) (abi.Identity, bool) {
	for range 2 {
		if index, ok := d.sandboxes[id]; ok {
			if i, ok := d.kernel.Identity(index); ok && identity.String(i.Who.ID[:]) == id {
				return i, true
			}
		}
		now := time.Now()
		if now.Before(d.nextScan) || d.scanned.After(seen) && now.Sub(d.scanned) < rescan {
			break
		}
		d.scan()
	}
	return abi.Identity{}, false
}

// scan maps the IDs of sandboxes to slots. If an ID was used twice, the younger sandbox counts.
func (d *Directory) scan() {
	d.scanned = time.Now()
	d.scans++
	d.sandboxes = map[string]int{}
	created := map[string]uint64{}
	for index := range d.count {
		i, ok := d.kernel.Identity(index)
		if !ok || i.State == abi.StateFree || i.Who.Flags&abi.WhoSandbox == 0 {
			continue
		}
		id := identity.String(i.Who.ID[:])
		if _, ok := d.sandboxes[id]; !ok || i.Created > created[id] {
			d.sandboxes[id], created[id] = index, i.Created
		}
	}
	now := time.Now()
	d.nextScan = now.Add(scanShare * now.Sub(d.scanned))
}
