// SPDX-License-Identifier: Apache-2.0

package enginefiles

import (
	"bytes"
	"path"
	"strconv"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/identity"
	"github.com/runc-trace/runc-trace/pkg/regular"
)

// argumentsLimit is the number of bytes of conmon's arguments that are read. The ones needed come first.
const argumentsLimit = 4 << 10

// AddConmon adds the name of a Podman container, which the spec does not contain. It reads the name from the arguments
// of the conmon that monitors the container: conmon(8). pid is the process that may be conmon: the parent of the
// runtime, or of the container's init. AddConmon does nothing for other engines, or if the name is known.
func AddConmon(who *abi.Who, pid int, rules identity.Rules) {
	if identity.String(who.Engine[:]) != "podman" || who.Container[0] != 0 || who.Flags&abi.WhoSandbox != 0 {
		return
	}
	name, _ := readConmon(pid, identity.String(who.ID[:]))
	identity.AddMetadata(who, name, "", nil, rules)
}

// readConmon reads the name and the PID file that conmon was given for the container with an ID. It returns "" if the
// process is not conmon, or monitors another container.
func readConmon(pid int, id string) (name, pidFile string) {
	f, err := regular.Open("/proc/" + strconv.Itoa(pid) + "/cmdline")
	if err != nil {
		return "", ""
	}
	defer f.Close()
	text := make([]byte, argumentsLimit)
	n, err := f.Read(text)
	if err != nil {
		return "", ""
	}
	return parseConmon(text[:n], id)
}

// parseConmon is like readConmon for a process with these arguments.
func parseConmon(arguments []byte, id string) (name, pidFile string) {
	words := bytes.Split(arguments, []byte{0})
	words = words[:len(words)-1] // nothing, or a truncated word, follows the last NUL
	if len(words) == 0 || path.Base(string(words[0])) != "conmon" {
		return "", ""
	}
	var container string
	for i := 1; i+1 < len(words); i++ {
		var value *string
		switch string(words[i]) {
		case "-c", "--cid":
			value = &container
		case "-n", "--name":
			value = &name
		case "-p", "--container-pidfile":
			value = &pidFile
		}
		if value == nil {
			continue
		}
		if i++; *value == "" {
			*value = string(words[i])
		}
	}
	if container != id {
		return "", ""
	}
	return name, pidFile
}
