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

// storageRun is the usual directory for the state of root's storage.
const storageRun = "/run/containers/storage"

// AddPodman adds the name and the image of a Podman container, which its spec does not contain. It reads the name from
// the arguments of the container's conmon, and the image from the lists of Podman's storage (containers.go of
// github.com/containers/storage). bundle is .../overlay-containers/ID/userdata, and a list lies beside the containers.
// Newer versions list containers that do not survive a reboot, such as those of `podman run --rm`, in the directory for
// state instead, which contains conmon's PID file. pid is the process that may be conmon: the parent of the runtime, or
// of the container's init. root is the host's root directory, and part of bundle; empty means /. AddPodman does nothing
// for other engines.
func AddPodman(who *abi.Who, root, bundle string, pid int, rules identity.Rules) {
	if identity.String(who.Engine[:]) != "podman" {
		return
	}
	id := identity.String(who.ID[:])
	conmon := readConmon(pid, id)
	if who.Flags&abi.WhoSandbox == 0 {
		identity.AddMetadata(who, conmon.Name, "", nil, rules)
	}
	directory := path.Dir(path.Clean(bundle))
	if !path.IsAbs(bundle) || !identity.IsHexID(id) || path.Base(directory) != id {
		return
	}
	if addListed(who, path.Join(path.Dir(directory), "containers.json"), id, rules) {
		return
	}
	run := path.Join(storageRun, path.Base(path.Dir(directory))) // named for the storage's driver
	// It is .../overlay-containers/ID/userdata/pidfile.
	if file := conmon.PIDFile; path.IsAbs(file) && path.Base(path.Dir(path.Dir(file))) == id {
		run = path.Dir(path.Dir(path.Dir(file)))
	}
	addListed(who, path.Join(root, run, "volatile-containers.json"), id, rules)
}

// addListed adds the entry of a list, and reports whether there is one.
func addListed(who *abi.Who, list, id string, rules identity.Rules) bool {
	text, err := regular.ReadDirect(list, podmanLimit)
	if err != nil {
		return false
	}
	_, entry, found := bytes.Cut(text, []byte(`{"id":"`+id+`",`))
	if !found {
		return false
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
	return true
}
