// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"strconv"
	"strings"
)

// Size is a number of bytes. In text it is a plain number or one with a binary unit:
// "4096", "256KiB", "8MiB", "1GiB". It can be the value of a command-line flag.
type Size int64

var units = [...]struct {
	name string
	size Size
}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1}}

// ParseSize reads a Size. It refuses what is negative, too large for a Size, or has a
// unit other than B, KiB, MiB and GiB.
func ParseSize(text string) (Size, error) {
	number, factor := text, Size(1)
	for _, unit := range units {
		if rest, ok := strings.CutSuffix(text, unit.name); ok {
			number, factor = strings.TrimRight(rest, " "), unit.size
			break
		}
	}
	n, err := strconv.ParseUint(number, 10, 63)
	if err != nil || Size(n) > (1<<63-1)/factor {
		return 0, fmt.Errorf(`size %q is no number of bytes such as 4096, "256KiB" or "8MiB"`, text)
	}
	return Size(n) * factor, nil
}

// String is the size in the largest unit that divides it, as ParseSize reads it.
func (s Size) String() string {
	for _, unit := range units {
		if s != 0 && s%unit.size == 0 && unit.size > 1 {
			return strconv.FormatInt(int64(s/unit.size), 10) + unit.name
		}
	}
	return strconv.FormatInt(int64(s), 10)
}

// Set is ParseSize for a flag.
func (s *Size) Set(text string) error {
	size, err := ParseSize(text)
	if err == nil {
		*s = size
	}
	return err
}

// Type names the kind of value in a flag's help.
func (s *Size) Type() string { return "size" }

// UnmarshalTOML takes a number or a string.
func (s *Size) UnmarshalTOML(value any) error {
	switch value := value.(type) {
	case int64:
		if value < 0 {
			return fmt.Errorf("size %d is negative", value)
		}
		*s = Size(value)
		return nil
	case string:
		return s.Set(value)
	}
	return fmt.Errorf("size is of type %T, want a number or a string", value)
}
