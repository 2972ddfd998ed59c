// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"context"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/runc-trace/runc-trace/pkg/enginefiles"
)

// Defaults of the library containers/storage, which Podman and CRI-O use. See containers-storage.conf(5).
const (
	storageGraph = "/var/lib/containers/storage"
	storageRun   = "/run/containers/storage"
	storageConf  = "/etc/containers/storage.conf"

	storageVariable = "CONTAINERS_STORAGE_CONF" // names another file than storageConf
)

// storageRoots returns the directories that may contain the storage: the defaults, and those of storage.conf. The file
// is that in conf, or, if it is "", the host's, which replaces the packaged one. Only newer versions read drop-ins.
func (h Host) storageRoots(conf string) ([]string, error) {
	if conf == "" {
		conf = storageConf
		if !h.exists(conf) {
			conf = "/usr/share/containers/storage.conf"
		}
	}
	roots := []string{storageGraph, storageRun}
	files := []string{conf}
	for _, dir := range []string{"/usr/share/containers/storage.conf.d", storageConf + ".d",
		"/usr/share/containers/storage.rootful.conf.d", "/etc/containers/storage.rootful.conf.d"} {
		files = append(files, h.confFiles(dir)...)
	}
	for _, file := range files {
		config, err := h.overlay([]string{file}, key{"storage", "options"})
		if err != nil {
			return nil, err
		}
		for _, name := range []string{"graphroot", "runroot"} {
			if dir := config.text("storage", name); dir != "" && !slices.Contains(roots, dir) {
				roots = append(roots, dir)
			}
		}
	}
	return roots, nil
}

// podmanStore is a storage of Podman, by the variables and global flags that make Podman use it.
type podmanStore struct {
	env   []string // NAME=VALUE
	flags []string
}

// podmanSelects are the variables that make Podman use another storage.
var podmanSelects = []string{storageVariable, "STORAGE_DRIVER", "STORAGE_OPTS", "CONTAINERS_CONF",
	"CONTAINERS_CONF_OVERRIDE"}

// podmanStores returns the storages of root's Podman: that of its files, those by the variables of all users and by
// podman.service, and those of the containers that run. It leaves out a storage that does not exist, because any query
// would create it.
func (e Engine) podmanStores(h Host) ([]podmanStore, error) {
	all := []podmanStore{{}}
	text, err := h.readIfThere("/etc/environment")
	if err != nil {
		return nil, err
	}
	variables := make(map[string]string)
	for _, s := range parseEnvironment("/etc/environment", text, false) {
		variables[s.name] = s.value
	}
	all = append(all, podmanStore{env: podmanSelection(variables)})
	if u, ok := h.unit("podman.service"); ok {
		variables = make(map[string]string)
		for name, s := range u.env {
			variables[name] = s.value
		}
		_, words := u.program("podman")
		all = append(all, podmanStore{podmanSelection(variables), podmanFlags(texts(words))})
	}
	for _, m := range h.conmons() {
		if m.own {
			all = append(all, podmanStore{flags: podmanFlags(m.ExitArguments)})
		}
	}
	var found []podmanStore
	for _, s := range all {
		exists, err := s.exists(h, e)
		if err != nil {
			return nil, err
		}
		same := func(other podmanStore) bool {
			return slices.Equal(s.env, other.env) && slices.Equal(s.flags, other.flags)
		}
		if exists && !slices.ContainsFunc(found, same) {
			found = append(found, s)
		}
	}
	return found, nil
}

// podmanSelection returns the variables that select a storage, as arguments of env(1).
func podmanSelection(variables map[string]string) []string {
	var env []string
	for _, name := range podmanSelects {
		if variables[name] != "" {
			env = append(env, name+"="+variables[name])
		}
	}
	return env
}

// podmanFlags returns the global flags of a command of Podman that select a storage.
func podmanFlags(args []string) []string {
	var flags []string
	for i := 0; i < len(args) && strings.HasPrefix(args[i], "-"); i++ {
		name, value, joined := strings.Cut(args[i], "=")
		switch name {
		case "--root", "--runroot", "--tmpdir", "--volumepath", "--storage-driver", "--storage-opt", "--db-backend":
			if !joined && i+1 < len(args) {
				i++
				value = args[i]
			}
			flags = append(flags, name+"="+value)
		case "--transient-store":
			flags = append(flags, args[i])
		case "--syslog", "--noout", "--remote", "-r", "--help", "-h", "--version", "-v", "--trace": // without a value
		default:
			if !joined {
				i++
			}
		}
	}
	return flags
}

