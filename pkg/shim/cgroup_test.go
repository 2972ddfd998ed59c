// SPDX-License-Identifier: Apache-2.0

package shim

import (
	"bytes"
	"errors"
	"path"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/cgroups/systemd"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
)

func TestLocate(t *testing.T) {
	for _, test := range []struct {
		name        string
		dialect     Dialect
		driver      Driver
		cgroupsPath string
		want        Cgroup // empty if an error is wanted
	}{
		{"absolute", Runc, Cgroupfs, "/kubepods/burstable/pod1/x", Cgroup{Path: "/kubepods/burstable/pod1/x"}},
		{"not clean", Runc, Cgroupfs, "/a//b/../c/", Cgroup{Path: "/a/c"}},
		{"relative", Runc, Cgroupfs, "a/b", Cgroup{Path: "/a/b", Relative: true}},
		{"relative and out of it", Runc, Cgroupfs, "../../a", Cgroup{Path: "/a", Relative: true}},
		{"a colon means nothing", Runc, Cgroupfs, "a.slice:p:n", Cgroup{Path: "/a.slice:p:n", Relative: true}},
		{"none", Runc, Cgroupfs, "", Cgroup{Path: "/ID", Relative: true}},
		{"longer than any path", Runc, Cgroupfs, strings.Repeat("/a", 2049), Cgroup{}},
		{"the root", Runc, Cgroupfs, "/", Cgroup{}},
		{"the root, relative", Runc, Cgroupfs, "..", Cgroup{}},
		{"a name longer than of a file", Runc, Cgroupfs, "/" + strings.Repeat("n", 256),
			Cgroup{Path: "/" + strings.Repeat("n", 256)}},
		{"longer only before it is clean", Runc, Cgroupfs, strings.Repeat("/.", 3000) + "/x", Cgroup{Path: "/x"}},

		{"scope", Runc, Systemd, "system.slice:docker:x", Cgroup{Path: "/system.slice/docker-x.scope"}},
		{"nested slice", Runc, Systemd, "kubepods-besteffort-pod1.slice:cri-containerd:x",
			Cgroup{Path: "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod1.slice/cri-containerd-x.scope"}},
		{"no slice", Runc, Systemd, ":p:x", Cgroup{Path: "/system.slice/p-x.scope"}},
		{"root slice", Runc, Systemd, "-.slice:p:x", Cgroup{Path: "/p-x.scope"}},
		{"no path", Runc, Systemd, "", Cgroup{Path: "/system.slice/runc-ID.scope"}},
		{"a slice for a container", Runc, Systemd, "a.slice:p:a-b.slice", Cgroup{Path: "/a.slice/a-b.slice"}},
		{"no prefix", Runc, Systemd, "a.slice::x", Cgroup{Path: "/a.slice/-x.scope"}},
		{"two parts", Runc, Systemd, "a.slice:x", Cgroup{}},
		{"four parts", Runc, Systemd, "a.slice:p:x:y", Cgroup{}},
		{"a path for systemd", Runc, Systemd, "/a/b", Cgroup{}},
		{"no slice's name", Runc, Systemd, "a:p:x", Cgroup{}},
		{"a slice with a slash", Runc, Systemd, "a/b.slice:p:x", Cgroup{}},
		{"a scope as long as can be", Runc, Systemd, "a.slice:p:" + strings.Repeat("n", 247),
			Cgroup{Path: "/a.slice/p-" + strings.Repeat("n", 247) + ".scope"}},
		{"a scope too long", Runc, Systemd, "a.slice:p:" + strings.Repeat("n", 248), Cgroup{}},
		{"a slice too long", Runc, Systemd, strings.Repeat("a-", 4000) + "a.slice:p:x", Cgroup{}},
		{"a slice with an empty part", Runc, Systemd, "a--b.slice:p:x", Cgroup{}},

		{"crun, absolute", Crun, Cgroupfs, "/a/b", Cgroup{Path: "/a/b"}},
		{"crun, relative", Crun, Cgroupfs, "a/b", Cgroup{Path: "/a/b"}},
		{"crun, none", Crun, Cgroupfs, "", Cgroup{Path: "/ID"}},
		{"crun, scope", Crun, Systemd, "machine.slice:libpod:x", Cgroup{Path: "/machine.slice/libpod-x.scope"}},
		{"crun, two parts", Crun, Systemd, "a.slice:x", Cgroup{Path: "/a.slice/x.scope"}},
		{"crun, no slice", Crun, Systemd, ":p:x", Cgroup{Path: "/system.slice/p-x.scope"}},
		{"crun, no path", Crun, Systemd, "", Cgroup{Path: "/system.slice/crun-ID.scope"}},
		{"crun, a slice for a container", Crun, Systemd, "a.slice:p:b.slice", Cgroup{Path: "/a.slice/p-b.slice.scope"}},
		{"crun, a name too long", Crun, Systemd, strings.Repeat("n", 250), Cgroup{}},
		{"crun, a name alone", Crun, Systemd, "x", Cgroup{Path: "/x.scope", Relative: true}},
		{"crun without cgroups", Crun, NoCgroup, "/a/b", Cgroup{}},
	} {
		got, err := Locate(test.dialect, test.driver, test.cgroupsPath, "ID")
		if (err != nil) != (test.want == Cgroup{}) {
			t.Errorf("%s: error %v", test.name, err)
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}

// TestRefused checks that Locate tells paths that the runtime refuses from those that only have no cgroup of their own.
func TestRefused(t *testing.T) {
	for _, test := range []struct {
		driver      Driver
		cgroupsPath string
		refused     bool
	}{
		{Systemd, "/a/b", true},
		{Systemd, "a--b.slice:p:x", true},
		{Cgroupfs, "/a\x00/b", true},
		{Cgroupfs, strings.Repeat("/n", 2048), true},
		{Systemd, ":p:" + strings.Repeat("n", 256), true},
		{Cgroupfs, "/", false},
		{NoCgroup, "/a/b", false},
	} {
		_, err := Locate(Runc, test.driver, test.cgroupsPath, "ID")
		if err == nil || errors.Is(err, errRefused) != test.refused {
			t.Errorf("%q: %v", test.cgroupsPath, err)
		}
	}
}

func TestCgroupEnd(t *testing.T) {
	part := "/" + strings.Repeat("p", 99)
	for _, test := range []struct{ path, want string }{
		{"/a/b", "/a/b"},
		{strings.Repeat(part, 5), strings.Repeat(part, 5)},
		{strings.Repeat(part, 5) + "/" + strings.Repeat("q", 10), strings.Repeat(part, 5) + "/" + strings.Repeat("q", 10)},
		{strings.Repeat(part, 5) + "/" + strings.Repeat("q", 11), strings.Repeat(part, 4) + "/" + strings.Repeat("q", 11)},
		{strings.Repeat(part, 50), strings.Repeat(part, 5)},
		{"/a/" + strings.Repeat("n", 510), "/" + strings.Repeat("n", 510)},
		{"/a/" + strings.Repeat("n", 511), ""},
	} {
		if got := (Cgroup{Path: test.path}).End(); got != test.want || len(got) >= abi.PathSize {
			t.Errorf("the end of %d bytes is %d bytes %q, want %q", len(test.path), len(got), got, test.want)
		}
	}
}

// FuzzLocate checks the invariants of paths, and compares slices with runc's own code.
func FuzzLocate(f *testing.F) {
	f.Add("a-b-c.slice", "x")
	f.Add("-.slice", "")
	f.Add("a.slice:p:n", "x")
	f.Add("/kubepods/pod1/x", "x")
	f.Add("../..", "..")
	f.Fuzz(func(t *testing.T, cgroupsPath, container string) {
		if len(cgroupsPath) > 4096 {
			return
		}
		want, wantErr := systemd.ExpandSlice(cgroupsPath)
		got, err := expandSlice(cgroupsPath)
		if got != want || (err == nil) != (wantErr == nil) {
			t.Errorf("slice %q: %q, %v, runc has %q, %v", cgroupsPath, got, err, want, wantErr)
		}
		for _, dialect := range []Dialect{Runc, Crun} {
			for _, driver := range []Driver{Cgroupfs, Systemd} {
				c, err := Locate(dialect, driver, cgroupsPath, container)
				if err != nil {
					continue
				}
				end, key := c.End(), c.Key()
				if path.Clean(c.Path) != c.Path || c.Path[0] != '/' || len(end) >= abi.PathSize ||
					end != "" && (end[0] != '/' || !strings.HasSuffix(c.Path, end) || path.Base(end) != c.Leaf()) ||
					!strings.HasPrefix(c.Leaf(), string(bytes.TrimRight(key[:], "\x00"))) || key[len(key)-1] != 0 {
					t.Errorf("%q, %q: %+v with leaf %q and end %q", cgroupsPath, container, c, c.Leaf(), end)
				}
			}
		}
	})
}
