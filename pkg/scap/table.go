// SPDX-License-Identifier: Apache-2.0

package scap

import (
	"slices"
	"strings"

	"github.com/runc-trace/runc-trace/pkg/syscalls"
)

// row is the event of a call: its number, at the call's start, and what the events at its start and its end have. That
// of the end has the next number. The numbers, and the order and types of parameters, are the format's: later versions
// of it only add to them.
type row struct {
	calls string // names
	event uint16
	enter []parameter
	exit  []parameter
}

// Events that are not only of one call, or after which readers know something else of a process.
const (
	eventGeneric   = 0 // any call without an event of its own
	eventExit      = 186
	eventClone     = 222
	eventFork      = 224
	eventVfork     = 226
	eventSignal    = 232
	eventExec      = 292
	eventContainer = 324
	eventExecAt    = 330
)

type p = []parameter

// The values that no recording has are 0, and the IDs of users and groups -1, which is none.
var (
	zero32  = constant(4, 0)
	zero64  = constant(8, 0)
	nobody  = constant(4, ^uint64(0))
	res     = p{result}
	memory  = p{result, zero32, zero32, zero32} // the sizes of the process's memory
	process = p{result, executable, arguments, threadID, processID, parentID, directory, zero64, zero64, zero64, zero32,
		zero32, zero32, command, cgroups}
	born     = join(process, p{clone, nobody, nobody, innerThread, innerProcess})
	executed = join(process, p{constant(1, 0), zero32, zero64, nobody, zero32}) // environment, terminal, group, ...
)

func join(a, b p) p { return append(a[:len(a):len(a)], b...) }

