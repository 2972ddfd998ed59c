// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

func TestUsage(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string // on stderr, after "tracectl: "
	}{
		{[]string{"bogus"}, `unknown command "bogus" (see tracectl --help)`},
		{[]string{"stats"}, `unknown command "stats"; did you mean "status"? (see tracectl --help)`},
		{[]string{"show", "segv"}, `unknown command "show"; did you mean "tracectl straceback show"? (see tracectl --help)`},
		{[]string{"list"}, `unknown command "list"; did you mean "tracectl straceback list"? (see tracectl --help)`},
		{[]string{"ps"}, `unknown command "ps"; did you mean "containers"? (see tracectl --help)`},
		{[]string{"strace", "web"}, `unknown command "strace"; did you mean "straceback"? (see tracectl --help)`},
		{[]string{"straceback", "shwo"}, `unknown command "shwo"; did you mean "show"? (see tracectl straceback --help)`},
		{[]string{"straceback", "nginx"}, `unknown command "nginx" (see tracectl straceback --help)`},
		{[]string{"cluster", "load"}, `unknown command "load"; did you mean "tracectl load"? (see tracectl cluster --help)`},
		{[]string{"help", "bogus"}, `unknown command "bogus" (see tracectl --help)`},
		{[]string{"help", "straceback", "lst"}, `unknown command "lst"; did you mean "list"? (see tracectl straceback --help)`},
		{[]string{"completion", "ksh"}, `unknown command "ksh" (see tracectl completion --help)`},
		{[]string{"completion", "bash", "x"}, `unexpected argument "x" (see tracectl completion bash --help)`},
		{[]string{"--nothing"}, `unknown flag "--nothing" (see tracectl --help)`},
		{[]string{"exec", "--labels", "a=b"}, `unknown flag "--labels"; did you mean "--label"? (see tracectl exec --help)`},
		{[]string{"exec", "-f"}, `unknown flag "-f" (see tracectl exec --help)`},
		{[]string{"exec", "--=x"}, `unknown flag --=x (see tracectl exec --help)`},
		{[]string{"exec", "--since"}, `--since needs a value (see tracectl exec --help)`},
		{[]string{""}, `unknown command "" (see tracectl --help)`},
		{[]string{"cluster", " "}, `unknown command " " (see tracectl cluster --help)`},
		{[]string{"exec", "-l", "app in web"}, `--label "app in web": the values after "in" need parentheses; ` +
			`write it as in "app=web,tier!=db,env in (dev,test),!canary" (see tracectl exec --help)`},
		{[]string{"exec", "-l", "a=b,,c"}, `--label "a=b,,c": requirement 2, "": it is empty; ` +
			`write it as in "app=web,tier!=db,env in (dev,test),!canary" (see tracectl exec --help)`},
		{[]string{"exec", "-l"}, `--label needs a value (see tracectl exec --help)`},
		{[]string{"exec", "-o", "yaml"}, `--output "yaml": must be one of text, wide, json (see tracectl exec --help)`},
		{[]string{"exec", "--since", "0s"}, `--since "0s": must be a time ago such as 10m, 2h30m or 1d, or a date such as "2026-01-31 15:04" (see tracectl exec --help)`},
		{[]string{"exec", "--since", "yesterday"}, `--since "yesterday": must be a time ago such as 10m, 2h30m or 1d, or a date such as "2026-01-31 15:04" (see tracectl exec --help)`},
		{[]string{"exec", "--since", "9999-01-01"}, `--since "9999-01-01": lies in the future (see tracectl exec --help)`},
		{[]string{"exec", "--heartbeat", "5s"}, `--heartbeat needs --output=json (see tracectl exec --help)`},
		{[]string{"exec", "--pod", "a["}, `--pod "a[": not a valid pattern: unclosed bracket or trailing backslash (see tracectl exec --help)`},
		{[]string{"exec", "--failed=maybe"}, `--failed "maybe": must be true or false (see tracectl exec --help)`},
		{[]string{"straceback", "show"}, `missing argument: tracectl straceback show NAME [flags] (see tracectl straceback show --help)`},
		{[]string{"straceback", "show", "a", "b"}, `too many arguments: "b" (see tracectl straceback show --help)`},
		{[]string{"straceback", "show", "a", "--previous", "1"},
			`too many arguments: "1"; did you mean --previous=1? (see tracectl straceback show --help)`},
		{[]string{"straceback", "show", "a", "-p", "2"}, `too many arguments: "2"; did you mean --previous=2? (see tracectl straceback show --help)`},
		{[]string{"straceback", "show", "a", "-p2"}, `unknown flag "-2"; did you mean --previous=2? (see tracectl straceback show --help)`},
		{[]string{"straceback", "show", "a", "--previous=-1"}, `--previous "-1": must be a whole number, 0 or more (see tracectl straceback show --help)`},
		{[]string{"straceback", "show", "a", "-e", "opne"}, `--syscall "opne": unknown system call "opne"; did you mean open? (see tracectl straceback show --help)`},
		{[]string{"straceback", "show", "a", "-e", "read,!futx"},
			`--syscall "read,!futx": unknown system call "futx"; did you mean futex? (see tracectl straceback show --help)`},
		{[]string{"straceback", "show", "a", "-e", "%flie"},
			`--syscall "%flie": unknown class "%flie"; did you mean %file? (see tracectl straceback show --help)`},
		{[]string{"straceback", "show", "a", "--errno", "ENOET"},
			`--errno "ENOET": unknown error "ENOET"; did you mean ENOENT, ENONET or ENODEV? (see tracectl straceback show --help)`},
		{[]string{"straceback", "show", "a", "--fd", "-1"},
			`--fd "-1": must be file descriptors such as 3 or 1,2 (see tracectl straceback show --help)`},
		{[]string{"straceback", "show", "a", "--path", "["},
			`--path "[": must be a name or a pattern such as '/etc/*': brackets must be closed (see tracectl straceback show --help)`},
		{[]string{"straceback", "show", "a", "--tail", "x"},
			`--tail "x": must be a whole number, 0 or more (see tracectl straceback show --help)`},
		{[]string{"straceback", "show", "a", "--last", "0s"},
			`--last "0s": must be a time such as 30s, 10m, 2h30m or 1d (see tracectl straceback show --help)`},
		{[]string{"straceback", "show", "a", "--follow", "--until", "1m"},
			`--follow and --until cannot be combined (see tracectl straceback show --help)`},
		{[]string{"straceback", "show", "a", "-r", "-t"},
			`--timestamps and --delta cannot be combined (see tracectl straceback show --help)`},
		{[]string{"straceback", "show", "a", "-t", "utc"},
			`too many arguments: "utc"; did you mean --timestamps=utc? (see tracectl straceback show --help)`},
		{[]string{"straceback", "show", "a", "--pid", "abc"}, `--pid "abc": must be process IDs such as 4711 or 4711,4712 (see tracectl straceback show --help)`},
		{[]string{"install", "--engine", "rkt"}, `--engine "rkt": must be one of auto, containerd, docker, crio, podman (see tracectl install --help)`},
		{
			[]string{"install", "--bin-dir", "/my bin"},
			`--bin-dir "/my bin": must consist of letters, digits and /._+@~- (see tracectl install --help)`,
		},
		{[]string{"install", "--bin-dir", "bin"}, `--bin-dir "bin": must be an absolute path (see tracectl install --help)`},
		{[]string{"install", "--bin-dir", "/tmp/x"},
			`--bin-dir "/tmp/x": must outlive a reboot: engines call programs there (see tracectl install --help)`},
		{[]string{"uninstall", "docker"}, `unexpected argument "docker" (see tracectl uninstall --help)`},
		{[]string{"uninstall", "--wait", "10m"}, `unexpected argument "10m"; did you mean --wait=10m? (see tracectl uninstall --help)`},
		{[]string{"uninstall", "--wait=-1s"}, `--wait "-1s": must not be negative (see tracectl uninstall --help)`},
		{[]string{"uninstall", "--check", "--dry-run"}, `--check and --dry-run cannot be combined (see tracectl uninstall --help)`},
		{[]string{"load", "--recordings=-1"}, `recordings is -1: it must be 1 to 65536; 0: by the machine's memory (see tracectl load --help)`},
		{[]string{"load", "--ring-size", "3KiB"}, `ring-size is 3KiB: it must be a power of two, 32KiB to 64MiB (see tracectl load --help)`},
		{[]string{"load", "--recordings", "1e3"}, `--recordings "1e3": must be a whole number (see tracectl load --help)`},
		{[]string{"agent", "--listen", "127.0.0.1:99999999"}, `--listen "127.0.0.1:99999999": must be HOST:PORT or unix:///PATH (see tracectl agent --help)`},
		{[]string{"load", "--ring-size", "1MB"}, `--ring-size "1MB": write 1MiB: units are KiB, MiB and GiB (powers of 1,024) (see tracectl load --help)`},
		{[]string{"load", "--ring-size", "one"}, `--ring-size "one": must be a number of bytes such as 4096, "256KiB" or "8MiB" (see tracectl load --help)`},
		{[]string{"cluster", "exec", "-A", "-n", "x"}, `--all-namespaces and --namespace cannot be combined (see tracectl cluster exec --help)`},
		{[]string{"cluster", "exec", "--timeout", "0s"}, `--timeout "0s": must be a time such as 30s, 10m, 2h30m or 1d (see tracectl cluster exec --help)`},
		{[]string{"cluster", "status", "--request-timeout", "soon"},
			`--request-timeout "soon": must be a number of seconds, or a time such as 30s or 10m (see tracectl cluster status --help)`},
		{[]string{"cluster", "status", "--server", "http://[::1"},
			`--server "http://[::1": must be an address such as https://HOST:PORT (see tracectl cluster status --help)`},
	} {
		want := result{exitUsage, "", "tracectl: " + c.want + "\n"}
		if diff := cmp.Diff(want, tracectl(t, c.args...)); diff != "" {
			t.Errorf("tracectl %s (-want +got):\n%s", strings.Join(c.args, " "), diff)
		}
	}
}

