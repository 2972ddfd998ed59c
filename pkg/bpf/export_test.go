// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/config"
)

// AfterReplaceStep sets a function that is called after each step of a replacement.
func AfterReplaceStep(f func()) { replaceStep = f }

// Descriptions returns the descriptions of system calls that Load passes to the programs.
func Descriptions() []abi.Syscall { return descriptions() }

// LoadWith, ReplaceWith and BuildWith are Load, Replace and Build with other descriptions of system calls, as in
// another version.

func LoadWith(dir string, p config.Pool, calls []abi.Syscall) (Result, error) {
	return load(dir, p, calls)
}

func ReplaceWith(dir string, p config.Pool, calls []abi.Syscall) (Result, error) {
	return replace(dir, p, calls)
}

func BuildWith(calls []abi.Syscall) uint64 { return build(calls) }
