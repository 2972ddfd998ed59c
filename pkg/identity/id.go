// SPDX-License-Identifier: Apache-2.0

package identity

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
