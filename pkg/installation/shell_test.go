// SPDX-License-Identifier: Apache-2.0

package installation

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/runc-trace/runc-trace/pkg/engine"
	"github.com/runc-trace/runc-trace/pkg/hostfile/treetest"
	"github.com/runc-trace/runc-trace/test/roottest"
)

// shells holds the programs of a host with terminals.
var shells = map[string]string{"usr/bin/man": program, "bin/bash": program, "usr/bin/zsh": program,
	"usr/bin/fish": program}

// handy returns a request that also installs the manual and completion.
func handy(t *testing.T) Request {
	return request(t, "one", Request{Default: true, Completion: func(shell string) ([]byte, error) {
		return []byte("# for " + shell + "\n"), nil
	}})
}

// TestShell installs the link in PATH, the manual, and the completion of the installed shells, and removes them again.
func TestShell(t *testing.T) {
	t.Parallel()
	m := newMachine(t, engine.Podman)
	treetest.Write(t, m.root, shells)
	treetest.Write(t, m.root, map[string]string{
		"usr/local/bin/": "", "usr/local/share/man/": "", "usr/local/man": "-> share/man",
	})
	before := m.tree()
	report := m.install(handy(t))
	for name, want := range map[string]string{
		"usr/local/share/bash-completion/completions/tracectl":    "# for bash\n",
		"usr/local/share/zsh/site-functions/_tracectl":            "# for zsh\n",
		"usr/local/share/fish/vendor_completions.d/tracectl.fish": "# for fish\n",
		"usr/local/bin/tracectl":                                  m.contents("opt/runc-trace/bin/tracectl"),
		"usr/local/share/man/man8/tracectl-straceback-list.8":     manPage(t, "tracectl-straceback-list.8"),
		"usr/local/share/man/man8/runc-trace.8":                   manPage(t, "runc-trace.8"),
	} {
		if got := m.contents(name); got != want || want == "" {
			t.Errorf("%s is %.100q, want %.100q", name, got, want)
		}
	}
	for _, c := range report.Changes {
		if c.For == forUser && c.Diff != "" {
			t.Errorf("%s: a diff that nobody wants to read", c.Path)
		}
	}
	if again := m.install(handy(t)); len(again.Changes) > 0 {
		t.Errorf("installing again: %+v", again.Changes)
	}
	m.uninstall(Removal{})
	m.same("install and uninstall", before)

	for program := range shells {
		if err := os.Remove(filepath.Join(m.root, program)); err != nil {
			t.Fatal(err)
		}
	}
	m.install(handy(t))
	for name := range m.tree() {
		if strings.HasPrefix(name, "usr/local/share/") && name != "usr/local/share/man" {
			t.Errorf("%s was made, though nothing is there that would read it", name)
		}
	}
}

func manPage(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../../docs/man", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestShellYields leaves foreign files at our paths alone, created before the installation or after it.
func TestShellYields(t *testing.T) {
	t.Parallel()
	m := newMachine(t, engine.Podman)
	treetest.Write(t, m.root, shells)
	theirs := map[string]string{
		"usr/local/bin/tracectl": program + "# theirs", "usr/local/share/man/man8/tracectl.8": "theirs",
		"usr/local/share/zsh/site-functions/_tracectl/": "",
	}
	treetest.Write(t, m.root, theirs)
	before := m.tree()
	for range 2 {
		report := m.install(handy(t))
		if want := "left unchanged, because they are not runc-trace's: /usr/local/bin/tracectl, /usr/local/share/man/man8/tracectl.8, /usr/local/share/zsh/site-functions/_tracectl"; !strings.Contains(strings.Join(report.Notes,
			"\n"), want) {
			t.Errorf("notes: %q", report.Notes)
		}
	}
	m.uninstall(Removal{})
	m.same("install and uninstall", before)

	m = newMachine(t, engine.Podman)
	treetest.Write(t, m.root, shells)
	m.install(handy(t))
	for name := range theirs {
		if err := os.RemoveAll(filepath.Join(m.root, name)); err != nil {
			t.Fatal(err)
		}
	}
	treetest.Write(t, m.root, theirs)
	m.install(handy(t))
	m.uninstall(Removal{})
	if diff := cmp.Diff(names(before), names(m.tree())); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if text := m.contents("usr/local/bin/tracectl"); text != theirs["usr/local/bin/tracectl"] {
		t.Errorf("their tracectl is %q", text)
	}
}

// TestShellReadOnly creates the link in a writable directory, or else says where tracectl is.
func TestShellReadOnly(t *testing.T) {
	t.Parallel()
	roottest.OwnMounts(t)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	m := newMachine(t, engine.Podman)
	treetest.Write(t, m.root, shells)
	treetest.Write(t, m.root, map[string]string{
		"opt/bin/": "", "etc/sudoers": "# a comment\nDefaults\tsecure_path=\"/usr/sbin:/usr/bin\"\n",
	})
	readOnly := func(name string) {
		t.Helper()
		dir := filepath.Join(m.root, name)
		must(unix.Mount(dir, dir, "", unix.MS_BIND, ""))
		t.Cleanup(func() { must(unix.Unmount(dir, unix.MNT_DETACH)) })
		must(unix.Mount("", dir, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, ""))
	}
	before := m.tree()
	says := func(want string) {
		t.Helper()
		if report := m.install(handy(t)); !strings.Contains(strings.Join(report.Notes, "\n"), want) {
			t.Errorf("notes %q do not say %q", report.Notes, want)
		}
	}
	says("sudo does not look in /usr/local/bin: run sudo /usr/local/bin/tracectl, or add it to secure_path in /etc/sudoers")
	m.uninstall(Removal{})
	m.same("install and uninstall", before)

	readOnly("usr")
	says("sudo does not look in /opt/bin")
	if link, err := os.Readlink(filepath.Join(m.root, "opt/bin/tracectl")); link != "/opt/runc-trace/bin/tracectl" {
		t.Errorf("the link leads to %q, %v", link, err)
	}
	m.uninstall(Removal{})
	m.same("install and uninstall with a read-only /usr", before)

	readOnly("opt/bin")
	says("tracectl is not in PATH, because /usr/local/bin and /opt/bin cannot be written: run /opt/runc-trace/bin/tracectl")
	m.uninstall(Removal{})
	m.same("install and uninstall without a place for a link", before)
}
