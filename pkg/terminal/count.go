// SPDX-License-Identifier: Apache-2.0

package terminal

import "strconv"

// Count returns a number with its noun, which is given in the singular and forms its plural with an s: "1 line",
// "2,000 lines".
func Count[N int | uint64](n N, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return Number(n) + " " + noun + "s"
}

// Number returns a number, which must not be negative, with a comma before each group of three digits.
func Number[N int | uint64](n N) string {
	digits := strconv.FormatUint(uint64(n), 10)
	for at := len(digits) - 3; at > 0; at -= 3 {
		digits = digits[:at] + "," + digits[at:]
	}
	return digits
}
