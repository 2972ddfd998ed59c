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

	"github.com/runc-trace/runc-trace/pkg/bpf"
	"github.com/runc-trace/runc-trace/pkg/config"
)

// benchShim measures the run time of processes: a runtime that does nothing, the same runtime started by a Go program
// that only execs it, and the same started by the shim, for a verb that passes through and for create, which registers
// a container.
func benchShim(rounds int, _ string) (err error) {
	if rounds == 0 {
		rounds = 300
	}
	dir, err := os.MkdirTemp("", "runc-trace-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if _, err := bpf.Load(benchDir, bpf.Options{Pool: config.DefaultPool()}); err != nil {
		return err
	}
	defer func() {
		_, unloadErr := bpf.Unload(benchDir)
		err = errors.Join(err, unloadErr)
	}()
	runtime, bare, shim, err := buildShims(dir)
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
	config := filepath.Join(dir, "config.toml")
	if err := os.WriteFile(config, fmt.Appendf(nil, "runtime = %q\npin-dir = %q\n", runtime, benchDir),
		0o600); err != nil {
		return err
	}
	environment := append(os.Environ(), "RUNC_TRACE_CONFIG="+config, "BAREEXEC_TARGET="+runtime)

	state := func(int) []string { return []string{"--root", dir, "state", "bench"} }
	createIn := func(bundle string) func(int) []string {
		return func(n int) []string {
			return []string{"--root", dir, "--log", "/dev/null", "--log-format", "json", "create", "--bundle", bundle,
				"bench" + strconv.Itoa(n)}
		}
	}
	create := createIn(bundle)
	variants := []struct {
		name    string
		program string
		args    func(n int) []string
		took    []float64
	}{
		{name: "the runtime itself", program: runtime, args: create},
		{name: "a Go program that only execs it", program: bare, args: create},
		{name: "runc-trace state", program: shim, args: state},
		{name: "runc-trace create", program: shim, args: create},
		{name: "runc-trace create, of CRI-O's", program: shim, args: createIn(crio)},
		{name: "a Go program that only execs it, again (control)", program: bare, args: create},
	}
	for n := range rounds + 5 {
		// The order changes each time, because a process finds the caches as the one before left them.
		for _, i := range rand.Perm(len(variants)) {
			v := &variants[i]
			c := exec.Command(v.program, v.args(n)...)
			c.Env = environment
			start := time.Now()
			if err := c.Run(); err != nil {
				return fmt.Errorf("running %s: %w", v.name, err)
			}
			if n >= 5 {
				v.took = append(v.took, float64(time.Since(start).Microseconds())/1000)
			}
		}
	}
	fmt.Printf("milliseconds a process, %d interleaved rounds\n\n| | least | median | beyond the bare exec of the same round, median |\n|---|---|---|---|\n", rounds)
	for _, v := range variants {
		beyond := make([]float64, rounds)
		for n := range beyond {
			beyond[n] = v.took[n] - variants[1].took[n]
		}
		fmt.Printf("| %s | %.2f | %.2f | %+.2f |\n", v.name, slices.Min(v.took), median(slices.Clone(v.took)), median(beyond))
	}
	return nil
}

// buildShims builds a runtime that does nothing, a program that only execs it, and the shim.
func buildShims(dir string) (runtime, bare, shim string, err error) {
	runtime, bare, shim = filepath.Join(dir, "runtime"), filepath.Join(dir, "bareexec"), filepath.Join(dir, "runc-trace")
	source := filepath.Join(dir, "runtime.c")
	if err := os.WriteFile(source, []byte("int main(void) { return 0; }\n"), 0o600); err != nil {
		return "", "", "", err
	}
	build := func(name string, args ...string) error {
		c := exec.Command(name, args...)
		c.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := c.CombinedOutput(); err != nil {
			return fmt.Errorf("building with %s %v: %w: %s", name, args, err, out)
		}
		return nil
	}
	return runtime, bare, shim, errors.Join(
		build("gcc", "-O2", "-static", "-o", runtime, source),
		build("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", bare, "./test/bench/bareexec"),
		build("make", "--silent", "build-shim", "BIN="+dir),
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
