// SPDX-License-Identifier: Apache-2.0

package enginefiles

import (
	"bytes"
	"encoding/json"
	"io"
	"path"
	"strings"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/identity"
	"github.com/runc-trace/runc-trace/pkg/regular"
)

// podmanLimit is the size of the largest list of Podman containers that is read, in bytes. 500 containers take
// about half of it. Only the entry of one container is parsed.
const podmanLimit = 512 << 10

// volatile is the file in which newer versions of Podman list containers that do not survive a reboot, such as
// those of `podman run --rm`. It is below root's usual directory for state.
const volatile = "/run/containers/storage/overlay-containers/volatile-containers.json"

// AddPodman adds the image of a Podman container, and its name if it is not known, from the lists of Podman's storage
// (containers.go of github.com/containers/storage). bundle is .../overlay-containers/ID/userdata, and a list lies
// beside the containers. root is the host's root directory, and part of bundle; empty means /. AddPodman does nothing
// for other engines.
func AddPodman(who *abi.Who, root, bundle string, rules identity.Rules) {
	id := identity.String(who.ID[:])
	directory := path.Dir(path.Clean(bundle))
	if identity.String(who.Engine[:]) != "podman" || !path.IsAbs(bundle) ||
		!identity.IsHexID(id) || path.Base(directory) != id {
		return
	}
	for _, list := range [...]string{path.Join(path.Dir(directory), "containers.json"), root + volatile} {
		text, err := regular.ReadDirect(list, podmanLimit)
		if err != nil {
			continue
		}
		_, entry, found := bytes.Cut(text, []byte(`{"id":"`+id+`",`))
		if !found {
			continue
		}
		var kept struct {
			Metadata string `json:"metadata"`
		}
		var metadata struct {
			Image string `json:"image-name"`
			Name  string `json:"name"`
		}
		from := io.MultiReader(strings.NewReader("{"), bytes.NewReader(entry))
		if json.NewDecoder(from).Decode(&kept) == nil && json.Unmarshal([]byte(kept.Metadata), &metadata) == nil {
			identity.AddMetadata(who, metadata.Name, metadata.Image, nil, rules)
		}
		return
	}
}
