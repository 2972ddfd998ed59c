// SPDX-License-Identifier: Apache-2.0

package config

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Size is a number of bytes. As text it is a plain number, or a number with a binary unit: "4096", "256KiB",
// "8MiB", "1GiB". It can be the value of a flag.
type Size int64

var units = [...]struct {
	name string
	size Size
}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1}}

// ParseSize parses a Size. It refuses negative numbers, numbers too large for a Size, and units other than B, KiB,
// MiB and GiB.
func ParseSize(text string) (Size, error) {
	var s Size
	if err := s.Set(text); err != nil {
		return 0, fmt.Errorf("size %q: %w", text, err)
	}
	return s, nil
}

// Set is ParseSize for a flag. Its errors do not repeat the text.
func (s *Size) Set(text string) error {
	number, factor := text, Size(1)
	for _, unit := range units {
		if rest, ok := strings.CutSuffix(text, unit.name); ok {
			number, factor = strings.TrimRight(rest, " "), unit.size
			break
		}
	}
	n, err := strconv.ParseUint(number, 10, 63)
	if err != nil || Size(n) > (1<<63-1)/factor {
		if number, unit := decimal(text); unit != "" {
			return fmt.Errorf("write %s%s: units are KiB, MiB and GiB (powers of 1,024)", number, unit)
		}
		return errors.New(`must be a number of bytes such as 4096, "256KiB" or "8MiB"`)
	}
	*s = Size(n) * factor
	return nil
}

// decimal splits a size with a decimal or abbreviated unit: "1GB", "1g". It returns the binary unit that is
// probably meant, or "".
func decimal(text string) (number, unit string) {
	number = strings.TrimRight(text, "kKmMgGiIbB ")
	unit = strings.ToLower(strings.TrimSpace(text[len(number):]))
	if unit == "" || number == "" || strings.Trim(number, "0123456789") != "" {
		return "", ""
	}
	switch unit = strings.TrimSuffix(strings.TrimSuffix(unit, "b"), "i"); unit {
	case "k", "m", "g":
		return number, strings.ToUpper(unit) + "iB"
	}
	return "", ""
}

// String returns the size in the largest unit that divides it, in the form of ParseSize.
func (s Size) String() string {
	for _, unit := range units {
		if s != 0 && s%unit.size == 0 && unit.size > 1 {
			return strconv.FormatInt(int64(s/unit.size), 10) + unit.name
		}
	}
	return strconv.FormatInt(int64(s), 10)
}

// Type returns the kind of value for a flag's help.
func (s *Size) Type() string { return "size" }

// UnmarshalTOML accepts a number or a string.
func (s *Size) UnmarshalTOML(value any) error {
	switch value := value.(type) {
	case int64:
		if value < 0 {
			return fmt.Errorf("size %d is negative", value)
		}
		*s = Size(value)
		return nil
	case string:
		var err error
		*s, err = ParseSize(value)
		return err
	}
	return errType
}

func (s *Size) number() int64 { return int64(*s) }

func (s *Size) assign(n int64) { *s = Size(n) }

// setPlain accepts a string or a number of bytes.
func (s *Size) setPlain(value string) bool {
	if text, rest, ok := plainString(value); ok {
		return isEnd(rest) && s.Set(text) == nil
	}
	var n int
	ok := number(&n, value)
	*s = Size(n)
	return ok && n >= 0
}

// toml returns a string if the size has a unit, else a number.
func (s *Size) toml() string {
	if text := s.String(); strings.HasSuffix(text, "B") {
		return quote(text)
	}
	return strconv.FormatInt(int64(*s), 10)
}

// Count is a number that can be the value of a flag.
type Count int

// String returns the number in decimal digits.
func (c *Count) String() string { return strconv.Itoa(int(*c)) }

// Set parses decimal digits.
func (c *Count) Set(text string) error {
	n, err := strconv.Atoi(text)
	if err != nil {
		return errors.New("must be a whole number")
	}
	*c = Count(n)
	return nil
}

// Type returns the kind of value for a flag's help.
func (c *Count) Type() string { return "count" }

func (c *Count) number() int64 { return int64(*c) }

func (c *Count) assign(n int64) { *c = Count(n) }

func (c *Count) setPlain(value string) bool { return number((*int)(c), value) }

func (c *Count) toml() string { return c.String() }

// Switch is a setting that is on or off, and can be the value of a flag.
type Switch bool

// String returns "true" or "false".
func (s *Switch) String() string { return strconv.FormatBool(bool(*s)) }

// Set parses true or false.
func (s *Switch) Set(text string) error {
	on, err := strconv.ParseBool(text)
	if err != nil {
		return errors.New("must be true or false")
	}
	*s = Switch(on)
	return nil
}

// Type returns the kind of value for a flag's help.
func (s *Switch) Type() string { return "bool" }

// IsBoolFlag tells that a flag without a value turns the setting on.
func (s *Switch) IsBoolFlag() bool { return true }

func (s *Switch) number() int64 {
	if *s {
		return 1
	}
	return 0
}

func (s *Switch) assign(n int64) { *s = n != 0 }

func (s *Switch) setPlain(value string) bool { return boolean((*bool)(s), value) }

func (s *Switch) toml() string { return s.String() }
