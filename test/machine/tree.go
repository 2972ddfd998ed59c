// SPDX-License-Identifier: Apache-2.0

package machine

import "fmt"

// list is a script that lists the files below the directories before --, without those below the directories after it.
const list = `
dirs= but=
while [ "$1" != -- ]; do [ ! -e "$1" ] || dirs="$dirs $1"; shift; done
shift
for dir; do but="$but -path $dir -prune -o"; done
find $dirs $but -type d -printf '%p %m %U %G\n' -o -printf '%p %y %m %U %G %s %T@ %l\n' | sort
find $dirs $but -type f -exec sha256sum {} + | sort -k 2
`

// Tree lists the files below some directories, but not those below others, with mode, owner, size and time, and a sum of each
// one's content. A directory's time says that something was in it meanwhile, and is not listed. Directories' names have no spaces.
func (m *Machine) Tree(dirs []string, but ...string) (string, error) {
	args := append([]string{"sh", "-ec", list, "sh"}, dirs...)
	o, err := m.Run(append(append(args, "--"), but...)...)
	if err != nil {
		return "", err
	}
	if o.Code != 0 {
		return "", fmt.Errorf("listing files: exit code %d\n%s", o.Code, o.Stderr)
	}
	return o.Stdout, nil
}
