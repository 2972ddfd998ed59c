// SPDX-License-Identifier: Apache-2.0

package installation

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	securejoin "github.com/cyphar/filepath-securejoin"
	"golang.org/x/sys/unix"

	"github.com/runc-trace/runc-trace/docs/man"
	"github.com/runc-trace/runc-trace/pkg/config"
	"github.com/runc-trace/runc-trace/pkg/hostfile"
)

// linkDirs are candidates for the link to tracectl: it goes to the first writable one. The second is in PATH on
// systems with a read-only /usr.
var linkDirs = []string{"/usr/local/bin", "/opt/bin"}

// manDir is the directory in which man(1) finds pages of programs in /usr/local/bin.
const manDir = "/usr/local/share/man/man8"

// completions are the paths at which shells look for completion scripts that no package provides.
var completions = []struct{ shell, path string }{
	{"bash", "/usr/local/share/bash-completion/completions/" + tracectlName},
	{"zsh", "/usr/local/share/zsh/site-functions/_" + tracectlName},
	{"fish", "/usr/local/share/fish/vendor_completions.d/" + tracectlName + ".fish"},
}

// shellFiles returns the files that put the tracectl in dir into PATH, its manual into man's path, and its completion
// into the installed shells. It leaves other files at these paths alone, and reports them.
func (h Host) shellFiles(dir string,
	completion func(shell string) ([]byte, error)) (files []hostfile.File, notes []string, err error) {
	add := func(f hostfile.File) {
		f.For, f.Yields, f.Mode = forUser, true, 0o644
		files = append(files, f)
	}
	if program := path.Join(dir, tracectlName); !slices.Contains(standardDirs, dir) && !slices.Contains(linkDirs, dir) {
		at := slices.IndexFunc(linkDirs, h.writable)
		switch {
		case at < 0:
			notes = append(notes, fmt.Sprintf("tracectl is not in PATH, because %s cannot be written: run %s",
				strings.Join(linkDirs, " and "), program))
		default:
			add(hostfile.File{Path: path.Join(linkDirs[at], tracectlName), Link: program})
			if h.sudoLacks(linkDirs[at]) {
				notes = append(notes, fmt.Sprintf("sudo does not look in %s: run sudo %s, or add it to secure_path in /etc/sudoers",
					linkDirs[at], path.Join(linkDirs[at], tracectlName)))
			}
		}
	}
	if h.has("man") && h.writable(manDir) {
		pages, err := fs.ReadDir(man.Pages, ".")
		if err != nil {
			return nil, nil, err
		}
		for _, page := range pages {
			text, err := man.Pages.ReadFile(page.Name())
			if err != nil {
				return nil, nil, err
			}
			add(hostfile.File{Path: path.Join(manDir, page.Name()), Data: text})
		}
	}
	for _, c := range completions {
		if completion == nil || !h.has(c.shell) || !h.writable(c.path) {
			continue
		}
		text, err := completion(c.shell)
		if err != nil {
			return nil, nil, fmt.Errorf("making the completion for %s: %w", c.shell, err)
		}
		add(hostfile.File{Path: c.path, Data: text})
	}
	return files, notes, nil
}

// has reports whether a program is in one of the usual directories.
func (h Host) has(program string) bool {
	return slices.ContainsFunc([]string{"/usr/bin", "/bin", "/usr/local/bin"}, func(dir string) bool {
		return h.exists(path.Join(dir, program))
	})
}

// writable reports whether a file could be created at a path: its nearest existing directory is writable.
func (h Host) writable(file string) bool {
	for {
		at, err := securejoin.SecureJoin(h.Root, file)
		if err != nil {
			return false
		}
		err = unix.Access(at, unix.W_OK)
		if !errors.Is(err, unix.ENOENT) || file == "/" {
			return err == nil
		}
		file = path.Dir(file)
	}
}

// sudoLacks reports whether sudo has a list of directories for programs that does not contain dir.
func (h Host) sudoLacks(dir string) bool {
	text, err := h.readFile("/etc/sudoers")
	if err != nil {
		return false
	}
	lacks := false
	for line := range bytes.Lines(text) {
		fields := strings.Fields(string(line))
		if len(fields) == 0 || fields[0] != "Defaults" {
			continue
		}
		if _, folders, ok := strings.Cut(string(line), "secure_path"); ok {
			folders = strings.Trim(folders, "= \t\n\"")
			lacks = !slices.Contains(strings.Split(folders, ":"), dir)
		}
	}
	return lacks
}

// foreign names the files that are not written because another file is in their place.
func foreign(store *hostfile.Store, files []hostfile.File) ([]string, error) {
	paths, err := store.Foreign(files)
	if err != nil || len(paths) == 0 {
		return nil, err
	}
	const most = 3
	if more := len(paths) - most; more > 0 {
		paths = append(paths[:most:most], fmt.Sprintf("%d more", more))
	}
	return []string{fmt.Sprintf("left unchanged, because they are not runc-trace's: %s", strings.Join(paths, ", "))}, nil
}

// replaced says which existing programs and units are replaced that no installation has written.
func replaced(store *hostfile.Store, changes []hostfile.Change) []string {
	var notes []string
	for _, c := range changes {
		known := slices.ContainsFunc(store.Recorded(), func(r hostfile.Recorded) bool { return r.Path == c.Path })
		if c.Action == hostfile.Replace && !known && (c.For == forShim || c.For == forUnit) && c.Path != config.DefaultPath {
			notes = append(notes, c.Path+" is replaced, although tracectl did not install it: uninstall restores it")
		}
	}
	return notes
}

// withoutDiffs omits the diffs of manuals and generated scripts, which only make tracectl convenient.
func withoutDiffs(changes []hostfile.Change) []hostfile.Change {
	for i := range changes {
		if changes[i].For == forUser {
			changes[i].Diff = ""
		}
	}
	return changes
}
