// SPDX-License-Identifier: Apache-2.0

package manifests

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

var update = flag.Bool("update", false, "write what is seen into testdata")

// golden compares text with a file below testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got; -update writes it):\n%s", file, diff)
	}
}

// TestBase lists every value that is installed by default, so that a review sees each change.
func TestBase(t *testing.T) { golden(t, "base", difference(objects{}, build(t, kubernetes+"/base"))) }

// TestOverlays lists the changes that each overlay makes to the base.
func TestOverlays(t *testing.T) {
	for _, v := range variants[1:] {
		golden(t, filepath.Base(v.dir), difference(build(t, kubernetes+"/base"), build(t, filepath.Join(kubernetes, v.dir))))
	}
}

// TestImage replaces all images, as users do.
func TestImage(t *testing.T) {
	dir := t.TempDir()
	for _, v := range variants {
		from, err := filepath.Rel(dir, absolute(t, filepath.Join(kubernetes, v.dir)))
		if err != nil {
			t.Fatal(err)
		}
		text := "resources: [" + from + "]\nimages: [{name: localhost/runc-trace, newName: registry.example.com/rt, newTag: v1.0.0}]\n"
		if err := os.WriteFile(filepath.Join(dir, "kustomization.yaml"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		for path, value := range values(build(t, dir)) {
			if strings.HasSuffix(path, "/image") && value != `"registry.example.com/rt:v1.0.0"` {
				t.Errorf("%s: %s is %s", v.dir, path, value)
			}
		}
	}
}

func absolute(t *testing.T, path string) string {
	t.Helper()
	path, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// TestTogether builds a combination that no overlay has: several components at once.
func TestTogether(t *testing.T) {
	want := chart(t, release, object{"setDefault": false, "metrics": true, "discardRecordings": true})
	dir := t.TempDir()
	from, err := filepath.Rel(dir, absolute(t, kubernetes))
	if err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf("resources: [%[1]s/base]\ncomponents: [%[1]s/components/metrics, %[1]s/components/opt-in, "+
		"%[1]s/components/discard-recordings]\n", from)
	if err := os.WriteFile(filepath.Join(dir, "kustomization.yaml"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	got := build(t, dir)
	if diff := cmp.Diff(want["DaemonSet runc-trace"]["spec"], got["DaemonSet runc-trace"]["spec"]); diff != "" {
		t.Errorf("the DaemonSet (-Helm +kustomize):\n%s", diff)
	}
}

// TestDemo checks that the API's types accept the pods of the demonstrations.
func TestDemo(t *testing.T) {
	pod, err := os.ReadFile(filepath.Join(kubernetes, "demo/break.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	got := slices.Sorted(maps.Keys(build(t, kubernetes+"/demo")))
	got = slices.AppendSeq(got, maps.Keys(parse(t, pod)))
	want := []string{"DaemonSet myapp", "DaemonSet noise", "Pod shell", "Pod mypod2"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("demonstrations (-want +got):\n%s", diff)
	}
}

// TestRuntimeClass checks that tracectl prints the class that the overlay has.
func TestRuntimeClass(t *testing.T) {
	source, err := os.ReadFile("../../../pkg/engine/driver.go")
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(strings.ReplaceAll(string(source), "` + addedRuntime + `", "runc-trace"),
		"return `apiVersion")
	text, _, _ = strings.Cut("apiVersion"+text, "`")
	var want object
	if err := yaml.Unmarshal([]byte(text), &want); err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	got := build(t, kubernetes+"/overlays/opt-in")["RuntimeClass runc-trace"]
	delete(got["metadata"].(object), "labels")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the class (-tracectl +overlay):\n%s", diff)
	}
}

// TestCommands checks that tracectl itself accepts every command line: its name, its flags and their values.
func TestCommands(t *testing.T) {
	tracectl := filepath.Join(t.TempDir(), "tracectl")
	c := exec.Command("go", "build", "-o", tracectl, "./cmd/tracectl")
	c.Dir = "../../.."
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("building tracectl: %v\n%s", err, out)
	}
	var lines [][]string
	for _, v := range variants {
		spec := build(t, filepath.Join(kubernetes,
			v.dir))["DaemonSet runc-trace"]["spec"].(object)["template"].(object)["spec"].(object)
		for _, kind := range []string{"initContainers", "containers"} {
			list, _ := spec[kind].([]any)
			for _, c := range list {
				lines = append(lines, words(c.(object)["args"]))
				for _, name := range []string{"startupProbe", "livenessProbe", "readinessProbe"} {
					probe, ok := c.(object)[name].(object)
					if !ok {
						continue
					}
					run, ok := probe["exec"].(object)
					if !ok {
						t.Errorf("%s: %s asks at an address that everybody on the node can use", v.dir, name)
						continue
					}
					command := words(run["command"])
					if command[0] != "/usr/local/bin/tracectl" {
						t.Errorf("%s runs %s", name, command[0])
					}
					lines = append(lines, command[1:])
				}
			}
		}
	}
	for _, line := range lines {
		// --help parses the flags before it, and does nothing.
		out, err := exec.Command(tracectl, append(line, "--help")...).CombinedOutput()
		if usage := "\n  tracectl " + line[0] + " [flags]\n"; err != nil || !strings.Contains(string(out), usage) {
			t.Errorf("tracectl %s: %v\n%s", strings.Join(line, " "), err, out)
		}
	}
}

func words(list any) []string {
	var words []string
	for _, word := range list.([]any) {
		words = append(words, word.(string))
	}
	return words
}

// difference lists the values that only one of two sets of objects has, by path.
func difference(from, to objects) string {
	before, after := values(from), values(to)
	var lines []string
	for path, value := range before {
		if after[path] != value {
			lines = append(lines, "-"+path+": "+value)
		}
	}
	for path, value := range after {
		if before[path] != value {
			lines = append(lines, "+"+path+": "+value)
		}
	}
	slices.SortFunc(lines, func(a, b string) int {
		if order := strings.Compare(a[1:strings.Index(a, ": ")], b[1:strings.Index(b, ": ")]); order != 0 {
			return order
		}
		return strings.Compare(b, a) // the old value before the new one
	})
	return strings.Join(lines, "\n") + "\n"
}

// values returns all values of objects by their path. If the elements of a list have names, these are the path.
func values(all objects) map[string]string {
	found := map[string]string{}
	var walk func(path string, value any)
	walk = func(path string, value any) {
		switch value := value.(type) {
		case object:
			for key, v := range value {
				walk(path+"/"+key, v)
			}
			if len(value) == 0 {
				found[path] = "{}"
			}
		case []any:
			for i, v := range value {
				name := fmt.Sprint(i)
				if named, ok := v.(object); ok && named["name"] != nil {
					name = named["name"].(string)
				}
				walk(path+"/"+name, v)
			}
			if len(value) == 0 {
				found[path] = "[]"
			}
		default:
			found[path] = quoted(value)
		}
	}
	for name, o := range all {
		walk(name, map[string]any(o))
	}
	return found
}

// quoted returns a value as JSON.
func quoted(value any) string {
	var text strings.Builder
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		panic(err) // it was YAML
	}
	return strings.TrimSpace(text.String())
}
