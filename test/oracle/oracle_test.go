// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"os"
	"os/exec"
	"testing"

	"github.com/runc-trace/runc-trace/test/roottest"
)

// quickFloor is what the quick programs reach: a share of their calls are odd ones, which no other program makes.
var quickFloor = floor{present: 100, results: 100, args: 98, calls: 95, signals: 100, ends: 100, descriptors: 75}

// TestRecordingsReadLikeStrace is the quick form of `make oracle`.
func TestRecordingsReadLikeStrace(t *testing.T) {
	roottest.Require(t)
	bin := t.TempDir()
	for _, build := range []*exec.Cmd{
		exec.Command("make", "--silent", "--directory", "../..", "build-shim", "BIN="+bin),
		exec.Command("go", "build", "-trimpath", "-o", bin+"/", "../../cmd/tracectl"),
	} {
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if text, err := build.CombinedOutput(); err != nil {
			t.Fatalf("building the programs: %v\n%s", err, text)
		}
	}
	var out bytes.Buffer
	o := oracle{out: &out, bin: bin, quick: true, most: 60, floor: quickFloor}
	err := o.run(t.Context())
	if err != nil {
		t.Errorf("%v\n%s", err, &out)
	}
}
