// SPDX-License-Identifier: Apache-2.0

package shim

import (
	"strconv"
	"strings"
)

// Dialect selects the command line syntax of a runtime.
type Dialect int

// The two known syntaxes. Runtimes of other names are assumed to accept runc's, because containerd and conmon use it
// with all of them.
const (
	Runc Dialect = iota
	Crun
)

// Driver says how the runtime makes a container's cgroup.
type Driver int

// Drivers, as --systemd-cgroup and crun's --cgroup-manager select them.
const (
	Cgroupfs Driver = iota
	Systemd
	NoCgroup
)

// Operation is the part of a command line that the shim needs.
type Operation struct {
	// Verb is the subcommand, known or not. It is empty if there is none, or if the runtime will only print its help
	// or version, or will reject the global flags.
	Verb string

	// Container is set if the verb makes a container. It is empty if the runtime will reject the command line, or will
	// only print its help.
	Container string
	Bundle    string // as given; empty means the working directory
	SpecFile  string // value of crun's --config; empty means config.json
	Driver    Driver

	Log       string // --log
	LogFormat string // --log-format
}

// Creates reports whether the operation makes a container that the shim has to register.
func (o Operation) Creates() bool { return o.Container != "" }

// Parse reads a command line without argv[0]. It has no side effects, and accepts any strings.
//
// In runc's dialect, Parse reads the flags of runc 1.1 to 1.5 as github.com/urfave/cli v1.22.17 does: one dash or two,
// "--flag=value" or "--flag value", boolean flags with or without "=value", global flags only before the verb. The
// flags of create, run and restore may follow the container, because that parser moves them to the front before
// reading them. Parse also reproduces the parser's quirks: for example, moving a boolean flag also moves the word
// after it.
//
// In crun's dialect, Parse reads as argp_parse(3) does with ARGP_IN_ORDER: long flags with two dashes, which may be
// abbreviated, clusters of short flags, and no flags after the first word that is not a flag.
func Parse(args []string, dialect Dialect) Operation {
	global, create, run, restore := runcGlobal, runcCreate, runcRun, runcRestore
	parse := parseRunc
	if dialect == Crun {
		global, create, run, restore = crunGlobal, crunCreate, crunRun, crunRestore
		parse = parseCrun
	}

	var op Operation
	flags, rest, ok := parse(global, args)
	op.Log, op.LogFormat = flags["log"], flags["log-format"]
	if !ok || len(rest) == 0 || isTrue(flags["help"]) || isTrue(flags["version"]) {
		return op
	}
	op.Driver = driver(flags)
	op.Verb = rest[0]

	var options []option
	switch op.Verb {
	case "create":
		options = create
	case "run":
		options = run
	case "restore":
		options = restore
	default:
		return op
	}
	args = rest[1:]
	if dialect == Runc {
		args = reorder(options, args)
	}
	flags, rest, ok = parse(options, args)
	if !ok || len(rest) != 1 || isTrue(flags["help"]) {
		return op
	}
	op.Container, op.Bundle, op.SpecFile = rest[0], flags["bundle"], flags["config"]
	return op
}

func driver(flags map[string]string) Driver {
	// crun uses the last of its two flags, but parseCrun does not keep their order. An explicit manager wins here,
	// because callers do not give both.
	switch flags["cgroup-manager"] {
	case "systemd":
		return Systemd
	case "cgroupfs":
		return Cgroupfs
	case "disabled":
		return NoCgroup
	}
	if isTrue(flags["systemd-cgroup"]) {
		return Systemd
	}
	return Cgroupfs
}

func isTrue(value string) bool {
	b, _ := strconv.ParseBool(value)
	return b
}

