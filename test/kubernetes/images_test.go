// SPDX-License-Identifier: Apache-2.0

package kubernetes

import (
	"fmt"
	"net/http"
	"path/filepath"

	"github.com/runc-trace/runc-trace/test/image"
	"github.com/runc-trace/runc-trace/test/machine"
)

// pauseImage is the image of sandboxes; clientImage is that of a client of the API server (testdata/client).
const (
	pauseImage  = "docker.io/library/pause:e2e"
	clientImage = "docker.io/library/client:e2e"
)

// serveImages serves the images that nodes pull: busybox under its usual name, and programs of these tests. The
// kubelet always pulls an image tagged latest, so importing it is not enough.
func serveImages(control *machine.Machine) (*http.Server, error) {
	// The shell of the real busybox image executes commands as programs and has $RANDOM. That of Debian's
	// busybox-static does neither.
	busybox, err := image.BusyboxWithShell("/usr/bin/bash-static")
	if err != nil {
		return nil, err
	}
	images := make([]*image.Image, 1)
	if images[0], err = image.New("docker.io/library/busybox:latest", busybox, "/bin/sh"); err != nil {
		return nil, err
	}
	for name, program := range map[string]string{pauseImage: "pause", clientImage: "client"} {
		layer, err := image.Program(filepath.Join(programs, program), "/"+program)
		if err != nil {
			return nil, err
		}
		made, err := image.New(name, layer, "/"+program)
		if err != nil {
			return nil, err
		}
		images = append(images, made)
	}
	registry, err := image.Registry(images...)
	if err != nil {
		return nil, err
	}
	listener, err := control.Listen(controlAddress + ":80")
	if err != nil {
		return nil, fmt.Errorf("serving images: %w", err)
	}
	s := &http.Server{Handler: registry}
	go func() { _ = s.Serve(listener) }()
	return s, nil
}
