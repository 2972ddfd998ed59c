// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"
	"testing"
)

// TestValuesAreRead reads what strace prints, and prints it again.
func TestValuesAreRead(t *testing.T) {
	for _, text := range []string{
		`3`, `-1`, `NULL`, `0x7ffd12`, `O_RDONLY|O_CLOEXEC|0x100`, `1<<CAP_CHOWN|1<<CAP_KILL`, `8192*1024`,
		`"abc"`, `"abc"...`, `3</etc/hosts>`, `4<socket:[231200]>`, `5<TCP:[10.0.0.1:4000->10.0.0.2:80]>`, `AT_FDCWD</tmp>`,
		`1</dev/null<char 1:3>>`, `0x7ffd12 /* 20 vars */`, `{}`, `[]`, `[CHLD TERM]`, `~[KILL STOP]`, `[16 => 8]`,
		`{st_mode=S_IFREG|0644, st_size=1234, ...}`, `[{fd=3, events=POLLIN}, {fd=4</x>, events=POLLOUT}]`,
		`{sa_family=AF_INET, sin_port=htons(80), sin_addr=inet_addr("127.0.0.1")}`, `makedev(0x1, 0x3)`,
		`[{WIFEXITED(s) && WEXITSTATUS(s) == 0}]`, `{tv_sec=1, tv_nsec=2} /* 1970-01-01T00:00:01.000000002+0000 */`,
		`{flags=CLONE_VM, stack=NULL} => {parent_tid=[9]}`, `["a", "b", ...]`, `child_stack=NULL`,
		`[{cmsg_len=20, cmsg_level=SOL_SOCKET, cmsg_type=SCM_RIGHTS, cmsg_data=[3]}]`,
		`{sa_family=AF_UNIX, sun_path=@ "hidden"}`, `inet_pton(AF_INET6, "::1", &sin6_addr)`, `...`,
	} {
		v, err := parseValue(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
		} else if v.String() != text {
			t.Errorf("%s is read as %s", text, v)
		}
	}
}

func TestEscapesAreRead(t *testing.T) {
	v, err := parseValue(`"\0\1771\x41\n\t\"\\\33[0m"`)
	if err != nil || v.text != "\x00\x7f1A\n\t\"\\\x1b[0m" {
		t.Errorf("%q, %v", v.text, err)
	}
}

func TestMalformedValues(t *testing.T) {
	for _, text := range []string{`"abc`, `[1, 2`, `{a=[1}`, `"\q"`, `"\x4"`, `1)`, `3</tmp`, `1 /* 2`,
		strings.Repeat("[", 100)} {
		if v, err := parseValue(text); err == nil {
			t.Errorf("%s is read as %s", text, v)
		}
	}
}

// FuzzParseArguments feeds anything, also what a recording of a hostile container may have.
func FuzzParseArguments(f *testing.F) {
	f.Add(`3</a>, {x="\1", y=[1 => 2]}, ~[TERM] /* c */) = 0`)
	f.Fuzz(func(t *testing.T, text string) {
		args, _, _, _ := parseArguments(text)
		for _, a := range args {
			_ = a.String()
		}
	})
}
