// SPDX-License-Identifier: Apache-2.0

// Package told reads what engines say of a container outside of its spec: in their own files, and in the arguments of
// the process that watches it. It costs microseconds, and whatever is wrong costs nothing but what would have been
// told.
//
// All of it is for display and selection. No path and no identity is made of it.
package told

import (
	"encoding/json"
	"path"
	"strings"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/identity"
	"github.com/runc-trace/runc-trace/pkg/regular"
)

// dockerLimit is the largest of Docker's files that is read, in bytes: usually they have some thousand. The author of
// an image can make one longer, which would take time to read.
const dockerLimit = 64 << 10

// Docker adds a container's name, image and labels, which Docker does not write into the spec, from the file that it
// keeps of the container (container.go of github.com/moby/moby/daemon/container). rootfs is the path of the
// container's root in the spec: Docker makes it below its data directory, and so is the file. It does nothing for
// other engines.
func Docker(who *abi.Who, rootfs string, rules identity.Rules) {
	const levels = 4 // from the root file system up to the data directory, at most: DATA/overlay2/ID/merged
	id := identity.String(who.ID[:])
	if identity.String(who.Engine[:]) != "docker" || !isID(id) || !path.IsAbs(rootfs) {
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

// isID says whether text is an ID as Docker and Podman make them: 32 bytes in hexadecimal.
func isID(text string) bool {
	return len(text) == 64 && strings.Trim(text, "0123456789abcdef") == ""
}
