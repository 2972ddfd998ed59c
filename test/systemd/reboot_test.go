// SPDX-License-Identifier: Apache-2.0

package systemd

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestReboot checks that after a reboot everything is loaded before the first engine starts, so that containers
// started at boot are recorded from their beginning. Then it uninstalls while they run.
func TestReboot(t *testing.T) {
	loaded := entered(t, "runc-trace.service", "ActiveEnterTimestampMonotonic")
	t.Logf("the programs were loaded %.1f s after boot", float64(loaded)/1e6)
	// Nothing declares that the last unit is an engine.
	for _, unit := range []string{"containerd.service", "docker.service", "boot-podman.service"} {
		if began := entered(t, unit, "InactiveExitTimestampMonotonic"); began < loaded {
			t.Errorf("%s began to start %d us after boot, before the programs were loaded at %d us", unit, began, loaded)
		}
	}
	checkDoctor(t)

	p := newPod(t, t.TempDir(), "boot", bootUID)
	ids := strings.Fields(read(t, "/test/boot-containerd.ids"))
	p.sandboxID, p.containerID = ids[0], ids[1]
	p.check(t)
	docker := must(t, "docker", "inspect", "--format={{.Id}}", "forever")
	podman := strings.TrimSpace(read(t, "/test/boot-podman.ids"))
	checkAgent(t, map[string]string{p.containerID: "app=boot", docker: "tier=left"})
	for cgroup, want := range map[string]Container{
		"/system.slice/docker-" + docker + ".scope": {ContainerID: docker, Engine: "docker",
			Container: "forever", Image: image},
		"/machine.slice/libpod-" + podman + ".scope": {ContainerID: podman, Engine: "podman",
			Container: "boot", Image: image},
	} {
		checkRunning(t, want, cgroup)
		installed.checkBeginning(t, want.ContainerID)
		if diff := cmp.Diff([]string{"/bin/sleep"}, installed.execs(t, want.ContainerID)); diff != "" {
			t.Errorf("execs of %s's (-want +got):\n%s", want.Engine, diff)
		}
	}

	stopAgent(t)

	o := run(t, nil, installed.tracectl, "uninstall", "--restart")
	t.Logf("uninstall:\n%s%s", o.stdout, o.stderr)
	if o.code != 5 {
		t.Errorf("uninstall while containers run: exit code %d, want 5", o.code)
	}
	for _, id := range []string{p.containerID, docker} {
		if !strings.Contains(o.stdout, id[:12]) {
			t.Errorf("a container that needs the shim is not named: %s", id)
		}
	}
	useAndRemove(t, p)

	o = run(t, nil, installed.tracectl, "uninstall", "--restart")
	t.Logf("uninstall:\n%s%s", o.stdout, o.stderr)
	if o.code != 0 {
		t.Errorf("uninstall when no container is left: exit code %d", o.code)
	}
	var before map[string]string
	if err := json.Unmarshal([]byte(read(t, treeFile)), &before); err != nil {
		t.Fatal(err)
	}
	if changed := differences(before, tree(t)); len(changed) > 0 {
		t.Errorf("not as it was before the installation:\n%s", strings.Join(changed, "\n"))
	}
	if _, err := os.Stat("/sys/fs/bpf/runc-trace"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the programs are still loaded: %v", err)
	}
	for _, unit := range []string{"runc-trace.service", agentUnit} {
		if state := must(t, "systemctl", "show", "--property=LoadState", "--value", unit); state != "not-found" {
			t.Errorf("systemd still knows %s: %s", unit, state)
		}
	}
	for _, s := range scenarios {
		t.Run(s.engine, func(t *testing.T) { s.run(t, false) })
	}
}

// useAndRemove calls the runtime through the engines for containers made with the shim, and removes them.
func useAndRemove(t *testing.T, p *pod) {
	t.Helper()
	if text := must(t, crictl, "exec", "--sync", p.containerID, "/bin/echo", "hello"); text != "hello" {
		t.Errorf("exec: %q", text)
	}
	must(t, crictl, "stop", "--timeout=0", p.containerID)
	must(t, crictl, "rm", p.containerID)
	must(t, crictl, "stopp", p.sandboxID)
	must(t, crictl, "rmp", p.sandboxID)
	for program, name := range map[string]string{"docker": "forever", "podman": "boot"} {
		if text := must(t, program, "exec", name, "/bin/echo", "hello"); text != "hello" {
			t.Errorf("%s exec: %q", program, text)
		}
		must(t, program, "restart", "--time=0", name)
		if text := must(t, program, "exec", name, "/bin/echo", "hello"); text != "hello" {
			t.Errorf("%s exec, after a restart: %q", program, text)
		}
		must(t, program, "kill", name)
		remove(t, program, name)
	}
}

// entered returns a timestamp of a unit, in microseconds after boot.
func entered(t *testing.T, unit, property string) int {
	t.Helper()
	text := must(t, "systemctl", "show", "--property="+property, "--value", unit)
	us, err := strconv.Atoi(text)
	if err != nil || us == 0 {
		t.Fatalf("%s of %s is %q", property, unit, text)
	}
	return us
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
