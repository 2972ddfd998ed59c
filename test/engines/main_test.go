// SPDX-License-Identifier: Apache-2.0

// Package engines runs real container engines with runc, and with runc-trace instead, and checks that they behave
// the same, except for the output of tracectl. Each test has a machine of its own: see machine.
//
// Only `make e2e` runs these tests. It installs and builds the engines (deps.sh, build.sh) and then sets
// RUNC_TRACE_ENGINES=1; an engine missing then is a failure.
package engines

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	machines "github.com/runc-trace/runc-trace/test/machine"
)

// cache is the directory of build.sh's engines.
const cache = "/var/cache/runc-trace-e2e"

var (
	scratch  string // a directory of this process
	programs string // a directory with runc-trace and tracectl
	images   string // a directory with images, as archives
)

func TestMain(m *testing.M) {
	machines.Main()
	if os.Getenv("RUNC_TRACE_ENGINES") != "1" {
		fmt.Println("not run: `make e2e` runs the tests with real engines")
		os.Exit(0)
	}
	os.Exit(func() int {
		var err error
		if scratch, err = os.MkdirTemp("", "runc-trace-engines-"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(scratch)
		if err := setUp(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return m.Run()
	}())
}

func setUp() error {
	if os.Geteuid() != 0 {
		return errors.New("the tests with real engines make namespaces and containers: run them as root")
	}
	programs, images = filepath.Join(scratch, "programs"), filepath.Join(scratch, "images")
	build := exec.Command("make", "--silent", "--directory", "../..", "build", "BIN="+programs)
	if text, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("building the programs: %w\n%s", err, text)
	}
	return makeImages(images)
}
