// SPDX-License-Identifier: Apache-2.0

package answers

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/runc-trace/runc-trace/pkg/straceback"
	"github.com/runc-trace/runc-trace/pkg/syscalls"
	"github.com/runc-trace/runc-trace/pkg/terminal"
)

// A failure is a row of the table of failed calls: what it means if a call fails with an error.
type failure struct {
	calls  string  // between blanks; "" for all
	errnos string  // likewise
	weight float64 // 0: it means nothing; see rules
	title  string  // %s stands for what the call is about
}

const (
	opens    = "open openat openat2 creat"
	executes = "execve execveat"
	forks    = "fork vfork clone clone3"
	writes   = "write writev pwrite64 fsync ftruncate fallocate"
	locks    = "flock fcntl fcntl64"
	connects = "connect sendto sendmsg getsockopt"
)

// failures are what failed calls mean. The first row that matches counts.
var failures = []failure{
	{executes, "ENOENT", 6, "%s cannot be executed: it, or the interpreter that its first line names, does not exist"},
	{executes, "EACCES", 7, "%s cannot be executed: no permission, or its file system is mounted noexec"},
	{executes, "ENOEXEC", 8, "%s cannot be executed: it is not a program for this machine, and has no line \"#!\""},
	{executes, "E2BIG", 8, "%s cannot be executed: its arguments and environment are too long"},
	{executes, "ENOMEM EAGAIN", 7, "%s cannot be executed: too little memory, or too many processes"},
	{executes, "ETXTBSY", 7, "%s cannot be executed: it is open for writing"},
	{executes, "EPERM ELOOP ENOTDIR EISDIR", 6, "%s cannot be executed"},
	{forks, "EAGAIN", 8, "no further process or thread can be started: a limit is reached (pids of the cgroup, RLIMIT_NPROC)"},
	{forks, "ENOMEM", 7, "no further process or thread can be started: too little memory"},
	{locks, "EAGAIN EWOULDBLOCK EACCES", 6, "%s is locked by another process"},
	{locks, "EDEADLK", 7, "waiting for the lock of %s would never end"},
	{"inotify_add_watch", "ENOSPC", 8, "the limit of inotify watches is reached (fs.inotify.max_user_watches)"},
	{"inotify_init inotify_init1", "EMFILE", 8, "the limit of inotify instances is reached (fs.inotify.max_user_instances)"},
	{"bind", "EADDRINUSE", 9, "the address %s is in use already"},
	{"listen", "EADDRINUSE", 9, "the port is in use already"},
	{"bind", "EADDRNOTAVAIL", 8, "no interface has the address %s"},
	{"bind", "EACCES", 8, "the port of %s needs CAP_NET_BIND_SERVICE"},
	{"bind", "ENOENT ENOTDIR EROFS EINVAL EAFNOSUPPORT", 6, "the address %s cannot be bound"},
	{"", "ECONNREFUSED", 6, "%s refused the connection"},
	{connects, "ETIMEDOUT", 6, "%s did not answer the connection in time"},
	{"", "EHOSTUNREACH ENETUNREACH EHOSTDOWN ENETDOWN", 6, "%s cannot be reached: there is no route to it"},
	{"connect", "ENOENT", 4, "there is no socket %s"},
	{"connect", "EACCES EPERM", 6, "the connection to %s is not permitted"},
	{"connect", "EADDRNOTAVAIL", 7, "no local port is free for a connection to %s, or the address is not usable"},
	{"", "ECONNRESET ECONNABORTED", 4, "%s closed the connection"},
	{"write writev send sendto sendmsg sendfile splice", "EPIPE", 4, "the reader of %s was gone"},
	{"", "ENOSPC", 8, "no space is left for %s"},
	{"", "EDQUOT", 8, "the quota is used up for %s"},
	{"", "EFBIG", 7, "%s would become too large"},
	{"", "EMFILE", 8, "too many files are open in one process (RLIMIT_NOFILE) for %s"},
	{"", "ENFILE", 8, "too many files are open on the host for %s"},
	{"", "EIO", 8, "reading or writing %s failed: input/output error"},
	{"", "EUCLEAN EBADMSG", 8, "the file system of %s is damaged"},
	{"", "ESTALE", 8, "%s is gone from its server (stale NFS handle)"},
	{"", "ENOTCONN ETRANSPORT ENOLINK", 3, "%s is not connected"},
	{"", "EROFS", 6, "%s is on a file system that is mounted read-only"},
	{"mmap mmap2 brk mremap mlock mlockall mprotect shmget", "ENOMEM", 7,
		"too little memory (a limit of the process, or of the kernel)"},
	{"mlock mlockall mlock2", "EPERM EAGAIN", 5, "memory cannot be locked (RLIMIT_MEMLOCK)"},
	{"", "ENOMEM", 6, "too little memory for %s"},
	{"", "ETXTBSY", 6, "%s is being executed, so that it cannot be written"},
	{"", "ELOOP", 5, "%s goes through too many symbolic links"},
	{"", "ENAMETOOLONG", 5, "the name %s is too long"},
	{"", "ENXIO", 4, "nobody reads %s, or there is no such device"},
	{"", "ENODEV", 4, "the device %s does not exist"},
	{"mount umount umount2 pivot_root", "", 5, "%s cannot be mounted"},
	{"chdir", "ENOENT ENOTDIR EACCES", 5, "%s cannot be the current directory"},
	{"", "EISDIR", 5, "%s is a directory"},
	{"", "ENOTDIR", 3, "a part of %s is not a directory"},
	{"rename renameat renameat2 link linkat unlink unlinkat rmdir umount2", "ENOTEMPTY EBUSY EXDEV", 3,
		"%s cannot be removed or renamed"},
	{"", "EACCES", 5, "no permission for %s"},
	{"setuid setgid setresuid setresgid setreuid setregid setgroups", "EPERM", 6,
		"it may not change its user (capabilities)"},
	{"", "EPERM", 5, "%s is not permitted"},
	{opens, "ENOENT", 4, "%s does not exist"},
	{"unlink unlinkat rmdir readlink readlinkat getxattr lgetxattr listxattr", "ENOENT EINVAL", 0, ""},
	{"", "ENOENT", 2.5, "%s does not exist"},
	{"ioctl copy_file_range", "", 0, ""},
	{"", "EXDEV EAGAIN EINTR EINPROGRESS EALREADY ENOTTY ESPIPE ECHILD ENODATA ERANGE ESRCH EOPNOTSUPP", 0, ""},
	{"", "EEXIST EISCONN ENOPROTOOPT ENOTSUP EPROTONOSUPPORT EAFNOSUPPORT", 0, ""},
	{"futex futex_wait", "ETIMEDOUT", 0, ""},
	{"", "ETIMEDOUT", 4, "%s did not answer in time"},
	{"", "EFAULT", 2, "a call got an address that is not mapped"},
	{"", "EBADF", 1.5, "a call got a descriptor that is not open"},
	{"", "ENOSYS", 1, "a call does not exist in this kernel"},
	{"", "EINVAL", 1, "a call got an argument that it does not accept"},
}

