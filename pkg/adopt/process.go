// SPDX-License-Identifier: Apache-2.0

package adopt

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// errStopped is returned for a process that has ended, or is about to.
var errStopped = errors.New("process has ended")

// process identifies a process by an open directory in /proc, which never refers to another process.
type process struct {
	dir  *os.File
	stat stat
}

// stat holds the required fields of /proc/PID/stat, see proc_pid_stat(5).
type stat struct {
	state  byte
	parent int
	flags  uint64
	start  uint64 // since boot, in ticks
}

// ticks per second: USER_HZ on all supported architectures.
const ticks = 100

// exiting is PF_EXITING of the kernel's include/linux/sched.h.
const exiting = 4

// openProcess opens the process with a PID and a start time. If it does not exist, or is ending, the error matches
// errStopped.
func openProcess(pid int, start uint64) (*process, error) {
	dir, err := os.Open(fmt.Sprintf("/proc/%d", pid))
	if errors.Is(err, os.ErrNotExist) {
		return nil, errStopped
	}
	if err != nil {
		return nil, fmt.Errorf("inspecting its process: %w", err)
	}
	p := &process{dir: dir}
	if p.stat, err = readStat(dir); err == nil && (p.stat.start != start || !p.stat.runs()) {
		err = errStopped
	}
	if err != nil {
		dir.Close()
		return nil, err
	}
	return p, nil
}

func (p *process) close() { p.dir.Close() }

// runs reports whether the process is still running.
func (p *process) runs() bool {
	s, err := readStat(p.dir)
	return err == nil && s.runs()
}

func (s stat) runs() bool { return s.state != 'Z' && s.state != 'X' && s.flags&exiting == 0 }

// started returns the time from boot to the start of the process.
func (p *process) started() time.Duration { return time.Duration(p.stat.start) * time.Second / ticks }

// mountNamespace returns the inode number of the runtime's mount namespace, which tells the runtime's own execs
// from those of the container. It returns 0 if the container shares that namespace, or if it is not known. The
// runtime's parent is the parent of the container's process, or the process that adopted it.
func (p *process) mountNamespace() uint32 {
	own, ok := namespace(fmt.Sprintf("/proc/self/fd/%d/ns/mnt", p.dir.Fd()))
	if !ok {
		return 0
	}
	for _, pid := range []int{p.stat.parent, 1} {
		if inode, ok := namespace(fmt.Sprintf("/proc/%d/ns/mnt", pid)); ok {
			if inode == own {
				return 0
			}
			return uint32(inode)
		}
	}
	return 0
}

func namespace(path string) (inode uint64, ok bool) {
	var s unix.Stat_t
	err := unix.Stat(path, &s)
	return s.Ino, err == nil
}

// readStat reads the file stat in a process's directory.
func readStat(dir *os.File) (stat, error) {
	fd, err := unix.Openat(int(dir.Fd()), "stat", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ESRCH) {
		return stat{}, errStopped
	}
	if err != nil {
		return stat{}, fmt.Errorf("opening %s/stat: %w", dir.Name(), err)
	}
	file := os.NewFile(uintptr(fd), dir.Name()+"/stat")
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, 4<<10))
	if errors.Is(err, unix.ESRCH) {
		return stat{}, errStopped
	}
	if err != nil {
		return stat{}, fmt.Errorf("reading %s: %w", file.Name(), err)
	}
	s, err := parseStat(string(text))
	if err != nil {
		return stat{}, fmt.Errorf("reading %s: %w", file.Name(), err)
	}
	return s, nil
}

// parseStat parses /proc/PID/stat. The name of the command, in parentheses, may contain any character.
func parseStat(text string) (stat, error) {
	const state, parent, flags, start = 0, 1, 6, 19 // from the third field on
	fields := strings.Fields(text[strings.LastIndexByte(text, ')')+1:])
	if len(fields) <= start {
		return stat{}, fmt.Errorf("only %d fields", len(fields))
	}
	if letter := fields[state]; len(letter) != 1 || (letter[0]|0x20) < 'a' || (letter[0]|0x20) > 'z' {
		return stat{}, fmt.Errorf("invalid state %q", letter)
	}
	s := stat{state: fields[state][0]}
	var errs [3]error
	s.parent, errs[0] = strconv.Atoi(fields[parent])
	s.flags, errs[1] = strconv.ParseUint(fields[flags], 10, 64)
	s.start, errs[2] = strconv.ParseUint(fields[start], 10, 64)
	return s, errors.Join(errs[:]...)
}
