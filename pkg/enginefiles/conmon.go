// SPDX-License-Identifier: Apache-2.0

package enginefiles

import (
	"path"
	"strconv"
	"strings"

	"github.com/runc-trace/runc-trace/pkg/regular"
)

// argumentsLimit is the number of bytes of conmon's arguments that are read. The ones needed come first.
const argumentsLimit = 4 << 10

// Conmon holds what a conmon was told about the container that it monitors.
type Conmon struct {
	ID, Name      string // of the container
	PIDFile       string
	ExitProgram   string // conmon runs it when the container exits
	ExitArguments []string
}

// ParseConmon reads the arguments of a conmon, each of which ends in a NUL: conmon(8). It uses only the first of flags
// that are given several times, and leaves out text after the last NUL, because that is part of an argument.
func ParseConmon(arguments string) Conmon {
	words := strings.Split(arguments, "\x00")
	words = words[:len(words)-1]
	var c Conmon
	for i := 1; i+1 < len(words); i++ {
		var value *string
		switch words[i] {
		case "-c", "--cid":
			value = &c.ID
		case "-n", "--name":
			value = &c.Name
		case "-p", "--container-pidfile":
			value = &c.PIDFile
		case "--exit-command":
			value = &c.ExitProgram
		case "--exit-command-arg":
			i++
			c.ExitArguments = append(c.ExitArguments, words[i])
		}
		if value == nil {
			continue
		}
		if i++; *value == "" {
			*value = words[i]
		}
	}
	return c
}

// readConmon reads the arguments of the conmon that monitors the container with an ID. It returns an empty Conmon if
// the process is not conmon, or monitors another container.
func readConmon(pid int, id string) Conmon {
	f, err := regular.Open("/proc/" + strconv.Itoa(pid) + "/cmdline")
	if err != nil {
		return Conmon{}
	}
	defer f.Close()
	text := make([]byte, argumentsLimit)
	n, err := f.Read(text)
	if err != nil {
		return Conmon{}
	}
	program, _, _ := strings.Cut(string(text[:n]), "\x00")
	if c := ParseConmon(string(text[:n])); path.Base(program) == "conmon" && c.ID == id {
		return c
	}
	return Conmon{}
}
