// SPDX-License-Identifier: Apache-2.0

package kubernetes

import (
	"fmt"
	"net/http"
	"path/filepath"

	"github.com/runc-trace/runc-trace/test/image"
	"github.com/runc-trace/runc-trace/test/machine"
)

// pauseImage is that of pods' own containers, clientImage that of a client of the API server (testdata/client).
const (
	pauseImage  = "docker.io/library/pause:e2e"
	clientImage = "docker.io/library/client:e2e"
)

// serveImages serves what the nodes pull: busybox, by the name that everybody uses, and programs of these tests. The kubelet asks
// for an image called latest each time, so that having it is not enough.
func serveImages(control *machine.Machine) (*http.Server, error) {
	// The image that it stands for has a shell that executes what it runs, and has $RANDOM. Debian's busybox-static has no such one.
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
