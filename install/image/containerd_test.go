// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// cache is the directory to which test/engines/build.sh installs engines.
const cache = "/var/cache/runc-trace-e2e"

// TestContainerd imports the archive into containerd, and requests the image as the kubelet does, by its name in the
// manifests.
func TestContainerd(t *testing.T) {
	if os.Getenv("RUNC_TRACE_ENGINES") != "1" {
		t.Skip("not run: `make e2e` runs the tests with real engines")
	}
	dir := t.TempDir()
	socket := filepath.Join(dir, "containerd.sock")
	config := fmt.Sprintf(`version = 3
root = "%[1]s/root"
state = "%[1]s/state"

[grpc]
  address = "%[1]s/containerd.sock"

[ttrpc]
  address = "%[1]s/containerd.sock.ttrpc"

[plugins."io.containerd.cri.v1.images"]
  snapshotter = "native" # works on whatever the directory lies on
`, dir)
	if err := os.WriteFile(filepath.Join(dir, "config.toml"), []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	daemon := exec.Command(cache+"/containerd-2.4.2/bin/containerd", "--config", filepath.Join(dir, "config.toml"))
	daemon.Stdout, daemon.Stderr = &log, &log
	if err := daemon.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = daemon.Process.Signal(syscall.SIGTERM)
		if err := daemon.Wait(); err != nil || t.Failed() {
			t.Errorf("containerd: %v\n%s", err, log.Bytes())
		}
	})
	ctr := func(args ...string) (string, error) {
		return output(cache+"/containerd-2.4.2/bin/ctr",
			append([]string{"--address", socket, "--namespace", "k8s.io"}, args...)...)
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		_, err := ctr("version")
		if err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
	if _, err := ctr("images", "import", archive); err != nil {
		t.Fatal(err)
	}
	checked, err := ctr("images", "check", "--quiet", "name==localhost/runc-trace:"+version)
	if err != nil || strings.TrimSpace(checked) != "localhost/runc-trace:"+version {
		t.Errorf("what is whole: %q, %v", checked, err)
	}

	text, err := output(cache+"/crictl-1.34.0/bin/crictl", "--config", os.DevNull, "--image-endpoint", "unix://"+socket,
		"inspecti", "localhost/runc-trace:"+version)
	if err != nil {
		t.Fatal(err)
	}
	type status struct {
		Status struct{ RepoTags []string }
		Info   struct {
			ImageSpec struct {
				Architecture string
				Config       v1.Config
			}
		}
	}
	var got, want status
	if err := json.Unmarshal([]byte(text), &got); err != nil {
		t.Fatal(err)
	}
	got.Info.ImageSpec.Config.Labels = nil // checked by TestIndex
	want.Status.RepoTags = []string{"localhost/runc-trace:" + version}
	want.Info.ImageSpec.Architecture = runtime.GOARCH
	want.Info.ImageSpec.Config = v1.Config{Entrypoint: []string{entryPoint},
		Env: []string{"PATH=/usr/local/bin"}, WorkingDir: "/"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the image that the kubelet finds (-want +got):\n%s", diff)
	}
}

// output runs a program and returns its output.
func output(program string, args ...string) (string, error) {
	c := exec.Command(program, args...)
	var stderr bytes.Buffer
	c.Stderr = &stderr
	out, err := c.Output()
	if err != nil {
		return "", fmt.Errorf("running %s %s: %w\n%s%s", program, strings.Join(args, " "), err, out, stderr.Bytes())
	}
	return string(out), nil
}
