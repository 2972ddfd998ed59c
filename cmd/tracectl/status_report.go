// SPDX-License-Identifier: Apache-2.0

package main

import (
	"time"

	"github.com/runc-trace/runc-trace/pkg/config"
	"github.com/runc-trace/runc-trace/pkg/status"
	"github.com/runc-trace/runc-trace/pkg/unregistered"
)

// statusJSON is what status shows. Names are stable.
type statusJSON struct {
	PinDir     string      `json:"pinDir"`
	Version    string      `json:"version"` // of tracectl
	Layout     uint32      `json:"layout"`
	Loaded     time.Time   `json:"loaded"`
	Build      string      `json:"build"`    // of the programs that run; empty: replacing them was interrupted
	Current    bool        `json:"current"`  // it is that of this tracectl
	Replaced   *time.Time  `json:"replaced"` // when the programs took the place of others
	Memory     uint64      `json:"memory"`   // bytes
	Options    config.Pool `json:"options"`
	Containers struct {
		Created int `json:"created"`
		Running int `json:"running"`
		Exited  int `json:"exited"` // init is gone, the cgroup is not
		Ended   int `json:"ended"`  // the cgroup is gone, the name is known
	} `json:"containers"`
	Recordings struct {
		Live     int    `json:"live"`
		Ended    int    `json:"ended"`
		Free     int    `json:"free"`
		Syscalls uint64 `json:"syscalls"` // of them all, kept or overwritten
		Lost     uint64 `json:"lost"`     // that could not be written
	} `json:"recordings"`
	ExecLog struct {
		Used   uint64     `json:"used"`  // bytes
		Execs  uint64     `json:"execs"` // ever logged, kept or overwritten
		Lost   uint64     `json:"lost"`  // that could not be written
		Oldest *time.Time `json:"oldest"`
	} `json:"execLog"`
	Agent struct {
		Alive bool       `json:"alive"`
		Seen  *time.Time `json:"seen"` // when it was last alive; null: never, since the programs were loaded
	} `json:"agent"`
	Dropped map[string]uint64 `json:"dropped"`
	// Containers that the shim could not register, since boot.
	Unregistered map[string]uint64 `json:"unregistered"`
	Programs     []programJSON     `json:"programs"`
}

// programJSON is a program that is attached.
type programJSON struct {
	Name   string `json:"name"`
	Missed uint64 `json:"missed"` // times it was not run, since it was running on the CPU already
}

func newStatusJSON(read *status.Status, failed [unregistered.Reasons]uint64, clock clock) *statusJSON {
	s := &statusJSON{
		Layout: read.Layout, Loaded: *clock.time(max(1, read.Loaded)), Current: read.Current, Replaced: clock.time(read.Replaced),
		Memory: read.Memory, Options: read.Pool,
		Dropped: map[string]uint64{}, Unregistered: map[string]uint64{},
	}
	if read.Build != 0 {
		s.Build = buildName(read.Build)
	}
	i, r, e := read.Identities, read.Recordings, read.ExecLog
	s.Containers.Created, s.Containers.Running, s.Containers.Exited, s.Containers.Ended = i.Created, i.Running, i.Exited, i.Ended
	s.Recordings.Live, s.Recordings.Ended, s.Recordings.Free = r.Live, r.Ended, r.Free
	s.Recordings.Syscalls, s.Recordings.Lost = r.Syscalls, r.Lost
	s.ExecLog.Used, s.ExecLog.Execs, s.ExecLog.Lost = e.Used, e.Execs, e.Lost
	for counter, reason := range status.Reasons {
		s.Dropped[reason.Name] = read.Dropped[counter]
	}
	for n, reason := range status.Unregistered {
		s.Unregistered[reason.Name] = failed[n]
	}
	for _, p := range read.Programs {
		s.Programs = append(s.Programs, programJSON(p))
	}
	return s
}
