// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/runc-trace/runc-trace/pkg/identity"
)

// File renders a Config as a config.toml that explains every key. Keys with their default value are commented out.
// Parse of the result returns the same Config.
func File(c Config) string {
	var out strings.Builder
	fallback := Default()
	key := func(name, value, fallback, doc string) {
		if doc != "" { // otherwise it belongs to the key before
			fmt.Fprintf(&out, "\n")
		}
		for line := range strings.Lines(doc) {
			fmt.Fprintf(&out, "# %s\n", strings.TrimRight(line, "\n"))
		}
		if value == fallback {
			out.WriteString("#")
		}
		fmt.Fprintf(&out, "%s = %s\n", name, value)
	}

	out.WriteString(`# Configuration of runc-trace. The shim reads it at each container's start, and tracectl
# reads it too. A line that is commented out shows the default. If this file has a mistake,
# containers still start: the shim writes the mistake to its log and goes on.
`)
	key("runtime", list(c.Runtime), list(fallback.Runtime),
		`The real OCI runtime: an absolute path, or a name that is searched for in PATH and then
in /usr/local/sbin, /usr/local/bin, /usr/sbin, /usr/bin, /sbin and /bin. A list is tried
in order. The shim never uses itself as the runtime.`)
	key("pin-dir", quote(c.PinDir), quote(fallback.PinDir),
		`Directory for the pinned programs and maps, below a mounted bpffs.`)
	key("log", quote(c.Log), quote(fallback.Log),
		`The shim's own log file, an absolute path. If it is empty, the shim logs nothing.`)
	key("log-level", quote(c.LogLevel), quote(fallback.LogLevel),
		`Lowest level that is logged: error, warn, info (each registration) or debug.`)
	key("record-sandboxes", fmt.Sprint(c.RecordSandboxes), fmt.Sprint(fallback.RecordSandboxes),
		`Whether a pod's sandbox (the "pause" container) gets a recording too. It is listed anyway.`)

	key("adopt", fmt.Sprint(c.Adopt), fmt.Sprint(fallback.Adopt),
		`Whether "tracectl load" and the agent register containers that run already, and so record
them from then on. "tracectl install" sets it to true with --set-default, and to false
without, because then only containers that ask for it are recorded.`)

	out.WriteString(`
# Real runtimes by name. If the shim is called by a link runc-trace-NAME, it executes the
# path that NAME has here. If NAME is not here, it searches for a program called NAME.
# "tracectl install" makes such a link if engines use different runtimes.
`)
	if len(c.Runtimes) == 0 {
		out.WriteString("#[runtimes]\n#crun = \"/usr/bin/crun\"\n")
	} else {
		out.WriteString("[runtimes]\n")
	}
	for _, name := range slices.Sorted(maps.Keys(c.Runtimes)) {
		written := name
		if !isBareKey(name) {
			written = quote(name)
		}
		fmt.Fprintf(&out, "%s = %s\n", written, quote(c.Runtimes[name]))
	}

	out.WriteString(`
# Annotations of the OCI spec that become labels. Two kinds need no entry here: those of
# CRI-O, and on every engine "runc-trace.label/KEY", which becomes the label KEY. A pod's
# author may be able to write "runc-trace.label/KEY", so it is used only if no other source
# has the pod's labels, or if prefixes has "runc-trace.label/". Labels from the API server
# or the engine always override annotations.
[labels]
`)
	key("annotations", list(c.Labels.Annotations), list(fallback.Labels.Annotations),
		`These annotations become labels under their own names.`)
	key("prefixes", list(c.Labels.Prefixes), list(fallback.Labels.Prefixes),
		`Annotations that begin with one of these become labels, without the prefix.`)
	key("json", list(c.Labels.JSON), list(fallback.Labels.JSON), `These annotations hold JSON objects of labels.`)
	key("keep", list(c.Labels.Keep), list(fallback.Labels.Keep),
		`Each pod or container has room for 4 KiB of labels. These come first: keys, or patterns in
which * matches anything but a slash, such as ["app", "team", "example.com/*"].`)

	out.WriteString(`
# How much is recorded of a container's memory, besides its calls with their results and times:
#
#   all     also the beginning of what it reads, writes, sends and receives
#   paths   paths, addresses, structs and the arguments of programs, but nothing of that
#   none    numbers only: no path, no address and no argument of a program
#   off     nothing: the container gets no recording, and its execs are not logged
#
# A rule is "NAMESPACE", "KEY=VALUE" of a label, or several of these with spaces, all of which
# must match; * matches anything but a slash. If several rules match a container, the one that
# records least counts. Rules know the labels that the shim knows at the container's start:
# those of CRI-O, Docker and [labels], but not those of containerd's pods, which only the API
# server tells. Rules apply to containers that start later.
[contents]
`)
	key("default", quote(c.Contents.Default), quote(fallback.Contents.Default),
		`For containers that no rule matches: all, paths, none or off.`)
	for i, rules := range c.Contents.lists() {
		name, doc := identity.Contents(i).String(), ""
		if i == 0 {
			doc = `Rules, such as ["payments", "app=vault", "test-* team=web"].`
		}
		key(name, list(*rules), list(nil), doc)
	}
	key("annotation", quote(c.Contents.Annotation), quote(fallback.Contents.Annotation),
		`What a container's annotation "runc-trace.contents" may do, whose value is one of these
words: "reduce" what is recorded, "decide" over the rules, or nothing ("ignore"). The author
of a pod can write it, and so hide what the pod does.`)

	out.WriteString(`
# Secrets that tracectl masks with * in all that it shows, exports and saves: matches of regular
# expressions (https://pkg.go.dev/regexp/syntax) in what calls read, wrote and named. If a
# pattern has groups, only these are masked. --no-redact shows what is recorded. Memory keeps it.
[redact]
`)
	key("builtin", fmt.Sprint(c.Redact.Builtin), fmt.Sprint(fallback.Redact.Builtin),
		`Whether to mask passwords, tokens and keys by the built-in patterns: NAME=VALUE and headers
whose names say so, passwords in URLs, private keys, JSON web tokens, keys of cloud services.`)
	key("patterns", list(c.Redact.Patterns), list(fallback.Redact.Patterns),
		`More patterns, such as ['acct-\d+', '(?i)pin[=:](\d+)'].`)

	out.WriteString(`
# Recordings of containers that ended badly, which the agent saves in files before their memory
# is used for another container. It is off by default, because recordings contain secrets:
# nothing that a container reads or writes is on a disk then.
[archive]
`)
	for _, s := range archiveSettings {
		key(s.name, s.value(&c.Archive), s.value(&fallback.Archive), s.doc)
	}

	out.WriteString(`
# Pools that "tracectl load" allocates. They do not grow. In addition, the kernel takes 512
# bytes for each thread of a recorded container, and up to 8 KiB for the labels of a pod. A
# size is a number of bytes or a string such as "256KiB" or "8MiB".
[pool]
`)
	for i := range PoolSettings {
		s := &PoolSettings[i]
		key(s.Key, s.of(&c.Pool).toml(), s.of(&fallback.Pool).toml(), s.doc)
	}
	return out.String()
}

func list(entries []string) string {
	quoted := make([]string, len(entries))
	for i, entry := range entries {
		quoted[i] = quote(entry)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

// quote returns a basic string of TOML, whose escapes differ from Go's.
func quote(text string) string {
	var out strings.Builder
	out.WriteByte('"')
	for _, r := range text {
		switch {
		case r == '"' || r == '\\':
			out.WriteByte('\\')
			out.WriteRune(r)
		case r < ' ' || r == 0x7f:
			fmt.Fprintf(&out, `\u%04X`, r)
		default:
			out.WriteRune(r)
		}
	}
	out.WriteByte('"')
	return out.String()
}
