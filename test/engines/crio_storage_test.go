// SPDX-License-Identifier: Apache-2.0

package engines

import (
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestCRIOStorage keeps the shim and the drop-in for a pod in a storage at another place, with another driver.
func TestCRIOStorage(t *testing.T) {
	e := crios["with sandboxes"].asCRIO(nil, nil)
	e.daemon = []string{"crio"}
	e.config = maps.Clone(e.config)
	e.config["/etc/containers/storage.conf"] =
		"[storage]\ndriver = \"vfs\"\ngraphroot = \"/var/lib/data/g\"\nrunroot = \"/run/data/r\"\n"
	e.config["/etc/crio/crio.conf"] = strings.Replace(e.config["/etc/crio/crio.conf"], `"overlay"`, `"vfs"`, 1)
	m := newMachine(t, e.layout)
	e.prepare(m)
	before := m.tree()
	m.must(programs+"/tracectl", "install", "--engine=crio")
	crio := e.start(m)
	s := &script{machine: m, ids: map[string]string{}}
	pod := s.crioPod("mypod")
	sandbox := m.must(crioctl("runp", "--runtime", "runc-trace", pod)...)
	id := m.must(crioctl("create", sandbox, s.crioContainer("main", 0, true, "/bin/sleep", "1000"), pod)...)
	m.must(crioctl("start", id)...)
	kept := m.run(programs+"/tracectl", "uninstall")
	if kept.Code != 5 || !strings.Contains(kept.Stdout, "mypod") {
		t.Errorf("uninstalling while a pod runs: exit code %d, not 5\n%s%s", kept.Code, kept.Stdout, kept.Stderr)
	}
	e.stop(crio)
	crio = e.start(m)
	m.must(crioctl("exec", "--sync", id, "/bin/true")...)
	m.must(crioctl("stop", "--timeout", "0", id)...)
	m.must(crioctl("rmp", "--force", sandbox)...)
	e.stop(crio)
	m.must(programs+"/tracectl", "uninstall")
	if diff := cmp.Diff(before, m.tree()); diff != "" {
		t.Errorf("files are not as they were before (-before +after):\n%s", diff)
	}
}
