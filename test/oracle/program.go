// SPDX-License-Identifier: Apache-2.0

package main

import (
	"embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// program is what runs in a container.
type program struct {
	name  string
	args  []string
	quick bool // it ends soon, and needs nothing but what test/deps.sh installs
	// files are copied from programs into the container's /srv, or compiled into it.
	files []string
}

//go:embed programs/*.c programs/*.conf programs/*.js programs/*.pl programs/*.py programs/*.sh
var files embed.FS

// shell returns a program that is a script of programs.
func shell(name string, more ...string) *program {
	return &program{name: name, args: []string{"/bin/sh", "/srv/" + name + ".sh"}, files: append(more, name+".sh")}
}

// compiled returns a program that is a C file of programs.
func compiled(name string) *program {
	return &program{name: name, args: []string{"/srv/" + name}, files: []string{name + ".c"}, quick: true}
}

// programs returns all programs, those that are quick first.
func programs() []*program {
	pipeline := shell("pipeline")
	pipeline.quick = true
	return []*program{
		pipeline,
		{name: "ls", args: []string{"/bin/ls", "-la", "/etc", "/usr/share/doc/bash", "/missing"}, quick: true},
		compiled("calls"), compiled("crash"), compiled("forks"), compiled("execs"), compiled("uring"), compiled("ia32"),
		{name: "find", args: []string{"/usr/bin/find", "/usr/share/doc", "-name", "c*", "-size", "+1k"}},
		shell("storm"),
		{name: "python", args: []string{"/usr/bin/python3", "/srv/threads.py"}, files: []string{"threads.py"}},
		shell("git"), shell("curl"), shell("sqlite"), shell("tar"),
		{name: "perl", args: []string{"/usr/bin/perl", "/srv/perl.pl"}, files: []string{"perl.pl"}},
		{name: "node", args: []string{"/usr/bin/node", "/srv/node.js"}, files: []string{"node.js"}},
		shell("nginx", "nginx.conf"), shell("redis"), shell("openssl"),
		shell("coreutils"), shell("compile"), shell("busybox"), shell("socat"),
		{name: "network", args: []string{"/usr/bin/python3", "/srv/network.py"}, files: []string{"network.py"}},
		{name: "go", args: []string{"/srv/goroutines"}, files: []string{"goroutines"}},
	}
}

// install makes the files of the program in a directory.
func (p *program) install(directory string) error {
	for _, name := range p.files {
		text, err := files.ReadFile("programs/" + name)
		var build *exec.Cmd
		switch to := filepath.Join(directory, name); {
		case filepath.Ext(name) == "":
			const programs = "github.com/runc-trace/runc-trace/test/oracle/programs/"
			build = exec.Command("go", "build", "-trimpath", "-o", to, programs+name)
		case err != nil:
			return err
		case filepath.Ext(name) == ".c":
			build = exec.Command("gcc", "-O1", "-w", "-x", "c", "-", "-o", strings.TrimSuffix(to, ".c"), "-pthread")
			if name == "ia32.c" { // a compiler for amd64 can make such a program if it needs no library
				build.Args = append(build.Args, "-m32", "-static", "-nostdlib", "-ffreestanding", "-fno-pie", "-no-pie",
					"-fno-stack-protector")
			}
			build.Stdin = strings.NewReader(string(text))
		default:
			err = os.WriteFile(to, text, 0o644)
		}
		if build != nil {
			if said, err := build.CombinedOutput(); err != nil {
				return fmt.Errorf("compiling %s: %w: %s", name, err, said)
			}
		}
		if err != nil && build == nil {
			return err
		}
	}
	return nil
}
