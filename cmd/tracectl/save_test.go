// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/labels"
	"github.com/runc-trace/runc-trace/pkg/straceback"
	"github.com/runc-trace/runc-trace/pkg/syscalls"
	"github.com/runc-trace/runc-trace/pkg/syscalls/recordtest"
)

// arm is the recording of a machine with arm64: number 56 is openat there, and no call of that kind on amd64.
func arm() *straceback.Reading {
	c := syscalls.Call{Native: syscalls.ARM64, ABI: syscalls.ARM64, Nr: 56, PID: 9, TID: 9, Time: 2e9, Duration: 5000,
		Comm: []byte("app"), NArgs: 3, Args: [6]uint64{1<<64 - 100, 0x7000, 0}, Result: -2,
		Captures: []syscalls.Capture{{Arg: 1, Data: []byte("/etc/app.conf\x00")}}}
	return &straceback.Reading{
		Container: &labels.Container{Namespace: "shop", Pod: "web", Name: "app", ID: "4f1c", Labels: map[string]string{},
			State: abi.StateEnded, ExitStatus: 3 << 8, Created: 1e9, Started: 1e9, Exited: 3e9, Ended: 3e9},
		Calls: &straceback.Calls{Native: syscalls.ARM64, Oldest: 2e9, Newest: 2e9 + 5000,
			Records: []straceback.Record{{Bytes: recordtest.Append(nil, &c)}}},
		Boot: time.Unix(1_700_000_000, 0), Now: 4e9,
	}
}

// TestFrom reads a recording of another machine, whole and damaged. It needs no Linux.
func TestFrom(t *testing.T) {
	path := filepath.Join(t.TempDir(), "web.rec")
	var file bytes.Buffer
	if err := writeRecording(&file, arm()); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, file.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	broken := filepath.Join(t.TempDir(), "broken.rec")
	if err := os.WriteFile(broken, file.Bytes()[:file.Len()-30], 0o600); err != nil {
		t.Fatal(err)
	}
	mended := filepath.Join(t.TempDir(), "mended.rec")
	const call = `"/etc/app.conf", flags=O_RDONLY) = -1 ENOENT (No such file or directory)`
	for _, c := range []struct {
		args           string
		code           int
		stdout, stderr string // parts of it
	}{
		{"straceback show --from " + path, 0, call, ""},
		{"straceback show shop/web --from " + path + " -e openat", 0, call, ""},
		{"straceback show --from " + path + " -e read", 0, "", "none of the 1 recorded calls matches"},
		{"straceback show other --from " + path, exitNotFound, "", `no recording of "other"`},
		{"straceback show --from " + path + " --follow", exitUsage, "", "--follow and --from cannot be combined"},
		{"straceback show --from " + path + " --previous", exitUsage, "", "--previous and --from cannot be combined"},
		{"straceback list --from " + path, 0, "exited (3)", ""},
		{"straceback list --from " + path + " --names", 0, "shop/web/app\n", ""},
		{"straceback list --from " + path + " -o json", 0, `"ring":-1`, ""},
		{"straceback list --from " + path + " -n other", exitNotFound, "", "other"},
		{"why --from " + path, 0, "exited with code 3", ""},
		{"why --from " + broken, 0, "exited with code 3", "broken.rec is damaged: its end is missing; nothing else is lost"},
		{"why --from " + path + "x", exitFailure, "", "web.recx"},
		{"why --from " + filepath.Dir(path), exitFailure, "", "it is a directory"},
		{"why", exitUsage, "", "missing argument: tracectl why NAME"},
		{"save --from " + broken, exitUsage, "", "missing -o FILE"},
		{"save --from " + broken + " -o " + mended, 0, "", "is damaged"},
		{"save --from " + broken + " -o " + mended, exitFailure, "", "exists; --force replaces it"},
		{"save --from " + broken + " --force -o " + mended, 0, "", "is damaged"},
		{"save --from " + broken + " --force -o " + filepath.Dir(path), exitFailure, "", "not a regular file"},
		{"straceback show --from " + mended, 0, call, ""},
	} {
		var stdout, stderr bytes.Buffer
		code := run(strings.Fields(c.args), strings.NewReader(""), &stdout, &stderr)
		if code != c.code || !strings.Contains(stdout.String(), c.stdout) || !strings.Contains(stderr.String(), c.stderr) ||
			c.stderr == "" && stderr.Len() > 0 || c.stdout == "" && stdout.Len() > 0 {
			t.Errorf("%s: %d\n%s%s", c.args, code, &stdout, &stderr)
		}
	}
	if info, err := os.Stat(mended); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file is %v, %v", info, err)
	}
}

// TestCreateFile fails to write a file: what was there is kept, and nothing else is left.
func TestCreateFile(t *testing.T) {
	fails := func(w io.Writer) error {
		_, _ = io.WriteString(w, "half")
		return errors.New("no luck")
	}
	dir := t.TempDir()
	if err := createFile(filepath.Join(dir, "new"), false, fails); err == nil {
		t.Error("no error")
	}
	old := filepath.Join(dir, "old")
	if err := os.WriteFile(old, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := createFile(old, true, fails); err == nil {
		t.Error("no error")
	}
	left, err := os.ReadDir(dir)
	if text, _ := os.ReadFile(old); err != nil || len(left) != 1 || string(text) != "old" {
		t.Errorf("left are %v, %v, with %q", left, err, text)
	}
}
