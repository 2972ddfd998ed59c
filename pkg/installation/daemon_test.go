// SPDX-License-Identifier: Apache-2.0

package installation

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// TestStarted finds processes by their program, even after the program was replaced.
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
	if at, running := Started(file); running {
		t.Fatalf("a program that does not run: %v", at)
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
		at, running := Started(file)
		if !running || at.Before(before.Add(-time.Second)) || at.After(time.Now()) {
			t.Errorf("started at %v, %v; it was at %v", at, running, before)
		}
	}
}
