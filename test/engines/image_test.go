// SPDX-License-Identifier: Apache-2.0

package engines

import (
	"os"
	"path/filepath"

	"github.com/runc-trace/runc-trace/test/image"
)

// The images that every machine can load: busybox by all its names, and one for pods' own containers.
const (
	busyboxImage = "docker.io/library/busybox:e2e"
	pauseImage   = "docker.io/library/pause:e2e"
)

// makeImages writes the archives busybox.tar and pause.tar into a directory.
func makeImages(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	layer, err := image.Busybox()
	if err != nil {
		return err
	}
	for _, i := range []struct {
		file, name string
		command    []string
	}{
		{"busybox.tar", busyboxImage, []string{"/bin/sh"}},
		{"pause.tar", pauseImage, []string{"/bin/sleep", "1000000"}},
	} {
		made, err := image.New(i.name, layer, i.command...)
		if err != nil {
			return err
		}
		if err := made.Save(filepath.Join(dir, i.file)); err != nil {
			return err
		}
	}
	return nil
}
