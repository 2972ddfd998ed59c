// SPDX-License-Identifier: Apache-2.0

package terminal

import "fmt"

// Count returns a number with its noun, which is given in the singular and forms its plural with an s: "1 line",
// "2 lines".
func Count[N int | uint64](n N, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
