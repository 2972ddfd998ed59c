// SPDX-License-Identifier: Apache-2.0

package labels

import (
	"hash/maphash"
	"maps"
	"strings"
	"time"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/identity"
)

// Container is what is known of one container. Its strings are what the engine or the
// container's owner chose: escape them before a terminal sees them.
type Container struct {
	Namespace string
	Pod       string
	Name      string // within its pod; empty for the pod's sandbox
	ID        string // the OCI runtime's
	PodUID    string
	SandboxID string
	Image     string
	Engine    string
	Labels    map[string]string // its own over its sandbox's; never nil

	Flags      uint32 // enum who_flags
	Index      uint32 // of its identity
	Generation uint32 // of its identity
	State      uint32 // enum state
	Cgroup     uint64
	Init       uint32 // PID of its init in the initial PID namespace, or 0
	ExitStatus uint32 // of its init, as wait(2) gives it; valid once Exited is set
	Ring       uint32 // index + 1 of the ring that it was given, or 0
	RingGen    uint32

	// Nanoseconds of CLOCK_BOOTTIME; 0: has not happened.
	Created, Started, Exited, Ended uint64
}

// Sandbox tells whether it is a pod's own container.
func (c *Container) Sandbox() bool { return c.Flags&abi.WhoSandbox != 0 }

// ShortID is as much of a container's ID as engines show: of the long hexadecimal ones 12
// digits, and of those that somebody chose all of it.
func ShortID(id string) string {
	const long, short = 32, 12
	if len(id) < long || strings.Trim(id, "0123456789abcdef") != "" {
		return id
	}
	return id[:short]
}

// Identities is where identities come from. Identity copies the one with an index, or
// returns false where there is none, or where it is being replaced.
type Identities interface {
	Identity(index int) (abi.Identity, bool)
}

// rescan is how long a sandbox that was not found is not looked for again. Sandboxes are
// registered before their containers, so that it is a rare one that appears later.
const rescan = time.Second

// Directory finds containers among identities. It is not safe for concurrent use.
type Directory struct {
	source    Identities
	count     int
	known     map[uint32]*entry // by index
	sandboxes map[string]int    // index by ID, as the last scan found them
	lastScan  time.Time
	seed      maphash.Seed
}

type entry struct {
	container    Container
	own          map[string]string // its labels without the sandbox's
	stamp        uint64            // of its labels
	sandboxStamp uint64            // of its sandbox's, 0 until they are joined
}

// NewDirectory returns a Directory of `count` identities.
func NewDirectory(source Identities, count int) *Directory {
	return &Directory{source: source, count: count, known: map[uint32]*entry{}, seed: maphash.MakeSeed()}
}

// Lookup finds the container whose identity has an index and a generation; false where that
// identity was given to another container since, or will be: it was evicted. What is
// returned is as of now, and shared: it must not be changed, and the next Lookup may change it.
func (d *Directory) Lookup(index, generation uint32) (*Container, bool) {
	i, ok := d.source.Identity(int(index))
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
		if i, ok := d.source.Identity(index); ok && i.State != abi.StateFree {
			c := *d.container(uint32(index), &i)
			all = append(all, &c)
		}
	}
	return all
}

// container brings what is known of a slot up to an identity. Labels may change while an
// identity lives, since somebody may fill them in later; all else that is text does not.
func (d *Directory) container(index uint32, i *abi.Identity) *Container {
	e := d.known[index]
	if e == nil || e.container.Generation != i.Generation || e.stamp != d.stamp(&i.Who) {
		e = &entry{container: read(&i.Who), own: identity.Labels(&i.Who), stamp: d.stamp(&i.Who)}
		e.container.Labels = e.own
		d.known[index] = e
	}
	c := &e.container
	if c.SandboxID != "" && c.SandboxID != c.ID {
		// A sandbox that is known no more leaves the container the labels that it had.
		if s, ok := d.sandbox(c.SandboxID); ok && e.sandboxStamp != d.stamp(&s.Who) {
			c.Labels = identity.Labels(&s.Who)
			maps.Copy(c.Labels, e.own)
			e.sandboxStamp = d.stamp(&s.Who)
		}
	}
	c.Index, c.Generation, c.State = index, i.Generation, i.State
	c.Cgroup, c.Init, c.ExitStatus = i.Cgroup, i.Init, i.ExitStatus
	c.Ring, c.RingGen = i.Ring, i.RingGeneration
	c.Created, c.Started, c.Exited, c.Ended = i.Created, i.Started, i.Exited, i.Ended
	return c
}

// stamp tells labels that changed from those that did not. It is never 0.
func (d *Directory) stamp(who *abi.Who) uint64 {
	return maphash.Bytes(d.seed, who.Labels[:min(int(who.LabelsLength), len(who.Labels))]) | 1
}

func read(who *abi.Who) Container {
	return Container{
		Namespace: identity.String(who.Namespace[:]),
		Pod:       identity.String(who.Pod[:]),
		Name:      identity.String(who.Container[:]),
		ID:        identity.String(who.ID[:]),
		PodUID:    identity.String(who.PodUID[:]),
		SandboxID: identity.String(who.SandboxID[:]),
		Image:     identity.String(who.Image[:]),
		Engine:    identity.String(who.Engine[:]),
		Flags:     who.Flags,
	}
}

// sandbox finds the identity of a sandbox by its ID.
func (d *Directory) sandbox(id string) (abi.Identity, bool) {
	for range 2 {
		if index, ok := d.sandboxes[id]; ok {
			if i, ok := d.source.Identity(index); ok && identity.String(i.Who.ID[:]) == id {
				return i, true
			}
		}
		if time.Since(d.lastScan) < rescan {
			break
		}
		d.scan()
	}
	return abi.Identity{}, false
}

// scan notes which slot is which sandbox's. Where an ID was used twice, the younger one counts.
func (d *Directory) scan() {
	d.lastScan = time.Now()
	d.sandboxes = map[string]int{}
	created := map[string]uint64{}
	for index := range d.count {
		i, ok := d.source.Identity(index)
		if !ok || i.State == abi.StateFree || i.Who.Flags&abi.WhoSandbox == 0 {
			continue
		}
		id := identity.String(i.Who.ID[:])
		if _, ok := d.sandboxes[id]; !ok || i.Created > created[id] {
			d.sandboxes[id], created[id] = index, i.Created
		}
	}
}
