// SPDX-License-Identifier: Apache-2.0

package engines

import (
	"errors"
	"os"
	"path/filepath"

	"github.com/runc-trace/runc-trace/test/image"
)

// Images that every machine can load: busybox under all its names, and one for sandboxes.
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
	busybox, err := image.New(busyboxImage, layer, "/bin/sh")
	if err != nil {
		return err
	}
	pause, err := image.Pause(pauseImage, layer)
	if err != nil {
		return err
	}
	return errors.Join(busybox.Save(filepath.Join(dir, "busybox.tar")), pause.Save(filepath.Join(dir, "pause.tar")))
}
