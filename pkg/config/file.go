// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// File renders a Config as a config.toml that explains every key. Keys with their default value are commented out.
// Parse of the result returns the same Config.
func File(c Config) string {
	var out strings.Builder
	fallback := Default()
	key := func(name, value, fallback, doc string) {
		fmt.Fprintf(&out, "\n")
		for line := range strings.Lines(doc) {
			fmt.Fprintf(&out, "# %s\n", strings.TrimRight(line, "\n"))
		}
		if value == fallback {
			out.WriteString("#")
		}
		fmt.Fprintf(&out, "%s = %s\n", name, value)
	}

	out.WriteString(`# The configuration of runc-trace, read by the shim at each container's start and by
# tracectl. A line that is commented out shows the default. The shim never stops a
# container for a mistake in this file: it says so in its log and goes on.
`)
	key("runtime", list(c.Runtime), list(fallback.Runtime), `The real OCI runtime: an absolute path, or names searched for in PATH and then in
/usr/local/sbin, /usr/local/bin, /usr/sbin, /usr/bin, /sbin and /bin; a string, or a
list that is tried in order. The shim itself is never taken for it.`)
	key("pin-dir", quote(c.PinDir), quote(fallback.PinDir), `Where the programs and maps are pinned, below a mounted bpffs.`)
	key("log", quote(c.Log), quote(fallback.Log), `The shim's own log file, an absolute path. Empty: it is silent.`)
	key("log-level", quote(c.LogLevel), quote(fallback.LogLevel), `What is worth a line there: error, warn, info (each registration) or debug.`)
	key("record-sandboxes", fmt.Sprint(c.RecordSandboxes), fmt.Sprint(fallback.RecordSandboxes),
		`Whether a pod's own container ("pause") gets a recording, too. It has a name anyway.`)

	key("adopt", fmt.Sprint(c.Adopt), fmt.Sprint(fallback.Adopt),
		`Whether "tracectl load" and the agent register the containers that run already, which
records them from then on. "tracectl install" says false here where only containers that
ask for it are to be recorded, and true with --set-default.`)

	out.WriteString(`
# The real runtime where the shim is called by another name than its own: by a link to it
# called runc-trace-NAME, the one at the path that NAME has here, or else whatever is
# called NAME. "tracectl install" makes a link where engines differ in their runtimes.
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
# Annotations of the OCI spec that are labels. Known without being named here: those of
# CRI-O, and on every engine "runc-trace.label/KEY" as the label KEY. The author of a pod
# may be able to write the latter: they count only if nothing else tells the pod's labels,
# unless prefixes has "runc-trace.label/". Labels that the API server or the engine tells
# always count more than annotations.
[labels]
`)
	key("annotations", list(c.Labels.Annotations), list(fallback.Labels.Annotations), `These annotations are labels under their own names.`)
	key("prefixes", list(c.Labels.Prefixes), list(fallback.Labels.Prefixes), `Annotations that begin with one of these are labels, without the prefix.`)
	key("json", list(c.Labels.JSON), list(fallback.Labels.JSON), `These annotations hold JSON objects of labels.`)
	key("keep", list(c.Labels.Keep), list(fallback.Labels.Keep), `Of each pod or container 4 KiB of labels are kept. These come first: keys, or patterns in
which * is anything but a slash, such as ["app", "team", "example.com/*"].`)

	out.WriteString(`
# What "tracectl load" makes. These pools do not grow. Beside them the kernel takes 4 KiB
# for each thread of a recorded container, and up to 8 KiB for the labels of a pod.
# A size is a number of bytes or a string such as "256KiB" or "8MiB".
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
