// SPDX-License-Identifier: Apache-2.0

package labels

import (
	"cmp"
	"hash/maphash"
	"time"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/identity"
)

// Kernel is where identities and labels come from, which the kernel keeps. Identity copies the one with an index, or
// returns false if there is none, or if it is being replaced. Labels returns what a source, of enum
// label_source, knows of a pod's UID or a container's ID; false if it knows nothing.
type Kernel interface {
	Identity(index int) (abi.Identity, bool)
	Labels(source uint32, subject string) (abi.Labels, bool)
}

// refresh is how long labels are taken for what they were. Containers may exec much more often.
const refresh = 50 * time.Millisecond

// Sandboxes are registered before their containers. So one search after a container was first seen finds its sandbox,
// unless that is adopted later.
const (
	// rescan is how often a sandbox that was not found is looked for again.
	rescan = time.Second
	// scanShare is how many times longer than a search the time to the next one is, at least, however many containers
	// with unknown sandboxes appear.
	scanShare = 10
)

// Directory finds containers among identities. It is not safe for concurrent use.
type Directory struct {
	kernel    Kernel
	count     int
	known     map[uint32]*entry // by index
	sandboxes map[string]int    // index by ID, as the last scan found them
	scanned   time.Time         // when the last scan began
	nextScan  time.Time         // none begins before
	scans     int
	seed      maphash.Seed
	refresh   time.Duration
}

// entry is a container and what its labels were made of.
type entry struct {
	container Container
	seen      time.Time // for the first time
	looked    time.Time
	stamps    stamps
	own       identity.Labels
	sandbox   *identity.Labels // the sandbox's, which stay when it is known no more; nil until it is found
}

// stamps tell labels that changed from those that did not: 0 if there are none.
type stamps struct {
	own, sandbox            uint64
	kubernetes, cri, docker uint64
}

// NewDirectory returns a Directory of `count` identities.
func NewDirectory(kernel Kernel, count int) *Directory {
	return &Directory{
		kernel: kernel, count: count, known: map[uint32]*entry{}, seed: maphash.MakeSeed(), refresh: refresh,
	}
}

// Lookup finds the container whose identity has an index and a generation; false if that
// identity was given to another container since, or will be: it was evicted. What is
// returned is as of now, and shared: it must not be changed, and the next Lookup may change it.
func (d *Directory) Lookup(index, generation uint32) (*Container, bool) {
	i, ok := d.kernel.Identity(int(index))
	if !ok || i.Generation != generation {
		return nil, false
	}
	return d.container(index, &i), true
}

// All lists every identity that is in use, in the order of their slots.
func (d *Directory) All() []*Container {
	d.scan()
	var all []*Container
	for index := range d.count {
		if i, ok := d.kernel.Identity(index); ok && i.State != abi.StateFree {
			c := *d.container(uint32(index), &i)
			all = append(all, &c)
		}
	}
	return all
}

// AgentSeen is when the agent was last alive, in nanoseconds of CLOCK_BOOTTIME: 0 if none has been since the
// programs were loaded.
func (d *Directory) AgentSeen() uint64 {
	l, ok := d.kernel.Labels(abi.LabelsAgent, "")
	if !ok {
		return 0
	}
	return l.Updated
}

// container brings what is known of a slot up to an identity. Labels may change while an identity lives, since a source
// may tell them later; all else that is text does not, except for what Docker tells.
func (d *Directory) container(index uint32, i *abi.Identity) *Container {
	now := time.Now()
	e := d.known[index]
	if e == nil || e.container.Generation != i.Generation {
		e = &entry{container: read(&i.Who), seen: now}
		d.known[index] = e
	}
	if now.Sub(e.looked) >= d.refresh {
		d.label(e, i)
		e.looked = now
	}
	c := &e.container
	c.Index, c.Generation, c.State = index, i.Generation, i.State
	c.Cgroup, c.Init, c.ExitStatus = i.Cgroup, i.Init, i.ExitStatus
	c.Ring, c.RingGen = i.Ring, i.RingGeneration
	c.Created, c.Started, c.Exited, c.Ended = i.Created, i.Started, i.Exited, i.Ended
	return c
}

// label joins the labels of a container, if any of them changed.
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
		// What annotations call a pod's container stays. Otherwise the name is Docker's, and may be an old one.
		if c.Pod == "" || name == "" {
			name = cmp.Or(identity.String(docker.Name[:]), name)
		}
		c.Name, c.Image = name, cmp.Or(identity.String(docker.Image[:]), identity.String(i.Who.Image[:]))
	}
}

// told is what a source knows of a subject, with its stamp; nil if that is nothing.
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

// stamp tells labels that changed from those that did not. It is never 0.
func (d *Directory) stamp(who *abi.Who) uint64 {
	return maphash.Bytes(d.seed, who.Labels[:min(int(who.LabelsLength), len(who.Labels))]) | 1
}

// sandbox finds the identity of a sandbox by its ID, for a container that was first seen at a time.
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

// scan notes which slot is which sandbox's. If an ID was used twice, the younger one counts.
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
