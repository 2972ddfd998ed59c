// SPDX-License-Identifier: Apache-2.0

package systemd

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Notes for the tests after the reboot.
const (
	treeFile = "/test/tree.json"
	bootUID  = "ffffffff-0000-1111-2222-333344445555" // of the pod made at boot
)

// TestInstall runs containers with all engines, installs, and runs them again: the outcomes are equal, and
// everything is recorded. The installation and some containers stay for the tests after the reboot.
func TestInstall(t *testing.T) {
	loadImages(t)
	bare := make(map[string][]outcome)
	for _, s := range scenarios {
		t.Run("bare "+s.engine, func(t *testing.T) { bare[s.engine] = s.run(t, false) })
	}
	if t.Failed() {
		return
	}
	before := tree(t)
	text, err := json.Marshal(before)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(treeFile, text, 0o644); err != nil {
		t.Fatal(err)
	}

	t.Log(must(t, "/test/bin/tracectl", "install", "--engine=auto", "--set-default", "--dry-run"))
	if changed := differences(before, tree(t)); len(changed) > 0 {
		t.Errorf("--dry-run has changed something:\n%s", strings.Join(changed, "\n"))
	}
	t.Log(must(t, "/test/bin/tracectl", "install", "--engine=auto", "--set-default", "--restart"))
	t.Logf("changed:\n%s", strings.Join(differences(before, tree(t)), "\n"))
	if state := must(t, "systemctl", "show", "--property=ActiveState,UnitFileState", "--value",
		"runc-trace.service"); state != "active\nenabled" {
		t.Errorf("runc-trace.service is %q", state)
	}
	checkDoctor(t)

	for _, s := range scenarios {
		t.Run(s.engine, func(t *testing.T) {
			if diff := cmp.Diff(bare[s.engine], s.run(t, true), cmp.AllowUnexported(outcome{})); diff != "" {
				t.Errorf("with the runtime itself (-) and with the shim (+):\n%s", diff)
			}
		})
	}
	t.Log(must(t, installed.tracectl, "straceback", "list"))
	leaveForReboot(t)
	startAgent(t)
	checkAgent(t, map[string]string{must(t, "docker", "inspect", "--format={{.Id}}", "forever"): "tier=left"})
}

// checkDoctor logs the doctor's output, and checks that it finds no problem.
func checkDoctor(t *testing.T) {
	t.Helper()
	o := run(t, nil, installed.tracectl, "doctor")
	t.Logf("tracectl doctor:\n%s%s", o.stdout, o.stderr)
	if o.code != 0 {
		t.Errorf("doctor: exit code %d", o.code)
	}
}

// leaveForReboot has every engine start a container at the next boot.
func leaveForReboot(t *testing.T) {
	t.Helper()
	must(t, "docker", "run", "--detach", "--name=forever", "--network=none", "--restart=always", "--label=tier=left",
		image, "/bin/sleep", "1000000")
	p := newPod(t, "/test", "boot", bootUID)
	for file, script := range map[string]string{
		"/test/boot-containerd": fmt.Sprintf("sandbox=$(%[1]s runp %[2]s)\ncontainer=$(%[1]s create $sandbox %[3]s %[2]s)\n%[1]s start $container\necho $sandbox $container >/test/boot-containerd.ids\n",
			crictl, p.config, p.container),
		"/test/boot-podman": "podman run --detach --name=boot --network=none " + image +
			" /bin/sleep 1000000 >/test/boot-podman.ids\n",
	} {
		if err := os.WriteFile(file, []byte(script), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
