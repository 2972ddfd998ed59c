// SPDX-License-Identifier: Apache-2.0

// Package shim takes the place of an OCI runtime: it stores the identity of a new container, and execs the real
// runtime.
//
// If anything fails, the shim writes a line to its own log and goes on: the real runtime runs with the same arguments,
// environment and descriptors, in the same process, so that its parent sees no difference.
package shim

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"github.com/sirupsen/logrus"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/config"
	"github.com/runc-trace/runc-trace/pkg/unregistered"
)

// Run does the shim's work for the command line args, including args[0]. It returns only if there is no real runtime
// to exec. It then has reported the failure as runc would, and returns the exit status.
func Run(args []string) int {
	file := openSettings()

	var self syscall.Stat_t
	_ = syscall.Stat("/proc/self/exe", &self)
	own := execPath()
	runtime, err := findRuntime(file.runtime(own), os.Getenv("PATH"), self, own)
	if err != nil {
		note(file.config(), logrus.ErrorLevel, err.Error(), nil)
		fail(Parse(args[min(1, len(args)):], Runc), err)
		return 1
	}

	dialect := dialectOf(runtime)
	var op Operation
	_ = guard(func() error {
		op = Parse(args[min(1, len(args)):], dialect)
		return nil
	})
	if op.Creates() && isPrivileged() {
		c := file.config()
		fields := logrus.Fields{"container": op.Container, "verb": op.Verb, "bundle": op.Bundle}
		if file.problem != nil {
			note(c, logrus.WarnLevel, file.problem.Error(), fields)
		}
		if err := guard(func() error { return register(op, dialect, pinDir(c), c.Rules()) }); err != nil {
			note(c, logrus.WarnLevel, "container not registered: "+err.Error(), fields)
			if f := (failure{}); errors.As(err, &f) {
				unregistered.Count(f.reason)
			}
		} else {
			note(c, logrus.InfoLevel, "container registered", fields)
		}
	}

	variables := environment()
	keepParentDeathSignal()
	err = fmt.Errorf("executing container runtime %q: %w", runtime, syscall.Exec(runtime, args, variables))
	note(file.config(), logrus.ErrorLevel, err.Error(), nil)
	fail(op, err)
	return 1
}

// pinDir returns the directory of the maps. Only privileged callers reach it.
func pinDir(c config.Config) string {
	if directory := os.Getenv(abi.PinDirEnv); directory != "" {
		return directory
	}
	return c.PinDir
}

// isPrivileged reports whether the caller is root of the initial user namespace, which has a fixed inode number
// (PROC_USER_INIT_INO in the kernel's include/linux/proc_ns.h).
func isPrivileged() bool {
	const initialUserNamespace = 0xeffffffd
	var stat syscall.Stat_t
	return os.Geteuid() == 0 &&
		syscall.Stat("/proc/self/ns/user", &stat) == nil && stat.Ino == initialUserNamespace
}

// guard converts a panic into an error.
func guard(do func() error) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = failure{fmt.Errorf("panic: %v", cause), unregistered.Broken}
		}
	}()
	return do()
}
