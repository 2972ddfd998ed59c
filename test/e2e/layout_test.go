// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/runc-trace/runc-trace/pkg/bpf"
	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/config"
)

// buildOther builds both programs with another number of the layout, as an older version has.
func buildOther(t *testing.T) (shim, tracectl string) {
	t.Helper()
	const file = "../../pkg/bpf/abi/zz_contract.go"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	const assignment = "ABIVersion     = %#x"
	now, older := fmt.Sprintf(assignment, abi.ABIVersion), fmt.Sprintf(assignment, abi.ABIVersion-1)
	if strings.Count(string(text), now) != 1 {
		t.Fatalf("%s does not have %q once", file, now)
	}
	dir := t.TempDir()
	changed := filepath.Join(dir, "contract.go")
	if err := os.WriteFile(changed, []byte(strings.Replace(string(text), now, older, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	path, err := filepath.Abs(file)
	if err != nil {
		t.Fatal(err)
	}
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{path: changed}})
	if err != nil {
		t.Fatal(err)
	}
	list := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(list, overlay, 0o600); err != nil {
		t.Fatal(err)
	}
	for program, flags := range map[string]string{"runc-trace": "-s -w -E runc_trace_entry", "tracectl": "-s -w"} {
		build := exec.Command("go", "build", "-trimpath", "-overlay", list, "-ldflags", flags, "-o", dir+"/",
			"../../cmd/"+program)
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if text, err := build.CombinedOutput(); err != nil {
			t.Fatalf("building an older %s: %v\n%s", program, err, text)
		}
	}
	return filepath.Join(dir, "runc-trace"), filepath.Join(dir, "tracectl")
}

// TestOtherLayout upgrades from a version with another layout: every command says what happens to the recordings and
// changes nothing, unless they may be discarded. Then no container's start is missed.
func TestOtherLayout(t *testing.T) {
	olderShim, olderTracectl := buildOther(t)
	x := prepare(t)
	sizes := []string{"--no-adopt", "--recordings=16", "--identities=64", "--exec-log-size=1MiB"}
	must := func(program string, args ...string) string {
		t.Helper()
		o := x.run(program, args...)
		if o.code != 0 {
			t.Fatalf("%s %q: %+v", program, args, o)
		}
		return o.stdout
	}
	start := func(shim string, b bundle) {
		t.Helper()
		must(shim, "--root", x.state(), "run", "--detach", "--bundle", x.write(b), b.id)
	}
	must(olderTracectl, append([]string{"load"}, sizes...)...)
	start(olderShim, simple("running", endsWith7...))
	start(olderShim, simple("ended", "/bin/true"))
	x.awaitExit("ended")

	said := fmt.Sprintf("(layout %d, this tracectl needs %d): read and export the recordings", abi.ABIVersion-1,
		abi.ABIVersion)
	for _, args := range [][]string{
		{"status"}, {"containers"}, {"exec", "--no-follow"}, {"straceback", "list"}, {"straceback", "show", "ended"},
		append([]string{"load"}, sizes...), append([]string{"load", "--replace"}, sizes...),
	} {
		if o := x.run(tracectlPath, args...); o.code != 1 || !strings.Contains(o.stderr, said) ||
			!strings.Contains(o.stderr, "--discard-recordings") {
			t.Errorf("%q: %+v", args, o)
		}
	}
	if o := x.run(tracectlPath, "doctor"); o.code != 1 || !strings.Contains(o.stdout, said) ||
		!strings.Contains(o.stdout, "remedy: tracectl load --replace --discard-recordings") {
		t.Errorf("doctor: %+v", o)
	}
	exported := must(olderTracectl, "straceback", "show", "ended", "-o=json")
	if !strings.Contains(exported, `"exit_group"`) {
		t.Errorf("the older version cannot export any more:\n%s", exported)
	}

	// As install does, replace the shim while both versions record.
	configured := config.DefaultPool()
	configured.Rings, configured.Identities, configured.ExecLogSize = 16, 64, 1<<20
	b, err := bpf.LoadBeside(x.pins, configured)
	if err != nil || b == nil {
		t.Fatal(b, err)
	}
	defer b.Close()
	start(olderShim, simple("by-older", "/bin/true"))
	start(shimPath, simple("by-newer", "/bin/true"))
	x.awaitExit("by-older")
	x.awaitExit("by-newer")
	execs := func(tracectl, pins string) (found []string) {
		text := must(tracectl, "exec", "--no-follow", "-o=json", "--pin-dir", pins)
		for _, e := range objects[execJSON](t, text) {
			if c := e.Pod + " " + e.Path; !strings.HasPrefix(c, "running ") {
				found = append(found, c)
			}
		}
		slices.Sort(found)
		return found
	}
	if diff := cmp.Diff([]string{"by-older /bin/true", "ended /bin/true"}, execs(olderTracectl, x.pins)); diff != "" {
		t.Errorf("execs of the older version (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"by-newer /bin/true"}, execs(tracectlPath, b.Dir)); diff != "" {
		t.Errorf("execs of the newer version (-want +got):\n%s", diff)
	}

	// An interrupted upgrade is completed, while containers start.
	const most = 40
	bundles := filepath.Dir(x.write(simple("meanwhile-1", "/bin/true")))
	for n := 2; n <= most; n++ {
		x.write(simple(fmt.Sprintf("meanwhile-%d", n), "/bin/true"))
	}
	stop := filepath.Join(x.dir, "stop")
	starting := x.spawn("sh", "-c", fmt.Sprintf(`for n in $(seq %d); do
		%s --root %s run --bundle %s/meanwhile-$n meanwhile-$n && echo "meanwhile-$n /bin/true"; [ ! -e %s ] || exit 0
	done`, most, shimPath, x.state(), bundles, stop))
	o := x.withState("runc", "load", append([]string{"--replace", "--discard-recordings"}, sizes...)...)
	want := fmt.Sprintf("loaded again, which deleted all recordings: the loaded programs had layout %d, and these have layout %d\n"+
		"running containers adopted: 1\n", abi.ABIVersion-1, abi.ABIVersion)
	if o.code != 0 || !strings.HasSuffix(o.stdout, want) {
		t.Fatalf("load --replace --discard-recordings: %+v", o)
	}
	if _, err := os.Stat(b.Dir); !os.IsNotExist(err) {
		t.Errorf("%s stays: %v", b.Dir, err)
	}
	if err := os.WriteFile(stop, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	meanwhile := starting.wait()
	if meanwhile.code != 0 || meanwhile.stderr != "" {
		t.Errorf("starting containers meanwhile: %+v", meanwhile)
	}
	start(shimPath, simple("after", "/bin/true"))
	x.awaitExit("after")
	recorded := append(strings.Split(strings.TrimSpace(meanwhile.stdout), "\n"), "after /bin/true", "by-newer /bin/true")
	slices.Sort(recorded)
	if diff := cmp.Diff(recorded, execs(tracectlPath, x.pins)); diff != "" {
		t.Errorf("execs afterwards (-want +got):\n%s", diff)
	}
	eventually(t, "the running one is recorded", func() bool { return len(x.execs("--pod=running")) > 0 })

	// The way back: the older shim starts containers all the same, and the older tracectl can unload.
	start(olderShim, simple("back", "/bin/true"))
	x.awaitExit("back")
	if o := x.run(olderTracectl, "status"); o.code != 1 || !strings.Contains(o.stderr, "loaded by another version") {
		t.Errorf("status of the older version: %+v", o)
	}
	must(olderTracectl, "unload")
	must(olderTracectl, append([]string{"load"}, sizes...)...)
	must(tracectlPath, "unload")
	if _, err := os.Stat(x.pins); !os.IsNotExist(err) {
		t.Errorf("after unloading the older version: %v", err)
	}
}
