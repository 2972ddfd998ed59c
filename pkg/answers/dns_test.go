// SPDX-License-Identifier: Apache-2.0

package answers

import (
	endian "encoding/binary"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/dns/dnsmessage"

	"github.com/runc-trace/runc-trace/pkg/straceback"
	"github.com/runc-trace/runc-trace/pkg/syscalls"
)

// ask returns a question.
func ask(id uint16, name string, typ dnsmessage.Type) []byte {
	m := dnsmessage.Message{Header: dnsmessage.Header{ID: id, RecursionDesired: true}}
	m.Questions = []dnsmessage.Question{{Name: dnsmessage.MustNewName(name), Type: typ, Class: dnsmessage.ClassINET}}
	data, err := m.Pack()
	if err != nil {
		panic(err)
	}
	return data
}

// respond returns the response to a question.
func respond(question []byte, code dnsmessage.RCode, bodies ...dnsmessage.ResourceBody) []byte {
	var m dnsmessage.Message
	if err := m.Unpack(question); err != nil {
		panic(err)
	}
	m.Response, m.RCode = true, code
	for _, body := range bodies {
		m.Answers = append(m.Answers, dnsmessage.Resource{Body: body,
			Header: dnsmessage.ResourceHeader{Name: m.Questions[0].Name, Class: dnsmessage.ClassINET}})
	}
	data, err := m.Pack()
	if err != nil {
		panic(err)
	}
	return data
}

// exchange adds an exchange of a connected socket, of whose buffers only a part was recorded.
func (r *tape) exchange(pid uint32, fd int, kept int, messages ...[]byte) *tape {
	for i, m := range messages {
		part := m[:min(kept, len(m))]
		if i%2 == 0 {
			r.call(pid, "sendto", int64(len(m)), fd, part, len(m), 0, 0, 0)
		} else {
			r.call(pid, "recvfrom", int64(len(m)), fd, 0, 512, 0, 0, 0).out(1, part)
		}
		if len(part) < len(m) {
			r.change(len(r.records)-1, func(c *syscalls.Call) { c.Captures[0].Truncated = true })
		}
	}
	return r
}

func prefixed(message []byte) []byte {
	return append(endian.BigEndian.AppendUint16(nil, uint16(len(message))), message...)
}

