// SPDX-License-Identifier: Apache-2.0

package main

import (
	"archive/tar"
	"bytes"
	"debug/elf"
	"debug/gosym"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

// The input of the tested image.
const (
	version  = "v1.0.0-rc1"
	revision = "0123456789abcdef0123456789abcdef01234567"
	epoch    = 1700000000
)

// archive is the path of the image built by build.sh.
var archive string

func TestMain(m *testing.M) { os.Exit(test(m)) }

func test(m *testing.M) int {
	dir, err := os.MkdirTemp("", "runc-trace-image-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	if archive, err = build("../..", dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// build runs build.sh of a tree, and returns the path that it prints.
func build(tree, dist string, env ...string) (string, error) {
	c := exec.Command("sh", filepath.Join(tree, "install/image/build.sh"), dist)
	c.Env = append(os.Environ(), "VERSION="+version, "REVISION="+revision,
		fmt.Sprintf("SOURCE_DATE_EPOCH=%d", epoch), "ARCHS=amd64 arm64")
	c.Env = append(c.Env, env...)
	var stderr bytes.Buffer
	c.Stderr = &stderr
	out, err := c.Output()
	if err != nil {
		return "", fmt.Errorf("building the image of %s: %w\n%s%s", tree, err, out, stderr.Bytes())
	}
	return strings.TrimSpace(string(out)), nil
}

func TestSameBytes(t *testing.T) {
	tree := t.TempDir()
	copying := exec.Command("sh", "-c", `cd ../.. && git ls-files -z --cached --others --exclude-standard | tar -cf - --null --verbatim-files-from --ignore-failed-read -T - | tar -xf - -C "$1"`, "sh", tree)
	if out, err := copying.CombinedOutput(); err != nil {
		t.Fatalf("copying the tree: %v\n%s", err, out)
	}
	again, err := build(tree, t.TempDir(), "TZ=Asia/Tokyo", "LC_ALL=C.UTF-8")
	if err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("cmp", archive, again).CombinedOutput(); err != nil {
		t.Errorf("the same tree gave other bytes elsewhere: %s", out)
	}
}

// TestIndex reads the whole archive, checks each digest and size, and compares all metadata of the images.
func TestIndex(t *testing.T) {
	dir := unpack(t)
	path, err := layout.FromPath(dir)
	if err != nil {
		t.Fatal(err)
	}
	outer, err := path.ImageIndex()
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Index(outer); err != nil {
		t.Fatal(err)
	}
	type platform struct {
		Platform string
		Config   v1.ConfigFile
		Types    []types.MediaType
	}
	type index struct {
		Type        types.MediaType
		Annotations map[string]string
		Platforms   []platform
	}
	var got []index
	manifest, err := outer.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	for _, named := range manifest.Manifests {
		inner, err := outer.ImageIndex(named.Digest)
		if err != nil {
			t.Fatal(err)
		}
		manifest, err := inner.IndexManifest()
		if err != nil {
			t.Fatal(err)
		}
		i := index{named.MediaType, named.Annotations, nil}
		for _, m := range manifest.Manifests {
			image, err := inner.Image(m.Digest)
			if err != nil {
				t.Fatal(err)
			}
			config, err := image.ConfigFile()
			if err != nil {
				t.Fatal(err)
			}
			manifest, err := image.Manifest()
			if err != nil {
				t.Fatal(err)
			}
			if len(config.RootFS.DiffIDs) != 1 {
				t.Errorf("%s has %d layers, want 1", m.Platform, len(config.RootFS.DiffIDs))
			}
			config.RootFS.DiffIDs = nil // checked against the layer by validate
			i.Platforms = append(i.Platforms, platform{m.Platform.String(), *config,
				[]types.MediaType{m.MediaType, manifest.Config.MediaType, manifest.Layers[0].MediaType}})
		}
		got = append(got, i)
	}
	created := v1.Time{Time: time.Unix(epoch, 0).UTC()}
	config := func(arch string) v1.ConfigFile {
		return v1.ConfigFile{
			Architecture: arch, OS: "linux", Created: created,
			History: []v1.History{{Created: created, CreatedBy: "install/image/build.sh"}},
			RootFS:  v1.RootFS{Type: "layers"},
			Config: v1.Config{
				Entrypoint: []string{"/usr/local/bin/tracectl"}, Env: []string{"PATH=/usr/local/bin"}, WorkingDir: "/",
				Labels: map[string]string{
					"org.opencontainers.image.created":       "2023-11-14T22:13:20Z",
					"org.opencontainers.image.description":   "flight recorder for containers: every system call, every exec, by label",
					"org.opencontainers.image.documentation": "https://github.com/runc-trace/runc-trace/blob/main/docs/kubernetes.md",
					"org.opencontainers.image.licenses":      "Apache-2.0 AND (GPL-2.0-only OR BSD-2-Clause)",
					"org.opencontainers.image.revision":      revision,
					"org.opencontainers.image.source":        "https://github.com/runc-trace/runc-trace",
					"org.opencontainers.image.title":         "runc-trace",
					"org.opencontainers.image.url":           "https://github.com/runc-trace/runc-trace",
					"org.opencontainers.image.version":       version,
				},
			},
		}
	}
	oci := []types.MediaType{"application/vnd.oci.image.manifest.v1+json", "application/vnd.oci.image.config.v1+json",
		"application/vnd.oci.image.layer.v1.tar+gzip"}
	want := []index{{
		"application/vnd.oci.image.index.v1+json",
		map[string]string{"io.containerd.image.name": "localhost/runc-trace:" + version,
			"org.opencontainers.image.ref.name": version},
		[]platform{{"linux/amd64", config("amd64"), oci}, {"linux/arm64", config("arm64"), oci}},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the index (-want +got):\n%s", diff)
	}
}

// beginOf returns the function at a program's entry point, as test/entry, which this module cannot import.
func beginOf(t *testing.T, program *elf.File) string {
	t.Helper()
	table, err := program.Section(".gopclntab").Data()
	if err != nil {
		t.Fatal(err)
	}
	symbols, err := gosym.NewTable(nil, gosym.NewLineTable(table, program.Section(".text").Addr))
	if err != nil {
		t.Fatal(err)
	}
	return symbols.PCToFunc(program.Entry).Name
}

// TestFiles lists each platform's layer, and checks that its programs are static and for that platform.
func TestFiles(t *testing.T) {
	machines := map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}
	for arch, machine := range machines {
		var got []string
		for _, f := range files(t, arch) {
			h := f.header
			got = append(got, fmt.Sprintf("%s %d:%d %d %s", h.FileInfo().Mode(), h.Uid, h.Gid, h.ModTime.Unix(), h.Name))
			if !strings.HasPrefix(h.Name, "usr/local/bin/") || h.Typeflag != tar.TypeReg {
				continue
			}
			program, err := elf.NewFile(bytes.NewReader(f.data))
			if err != nil {
				t.Fatalf("%s: %v", h.Name, err)
			}
			if program.Machine != machine {
				t.Errorf("%s for %s is for %s", h.Name, arch, program.Machine)
			}
			if begin := beginOf(t, program); (begin == "runc_trace_entry") != strings.HasSuffix(h.Name, "/runc-trace") {
				t.Errorf("%s for %s begins with %q", h.Name, arch, begin)
			}
			for _, p := range program.Progs {
				if p.Type == elf.PT_INTERP || p.Type == elf.PT_DYNAMIC {
					t.Errorf("%s for %s is not static", h.Name, arch)
				}
			}
		}
		want := []string{
			"drwxr-xr-x 0:0 1700000000 usr/",
			"drwxr-xr-x 0:0 1700000000 usr/local/",
			"drwxr-xr-x 0:0 1700000000 usr/local/bin/",
			"-rwxr-xr-x 0:0 1700000000 usr/local/bin/runc-trace",
			"-rwxr-xr-x 0:0 1700000000 usr/local/bin/tracectl",
			"drwxr-xr-x 0:0 1700000000 usr/share/",
			"drwxr-xr-x 0:0 1700000000 usr/share/doc/",
			"drwxr-xr-x 0:0 1700000000 usr/share/doc/runc-trace/",
			"-rw-r--r-- 0:0 1700000000 usr/share/doc/runc-trace/LICENSE",
			"-rw-r--r-- 0:0 1700000000 usr/share/doc/runc-trace/THIRD-PARTY",
			"-rw-r--r-- 0:0 1700000000 usr/share/doc/runc-trace/copyright",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("files for %s (-want +got):\n%s", arch, diff)
		}
	}
}

// TestEntryPoint runs the image's program with only the image as its root.
func TestEntryPoint(t *testing.T) {
	root := t.TempDir()
	for _, f := range files(t, runtime.GOARCH) {
		path := filepath.Join(root, f.header.Name)
		var err error
		if f.header.Typeflag == tar.TypeDir {
			err = os.Mkdir(path, 0o755)
		} else {
			err = os.WriteFile(path, f.data, f.header.FileInfo().Mode())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	c := exec.Command(entryPoint, "version")
	c.Path, c.Dir, c.Env = entryPoint, "/", []string{}
	c.SysProcAttr = &syscall.SysProcAttr{Chroot: root}
	out, err := c.CombinedOutput()
	if err != nil || !strings.HasPrefix(string(out), "tracectl "+version+" ") {
		t.Errorf("%s version: %v (the test needs root)\n%s", entryPoint, err, out)
	}
}

// TestDockerfile checks that the Dockerfile gives the same configuration.
func TestDockerfile(t *testing.T) {
	text, err := os.ReadFile("Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	_, last, _ := strings.Cut(string(text), "\nFROM scratch\n")
	want := "COPY --from=build /image /\nENV PATH=/usr/local/bin\nENTRYPOINT [\"" + entryPoint + "\"]\n"
	if diff := cmp.Diff(want, last); diff != "" {
		t.Errorf("the last stage (-want +got):\n%s", diff)
	}
	if !regexp.MustCompile(`(?m)^RUN GOARCH=\$TARGETARCH VERSION=\$VERSION sh install/image/root.sh /image$`).Match(text) {
		t.Error("the Dockerfile does not use root.sh")
	}
}

func TestRefused(t *testing.T) {
	file := filepath.Join(t.TempDir(), "image.tar")
	with := func(version string, args ...string) []string {
		return append([]string{"-o", file, "-version", version}, args...)
	}
	empty := t.TempDir()
	link := t.TempDir()
	if err := os.Symlink("/etc", filepath.Join(link, "etc")); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		args []string
		want string
	}{
		{with("1.0.0~rc1", "amd64="+empty), `version "1.0.0~rc1" cannot be an image's tag`},
		{with("", "amd64="+empty), `version "" cannot be an image's tag`},
		{with("v1"), "at least one ARCH=DIRECTORY"},
		{with("v1", "amd64"), `"amd64" is not ARCH=DIRECTORY`},
		{with("v1", "amd64="+link), "is neither a file nor a directory"},
		{with("v1", "amd64=/nowhere"), "no such file or directory"},
	}
	for _, test := range tests {
		if err := run(test.args); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q: error %v, want %q", test.args, err, test.want)
		}
		if left, _ := filepath.Glob(filepath.Dir(file) + "/*"); left != nil {
			t.Errorf("%q left %q", test.args, left)
		}
	}
}

// unpack writes the archive's files into a directory.
func unpack(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if out, err := exec.Command("tar", "-xf", archive, "-C", dir).CombinedOutput(); err != nil {
		t.Fatalf("unpacking: %v\n%s", err, out)
	}
	return dir
}

type file struct {
	header tar.Header
	data   []byte
}

// files returns the files of the layer for an architecture, in order.
func files(t *testing.T, arch string) []file {
	t.Helper()
	outer, err := layout.ImageIndexFromPath(unpack(t))
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := outer.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	inner, err := outer.ImageIndex(manifest.Manifests[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	if manifest, err = inner.IndexManifest(); err != nil {
		t.Fatal(err)
	}
	for _, m := range manifest.Manifests {
		if m.Platform.Architecture != arch {
			continue
		}
		image, err := inner.Image(m.Digest)
		if err != nil {
			t.Fatal(err)
		}
		layers, err := image.Layers()
		if err != nil {
			t.Fatal(err)
		}
		return read(t, layers[0])
	}
	t.Fatalf("the archive has nothing for %s", arch)
	return nil
}

func read(t *testing.T, layer v1.Layer) []file {
	t.Helper()
	r, err := layer.Uncompressed()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var files []file
	for archive := tar.NewReader(r); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(archive)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file{*header, data})
	}
}
