// SPDX-License-Identifier: Apache-2.0

// Package krew tests the output of make plugin.
package krew

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
)

// manifest is the part of the plugin manifest that krew reads.
type manifest struct {
	APIVersion string `yaml:"apiVersion"`
	Kind       string
	Metadata   struct{ Name string }
	Spec       struct {
		Version, Homepage, Description, Caveats string
		ShortDescription                        string `yaml:"shortDescription"`
		Platforms                               []platform
	}
}

type platform struct {
	Selector struct {
		MatchLabels map[string]string `yaml:"matchLabels"`
	}
	URI    string
	SHA256 string
	Files  []struct{ From, To string }
	Bin    string
}

// TestPlugin builds the plugin for this machine, and installs it as krew does.
func TestPlugin(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the plugin for all platforms")
	}
	dist := t.TempDir()
	build := exec.Command("sh", "build.sh", dist)
	build.Env = append(os.Environ(), "VERSION=v1.0.0-rc1", "SOURCE_DATE_EPOCH=1",
		"PLATFORMS="+runtime.GOOS+"/"+runtime.GOARCH, "BASE_URI=")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building: %v\n%s", err, out)
	}
	text, err := os.ReadFile(filepath.Join(dist, "runc-trace.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var m manifest
	decoder := yaml.NewDecoder(strings.NewReader(string(text)))
	decoder.KnownFields(true)
	if err := decoder.Decode(&m); err != nil {
		t.Fatalf("reading the manifest: %v\n%s", err, text)
	}
	name := "kubectl-runc_trace-1.0.0-rc1-" + runtime.GOOS + "-" + runtime.GOARCH
	tarball, err := os.ReadFile(filepath.Join(dist, name+".tar.gz"))
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(tarball)
	var want platform
	want.Selector.MatchLabels = map[string]string{"os": runtime.GOOS, "arch": runtime.GOARCH}
	want.URI, want.SHA256, want.Bin = "@BASE_URI@/"+name+".tar.gz", hex.EncodeToString(sum[:]), "kubectl-runc_trace"
	for _, file := range []string{"kubectl-runc_trace", "kubectl_complete-runc_trace", "LICENSE", "THIRD-PARTY"} {
		want.Files = append(want.Files, struct{ From, To string }{"*/" + file, "."})
	}
	if diff := cmp.Diff([]platform{want}, m.Spec.Platforms); diff != "" || m.Spec.Version != "v1.0.0-rc1" ||
		m.Metadata.Name != "runc-trace" {
		t.Errorf("%+v; platforms (-want +got):\n%s", m, diff)
	}

	bin := t.TempDir()
	run(t, "tar", "-xzf", filepath.Join(dist, name+".tar.gz"), "-C", dist)
	for _, file := range want.Files {
		found, err := filepath.Glob(filepath.Join(dist, file.From))
		if err != nil || len(found) != 1 {
			t.Fatalf("%s is %q, %v", file.From, found, err)
		}
		if err := os.Rename(found[0], filepath.Join(bin, filepath.Base(found[0]))); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	if got := run(t, "kubectl-runc_trace", "--version"); got != "kubectl runc-trace v1.0.0-rc1\n" {
		t.Errorf("the plugin's version is %q", got)
	}
	if got := run(t, "kubectl_complete-runc_trace", "straceback", "sh"); !strings.HasPrefix(got, "show\t") {
		t.Errorf("completing the plugin's commands gives %q", got)
	}
}

func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	c := exec.Command(name, args...)
	c.Stderr = os.Stderr
	out, err := c.Output()
	if err != nil {
		t.Fatalf("%s %s: %v", name, strings.Join(args, " "), err)
	}
	return string(out)
}
