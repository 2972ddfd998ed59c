// SPDX-License-Identifier: Apache-2.0

// Package image makes images of containers for tests, which need no registry but this package's own.
package image

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
)

// Image is an image of one layer.
type Image struct {
	name   string
	config []byte
	layer  []byte
}

// New makes an image with a name such as docker.io/library/busybox:latest, of a layer and the command that it runs.
func New(name string, layer []byte, command ...string) (*Image, error) {
	return made(name, layer, map[string]any{"Env": []string{"PATH=/bin"}, "Cmd": command, "WorkingDir": "/"})
}

// Pause makes an image for pods' own containers, of Busybox's layer. Engines that heed the image stop it by SIGKILL:
// as the first process it would not notice SIGTERM.
func Pause(name string, layer []byte) (*Image, error) {
	return made(name, layer, map[string]any{
		"Cmd": []string{"/bin/sleep", "1000000"}, "WorkingDir": "/", "StopSignal": "SIGKILL",
	})
}

func made(name string, layer []byte, run map[string]any) (*Image, error) {
	config, err := json.Marshal(map[string]any{
		"architecture": runtime.GOARCH,
		"os":           "linux",
		"config":       run,
		"rootfs":       map[string]any{"type": "layers", "diff_ids": []string{"sha256:" + digest(layer)}},
		"history":      []any{map[string]string{"created": "2020-01-01T00:00:00Z", "created_by": "test"}},
	})
	if err != nil {
		return nil, err
	}
	return &Image{name, config, layer}, nil
}

func digest(data []byte) string { return fmt.Sprintf("%x", sha256.Sum256(data)) }

// Busybox is a file system, as a layer, with busybox under the name of each of its applets. The names are hard links,
// so that an exec of one shows its path. Its shell runs the others without an exec, or through /proc/self/exe.
func Busybox() ([]byte, error) { return busybox(nil) }

// BusyboxWithShell is the same with another shell, which is in a file and needs no others: one that executes what it
// runs.
func BusyboxWithShell(file string) ([]byte, error) {
	shell, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	return busybox(shell)
}

func busybox(shell []byte) ([]byte, error) {
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
		switch {
		case name == "busybox":
		case name == "sh" && shell != nil:
			layer.add(tar.Header{Name: "bin/sh", Mode: 0o755}, string(shell))
		default:
			layer.add(tar.Header{Typeflag: tar.TypeLink, Name: "bin/" + name, Linkname: "bin/busybox", Mode: 0o755}, "")
		}
	}
	return layer.close()
}

// Program is a file system, as a layer, with nothing but a program that needs nothing else: what is in a file, at a
// path.
func Program(file, path string) ([]byte, error) {
	program, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var layer archive
	layer.add(tar.Header{Name: strings.TrimPrefix(path, "/"), Mode: 0o755}, string(program))
	return layer.close()
}

// Save writes the image into a file as docker save does, so that every engine can load it.
func (i *Image) Save(file string) error {
	config, layer := digest(i.config)+".json", digest(i.layer)
	manifest, err := json.Marshal([]any{
		map[string]any{"Config": config, "RepoTags": []string{i.name}, "Layers": []string{layer + "/layer.tar"}},
	})
	if err != nil {
		return err
	}
	var a archive
	a.add(tar.Header{Name: config, Mode: 0o644}, string(i.config))
	a.add(tar.Header{Typeflag: tar.TypeDir, Name: layer, Mode: 0o755}, "")
	a.add(tar.Header{Name: layer + "/layer.tar", Mode: 0o644}, string(i.layer))
	a.add(tar.Header{Name: "manifest.json", Mode: 0o644}, string(manifest))
	data, err := a.close()
	if err != nil {
		return err
	}
	return os.WriteFile(file, data, 0o644)
}
