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
	f, err := regular.Open("/proc/" + strconv.Itoa(pid) + "/cmdline")
	if err != nil {
		return
	}
	defer f.Close()
	text := make([]byte, argumentsLimit)
	n, err := f.Read(text)
	if err != nil {
		return
	}
	identity.AddMetadata(who, conmonName(text[:n], identity.String(who.ID[:])), "", nil, rules)
}

// conmonName returns the name that conmon was given for the container with an ID. It returns "" if the arguments
// are not conmon's, or are for another container.
func conmonName(arguments []byte, id string) string {
	words := bytes.Split(arguments, []byte{0})
	words = words[:len(words)-1] // nothing, or a truncated word, follows the last NUL
	if len(words) == 0 || path.Base(string(words[0])) != "conmon" {
		return ""
	}
	var container, name string
	for i := 1; i+1 < len(words); i++ {
		switch value := string(words[i+1]); string(words[i]) {
		case "-c", "--cid":
			container, i = value, i+1
		case "-n", "--name":
			name, i = value, i+1
		}
		if container != "" && name != "" {
			break
		}
	}
	if container != id {
		return ""
	}
	return name
}
