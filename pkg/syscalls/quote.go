// SPDX-License-Identifier: Apache-2.0

package syscalls

// escapes maps each byte to its escape: the byte itself, a letter after a backslash, or an octal number. Everything
// that is not printable ASCII is escaped, so that no byte of a container reaches the terminal as a control character.
var escapes = func() (table [256]byte) {
	for b := range table {
		if b < ' ' || b > '~' {
			table[b] = octal
		}
	}
	for b, letter := range map[byte]byte{'\t': 't', '\n': 'n', '\v': 'v', '\f': 'f', '\r': 'r', '"': '"', '\\': '\\'} {
		table[b] = letter
	}
	return table
}()

const octal = 1

// AppendQuoted appends bytes as a C string in double quotes, in printable ASCII only.
func AppendQuoted(dst, data []byte) []byte {
	return append(AppendEscaped(append(dst, '"'), data), '"')
}

// AppendEscaped is AppendQuoted without the quotes. Octal escapes are as short as the next byte allows, as in strace.
func AppendEscaped(dst, data []byte) []byte {
	plain := 0 // start of the bytes that need no escape
	for i, b := range data {
		e := escapes[b]
		if e == 0 {
			continue
		}
		dst = append(dst, data[plain:i]...)
		plain = i + 1
		if e != octal {
			dst = append(dst, '\\', e)
			continue
		}
		dst = append(dst, '\\')
		full := i+1 < len(data) && data[i+1] >= '0' && data[i+1] <= '9'
		if full || b >= 0o100 {
			dst = append(dst, '0'+b>>6)
		}
		if full || b >= 0o10 {
			dst = append(dst, '0'+b>>3&7)
		}
		dst = append(dst, '0'+b&7)
	}
	return append(dst, data[plain:]...)
}
