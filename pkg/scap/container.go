// SPDX-License-Identifier: Apache-2.0

package scap

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/runc-trace/runc-trace/pkg/labels"
)

// engines are the numbers of container engines in the format, and the control groups by which readers find their
// containers.
var engines = map[string]engine{
	"":           {5, "/docker/"}, // not known
	"docker":     {0, "/docker/"},
	"containerd": {7, "/cri-containerd-"},
	"crio":       {8, "/crio-"},
	"podman":     {11, "/libpod-"},
}

type engine struct {
	number int
	group  string
}

// lxc is the engine of containers whose ID readers do not know as one: only that of LXC may be any name.
var lxc = engine{1, "/lxc/"}

// container describes a container as readers expect it.
type container struct {
	ID       string            `json:"id"`
	FullID   string            `json:"full_id"`
	Type     int               `json:"type"`
	Name     string            `json:"name"`
	Image    string            `json:"image"`
	ImageRep string            `json:"imagerepo"`
	ImageTag string            `json:"imagetag"`
	Digest   string            `json:"imagedigest"`
	Sandbox  bool              `json:"is_pod_sandbox"`
	State    int               `json:"lookup_state"` // 1: all is known
	Created  int64             `json:"created_time"` // in seconds since 1970
	Labels   map[string]string `json:"labels,omitempty"`
}

// longID is an ID of which readers show the beginning.
var longID = regexp.MustCompile("^[0-9a-f]{64}$")

const shownID = 12 // digits

func engineOf(c *labels.Container) engine {
	if !longID.MatchString(c.ID) {
		return lxc
	}
	if e, ok := engines[c.Engine]; ok {
		return e
	}
	return engines[""]
}

// group returns the control group by which readers find the container.
func group(c *labels.Container) string {
	group := engineOf(c).group + c.ID
	if strings.HasSuffix(group[:len(group)-len(c.ID)], "-") {
		group += ".scope"
	}
	return group
}

// describe returns a container as JSON. created is in ns since 1970.
func describe(c *labels.Container, created uint64) ([]byte, error) {
	is := container{
		ID: c.ID, FullID: c.ID, Type: engineOf(c).number, Name: c.Name, Image: c.Image, Sandbox: c.Sandbox(), State: 1,
		Created: int64(created / 1e9), Labels: map[string]string{},
	}
	if longID.MatchString(c.ID) {
		is.ID = c.ID[:shownID]
	}
	if is.Name == "" {
		is.Name = is.ID
	}
	is.ImageRep, is.ImageTag, is.Digest = image(c.Image)
	for name, value := range c.Labels {
		is.Labels[name] = value
	}
	for name, value := range map[string]string{
		"io.kubernetes.pod.namespace": c.Namespace, "io.kubernetes.pod.name": c.Pod, "io.kubernetes.pod.uid": c.PodUID,
		"io.kubernetes.container.name": c.Name, "io.kubernetes.sandbox.id": c.SandboxID,
	} {
		if c.Pod != "" && value != "" {
			is.Labels[name] = value
		}
	}
	text, err := json.Marshal(map[string]container{"container": is})
	if err == nil && len(text) >= dataMax { // readers have no room, and refuse the file if the text is cut
		is.Labels = nil
		text, err = json.Marshal(map[string]container{"container": is})
	}
	if err == nil && len(text) >= dataMax {
		err = errors.New("its names are too long")
	}
	if err != nil {
		return nil, fmt.Errorf("describing the container: %w", err)
	}
	return text, nil
}

// image takes the name of an image apart.
func image(name string) (repository, tag, digest string) {
	name, digest, _ = strings.Cut(name, "@")
	if at := strings.LastIndexByte(name, ':'); at > strings.LastIndexByte(name, '/') {
		return name[:at], name[at+1:], digest
	}
	return name, "", digest
}
