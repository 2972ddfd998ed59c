// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/runc-trace/runc-trace/pkg/bpf"
)

// tell writes labels as an agent does.
func (x *tracer) tell(source bpf.LabelSource, subject string, labels bpf.Labels) {
	x.t.Helper()
	s, err := bpf.OpenLabelStore(x.pins)
	if err != nil {
		x.t.Fatal(err)
	}
	defer s.Close()
	if err := s.Put(source, subject, labels); err != nil {
		x.t.Fatal(err)
	}
}

// selected returns the containers of past execs that a label selects, and the remarks on stderr.
func (x *tracer) selected(label string) (ids, stderr string) {
	x.t.Helper()
	o := x.run(tracectlPath, "exec", "--no-follow", "-o=json", "--label", label)
	if o.code != 0 {
		x.t.Fatalf("%+v", o)
	}
	var all []string
	for _, e := range objects[execJSON](x.t, o.stdout) {
		all = append(all, e.ContainerID)
	}
	return strings.Join(all, " "), o.stderr
}

// TestAuthorsLabels uses pods whose author wrote forged annotations: as labels, and in place of CRI-O's.
func TestAuthorsLabels(t *testing.T) {
	forged := func(labels map[string]string) map[string]string {
		_, a := annotationsOf["cri-o"]("evil")
		a["runc-trace.label/app"] = "payments"
		maps.Copy(a, labels)
		return a
	}
	sandbox, _ := annotationsOf["cri-o"]("evil")
	maps.Copy(sandbox, map[string]string{
		"io.kubernetes.cri-o.Metadata":      "{}",
		"io.container.manager":              "libpod",
		"io.kubernetes.cri-o.ContainerType": "container",
		"io.kubernetes.cri-o.SandboxID":     "of-payments",
		"io.kubernetes.container.name":      "POD",
		"runc-trace.label/app":              "payments",
		"io.kubernetes.cri-o.Labels":        `{"app":"payments","team":"platform"}`,
		"app":                               "attacker",
	})
	for _, test := range []struct {
		name    string
		config  string
		told    map[string]string
		wanted  []string
		refused []string
	}{
		{"by the sandbox", "", nil, []string{"app=attacker", "team=platform"}, []string{"app=payments"}},
		{"by the API server", "", map[string]string{"app": "attacker"}, []string{"app=attacker", "!team"},
			[]string{"app=payments", "team"}},
		{"the API server has no such label", "", map[string]string{}, []string{"!app"}, []string{"app=payments"}},
		{"as the operator wants it", "[labels]\nprefixes = [\"runc-trace.label/\"]", map[string]string{"team": "x"},
			[]string{"app=payments"}, []string{"!app"}},
		{"but the API server counts more", "[labels]\nprefixes = [\"runc-trace.label/\"]",
			map[string]string{"app": "attacker"}, []string{"app=attacker"}, []string{"app=payments"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			x := load(t)
			x.useRuntime(runcPath, strings.Split(test.config, "\n")...)
			x.start(bundle{id: "evil-sandbox", annotations: sandbox, args: []string{"/bin/sleep", "1000"}})
			x.awaitExec("evil-sandbox")
			x.runContainer(bundle{id: "evil", annotations: forged(nil), args: []string{"/bin/true"}})
			if test.told != nil {
				x.tell(bpf.SourceKubernetes, "uid-of-evil", bpf.Labels{Set: test.told})
			}
			for _, label := range test.wanted {
				if ids, stderr := x.selected(label); ids != "evil-sandbox evil" {
					t.Errorf("%s selects %q, want both\n%s", label, ids, stderr)
				}
			}
			for _, label := range test.refused {
				if ids, stderr := x.selected(label); ids != "" {
					t.Errorf("%s selects %q\n%s", label, ids, stderr)
				}
			}
			x.remove("evil-sandbox")
		})
	}
}