// exists reports whether the storage does: its images, or its database.
func (s podmanStore) exists(h Host, e Engine) (bool, error) {
	if root, ok := option(s.flags, "--root"); ok {
		return h.exists(root), nil
	}
	variable := func(name string) string {
		for _, entry := range s.env {
			if value, ok := strings.CutPrefix(entry, name+"="); ok {
				return value
			}
		}
		return ""
	}
	roots, err := h.storageRoots(variable(storageVariable))
	if err != nil {
		return false, err
	}
	files := e.podmanFiles(h)
	if only := variable("CONTAINERS_CONF"); only != "" {
		files = []string{only}
	}
	if more := variable("CONTAINERS_CONF_OVERRIDE"); more != "" {
		files = append(files, more)
	}
	config, err := h.overlay(files, podmanSection)
	if err != nil {
		return false, err
	}
	roots = slices.DeleteFunc(append(roots, config.text("engine", "static_dir")), func(dir string) bool {
		return dir == "" || dir == storageRun // CRI-O makes it, too
	})
	return slices.ContainsFunc(roots, h.exists), nil
}

// query runs Podman on the storage. Podman asks rpm, if installed, for versions, and rpm would create a database in its
// home. In /proc it cannot.
func (s podmanStore) query(ctx context.Context, h Host, e Engine, args ...string) (string, error) {
	command := slices.Concat([]string{"HOME=/proc"}, s.env, []string{e.Binary}, s.flags, args)
	text, err := h.Run(ctx, "env", command...)
	return string(text), err
}

// asked returns the result of `podman info`.
func (d podman) asked(ctx context.Context, h Host, e Engine, also []string) (runtimes, error) {
	stores, err := e.podmanStores(h)
	if err != nil {
		return runtimes{}, err
	}
	if len(stores) == 0 {
		return runtimes{}, ErrNoAnswer
	}
	known, err := d.configured(h, e)
	if err != nil {
		return known, err
	}
	known.source = "podman info"
	for i, flags := range append([][]string{nil}, runtimeFlags(also)...) {
		text, err := stores[0].query(ctx, h, e,
			append(flags, "info", "--format", "{{.Host.OCIRuntime.Name}} {{.Host.OCIRuntime.Path}}")...)
		if err != nil {
			return known, err
		}
		name, program, ok := strings.Cut(strings.TrimSpace(text), " ")
		if !ok {
			return known, ErrNoAnswer
		}
		if i == 0 {
			known.name = name
		}
		known.paths[name] = program
	}
	return known, nil
}

func runtimeFlags(names []string) [][]string {
	var all [][]string
	for _, name := range names {
		all = append(all, []string{"--runtime", name})
	}
	return all
}

// dependents asks podman for the containers of each storage. Podman stores the name of a container's runtime, and looks
// the program up for every command. So only containers with our name or a path of ours need it. Of users' containers,
// it finds only those that run.
func (podman) dependents(h Host, e Engine, shims []string) ([]Container, error) {
	if h.Run == nil || e.Binary == "" {
		return nil, nil
	}
	var found []Container
	needs := func(runtime string) bool { return runtime == addedRuntime || h.calls(runtime, shims) }
	for _, m := range h.conmons() {
		if runtime, _ := option(m.ExitArguments, "--runtime"); !m.own && needs(runtime) {
			found = append(found, Container{m.ID, m.Name})
		}
	}
	stores, err := e.podmanStores(h)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for _, s := range stores {
		ids, err := s.query(ctx, h, e, "ps", "--all", "--quiet", "--no-trunc")
		if err != nil {
			return nil, err
		}
		list := strings.Fields(ids)
		if len(list) == 0 {
			continue
		}
		text, err := s.query(ctx, h, e,
			append([]string{"container", "inspect", "--format", "{{.Id}} {{.OCIRuntime}} {{.Name}}"}, list...)...)
		if err != nil {
			return nil, err
		}
		for line := range strings.Lines(text) {
			id, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
			if runtime, name, _ := strings.Cut(rest, " "); needs(runtime) {
				found = append(found, Container{id, name})
			}
		}
	}
	return found, nil
}

// conmon is a process that monitors a container of Podman. Its exit program is podman, with the flags that select the
// container's storage.
type conmon struct {
	enginefiles.Conmon
	own bool // it belongs to the caller: podman shows the container to the caller, too
}

// conmons returns the monitors of the host's Podman, without those of a Podman inside of a container.
func (h Host) conmons() []conmon {
	var found []conmon
	links, _ := filepath.Glob(filepath.Join(h.Root, "proc/[0-9]*/exe"))
	for _, link := range links {
		target, err := os.Readlink(link)
		if err != nil || path.Base(strings.TrimSuffix(target, " (deleted)")) != "conmon" {
			continue
		}
		dir := filepath.Dir(link)
		info, err := os.Stat(dir)
		if err != nil {
			continue
		}
		if h.Root == "/" {
			root, errRoot := os.Stat(filepath.Join(dir, "root"))
			if own, err := os.Stat("/"); err != nil || errRoot != nil || !os.SameFile(root, own) {
				continue
			}
		}
		pid, err := strconv.Atoi(filepath.Base(dir))
		if err != nil {
			continue
		}
		told := enginefiles.ParseConmon(h.procfs(pid, "cmdline"))
		if path.Base(told.ExitProgram) != "podman" {
			continue
		}
		owner := info.Sys().(*syscall.Stat_t).Uid
		found = append(found, conmon{told, owner == uint32(os.Geteuid())})
	}
	return found
}
