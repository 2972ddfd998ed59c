// SPDX-License-Identifier: Apache-2.0

package bpf

import "github.com/runc-trace/runc-trace/pkg/bpf/abi"

// AfterReplaceStep sets a function that is called after each step of a replacement.
func AfterReplaceStep(f func()) { replaceStep = f }

// MapTogether sets how many bytes an Instance maps at once.
func MapTogether(n uint64) { together = n }

// Descriptions returns the descriptions of system calls that Load passes to the programs.
func Descriptions() []abi.Syscall { return descriptions(false) }

// With returns the options with other descriptions of system calls, as in another build.
func (o Options) With(calls []abi.Syscall) Options {
	o.calls = calls
	return o
}

// BuildWith is Build with other descriptions of system calls.
func BuildWith(calls []abi.Syscall) uint64 { return build(calls) }

// HaveCgroupStorage reports whether the kernel has storage for cgroups.
func HaveCgroupStorage() bool { return haveCgroupStorage() }

// WithoutCgroupStorage loads programs as on a kernel before 6.2, until restore is called.
func WithoutCgroupStorage() (restore func()) {
	have := haveCgroupStorage
	haveCgroupStorage = func() bool { return false }
	return func() { haveCgroupStorage = have }
}