// bpf is not among them: sysdig 0.29.3 crashes when it is asked for the result of that event.
var rows = []row{
	// Files
	{"open", 2, p{path("filename"), flags32("flags", openFlags), u32("mode")},
		p{result, path("filename"), flags32("flags", openFlags), u32("mode"), device}},
	{"openat", 306, p{fd("dfd"), path("filename"), flags32("flags", openFlags), u32("mode")},
		p{result, fd("dfd"), path("filename"), flags32("flags", openFlags), u32("mode"), device}},
	{"openat2", 326, openat2, join(res, openat2)},
	{"creat", 58, p{path("pathname"), u32("mode")}, p{result, path("pathname"), u32("mode"), device}},
	{"close", 4, p{fd("fd")}, res},
	{"read", 6, p{fd("fd"), u32("count")}, p{result, data("buf")}},
	{"write", 8, p{fd("fd"), u32("count")}, p{result, data("buf")}},
	{"pread64", 112, p{fd("fd"), u32("count"), u64("pos")}, p{result, data("buf")}},
	{"pwrite64", 114, p{fd("fd"), u32("count"), u64("pos")}, p{result, data("buf")}},
	{"readv", 116, p{fd("fd")}, p{result, room("vec"), data("vec")}},
	{"writev", 118, p{fd("fd"), room("vec")}, p{result, data("vec")}},
	{"preadv", 120, p{fd("fd"), u64("pos_l")}, p{result, room("vec"), data("vec")}},
	{"pwritev", 122, p{fd("fd"), room("vec"), u64("pos_l")}, p{result, data("vec")}},
	{"lseek", 86, p{fd("fd"), u64("offset"), u8("whence")}, res},
	{"sendfile sendfile64", 188, p{fd("out_fd"), fd("in_fd"), left("offset"), u64("count")}, p{result, left("offset")}},
	{"splice", 166, p{fd("fd_in"), fd("fd_out"), u64("len"), u32("flags")}, res},
	{"copy_file_range", 332, p{fd("fd_in"), left("off_in"), u64("len")}, p{result, fd("fd_out"), left("off_out")}},
	{"stat", 66, nil, p{result, path("filename")}},
	{"lstat", 68, nil, p{result, path("filename")}},
	{"fstat", 70, p{fd("fd")}, res},
	{"stat64", 72, nil, p{result, path("filename")}},
	{"lstat64", 74, nil, p{result, path("filename")}},
	{"fstat64", 76, p{fd("fd")}, res},
	{"access", 264, p{u32("mode")}, p{result, path("filename")}},
	{"getdents", 236, p{fd("fd")}, res},
	{"getdents64", 238, p{fd("fd")}, res},
	{"flock", 242, p{fd("fd"), u32("cmd")}, res},
	{"getcwd", 92, nil, p{result, path("buf")}},
	{"chdir", 94, nil, p{result, path("filename")}},
	{"fchdir", 96, p{fd("fd")}, res},
	{"chroot", 266, nil, p{result, path("filename")}},
	{"mkdir", 276, p{u32("mode")}, p{result, path("pathname")}},
	{"mkdirat", 304, nil, p{result, fd("dfd"), path("pathname"), u32("mode")}},
	{"rmdir", 278, nil, p{result, path("pathname")}},
	{"unlink", 300, nil, p{result, path("pathname")}},
	{"unlinkat", 302, nil, p{result, fd("dfd"), path("pathname"), u32("flag")}},
	{"link", 308, nil, p{result, path("oldname"), path("newname")}},
	{"linkat", 310, nil,
		p{result, fd("olddfd"), path("oldname"), fd("newdfd"), path("newname"), u32("flags")}},
	{"symlink", 178, nil, p{result, path("oldname"), path("newname")}},
	{"symlinkat", 180, nil, p{result, path("oldname"), fd("newdfd"), path("newname")}},
	{"rename", 174, nil, p{result, path("oldname"), path("newname")}},
	{"renameat", 176, nil, p{result, fd("olddfd"), path("oldname"), fd("newdfd"), path("newname")}},
	{"renameat2", 318, nil,
		p{result, fd("olddfd"), path("oldname"), fd("newdfd"), path("newname"), u32("flags")}},
	{"chmod", 314, nil, p{result, path("filename"), u32("mode")}},
	{"fchmod", 316, nil, p{result, fd("fd"), u32("mode")}},
	{"fchmodat", 312, nil, p{result, fd("dfd"), path("filename"), u32("mode")}},
	{"mount", 256, p{u32("flags")}, p{result, path("dev_name"), path("dir_name"), path("type")}},
	{"umount2", 258, p{u32("flags")}, p{result, path("name")}},

	// Descriptors
	{"dup", 124, p{fd("fildes")}, res},
	{"dup2 dup3", 124, p{fd("oldfd")}, res},
	{"fcntl fcntl64", 150, p{fd("fd"), flags8("cmd", fcntlCommands)}, res},
	{"ioctl", 170, p{fd("fd"), u64("cmd"), u64("arg")}, res},
	{"pipe pipe2", 60, nil, p{result, made("fildes", 0), made("fildes", 1), inode}},
	{"eventfd", 62, p{u64("count"), zero32}, res},
	{"eventfd2", 62, p{u64("count"), u32("flags")}, res},
	{"signalfd", 126, p{fd("ufd"), left32("user_mask"), constant(1, 0)}, res},
	{"signalfd4", 126, p{fd("ufd"), left32("user_mask"), u8("flags")}, res},
	{"timerfd_create", 136, p{u8("clockid"), u8("flags")}, res},
	{"inotify_init", 138, p{constant(1, 0)}, res},
	{"inotify_init1", 138, p{u8("flags")}, res},
	{"userfaultfd", 320, nil, p{result, u32("flags")}},
	{"poll", 80, p{polled("ufds", "events"), u64("timeout_msecs")}, p{result, polled("ufds", "revents")}},
	{"ppoll", 254, p{polled("ufds", "events"), duration("tsp"), left32("sigmask")}, p{result, polled("ufds", "revents")}},
	{"select", 82, nil, res},
	{"_newselect", 84, nil, res},
	{"epoll_wait", 78, p{u64("maxevents")}, res},

	// Sockets
	{"socket", 18, p{u32("family"), u32("type"), u32("protocol")}, res},
	{"socketpair", 42, p{u32("family"), u32("type"), u32("protocol")},
		p{result, made("usockvec", 0), made("usockvec", 1), zero64, zero64}},
	{"bind", 20, p{fd("fd")}, p{result, address("umyaddr")}},
	{"connect", 22, p{fd("fd"), address("uservaddr")}, p{result, connected}},
	{"listen", 24, p{fd("fd"), u32("backlog")}, res},
	{"accept", 246, nil, p{result, accepted, constant(1, 0), zero32, zero32}},
	{"accept4", 248, p{zero32}, p{result, accepted, constant(1, 0), zero32, zero32}},
	{"send", 28, p{fd("fd"), u32("len")}, p{result, data("buff")}},
	{"sendto", 30, p{fd("fd"), u32("len"), sent("addr")}, p{result, data("buff")}},
	{"recv", 32, p{fd("fd"), u32("size")}, p{result, data("ubuf")}},
	{"recvfrom", 34, p{fd("fd"), u32("size")}, p{result, data("ubuf"), received("addr")}},
	{"sendmsg", 48, p{fd("fd"), room("msg"), sent("msg")}, p{result, data("msg")}},
	{"recvmsg", 52, p{fd("fd")}, p{result, room("msg"), data("msg"), received("msg")}},
	{"shutdown", 36, p{fd("fd"), u8("how")}, res},
	{"setsockopt", 44, nil, socketOption},
	{"getsockopt", 46, nil, socketOption},

	// Processes
	{"clone clone3", eventClone, nil, born},
	{"fork", eventFork, nil, born},
	{"vfork", eventVfork, nil, born},
	{"execve", eventExec, p{path("filename")}, executed},
	{"execveat", eventExecAt, p{fd("fd"), program, flags32("flags", execFlags)}, executed},
	{"kill", 128, p{u64("pid"), u8("sig")}, res},
	{"tkill", 130, p{u64("pid"), u8("sig")}, res},
	{"tgkill", 132, p{u64("tgid"), u64("pid"), u8("sig")}, res},
	{"ptrace", 168, p{flags16("request", traceRequests), u64("pid")}, p{result, word("addr"), word("data")}},
	{"setns", 240, p{fd("fd"), flags32("flags", cloneFlags)}, res},
	{"unshare", 284, p{flags32("unshare_flags", cloneFlags)}, res},
	{"seccomp", 298, p{u64("op"), u64("flags")}, res},
	{"setsid", 274, nil, res},
	{"setpgid", 294, p{u64("pid"), u64("pgid")}, res},
	{"setuid setuid32", 198, p{u32("uid")}, res},
	{"setgid setgid32", 200, p{u32("gid")}, res},
	{"setresuid setresuid32", 192, p{u32("ruid"), u32("euid"), u32("suid")}, res},
	{"setresgid setresgid32", 194, p{u32("rgid"), u32("egid"), u32("sgid")}, res},
	{"getuid getuid32", 202, nil, p{result32}},
	{"geteuid geteuid32", 204, nil, p{result32}},
	{"getgid getgid32", 206, nil, p{result32}},
	{"getegid getegid32", 208, nil, p{result32}},
	{"getresuid getresuid32", 210, nil, p{result, left32("ruidp"), left32("euidp"), left32("suidp")}},
	{"getresgid getresgid32", 212, nil, p{result, left32("rgidp"), left32("egidp"), left32("sgidp")}},
	{"getrlimit", 140, p{u8("resource")}, p{result, limit("rlim", "rlim_cur"), limit("rlim", "rlim_max")}},
	{"setrlimit", 142, p{u8("resource")}, p{result, limit("rlim", "rlim_cur"), limit("rlim", "rlim_max")}},
	{"prlimit64", 144, p{u64("pid"), u8("resource")}, p{result, limit("new_rlim", "rlim_cur"),
		limit("new_rlim", "rlim_max"), limit("old_rlim", "rlim_cur"), limit("old_rlim", "rlim_max")}},
	{"futex", 64, p{u64("uaddr"), u16("op"), u64("val")}, res},
	{"nanosleep", 134, p{duration("rqtp")}, res},

	// Memory
	{"brk", 158, p{u64("brk")}, memory},
	{"mmap", 160,
		p{u64("addr"), u64("len"), flags32("prot", protections), flags32("flags", mapFlags), fd("fd"), u64("off")}, memory},
	{"mmap2", 162,
		p{u64("addr"), u64("len"), flags32("prot", protections), flags32("flags", mapFlags), fd("fd"), u64("pgoff")}, memory},
	{"munmap", 164, p{u64("addr"), u64("len")}, memory},
	{"mprotect", 328, p{u64("start"), u64("len"), flags32("prot", protections)}, res},
}

