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
)

// roots are where runtimes keep the state of each container, in a directory that is called by its ID: those that containerd's
// and Docker's shims tell runc to use, one for each namespace of containerd's, and the ones that runc and crun use untold. Whose
// program it is does not follow from the path.
var roots = []string{"/run/containerd/runc/*", "/run/docker/runtime-*/*", "/run/runc", "/run/crun"}

// container is one that a runtime knows, as its state says.
type container struct {
	id          string
	bundle      string
	annotations map[string]string
	rootfs      string
	cgroup      string // its path in the unified hierarchy: begins with a slash, is clean, and is not the root
	pid         int    // of its init, as the runtime sees it
	start       uint64 // of its init, as in /proc/PID/stat
	state       string // the directory of its state
}

// Where the unified hierarchy is mounted: by itself, or beside others.
const (
	mount       = "/sys/fs/cgroup"
	hybridMount = "/sys/fs/cgroup/unified"
)

// Files of a state directory.
const (
	runcState  = "state.json"
	crunStatus = "status"
	crunConfig = "config.json" // a copy of the bundle's
	execFIFO   = "exec.fifo"   // both runtimes': there until the container's program is started
)

// stateLimit is the largest file in bytes that is read. The bounds on what can be in there are the engines'.
const stateLimit = 16 << 20

// find reads the state of all containers, `most` at most. What is being created or deleted right now is passed over.
func (h Host) find(most int) (found []container, problems []error) {
	for _, pattern := range roots {
		directories, err := filepath.Glob(filepath.Join(h.Root, pattern))
		if err != nil {
			problems = append(problems, fmt.Errorf("looking for state directories %s: %w", pattern, err))
		}
		for _, directory := range directories {
			names, err := list(directory, most+1)
			if err != nil {
				problems = append(problems, err)
			}
			for _, name := range names {
				if len(found) == most {
					return found, append(problems, fmt.Errorf("there are more than %d containers, which is how many can be known by name: the others are left out", most))
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

// list gives the names of the directories in a directory, sorted, `most` at most.
func list(directory string, most int) ([]string, error) {
	d, err := os.Open(directory)
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, unix.ENOTDIR) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("looking for containers: %w", err)
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
			return names, fmt.Errorf("looking for containers in %s: %w", directory, err)
		}
	}
	slices.Sort(names)
	return names, nil
}

// read reads a container's state, runc's or crun's. The error wraps os.ErrNotExist where there is neither.
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

// parseRunc reads runc's state.json. It decodes libcontainer's type, and does not call libcontainer.Load, which makes
// managers of cgroups as it reads: it cannot if the host's cgroups are seen from elsewhere, or systemd is not running.
func parseRunc(text []byte) (container, error) {
	var s libcontainer.State
	if err := decode(text, &s); err != nil {
		return container{}, err
	}
	c := container{pid: s.InitProcessPid, start: s.InitProcessStartTime, rootfs: s.Config.Rootfs}
	c.annotations, c.bundle = annotations(s.Config.Labels)
	// The unified hierarchy's has no name, and on a host with no others it is the only one.
	below := mount
	if len(s.CgroupPaths) > 1 {
		below = hybridMount
	}
	cgroup, ok := strings.CutPrefix(path.Clean(s.CgroupPaths[""]), below+"/")
	if !ok {
		return c, errors.New("it has no cgroup of its own in the unified hierarchy")
	}
	c.cgroup = "/" + cgroup
	return c, c.check()
}

// decode is json.Unmarshal into a type that another version of the runtime may write in part otherwise: what has another
// type there is left out. Whether anything is missing that is needed, check says.
func decode(text []byte, to any) error {
	var other *json.UnmarshalTypeError
	if err := json.Unmarshal(text, to); err != nil && !errors.As(err, &other) {
		return err
	}
	return nil
}

// annotations takes apart what specconv.CreateLibcontainerConfig of runc's libcontainer put together: "key=value" of each
// annotation, in no order, and "bundle=" last. An annotation whose name has a '=' may look like another one:
// where two do, neither is believed.
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

// parseCrun reads crun's status (libcrun_write_container_status in its src/libcrun/status.c) and the copy of the
// container's config.json that it keeps beside.
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
	// Below a scope of systemd's crun makes a cgroup for the processes. The container's own is the scope.
	if s.Scope != "" {
		if above, _, ok := strings.Cut(c.cgroup+"/", "/"+s.Scope+"/"); ok {
			c.cgroup = above + "/" + s.Scope
		}
	}
	return c, c.check()
}

// check refuses a state that would have something else registered than one container.
func (c *container) check() error {
	switch {
	case c.pid <= 0 || c.start == 0:
		return fmt.Errorf("its process is PID %d, started at %d", c.pid, c.start)
	case c.cgroup == "/" || strings.ContainsRune(c.cgroup, 0):
		return fmt.Errorf("its cgroup is %q", c.cgroup)
	}
	return nil
}

// started tells whether the container's own program was started: the runtime waits for that at a pipe.
func (c *container) started() bool {
	_, err := os.Lstat(filepath.Join(c.state, execFIFO))
	return errors.Is(err, os.ErrNotExist)
}
