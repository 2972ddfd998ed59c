// SPDX-License-Identifier: Apache-2.0

package engine

import "slices"

// dockerSnap are files that exist if Docker is installed as a snap.
var dockerSnap = []string{
	"/etc/systemd/system/snap.docker.dockerd.service", "/snap/docker/current",
	"/var/snap/docker/current/config/daemon.json",
}

// Unhandled describes the engines of the host that can never be routed through the shim. If kinds are given, it
// describes these only.
func Unhandled(h Host, kinds ...Kind) []string {
	if len(kinds) > 0 && !slices.Contains(kinds, Docker) || !slices.ContainsFunc(dockerSnap, h.exists) {
		return nil
	}
	return []string{"containers of Docker's snap are not traced: a snap runs only programs of its own"}
}
