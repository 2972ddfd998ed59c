// SPDX-License-Identifier: Apache-2.0

// Package enginefiles reads what engines know about a container beyond its spec: from their own files, and from the
// arguments of the process that monitors it. A read takes microseconds. If it fails, only the additional data is
// missing.
//
// The data is for display and selection only. Never derive a path or an identity from it.
package enginefiles

import (
	"encoding/json"
	"fmt"
	"path"
	"strings"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/identity"
	"github.com/runc-trace/runc-trace/pkg/regular"
)

// dockerLimit is the size of the largest Docker file that is read, in bytes. Usually they have a few thousand. The
// author of an image can make the file longer, and reading it would take time.
const dockerLimit = 64 << 10

// AddDocker adds a container's name, image and labels, which Docker does not write into the spec. It reads them from
// Docker's own file for the container (container.go of github.com/moby/moby/daemon/container). rootfs is the path
// of the container's root in the spec; both it and the file are below Docker's data directory. AddDocker does nothing
// for other engines.
func AddDocker(who *abi.Who, rootfs string, rules identity.Rules) {
	const levels = 3 // from the root file system up to the data directory: DATA/overlay2/ID/merged
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
		if c, err := ParseDocker(text); err == nil && c.ID == id {
			identity.AddMetadata(who, c.Name, c.Image, c.Labels, rules)
		}
		return
	}
}

// DockerContainer is the part of Docker's own file for a container, config.v2.json, that is used.
type DockerContainer struct {
	ID, Name, Image string
	Labels          map[string]string // never nil
}

// ParseDocker parses a config.v2.json.
func ParseDocker(text []byte) (DockerContainer, error) {
	var file struct {
		ID     string
		Name   string
		Config struct {
			Image  string
			Labels map[string]string
		}
	}
	if err := json.Unmarshal(text, &file); err != nil {
		return DockerContainer{}, fmt.Errorf("parsing Docker's file of a container: %w", err)
	}
	c := DockerContainer{
		ID: file.ID, Name: strings.TrimPrefix(file.Name, "/"), Image: file.Config.Image, Labels: file.Config.Labels,
	}
	if c.Labels == nil {
		c.Labels = map[string]string{}
	}
	return c, nil
}