// ordinary are names that programs look for without needing them.
var ordinary = []string{
	"/etc/ld.so.preload", "/etc/ld.so.nohwcap", "/etc/suid-debug", "/etc/selinux/*", "/sys/fs/selinux*", "/selinux",
	"*.pyc", "pyvenv.cfg", "python3*.zip", "pybuilddir.txt", "sitecustomize.py", "usercustomize.py", "__pycache__",
	"locale-archive", "locale.alias", "*.mo", "LC_*", "gconv-modules.cache", "nscd", "/var/run/nscd/socket",
	"/run/nscd/socket", "/etc/localtime", "/etc/terminfo/*", ".terminfo", ".netrc", ".curlrc", ".inputrc",
	"/etc/nsswitch.conf", "/etc/busybox.conf",
	"/proc/sys/*", "/etc/gai.conf", "/etc/crypto-policies/*", "openssl.cnf", "/dev/tty", "/etc/sysconfig/*",
}

// failedCalls ranks failed calls. Those mean most that the culprit made shortly before its end, that its output or its
// exit code names, and that it did not mend. Calls of the same meaning are one cause.
func failedCalls(w *Why) (found []Cause) {
	type group struct {
		cause        Cause
		facts, times uint64
	}
	groups := map[string]*group{}
	last := w.lastFailure()
	for _, f := range w.past.Facts {
		row := w.meaning(f)
		if row == nil {
			continue
		}
		title := w.title(f, row)
		g := groups[title]
		if g == nil {
			g = &group{cause: Cause{Title: title, Because: "a call failed with an error that often ends programs"}}
			groups[title] = g
		}
		weight := w.weigh(f, row)
		if f == last {
			const lastOne = 3
			weight += lastOne
			g.cause.Because = "it is the last call that failed before the end"
		}
		if g.facts == 0 || weight >= g.cause.weight {
			g.cause.weight, g.cause.Evidence = weight, []Evidence{{Fact: f}}
		}
		g.facts++ // a call that came again counts those that are facts of their own, too
		g.times = max(g.times, f.Times(), g.facts)
	}
	for _, g := range groups {
		if g.cause.weight > 0 {
			g.cause.Evidence[0].times = g.times
			found = append(found, g.cause)
		}
	}
	slices.SortFunc(found, func(a, b Cause) int { return strings.Compare(a.Title, b.Title) })
	return found
}

// meaning returns what the failure of a call means, or nil if it means nothing.
func (w *Why) meaning(f *Fact) *failure {
	if row := rowOf(f); row != nil && row.weight > 0 && f.Lane != straceback.Runtime && !w.mended(f) {
		return row
	}
	return nil
}

// lastFailure returns the last failed call of the culprit before its end, but for files that nobody needs.
func (w *Why) lastFailure() *Fact {
	for _, f := range slices.Backward(w.past.Facts) {
		if f.Process == w.Culprit && f.Call.Time <= w.end() && !matchesAny(ordinary, f.Subject) && w.meaning(f) != nil {
			return f
		}
	}
	return nil
}

