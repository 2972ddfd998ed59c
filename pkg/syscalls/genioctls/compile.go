// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/runc-trace/runc-trace/pkg/syscalls/headers"
)

// prelude declares what headers use, and do not declare themselves.
const prelude = `#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/time.h>
#include <linux/types.h>
#include <linux/ioctl.h>
#include <asm/termbits.h>
#include <linux/atmioc.h>
#include <linux/atmdev.h>
#include <linux/blktrace_api.h>
#include <linux/fiemap.h>
#include <linux/filter.h>
#include <linux/major.h>
#include <linux/serial.h>
#include <linux/videodev2.h>
#include <xen/interface/xen.h>
`

// target finds the ioctls of one ABI.
type target struct {
	headers.Target
	dir string // for temporary files, and the stubs
}

// ioctls returns the numbers of all ioctls by name.
func (t *target) ioctls() (map[string]uint32, error) {
	all, err := t.sources()
	if err != nil {
		return nil, err
	}
	if err := t.expand(all); err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(s source) bool { return len(s.constants) == 0 })
	found := map[string]uint32{}
	for group := range slices.Chunk(all, 16) {
		if err := t.numbers(group, found); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// numbers adds the numbers of constants of some headers.
func (t *target) numbers(group []source, found map[string]uint32) error {
	text := prelude
	var constants []constant
	for _, s := range group {
		text += "#include <" + s.header + ">\n"
		constants = append(constants, s.constants...)
	}
	text += "__attribute__((section(\"" + mark + "\"))) const unsigned numbers[] = {\n"
	first := strings.Count(text, "\n") + 1
	for {
		c := text
		for _, constant := range constants {
			c += "(unsigned)(" + constant.name + "),\n"
		}
		object, err := t.clang(c+"};\n", "-c", "-Wno-everything", "-Wsystem-headers", "-Werror=macro-redefined",
			"-ferror-limit=0", "-fno-caret-diagnostics")
		if err == nil {
			data, err := section(object)
			if err != nil {
				return err
			}
			for i, c := range constants {
				number := binary.LittleEndian.Uint32(data[4*i:])
				if c.types == "" || number>>16 == 0 && strings.IndexByte(c.types, byte(number>>8)) >= 0 {
					found[c.name] = number
				}
			}
			return nil
		}
		var lines []int
		own := true
		for _, m := range failure.FindAllStringSubmatch(err.Error(), -1) {
			line, _ := strconv.Atoi(m[2])
			own = own && filepath.Dir(m[1]) == t.dir
			lines = append(lines, line-first)
		}
		if len(group) > 1 && !own { // some headers do not go together
			if err := t.numbers(group[:len(group)/2], found); err != nil {
				return err
			}
			return t.numbers(group[len(group)/2:], found)
		}
		// Those that do not compile are of structs that only other architectures have.
		left := constants[:0:0]
		for i, c := range constants {
			if !slices.Contains(lines, i) {
				left = append(left, c)
			}
		}
		if !own || len(left) == len(constants) {
			return err
		}
		constants = left
	}
}

// failure is an error of clang: the file, and the line.
var failure = regexp.MustCompile(`(?m)^(.*?):(\d+):\d+: (?:fatal )?error: `)

// clang compiles C, and returns what it makes of it.
func (t *target) clang(c string, args ...string) ([]byte, error) {
	source, output := filepath.Join(t.dir, "ioctls.c"), filepath.Join(t.dir, "ioctls.out")
	if err := os.WriteFile(source, []byte(c), 0o600); err != nil {
		return nil, err
	}
	clang := exec.Command("clang-19", slices.Concat(t.Args(t.dir), args, []string{"-o", output, source})...)
	if text, err := clang.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%w\n%s", err, text)
	}
	return os.ReadFile(output)
}

// section returns the bytes of the numbers in an object file.
func section(object []byte) ([]byte, error) {
	file, err := elf.NewFile(bytes.NewReader(object))
	if err != nil {
		return nil, err
	}
	s := file.Section(mark)
	if s == nil {
		return nil, fmt.Errorf("the compiler made no section %s", mark)
	}
	return s.Data()
}
