// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/runc-trace/runc-trace/pkg/bucket/buckettest"
)

// archived runs an agent that saves recordings below the test's directory. more are lines of [archive].
func (x *tracer) archived(more ...string) (directory string, agent *agentRun) {
	x.t.Helper()
	directory = filepath.Join(x.dir, "archive")
	x.useRuntime(runcPath, append([]string{"[archive]", fmt.Sprintf("directory = %q", directory)}, more...)...)
	return directory, x.agent()
}

// files returns the recordings in an archive, the oldest first.
func (x *tracer) files(directory string) []string {
	x.t.Helper()
	files, err := filepath.Glob(filepath.Join(directory, "*.rec"))
	if err != nil {
		x.t.Fatal(err)
	}
	slices.Sort(files)
	return files
}

// crash runs a container that fails.
func (x *tracer) crash(name string) {
	x.t.Helper()
	b := bundle{id: name, args: []string{"/bin/sh", "-c", "/bin/cat /etc/" + name + ".conf; : password=hunter2; exit 3"},
		annotations: within(name, "app")}
	if o := x.runContainer(b); o.code != 3 {
		x.t.Fatalf("%+v", o)
	}
}

// TestArchive has the agent save the recordings of containers that fail. All commands read them, also after they are
// gone from memory, and after all is unloaded.
func TestArchive(t *testing.T) {
	x := load(t)
	directory, agent := x.archived()
	x.runContainer(simple("fine", "/bin/true"))
	x.crash("bad")
	eventually(t, "the recording is saved", func() bool { return len(x.files(directory)) == 1 })
	file := x.files(directory)[0]
	if info, err := os.Stat(file); err != nil || info.Mode() != 0o600 {
		t.Errorf("the file is %v, %v", info, err)
	}
	if calls := x.tracectl("straceback", "show", "--from", file, "--no-redact", "-o", "json"); !strings.Contains(calls,
		"password=*") || strings.Contains(calls, "hunter2") {
		t.Errorf("secrets in the file are not masked:\n%.3000s", calls)
	}
	if info, err := os.Stat(directory); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the directory is %v, %v", info, err)
	}
	if name := filepath.Base(file); !regexp.MustCompile(`^\d{8}T\d{6}\.\d{3}Z-[0-9a-f]{16}\.rec$`).MatchString(name) {
		t.Errorf("the file is called %s", name)
	}
	list := x.recordings()
	if len(list) != 2 || list[0].Archive+list[1].Archive != "" {
		t.Errorf("while they are in memory: %+v", list)
	}
	verbs := [][]string{{"why", "bad", "-o", "json"}, {"straceback", "show", "bad", "--failed", "-o", "json"},
		{"summary", "bad", "-o", "json"}, {"tree", "bad", "-o", "json"}}
	var before []string
	for _, verb := range verbs {
		before = append(before, x.tracectl(verb...))
	}
	if _, metrics := agent.get("/metrics"); !strings.Contains(metrics,
		`runc_trace_archive_recordings_total{outcome="saved"} 1`) {
		t.Errorf("metrics:\n%s", metrics)
	}
	agent.stop()

	for _, state := range []string{"unloaded", "loaded again"} {
		x.tracectl("unload")
		if state == "loaded again" {
			x.tracectl("load", "--no-adopt", "--recordings=16", "--identities=64", "--exec-log-size=1MiB")
		}
		for n, verb := range verbs {
			o := x.run(tracectlPath, verb...)
			if diff := cmp.Diff(before[n], o.stdout); o.code != 0 || diff != "" {
				t.Errorf("%s: %v: %+v, (-memory +archive):\n%s", state, verb, o, diff)
			}
			if !strings.Contains(o.stderr, "is from the archive: "+file) {
				t.Errorf("%s: %v says %s", state, verb, o.stderr)
			}
		}
		o := x.run(tracectlPath, "straceback", "list")
		if o.code != 0 || !strings.Contains(o.stdout, "archived") || strings.Count(o.stdout, "\n") != 2 {
			t.Errorf("%s: the list is %+v", state, o)
		}
	}

	agent = x.agent()
	x.crash("bad")
	eventually(t, "the second run is saved, too", func() bool { return len(x.files(directory)) == 2 })
	if found := x.tracectl("find", "/etc/bad.conf"); strings.Count(found, "bad.conf") != 2 {
		t.Errorf("find says:\n%s", found)
	}
	if o := x.run(tracectlPath, "why", "bad"); strings.Contains(o.stderr, "archive") {
		t.Errorf("the newest run is in memory, but: %s", o.stderr)
	}
	if o := x.run(tracectlPath, "why", "bad", "--previous"); !strings.Contains(o.stderr, file) {
		t.Errorf("the run before is in the archive, but: %s", o.stderr)
	}
	if o := x.run(tracectlPath, "keep", "bad", "--previous"); o.code != 1 || !strings.Contains(o.stderr, "copy "+file) {
		t.Errorf("keeping one of the archive: %+v", o)
	}
	broken := filepath.Join(directory, "20991231T000000.000Z-0123456789abcdef.rec")
	if err := os.WriteFile(broken, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	o := x.run(tracectlPath, "why", "bad")
	if o.code != 0 || !strings.Contains(o.stderr, "left out 1 file that cannot be read") {
		t.Errorf("beside a damaged file: %+v", o)
	}
	if err := os.Remove(broken); err != nil {
		t.Fatal(err)
	}
	agent.stop()
	x.agent() // it does not save again what it has saved
	x.crash("other")
	eventually(t, "a further one is saved", func() bool { return len(x.files(directory)) == 3 })
	x.tracectl("rm", "bad", "--all-runs")
	if files := x.files(directory); len(files) != 1 {
		t.Errorf("after rm: %q", files)
	}
	if o := x.run(tracectlPath, "why", "bad"); o.code != 4 {
		t.Errorf("after rm: %+v", o)
	}
	status := x.tracectl("status")
	if !strings.Contains(status, "archive      1 recording, ") || !strings.Contains(status, "3 saved") {
		t.Errorf("status:\n%s", status)
	}
}

