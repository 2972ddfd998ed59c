// SPDX-License-Identifier: Apache-2.0

// Package told reads what engines know about a container beyond its spec: from their own files, and from the
// arguments of the process that monitors it. A read takes microseconds. If it fails, only the additional data is
// missing.
//
// The data is for display and selection only. Never derive a path or an identity from it.
package told

import (
	"encoding/json"
	"path"
	"strings"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/identity"
	"github.com/runc-trace/runc-trace/pkg/regular"
)

// dockerLimit is the size of the largest Docker file that is read, in bytes. Usually they have a few thousand. The
// author of an image can make the file longer, and reading it would take time.
const dockerLimit = 64 << 10

// Docker adds a container's name, image and labels, which Docker does not write into the spec. It reads them from
// Docker's own file for the container (container.go of github.com/moby/moby/daemon/container). rootfs is the path
// of the container's root in the spec; both it and the file are below Docker's data directory. Docker does nothing
// for other engines.
func Docker(who *abi.Who, rootfs string, rules identity.Rules) {
	const levels = 4 // most levels from the root file system up to the data directory: DATA/overlay2/ID/merged
	id := identity.String(who.ID[:])
	if identity.String(who.Engine[:]) != "docker" || !identity.IsHexID(id) || !path.IsAbs(rootfs) {
		return
	}
	directory := path.Clean(rootfs)
	for range levels {
		directory = path.Dir(directory)
		text, err := regular.ReadDirect(path.Join(directory, "containers", id, "config.v2.json"), dockerLimit)
		if err != nil {
			continue
		}
		var kept struct {
			ID     string
			Name   string
			Config struct {
				Image  string
				Labels map[string]string
			}
		}
		if json.Unmarshal(text, &kept) != nil || kept.ID != id {
			return
		}
		if kept.Config.Labels == nil {
			kept.Config.Labels = map[string]string{}
		}
		identity.Tell(who, strings.TrimPrefix(kept.Name, "/"), kept.Config.Image, kept.Config.Labels, rules)
		return
	}
}
