// SPDX-License-Identifier: Apache-2.0

package packages

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// books are the databases of dpkg and rpm, which are not part of any package.
var books = []string{"/var/lib/dpkg", "/var/log/dpkg.log", "/var/lib/rpm", "/root/.rpmdb"}

// small is a configuration that needs little memory when the programs are loaded.
const small = "[pool]\nrings = 4\nring-size = \"64KiB\"\nidentities = 16\nexec-log-size = \"64KiB\"\n"

// manager is a package manager: dpkg or rpm.
type manager struct {
	install, upgrade, remove, purge []string
	files                           []string // prints the files of the package
	verify                          []string // prints nothing if the package is unmodified
	left                            []string // after a removal
}

func dpkg(m *machine) manager {
	name := "_" + runtime.GOARCH + ".deb"
	// Triggers of other packages (the index of manual pages) are suppressed.
	return manager{
		install: []string{"dpkg", "--no-triggers", "--install", m.packages + "/runc-trace_1.0.0~rc1-1" + name},
		upgrade: []string{"dpkg", "--no-triggers", "--install", m.packages + "/newer/runc-trace_1.0.0-1" + name},
		remove:  []string{"dpkg", "--no-triggers", "--remove", "runc-trace"},
		purge:   []string{"dpkg", "--no-triggers", "--purge", "runc-trace"},
		files:   []string{"dpkg", "--listfiles", "runc-trace"},
		verify:  []string{"dpkg", "--verify", "runc-trace"},
		left:    []string{"/etc/runc-trace", "/etc/runc-trace/config.toml"},
	}
}

func rpmManager(m *machine) manager {
	name := "-1." + map[string]string{"amd64": "x86_64", "arm64": "aarch64"}[runtime.GOARCH] + ".rpm"
	call := func(args ...string) []string { return append([]string{"rpm", "--dbpath", "/var/lib/rpm"}, args...) }
	return manager{
		install: call("--force-debian", "--nodeps", "--install", m.packages+"/runc-trace-1.0.0~rc1"+name),
		upgrade: call("--force-debian", "--nodeps", "--upgrade", m.packages+"/newer/runc-trace-1.0.0"+name),
		remove:  call("--force-debian", "--erase", "runc-trace"),
		// rpm has no purge, and keeps files that it did not install; two directories belong to a package that
		// Debian does not have.
		purge:  []string{"sh", "-c", "rm -r /etc/runc-trace /var/lib/runc-trace && rmdir /usr/share/licenses /usr/share/zsh/site-functions"},
		files:  call("--query", "--list", "runc-trace"),
		verify: call("--verify", "--nodeps", "runc-trace"),
		left: []string{"/etc/runc-trace", "/etc/runc-trace/config.toml", "/usr/share/licenses",
			"/usr/share/zsh/site-functions"},
	}
}

func (m *machine) do(c []string) string { m.t.Helper(); return m.run(c[0], c[1:]...) }

func TestDeb(t *testing.T) {
	m := newMachine(t)
	lifecycle(m, dpkg(m))
}

func TestRPM(t *testing.T) {
	m := newMachine(t)
	lifecycle(m, rpmManager(m))
}

// lifecycle installs, loads, upgrades, removes and purges, and checks that the machine is as it was.
func lifecycle(m *machine, p manager) {
	t := m.t
	t.Helper()
	if out := m.do(p.install); !strings.Contains(out, "no container engine has been changed") ||
		!strings.Contains(out, "tracectl install --engine auto") {
		t.Errorf("installing does not say how to go on:\n%s", out)
	}
	m.installed(p, version)
	if diff := cmp.Diff(m.run("runc", "--version"), m.run("/usr/bin/runc-trace", "--version")); diff != "" {
		t.Errorf("the shim's version is not runc's (-runc +runc-trace):\n%s", diff)
	}

	m.write("/etc/runc-trace/config.toml", small, 0o644)
	m.run("/usr/bin/tracectl", "load")
	if out := m.do(p.upgrade); !strings.Contains(out, "replaced the programs below /sys/fs/bpf/runc-trace") {
		t.Errorf("the programs were not replaced:\n%s", out)
	}
	m.installed(p, newer)
	m.run("/usr/bin/tracectl", "status")

	// An engine that calls the package's shim: this fake Podman only prints its version. Removing the package
	// uninstalls it.
	m.write("/usr/local/bin/podman", "#!/bin/sh\necho podman version 4.3.1\n", 0o755)
	m.run("/usr/bin/tracectl", "install", "--engine", "podman", "--set-default")
	if dropin := read(t, m.root, "etc/containers/containers.conf.d/99-runc-trace.conf"); !strings.Contains(dropin,
		"runc-trace") {
		t.Errorf("Podman does not call the shim:\n%s", dropin)
	}
	if _, err := os.Lstat(filepath.Join(m.root, "etc/systemd/system/runc-trace.service")); err == nil {
		t.Error("there is a second unit, although the package has brought one")
	}

	m.do(p.remove)
	m.run("rm", "/usr/local/bin/podman")
	if pins, err := os.ReadDir(filepath.Join(m.root, "sys/fs/bpf/runc-trace")); !os.IsNotExist(err) {
		t.Errorf("after the removal these are pinned: %v, %v", pins, err)
	}
	if diff := cmp.Diff(p.left, m.changes(books...)); diff != "" {
		t.Errorf("what the removal left (-want +got):\n%s", diff)
	}
	m.write("/var/lib/runc-trace/edited/daemon.json", "{}", 0o600) // as "tracectl uninstall" leaves it on request
	m.do(p.purge)
	if got := m.changes(books...); got != nil {
		t.Errorf("the machine is not as it was: %q", got)
	}
}

