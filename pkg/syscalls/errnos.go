// SPDX-License-Identifier: Apache-2.0

package syscalls

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"github.com/runc-trace/runc-trace/pkg/terminal"
)

// Errno returns the number of the error with which the call failed, or 0.
func (c *Call) Errno() int {
	if c.Event() || c.Unfinished || c.Result >= 0 || -uint64(c.Result) > maxErrno {
		return 0
	}
	return int(-c.Result)
}

// SocketError returns the error of a socket that the call got, such as that of an earlier connection, or 0.
func (c *Call) SocketError() int {
	if !c.GetsSocketError() {
		return 0
	}
	if value := c.Capture(3); value != nil && len(value.Data) >= 4 {
		return int(int32(binary.LittleEndian.Uint32(value.Data)))
	}
	return 0
}

// GetsSocketError reports whether the call got the error of a socket, or that there was none.
func (c *Call) GetsSocketError() bool {
	const solSocket, soError = 1, 4
	s := c.Syscall()
	return s != nil && s.Name == "getsockopt" && !c.Event() && c.Result == 0 && c.Args[1] == solSocket &&
		c.Args[2] == soError
}

// ErrnoNames returns the names of all errors, by their numbers.
func ErrnoNames() []string {
	var all []string
	for n := range maxErrno + 1 {
		if name := ErrnoName(n); name != "" {
			all = append(all, name)
		}
	}
	return all
}

// errnoAliases are other names of errors.
var errnoAliases = map[string]string{"EWOULDBLOCK": "EAGAIN", "EDEADLOCK": "EDEADLK", "ENOTSUP": "EOPNOTSUPP"}

// Errnos is a set of errors. The zero value has all errors, and no error, too.
type Errnos struct {
	words        []string // as given
	only, except []string
}

// Add adds errors: a list of names, separated by commas. If a name begins with "!", its error is taken out. After an
// error, the set is unchanged.
func (s *Errnos) Add(list string) error {
	next, known := Errnos{slices.Clone(s.words), slices.Clone(s.only), slices.Clone(s.except)}, ErrnoNames()
	for word := range strings.SplitSeq(list, ",") {
		name, out := strings.CutPrefix(word, "!")
		if same, ok := errnoAliases[name]; ok {
			name = same
		}
		switch {
		case !slices.Contains(known, name):
			return fmt.Errorf("unknown error %q%s", name, terminal.DidYouMean(strings.ToUpper(name), known))
		case out:
			next.except = append(next.except, name)
		default:
			next.only = append(next.only, name)
		}
		next.words = append(next.words, word)
	}
	*s = next
	return nil
}

// Has reports whether the error of a call is in the set, or the error of a socket that it got. A call that did not fail
// is in it if no error was added.
func (s *Errnos) Has(c *Call) bool {
	if len(s.words) == 0 {
		return true
	}
	name := ErrnoName(cmp.Or(c.Errno(), c.SocketError()))
	return (len(s.only) == 0 || slices.Contains(s.only, name)) && !slices.Contains(s.except, name)
}

// String returns a list that Add takes.
func (s *Errnos) String() string { return strings.Join(s.words, ",") }
