// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// A crash is a container that fails, and the lines of its first screen that say why.
type crash struct {
	name   string
	script string // of a shell; or
	source string // the main function of a C program, which the script can run as /srv/program
	code   int    // the exit code of `runc run`: 128 and the signal, if one killed it
	find   []string
	edit   func(*specs.Spec)
}

// forgotten are crashes whose cause a busy neighbor pushes out: a read that finds nothing is not new.
var forgotten = map[string]bool{"empty": true, "input": true}

func limits(memory, pids int64) func(*specs.Spec) {
	return func(s *specs.Spec) {
		s.Linux.Resources = &specs.LinuxResources{}
		if memory > 0 {
			s.Linux.Resources.Memory = &specs.LinuxMemory{Limit: &memory, Swap: &memory}
		}
		if pids > 0 {
			s.Linux.Resources.Pids = &specs.LinuxPids{Limit: &pids}
		}
	}
}

// nobody takes root's privileges away.
func nobody(s *specs.Spec) { s.Process.User = specs.User{UID: 65534, GID: 65534} }

func seccomp(action specs.LinuxSeccompAction, calls ...string) func(*specs.Spec) {
	return func(s *specs.Spec) {
		s.Linux.Seccomp = &specs.LinuxSeccomp{DefaultAction: specs.ActAllow,
			Syscalls: []specs.LinuxSyscall{{Names: calls, Action: action}}}
	}
}

// alone gives the container a network of its own, in which nothing is up.
func alone(s *specs.Spec) {
	s.Linux.Namespaces = append(s.Linux.Namespaces, specs.LinuxNamespace{Type: specs.NetworkNamespace})
}

// small makes /tmp a file system of 64 KiB.
func small(s *specs.Spec) {
	for i := range s.Mounts {
		if s.Mounts[i].Destination == "/tmp" {
			s.Mounts[i].Options = append(s.Mounts[i].Options, "size=64k")
		}
	}
}

// address begins a C function with a socket and an address of the loopback.
const address = `struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int s = socket(AF_INET, SOCK_STREAM, 0);`

