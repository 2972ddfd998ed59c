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

// The shim must never exec itself for ever. The very file that runs (device and inode,
// after symlinks) is never a candidate. But a copy of it, perhaps of another version,
// looks like any other program, and no variable can be left to recognise the second
// round by: the runtime's environment is the caller's, byte for byte, and so are its
// arguments and descriptors. What the shim is free to choose is the spelling of the
// path that it gives to execve(2). The kernel shows it to the new program as AT_EXECFN
// and to nobody else (but a script, which sees it as $0), so the spelling counts:
//
//	/usr/sbin/runc      exec'd by the caller
//	/usr/sbin/./runc    exec'd by a shim
//	/usr/sbin/././runc  exec'd by a shim that a shim exec'd
//
// A shim so spelled begins its search behind itself in the list of candidates, and
// after maxRounds it gives up. What this cannot see is a loop through somebody else's
// wrapper which is configured as the runtime and in turn searches PATH for runc.
const maxRounds = 4

// spelling is a clean absolute path and the rounds that its spelling counts.
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

// findRuntime gives the path of the real runtime, spelled as it is to be exec'd. self is
// the running file, own how it was exec'd. Where the names lead to the shim alone, those
// of the default configuration are tried: somebody who named the shim meant what it
// stands for. Names that lead nowhere are an error, and so is one round too many: a
// runtime that somebody chose is not replaced by another one.
func findRuntime(names config.Runtime, searchPath string, self syscall.Stat_t, own spelling) (string, error) {
	if own.rounds >= maxRounds {
		return "", fmt.Errorf("every container runtime found is a copy of runc-trace, such as %q: name the real one as runtime in %s",
			own.path, config.DefaultPath)
	}
	found, sawSelf := search(names.Candidates(searchPath), self, own)
	if found == "" && sawSelf {
		found, _ = search(config.Default().Runtime.Candidates(searchPath), self, own)
	}
	if found == "" {
		return "", fmt.Errorf("no container runtime found: looked for %s, names in PATH and in %s; install one, or name it as runtime in %s",
			strings.Join(names, ", "), strings.Join(config.Directories[:], ":"), config.DefaultPath)
	}
	return spelling{found, own.rounds + 1}.String(), nil
}

// search gives the first path that can be exec'd and is not the shim, and whether it
// met the shim before that.
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

// dialectOf tells crun by its name, or by that of the file that a symlink leads to.
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

// execPath is the path by which the shim was exec'd, as it was spelled: AT_EXECFN of
// getauxval(3).
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

// environment is the caller's, byte for byte. Go's own view of it leaves out what is
// not of the form KEY=VALUE and what repeats a key.
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
