// SPDX-License-Identifier: Apache-2.0

package told

import (
	"bytes"
	"path"
	"strconv"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/identity"
	"github.com/runc-trace/runc-trace/pkg/regular"
)

// argumentsLimit is how many bytes of the arguments of conmon are looked at. Those that are needed come first.
const argumentsLimit = 4 << 10

// Conmon adds the name of one of Podman's containers, which Podman does not write into the spec, from the arguments
// of the conmon that watches it: conmon(8). pid is that of the process that may be conmon: the parent of the runtime,
// or of the container's init. It does nothing for other engines, and if the name is known.
func Conmon(who *abi.Who, pid int, rules identity.Rules) {
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
	identity.Tell(who, conmonName(text[:n], identity.String(who.ID[:])), "", nil, rules)
}

// conmonName is the name that conmon was given for the container of an ID; empty if it is not conmon that was, or not
// for it.
func conmonName(arguments []byte, id string) string {
	words := bytes.Split(arguments, []byte{0})
	words = words[:len(words)-1] // behind the last NUL is nothing, or a word that was cut
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