func TestQuestions(t *testing.T) {
	good, bad := ask(1, "good.example.", dnsmessage.TypeA), ask(2, "Bad.example.", dnsmessage.TypeAAAA)
	long := ask(3, strings.Repeat(strings.Repeat("x", 50)+".", 4), dnsmessage.TypeTXT)
	hostile := ask(4, "a\x1b[2J\"b.\xff\n.", dnsmessage.TypeSRV)
	address := &dnsmessage.AResource{A: [4]byte{10, 9, 8, 7}}
	alias := &dnsmessage.CNAMEResource{CNAME: dnsmessage.MustNewName("alias.example.")}
	found := respond(good, 0, alias, address, address, &dnsmessage.AAAAResource{AAAA: [16]byte{15: 1}})
	udp := func() *tape { return (&tape{}).socket(101, 3, inet, datagram).connect(101, 0, 3, "10.0.0.1:53") }
	tcp := func() *tape { return (&tape{}).socket(101, 3, inet, stream).connect(101, 0, 3, "10.0.0.1:53") }
	for _, c := range []struct {
		name string
		tape *tape
		want string
	}{
		{"by UDP", udp().exchange(101, 3, 512, good, found, bad, respond(bad, dnsmessage.RCodeNameError)), `
			A good.example: CNAME alias.example 10.9.8.7 ::1 after 1ms; p101[1] asked 10.0.0.1:53
			AAAA Bad.example: NXDOMAIN after 1ms; p101[1] asked 10.0.0.1:53`},
		{"again, without a response", udp().exchange(101, 3, 512, good).exchange(101, 3, 512, good), `
			A good.example: no response is kept; p101[1] asked 10.0.0.1:53 ×2`},
		{"without records", udp().exchange(101, 3, 512, good, respond(good, 0)), `
			A good.example: no records after 1ms; p101[1] asked 10.0.0.1:53`},
		{"a response that is cut", udp().exchange(101, 3, 64, good, found), `
			A good.example: CNAME alias.example (more was not recorded) after 1ms; p101[1] asked 10.0.0.1:53`},
		{"a name that is cut", udp().exchange(101, 3, 128, long), `
			? ` + strings.Repeat("x", 50) + "." + strings.Repeat("x", 50) + "." + strings.Repeat("x", 13) +
			`…: no response is kept; p101[1] asked 10.0.0.1:53`},
		{"a hostile name", udp().exchange(101, 3, 512, hostile), `
			SRV a\027[2J\034b.\255\010: no response is kept; p101[1] asked 10.0.0.1:53`},
		{"to an address of its own", (&tape{}).socket(101, 3, inet, datagram).
			call(101, "bind", 0, 3, sockaddr("0.0.0.0:0"), 16).
			call(101, "sendto", int64(len(good)), 3, good, len(good), 0, sockaddr("10.0.0.2:53"), 16).
			call(101, "recvfrom", int64(len(found)), 3, 0, 512, 0, 0x7000, 0x7000).out(1, found).
			out(4, sockaddr("10.0.0.2:53")), `
			A good.example: CNAME alias.example 10.9.8.7 ::1 after 1ms; p101[1] asked 10.0.0.2:53`},
		{"by TCP", tcp().exchange(101, 3, 512, prefixed(good), prefixed(found)), `
			A good.example: CNAME alias.example 10.9.8.7 ::1 after 1ms; p101[1] asked 10.0.0.1:53`},
		{"by TCP, in parts", tcp().exchange(101, 3, 512, prefixed(good)[:1], nil, prefixed(good)[1:20], nil,
			append(prefixed(good)[20:], prefixed(bad)...), prefixed(found)), `
			A good.example: CNAME alias.example 10.9.8.7 ::1 after 1ms; p101[1] asked 10.0.0.1:53
			AAAA Bad.example: no response is kept; p101[1] asked 10.0.0.1:53`},
		{"by TCP, with a gap", tcp().exchange(101, 3, 66, prefixed(good), prefixed(found), prefixed(bad),
			prefixed(respond(bad, dnsmessage.RCodeServerFailure))), `
			A good.example: CNAME alias.example (more was not recorded) after 1ms; p101[1] asked 10.0.0.1:53
			AAAA Bad.example: SERVFAIL after 1ms; p101[1] asked 10.0.0.1:53`},
		{"no questions", udp().exchange(101, 3, 512, []byte("GET / HTTP/1.1\r\n\r\n"), found[:12], good[:11]), ``},
		{"to another port", (&tape{}).socket(101, 3, inet, datagram).connect(101, 0, 3, "10.0.0.1:54").
			exchange(101, 3, 512, good, found), ``},
	} {
		n := c.tape.followed(straceback.Calls{}).Net(nil, ByWhat)
		var got strings.Builder
		for _, q := range n.Questions {
			got.WriteString("\n\t\t\t" + q.String())
		}
		if diff := cmp.Diff(c.want, got.String()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
		if _, err := json.Marshal(n.JSON()); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// FuzzDNS reads messages and streams that a container wrote: names are printable, and nothing is kept that is larger
// than the input.
func FuzzDNS(f *testing.F) {
	good := ask(1, "good.example.", dnsmessage.TypeA)
	f.Add(good, uint64(0))
	f.Add(respond(good, 0, &dnsmessage.MXResource{MX: dnsmessage.MustNewName("mail.example.")}), uint64(3))
	f.Add(prefixed(good), uint64(40))
	f.Fuzz(func(t *testing.T, data []byte, lacks uint64) {
		check := func(m []byte) {
			parsed, ok := parseDNS(m)
			if !ok {
				return
			}
			if len(parsed.records) > len(m) {
				t.Errorf("%d records in %d bytes", len(parsed.records), len(m))
			}
			q := Question{Name: parsed.name, Type: parsed.typ, Records: parsed.records}
			for _, r := range q.String() {
				if r != '…' && (r < ' ' || r > '~') {
					t.Errorf("%q", q.String())
				}
			}
		}
		check(data)
		r := dnsReader{}
		for range 3 {
			r.read(piece{data, lacks}, check)
		}
	})
}
