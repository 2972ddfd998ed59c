// SPDX-License-Identifier: Apache-2.0

package packages

import (
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// image makes an image with install/KIND/build.sh and unpacks it. It returns the name of its file, its listing and
// its root.
func image(t *testing.T, kind, arch string) (name, listed, root string) {
	t.Helper()
	dir := t.TempDir()
	built := strings.TrimSpace(command(t, "sh", "../../install/"+kind+"/build.sh", tarball(arch), dir))
	root = filepath.Join(dir, "root")
	command(t, "unsquashfs", "-quiet", "-no-progress", "-dest", root, built)
	return filepath.Base(built), command(t, "unsquashfs", "-lls", built), root
}

// TestSameImages checks that the same tarball gives the same image.
func TestSameImages(t *testing.T) {
	for _, kind := range []string{"sysext", "torcx"} {
		var images [2]string
		for i := range images {
			images[i] = strings.TrimSpace(command(t, "sh", "../../install/"+kind+"/build.sh", tarball("amd64"), t.TempDir()))
		}
		command(t, "cmp", images[0], images[1])
	}
}

func read(t *testing.T, elem ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(elem...))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// unit returns the unit's file with the programs in another directory.
func unit(t *testing.T, bin string) string {
	t.Helper()
	text := read(t, "../../install/runc-trace.service")
	if !strings.Contains(text, "/opt/runc-trace/bin/tracectl load") {
		t.Fatalf("the unit does not load the programs:\n%s", text)
	}
	return strings.ReplaceAll(text, "/opt/runc-trace/bin/", bin+"/")
}

func TestSysext(t *testing.T) {
	tests := []struct{ arch, name, architecture string }{
		{"amd64", "runc-trace-1.0.0~rc1-x86-64.raw", "x86-64"},
		{"arm64", "runc-trace-1.0.0~rc1-arm64.raw", "arm64"},
	}
	for _, test := range tests {
		name, listed, root := image(t, "sysext", test.arch)
		golden(t, "sysext.golden", list(t, listed))
		type contents struct{ name, release, unit, wants string }
		units := filepath.Join(root, "usr/lib/systemd/system")
		got := contents{
			name,
			read(t, root, "usr/lib/extension-release.d/extension-release.runc-trace"),
			read(t, units, "runc-trace.service"),
			read(t, units, "multi-user.target.d/10-runc-trace.conf"),
		}
		want := contents{
			test.name,
			"ID=_any\nARCHITECTURE=" + test.architecture + "\nEXTENSION_RELOAD_MANAGER=1\n",
			unit(t, "/usr/bin"),
			"[Unit]\nWants=runc-trace.service\n",
		}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(contents{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.arch, diff)
		}
	}
}

// TestSysextMerges merges the unpacked image with systemd: an image file would need a loop device of this machine.
func TestSysextMerges(t *testing.T) {
	m := newMachine(t)
	_, _, root := image(t, "sysext", runtime.GOARCH)
	m.run("mkdir", "-p", "/run/extensions/runc-trace")
	if err := unix.Mount(root, m.root+"/run/extensions/runc-trace", "", unix.MS_BIND, ""); err != nil {
		t.Fatal(err)
	}
	m.run("systemd-sysext", "merge")
	if out := m.run("/usr/bin/tracectl", "version"); !strings.HasPrefix(out, "tracectl "+version+" ") {
		t.Errorf("this is not %s: %s", version, out)
	}
	m.run("systemd-analyze", "verify", "/usr/lib/systemd/system/runc-trace.service")
	m.run("systemd-sysext", "unmerge")
	if got := m.changes("/var/cache/man"); got != nil {
		t.Errorf("the machine is not as it was: %q", got)
	}
}

// TestTorcx checks the image as torcx reads it: every path in the manifest must be in the image.
func TestTorcx(t *testing.T) {
	for _, arch := range []string{"amd64", "arm64"} {
		name, listed, root := image(t, "torcx", arch)
		if want := "runc-trace:1.0.0_rc1-" + arch + ".torcx.squashfs"; name != want {
			t.Errorf("the image is %s, want %s", name, want)
		}
		listed, _ = withoutPages(t, listed)
		golden(t, "torcx.golden", listed)
		if diff := cmp.Diff(unit(t, "/run/torcx/bin"), read(t, root, "lib/systemd/system/runc-trace.service")); diff != "" {
			t.Errorf("unit (-want +got):\n%s", diff)
		}

		var manifest struct {
			Kind  string              `json:"kind"`
			Value map[string][]string `json:"value"`
		}
		if err := json.Unmarshal([]byte(read(t, root, ".torcx/manifest.json")), &manifest); err != nil {
			t.Fatal(err)
		}
		if manifest.Kind != "image-manifest-v0" {
			t.Errorf("the manifest is of the kind %q", manifest.Kind)
		}
		assets := 0
		for kind, paths := range manifest.Value {
			if kind != "bin" && kind != "units" {
				t.Errorf("the manifest has %q", kind)
			}
			for _, path := range paths {
				if _, err := os.Stat(filepath.Join(root, path)); err != nil {
					t.Errorf("%s of the manifest: %v", kind, err)
				}
				assets++
			}
		}
		if assets != 4 {
			t.Errorf("the manifest names %d paths, want 4", assets)
		}
	}
}

// TestTorcxProfile checks that the profile names the image as docs/flatcar.md puts it into the store.
func TestTorcxProfile(t *testing.T) {
	type named struct {
		Name      string `json:"name"`
		Reference string `json:"reference"`
	}
	type profile struct {
		Kind  string `json:"kind"`
		Value struct {
			Images []named `json:"images"`
		} `json:"value"`
	}
	var got, want profile
	if err := json.Unmarshal([]byte(read(t, "../../install/torcx/profile.json")), &got); err != nil {
		t.Fatal(err)
	}
	want.Kind = "profile-manifest-v0"
	want.Value.Images = []named{{"runc-trace", "current"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("profile (-want +got):\n%s", diff)
	}
	if !strings.Contains(read(t, "../../docs/flatcar.md"), "/var/lib/torcx/store/runc-trace:current.torcx.squashfs") {
		t.Error("docs/flatcar.md puts no image of that name into the store")
	}
}
