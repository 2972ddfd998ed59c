// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A launch is a program that is started over and over.
type launch struct {
	name    string
	program string
	args    func(n int) []string
	config  string // an environment variable
	took    []float64
}

// benchShim measures the run time of processes: a runtime that does nothing, the same runtime started by a Go program
// that only execs it, and the same started by the shim of each build, for a verb that passes through and for create,
// which registers a container.
func benchShim(rounds int, old string) (err error) {
	if rounds == 0 {
		rounds = 300
	}
	dir, err := os.MkdirTemp("", "runc-trace-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	runtime, bare, err := buildRuntimes(dir)
	if err != nil {
		return err
	}
	bundle, err := writeBundle(dir, benchPod, containerdAnnotations)
	if err != nil {
		return err
	}
	// A bundle of CRI-O, with the spec of the pod's sandbox beside it.
	crio := filepath.Join(dir, "overlay-containers", strings.Repeat("c", 64), "userdata")
	sandbox := filepath.Join(dir, "overlay-containers", strings.Repeat("5", 64), "userdata")
	for bundle, annotations := range map[string]map[string]string{crio: crioAnnotations, sandbox: sandboxAnnotations} {
		if _, err := writeBundle(bundle, benchPod, annotations); err != nil {
			return err
		}
	}

	state := func(int) []string { return []string{"--root", dir, "state", "bench"} }
	create := func(bundle string) func(int) []string {
		return func(n int) []string {
			return []string{"--root", dir, "--log", "/dev/null", "--log-format", "json", "create", "--bundle", bundle,
				"bench" + strconv.Itoa(n)}
		}
	}
	launches := []*launch{
		{name: "the runtime itself", program: runtime, args: state},
		{name: "a Go program that only execs it", program: bare, args: state},
		{name: "a Go program that only execs it, again (control)", program: bare, args: state},
	}
	bareExec := launches[1]
	builds := recorders(old)
	defer func() {
		for _, r := range builds {
			err = errors.Join(err, r.stop())
		}
	}()
	for _, r := range builds {
		if err := r.load(); err != nil {
			return err
		}
		config, err := r.configure(runtime)
		if err != nil {
			return err
		}
		launches = append(launches,
			&launch{name: r.name + " state", program: r.shim(), args: state, config: config},
			&launch{name: r.name + " create", program: r.shim(), args: create(bundle), config: config},
			&launch{name: r.name + " create, of CRI-O's", program: r.shim(), args: create(crio), config: config})
	}
	for n := range rounds + 5 {
		// The order changes each time, because a process finds the caches as the one before left them.
		for _, i := range rand.Perm(len(launches)) {
			l := launches[i]
			c := exec.Command(l.program, l.args(n)...)
			c.Env = append(os.Environ(), "BAREEXEC_TARGET="+runtime, l.config)
			start := time.Now()
			if err := c.Run(); err != nil {
				return fmt.Errorf("running %s: %w", l.name, err)
			}
			if n >= 5 {
				l.took = append(l.took, float64(time.Since(start).Microseconds())/1000)
			}
		}
	}
	fmt.Printf("Milliseconds a process, %d interleaved rounds; beyond others: median of the differences in a round.\n\n"+
		"| | least | median | beyond the bare exec | beyond the old build |\n|---|---|---|---|---|\n", rounds)
	own := (len(launches) - 3) / len(builds)
	for i, l := range launches {
		old := ""
		if i >= 3 && i < 3+own && len(builds) > 1 {
			old = fmt.Sprintf("%+.2f", beyond(l.took, launches[i+own].took))
		}
		fmt.Printf("| %s | %.2f | %.2f | %+.2f | %s |\n", l.name, slices.Min(l.took), median(slices.Clone(l.took)),
			beyond(l.took, bareExec.took), old)
	}
	return nil
}

// beyond returns the median of a - b.
func beyond(a, b []float64) float64 {
	difference := make([]float64, len(a))
	for n := range a {
		difference[n] = a[n] - b[n]
	}
	return median(difference)
}

// buildRuntimes builds a runtime that does nothing, and a program that only execs it.
func buildRuntimes(dir string) (runtime, bare string, err error) {
	runtime, bare = filepath.Join(dir, "runtime"), filepath.Join(dir, "bareexec")
	source := filepath.Join(dir, "runtime.c")
	if err := os.WriteFile(source, []byte("int main(void) { return 0; }\n"), 0o600); err != nil {
		return "", "", err
	}
	build := func(name string, args ...string) error {
		c := exec.Command(name, args...)
		c.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := c.CombinedOutput(); err != nil {
			return fmt.Errorf("building with %s %v: %w: %s", name, args, err, out)
		}
		return nil
	}
	return runtime, bare, errors.Join(
		build("gcc", "-O2", "-static", "-o", runtime, source),
		build("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", bare, "./test/bench/bareexec"),
	)
}

const benchPod = "/kubepods/burstable/pod6b7a4c1e-3f52-4a0e-9d2b-0c1d2e3f4a5b/bench"

var (
	containerdAnnotations = map[string]string{
		"io.kubernetes.cri.container-name":    "app",
		"io.kubernetes.cri.container-type":    "container",
		"io.kubernetes.cri.image-name":        "registry.example/team/app:v1",
		"io.kubernetes.cri.sandbox-id":        "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
		"io.kubernetes.cri.sandbox-name":      "app-7d9c5b8f4-x2x7q",
		"io.kubernetes.cri.sandbox-namespace": "default",
		"io.kubernetes.cri.sandbox-uid":       "6b7a4c1e-3f52-4a0e-9d2b-0c1d2e3f4a5b",
	}
	crioAnnotations = map[string]string{
		"io.kubernetes.cri-o.Metadata":      `{"name":"app"}`,
		"io.kubernetes.cri-o.ContainerType": "container",
		"io.kubernetes.cri-o.SandboxID":     strings.Repeat("5", 64),
		"io.kubernetes.cri-o.Name":          "k8s_app_app-7d9c5b8f4-x2x7q_default_6b7a4c1e-3f52-4a0e-9d2b-0c1d2e3f4a5b_0",
		"io.kubernetes.cri-o.ImageName":     "registry.example/team/app:v1",
		"io.kubernetes.cri-o.Labels":        `{"io.kubernetes.container.name":"app","io.kubernetes.pod.name":"app-7d9c5b8f4-x2x7q","io.kubernetes.pod.namespace":"default","io.kubernetes.pod.uid":"6b7a4c1e-3f52-4a0e-9d2b-0c1d2e3f4a5b"}`,
	}
	sandboxAnnotations = map[string]string{
		"io.kubernetes.cri-o.Metadata": `{"name":"app"}`, "io.kubernetes.cri-o.ContainerType": "sandbox",
		"io.kubernetes.cri-o.Labels": `{"app.kubernetes.io/name":"app","app.kubernetes.io/instance":"app-prod","app.kubernetes.io/version":"1.2.3","team":"platform","pod-template-hash":"7d9c5b8f4"}`,
		"app.kubernetes.io/name":     "app",
		"app.kubernetes.io/instance": "app-prod",
		"app.kubernetes.io/version":  "1.2.3",
		"team":                       "platform",
		"pod-template-hash":          "7d9c5b8f4",
	}
)

// writeBundle writes a config.json of a realistic size, with annotations.
func writeBundle(dir, cgroup string, annotations map[string]string) (string, error) {
	text, err := json.Marshal(spec(cgroup, annotations))
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	return dir, os.WriteFile(filepath.Join(dir, "config.json"), text, 0o600)
}
