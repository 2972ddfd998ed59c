// SPDX-License-Identifier: Apache-2.0

// Package packages tests the output of `make packages`: the contents, that the same commit gives the same bytes,
// and that installing and removing a package leaves the machine as it was. It needs root, dpkg, rpm, lintian and
// mksquashfs.
package packages

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/runc-trace/runc-trace/test/roottest"
)

// epoch replaces the time of a commit.
const epoch = "1700000000"

// Two versions, so that one can upgrade the other.
const (
	version = "v1.0.0-rc1"
	newer   = "v1.0.0"
)

// dist has the built packages: the first version for all architectures, the newer one for this machine.
var dist string

func TestMain(m *testing.M) {
	roottest.RequireAll()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	var err error
	if dist, err = os.MkdirTemp("", "runc-trace-dist-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dist)
	if err := build("../..", dist, version, "amd64 arm64"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if err := build("../..", filepath.Join(dist, "newer"), newer, runtime.GOARCH); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// build runs build.sh of a tree.
func build(tree, dist, version, archs string, env ...string) error {
	c := exec.Command("sh", filepath.Join(tree, "install/packages/build.sh"), dist)
	c.Env = append(os.Environ(), "VERSION="+version, "ARCHS="+archs, "SOURCE_DATE_EPOCH="+epoch)
	c.Env = append(c.Env, env...)
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("building version %s of %s: %w\n%s", version, tree, err, out)
	}
	return nil
}

// command runs a program on this machine and returns its output.
func command(t *testing.T, name string, args ...string) string {
	t.Helper()
	c := exec.Command(name, args...)
	var stdout, stderr bytes.Buffer
	c.Stdout, c.Stderr = &stdout, &stderr
	c.Env = append(os.Environ(), "LC_ALL=C", "TZ=UTC")
	if err := c.Run(); err != nil {
		t.Fatalf("%s %s: %v\n%s%s", name, strings.Join(args, " "), err, stdout.String(), stderr.String())
	}
	return stdout.String()
}

func TestNames(t *testing.T) {
	entries, err := os.ReadDir(dist)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	want := []string{
		"SHA256SUMS", "newer",
		"runc-trace-1.0.0~rc1-1.aarch64.rpm", "runc-trace-1.0.0~rc1-1.x86_64.rpm",
		"runc-trace-1.0.0~rc1-linux-amd64.tar.gz", "runc-trace-1.0.0~rc1-linux-arm64.tar.gz",
		"runc-trace_1.0.0~rc1-1_amd64.deb", "runc-trace_1.0.0~rc1-1_arm64.deb",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("what was built (-want +got):\n%s", diff)
	}
}

// TestVersions compares versions as dpkg does. TestRPM checks that rpm upgrades from the first to the second.
func TestVersions(t *testing.T) {
	tests := []string{ // each is older than the next
		"0.0.0+202311142213.abcdef0",
		"0.0.0+202311142214.1234567",
		"1.0.0~rc1-1",
		"1.0.0~rc1+2.gabcdef0-1",
		"1.0.0-1",
		"1.0.0+4.gabcdef0-1",
		"1.0.0+4.gabcdef0+dirty-1",
		"1.0.1-1",
	}
	for i := 1; i < len(tests); i++ {
		command(t, "dpkg", "--compare-versions", tests[i-1], "lt", tests[i])
	}
}

func TestSameBytes(t *testing.T) {
	tree, again := t.TempDir(), t.TempDir()
	command(t, "sh", "-c", `cd ../.. && git ls-files -z --cached --others --exclude-standard | tar -cf - --null --verbatim-files-from --ignore-failed-read -T - | tar -xf - -C "$1"`, "sh", tree)
	// One architecture is enough: the time and place of the build affect all in the same way.
	if err := build(tree, again, newer, runtime.GOARCH, "TZ=Asia/Tokyo", "LC_ALL=C.UTF-8"); err != nil {
		t.Fatal(err)
	}
	sums := func(dir string) string {
		text, err := os.ReadFile(filepath.Join(dir, "SHA256SUMS"))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	if diff := cmp.Diff(sums(filepath.Join(dist, "newer")), sums(again)); diff != "" {
		t.Errorf("the same tree gave other bytes elsewhere (-here +there):\n%s", diff)
	}
	command(t, "sh", "-c", `cd "$1" && sha256sum --check --strict SHA256SUMS`, "sh", again)
}
