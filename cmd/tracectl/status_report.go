// SPDX-License-Identifier: Apache-2.0

package main

import (
	"time"

	"github.com/runc-trace/runc-trace/pkg/archive"
	"github.com/runc-trace/runc-trace/pkg/config"
)

// statusJSON is the output of status. Names are stable.
type statusJSON struct {
	PinDir     string       `json:"pinDir"`
	Version    string       `json:"version"` // of tracectl
	Layout     uint32       `json:"layout"`
	Loaded     time.Time    `json:"loaded"`
	Build      string       `json:"build"`        // of the running programs; empty if replacing them was interrupted
	Current    bool         `json:"current"`      // Build is that of this tracectl
	Replaced   *time.Time   `json:"replaced"`     // when the programs replaced others
	Damage     []damageJSON `json:"damage"`       // pins that the programs cannot use
	Memory     uint64       `json:"memory"`       // bytes
	Threads    uint64       `json:"threadMemory"` // bytes for threads of containers, beside Memory
	Options    config.Pool  `json:"options"`
	Containers struct {
		Created int `json:"created"`
		Running int `json:"running"`
		Exited  int `json:"exited"` // init has exited, but the cgroup exists, or processes outside of it
		Ended   int `json:"ended"`  // the cgroup and all processes are gone, but the name is known
		Threads int `json:"threads"`
		// Those that have not ended, by how much is recorded of them: all, paths, none, off.
		Contents map[string]int `json:"contents"`
	} `json:"containers"`
	Recordings struct {
		Live     int    `json:"live"`
		Ended    int    `json:"ended"`
		Free     int    `json:"free"`
		Kept     int    `json:"kept"`     // of the live and ended ones: not used again
		Syscalls uint64 `json:"syscalls"` // of all recordings, kept or overwritten
		Lost     uint64 `json:"lost"`     // could not be written
		// How far back recordings of live containers have every call, in ns; null if none has overwritten any.
		Reach *reachesJSON `json:"reach"`
	} `json:"recordings"`
	ExecLog struct {
		Used   uint64     `json:"used"`  // bytes
		Execs  uint64     `json:"execs"` // logged since loading, kept or overwritten
		Lost   uint64     `json:"lost"`  // could not be written
		Oldest *time.Time `json:"oldest"`
	} `json:"execLog"`
	Agent struct {
		Alive bool       `json:"alive"`
		Seen  *time.Time `json:"seen"` // when it last reported; null if it never has since the programs were loaded
	} `json:"agent"`
	Archive *archive.State    `json:"archive"` // null if no recordings are saved
	Dropped map[string]uint64 `json:"dropped"`
	// Containers that have not ended, and of which something is not recorded.
	Incomplete []incompleteJSON `json:"incomplete"`
	// Users other than root who made a cgroup at the place of a container's, the last ones, oldest first.
	Refusals []refusalJSON `json:"refusals"`
	// Number of containers that the shim could not register since boot, by reason.
	Unregistered map[string]uint64 `json:"unregistered"`
	Programs     []programJSON     `json:"programs"`
}

// reachesJSON tells how far back the recordings that have overwritten calls have all, in ns.
type reachesJSON struct {
	Recordings int           `json:"recordings"` // that have overwritten calls
	Shortest   time.Duration `json:"shortest"`
	Median     time.Duration `json:"median"`
}

// incompleteJSON is a container of which something is not recorded.
type incompleteJSON struct {
	Name        string `json:"name"`
	ContainerID string `json:"containerID"`
	Refused     uint32 `json:"refused"` // times that there was no memory for one of its threads
	Left        uint32 `json:"left"`    // processes that moved to a cgroup outside of its own
}

// refusalJSON is a cgroup that was made at the place of a container's by another user than root.
type refusalJSON struct {
	Time   time.Time `json:"time"`
	UID    uint32    `json:"uid"` // as the host sees it
	PID    uint32    `json:"pid"` // as the host sees it; 0 if the cgroup was made before its container came
	Comm   string    `json:"comm"`
	Cgroup string    `json:"cgroup"` // the beginning of its path
}

// damageJSON is a pin that the programs cannot use.
type damageJSON struct {
	Pin        string `json:"pin"` // its name below the pin directory
	Problem    string `json:"problem"`
	Unrecorded string `json:"unrecorded"` // events that are not recorded because of it; empty if all are
}

// programJSON is an attached program.
type programJSON struct {
	Name   string `json:"name"`
	Missed uint64 `json:"missed"` // number of skipped runs, because of recursion on the same CPU
}

// unregistered returns the number of containers that the shim could not register.
func (s *statusJSON) unregistered() (all uint64) {
	for _, n := range s.Unregistered {
		all += n
	}
	return all
}
