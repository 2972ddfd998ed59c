// SPDX-License-Identifier: Apache-2.0

package main

import (
	"time"

	"github.com/runc-trace/runc-trace/pkg/config"
)

// statusJSON is what status shows. Names are stable.
type statusJSON struct {
	PinDir     string       `json:"pinDir"`
	Version    string       `json:"version"` // of tracectl
	Layout     uint32       `json:"layout"`
	Loaded     time.Time    `json:"loaded"`
	Build      string       `json:"build"`    // of the programs that run; empty: replacing them was interrupted
	Current    bool         `json:"current"`  // it is that of this tracectl
	Replaced   *time.Time   `json:"replaced"` // when the programs took the place of others
	Damage     []damageJSON `json:"damage"`   // pins that are not what the programs need
	Memory     uint64       `json:"memory"`   // bytes
	Options    config.Pool  `json:"options"`
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

// damageJSON is a pin that is not what the programs need.
type damageJSON struct {
	Pin     string `json:"pin"` // its name below the pin directory
	Problem string `json:"problem"`
}

// programJSON is a program that is attached.
type programJSON struct {
	Name   string `json:"name"`
	Missed uint64 `json:"missed"` // times it was not run, since it was running on the CPU already
}

// unregistered is how many containers the shim could not register.
func (s *statusJSON) unregistered() (all uint64) {
	for _, n := range s.Unregistered {
		all += n
	}
	return all
}
