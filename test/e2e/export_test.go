// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestExport exports a container's calls in each form, to standard output and to a file.
func TestExport(t *testing.T) {
	x := load(t)
	x.runContainer(simple("told", "/bin/sh", "-c", "echo hello; cat /etc/nothing; exit 3"))
	log := x.tracectl("export", "told", "-e", "write,exit_group", "--comm", "sh")
	if !strings.Contains(log, `"hello\n", 6) = 6 <0.`) || !strings.HasSuffix(log, "+++ exited with 3 +++\n") {
		t.Errorf("strace's log is\n%s", log)
	}
	failed := objects[callJSON](t, x.tracectl("export", "told", "--format=json", "--path=/etc/nothing", "--failed"))
	if len(failed) == 0 || failed[0].Errno != "ENOENT" {
		t.Errorf("the failure is %+v", failed)
	}
	file := filepath.Join(x.dir, "trace.json")
	if err := os.WriteFile(file, []byte("old"), 0o644); err != nil {
		t.Fatal(err)
	}
	x.tracectl("export", "told", "--format=perfetto", "-o", file)
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var trace struct{ TraceEvents []struct{ Name, Ph string } }
	if err := json.Unmarshal(text, &trace); err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	last := len(trace.TraceEvents) - 1
	if last < 10 || trace.TraceEvents[0].Name != "process_name" || trace.TraceEvents[last].Name != "exited with 3" {
		t.Errorf("the trace is\n%s", text)
	}
	if is, err := os.Stat(file); err != nil || is.Mode().Perm() != 0o600 {
		t.Errorf("others may read the file: %v, %v", is.Mode(), err)
	}
	if o := x.run(tracectlPath, "export", "told", "-o", x.dir+"/none/file"); o.code != 1 || o.stdout != "" {
		t.Errorf("a file in no directory: exit code %d, %s", o.code, o.stdout)
	}
}
