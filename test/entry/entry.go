// SPDX-License-Identifier: Apache-2.0

// Package entry finds the code with which a program begins.
package entry

import (
	"debug/elf"
	"debug/gosym"
	"fmt"
)

// Shim is the function with which the shim begins, in pkg/shim: it keeps the descriptors 0 to 2 closed. The linker
// takes its name from the Makefile.
const Shim = "runc_trace_entry"

// Of returns the name of the function at the entry point of a Go program, which may be stripped.
func Of(program *elf.File) (string, error) {
	text, table := program.Section(".text"), program.Section(".gopclntab")
	if text == nil || table == nil {
		return "", fmt.Errorf("not a Go program: it has no .text or no .gopclntab")
	}
	data, err := table.Data()
	if err != nil {
		return "", fmt.Errorf("reading .gopclntab: %w", err)
	}
	symbols, err := gosym.NewTable(nil, gosym.NewLineTable(data, text.Addr))
	if err != nil {
		return "", fmt.Errorf("reading .gopclntab: %w", err)
	}
	function := symbols.PCToFunc(program.Entry)
	if function == nil {
		return "", fmt.Errorf("no function is at the entry point %#x", program.Entry)
	}
	return function.Name, nil
}
