// SPDX-License-Identifier: Apache-2.0

package execlog

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/runc-trace/runc-trace/pkg/identity"
	"github.com/runc-trace/runc-trace/pkg/labels"
	"github.com/runc-trace/runc-trace/pkg/syscalls"
	"github.com/runc-trace/runc-trace/pkg/terminal"
)

// Event is an exec with its container. Its JSON names are stable. Process IDs are those in the initial PID
// namespace.
type Event struct {
	Time      time.Time `json:"time"`    // when the exec succeeded or failed; RFC 3339 with nanoseconds
	Elapsed   *int64    `json:"elapsed"` // ns since the container's creation; null if unknown
	Pcomm     string    `json:"pcomm"`   // name of the parent
	Comm      string    `json:"comm"`    // name of the process: after a success, the new one
	PID       uint32    `json:"pid"`
	TID       uint32    `json:"tid"`
	PPID      uint32    `json:"ppid"`
	UID       uint32    `json:"uid"` // in the initial user namespace
	Ret       int32     `json:"ret"` // 0, or a negative errno
	Errno     string    `json:"errno"`
	Path      string    `json:"path"`            // as passed to execve(2)
	Args      []string  `json:"args"`            // as the program received them: for a script, its interpreter's
	Truncated bool      `json:"truncated"`       // path or arguments were cut
	Fault     bool      `json:"fault,omitempty"` // some of path and args could not be read
	// Which of the two was cut. Old nodes set neither, and did not report cut paths.
	PathTruncated bool `json:"pathTruncated,omitempty"`
	ArgsTruncated bool `json:"argsTruncated,omitempty"`

	Interpreted bool              `json:"interpreted,omitempty"` // the kernel put the interpreter of path before args
	Runtime     bool              `json:"runtime"`               // by the runtime, before the container's program
	CPU         uint16            `json:"cpu"`
	CgroupID    uint64            `json:"cgroupID"`
	Log         uint64            `json:"log"`               // its creation, in ns of CLOCK_BOOTTIME: identifies the log
	Sequence    uint64            `json:"sequence"`          // number of execs logged before this one
	Evicted     bool              `json:"evicted,omitempty"` // the container is no longer known
	Namespace   string            `json:"namespace"`
	Pod         string            `json:"pod"`
	PodUID      string            `json:"podUID"`
	Container   string            `json:"container"`
	ContainerID string            `json:"containerID"`
	SandboxID   string            `json:"sandboxID"`
	Image       string            `json:"image"`
	Engine      string            `json:"engine"`
	Labels      map[string]string `json:"labels"`

	LabelsTruncated bool `json:"labelsTruncated,omitempty"` // there was no room for some labels
}

// NewEvent makes an Event from a record and its container; c is nil if the container is no longer known. boot is
// the wall-clock time at which CLOCK_BOOTTIME began. Callers that know the log set Log.
func NewEvent(r *Record, c *labels.Container, boot time.Time) Event {
	e := Event{
		Time:      boot.Add(time.Duration(r.Entry.Time)),
		Pcomm:     identity.String(r.ParentComm[:]),
		Comm:      identity.String(r.Comm[:]),
		PID:       r.PID,
		TID:       r.TID,
		PPID:      r.PPID,
		UID:       r.UID,
		Ret:       r.Result,
		Path:      string(r.Path),
		Args:      r.Args(),
		Truncated: r.PathTruncated() || r.ArgsTruncated(),
		Fault:     r.Fault(),
		Runtime:   r.Runtime(),

		Interpreted:   r.Interpreted(),
		PathTruncated: r.PathTruncated(),
		ArgsTruncated: r.ArgsTruncated(),
		CPU:           r.Entry.CPU,
		CgroupID:      r.Cgroup,
		Sequence:      r.Sequence,
		Evicted:       c == nil,
		Labels:        map[string]string{},
	}
	if r.Result < 0 {
		e.Errno = syscalls.ErrnoName(-int(r.Result))
	}
	if c != nil {
		elapsed := int64(r.Entry.Time - c.Created)
		e.Elapsed = &elapsed
		e.Namespace, e.Pod, e.PodUID, e.Container = c.Namespace, c.Pod, c.PodUID, c.Name
		e.ContainerID, e.SandboxID, e.Image, e.Engine = c.ID, c.SandboxID, c.Image, c.Engine
		e.Labels, e.LabelsTruncated = c.Labels, c.Truncated
	}
	return e
}

// AppendJSON appends the event as one line of JSON. Bytes that are not UTF-8 become U+FFFD.
func (e *Event) AppendJSON(dst []byte) ([]byte, error) {
	encoded, err := json.Marshal(e)
	if err != nil {
		return dst, fmt.Errorf("encoding an exec: %w", err)
	}
	return append(terminal.AppendJSON(dst, encoded), '\n'), nil
}