// installed checks that all files of the package in that version are present, and that nothing else has changed.
func (m *machine) installed(p manager, version string) {
	m.t.Helper()
	if out := m.do(p.verify); out != "" {
		m.t.Errorf("not as it came:\n%s", out)
	}
	if out := m.run("/usr/bin/tracectl", "version"); !strings.HasPrefix(out, "tracectl "+version+" ") {
		m.t.Errorf("this is not %s: %s", version, out)
	}
	m.run("bash", "-n", "/usr/share/bash-completion/completions/tracectl")
	m.run("man", "--where", "tracectl-load")
	files := strings.Fields(m.do(p.files))
	for _, path := range m.changes(append(books, "/etc/runc-trace")...) {
		if !slices.Contains(files, path) {
			// Directories that this machine did not have and that an rpm does not list.
			if s, err := os.Stat(filepath.Join(m.root, path)); err == nil && s.IsDir() &&
				slices.ContainsFunc(files, func(f string) bool { return strings.HasPrefix(f, path+"/") }) {
				continue
			}
			m.t.Errorf("%s has changed, and is not the package's", path)
		}
	}
}

// TestUpgradeOfNothingLoaded checks that an upgrade does not start tracing.
func TestUpgradeOfNothingLoaded(t *testing.T) {
	m := newMachine(t)
	p := dpkg(m)
	m.do(p.install)
	m.do(p.upgrade)
	if out, code := m.try("/usr/bin/tracectl", "status"); code != 3 {
		t.Errorf("the upgrade loaded the programs: exit code %d\n%s", code, out)
	}
}

// TestUpgradeWithoutReplacement checks that an upgrade succeeds if the loaded programs cannot be replaced.
func TestUpgradeWithoutReplacement(t *testing.T) {
	m := newMachine(t)
	p := dpkg(m)
	m.do(p.install)
	m.write("/etc/runc-trace/config.toml", small, 0o644)
	m.run("/usr/bin/tracectl", "load", "--recordings", "8")
	if out := m.do(p.upgrade); !strings.Contains(out, "the programs of the version before are still loaded") {
		t.Errorf("the upgrade does not say that they stay:\n%s", out)
	}
	m.installed(p, newer)
	if out := m.run("/usr/bin/tracectl", "status", "-o", "json"); !strings.Contains(out, `"recordings":8,`) {
		t.Errorf("other programs are loaded than before: %s", out)
	}
	m.do(p.remove)
}

// TestSystemd checks that the scripts call systemd about the unit if it runs, and only then.
func TestSystemd(t *testing.T) {
	for name, of := range map[string]func(*machine) manager{"deb": dpkg, "rpm": rpmManager} {
		for _, runs := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s/%t", name, runs), func(t *testing.T) {
				m := newMachine(t)
				p := of(m)
				m.write("/tmp/calls", "", 0o644)
				m.write("/usr/bin/systemctl", "#!/bin/sh\necho \"$@\" >>/tmp/calls\n", 0o755)
				want := ""
				if runs {
					m.run("mkdir", "-p", "/run/systemd/system")
					want = "daemon-reload\ndaemon-reload\n--quiet disable --now runc-trace-agent.service runc-trace.service\ndaemon-reload\n"
				}
				m.do(p.install)
				m.do(p.upgrade)
				m.do(p.remove)
				if name == "deb" {
					m.do(p.purge)
				}
				if diff := cmp.Diff(want, read(t, m.root, "tmp/calls")); diff != "" {
					t.Errorf("how systemctl was called (-want +got):\n%s", diff)
				}
			})
		}
	}
}

// TestRemovalAsksUninstall checks that a removal first undoes `tracectl install`, and that a package stays if its
// programs are still needed.
func TestRemovalAsksUninstall(t *testing.T) {
	for _, test := range []struct {
		name                string
		code                string // of `tracectl uninstall`
		removed             bool
		says                string
		withoutInstallation bool
	}{
		{name: "undone", code: "0", removed: true},
		{name: "kept", code: "5", says: "it is still needed, see above"},
		{name: "failed", code: "1", says: "Fix the cause, and remove the package again"},
		{name: "never installed", code: "1", removed: true, withoutInstallation: true},
	} {
		for name, of := range map[string]func(*machine) manager{"deb": dpkg, "rpm": rpmManager} {
			t.Run(test.name+"/"+name, func(t *testing.T) {
				m := newMachine(t)
				p := of(m)
				m.do(p.install)
				// A fake tracectl records its calls and returns the given exit code.
				m.write("/usr/bin/tracectl", "#!/bin/sh\necho tracectl \"$@\" >>/tmp/calls\n[ $1 != uninstall ] || exit "+test.code+"\n", 0o755)
				want := "tracectl unload\n"
				if !test.withoutInstallation {
					m.write("/var/lib/runc-trace/journal", "", 0o600)
					want = "tracectl uninstall --restart\n"
					if test.removed {
						want += "tracectl unload\n"
					}
				}
				out, code := m.try(p.remove[0], p.remove[1:]...)
				if removed := code == 0; removed != test.removed || !strings.Contains(out, test.says) {
					t.Errorf("removing: exit code %d\n%s", code, out)
				}
				if diff := cmp.Diff(want, read(t, m.root, "tmp/calls")); diff != "" {
					t.Errorf("what was called (-want +got):\n%s", diff)
				}
				_, err := os.Lstat(filepath.Join(m.root, "usr/bin/runc-trace"))
				if there := err == nil; there == test.removed {
					t.Errorf("the shim is there: %t", there)
				}
				if !test.removed { // the package is unchanged, and can be removed later
					m.do(p.files)
					m.write("/usr/bin/tracectl", "#!/bin/sh\n", 0o755)
					m.do(p.remove)
				}
			})
		}
	}
}
