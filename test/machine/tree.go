// SPDX-License-Identifier: Apache-2.0

package machine

import (
	"fmt"
	"os/exec"
	"slices"
	"strings"
)

// list is a script that lists the files below the directories before --, except those below the directories after
// it.
const list = `
dirs= but=
while [ "$1" != -- ]; do [ ! -e "$1" ] || dirs="$dirs $1"; shift; done
shift
[ -n "$dirs" ] || exit 0
for dir; do but="$but -path $dir -prune -o"; done
find $dirs $but -type d -printf '%p %m %U %G\n' -o -printf '%p %y %m %U %G %s %T@ %l\n' | sort
find $dirs $but -type f -exec sha256sum {} + | sort -k 2
`

// Tree lists the files below dirs, except those below but, with mode, owner, size, time and a checksum. Directories
// are listed without their time, since temporary files change it. Names of directories must not contain spaces.
//
// For a directory that is an overlay on the machine below, Tree lists only the differences, since other programs
// may write there at the same time. A file that exists only in the machine below is listed as missing.
func (m *Machine) Tree(dirs []string, but ...string) (string, error) {
	var own, over []string
	for _, dir := range dirs {
		if slices.ContainsFunc(overlaid, func(o string) bool { return dir == o || strings.HasPrefix(dir, o+"/") }) {
			over = append(over, dir)
		} else {
			own = append(own, dir)
		}
	}
	lines, err := m.list(m.Command, own, but)
	if err != nil {
		return "", err
	}
	// A file below that changes during the listing is equal in the first or the last list.
	var below [2]map[string]bool
	var here map[string]bool
	outside := func(args ...string) *exec.Cmd { return exec.Command(args[0], args[1:]...) }
	for _, look := range []struct {
		command func(...string) *exec.Cmd
		found   *map[string]bool
	}{{outside, &below[0]}, {m.Command, &here}, {outside, &below[1]}} {
		found, err := m.list(look.command, over, but)
		if err != nil {
			return "", err
		}
		*look.found = map[string]bool{}
		for _, line := range found {
			(*look.found)[line] = true
		}
	}
	paths := map[string]bool{}
	for line := range here {
		paths[pathOf(line)] = true
		if !below[0][line] && !below[1][line] {
			lines = append(lines, line)
		}
	}
	for line := range below[0] {
		if path := pathOf(line); below[1][line] && !paths[path] {
			paths[path] = true
			lines = append(lines, "missing: "+path)
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n") + "\n", nil
}

// list runs the script.
func (m *Machine) list(command func(...string) *exec.Cmd, dirs, but []string) ([]string, error) {
	if len(dirs) == 0 {
		return nil, nil
	}
	args := append([]string{"sh", "-ec", list, "sh"}, dirs...)
	c := command(append(append(args, "--"), but...)...)
	var stdout, stderr strings.Builder
	c.Stdout, c.Stderr = &stdout, &stderr
	// A file that was removed after find saw it is not an error, and is not listed.
	if err := c.Run(); err != nil && !strings.Contains(stderr.String(), "No such file or directory") {
		return nil, fmt.Errorf("listing files: %w\n%s", err, stderr.String())
	}
	return slices.DeleteFunc(strings.Split(stdout.String(), "\n"), func(line string) bool { return line == "" }), nil
}

// pathOf returns the path in a line of the script, which comes first or follows a checksum.
func pathOf(line string) string {
	fields := strings.Fields(line)
	for _, field := range fields {
		if strings.HasPrefix(field, "/") {
			return field
		}
	}
	return line
}
