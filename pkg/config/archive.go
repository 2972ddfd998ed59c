// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"path"
	"strconv"
	"strings"
)

// Archive says which recordings the agent saves in files, and how many it keeps.
type Archive struct {
	Directory  string   `toml:"directory"` // empty: none are saved
	MaxBytes   Size     `toml:"max-bytes"`
	MaxFiles   int      `toml:"max-files"`
	MaxDays    int      `toml:"max-days"`
	PerHour    int      `toml:"per-hour"`   // of one container
	Status     []string `toml:"status"`     // how a container ended: "crashed", "any", exit codes, signals
	Namespaces []string `toml:"namespaces"` // patterns, with "!" in front: not these; empty: all
	Labels     string   `toml:"labels"`     // a label selector
	Bucket     string   `toml:"bucket"`     // URL of object storage that gets a copy of each file
}

func defaultArchive() Archive {
	return Archive{MaxBytes: 1 << 30, MaxFiles: 1000, MaxDays: 30, PerHour: 6, Status: []string{"crashed"}}
}

// archiveSettings has one entry for each key of the table [archive].
var archiveSettings = [...]struct {
	name  string
	value func(*Archive) string // in TOML
	doc   string
}{
	{"directory", func(a *Archive) string { return quote(a.Directory) },
		`Directory for the files, an absolute path. If it is empty, no recordings are saved. The unit of
the agent and the Kubernetes manifests let it write only below /var/lib/runc-trace-archive.
Only root can read it.`},
	{"max-bytes", func(a *Archive) string { return a.MaxBytes.toml() },
		`What the directory keeps: bytes, files, and days since the end of the container. If there is
more, the oldest files are removed.`},
	{"max-files", func(a *Archive) string { return strconv.Itoa(a.MaxFiles) }, ""},
	{"max-days", func(a *Archive) string { return strconv.Itoa(a.MaxDays) }, ""},
	{"per-hour", func(a *Archive) string { return strconv.Itoa(a.PerHour) },
		`How many recordings of one container are saved in an hour, so that one that crashes all the
time does not push out all others.`},
	{"status", func(a *Archive) string { return list(a.Status) },
		`How a container must have ended: exit codes ("3"), ranges of them ("1-125"), signals
("SIGSEGV"), "any", or "crashed": an exit code other than 0, or a signal other than those
that ask a program to end.`},
	{"namespaces", func(a *Archive) string { return list(a.Namespaces) },
		`Namespaces of the pods, or patterns; with "!" in front, all but these: ["prod-*"] or
["!kube-system"]. If the list is empty, all containers, also those outside of pods.`},
	{"labels", func(a *Archive) string { return quote(a.Labels) },
		`A label selector, as kubectl's, that must match: "app=web,tier!=cache".`},
	{"bucket", func(a *Archive) string { return quote(a.Bucket) },
		`Object storage that gets a copy of each file: "s3://BUCKET/PREFIX" or
"azblob://ACCOUNT/CONTAINER/PREFIX". While it cannot be reached, copies wait in the directory.`},
}

// setPlain assigns a value to a key; see Config.set.
func (a *Archive) setPlain(key, value string, list []string, isText, isList bool) bool {
	switch key {
	case "directory":
		return isText && assign(&a.Directory, list[0])
	case "labels":
		return isText && assign(&a.Labels, list[0])
	case "bucket":
		return isText && assign(&a.Bucket, list[0])
	case "max-bytes":
		return a.MaxBytes.setPlain(value)
	case "max-files":
		return number(&a.MaxFiles, value)
	case "max-days":
		return number(&a.MaxDays, value)
	case "per-hour":
		return number(&a.PerHour, value)
	case "status":
		a.Status = list
		return isList && !isText
	case "namespaces":
		a.Namespaces = list
		return isList && !isText
	}
	return false
}

// repair replaces values out of range with defaults, and returns an error for each. Status, labels and bucket are
// checked by the agent.
func (a *Archive) repair() []error {
	var problems []error
	fallback := defaultArchive()
	if a.Directory != "" && !path.IsAbs(a.Directory) {
		problems = append(problems, fmt.Errorf("archive.directory %q is not an absolute path", a.Directory))
		a.Directory = ""
	}
	if a.MaxBytes < 1<<20 {
		problems = append(problems, fmt.Errorf("archive.max-bytes %v must be at least 1MiB", a.MaxBytes))
		a.MaxBytes = fallback.MaxBytes
	}
	for _, n := range []struct {
		key      string
		value    *int
		max      int
		fallback int
	}{
		{"max-files", &a.MaxFiles, 100_000, fallback.MaxFiles}, {"max-days", &a.MaxDays, 36_500, fallback.MaxDays},
		{"per-hour", &a.PerHour, 3600, fallback.PerHour},
	} {
		if *n.value < 1 || *n.value > n.max {
			problems = append(problems, fmt.Errorf("archive.%s %d must be 1 to %d", n.key, *n.value, n.max))
			*n.value = n.fallback
		}
	}
	for _, pattern := range a.Namespaces {
		if _, err := path.Match(strings.TrimPrefix(pattern, "!"), ""); err != nil {
			problems = append(problems, fmt.Errorf("archive.namespaces has an invalid pattern %q: %w", pattern, err))
		}
	}
	return problems
}
