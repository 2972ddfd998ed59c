// SPDX-License-Identifier: Apache-2.0

package adopt

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/opencontainers/runc/libcontainer"

	"github.com/runc-trace/runc-trace/pkg/identity"
	"github.com/runc-trace/runc-trace/pkg/regular"
	"github.com/runc-trace/runc-trace/pkg/unified"
)

// roots are the directories in which runtimes keep a directory of state per container, named for its ID: those that
// the shims of containerd and Docker pass to runc, one for each namespace of containerd, and the defaults of runc
// and crun. The path does not tell which runtime wrote the state.
var roots = []string{"/run/containerd/runc/*", "/run/docker/runtime-*/*", "/run/runc", "/run/crun"}

// container is the state that a runtime keeps of a container.
type container struct {
	id          string
	bundle      string
	annotations map[string]string
	rootfs      string
	cgroup      string // path in the unified hierarchy: absolute, clean, and not the root
	pid         int    // of its init, as seen by the runtime
	start       uint64 // of its init, as in /proc/PID/stat
	state       string // directory of the state
}

// Files of a state directory.
const (
	runcState  = "state.json"
	crunStatus = "status"
	crunConfig = "config.json" // copy of the bundle's
	execFIFO   = "exec.fifo"   // of both runtimes: exists until the container's program is started
)

// stateLimit is the size of the largest file that is read, in bytes. The engines limit its contents.
const stateLimit = 16 << 20

// find reads the state of at most most containers. It skips those that are being created or deleted.
func (h Host) find(most int) (found []container, problems []error) {
	for _, pattern := range roots {
		directories, err := filepath.Glob(filepath.Join(h.Root, pattern))
		if err != nil {
			problems = append(problems, fmt.Errorf("finding state directories %s: %w", pattern, err))
		}
		for _, directory := range directories {
			names, err := list(directory, most+1)
			if err != nil {
				problems = append(problems, err)
			}
			for _, name := range names {
				if len(found) == most {
					return found, append(problems, fmt.Errorf("there are more than %d containers: the others are not registered", most))
				}
				c, err := read(filepath.Join(directory, name))
				switch {
				case errors.Is(err, os.ErrNotExist):
				case err != nil:
					problems = append(problems, fmt.Errorf("container %q: %w", name, err))
				default:
					found = append(found, c)
				}
			}
		}
	}
	return found, problems
}

// list returns the sorted names of at most most subdirectories.
func list(directory string, most int) ([]string, error) {
	d, err := os.Open(directory)
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, unix.ENOTDIR) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("finding containers: %w", err)
	}
	defer d.Close()
	var names []string
	for len(names) < most {
		entries, err := d.ReadDir(128)
		for _, entry := range entries {
			if entry.IsDir() && identity.IsID(entry.Name()) {
				names = append(names, entry.Name())
			}
		}
		if errors.Is(err, io.EOF) || errors.Is(err, unix.ENOTDIR) {
			break
		}
		if err != nil {
			return names, fmt.Errorf("finding containers in %s: %w", directory, err)
		}
	}
	slices.Sort(names)
	return names, nil
}

// read reads the state of a container, in the format of runc or crun. If there is neither, the error wraps
// os.ErrNotExist.
func read(state string) (container, error) {
	text, err := regular.ReadDirect(filepath.Join(state, runcState), stateLimit)
	parse := parseRunc
	if errors.Is(err, os.ErrNotExist) {
		var config []byte
		if text, err = regular.ReadDirect(filepath.Join(state, crunStatus), stateLimit); err == nil {
			config, err = regular.ReadDirect(filepath.Join(state, crunConfig), stateLimit)
		}
		parse = func(text []byte) (container, error) { return parseCrun(text, config) }
	}
	if err != nil {
		return container{}, err
	}
	c, err := parse(text)
	if err != nil {
		return container{}, fmt.Errorf("reading its state in %s: %w", state, err)
	}
	c.id, c.state = filepath.Base(state), state
	return c, nil
}

