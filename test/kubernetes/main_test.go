// SPDX-License-Identifier: Apache-2.0

// Package kubernetes runs runc-trace on a real cluster: etcd, an API server, a scheduler, a controller manager and
// two nodes with a kubelet and containerd. Each node is a machine of its own (test/machine), on a network that only
// the cluster uses. The first test that needs the cluster makes it (see use), and all tests share it.
//
// Only `make e2e-k8s` runs these tests. It installs and builds their dependencies (deps.sh, build.sh,
// test/engines/build.sh) and then sets RUNC_TRACE_KUBERNETES=1; a dependency missing then is a failure.
package kubernetes

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/runc-trace/runc-trace/test/machine"
)

// cache is the directory in which the programs of Kubernetes and containerd are built.
const cache = "/var/cache/runc-trace-e2e"

var (
	scratch       string // a directory of this process
	programs      string // a directory with runc-trace, tracectl and the tests' own
	logs          string // a directory with the output of the cluster's programs
	kubernetesBin string // the directory in which build.sh puts the programs of Kubernetes
)

func TestMain(m *testing.M) {
	machine.Main()
	if os.Getenv("RUNC_TRACE_KUBERNETES") != "1" {
		fmt.Println("not run: `make e2e-k8s` runs the tests with Kubernetes")
		os.Exit(0)
	}
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	tidyUp(code == 0)
	os.Exit(code)
}

// tidyUp removes the files of this process. It keeps the logs if a test failed.
func tidyUp(wentWell bool) {
	if wentWell || logs == "" {
		os.RemoveAll(scratch)
		return
	}
	fmt.Fprintln(os.Stderr, "what the cluster's programs said is in", logs)
	entries, _ := os.ReadDir(scratch)
	for _, e := range entries {
		if path := filepath.Join(scratch, e.Name()); path != logs {
			os.RemoveAll(path)
		}
	}
}

// run runs the tests, ends the cluster, and checks that nothing of it is left on this machine.
func run(m *testing.M) (int, error) {
	if os.Geteuid() != 0 {
		return 1, errors.New("the tests with Kubernetes make namespaces and containers: run them as root")
	}
	if err := setUp(); err != nil {
		return 1, err
	}
	// Machines end with this process, in any case.
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-interrupted
		tidyUp(false)
		os.Exit(130)
	}()
	before, err := lookAtHost()
	if err != nil {
		return 1, err
	}
	code := m.Run()
	if err := end(); err != nil {
		return 1, err
	}
	after, err := lookAtHost()
	if err != nil {
		return 1, err
	}
	return code, before.compare(after)
}

func setUp() error {
	var err error
	if scratch, err = os.MkdirTemp("", "runc-trace-kubernetes-"); err != nil {
		return err
	}
	// Containers of the kubelet must be able to read the programs.
	if err := os.Chmod(scratch, 0o755); err != nil {
		return err
	}
	programs = filepath.Join(scratch, "programs")
	version := exec.Command("go", "list", "-m", "-f", "{{.Version}}", "k8s.io/kubernetes")
	version.Dir = "components"
	text, err := version.Output()
	if err != nil {
		return fmt.Errorf("asking for the version of Kubernetes: %w", err)
	}
	kubernetesBin = filepath.Join(cache, "kubernetes-"+strings.TrimPrefix(strings.TrimSpace(string(text)), "v"), "bin")
	for _, build := range []*exec.Cmd{
		exec.Command("make", "--silent", "--directory", "../..", "build-shim", "BIN="+programs),
		exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", programs+"/",
			"../../cmd/tracectl", "./testdata/client", "./testdata/pause"),
	} {
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if text, err := build.CombinedOutput(); err != nil {
			return fmt.Errorf("building the programs: %w\n%s", err, text)
		}
	}
	// kubectl's plugin.
	if err := os.Symlink("tracectl", filepath.Join(programs, "kubectl-runc_trace")); err != nil {
		return err
	}
	logs = filepath.Join(scratch, "logs")
	return os.Mkdir(logs, 0o755)
}
