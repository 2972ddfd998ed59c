// SPDX-License-Identifier: Apache-2.0

package labels

import (
	"strings"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/identity"
	"github.com/runc-trace/runc-trace/pkg/terminal"
)

// Container holds everything that is known about one container. Its strings are chosen by the engine or by the
// container's owner: escape them before printing them to a terminal. Its JSON is that of saved recordings.
type Container struct {
	Namespace string            `json:"namespace"`
	Pod       string            `json:"pod"`
	Name      string            `json:"name"` // within its pod; empty for a sandbox
	ID        string            `json:"id"`   // the ID that the OCI runtime uses
	PodUID    string            `json:"podUID"`
	SandboxID string            `json:"sandboxID"`
	Image     string            `json:"image"`
	Engine    string            `json:"engine"`
	Labels    map[string]string `json:"labels"` // merged from all sources; never nil

	// Origins maps each label's key to its source.
	Origins map[string]Origin `json:"labelOrigins"`
	// Unlabelled is set until a source has told the container's labels: Labels may not be complete. No source tells
	// the labels of Podman's containers.
	Unlabelled bool `json:"unlabelled"`
	// Pending is set if an agent could still bring labels. That is true of Unlabelled containers, except Podman's, and of
	// those whose labels come only from the annotations of a sandbox.
	Pending bool `json:"labelsPending"`
	// SandboxUnknown is set if the container names a sandbox that has its labels, but the sandbox was not found
	// yet.
	SandboxUnknown bool `json:"sandboxUnknown"`
	// Truncated is set if the container has more labels than are known: there was no room for them.
	Truncated bool `json:"labelsTruncated"`
	// provisional is set if a source that tells the labels of an Unlabelled container replaces those that are known.
	provisional bool
	// doubtful holds the keys that a truncated source of a higher precedence may have had, too.
	doubtful map[string]bool

	Flags      uint32 `json:"flags"` // enum who_flags
	Index      uint32 `json:"-"`     // of the identity
	Generation uint32 `json:"-"`     // of the identity
	State      uint32 `json:"state"` // enum state
	Cgroup     uint64 `json:"cgroup"`
	Init       uint32 `json:"init"`       // PID of the container's init in the initial PID namespace, or 0
	ExitStatus uint32 `json:"exitStatus"` // of the init, in the format of wait(2); valid if Exited is set
	Ring       uint32 `json:"-"`          // index + 1 of its ring, or 0
	RingGen    uint32 `json:"-"`
	Threads    uint32 `json:"threads"`     // for which the kernel keeps memory
	Refused    uint32 `json:"refused"`     // times that there was no memory for one of its threads
	Left       uint32 `json:"left"`        // processes that moved to a cgroup outside of the container's
	Beyond     uint64 `json:"execsBeyond"` // execs beyond its pod's share of the log of execs, which later ones overwrite

	// Nanoseconds of CLOCK_BOOTTIME; 0 if it has not happened.
	Created uint64 `json:"created"`
	Started uint64 `json:"started"`
	Exited  uint64 `json:"exited"`
	Ended   uint64 `json:"ended"`
}

// Sandbox reports whether the container is a pod's sandbox.
func (c *Container) Sandbox() bool { return c.Flags&abi.WhoSandbox != 0 }

// Contents returns how much is recorded of the container.
func (c *Container) Contents() identity.Contents { return identity.ContentsOf(c.Flags) }

// Withheld says what is missing from the container's recording on purpose: "" if nothing is.
func (c *Container) Withheld() string { return c.Contents().Withheld() }

// FullName returns namespace/pod/container. Outside of a pod, it returns the container's own name. If the container
// has no name or is a sandbox, it returns the ID.
func (c *Container) FullName() string {
	switch {
	case c.Name == "":
		return c.ID
	case c.Pod == "":
		return c.Name
	}
	return c.Namespace + "/" + c.Pod + "/" + c.Name
}

// ShownName returns the full name as tables show it: quoted if it is not plainly one word, and an ID shortened.
func (c *Container) ShownName() string {
	if c.Name == "" {
		return terminal.Cell(ShortID(c.ID))
	}
	return terminal.Cell(c.FullName())
}

// ShortID returns an ID as engines show it: the first 12 digits of a long hexadecimal one, and the whole of any
// other.
func ShortID(id string) string {
	const long = 32
	if len(id) < long || strings.Trim(id, "0123456789abcdef") != "" {
		return id
	}
	return id[:shortID]
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