var crashes = []crash{
	// Files
	{"config", "exec cat /etc/app/settings.yaml", "", 1, []string{`/etc/app/settings\.yaml does not exist`}, nil},
	{"command", "exec frobnicate --all", "", 127, []string{"frobnicate", "not found|does not exist"}, nil},
	{"mode", "echo 'echo hello' >/tmp/start; exec /tmp/start", "", 126, []string{"/tmp/start", "permission"}, nil},
	{"interpreter", "printf '#!/opt/ruby\n' >/tmp/start; chmod +x /tmp/start; exec /tmp/start", "", 127,
		[]string{"/tmp/start cannot be executed", "ENOENT"}, nil},
	{"machine", "exec /srv/program", `int f = open("/tmp/x", O_CREAT|O_WRONLY, 0755); write(f, "\177ELF\1\1", 6);
	close(f); char *args[] = {"/tmp/x", 0}; execv("/tmp/x", args); return 126;`, 126,
		[]string{"/tmp/x cannot be executed", "ENOEXEC"}, nil},
	{"read-only", "echo x >/etc/app.conf || exit 3", "", 3, []string{"/etc/app.conf", "read-only"},
		func(s *specs.Spec) { s.Root.Readonly = true }},
	{"permission", "exec cat /srv/secret", "", 1, []string{"no permission for /srv/secret"}, nobody},
	{"directory", "exec /srv/program", `char b[8]; int f = open("/tmp", O_RDONLY); return read(f, b, 8) < 0 ? 9 : 0;`, 9,
		[]string{"/tmp is a directory|EISDIR"}, nil},
	{"part", "exec cat /srv/program/x", "", 1, []string{"not a directory|Not a directory"}, nil},
	{"loop", "ln -s /tmp/a /tmp/b; ln -s /tmp/b /tmp/a; exec cat /tmp/a", "", 1,
		[]string{"/tmp/a goes through too many symbolic links"}, nil},
	{"dangling", "ln -s /data/live /tmp/current; exec cat /tmp/current", "", 1,
		[]string{"/tmp/current does not exist"}, nil},
	{"workdir", "cd /srv/app/current", "", 2, []string{"/srv/app/current"}, nil},
	{"full", "dd if=/dev/zero of=/tmp/journal bs=4k count=64 2>/dev/null", "", 1,
		[]string{"no space is left for /tmp/journal"}, small},
	{"deleted", `echo 1 >/tmp/lease; (usleep 200000; rm /tmp/lease) & sleep 1; exec cat /tmp/lease`, "", 1,
		[]string{"/tmp/lease does not exist", `rm\[[0-9]+\] removed it`}, nil},
	{"renamed", `echo 1 >/tmp/lease; (usleep 200000; mv /tmp/lease /tmp/old) & sleep 1; exec cat /tmp/lease`, "", 1,
		[]string{"/tmp/lease does not exist", `mv\[[0-9]+\] renamed it`}, nil},
	{"descriptors", "ulimit -n 12; exec /srv/program",
		`while (open("/srv/secret", O_RDONLY) >= 0) ; return errno;`, 24, []string{"too many files", "/srv/secret"}, nil},
	{"locked", "exec /srv/program", `int f = open("/tmp/pid", O_CREAT|O_RDWR, 0644); flock(f, LOCK_EX);
	if (!fork()) { int g = open("/tmp/pid", O_RDWR); _exit(flock(g, LOCK_EX|LOCK_NB) ? 11 : 0); }
	int s; wait(&s); return WEXITSTATUS(s);`, 11, []string{"/tmp/pid is locked by another process"}, nil},
	{"owner", "echo >/tmp/mine; exec chown 0 /tmp/mine", "", 1, []string{"/tmp/mine is not permitted"}, nobody},
	{"long", "exec /srv/program", `char n[300]; memset(n, 'x', 299); n[299] = 0; return open(n, O_RDONLY) < 0 ? 36 : 0;`, 36,
		[]string{"too long"}, nil},
	// Signals
	{"null", "exec /srv/program", `volatile long *p = 0; return p[2];`, 139, []string{"SIGSEGV", "NULL pointer"}, nil},
	{"wild", "exec /srv/program", `volatile long *p = (long *)0x7000dead0000; return *p;`, 139,
		[]string{"SIGSEGV", "0x7000dead0000"}, nil},
	{"division", "exec /srv/program", `volatile int zero = 0; return 7 / zero;`, 136,
		[]string{"SIGFPE", "divided by zero"}, nil},
	{"assertion", "/srv/program; exit $?", `fputs("program: main.c:12: Assertion 'n > 0' failed.\n", stderr); abort();`, 134,
		[]string{"SIGABRT", "aborted itself", "Assertion 'n > 0' failed"}, nil},
	{"truncated", "exec /srv/program", `int f = open("/tmp/m", O_CREAT|O_RDWR, 0644); ftruncate(f, 4096);
	volatile char *p = mmap(0, 4096, PROT_READ, MAP_SHARED, f, 0); ftruncate(f, 0); return *p;`, 135, []string{"SIGBUS"}, nil},
	{"instruction", "exec /srv/program", `__builtin_trap();`, 132, []string{"SIGILL"}, nil},
	{"pipe", "/srv/program; exit $?", `int p[2]; pipe(p); close(p[0]); signal(SIGPIPE, SIG_DFL); write(p[1], "x", 1);`, 141,
		[]string{"SIGPIPE", "whose other end was closed"}, nil},
	{"limit", "/srv/program; exit $?", `struct rlimit l = {1, 1}; setrlimit(RLIMIT_FSIZE, &l); signal(SIGXFSZ, SIG_DFL);
	int f = open("/tmp/log", O_CREAT|O_WRONLY, 0644); write(f, "abcdef", 6); write(f, "abcdef", 6);`, 153,
		[]string{"SIGXFSZ", "RLIMIT_FSIZE"}, nil},
	{"forbidden", "exec /srv/program", `syscall(SYS_personality, 0xffffffff);`, 159, []string{"SIGSYS", "personality"},
		seccomp(specs.ActKillProcess, "personality")},
	{"refused", "exec /srv/program", `return mkdir("/tmp/d", 0755) ? 5 : 0;`, 5, []string{"mkdir", "seccomp"},
		seccomp(specs.ActErrno, "mkdir", "mkdirat")},
	{"thread", "exec /srv/program", `pthread_t t; pthread_create(&t, 0, (void *(*)(void *))strlen, 0); pause();`, 139,
		[]string{"SIGSEGV", "NULL pointer"}, nil},
	{"sibling", "exec /srv/program", `int s; pid_t worker = fork(); if (!worker) { prctl(PR_SET_NAME, "worker"); pause(); }
	if (!fork()) { prctl(PR_SET_NAME, "reaper"); usleep(100000); kill(worker, SIGKILL); _exit(0); }
	waitpid(worker, &s, 0); return 7;`, 7, []string{`SIGKILL from reaper\[`, "killed worker"}, nil},
	{"timeout", "timeout 1 sleep 60", "", 143, []string{"SIGTERM", "timeout"}, nil},
	{"memory", "exec /srv/program", `for (;;) memset(malloc(1 << 20), 1, 1 << 20);`, 137,
		[]string{"[Oo]ut of memory", "OOM"}, limits(32<<20, 0)},
	{"helper", "/srv/program || exit 5", `volatile long *p = 0; return p[2];`, 5, []string{"program", "SIGSEGV"}, nil},
	// Memory and processes
	{"address-space", "exec /srv/program", `struct rlimit l = {64 << 20, 64 << 20}; setrlimit(RLIMIT_AS, &l);
	return mmap(0, 1 << 30, PROT_READ, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? errno : 0;`, 12,
		[]string{"too little memory"}, nil},
	{"pids", "exec /srv/program", `for (;;) if (fork() < 0) return errno;`, 11,
		[]string{"no further process"}, limits(0, 8)},
	{"user", "exec /srv/program", `return setuid(1000) ? 13 : 0;`, 13, []string{"may not change its user"}, nobody},
	{"mount", "exec /srv/program", `return mount("none", "/tmp", "tmpfs", 0, 0) ? 4 : 0;`, 4,
		[]string{"/tmp", "EPERM"}, nobody},
	// Network
	{"refused-tcp", "exec /srv/program", address + `a.sin_port = htons(5433); return connect(s, (void *)&a, sizeof a) ? 6 : 0;`,
		6, []string{`127\.0\.0\.1:5433 refused the connection`}, nil},
	{"refused-later", "exec /srv/program", address + `a.sin_port = htons(5434); fcntl(s, F_SETFL, O_NONBLOCK);
	connect(s, (void *)&a, sizeof a); struct pollfd p = {s, POLLOUT}; poll(&p, 1, 9000);
	int e; socklen_t n = sizeof e; getsockopt(s, SOL_SOCKET, SO_ERROR, &e, &n); return e ? 6 : 0;`, 6,
		[]string{`127\.0\.0\.1:5434 refused the connection`}, nil},
	{"route", "exec /srv/program", address + `a.sin_addr.s_addr = htonl(0xc0000201); a.sin_port = htons(80);
	return connect(s, (void *)&a, sizeof a) ? 6 : 0;`, 6, []string{`192\.0\.2\.1:80 cannot be reached`}, alone},
	{"silence", "exec /srv/program", `struct sockaddr_in a = {AF_INET, htons(5301), {htonl(INADDR_LOOPBACK)}};
	int r = socket(AF_INET, SOCK_DGRAM, 0), s = socket(AF_INET, SOCK_DGRAM, 0); bind(r, (void *)&a, sizeof a);
	connect(s, (void *)&a, sizeof a); send(s, "?", 1, 0); struct pollfd p = {s, POLLIN};
	return poll(&p, 1, 300) == 0 ? 7 : 0;`, 7,
		[]string{`127\.0\.0\.1:5301 did not answer program\[\d+\] for 3\d\dms`}, nil},
	{"resolver", "exec /srv/program", `struct sockaddr_in a = {AF_INET, htons(53), {htonl(0x7f000035)}};
	int s = socket(AF_INET, SOCK_DGRAM, 0); connect(s, (void *)&a, sizeof a); send(s, "?", 1, 0); char b[9];
	return recv(s, b, 9, 0) < 0 ? 2 : 0;`, 2, []string{`127\.0\.0\.53:53 refused`}, nil},
	{"library", "exec /srv/program", `char n[64]; char *dirs[] = {"/lib", "/usr/lib", "/usr/local/lib"};
	for (int i = 0; i < 3; i++) { sprintf(n, "%s/libfrob.so.1", dirs[i]); open(n, O_RDONLY|O_CLOEXEC); }
	fputs("program: error while loading shared libraries: libfrob.so.1: cannot open shared object file\n", stderr); return 127;`,
		127, []string{"libfrob.so.1 does not exist", "error while loading shared libraries"}, nil},
	{"socket", "exec /srv/program", `struct sockaddr_un a = {AF_UNIX, "/run/db.sock"}; int s = socket(AF_UNIX, SOCK_STREAM, 0);
	return connect(s, (void *)&a, sizeof a) ? 8 : 0;`, 8, []string{"no socket /run/db.sock"}, nil},
	{"port", "exec /srv/program", address + `a.sin_port = htons(18080); bind(s, (void *)&a, sizeof a); listen(s, 1);
	s = socket(AF_INET, SOCK_STREAM, 0); return bind(s, (void *)&a, sizeof a) ? errno : 0;`, 98,
		[]string{`127\.0\.0\.1:18080 is in use`}, alone},
	{"low-port", "exec /srv/program", address + `a.sin_port = htons(81); return bind(s, (void *)&a, sizeof a) ? errno : 0;`, 13,
		[]string{`127\.0\.0\.1:81`, "CAP_NET_BIND_SERVICE"}, func(s *specs.Spec) { nobody(s); alone(s) }},
	{"interface", "exec /srv/program", address + `a.sin_addr.s_addr = htonl(0xc0000201); return bind(s, (void *)&a, sizeof a) ? 99 : 0;`,
		99, []string{"no interface has the address 192.0.2.1"}, alone},
	// Its own words
	{"environment", `i=0; while [ $i -lt 300 ]; do : </srv/secret; i=$((i+1)); done
	echo "fatal: DATABASE_URL is not set" >&2; exit 3`, "", 3, []string{"fatal: DATABASE_URL is not set"}, nil},
	{"log", `echo starting; echo '{"level":"error","msg":"bad token"}'; echo stopping; exit 1`, "", 1,
		[]string{"it said: .*bad token"}, nil},
	{"check", "set -e; echo checking; grep -q needle /srv/secret; echo done", "", 1,
		[]string{`grep\[\d+\] \(-q needle /srv/secret\), which sh\[\d+\] had started, exited with code 1`}, nil},
	{"empty", "exec /srv/program", `close(open("/tmp/config.json", O_CREAT|O_WRONLY, 0644)); char b[64];
	int f = open("/tmp/config.json", O_RDONLY); return read(f, b, 64) == 0 ? 78 : 0;`, 78,
		[]string{"/tmp/config.json is empty"}, nil},
	{"input", "exec cat", "", 0, []string{"standard input"}, nil},
}

