// SPDX-License-Identifier: Apache-2.0

package engines

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// systemctl replaces systemd's on a machine that systemd does not run. It supports the calls of install.
const systemctl = `#!/bin/sh
case "$*" in
"show --property=ActiveState --value docker.service" | "show --property=ActiveState --value containerd.service") echo active ;;
"reload docker.service") kill -HUP "$(pidof dockerd)" ;;
"restart containerd.service")
	old=$(pidof containerd)
	kill "$old"
	while [ -e "/proc/$old" ]; do sleep 0.05; done
	setsid containerd >/dev/null 2>&1 </dev/null &
	;;
"daemon-reload" | *" runc-trace.service" | *" runc-trace-agent.service") ;;
*) echo "systemctl $*: not expected" >&2; exit 1 ;;
esac
`

// sudo runs a program with the PATH that Debian's sudo gives it.
const sudo = `#!/bin/sh
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin exec "$@"
`

// TestFirstUse runs the commands of the README: from the built programs to the recording of a crashed container
// that is gone, and back.
func TestFirstUse(t *testing.T) {
	m := newMachine(t, layout{})
	for path, text := range map[string]string{"/usr/local/bin/sudo": sudo, "/usr/bin/systemctl": systemctl} {
		m.write(path, text)
		m.must("chmod", "755", path)
	}
	m.must("mkdir", "-p", "/run/systemd/system", "/root/runc-trace/bin")
	m.must("cp", programs+"/tracectl", programs+"/runc-trace", "/root/runc-trace/bin")
	containerd := engine{daemon: []string{"containerd"}, ready: []string{"ctr", "version"}}
	docker := engine{
		daemon: []string{"dockerd", "--containerd", "/run/containerd/containerd.sock"}, ready: []string{"docker", "version"},
		load: []string{"docker", "load", "--input"}, images: []string{"busybox"},
	}
	containerd.start(m) // is restarted, and ends with the machine
	docker.prepare(m)
	defer docker.stop(docker.start(m))
	m.must("docker", "tag", busyboxImage, "busybox")
	before := m.tree()

	shell := func(line string) outcome {
		t.Helper()
		o := m.run("bash", "-c", "cd /root/runc-trace && "+line)
		t.Logf("$ %s\n%s%s", line, o.Stdout, o.Stderr)
		return o
	}
	if o := shell("sudo bin/tracectl install --set-default --restart --dry-run"); o.Code != 0 ||
		!strings.Contains(o.Stdout, "would load the programs: ") ||
		!strings.Contains(o.Stdout, "containerd: would run systemctl restart containerd.service\ndocker: would run systemctl reload docker.service") {
		t.Errorf("a dry run: %+v", o)
	}
	if diff := cmp.Diff(before, m.tree()); diff != "" {
		t.Errorf("a dry run (-before +after):\n%s", diff)
	}
	if o := shell("sudo bin/tracectl install --set-default --restart"); o.Code != 0 || !strings.Contains(o.Stdout,
		"containerd: systemctl restart containerd.service\ndocker: systemctl reload docker.service") {
		t.Errorf("installing: %+v", o)
	}
	if o := shell("sudo docker run --rm --name crashed busybox cat /etc/app.conf"); o.Code != 1 {
		t.Errorf("the container that crashes: %+v", o)
	}
	if o := shell("sudo tracectl why crashed"); o.Code != 0 || strings.Count(o.Stdout, "\n") > 24 ||
		!strings.Contains(o.Stdout, "Likely     /etc/app.conf does not exist\n") ||
		!strings.Contains(o.Stdout, "stderr | cat: can't open '/etc/app.conf'") {
		t.Errorf("why it crashed: %+v", o)
	}
	if o := shell("man --where tracectl-straceback-show"); !strings.HasPrefix(o.Stdout, "/usr/local/") ||
		!strings.HasSuffix(o.Stdout, "/man8/tracectl-straceback-show.8\n") {
		t.Errorf("the manual: %+v", o)
	}
	if o := shell("tracectl __complete straceback sh; bash -n /usr/local/share/bash-completion/completions/tracectl"); o.Code != 0 ||
		!strings.Contains(o.Stdout, "show\t") {
		t.Errorf("completion: %+v", o)
	}

	if o := shell("sudo tracectl uninstall --restart --dry-run"); o.Code != 0 ||
		!strings.Contains(o.Stdout, "would unload the programs and delete 1 recording\n") {
		t.Errorf("a dry run of uninstall: %+v", o)
	}
	if o := shell("sudo tracectl uninstall --restart"); o.Code != 0 ||
		!strings.Contains(o.Stdout, "unloaded the programs and deleted 1 recording\n") {
		t.Errorf("uninstalling: %+v", o)
	}
	if diff := cmp.Diff(before, m.tree()); diff != "" {
		t.Errorf("files are not as they were before (-before +after):\n%s", diff)
	}
	if offers := m.must("docker", "info", "--format",
		"{{.DefaultRuntime}} {{json .Runtimes}}"); strings.Contains(offers, "runc-trace") {
		t.Errorf("Docker still offers %s", offers)
	}
}
