// SPDX-License-Identifier: Apache-2.0

package shim

// option is a flag of a runtime. The linker lays out the tables below as data, so that the start of the shim does not
// build them.
type option struct {
	long  string
	short byte
	takes kind
}

type kind byte

const (
	nothing kind = iota
	text
	number
)

// The flags of all versions of runc from 1.1 to 1.5. A version that does not know a flag rejects the command line, and
// then the registration has no effect.
var (
	runcGlobal = []option{
		{long: "debug"},
		{long: "log", takes: text},
		{long: "log-format", takes: text},
		{long: "root", takes: text},
		{long: "criu", takes: text}, // up to 1.2
		{long: "systemd-cgroup"},
		{long: "rootless", takes: text},
		{long: "help", short: 'h'},
		{long: "version", short: 'v'},
	}
	runcCreate = []option{
		{long: "bundle", short: 'b', takes: text},
		{long: "console-socket", takes: text},
		{long: "pidfd-socket", takes: text}, // from 1.2
		{long: "pid-file", takes: text},
		{long: "no-pivot"},
		{long: "no-new-keyring"},
		{long: "preserve-fds", takes: number},
		{long: "help", short: 'h'},
	}
	runcRun = []option{
		{long: "bundle", short: 'b', takes: text},
		{long: "console-socket", takes: text},
		{long: "pidfd-socket", takes: text}, // from 1.2
		{long: "detach", short: 'd'},
		{long: "keep"}, // from 1.1
		{long: "pid-file", takes: text},
		{long: "no-subreaper"},
		{long: "no-pivot"},
		{long: "no-new-keyring"},
		{long: "preserve-fds", takes: number},
		{long: "help", short: 'h'},
	}
	runcRestore = []option{
		{long: "console-socket", takes: text},
		{long: "image-path", takes: text},
		{long: "work-path", takes: text},
		{long: "tcp-established"},
		{long: "ext-unix-sk"},
		{long: "shell-job"},
		{long: "file-locks"},
		{long: "manage-cgroups-mode", takes: text},
		{long: "bundle", short: 'b', takes: text},
		{long: "detach", short: 'd'},
		{long: "pid-file", takes: text},
		{long: "no-subreaper"},
		{long: "no-pivot"},
		{long: "empty-ns", takes: text},
		{long: "auto-dedup"},
		{long: "lazy-pages"},
		{long: "lsm-profile", takes: text},       // from 1.1
		{long: "lsm-mount-context", takes: text}, // from 1.1
		{long: "help", short: 'h'},
	}
)

// The flags of crun 1, with those that argp adds. crun prints and exits on "usage" and "help".
var (
	crunGlobal = []option{
		{long: "debug"},
		{long: "cgroup-manager", takes: text},
		{long: "systemd-cgroup"},
		{long: "log", takes: text},
		{long: "log-format", takes: text},
		{long: "log-level", takes: text},
		{long: "root", takes: text},
		{long: "rootless", takes: text},
		{long: "version", short: 'v'},
		{long: "version", short: 'V'},
		{long: "help", short: '?'},
	}
	crunCreate = []option{
		{long: "bundle", short: 'b', takes: text},
		{long: "config", short: 'f', takes: text},
		{long: "console-socket", takes: text},
		{long: "no-new-keyring"},
		{long: "no-pivot"},
		{long: "no-subreaper"},
		{long: "pid-file", takes: text},
		{long: "preserve-fds", takes: text},
		{long: "help", short: '?'},
	}
	crunRun = []option{
		{long: "bundle", short: 'b', takes: text},
		{long: "config", short: 'f', takes: text},
		{long: "console-socket", takes: text},
		{long: "detach", short: 'd'},
		{long: "keep"},
		{long: "no-new-keyring"},
		{long: "no-pivot"},
		{long: "no-subreaper"},
		{long: "pid-file", takes: text},
		{long: "preserve-fds", takes: text},
		{long: "help", short: '?'},
	}
	crunRestore = []option{
		{long: "bundle", short: 'b', takes: text},
		{long: "image-path", takes: text},
		{long: "work-path", takes: text},
		{long: "tcp-established"},
		{long: "tcp-close"},
		{long: "ext-unix-sk"},
		{long: "shell-job"},
		{long: "detach", short: 'd'},
		{long: "pid-file", takes: text},
		{long: "console-socket", takes: text},
		{long: "file-locks"},
		{long: "manage-cgroups-mode", takes: text},
		{long: "network-lock", takes: text},
		{long: "lsm-profile", takes: text},
		{long: "lsm-mount-context", takes: text},
		{long: "help", short: '?'},
	}
)