// parseRunc reads flags up to the first word that is not a flag, like package flag, on which urfave/cli is built. It
// returns the flags under their long names, the remaining words, and whether the parser would accept the flags.
func parseRunc(options []option, args []string) (map[string]string, []string, bool) {
	flags := map[string]string{}
	spelled := map[string]string{}
	for len(args) > 0 {
		arg := args[0]
		if len(arg) < 2 || arg[0] != '-' {
			break
		}
		args = args[1:]
		if arg == "--" {
			break
		}
		name := strings.TrimPrefix(arg[1:], "-")
		if name == "" || name[0] == '-' || name[0] == '=' {
			return flags, nil, false
		}
		name, value, given := strings.Cut(name, "=")
		option := findRunc(options, name)
		if option == nil {
			return flags, nil, false
		}
		switch {
		case option.takes == nothing && !given:
			value = "true"
		case !given && len(args) == 0:
			return flags, nil, false
		case !given:
			value, args = args[0], args[1:]
		}
		if !option.accepts(value) {
			return flags, nil, false
		}
		if before := spelled[option.long]; before != "" && before != name {
			return flags, nil, false // "Cannot use two forms of the same flag"
		}
		spelled[option.long] = name
		flags[option.long] = value
	}
	return flags, args, true
}

func findRunc(options []option, name string) *option {
	for i := range options {
		if o := &options[i]; name == o.long || o.short != 0 && name == string(rune(o.short)) {
			return o
		}
	}
	return nil
}

// accepts reports whether package flag, or strconv in it, accepts the value.
func (o *option) accepts(value string) bool {
	var err error
	switch o.takes {
	case nothing:
		_, err = strconv.ParseBool(value)
	case number:
		_, err = strconv.ParseInt(value, 0, strconv.IntSize)
	}
	return err == nil
}

// reorder moves flags, and words that may be their values, before all other words. It does the same as reorderArgs of
// urfave/cli, including its mistakes.
func reorder(options []option, args []string) []string {
	var flags, words []string
	value := false // the next word may be a flag's value
	for i, arg := range args {
		isFlag := isRuncFlag(options, arg)
		switch {
		case value && !isFlag:
			value = false
			flags = append(flags, arg)
		case arg == "--":
			words = append([]string{"--"}, words...)
			words = append(words, args[i+1:]...)
			return append(flags, words...)
		case isFlag:
			flags = append(flags, arg)
			value = !strings.Contains(arg, "=")
		default:
			words = append(words, arg)
		}
	}
	return append(flags, words...)
}

// isRuncFlag does the same as argIsFlag of urfave/cli: it recognises a flag after up to three dashes.
func isRuncFlag(options []option, arg string) bool {
	if arg == "-" || arg == "--" || !strings.HasPrefix(arg, "-") {
		return false
	}
	arg = strings.TrimPrefix(arg, "--")
	name, _, _ := strings.Cut(strings.TrimPrefix(arg, "-"), "=")
	return findRunc(options, name) != nil
}

// parseCrun reads flags as parseRunc does, but in the way of getopt_long(3).
func parseCrun(options []option, args []string) (map[string]string, []string, bool) {
	flags := map[string]string{}
	for len(args) > 0 {
		arg := args[0]
		if len(arg) < 2 || arg[0] != '-' {
			break
		}
		args = args[1:]
		if arg == "--" {
			break
		}
		if strings.HasPrefix(arg, "--") {
			name, value, given := strings.Cut(arg[2:], "=")
			option := findCrun(options, name)
			switch {
			case option == nil, option.takes == nothing && given:
				return flags, nil, false
			case option.takes == nothing:
				value = "true"
			case !given && len(args) == 0:
				return flags, nil, false
			case !given:
				value, args = args[0], args[1:]
			}
			flags[option.long] = value
			continue
		}
		for cluster := arg[1:]; cluster != ""; {
			option := findShort(options, cluster[0])
			cluster = cluster[1:]
			switch {
			case option == nil:
				return flags, nil, false
			case option.takes == nothing:
				flags[option.long] = "true"
				continue
			case cluster != "":
				flags[option.long], cluster = cluster, ""
			case len(args) == 0:
				return flags, nil, false
			default:
				flags[option.long], args = args[0], args[1:]
			}
		}
	}
	return flags, args, true
}

// findCrun finds a flag by its name or by an unambiguous abbreviation.
func findCrun(options []option, name string) *option {
	var found *option
	for i := range options {
		o := &options[i]
		if o.long == name {
			return o
		}
		if strings.HasPrefix(o.long, name) {
			if found != nil && found.long != o.long {
				return nil
			}
			found = o
		}
	}
	return found
}

func findShort(options []option, short byte) *option {
	for i := range options {
		if short != 0 && options[i].short == short {
			return &options[i]
		}
	}
	return nil
}
