// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/runc-trace/runc-trace/pkg/enginefiles"
)

func (d docker) dependents(h Host, e Engine, shims []string) ([]Container, error) {
	_, config, err := e.daemonJSON(h)
	if err != nil {
		if config, err = e.salvage(h); err != nil {
			return nil, err
		}
	}
	data, exec, err := d.dirs(h, e, config)
	if err != nil {
		return nil, err
	}
	var found []Container
	for _, file := range h.globAll(data, "containers/*/hostconfig.json") {
		text, err := h.read(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		container, err := parseHostConfig(text)
		if err != nil {
			continue // dockerd leaves the container out, too
		}
		if runtime := container.Runtime; runtime == addedRuntime || h.calls(config.Runtimes[runtime].program(), shims) {
			found = append(found, Container{path.Base(path.Dir(file)), dockerName(h, path.Dir(file))})
		}
	}
	// Its containers are also tasks of its containerd, which is the host's or its own.
	for _, state := range append([]string{"/run/containerd"}, h.globAll(exec, "containerd/daemon")...) {
		running, err := tasks(h, state, shims)
		if err != nil {
			return nil, err
		}
		for _, c := range running {
			if id, ok := strings.CutPrefix(c.ID, "moby/"); ok {
				name := ""
				for _, dir := range h.globAll(data, path.Join("containers", id)) {
					name = cmp.Or(name, dockerName(h, dir))
				}
				found = append(found, Container{id, name})
			}
		}
	}
	return found, nil
}

// remapped matches the directory that dockerd uses below each of its own if userns-remap is set: UID.GID.
const remapped = "[0-9]*.[0-9]*"

// dirs returns patterns of all directories in which dockerd may keep containers, and their state while they run: the
// usual ones, those of its configuration and flags, and those of the running one.
func (docker) dirs(h Host, e Engine, config daemonJSON) (data, exec []string, err error) {
	data = []string{"/var/lib/docker", config.DataRoot, config.Graph}
	exec = []string{"/var/run/docker", config.ExecRoot}
	commands, err := e.commands(h)
	if err != nil {
		return nil, nil, err
	}
	for _, c := range commands {
		data = append(data, options(c.args(), "--data-root", "--graph", "-g")...)
		exec = append(exec, options(c.args(), "--exec-root")...)
		for _, arg := range c.args() {
			if dir, ok := strings.CutPrefix(arg, "-g"); ok && path.IsAbs(dir) {
				data = append(data, dir)
			}
		}
	}
	if info, err := dockerInfo(context.Background(), h, e); err == nil {
		data = append(data, info.DockerRootDir)
	}
	for _, dirs := range []*[]string{&data, &exec} {
		for _, dir := range slices.Clone(*dirs) {
			*dirs = append(*dirs, path.Join(dir, remapped))
		}
		*dirs = slices.DeleteFunc(*dirs, func(dir string) bool { return !path.IsAbs(dir) })
		slices.Sort(*dirs)
		*dirs = slices.Compact(*dirs)
	}
	return data, exec, nil
}

// globAll returns the files that match a pattern below one of the directories.
func (h Host) globAll(dirs []string, pattern string) []string {
	var found []string
	for _, dir := range dirs {
		found = append(found, h.glob(path.Join(dir, pattern))...)
	}
	return found
}

// dockerName returns Docker's name of a container, given its directory, "" if that cannot be read.
func dockerName(h Host, dir string) string {
	text, err := h.read(path.Join(dir, "config.v2.json"))
	if err != nil {
		return ""
	}
	c, err := enginefiles.ParseDocker(text)
	if err != nil {
		return ""
	}
	return c.Name
}

// hostConfig is Docker's record of how a container was made.
type hostConfig struct {
	Runtime string `json:"Runtime"`
}

// parseHostConfig reads one JSON value, and ignores the rest, as dockerd does.
func parseHostConfig(text []byte) (hostConfig, error) {
	var c hostConfig
	err := json.NewDecoder(bytes.NewReader(text)).Decode(&c)
	return c, err
}

// directory matches a setting of dockerd that decides where it keeps containers.
var directory = regexp.MustCompile(`"(data-root|graph|exec-root)"\s*:\s*"([^"]*)"`)

// salvage returns the directories that a daemon.json names which cannot be parsed. dockerd does not start with it, but
// containers that it has started before may still need the shim.
func (e Engine) salvage(h Host) (daemonJSON, error) {
	var config daemonJSON
	text, err := h.readIfThere(e.Config)
	for _, match := range directory.FindAllSubmatch(text, -1) {
		switch string(match[1]) {
		case "data-root":
			config.DataRoot = string(match[2])
		case "graph":
			config.Graph = string(match[2])
		default:
			config.ExecRoot = string(match[2])
		}
	}
	return config, err
}
