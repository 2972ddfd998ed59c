// SPDX-License-Identifier: Apache-2.0

package labels

import (
	"cmp"
	"hash/maphash"
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
	Labels    map[string]string // its own over its pod's; never nil

	// Origins says of each label who said so: enum Origin.
	Origins map[string]Origin
	// Unlabelled says that nobody has told its labels yet who could: there may be others than those in Labels.
	Unlabelled bool

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

// FullName is namespace/pod/container, or the container's own name where it is in no pod, or its ID where it has no name
// or is the pod's sandbox.
func (c *Container) FullName() string {
	switch {
	case c.Name == "":
		return c.ID
	case c.Pod == "":
		return c.Name
	}
	return c.Namespace + "/" + c.Pod + "/" + c.Name
}

// ShortID is as much of a container's ID as engines show: of the long hexadecimal ones 12
// digits, and of those that somebody chose all of it.
func ShortID(id string) string {
	const long, short = 32, 12
	if len(id) < long || strings.Trim(id, "0123456789abcdef") != "" {
		return id
	}
	return id[:short]
}

// Origin is where a label comes from.
type Origin string

// The origins, in the order in which they count less and less. Of the last three, which speak of the pod, only the first counts that says anything.
const (
	FromAnnotation Origin = "annotation" // of the container, written by its engine or its owner
	FromDocker     Origin = "docker"     // Docker's API
	FromKubernetes Origin = "kubernetes" // the API server: follows later changes
	FromCRI        Origin = "cri"        // the engine, as the pod was created
	FromSandbox    Origin = "sandbox"    // annotations of the pod's sandbox
)

// Kernel is where identities and labels come from, which the kernel keeps. Identity copies the one with an index, or
// returns false where there is none, or where it is being replaced. Labels returns what a source, of enum
// label_source, knows of a pod's UID or a container's ID; false where it knows nothing.
type Kernel interface {
	Identity(index int) (abi.Identity, bool)
	Labels(source uint32, subject string) (abi.Labels, bool)
}

// refresh is how long labels are taken for what they were. Containers may exec much more often.
const refresh = 50 * time.Millisecond

// rescan is how long a sandbox that was not found is not looked for again. Sandboxes are
// registered before their containers, so that it is a rare one that appears later.
const rescan = time.Second

// Directory finds containers among identities. It is not safe for concurrent use.
type Directory struct {
	kernel    Kernel
	count     int
	known     map[uint32]*entry // by index
	sandboxes map[string]int    // index by ID, as the last scan found them
	lastScan  time.Time
	seed      maphash.Seed
	refresh   time.Duration
}

// entry is a container and what its labels were made of.
type entry struct {
	container Container
	looked    time.Time
	stamps    stamps
	sandbox   map[string]string // the sandbox's labels, which stay when it is known no more
}

// stamps tell labels that changed from those that did not: 0 where there are none.
type stamps struct {
	own, sandbox            uint64
	kubernetes, cri, docker uint64
}

// NewDirectory returns a Directory of `count` identities.
func NewDirectory(kernel Kernel, count int) *Directory {
	return &Directory{kernel: kernel, count: count, known: map[uint32]*entry{}, seed: maphash.MakeSeed(), refresh: refresh}
}

// Lookup finds the container whose identity has an index and a generation; false where that
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

// container brings what is known of a slot up to an identity. Labels may change while an identity lives, since somebody
// may fill them in later; all else that is text does not, but for what Docker tells.
func (d *Directory) container(index uint32, i *abi.Identity) *Container {
	e := d.known[index]
	if e == nil || e.container.Generation != i.Generation {
		e = &entry{container: read(&i.Who)}
		d.known[index] = e
	}
	if now := time.Now(); now.Sub(e.looked) >= d.refresh {
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

// label joins the labels of a container, where any of them changed.
func (d *Directory) label(e *entry, i *abi.Identity) {
	c := &e.container
	s := stamps{own: d.stamp(&i.Who), sandbox: e.stamps.sandbox}
	if c.SandboxID != "" && c.SandboxID != c.ID {
		if sandbox, ok := d.sandbox(c.SandboxID); ok {
			if s.sandbox = d.stamp(&sandbox.Who); s.sandbox != e.stamps.sandbox {
				e.sandbox = identity.Labels(&sandbox.Who)
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
	e.stamps = s

	// A new map: who was given the old one may still hold it.
	c.Labels, c.Origins = map[string]string{}, map[string]Origin{}
	add := func(labels map[string]string, origin Origin) {
		for key, value := range labels {
			c.Labels[key], c.Origins[key] = value, origin
		}
	}
	switch {
	case kubernetes != nil:
		add(decode(kubernetes), FromKubernetes)
	case cri != nil:
		add(decode(cri), FromCRI)
	default:
		add(e.sandbox, FromSandbox)
	}
	if docker != nil {
		add(decode(docker), FromDocker)
		c.Name = cmp.Or(identity.String(i.Who.Container[:]), identity.String(docker.Name[:]))
		c.Image = cmp.Or(identity.String(i.Who.Image[:]), identity.String(docker.Image[:]))
	}
	add(identity.Labels(&i.Who), FromAnnotation)
	switch c.Engine {
	case "docker":
		c.Unlabelled = docker == nil
	case "cri-o": // hands all labels on
		c.Unlabelled = false
	default:
		c.Unlabelled = c.PodUID != "" && kubernetes == nil && cri == nil
	}
}

// told is what a source knows of a subject, with its stamp; nil where that is nothing.
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

func decode(l *abi.Labels) map[string]string {
	return identity.DecodeLabels(l.Text[:min(int(l.Length), len(l.Text))])
}

// AgentSeen is when the agent was last alive, in nanoseconds of CLOCK_BOOTTIME: 0 where none has been since the
// programs were loaded.
func (d *Directory) AgentSeen() uint64 {
	l, ok := d.kernel.Labels(abi.LabelsAgent, "")
	if !ok {
		return 0
	}
	return l.Updated
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
			if i, ok := d.kernel.Identity(index); ok && identity.String(i.Who.ID[:]) == id {
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
		i, ok := d.kernel.Identity(index)
		if !ok || i.State == abi.StateFree || i.Who.Flags&abi.WhoSandbox == 0 {
			continue
		}
		id := identity.String(i.Who.ID[:])
		if _, ok := d.sandboxes[id]; !ok || i.Created > created[id] {
			d.sandboxes[id], created[id] = index, i.Created
		}
	}
}
