// SPDX-License-Identifier: Apache-2.0

package syscalls

// ClassMembers returns the names of the calls of a class.
func ClassMembers(class string) []string { return classes()[class] }
