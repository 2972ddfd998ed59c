// SPDX-License-Identifier: Apache-2.0

package engines

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
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
	layer, err := busyboxLayer()
	if err != nil {
		return err
	}
	if err := writeImage(filepath.Join(dir, "busybox.tar"), busyboxImage, layer, "/bin/sh"); err != nil {
		return err
	}
	return writeImage(filepath.Join(dir, "pause.tar"), pauseImage, layer, "/bin/sleep", "1000000")
}

// busyboxLayer is a file system with busybox under the name of each of its applets. The names are hard links, so that
// an exec of one shows its path.
func busyboxLayer() ([]byte, error) {
	path, err := exec.LookPath("busybox")
	if err != nil {
		return nil, fmt.Errorf("%w: install the package busybox-static", err)
	}
	program, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	list, err := exec.Command(path, "--list").Output()
	if err != nil {
		return nil, fmt.Errorf("asking busybox for its applets: %w", err)
	}
	var layer archive
	for _, name := range []string{"bin", "dev", "etc", "proc", "sys", "tmp"} {
		layer.add(tar.Header{Typeflag: tar.TypeDir, Name: name, Mode: 0o755}, "")
	}
	layer.add(tar.Header{Name: "etc/passwd", Mode: 0o644}, "root:x:0:0:root:/:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n")
	layer.add(tar.Header{Name: "etc/group", Mode: 0o644}, "root:x:0:\nnogroup:x:65534:\n")
	layer.add(tar.Header{Name: "bin/busybox", Mode: 0o755}, string(program))
	for _, name := range strings.Fields(string(list)) {
		if name != "busybox" {
			layer.add(tar.Header{Typeflag: tar.TypeLink, Name: "bin/" + name, Linkname: "bin/busybox", Mode: 0o755}, "")
		}
	}
	return layer.close()
}

// writeImage writes an image of one layer as docker save does, so that every engine can load it.
func writeImage(file, name string, layer []byte, command ...string) error {
	digest := fmt.Sprintf("%x", sha256.Sum256(layer))
	config, err := json.Marshal(map[string]any{
		"architecture": runtime.GOARCH,
		"os":           "linux",
		"config":       map[string]any{"Env": []string{"PATH=/bin"}, "Cmd": command, "WorkingDir": "/"},
		"rootfs":       map[string]any{"type": "layers", "diff_ids": []string{"sha256:" + digest}},
		"history":      []any{map[string]string{"created": "2020-01-01T00:00:00Z", "created_by": "test"}},
	})
	if err != nil {
		return err
	}
	configName := fmt.Sprintf("%x.json", sha256.Sum256(config))
	manifest, err := json.Marshal([]any{map[string]any{"Config": configName, "RepoTags": []string{name}, "Layers": []string{digest + "/layer.tar"}}})
	if err != nil {
		return err
	}
	var image archive
	image.add(tar.Header{Name: configName, Mode: 0o644}, string(config))
	image.add(tar.Header{Typeflag: tar.TypeDir, Name: digest, Mode: 0o755}, "")
	image.add(tar.Header{Name: digest + "/layer.tar", Mode: 0o644}, string(layer))
	image.add(tar.Header{Name: "manifest.json", Mode: 0o644}, string(manifest))
	data, err := image.close()
	if err != nil {
		return err
	}
	return os.WriteFile(file, data, 0o644)
}

// archive is a tar file that is being written. Its first error stays.
type archive struct {
	data bytes.Buffer
	tar  *tar.Writer
	err  error
}

func (a *archive) add(header tar.Header, content string) {
	if a.tar == nil {
		a.tar = tar.NewWriter(&a.data)
	}
	header.Size = int64(len(content))
	if a.err == nil {
		a.err = a.tar.WriteHeader(&header)
	}
	if a.err == nil {
		_, a.err = a.tar.Write([]byte(content))
	}
}

func (a *archive) close() ([]byte, error) {
	if a.err == nil {
		a.err = a.tar.Close()
	}
	return a.data.Bytes(), a.err
}
