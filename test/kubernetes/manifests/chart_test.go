// SPDX-License-Identifier: Apache-2.0

package manifests

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"helm.sh/helm/v4/pkg/chart/v2/lint"
)

func TestChartIsKustomization(t *testing.T) {
	for _, v := range variants {
		t.Run(filepath.Base(v.dir), func(t *testing.T) {
			want := build(t, filepath.Join(kubernetes, v.dir))
			// Helm's own label, and no namespace: the release's namespace must exist before Helm makes anything.
			delete(want, "Namespace runc-trace")
			for _, o := range want {
				labels := o["metadata"].(object)["labels"].(object)
				labels["app.kubernetes.io/instance"] = "runc-trace"
				labels["app.kubernetes.io/managed-by"] = "Helm"
				labels["app.kubernetes.io/version"] = "unreleased"
				labels["helm.sh/chart"] = "runc-trace-0.1.0"
			}
			if diff := cmp.Diff(want, chart(t, release, v.values)); diff != "" {
				t.Errorf("what kustomize and Helm make (-kustomize +Helm):\n%s", diff)
			}
		})
	}
}

// TestChartValues changes every value, and checks the place that changes.
func TestChartValues(t *testing.T) {
	command := `kill -HUP "$(cat /run/$1.pid)" && echo 'done: {}' \n # <&>`
	elsewhere := release
	elsewhere.Namespace, elsewhere.Name = "tracing", "rt"
	got := difference(chart(t, release, object{}), chart(t, elsewhere, object{
		"image": object{"repository": "registry.example.com/a/runc-trace", "tag": "v1.2.3", "pullPolicy": "Never",
			"pullSecrets": []any{"one", "two"}},
		"engine":         "containerd",
		"restartCommand": command,
		"resources":      object{"limits": object{"memory": "1Gi", "cpu": 2}},
		"nodeSelector":   object{"kubernetes.io/os": nil, "pool": "traced"},
		"tolerations":    []any{},
	}))
	golden(t, "values", got)
	// The kubelet replaces $(VARIABLES), and $$ with $.
	want := "--restart-command=" + strings.ReplaceAll(command, "$(", "$$(")
	if !strings.Contains(got, "initContainers/install/args/2: "+quoted(want)) {
		t.Errorf("the command that restarts engines is not %s", quoted(want))
	}
}

// TestChartDigest names the image by its digest.
func TestChartDigest(t *testing.T) {
	digest := "sha256:" + strings.Repeat("0123456789abcdef", 4)
	got := difference(chart(t, release, object{}),
		chart(t, release, object{"image": object{"repository": "registry.example.com/a", "tag": "v1", "digest": digest}}))
	if !strings.Contains(got, `agent/image: "registry.example.com/a@`+digest+`"`) {
		t.Errorf("%s", got)
	}
}

// TestChartRefuses checks that the schema rejects mistakes.
func TestChartRefuses(t *testing.T) {
	tests := []struct {
		values object
		want   string
	}{
		{object{"setdefault": false}, "additional properties 'setdefault' not allowed"},
		{object{"setDefault": "no"}, "at '/setDefault': got string, want boolean"},
		{object{"engine": "lxc"}, "at '/engine': value must be one of"},
		{object{"engine": nil}, "missing property 'engine'"},
		{object{"image": object{"tag": "1.0~rc1"}}, "at '/image/tag': '1.0~rc1' does not match pattern"},
		{object{"image": object{"digest": "latest"}}, "at '/image/digest': 'latest' does not match pattern"},
		{object{"image": object{"pullPolicy": "Sometimes"}}, "at '/image/pullPolicy': value must be one of"},
		{object{"image": object{"name": "x"}}, "additional properties 'name' not allowed"},
		{object{"tolerations": "all"}, "at '/tolerations': got string, want array"},
		{object{"resources": object{"limit": object{}}}, "additional properties 'limit' not allowed"},
	}
	for _, test := range tests {
		if _, err := render(release, test.values); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%v: error %v, want %q", test.values, err, test.want)
		}
	}
}

func TestChartLint(t *testing.T) {
	for _, v := range variants {
		for _, m := range lint.RunAll(filepath.Join(kubernetes, "chart"), v.values, "runc-trace").Messages {
			if !strings.Contains(m.Error(), "icon is recommended") {
				t.Errorf("with %v: %v", v.values, m)
			}
		}
	}
}

// TestChartNotes compares the notes printed after an installation.
func TestChartNotes(t *testing.T) {
	elsewhere := release
	elsewhere.Namespace = "tracing"
	var text strings.Builder
	for _, values := range []object{{}, {"setDefault": false}, {"uninstall": true}} {
		files, err := render(elsewhere, values)
		if err != nil {
			t.Fatal(err)
		}
		text.WriteString("==== " + quoted(values) + "\n" + files["runc-trace/templates/NOTES.txt"] + "\n")
	}
	golden(t, "notes", text.String())
}