// headers precede each C program.
const headers = `#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
int main(void) {
	%s
	return 0;
}
`

// prepareCrash makes the directory that the container has as /srv.
func prepareCrash(t *testing.T, c *crash) string {
	t.Helper()
	srv := t.TempDir()
	if err := os.Chmod(srv, 0o755); err != nil {
		t.Fatal(err)
	}
	write := func(name, text string, mode os.FileMode) {
		if err := os.WriteFile(filepath.Join(srv, name), []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
	write("secret", "hay\n", 0o600)
	write("script", c.script+"\n", 0o644)
	if c.source == "" {
		write("program", "", 0o644)
		return srv
	}
	compile := exec.Command("gcc", "-O1", "-w", "-static", "-pthread", "-x", "c", "-o", filepath.Join(srv, "program"), "-")
	compile.Stdin = strings.NewReader(fmt.Sprintf(headers, c.source))
	if text, err := compile.CombinedOutput(); err != nil {
		t.Fatalf("compiling: %v\n%s", err, text)
	}
	return srv
}

// explains checks that the screen of `why` fits, and that lines of it match regular expressions.
func (x *tracer) explains(t *testing.T, id string, find ...string) {
	t.Helper()
	screen := x.tracectl("why", id)
	if n := strings.Count(screen, "\n"); n > 24 {
		t.Errorf("%d lines:\n%s", n, screen)
	}
	for _, f := range find {
		if !regexp.MustCompile(f).MatchString(screen) {
			t.Errorf("does not match %q:\n%s", f, screen)
		}
	}
}

// TestCauses runs containers that fail as real ones do, and asks why. With RUNC_TRACE_BUSY=1, a neighbor in the same
// container makes calls all the time, also for a second after the failure.
func TestCauses(t *testing.T) {
	busy := os.Getenv("RUNC_TRACE_BUSY") != ""
	x := load(t, "--ring-size=512KiB")
	for i := range crashes {
		c := &crashes[i]
		if busy && forgotten[c.name] {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			srv := prepareCrash(t, c)
			b := simple("crash-"+c.name, "/bin/sh", "/srv/script")
			if busy {
				b.args = []string{"/bin/sh", "-c", "dd if=/dev/zero of=/dev/null bs=1 2>/dev/null & n=$!; " +
					"/bin/sh /srv/script; rc=$?; sleep 1; kill -9 $n; exit $rc"}
			}
			b.edit = func(s *specs.Spec) {
				s.Process.Env = append(s.Process.Env, "HOME=/tmp")
				s.Mounts = append(s.Mounts,
					specs.Mount{Destination: "/srv", Type: "bind", Source: srv, Options: []string{"rbind", "ro"}},
					specs.Mount{Destination: "/run", Type: "tmpfs", Source: "tmpfs"})
				if c.edit != nil {
					c.edit(s)
				}
			}
			if o := x.runContainer(b); o.code != c.code {
				t.Errorf("exit code %d, want %d\n%s%s", o.code, c.code, o.stdout, o.stderr)
			}
			x.explains(t, b.id, c.find...)
			var j struct{ Causes []json.RawMessage }
			if text := x.tracectl("why", b.id, "-o", "json"); json.Unmarshal([]byte(text), &j) != nil || len(j.Causes) == 0 {
				t.Errorf("no causes: %s", text)
			}
		})
	}
}

// TestNotStarted has containers whose program the runtime cannot execute.
func TestNotStarted(t *testing.T) {
	x := load(t)
	for name, c := range map[string]struct {
		args []string
		find string
	}{
		"missing": {[]string{"/no/such/program"}, "its program /no/such/program cannot be used: No such file"},
		"path":    {[]string{"frobnicate"}, "its program .*frobnicate"},
		"mode":    {[]string{"/dev"}, "its program was never started"},
	} {
		if o := x.runContainer(simple(name, c.args...)); o.code == 0 {
			t.Errorf("%s: exit code 0", name)
		}
		x.explains(t, name, "its program was never started", c.find)
	}
}

// TestStopped has a container that is asked to end, and one that is killed.
func TestStopped(t *testing.T) {
	x := load(t)
	for _, signal := range []string{"TERM", "KILL"} {
		name := strings.ToLower(signal)
		x.start(simple(name, "/bin/sh", "-c", "trap 'exit 0' TERM; while :; do sleep 1; done"))
		probe := x.run(shimPath, "--root", filepath.Join(x.dir, "state"), "exec", name, "/bin/cat", "/healthy")
		if probe.code != 1 {
			t.Errorf("a probe: %+v", probe)
		}
		x.runtime("kill", name, signal)
		x.awaitExit(name)
		x.explains(t, name, "SIG"+signal+` from [a-z]+\[host pid \d+\], a process outside of the container`,
			`a probe, or another exec, failed before: cat\[\d+\] \(/healthy\) exited with code 1`)
	}
}

// TestStuck has containers that wait for a lock, for the other end of a FIFO, and for the reader of a pipe.
func TestStuck(t *testing.T) {
	x := load(t)
	srv := prepareCrash(t, &crash{source: `int f = open("/tmp/lock", O_CREAT|O_RDWR, 0644); flock(f, LOCK_EX);
	if (fork()) pause(); f = open("/tmp/lock", O_RDWR); flock(f, LOCK_EX);`})
	b := simple("stuck", "/srv/program")
	b.edit = func(s *specs.Spec) {
		s.Mounts = append(s.Mounts,
			specs.Mount{Destination: "/srv", Type: "bind", Source: srv, Options: []string{"rbind", "ro"}})
	}
	x.start(b)
	x.start(simple("fifo", "/bin/sh", "-c", "mkfifo /tmp/jobs; cat /tmp/jobs"))
	x.start(simple("pipe", "/bin/sh", "-c", "yes | sleep 10000"))
	for id, find := range map[string]string{
		"stuck": `Likely +program\[\d+\] has waited for the lock of /tmp/lock for `,
		"fifo":  `Likely +cat\[\d+\] has waited for \S+ to open /tmp/jobs: a FIFO`,
		"pipe":  `Likely +yes\[\d+\] has waited for \S+ to write to "?pipe:`,
	} {
		eventually(t, id+" has waited for 5 s", func() bool {
			return regexp.MustCompile(find).MatchString(x.tracectl("why", id))
		})
	}
	x.explains(t, "stuck", "has run for", `(?m)^Now .*(flock|pause)`)
}

// TestOverview begins with what is recorded, on a terminal.
func TestOverview(t *testing.T) {
	x := load(t)
	if o := x.runContainer(simple("crashed", "/bin/sh", "-c", "exit 3")); o.code != 3 {
		t.Fatalf("%+v", o)
	}
	if plain := x.tracectl(); strings.Contains(plain, "crashed") {
		t.Errorf("without a terminal:\n%s", plain)
	}
	master, slave := terminal(t)
	c := x.command(tracectlPath)
	c.Stdout = slave
	if err := c.Run(); err != nil {
		t.Fatal(err)
	}
	text := make([]byte, 4096)
	n, err := master.Read(text)
	if err != nil {
		t.Fatal(err)
	}
	screen := string(text[:n])
	for _, want := range []string{"default/crashed/crashed   ! exited (3)", "tracectl why default/crashed/crashed\r\n"} {
		if !strings.Contains(screen, want) {
			t.Errorf("%q is not in\n%s", want, screen)
		}
	}
}