// parseRunc parses runc's state.json. It decodes libcontainer's type. It does not call libcontainer.Load, which
// also makes cgroup managers: that fails if the host's cgroups are mounted elsewhere, or if systemd is not running.
func parseRunc(text []byte) (container, error) {
	var s libcontainer.State
	if err := decode(text, &s); err != nil {
		return container{}, err
	}
	c := container{pid: s.InitProcessPid, start: s.InitProcessStartTime, rootfs: s.Config.Rootfs}
	c.annotations, c.bundle = annotations(s.Config.Labels)
	// The unified hierarchy has no name. On a host without version 1 it is the only one.
	below := unified.Mount
	if len(s.CgroupPaths) > 1 {
		below = unified.Hybrid
	}
	cgroup, ok := strings.CutPrefix(path.Clean(s.CgroupPaths[""]), below+"/")
	if !ok {
		return c, errors.New("it has no cgroup of its own in the unified hierarchy")
	}
	c.cgroup = "/" + cgroup
	return c, c.check()
}

// decode is json.Unmarshal, but skips fields whose type differs, as in state of another version of the runtime.
// check finds out whether a required field is missing.
func decode(text []byte, to any) error {
	var other *json.UnmarshalTypeError
	if err := json.Unmarshal(text, to); err != nil && !errors.As(err, &other) {
		return err
	}
	return nil
}

// annotations splits the labels that specconv.CreateLibcontainerConfig of runc's libcontainer makes: "key=value" of
// each annotation, in any order, and "bundle=" last. An annotation whose name has a '=' can imitate another one: if
// two collide, both are left out.
func annotations(labels []string) (set map[string]string, bundle string) {
	if len(labels) == 0 {
		return nil, ""
	}
	last := len(labels) - 1
	bundle, _ = strings.CutPrefix(labels[last], "bundle=")
	set = map[string]string{}
	doubtful := map[string]bool{}
	for _, label := range labels[:last] {
		key, value, _ := strings.Cut(label, "=")
		if _, ok := set[key]; ok {
			doubtful[key] = true
		}
		set[key] = value
	}
	for key := range doubtful {
		delete(set, key)
	}
	return set, bundle
}

// parseCrun parses crun's status (libcrun_write_container_status in its src/libcrun/status.c) and crun's copy of
// the container's config.json.
func parseCrun(status, config []byte) (container, error) {
	var s struct {
		PID    int    `json:"pid"`
		Start  uint64 `json:"process-start-time"`
		Cgroup string `json:"cgroup-path"`
		Scope  string `json:"scope"`
		Bundle string `json:"bundle"`
	}
	if err := json.Unmarshal(status, &s); err != nil {
		return container{}, err
	}
	var spec specs.Spec
	if err := decode(config, &spec); err != nil {
		return container{}, fmt.Errorf("parsing %s: %w", crunConfig, err)
	}
	c := container{bundle: s.Bundle, annotations: spec.Annotations, pid: s.PID, start: s.Start}
	if spec.Root != nil {
		c.rootfs = spec.Root.Path
	}
	c.cgroup = path.Clean("/" + s.Cgroup)
	// Below a systemd scope, crun makes a cgroup for the processes. The container's cgroup is the scope.
	if s.Scope != "" {
		if above, _, ok := strings.Cut(c.cgroup+"/", "/"+s.Scope+"/"); ok {
			c.cgroup = above + "/" + s.Scope
		}
	}
	return c, c.check()
}

// check returns an error for a state that would register anything but one container.
func (c *container) check() error {
	switch {
	case c.pid <= 0 || c.start == 0:
		return fmt.Errorf("its process is PID %d, started at %d", c.pid, c.start)
	case c.cgroup == "/" || strings.ContainsRune(c.cgroup, 0):
		return fmt.Errorf("its cgroup is %q", c.cgroup)
	}
	return nil
}

// started reports whether the container's own program was started: until then, the runtime waits at a FIFO.
func (c *container) started() bool {
	_, err := os.Lstat(filepath.Join(c.state, execFIFO))
	return errors.Is(err, os.ErrNotExist)
}