var (
	openat2 = p{fd("dfd"), path("filename"), member32("how", "flags", openFlags), member32("how", "mode", nil),
		member32("how", "resolve", resolveFlags)}
	socketOption = p{result, fd("fd"), flags8("level", socketLevels), option, optionValue, optionLength}
)

// rowOf returns the row of a call, or nil: the old mmap of ia32, which takes a struct, has none either.
func rowOf(s *syscalls.Syscall) *row {
	if s == nil {
		return nil
	}
	r := byName[s.Name]
	if r == nil || len(r.enter) == 0 || r.enter[0].arg == "" {
		return r
	}
	if !slices.ContainsFunc(s.Args, func(a syscalls.Arg) bool { return a.Name == r.enter[0].arg }) {
		return nil
	}
	return r
}

// makes reports whether an event is of a call that makes processes or threads.
func makes(r *row) bool {
	return r.event == eventClone || r.event == eventFork || r.event == eventVfork
}

// executes reports whether an event is of a call that executes a program.
func executes(r *row) bool { return r.event == eventExec || r.event == eventExecAt }

// byName are the rows by the names of their calls.
var byName = func() map[string]*row {
	all := map[string]*row{}
	for i := range rows {
		for name := range strings.FieldsSeq(rows[i].calls) {
			all[name] = &rows[i]
		}
	}
	return all
}()
