// SPDX-License-Identifier: Apache-2.0

package packages

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"debug/elf"
	"errors"
	"flag"
	"io"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"sort"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/runc-trace/runc-trace/test/entry"
)

var update = flag.Bool("update", false, "write the golden files")

// golden compares got with a file below testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got; -update writes it):\n%s", name, diff)
	}
}

var (
	manPage = regexp.MustCompile(`/((?:runc-trace|tracectl)[a-z-]*\.8)(?:\.gz)?$`)
	// listing matches a line of tar, rpm or unsquashfs: mode, owner, size, time, name.
	listing = regexp.MustCompile(`^(\S{10}) +(?:\d+ +)?(\w+)[/ ]+(\w+) +\d+ (?:\d{4}-\d\d-\d\d \d\d:\d\d|\w{3} +\d+ +[\d:]+) +(.*)$`)
)

// list normalizes a listing to mode, owner and name. It checks that all man pages are present, and leaves them out.
func list(t *testing.T, text string) string {
	t.Helper()
	text, pages := withoutPages(t, text)
	want, err := filepath.Glob("../../docs/man/*.8")
	if err != nil {
		t.Fatal(err)
	}
	for i := range want {
		want[i] = filepath.Base(want[i])
	}
	if diff := cmp.Diff(want, pages); diff != "" {
		t.Errorf("man pages (-want +got):\n%s", diff)
	}
	return text
}

// withoutPages normalizes a listing, and returns the man pages apart.
func withoutPages(t *testing.T, text string) (string, []string) {
	t.Helper()
	var lines, pages []string
	for line := range strings.Lines(text) {
		m := listing.FindStringSubmatch(strings.TrimSpace(line))
		if m == nil {
			t.Fatalf("no line of a listing: %q", line)
		}
		if page := manPage.FindStringSubmatch(m[4]); page != nil {
			pages = append(pages, page[1])
			continue
		}
		name := m[4]
		if inside, ok := strings.CutPrefix(name, "squashfs-root"); ok {
			name = "/" + strings.TrimPrefix(inside, "/")
		}
		lines = append(lines, m[1]+" "+m[2]+":"+m[3]+" "+name+"\n")
	}
	sort.Strings(pages)
	return strings.Join(lines, ""), pages
}

func TestContents(t *testing.T) {
	for _, arch := range []string{"amd64", "arm64"} {
		golden(t, "deb.golden", list(t, command(t, "dpkg-deb", "--contents", deb(arch))))
		golden(t, "rpm.golden", list(t, command(t, "rpm", "-qplv", rpm(arch))))
		golden(t, "tarball.golden", strings.ReplaceAll(list(t, command(t, "tar", "-tvzf", tarball(arch))), arch, "ARCH"))
		golden(t, "control-"+arch+".golden", command(t, "dpkg-deb", "--field", deb(arch),
			"Package", "Version", "Section", "Priority", "Architecture", "Maintainer", "Depends", "Suggests",
			"Homepage", "Description"))
		golden(t, "rpm-"+arch+".golden", command(t, "rpm", "-qp", "--qf",
			"%{NEVRA}\n%{LICENSE}\n%{SUMMARY}\n%{BUILDHOST}\n[%{REQUIRES} %{REQUIREFLAGS:depflags} %{REQUIREVERSION}\n]", rpm(arch)))
		command(t, "rpm", "-K", "--nosignature", rpm(arch))
	}
}

func deb(arch string) string { return filepath.Join(dist, "runc-trace_1.0.0~rc1-1_"+arch+".deb") }
func rpm(arch string) string {
	return filepath.Join(dist, "runc-trace-1.0.0~rc1-1."+
		map[string]string{"amd64": "x86_64", "arm64": "aarch64"}[arch]+".rpm")
}
func tarball(arch string) string {
	return filepath.Join(dist, "runc-trace-1.0.0~rc1-linux-"+arch+".tar.gz")
}

// TestScripts checks that both packages have the same scripts.
func TestScripts(t *testing.T) {
	control := t.TempDir()
	command(t, "dpkg-deb", "--control", deb("amd64"), control)
	for script, tag := range map[string]string{"postinst": "POSTIN", "prerm": "PREUN", "postrm": "POSTUN"} {
		want, err := os.ReadFile(filepath.Join("../../install/packages", script+".sh"))
		if err != nil {
			t.Fatal(err)
		}
		inDeb, err := os.ReadFile(filepath.Join(control, script))
		if err != nil {
			t.Fatal(err)
		}
		inRPM := command(t, "rpm", "-qp", "--qf", "%{"+tag+"}", rpm("amd64"))
		if string(inDeb) != string(want) || inRPM != string(want) {
			t.Errorf("%s is not the same everywhere", script)
		}
	}
}

func TestLintian(t *testing.T) {
	// The exit code 0 means no error, and no warning without a reason in lintian-overrides.
	command(t, "lintian", "--profile", "debian", "--allow-root", "--fail-on", "error,warning", deb("amd64"), deb("arm64"))
}

// TestPrograms checks that the programs run on any Linux of their architecture.
func TestPrograms(t *testing.T) {
	for arch, machine := range map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64} {
		for name, program := range programs(t, arch) {
			f, err := elf.NewFile(bytes.NewReader(program))
			if err != nil {
				t.Fatalf("%s for %s: %v", name, arch, err)
			}
			if f.Machine != machine || f.Type != elf.ET_EXEC {
				t.Errorf("%s for %s is %v of %v", name, arch, f.Type, f.Machine)
			}
			if begin, err := entry.Of(f); err != nil || (begin == entry.Shim) != (name == "runc-trace") {
				t.Errorf("%s for %s begins with %q, %v", name, arch, begin, err)
			}
			for _, p := range f.Progs {
				if p.Type == elf.PT_INTERP || p.Type == elf.PT_DYNAMIC {
					t.Errorf("%s for %s is not static: it has %v", name, arch, p.Type)
				}
			}
			for _, s := range f.Sections {
				if s.Name == ".symtab" || strings.HasPrefix(s.Name, ".debug") || strings.HasPrefix(s.Name, ".zdebug") {
					t.Errorf("%s for %s is not stripped: it has %s", name, arch, s.Name)
				}
			}
			t.Logf("%s for %s: %d bytes", name, arch, len(program))
		}
	}
}

// programs extracts both programs from the tarball.
func programs(t *testing.T, arch string) map[string][]byte {
	t.Helper()
	file, err := os.Open(tarball(arch))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	zipped, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string][]byte{}
	for r := tar.NewReader(zipped); ; {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if name := path.Base(header.Name); name == "runc-trace" || name == "tracectl" {
			if header.Typeflag != tar.TypeReg {
				continue
			}
			if found[name], err = io.ReadAll(r); err != nil {
				t.Fatal(err)
			}
		}
	}
	if len(found) != 2 {
		t.Fatalf("%d of 2 programs are in the tarball for %s", len(found), arch)
	}
	return found
}