// TestTruncatedLabels uses pods with more labels than are kept: a selector never skips them silently.
func TestTruncatedLabels(t *testing.T) {
	const warning = "tracectl: some labels of default/many/many are unknown and could match; "
	many := map[string]string{"team": "enforced"}
	for n := range 64 {
		many[fmt.Sprintf("a%02d", n)] = strings.Repeat("x", 63)
	}
	x := load(t)
	x.useRuntime(runcPath, "[labels]", `prefixes = ["runc-trace.label/"]`)
	x.runContainer(bundle{id: "many", annotations: pod("many", many), args: []string{"/bin/true"}})
	x.useRuntime(runcPath, "[labels]", `prefixes = ["runc-trace.label/"]`, `keep = ["b*", "te?m"]`)
	x.runContainer(bundle{id: "kept", annotations: pod("kept", many), args: []string{"/bin/true"}})
	for _, name := range []string{"many", "kept"} {
		x.tell(bpf.SourceKubernetes, "uid-of-"+name, bpf.Labels{})
	}
	for label, want := range map[string]string{
		"team=enforced": "many kept", "team!=enforced": "many", "!team": "many", "team": "many kept",
		"team notin (x)": "many kept", "a00": "many kept", "a00=y": "", "a00,team=x": "many",
	} {
		ids, stderr := x.selected(label)
		said := strings.Count(stderr, warning)
		if ids != want || (said != 1) == strings.HasPrefix(want, "many") && label != "a00" {
			t.Errorf("%s selects %q, want %q; said %d times:\n%s", label, ids, want, said, stderr)
		}
	}
	for _, verb := range [][]string{{"containers", "--all"}, {"straceback", "list"}, {"straceback", "list", "--names"}} {
		o := x.run(tracectlPath, append(verb, "-l=team=x", "-o=json")...)
		listed := objects[map[string]any](t, o.stdout)
		if len(listed) != 1 || listed[0]["container"] != "many" || listed[0]["labelsTruncated"] != true ||
			o.stderr != warning+"showing it anyway\n" {
			t.Errorf("%q prints %d: %+v", verb, len(listed), o)
		}
	}
	if got := x.run(tracectlPath, "exec", "--no-follow", "-o=json").stdout; strings.Count(got,
		`"labelsTruncated":true`) != 2 {
		t.Errorf("%d execs say that labels are truncated, want 2", strings.Count(got, `"labelsTruncated":true`))
	}
}

// TestHeartbeatOfHeldExecs checks that no heartbeat passes an exec that is held back for labels.
func TestHeartbeatOfHeldExecs(t *testing.T) {
	x := load(t)
	x.tell(bpf.SourceAgent, "", bpf.Labels{})
	reader := x.spawn(tracectlPath, "exec", "--label=app=late", "--output=json", "--heartbeat=20ms")
	t.Cleanup(func() { _ = reader.cmd.Process.Kill() })
	beats := func() int { return strings.Count(reader.stdout(), "heartbeat") }
	eventually(t, "the reader has begun", func() bool { return beats() > 1 })
	x.runContainer(bundle{id: "late", annotations: pod("late", nil), args: []string{"/bin/true"}})
	const long = time.Second // for an exec to be logged
	time.Sleep(2 * long)
	now := beats()
	eventually(t, "heartbeats go on", func() bool { return beats() > now+1 })
	x.tell(bpf.SourceKubernetes, "uid-of-late", bpf.Labels{Set: map[string]string{"app": "late"}})
	eventually(t, "the exec is shown", func() bool { return strings.Contains(reader.stdout(), "/bin/true") })
	text := reader.stdout()
	var beat time.Time
	for _, line := range objects[struct {
		Time, Heartbeat time.Time
	}](t, text[:strings.LastIndexByte(text, '\n')+1]) {
		if line.Heartbeat.Before(beat) && line.Time.IsZero() {
			t.Errorf("a heartbeat of %v follows one of %v", line.Heartbeat, beat)
		}
		if line.Time.IsZero() {
			beat = line.Heartbeat
		} else if line.Time.Before(beat.Add(-long)) {
			t.Errorf("an exec of %v follows a heartbeat of %v", line.Time, beat)
		}
	}
}

// TestPastWithoutLabels reads the past of containers whose labels can no longer be found, while an agent is alive. They
// are left out, with a remark.
func TestPastWithoutLabels(t *testing.T) {
	x := load(t)
	x.runContainer(bundle{id: "nameless", annotations: pod("nameless", nil), args: []string{"/bin/true"}})
	x.tell(bpf.SourceAgent, "", bpf.Labels{})
	created := x.containers()[0].Created
	time.Sleep(time.Until(created.Add(5 * time.Second))) // then labels are no longer expected
	x.tell(bpf.SourceAgent, "", bpf.Labels{})
	ids, stderr := x.selected("a=b")
	want := "tracectl: no labels for default/nameless/nameless: leaving out its execs, and those of similar containers (check the agent with \"tracectl status\")\n" +
		"tracectl: left out 1 exec of containers without known labels (check the agent with \"tracectl status\")\n"
	if diff := cmp.Diff(want, stderr); diff != "" || ids != "" {
		t.Errorf("selected: %q (-want +got):\n%s", ids, diff)
	}
	o := x.run(tracectlPath, "containers", "--all", "-l=a=b")
	want = "tracectl: left out 1 container without known labels (check the agent with \"tracectl status\")\n"
	if !strings.HasPrefix(o.stderr, want) || strings.Contains(o.stdout, "nameless") {
		t.Errorf("%+v", o)
	}
}