// free lists the flags that accept any text. Errors, such as a missing file, are found later.
var free = []string{
	"agent-namespace", "as", "as-group", "as-uid", "certificate-authority", "cluster", "client-certificate",
	"client-key", "config",
	"context", "cri-endpoint", "docker-socket", "kubeconfig", "pin-dir", "restart-command", "root",
	"server", "termination-log",
	"tls-server-name", "token", "user",
}

// late lists the flags whose values are checked after all flags were parsed.
var late = []string{"bin-dir", "listen", "request-timeout"}

// wrong lists values that nearly all flags except the free ones reject.
var wrong = []string{"\x1b[2J", "a[", "!", "99999999999999999999", "-1"}

// TestEveryFlag gives wrong values to every flag of every command. The exit code is 2, and stderr names the flag and
// the value in one line, without terms of Go.
func TestEveryFlag(t *testing.T) {
	internals := regexp.MustCompile(`strconv|pflag|parsing "|invalid argument|invalid syntax|unknown unit|missing unit|time: |syntax error|flag:|\*errors|needs an argument`)
	tried := map[string]bool{}
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		for _, sub := range c.Commands() {
			walk(sub)
		}
		if c.HasSubCommands() {
			return
		}
		args := strings.Fields(c.CommandPath())[1:]
		if strings.Contains(c.Use, " NAME") {
			args = append(args, "web")
		}
		try := func(f *pflag.Flag) {
			if slices.Contains(free, f.Name) || f.Name == "node" && c.Name() == "agent" {
				return
			}
			for _, value := range wrong {
				if f.Value.Set(value) == nil && !slices.Contains(late, f.Name) {
					continue // such as a pattern for names
				}
				given := append(args[:len(args):len(args)], "--"+f.Name+"="+value)
				got := tracectl(t, given...)
				named := strings.HasPrefix(got.Stderr, "tracectl: ") && strings.Contains(got.Stderr, f.Name)
				tried[f.Name] = true
				if got.Code != exitUsage || got.Stdout != "" || !named || strings.Count(got.Stderr, "\n") != 1 ||
					internals.MatchString(got.Stderr) {
					t.Errorf("tracectl %q gives %+v", given, got)
				}
			}
		}
		c.LocalFlags().VisitAll(try)
		c.InheritedFlags().VisitAll(try)
	}
	root := newRoot()
	walk(root)
	if len(tried) < 30 {
		t.Errorf("only %d flags were tried: %v", len(tried), tried)
	}
}

// TestOverview checks that the overview fits into a terminal of 24 lines and 80 columns, with each command in a group.
func TestOverview(t *testing.T) {
	got := tracectl(t)
	lines := strings.Split(strings.TrimSuffix(got.Stdout, "\n"), "\n")
	if got.Code != 0 || got.Stderr != "" || len(lines) > 23 {
		t.Errorf("exit code %d, %d lines, stderr %q", got.Code, len(lines), got.Stderr)
	}
	for _, line := range lines {
		if len(line) > 80 {
			t.Errorf("line %q is too long", line)
		}
	}
	for _, c := range newRoot().Commands() {
		if !regexp.MustCompile(`(?m)^  .*\b` + c.Name() + `\b`).MatchString(got.Stdout) {
			t.Errorf("%s is in no group:\n%s", c.Name(), got.Stdout)
		}
	}
}
