// SPDX-License-Identifier: Apache-2.0

package answers

import (
	"bytes"
	endian "encoding/binary"
	"encoding/json"
	"testing"

	"github.com/runc-trace/runc-trace/pkg/straceback"
	"github.com/runc-trace/runc-trace/pkg/syscalls"
)

// FuzzUsage asks for the files, the addresses and the bytes of recordings in which any call has any arguments and
// memory: what is printed has no control character but newlines and tabs.
func FuzzUsage(f *testing.F) {
	names := []string{"openat", "read", "write", "rename", "connect", "sendto", "recvfrom", "accept4", "getsockopt",
		"bind", "sendmmsg", "recvmsg", "writev", "pread64", "sendfile", "close", "dup", "socket", "getsockname",
		"symlink", "mmap"}
	f.Add([]byte("\x00\x03/etc/x\x1b[2J\x00\x01\x05hello"))
	f.Add(append([]byte("\x11\x03\x02\x02\x04\x03\x00\x02"), sockaddr("10.0.0.1:53")...))
	f.Fuzz(func(t *testing.T, data []byte) {
		r := &tape{}
		for len(data) >= 4 && len(r.records) < 50 {
			name, result, size := names[int(data[0])%len(names)], int64(int8(data[1])), min(int(data[2]), len(data)-4)
			memory := data[4 : 4+size]
			c := r.made(101+uint32(data[3]%3), name, result, int(data[3]), 5, 5, 5, 5, 5)
			s, _ := syscalls.Lookup(c.ABI, c.Nr)
			c.NArgs = min(c.NArgs, len(s.Args))
			for arg := range c.NArgs {
				c.Captures = append(c.Captures, syscalls.Capture{Arg: arg, Part: int(data[2]>>2) % 8, Data: memory,
					Output: data[3]&8 != 0, Truncated: data[3]&16 != 0})
			}
			if len(memory) >= 8 && data[3]&32 != 0 {
				c.Args[c.NArgs-1] = endian.LittleEndian.Uint64(memory)
			}
			r.add(c)
			data = data[4+size:]
		}
		p := r.followed(straceback.Calls{Missing: uint64(len(data))})
		files, net, moved := p.Files(nil, ByBytes), p.Net(nil, ByBytes), p.IO(nil, Transfers{})
		var text bytes.Buffer
		screen := Screen{Width: 100, Lines: 24}
		for _, err := range []error{
			(&FilesScreen{screen, true}).Write(&text, files), (&NetScreen{screen, true}).Write(&text, net),
			screen.WriteIO(&text, moved),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
		for _, c := range text.Bytes() {
			if c < ' ' && c != '\n' && c != '\t' || c == 0x7f {
				t.Fatalf("%q", text.String())
			}
		}
		for _, object := range []any{files.JSON(), net.JSON(), moved.JSON()} {
			if _, err := json.Marshal(object); err != nil {
				t.Fatal(err)
			}
		}
	})
}
