// SPDX-License-Identifier: Apache-2.0

package identity

import "strings"

// IsID reports whether runc and crun accept a name as a container's ID.
func IsID(name string) bool {
	for _, c := range []byte(name) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		case c == '_', c == '+', c == '-', c == '.':
		default:
			return false
		}
	}
	return name != "" && name[0] != '.'
}

// IsHexID reports whether text is an ID as CRI-O, Docker and Podman choose them: 32 bytes in hexadecimal.
func IsHexID(text string) bool {
	return len(text) == 64 && strings.Trim(text, "0123456789abcdef") == ""
}
