// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"fmt"
	"strings"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/identity"
)

// container holds the data of an identity that sources need.
type container struct {
	generation uint32
	engine     string
	id         string
	sandbox    string
	pod        string // its UID
}

// discovery detects new containers.
type discovery struct {
	reader  Reader
	cgroups map[uint64]uint32 // as of the last poll: cgroup ID to index of the identity
	known   map[uint32]container
}

func newDiscovery(reader Reader) *discovery {
	return &discovery{reader: reader, known: map[uint32]container{}}
}

// poll returns the containers whose cgroups appeared since the last call. It reads only new identities.
func (r *discovery) poll() ([]container, error) {
	cgroups, err := r.reader.Containers()
	if err != nil {
		return nil, fmt.Errorf("listing containers: %w", err)
	}
	var appeared []container
	looked := map[uint32]bool{}
	for id, index := range cgroups {
		if before, ok := r.cgroups[id]; ok && before == index || looked[index] {
			continue
		}
		looked[index] = true
		c, isNew, ok := r.look(index)
		switch {
		case !ok:
			delete(cgroups, id) // being written: it counts as new again at the next poll
		case isNew:
			appeared = append(appeared, c)
		}
	}
	r.cgroups = cgroups
	return appeared, nil
}

// scan reads all identities, including those of containers that came and ended between two polls, and returns the
// new containers.
func (r *discovery) scan() []container {
	var appeared []container
	for index := range r.reader.Pool().Identities {
		if c, isNew, _ := r.look(uint32(index)); isNew {
			appeared = append(appeared, c)
		}
	}
	return appeared
}

// look updates what is known from an identity. ok is false if there is none, or if it is incomplete.
func (r *discovery) look(index uint32) (c container, isNew, ok bool) {
	i, ok := r.reader.Identity(int(index))
	if !ok || i.State == abi.StateFree {
		delete(r.known, index)
		return c, false, false
	}
	if c, ok = r.known[index]; ok && c.generation == i.Generation {
		return c, false, true
	}
	c = container{
		generation: i.Generation,
		engine:     identity.String(i.Who.Engine[:]),
		id:         identity.String(i.Who.ID[:]),
		sandbox:    identity.String(i.Who.SandboxID[:]),
		pod:        identity.String(i.Who.PodUID[:]),
	}
	r.known[index] = c
	return c, true, true
}

// subjects returns the pods and the containers of all identities.
func (r *discovery) subjects() (pods, ids, sandboxes map[string]bool) {
	pods, ids, sandboxes = map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, c := range r.known {
		pods[c.pod], ids[c.id], sandboxes[c.sandbox] = true, true, true
	}
	return pods, ids, sandboxes
}

// mayBeID reports whether a text can be an engine's ID of a container: it becomes part of requests.
func mayBeID(text string) bool {
	const longest = 128
	return text != "" && len(text) <= longest &&
		strings.Trim(text, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_.-") == ""
}