// TestArchiveRules saves only what the configuration asks for, as far as there is room.
func TestArchiveRules(t *testing.T) {
	x := load(t)
	directory, _ := x.archived(`status = ["3", "SIGSEGV"]`, `namespaces = ["!other"]`, "max-files = 2", "per-hour = 2")
	x.runContainer(bundle{id: "another", args: []string{"/bin/sh", "-c", "exit 4"}, annotations: within("another", "app")})
	for range 3 { // the third one is one too many of one container
		x.crash("often")
	}
	x.crash("last")
	eventually(t, "all are looked at", func() bool {
		c := x.archiveCounts(directory)
		return c["saved"] == 3 && c["limited"] == 1 && c["removed"] == 1
	})
	if files := x.files(directory); len(files) != 2 {
		t.Errorf("files: %q", files)
	}
	if o := x.run(tracectlPath, "doctor"); !strings.Contains(o.stdout, "archive") {
		t.Errorf("doctor:\n%s", o.stdout)
	}
}

func (x *tracer) archiveCounts(directory string) map[string]float64 {
	x.t.Helper()
	text, err := os.ReadFile(filepath.Join(directory, "counts.json"))
	if os.IsNotExist(err) {
		return nil
	}
	all, counts := map[string]any{}, map[string]float64{}
	if err == nil {
		err = json.Unmarshal(text, &all)
	}
	if err != nil {
		x.t.Fatal(err)
	}
	for name, value := range all {
		if n, ok := value.(float64); ok {
			counts[name] = n
		}
	}
	return counts
}

// TestBucket copies recordings to a bucket. If it cannot be reached, they are copied as soon as it can be, also by
// another agent.
func TestBucket(t *testing.T) {
	x := load(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	if err := listener.Close(); err != nil { // from here on, nothing answers
		t.Fatal(err)
	}
	x.within = []string{"env", "AWS_ACCESS_KEY_ID=" + buckettest.AccessKey, "AWS_SECRET_ACCESS_KEY=secret"}
	directory, agent := x.archived(fmt.Sprintf("bucket = %q", "s3://crashes/traces?endpoint=http://"+address))
	x.crash("first")
	eventually(t, "the recording is saved, and not copied", func() bool {
		_, err := os.Stat(filepath.Join(directory, "counts.json"))
		_, metrics := agent.get("/metrics")
		return err == nil && len(x.files(directory)) == 1 && strings.Contains(metrics, `archive_problem{step="copy"} 1`)
	})
	agent.stop()
	if status := x.tracectl("status"); !strings.Contains(status, "1 wait for the bucket") {
		t.Errorf("status:\n%s", status)
	}
	x.agent()
	bucket := &buckettest.Store{}
	if listener, err = net.Listen("tcp", address); err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: bucket}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	x.crash("second")
	eventually(t, "both are copied", func() bool { return x.archiveCounts(directory)["copied"] == 2 })
	for _, file := range x.files(directory) {
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		got := bucket.Objects()["/crashes/traces/node/"+filepath.Base(file)]
		if !slices.Equal(want, got) {
			t.Errorf("the copy of %s has %d bytes of %d", file, len(got), len(want))
		}
	}
}

// TestArchiveMisses counts recordings whose memory is used again while the agent sleeps.
func TestArchiveMisses(t *testing.T) {
	x := load(t, "--recordings=1")
	directory, agent := x.archived()
	x.crash("first")
	eventually(t, "the first is saved", func() bool { return x.archiveCounts(directory)["saved"] == 1 })
	if err := agent.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"second", "third", "last"} {
		x.crash(name)
	}
	if err := agent.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the last is saved, and the others are counted", func() bool {
		c := x.archiveCounts(directory)
		return c["saved"] == 2 && c["missed"] == 2
	})
	if o := x.run(tracectlPath, "doctor"); !strings.Contains(o.stdout,
		"2 recordings used again before the agent could save them") {
		t.Errorf("doctor:\n%s", o.stdout)
	}
}
