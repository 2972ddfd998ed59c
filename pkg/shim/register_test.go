// SPDX-License-Identifier: Apache-2.0

package shim

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestSpecPath finds the file as the runtime does, after entering the bundle.
func TestSpecPath(t *testing.T) {
	directory := t.TempDir()
	for path, text := range map[string]string{"real/below/x": "",
		"real/bundle/config.json": `{"linux": {"cgroupsPath": "/right"}}`,
		"bundle/config.json":      `{"linux": {"cgroupsPath": "/wrong"}}`} {
		path = filepath.Join(directory, path)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(
		os.Symlink("real/below", filepath.Join(directory, "link")),
		os.Symlink("config.json", filepath.Join(directory, "real/bundle/other.json")),
		syscall.Mkfifo(filepath.Join(directory, "bundle/pipe"), 0o600),
	); err != nil {
		t.Fatal(err)
	}
	t.Chdir(filepath.Join(directory, "bundle"))
	for op, want := range map[Operation]string{
		{}:                                       "/wrong",
		{Bundle: "../link/../bundle"}:            "/right",
		{Bundle: directory + "/link/../bundle/"}: "/right",
		{Bundle: "../real/bundle", SpecFile: "other.json"}:                     "/right",
		{Bundle: "/nowhere", SpecFile: directory + "/real/bundle/config.json"}: "/right",
		{Bundle: "../real/bundle", SpecFile: "../../bundle/config.json"}:       "/wrong",
	} {
		if s, err := readSpec(op, Runc); err != nil || s.Linux.CgroupsPath != want {
			t.Errorf("%+v: %q, %v; want %q", op, s.Linux.CgroupsPath, err, want)
		}
	}
	if _, err := readSpec(Operation{SpecFile: "pipe"}, Runc); err == nil {
		t.Error("a pipe was read, of which the runtime then finds nothing")
	}
}
