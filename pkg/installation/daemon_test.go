// SPDX-License-Identifier: Apache-2.0

package installation

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/runc-trace/runc-trace/pkg/engine"
)

// TestStarted finds the process of an engine, even after its program was replaced, and ignores one of another engine.
func TestStarted(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "daemon (1)")
	data, err := os.ReadFile("/bin/sleep")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, data, 0o755); err != nil {
		t.Fatal(err)
	}
	shell, err := os.ReadFile("/bin/sh")
	if err != nil {
		t.Fatal(err)
	}
	docker := filepath.Join(filepath.Dir(file), "dockerd")
	if err := os.WriteFile(docker, shell, 0o755); err != nil {
		t.Fatal(err)
	}
	other := exec.Command(docker, "-c", `"$0" 60 & echo; read x; kill $!`, file)
	stdin, err := other.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := other.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { stdin.Close(); other.Wait() }()
	if _, err := stdout.Read(make([]byte, 1)); err != nil { // dockerd has started its daemon
		t.Fatal(err)
	}
	if at, running := Started(engine.Engine{Binary: file}); running {
		t.Fatalf("only dockerd runs it: %v", at)
	}
	before := time.Now()
	daemon := exec.Command(file, "60")
	if err := daemon.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { daemon.Process.Kill(); daemon.Wait() }()
	for _, change := range []func() error{
		func() error { return nil },
		func() error { return errors.Join(os.Remove(file), os.WriteFile(file, data, 0o755)) },
	} {
		if err := change(); err != nil {
			t.Fatal(err)
		}
		at, running := Started(engine.Engine{Binary: file})
		if !running || at.Before(before.Add(-time.Second)) || at.After(time.Now()) {
			t.Errorf("started at %v, %v; it was at %v", at, running, before)
		}
	}
}
