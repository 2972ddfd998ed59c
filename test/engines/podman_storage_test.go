// SPDX-License-Identifier: Apache-2.0

package engines

import (
	"strings"
	"testing"
)

// TestPodmanStorage keeps the shim for a container in a storage at another place: that of storage.conf, and that of a
// flag.
func TestPodmanStorage(t *testing.T) {
	const elsewhere = "[storage]\ndriver = \"vfs\"\ngraphroot = \"/var/lib/data/g\"\nrunroot = \"/var/lib/data/r\"\n"
	m := newMachine(t, layout{})
	e := engine{
		config: map[string]string{
			"/etc/containers/containers.conf": podmanConfig + "runtime = \"runc\"\n",
			"/etc/containers/storage.conf":    elsewhere,
		},
		load: []string{"podman", "load", "--input"}, images: []string{"busybox"},
	}
	e.prepare(m)
	m.must(programs+"/tracectl", "install", "--engine=podman")
	flags := []string{"podman", "--root=/var/lib/data/g2", "--runroot=/var/lib/data/r2", "--storage-driver=vfs"}
	m.must(append(flags, "load", "--input", images+"/busybox.tar")...)
	for _, podman := range [][]string{{"podman"}, flags} {
		with := func(args ...string) []string { return append(podman[:len(podman):len(podman)], args...) }
		id := m.must(with("--runtime=runc-trace", "run", "--detach", "--name=web", busyboxImage, "/bin/sleep", "1000")...)
		kept := m.run(programs+"/tracectl", "uninstall")
		if kept.Code != 5 || !strings.Contains(kept.Stdout, "web") {
			t.Errorf("%q: uninstalling while its container runs: exit code %d, not 5\n%s%s", podman, kept.Code,
				kept.Stdout, kept.Stderr)
		}
		if known := m.known(id); len(known) != 1 || known[0].Image != busyboxImage {
			t.Errorf("%q: its container is known as %+v", podman, known)
		}
		m.must(with("exec", "web", "/bin/true")...)
		m.must(with("stop", "--time=0", "web")...)
		m.must(with("rm", "--force", "web")...)
		m.must(programs+"/tracectl", "install", "--engine=podman")
	}
	if o := m.run(programs+"/tracectl", "uninstall"); o.Code != 0 {
		t.Errorf("uninstalling again: exit code %d\n%s%s", o.Code, o.Stdout, o.Stderr)
	}
}
