// SPDX-License-Identifier: Apache-2.0

package engines

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// layoutEnv tells the test binary that it is to be the first process of a machine, and of which one: a layout in JSON.
const layoutEnv = "RUNC_TRACE_TEST_MACHINE"

// layout says how a machine differs from the one that it is made on.
type layout struct {
	// Dir is an empty directory, on which the machine's memory is mounted.
	Dir string
	// Programs stand in place of others: path of what is seen to path of what is run.
	Programs map[string]string
	// Pure shows cgroup v2 only, at /sys/fs/cgroup, also where the machine below has version 1.
	Pure bool
}

// Directories of which a machine has its own, beside /etc: some are as those of the machine below, the others are empty at
// first. Engines keep layers of overlays in the latter, and these cannot lie on an overlay.
var (
	overlaid = []string{"/usr/bin", "/usr/local", "/usr/sbin", "/var"}
	empty    = []string{"/opt", "/root", "/run", "/var/lib/containerd", "/var/lib/containers", "/var/lib/docker"}
)

// beMachine makes its namespaces into a machine, says so on standard output, and collects the dead until standard input ends.
func beMachine(text string) int {
	var l layout
	err := json.Unmarshal([]byte(text), &l)
	if err == nil {
		err = l.mount()
	}
	if err == nil {
		err = l.join()
	}
	if err == nil {
		err = exec.Command("busybox", "ip", "link", "set", "lo", "up").Run()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "making a machine:", err)
		return 1
	}
	died := make(chan os.Signal, 1)
	signal.Notify(died, syscall.SIGCHLD)
	go func() {
		for range died {
			for {
				if pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil); pid <= 0 || err != nil {
					break
				}
			}
		}
	}()
	fmt.Println("ready")
	_, _ = io.Copy(io.Discard, os.Stdin)
	return 0
}

func (l *layout) mount() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("making mounts private: %w", err)
	}
	for _, m := range [][3]string{{"tmpfs", l.Dir, "mode=0755"}, {"proc", "/proc", ""}, {"bpf", "/sys/fs/bpf", "mode=0700"}} {
		if err := unix.Mount(m[0], m[1], m[0], 0, m[2]); err != nil {
			return fmt.Errorf("mounting %s on %s: %w", m[0], m[1], err)
		}
	}
	for _, dir := range overlaid {
		upper, work := filepath.Join(l.Dir, dir, "upper"), filepath.Join(l.Dir, dir, "work")
		for _, d := range []string{upper, work} {
			if err := os.MkdirAll(d, 0o755); err != nil {
				return err
			}
		}
		if err := unix.Mount("overlay", dir, "overlay", 0, "lowerdir="+dir+",upperdir="+upper+",workdir="+work); err != nil {
			return fmt.Errorf("mounting an overlay on %s: %w", dir, err)
		}
	}
	etc := filepath.Join(l.Dir, "etc")
	if text, err := exec.Command("cp", "--archive", "/etc", etc).CombinedOutput(); err != nil {
		return fmt.Errorf("copying /etc: %w\n%s", err, text)
	}
	if err := unix.Mount(etc, "/etc", "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("mounting the copy of /etc: %w", err)
	}
	for _, dir := range empty {
		if err := os.MkdirAll(dir, 0o711); err != nil {
			return err
		}
		if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "mode=0755"); err != nil {
			return fmt.Errorf("mounting a tmpfs on %s: %w", dir, err)
		}
	}
	// Copied, and not mounted: runc runs itself from its directory as it is below any mount.
	for place, program := range l.Programs {
		if text, err := exec.Command("cp", "--remove-destination", program, place).CombinedOutput(); err != nil {
			return fmt.Errorf("putting %s in place of %s: %w\n%s", program, place, err, text)
		}
	}
	return l.mountCgroups()
}

// mountCgroups mounts each hierarchy anew where it was: what a mount shows begins at the cgroup of the namespace that it was made in.
func (l *layout) mountCgroups() error {
	hierarchies, err := cgroupMounts()
	if err != nil {
		return err
	}
	for _, h := range slices.Backward(hierarchies) {
		if err := unix.Unmount(h.dir, unix.MNT_DETACH); err != nil {
			return fmt.Errorf("unmounting %s: %w", h.dir, err)
		}
	}
	if l.Pure {
		hierarchies = []hierarchy{{dir: "/sys/fs/cgroup", kind: "cgroup2"}}
	}
	for _, h := range hierarchies {
		if err := unix.Mount("cgroup", h.dir, h.kind, 0, h.options); err != nil {
			return fmt.Errorf("mounting %s on %s: %w", h.kind, h.dir, err)
		}
	}
	return nil
}

// join makes room in the unified hierarchy: where processes are in a cgroup, those below it get no controllers.
func (l *layout) join() error {
	hierarchies, err := cgroupMounts()
	if err != nil {
		return err
	}
	for _, h := range hierarchies {
		if h.kind != "cgroup2" {
			continue
		}
		if err := enter(filepath.Join(h.dir, leaf)); err != nil {
			return err
		}
	}
	return nil
}

// leaf is the cgroup of the machine's own processes, below that of the machine.
const leaf = "init"

// enter makes a cgroup and moves this process into it.
func enter(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	// Of version 1: nobody can join before there are CPUs.
	for _, name := range []string{"cpuset.cpus", "cpuset.mems"} {
		text, err := os.ReadFile(filepath.Join(filepath.Dir(dir), name))
		if err != nil {
			continue
		}
		if file, err := os.OpenFile(filepath.Join(dir, name), os.O_WRONLY|os.O_TRUNC, 0); err == nil {
			_, err = file.Write(text)
			file.Close()
			if err != nil {
				return err
			}
		}
	}
	return os.WriteFile(filepath.Join(dir, "cgroup.procs"), []byte("0"), 0o644)
}

// hierarchy is a mounted hierarchy of cgroups.
type hierarchy struct {
	dir     string
	kind    string // cgroup or cgroup2
	options string
}

// cgroupMounts lists the hierarchies, in the order in which they were mounted.
func cgroupMounts() ([]hierarchy, error) {
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	var found []hierarchy
	for line := range strings.Lines(string(text)) {
		before, after, _ := strings.Cut(line, " - ")
		mount, fs := strings.Fields(before), strings.Fields(after)
		if len(mount) < 5 || len(fs) < 3 || !strings.HasPrefix(fs[0], "cgroup") {
			continue
		}
		h := hierarchy{dir: mount[4], kind: fs[0]}
		if h.kind == "cgroup" {
			options := slices.DeleteFunc(strings.Split(fs[2], ","), func(o string) bool { return o == "rw" || o == "xattr" || strings.HasPrefix(o, "release_agent=") })
			if strings.HasPrefix(options[len(options)-1], "name=") {
				options = append([]string{"none"}, options...)
			}
			h.options = strings.Join(options, ",")
		}
		found = append(found, h)
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("no hierarchy of cgroups is mounted")
	}
	return found, nil
}
