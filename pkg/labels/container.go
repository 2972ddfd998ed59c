// SPDX-License-Identifier: Apache-2.0

package labels

import (
	"strings"

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
	Labels    map[string]string // of all sources together; never nil

	// Origins says where each label comes from.
	Origins map[string]Origin
	// Unlabelled says that no source has told its labels yet: there may be others than those in Labels.
	Unlabelled bool
	// Pending says that an agent could bring labels that count more than those that are known. Unlabelled containers
	// are pending, and those whose labels only the annotations of a sandbox tell.
	Pending bool
	// SandboxUnknown says that the sandbox that would tell its labels is named, and was not found yet.
	SandboxUnknown bool
	// Truncated says that it has more labels than are known: they found no room.
	Truncated bool
	// doubtful are the keys of labels that a source which counts more may have had, too, before it was truncated.
	doubtful map[string]bool

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

// FullName is namespace/pod/container, or the container's own name where it is in no pod, or its ID where it has no
// name or is the pod's sandbox.
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