// rowOf returns what the failure of a call means, or nil if it did not fail or that is not known.
func rowOf(f *Fact) *failure {
	s := f.Call.Syscall()
	if f.Errno == 0 || s == nil {
		return nil
	}
	errno := syscalls.ErrnoName(f.Errno)
	for i := range failures {
		row := &failures[i]
		if has(row.calls, s.Name) && has(row.errnos, errno) {
			return row
		}
	}
	return nil
}

// has reports whether a word is among those between blanks. The empty list has every word.
func has(list, word string) bool {
	return list == "" || strings.Contains(" "+list+" ", " "+word+" ")
}

// weigh returns how likely a failed call is the reason.
func (w *Why) weigh(f *Fact, row *failure) float64 {
	weight := row.weight
	end := w.end()
	switch {
	case f.Process == w.Culprit:
		weight += 2
	case w.Culprit != nil && (f.Process.Within(w.Culprit) || w.Culprit.Within(f.Process)):
	default:
		weight -= 1.5
	}
	const code = 2 // exit codes 1 and 2 are those of too many other failures
	if w.code() == f.Errno && f.Errno > code {
		weight += 4
	}
	if w.mentions(f.Subject) || w.mentions(base(f.Subject)) {
		weight += 4
	} else if w.mentions(message(f.Errno)) {
		weight += 1.5
	}
	if matchesAny(ordinary, f.Subject) {
		weight -= 4
	}
	if w.Ending.Exited && end >= f.End() {
		switch d := time.Duration(end - f.End()); {
		case d < 10*time.Millisecond:
			weight += 1.5
		case d < time.Second:
			weight++
		case d > time.Minute:
			weight -= 2
		case d > 10*time.Second:
			weight--
		}
	} else if w.Ending.Exited && f.Call.Time > end {
		weight -= 4 // it happened later
	}
	if w.Ending.Exited && w.Ending.Expected {
		weight -= 6
	}
	return weight
}

// mended reports whether the process, or one that it started, found later what a call did not find: the same file, or
// one of the same name in another directory or with another ending.
func (w *Why) mended(f *Fact) bool {
	if !strings.Contains(f.Subject, "/") {
		return false
	}
	at, ok := w.past.reached[wish{f.Process, stem(f.Subject)}]
	return ok && at >= f.Call.Time
}

// title says what the failure of a call means.
func (w *Why) title(f *Fact, row *failure) string {
	subject := terminal.String(f.Subject)
	if f.Call.NoEnter && !f.Call.Unfinished {
		return fmt.Sprintf("%s was refused before the kernel carried it out: seccomp's rules forbid it (%s)",
			f.Call.Syscall().Name, message(f.Errno))
	}
	if subject == "" {
		subject = f.Call.Syscall().Name
		if f.Call.Withheld {
			subject = "the object of " + subject
		}
	}
	if !strings.Contains(row.title, "%s") {
		return row.title
	}
	return fmt.Sprintf(row.title, subject)
}

// remarks says how often and when a call failed, and who else changed what it is about.
func (w *Why) remarks(f *Fact, times uint64) string {
	note := w.before(f)
	if times > f.Times() {
		note += ", the last of " + terminal.Number(times)
	}
	if f.Guessed {
		note += "; a guess: the last file that it opened for writing"
	}
	if by := w.changedBy(f); by != "" {
		note = strings.TrimPrefix(note+"; "+by, "; ")
	}
	return note
}

// sameFile reports whether two paths may be the same. The directory of a relative one is not known.
func sameFile(a, b string) bool {
	return a == b || !strings.HasPrefix(a, "/") && a != "" && strings.HasSuffix(b, "/"+strings.TrimPrefix(a, "./"))
}

// changedBy says who removed or renamed what a call did not find, or who has the address that it wanted.
func (w *Why) changedBy(f *Fact) string {
	errno := syscalls.ErrnoName(f.Errno)
	if errno != "ENOENT" && errno != "EADDRINUSE" || f.Subject == "" {
		return ""
	}
	note := ""
	for _, g := range w.past.Facts {
		s := g.Call.Syscall()
		if s == nil || g.Errno != 0 || g.Call.Event() || !sameFile(g.Subject, f.Subject) || g.Call.Time > f.End() {
			continue
		}
		switch s.Name {
		case "bind":
			note = fmt.Sprintf("%s had bound it %s before", name(g.Process), brief(time.Duration(f.End()-g.Call.Time)))
		case "unlink", "unlinkat", "rmdir":
			note = fmt.Sprintf("%s removed it %s before (%s)", name(g.Process),
				brief(time.Duration(f.End()-g.Call.Time)), s.Name)
		case "rename", "renameat", "renameat2":
			note = fmt.Sprintf("%s renamed it %s before (%s)", name(g.Process),
				brief(time.Duration(f.End()-g.Call.Time)), s.Name)
		}
	}
	return note
}
