// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/runc-trace/runc-trace/pkg/regular"
)

// command is the command line and environment of an engine.
type command struct {
	words  []word          // its arguments
	env    map[string]word // of the service or the process
	unsure error           // why some of it is unknown
}

func (c command) args() []string { return texts(c.words) }

// command returns the engine's command at its next start, as far as it is known: from its unit if systemd runs the
// host, otherwise from the running process.
func (e Engine) command(h Host) (command, error) {
	all, err := e.commands(h)
	if len(all) == 0 {
		return command{}, err
	}
	return all[0], err
}

// commands returns the command at the engine's next start, and that of the running process.
func (e Engine) commands(h Host) ([]command, error) {
	u, found := h.unit(e.Unit)
	var all []command
	started, runs := h.process(e)
	script := path.Join("/etc/init.d", string(e.Kind))
	if !runs && !h.bootsSystemd() && (!found || h.exists(script)) {
		text, err := h.readIfThere(script)
		if err != nil {
			return nil, err
		}
		if unsure := scriptFlags(script, text); unsure != nil && e.Kind == Docker {
			all = append(all, command{unsure: unsure})
		}
		for _, file := range e.driver().traits().init {
			text, err := h.readIfThere(file)
			if err != nil {
				return nil, err
			}
			if text != nil {
				all = append(all, initCommand(file, text, e.driver().traits().options))
			}
		}
	}
	switch {
	case !found:
	case e.embedded():
		all = append(all, command{unsure: u.unsure}) // only the distribution knows the rest
	default:
		c := command{env: make(map[string]word)}
		for name, s := range u.env {
			c.env[name] = word{s.value, s.at}
		}
		program, words := u.program(e.driver().traits().program)
		c.words, c.unsure = words, u.unsure
		if program == "" && u.exec.value != "" {
			c.unsure = fmt.Errorf("%s: cannot tell how it starts %s", u.exec.at, e.driver().traits().program)
		}
		all = append(all, c)
	}
	if !runs {
		return all, nil
	}
	if len(all) == 0 || e.embedded() || !h.hasSystemd() || all[0].unsure != nil {
		return []command{started}, nil
	}
	return append(all, started), nil
}

// Process returns the PID of the running engine, and whether it is running.
func (h Host) Process(e Engine) (pid int, running bool) {
	pids := h.Processes(e)
	if len(pids) == 0 {
		return 0, false
	}
	return pids[0], true
}

// Processes returns the PIDs of the running engine, sorted: those in its unit or, if there are none, all that run its
// program. Its program may run in containers, for users and below dockerd, too: these are other engines.
func (h Host) Processes(e Engine) []int {
	if e.Binary == "" {
		return nil
	}
	var found []int
	dirs, _ := filepath.Glob(filepath.Join(h.Root, "proc/[0-9]*"))
	for _, dir := range dirs {
		if pid, err := strconv.Atoi(filepath.Base(dir)); err == nil && h.runs(pid, e.Binary) {
			found = append(found, pid)
		}
	}
	slices.Sort(found)
	if e.Unit != "" {
		outside := func(pid int) bool { return !strings.Contains(h.procfs(pid, "cgroup"), "/"+e.Unit) }
		if within := slices.DeleteFunc(slices.Clone(found), outside); len(within) > 0 {
			return within
		}
	}
	return found
}

// process returns the command of the running engine, and whether it is running.
func (h Host) process(e Engine) (command, bool) {
	pid, running := h.Process(e)
	if !running {
		return command{}, false
	}
	c := command{env: make(map[string]word)}
	at := place{file: fmt.Sprintf("/proc/%d/cmdline", pid)}
	for i, arg := range strings.Split(strings.TrimSuffix(h.procfs(pid, "cmdline"), "\x00"), "\x00") {
		if i > 0 {
			c.words = append(c.words, word{arg, at})
		}
	}
	for variable := range strings.SplitSeq(h.procfs(pid, "environ"), "\x00") {
		if name, value, ok := strings.Cut(variable, "="); ok {
			c.env[name] = word{value, place{file: fmt.Sprintf("/proc/%d/environ", pid)}}
		}
	}
	return c, true
}

// runningProgram returns the path of a running host program with this name, or "".
func (h Host) runningProgram(name string) string {
	links, _ := filepath.Glob(filepath.Join(h.Root, "proc/[0-9]*/exe"))
	for _, link := range links {
		target, err := os.Readlink(link)
		if err != nil || path.Base(target) != name || !h.isProgram(target) {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(link))); err == nil && h.runs(pid, target) {
			return target
		}
	}
	return ""
}

func (h Host) procfs(pid int, name string) string {
	text, _ := regular.Read(filepath.Join(h.Root, "proc", strconv.Itoa(pid), name), regular.Text)
	return string(text)
}

// runs reports whether a process runs a program of the host, for the host. Processes in containers, of users, and
// children of dockerd do not count.
func (h Host) runs(pid int, program string) bool {
	exe := filepath.Join(h.Root, "proc", strconv.Itoa(pid), "exe")
	target, err := os.Readlink(exe)
	if err != nil {
		return false
	}
	// If the program was replaced while the process runs, the process is still found by the old name.
	target, replaced := strings.CutSuffix(target, " (deleted)")
	if target != program && target != h.resolved(program) {
		return false
	}
	if h.Root == "/" {
		a, errA := os.Stat(exe)
		b, errB := h.stat(program)
		if !replaced && (errA != nil || errB != nil || !os.SameFile(a, b)) {
			return false
		}
		if info, err := os.Stat(filepath.Dir(exe)); err != nil || info.Sys().(*syscall.Stat_t).Uid != 0 {
			return false
		}
	}
	parent, err := os.Readlink(filepath.Join(h.Root, "proc", h.parent(pid), "exe"))
	return err != nil || filepath.Base(strings.TrimSuffix(parent, " (deleted)")) != "dockerd"
}

// parent returns the parent's PID; see proc_pid_stat(5).
func (h Host) parent(pid int) string {
	stat := h.procfs(pid, "stat")
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
	if len(fields) < 2 {
		return "0"
	}
	return fields[1]
}

// resolved resolves the symbolic links in a path of the host.
func (h Host) resolved(path string) string {
	at, err := h.at(path)
	if err != nil {
		return path
	}
	if root := filepath.Clean(h.Root); root != "/" {
		return strings.TrimPrefix(at, root)
	}
	return at
}

// environment returns the variables with the given names as sorted arguments of env(1).
func (c command) environment(names func(string) bool) []string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(c.env)) {
		if names(name) {
			all = append(all, name+"="+c.env[name].text)
		}
	}
	return all
}
