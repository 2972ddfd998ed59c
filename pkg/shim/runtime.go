// SPDX-License-Identifier: Apache-2.0

package shim

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/runc-trace/runc-trace/pkg/config"
	"github.com/runc-trace/runc-trace/pkg/regular"
)

// The shim must not exec itself forever. The running file itself (same device and inode, after symlinks) is never a
// candidate. But a copy of it, perhaps of another version, looks like any other program. The shim cannot mark the
// environment to recognise a second round, because the runtime must get the caller's environment, arguments and
// descriptors unchanged. It can only choose the spelling of the path that it passes to execve(2). The kernel gives
// this to the new program as AT_EXECFN, and nothing else shows it (except that a script sees it as $0). So the
// spelling counts the rounds:
//
//	/usr/sbin/runc      executed by the caller
//	/usr/sbin/./runc    executed by a shim
//	/usr/sbin/././runc  executed by a shim that a shim executed
//
// A shim with such a path starts its search after itself in the list of candidates, and gives up after maxRounds. This
// does not detect a loop through a foreign wrapper that is configured as the runtime and searches PATH for runc.
const maxRounds = 4

// spelling is a clean absolute path and the number of rounds counted by its spelling.
type spelling struct {
	path   string
	rounds int
}

func (s spelling) String() string {
	directory, name := path.Split(s.path)
	return directory + strings.Repeat("./", s.rounds) + name
}

func parseSpelling(text string) spelling {
	directory, name := path.Split(text)
	s := spelling{}
	for strings.HasSuffix(directory, "/./") {
		directory = strings.TrimSuffix(directory, "./")
		s.rounds++
	}
	s.path = directory + name
	return s
}

// findRuntime returns the path of the real runtime, spelled for the exec. self is the running file, own the path by
// which it was executed. If the names lead only to the shim, findRuntime tries those of the default configuration,
// because the user who named the shim meant the runtime behind it. If the names lead nowhere, or after maxRounds, it
// returns an error: it never replaces a runtime that the user chose.
func findRuntime(names config.Runtime, searchPath string, self syscall.Stat_t, own spelling) (string, error) {
	if own.rounds >= maxRounds {
		return "", fmt.Errorf("every container runtime found is a copy of runc-trace, such as %q: set runtime to the real one in %s",
			own.path, config.DefaultPath)
	}
	found, sawSelf := search(names.Candidates(searchPath), self, own)
	if found == "" && sawSelf {
		found, _ = search(config.Default().Runtime.Candidates(searchPath), self, own)
	}
	if found == "" {
		return "", fmt.Errorf("no container runtime found: looked for %s (names in PATH and in %s); install one, or set runtime in %s",
			strings.Join(names, ", "), strings.Join(config.Directories[:], ":"), config.DefaultPath)
	}
	return spelling{found, own.rounds + 1}.String(), nil
}

// search returns the first executable path that is not the shim, and whether it met the shim before.
func search(paths []string, self syscall.Stat_t, own spelling) (found string, sawSelf bool) {
	if at := slices.Index(paths, own.path); at >= 0 && own.rounds > 0 {
		paths = slices.Concat(paths[at+1:], paths[:at+1])
	}
	for _, candidate := range paths {
		var stat syscall.Stat_t
		switch {
		case syscall.Stat(candidate, &stat) != nil:
		case stat.Mode&syscall.S_IFMT != syscall.S_IFREG || stat.Mode&0o111 == 0:
		case stat.Dev == self.Dev && stat.Ino == self.Ino:
			sawSelf = true
		default:
			return candidate, sawSelf
		}
	}
	return "", sawSelf
}

// dialectOf recognises crun by its name, or by the name of the file to which a symlink leads.
func dialectOf(runtime string) Dialect {
	if strings.Contains(path.Base(runtime), "crun") {
		return Crun
	}
	target := make([]byte, 256)
	if n, err := syscall.Readlink(runtime, target); err == nil && strings.Contains(path.Base(string(target[:n])), "crun") {
		return Crun
	}
	return Runc
}

// execPath returns the path by which the shim was executed, as spelled: AT_EXECFN of getauxval(3).
func execPath() spelling {
	const execFn = 31
	vector, err := unix.Auxv()
	if err != nil {
		return spelling{}
	}
	for _, pair := range vector {
		if pair[0] == execFn {
			return parseSpelling(unix.BytePtrToString(*(**byte)(unsafe.Pointer(&pair[1]))))
		}
	}
	return spelling{}
}

// environment returns the caller's environment, byte for byte. Go's own functions omit entries that are not of the
// form KEY=VALUE, and repeated keys.
func environment() []string {
	text, err := regular.Read("/proc/self/environ", 16<<20)
	if err != nil {
		return syscall.Environ()
	}
	if len(text) == 0 {
		return nil
	}
	return strings.Split(strings.TrimSuffix(string(text), "\x00"), "\x00")
}
