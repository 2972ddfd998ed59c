// SPDX-License-Identifier: Apache-2.0

// Package headers compiles C with the kernel's headers for user space, as each ABI sees them: for the generators of
// tables, and for tests.
package headers

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// Target is an ABI, and how to compile for it.
type Target struct {
	ABI    string // as in tables: "amd64", "arm64", "i386" or "arm"
	triple string
	// Folder has the headers that are specific to the architecture.
	Folder string
}

// Targets are all ABIs. Their headers are those of Debian's packages linux-libc-dev and linux-libc-dev-*-cross.
var Targets = []Target{
	{"amd64", "x86_64-linux-gnu", "/usr/include/x86_64-linux-gnu"},
	{"arm64", "aarch64-linux-gnu", "/usr/aarch64-linux-gnu/include"},
	{"i386", "i386-linux-gnu", "/usr/include/x86_64-linux-gnu"},
	{"arm", "arm-linux-gnueabihf", "/usr/arm-linux-gnueabihf/include"},
}

const (
	// Common has the headers that are the same for all ABIs.
	Common = "/usr/include"
	// Cross has those that the package of the own architecture lacks: drm, and some of scsi.
	Cross = "/usr/aarch64-linux-gnu/include"
)

// Missing returns an error that says how to install the headers, or the compiler, if a part of them is missing.
func Missing() error {
	if _, err := exec.LookPath("clang-19"); err != nil {
		return errors.New("needs clang-19: run test/deps.sh")
	}
	for _, t := range Targets {
		if _, err := os.Stat(filepath.Join(t.Folder, "asm")); err != nil {
			return fmt.Errorf("needs the kernel's headers for %s: run test/deps.sh", t.ABI)
		}
	}
	return nil
}

// stubs stand for the C library's headers that headers of the kernel include.
var stubs = map[string]string{
	"sys/socket.h": "#pragma once\n#include <stddef.h>\ntypedef unsigned short sa_family_t;\n" +
		"struct sockaddr { sa_family_t sa_family; char sa_data[14]; };\n#include <linux/socket.h>\n",
	"sys/time.h": "#include <linux/time.h>\n", "sys/ioctl.h": "", "netinet/in.h": "", "string.h": "",
	"stdlib.h": "", "time.h": "#include <linux/time.h>\n", "unistd.h": "", "features.h": "",
	"sys/types.h": "#pragma once\n#include <stddef.h>\ntypedef unsigned short u_short;\ntypedef unsigned u_int;\n" +
		"typedef unsigned long u_long;\ntypedef unsigned long ino_t;\ntypedef long time_t;\ntypedef char *caddr_t;\n",
	"xen/interface/xen.h": "#pragma once\ntypedef unsigned short domid_t;\ntypedef unsigned grant_ref_t;\ntypedef unsigned long xen_pfn_t;\n",
	"limits.h":            "#define INT_MAX 0x7fffffff\n#define INT_MIN (-INT_MAX-1)\n",
	"stdint.h": "typedef unsigned char uint8_t;\ntypedef unsigned short uint16_t;\ntypedef unsigned uint32_t;\n" +
		"typedef unsigned long long uint64_t;\ntypedef int int32_t;\ntypedef long long int64_t;\ntypedef unsigned long uintptr_t;\n",
}

// WriteStubs writes headers that stand for those of the C library into a folder.
func WriteStubs(dir string) error {
	for name, text := range stubs {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// Args returns the arguments with which clang compiles for a target, with the stubs in a folder.
func (t *Target) Args(stubs string) []string {
	return []string{"-target", t.triple, "-ffreestanding", "-nostdlibinc", "-isystem", stubs, "-isystem", t.Folder,
		"-isystem", Common, "-idirafter", Cross}
}
