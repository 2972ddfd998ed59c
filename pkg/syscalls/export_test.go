// SPDX-License-Identifier: Apache-2.0

package syscalls

// ClassMembers returns the names of the calls of a class.
func ClassMembers(class string) []string { return classes()[class] }

// FlagNames calls a function with each constant of flags.txt as an ABI has it.
func FlagNames(a ABI, visit func(table, name string, value uint64, long bool)) {
	for table, t := range parseFlags(a) {
		for _, e := range t.entries {
			visit(table, e.name, e.bits, t.long)
		}
	}
}

// Ioctls calls a function with each number of an ioctl that has a name on an ABI.
func Ioctls(a ABI, visit func(number uint32)) {
	flags := parseFlags(a)
	addIoctls(a, flags)
	for _, e := range flags["ioctl"].ioctls.all() {
		visit(uint32(e.bits))
	}
}
