// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/runc-trace/runc-trace/pkg/unified"
)

// check is a line of tracectl doctor -o json.
type check struct{ Name, State, Detail, Remedy string }

// doctor returns the checks by name. Of several checks with the same name it returns the first, which is about this
// test's own programs. It compares the states of some checks with the wanted ones ("loaded fail"; "-" if the check is
// missing). The other checks depend on the machine.
func (x *tracer) doctor(wanted ...string) map[string]check {
	x.t.Helper()
	o := x.run(tracectlPath, "doctor", "-o", "json")
	checks, code := map[string]check{}, 0
	for line := range strings.Lines(o.stdout) {
		var c check
		if err := json.Unmarshal([]byte(line), &c); err != nil {
			x.t.Fatalf("%v: %q", err, line)
		}
		if _, seen := checks[c.Name]; !seen {
			checks[c.Name] = c
		}
		if c.State == "fail" {
			code = 1
		}
		if c.Name == "" || c.Detail == "" || (c.State == "ok") != (c.Remedy == "") {
			x.t.Errorf("%+v", c)
		}
	}
	var got []string
	for _, want := range wanted {
		name := want[:strings.LastIndex(want, " ")]
		state := checks[name].State
		if state == "" {
			state = "-"
		}
		got = append(got, name+" "+state)
	}
	if diff := cmp.Diff(wanted, got); diff != "" || o.code != code {
		x.t.Errorf("exit code %d, want %d; checks (-want +got):\n%s\n%s%s", o.code, code, diff, o.stdout, o.stderr)
	}
	return checks
}

// TestDoctor follows a host from before the load until containers run, and breaks things on the way.
func TestDoctor(t *testing.T) {
	x := prepare(t)
	host := []string{"privileges ok", "kernel ok", "btf ok", "ebpf ok", "configuration ok", "runtime ok", "shim ok"}
	checks := x.doctor(append(host, "loaded fail", "programs -", "recordings -", "containers -")...)
	if c := checks["loaded"]; c.Remedy != "tracectl load" {
		t.Errorf("%+v", c)
	}
	if c := checks["runtime"]; !strings.HasPrefix(c.Detail, runcPath+", runc version ") {
		t.Errorf("%+v", c)
	}
	if c := checks["shim"]; !strings.HasPrefix(c.Detail, shimPath+" reaches runc version ") {
		t.Errorf("%+v", c)
	}

	x.tracectl("load", "--recordings=1", "--identities=64", "--exec-log-size=1MiB")
	x.doctor(append(host, "bpffs ok", "loaded ok", "programs ok", "recordings ok", "identities ok")...)
	text := x.run(tracectlPath, "doctor")
	if !strings.Contains(text.stdout, "\nok    recordings ") || !strings.Contains(text.stdout, " 0 of 1 belong ") {
		t.Errorf("%+v", text)
	}

	// This container takes the only recording, so that the next one gets none.
	x.start(simple("mypod", "/bin/sleep", "1000"))
	checks = x.doctor("loaded ok", "programs ok", "recordings warn", "identities ok")
	if c := checks["recordings"]; !strings.HasPrefix(c.Remedy, "set pool.rings = 2 ") {
		t.Errorf("%+v", c)
	}
	if c := checks["containers"]; strings.Contains(c.Detail, "mypod") {
		t.Errorf("%+v", c)
	}
	root, err := unified.Find("")
	if err != nil {
		t.Fatal(err)
	}
	own, other := filepath.Join(root, x.cgroup, "mypod"), filepath.Join(root, x.cgroup, "other")
	if err := os.Mkdir(other, 0o755); err != nil {
		t.Fatal(err)
	}
	move := func(from, to string) {
		t.Helper()
		init, err := os.ReadFile(filepath.Join(from, "cgroup.procs"))
		if err == nil {
			err = os.WriteFile(filepath.Join(to, "cgroup.procs"), init, 0o644)
		}
		if err != nil {
			t.Error(err)
		}
	}
	move(own, other)
	if c := x.doctor("containers warn")["containers"]; !strings.HasPrefix(c.Detail, "mypod is registered for cgroup ") {
		t.Errorf("its init was moved: %+v", c)
	}
	move(other, own)
	if err := os.Remove(other); err != nil {
		t.Error(err)
	}
	x.remove("mypod")

	if err := os.Remove(filepath.Join(x.pins, "link_exec")); err != nil {
		t.Fatal(err)
	}
	loaded := x.doctor("loaded fail")["loaded"]
	const remedy = "tracectl load, which keeps the recordings if possible"
	if !strings.Contains(loaded.Detail, "link_exec is missing") || loaded.Remedy != remedy {
		t.Errorf("a link is missing: %+v", loaded)
	}
	x.useRuntime(shimPath, `logs = "/x"`, "[runtimes]", `crun = "/no/such/crun"`)
	checks = x.doctor("loaded fail", "configuration fail", "runtime fail", "runtime crun fail")
	if c := checks["configuration"]; !strings.Contains(c.Detail, `unknown key "logs"`) || c.Remedy != "edit "+x.config {
		t.Errorf("%+v", c)
	}
	if c := checks["runtime"]; c.Detail != shimPath+" is runc-trace itself" {
		t.Errorf("%+v", c)
	}
	x.useRuntime(runcPath)
}

// TestDoctorOfUsers checks the message for users who lack the rights to see the programs.
func TestDoctorOfUsers(t *testing.T) {
	x := prepare(t)
	for _, dir := range []string{scratch, x.dir} {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	x.within = []string{"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--bounding-set=-all"}
	checks := x.doctor("privileges fail", "kernel ok", "btf ok", "ebpf -", "configuration ok", "runtime ok",
		"loaded -", "containers -")
	x.within = nil
	if c := checks["privileges"]; !strings.HasPrefix(c.Detail, "user ID 65534 ") || c.Remedy != "sudo tracectl doctor" {
		t.Errorf("%+v", c)
	}
}
