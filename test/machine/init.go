// SPDX-License-Identifier: Apache-2.0

package machine

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"
)

// Directories of which a machine has its own, besides /etc: some are copies of the machine below, the others are
// empty at first. The empty ones are for the overlays of engines, which cannot lie on another overlay.
var (
	overlaid = []string{"/usr/bin", "/usr/local", "/usr/sbin", "/var"}
	empty    = []string{"/opt", "/root", "/run", "/var/lib/containerd", "/var/lib/containers", "/var/lib/docker"}
)

// sysctls are settings that a kubelet writes. They are global to the kernel, so a machine has files instead of
// them.
var sysctls = []string{"kernel/keys/root_maxbytes", "kernel/keys/root_maxkeys", "kernel/panic", "kernel/panic_on_oops",
	"vm/overcommit_memory", "vm/panic_on_oom"}

// beFirst turns its namespaces into a machine, reports that on standard output, and reaps processes until standard
// input is closed.
func beFirst(p *plan) error {
	if p.Name != "" {
		if err := unix.Sethostname([]byte(p.Name)); err != nil {
			return fmt.Errorf("setting the host name: %w", err)
		}
	}
	if err := p.mount(); err != nil {
		return err
	}
	if err := joinLeaf(); err != nil {
		return err
	}
	if err := exec.Command("busybox", "ip", "link", "set", "lo", "up").Run(); err != nil {
		return fmt.Errorf("setting up the loopback: %w", err)
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
	return nil
}

func (p *plan) mount() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("making mounts private: %w", err)
	}
	memory := filepath.Join(p.Dir, "memory")
	if err := os.Mkdir(memory, 0o755); err != nil {
		return err
	}
	for _, m := range [][3]string{{"tmpfs", memory, "mode=0755"}, {"proc", "/proc", ""},
		{"bpf", "/sys/fs/bpf", "mode=0700"}} {
		if err := unix.Mount(m[0], m[1], m[0], 0, m[2]); err != nil {
			return fmt.Errorf("mounting %s on %s: %w", m[0], m[1], err)
		}
	}
	for _, dir := range overlaid {
		upper, work := filepath.Join(memory, dir, "upper"), filepath.Join(memory, dir, "work")
		for _, d := range []string{upper, work} {
			if err := os.MkdirAll(d, 0o755); err != nil {
				return err
			}
		}
		if err := unix.Mount("overlay", dir, "overlay", 0, "lowerdir="+dir+",upperdir="+upper+",workdir="+work); err != nil {
			return fmt.Errorf("mounting an overlay on %s: %w", dir, err)
		}
	}
	etc := filepath.Join(memory, "etc")
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
	if err := shadow(filepath.Join(memory, "sys")); err != nil {
		return err
	}
	// Copied instead of mounted: runc runs itself from its own directory as it is below all mounts.
	for place, program := range p.Programs {
		if text, err := exec.Command("cp", "--remove-destination", program, place).CombinedOutput(); err != nil {
			return fmt.Errorf("putting %s in place of %s: %w\n%s", program, place, err, text)
		}
	}
	if err := p.mountCgroups(); err != nil {
		return err
	}
	// As under systemd: containers can see later mounts.
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SHARED, ""); err != nil {
		return fmt.Errorf("making mounts shared: %w", err)
	}
	return nil
}

// shadow mounts a copy of a directory over the kernel's settings.
func shadow(dir string) error {
	for _, name := range sysctls {
		place, file := filepath.Join("/proc/sys", name), filepath.Join(dir, name)
		text, err := os.ReadFile(place)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = os.MkdirAll(filepath.Dir(file), 0o755)
		}
		if err == nil {
			err = os.WriteFile(file, text, 0o644)
		}
		if err == nil {
			err = unix.Mount(file, place, "", unix.MS_BIND, "")
		}
		if err != nil {
			return fmt.Errorf("putting a copy in place of %s: %w", place, err)
		}
	}
	return nil
}

// mountCgroups mounts each hierarchy again at its place: the root of a mount is the root of the cgroup namespace in
// which it was mounted.
func (p *plan) mountCgroups() error {
	hierarchies, err := cgroupMounts()
	if err != nil {
		return err
	}
	for _, h := range slices.Backward(hierarchies) {
		if err := unix.Unmount(h.dir, unix.MNT_DETACH); err != nil {
			return fmt.Errorf("unmounting %s: %w", h.dir, err)
		}
	}
	if p.Pure {
		hierarchies = []hierarchy{{dir: "/sys/fs/cgroup", kind: "cgroup2"}}
	}
	for _, h := range hierarchies {
		if err := unix.Mount("cgroup", h.dir, h.kind, 0, h.options); err != nil {
			return fmt.Errorf("mounting %s on %s: %w", h.kind, h.dir, err)
		}
	}
	return nil
}

// joinLeaf moves the processes out of the machine's cgroup in the unified hierarchy: a cgroup with processes cannot
// enable controllers for its children.
func joinLeaf() error {
	hierarchies, err := cgroupMounts()
	if err != nil {
		return err
	}
	for _, h := range hierarchies {
		if h.kind != "cgroup2" {
			continue
		}
		if err := join(filepath.Join(h.dir, leaf)); err != nil {
			return err
		}
	}
	return nil
}
