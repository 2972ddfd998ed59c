// SPDX-License-Identifier: Apache-2.0

package straceback

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/regular"
	"github.com/runc-trace/runc-trace/pkg/syscalls"
)

// liveMax is how many descriptors of one process are read.
const liveMax = 4096

// Open returns the descriptors of the processes that are in a call and still run: inFlight are the records of their
// calls. It reads /proc. now returns the time in ns of CLOCK_BOOTTIME.
func Open(inFlight []Record, now func() uint64) Snapshot {
	s := Snapshot{Processes: make(map[uint32]map[int32]Live)}
	var call syscalls.Call
	for _, record := range inFlight {
		if len(record.Bytes) < abi.SizeofCall || record.Lane == Runtime || call.Decode(record.Bytes) != nil {
			continue
		}
		if _, read := s.Processes[call.PID]; !read {
			dir := filepath.Join("/proc", strconv.FormatUint(uint64(call.PID), 10))
			if began(dir, call.Time) {
				s.Processes[call.PID] = openFiles(dir)
			}
		}
	}
	s.Time = now()
	return s
}

// procLimit is the most that is read of a file below /proc, in bytes.
const procLimit = 1 << 16

// began reports whether a process began before a time: after it, it would be another one with the same ID.
func began(dir string, time uint64) bool {
	const startTime = 22 - 3 // fields behind the name, in hundredths of a second: proc_pid_stat(5)
	stat, err := regular.Read(filepath.Join(dir, "stat"), procLimit)
	if err != nil {
		return false
	}
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) <= startTime {
		return false
	}
	ticks, err := strconv.ParseUint(string(fields[startTime]), 10, 64)
	return err == nil && ticks <= time/1e7
}

// openFiles returns the descriptors and the current directory of a process.
func openFiles(dir string) map[int32]Live {
	open := make(map[int32]Live)
	root, err := os.Readlink(filepath.Join(dir, "root"))
	if err != nil {
		return open
	}
	if root == "/" {
		root = ""
	}
	if cwd, err := os.Readlink(filepath.Join(dir, "cwd")); err == nil {
		if is, ok := linked(cwd, root); ok {
			open[syscalls.CWD] = Live{Descriptor: is}
		}
	}
	list, err := os.Open(filepath.Join(dir, "fd"))
	if err != nil {
		return open
	}
	defer list.Close()
	names, _ := list.Readdirnames(liveMax) // names that came before an error are right
	for _, name := range names {
		fd, err := strconv.ParseInt(name, 10, 32)
		if err != nil {
			continue
		}
		link, err := os.Readlink(filepath.Join(dir, "fd", name))
		if err != nil {
			continue
		}
		if is, ok := linked(link, root); ok {
			open[int32(fd)] = Live{is, isCloexec(filepath.Join(dir, "fdinfo", name))}
		}
	}
	return open
}

// linked returns the descriptor that a link below /proc/PID leads to, for a process with a root directory.
func linked(link, root string) (is syscalls.Descriptor, ok bool) {
	if strings.HasPrefix(link, "(unreachable)") {
		return is, false
	}
	if path, ok := strings.CutPrefix(link, "/"); ok {
		path, is.Deleted = strings.CutSuffix("/"+path, " (deleted)")
		if path, ok = strings.CutPrefix(path, root); !ok || path != "" && path[0] != '/' {
			return is, false
		}
		if is.Path = path; path == "" {
			is.Path = "/"
		}
		return is, true
	}
	is.Type = link
	if name, rest, ok := strings.Cut(link, ":["); ok {
		if inode, err := strconv.ParseUint(strings.TrimSuffix(rest, "]"), 10, 64); err == nil {
			is.Type, is.Inode = name, inode
		}
	}
	return is, true
}

// isCloexec reports whether an exec closes a descriptor, or that is not known.
func isCloexec(fdinfo string) bool {
	info, err := regular.Read(fdinfo, procLimit)
	if err != nil {
		return true
	}
	for line := range strings.Lines(string(info)) {
		if text, ok := strings.CutPrefix(line, "flags:"); ok {
			flags, err := strconv.ParseUint(strings.TrimSpace(text), 8, 64)
			return err != nil || flags&oCloexec != 0
		}
	}
	return true
}
