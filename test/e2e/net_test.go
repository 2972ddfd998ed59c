// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

// local is an address that no other run of the tests on this host has, and resolver the DNS server's there.
var (
	pid      = os.Getpid()
	local    = netip.AddrFrom4([4]byte{127, byte(64 + pid>>16&63), byte(pid >> 8), byte(pid)}).String()
	resolver = local + ":53"
)

// serveDNS answers questions by UDP and TCP: there is only good.example, with one IPv4 address.
func serveDNS(t *testing.T) {
	packets, err := net.ListenPacket("udp", resolver)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { packets.Close() })
	go func() {
		message := make([]byte, 512)
		for {
			n, from, err := packets.ReadFrom(message)
			if err != nil {
				return
			}
			if response, err := respond(message[:n]); err == nil {
				packets.WriteTo(response, from)
			}
		}
	}()
	serveTCP(t, resolver, func(c net.Conn) {
		var length [2]byte
		if _, err := io.ReadFull(c, length[:]); err != nil {
			return
		}
		message := make([]byte, binary.BigEndian.Uint16(length[:]))
		if _, err := io.ReadFull(c, message); err != nil {
			return
		}
		if response, err := respond(message); err == nil {
			c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(response))), response...))
		}
	})
}

// serveTCP serves connections, one after the other, and returns its address.
func serveTCP(t *testing.T, address string, serve func(net.Conn)) string {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			serve(c)
			c.Close()
		}
	}()
	return listener.Addr().String()
}

// respond returns the response to a question.
func respond(message []byte) ([]byte, error) {
	var m dnsmessage.Message
	if err := m.Unpack(message); err != nil {
		return nil, err
	}
	m.Response, m.RCode = true, dnsmessage.RCodeNameError
	if q := m.Questions[0]; q.Name.String() == "good.example." {
		m.RCode = dnsmessage.RCodeSuccess
		if q.Type == dnsmessage.TypeA {
			m.Answers = []dnsmessage.Resource{{
				Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class, TTL: 60},
				Body:   &dnsmessage.AResource{A: netip.MustParseAddr("10.9.8.7").As4()},
			}}
		}
	}
	return m.Pack()
}

// TestNet asks what a container did on the network: it asks for names by UDP and TCP, sends a line, is refused, and
// serves a connection.
func TestNet(t *testing.T) {
	serveDNS(t)
	server := serveTCP(t, local+":0", func(c net.Conn) {
		io.ReadFull(c, make([]byte, len("hello\n")))
		io.WriteString(c, "good morning\n")
	})
	_, port, _ := strings.Cut(server, ":")
	// A question for bad.example, of type A, with its length.
	const question = `\000\035\022\064\001\000\000\001\000\000\000\000\000\000\003bad\007example\000\000\001\000\001`
	x := load(t)
	x.runContainer(simple("client", "/bin/sh", "-c", fmt.Sprintf(`
		nslookup good.example %[1]s; nslookup missing.example %[1]s; printf '%[2]s' | nc %[1]s 53
		echo hello | nc %[1]s %[3]s; nc 127.0.0.1 1; exit 3`, local, question, port)))
	type endpoint struct {
		Way, Type, Address   string
		Count, Read, Written uint64
		Errors               []struct{ Errno string }
	}
	type asked struct {
		Name, Type string
		Servers    []string
		Responses  []struct{ Code string }
		Records    []struct{ Type, Data string }
		Took       int64
	}
	all := objects[struct {
		Endpoints []endpoint
		Questions []asked
	}](t, x.tracectl("net", "client", "-o", "json"))
	var did, answers []string
	for _, e := range all[0].Endpoints {
		did = append(did, fmt.Sprint(e.Way, " ", e.Type, " ", e.Address, " ", e.Read, " ", e.Written, " ", e.Errors))
	}
	for _, want := range []string{
		"to TCP " + server + " 13 6 []", "to TCP " + resolver + " 31 31 []", "to TCP 127.0.0.1:1 0 0 [{ECONNREFUSED}]",
	} {
		if !slices.Contains(did, want) {
			t.Errorf("no %q in %q", want, did)
		}
	}
	for _, q := range all[0].Questions {
		answers = append(answers, fmt.Sprint(q.Type, " ", q.Name, " ", q.Responses, " ", q.Records, " ", q.Servers))
		if q.Took <= 0 {
			t.Errorf("%s took %d", q.Name, q.Took)
		}
	}
	for _, want := range []string{
		"A good.example [{NOERROR}] [{A 10.9.8.7}]", "AAAA good.example [{NOERROR}] []", "A missing.example [{NXDOMAIN}] []",
		"A bad.example [{NXDOMAIN}] []",
	} {
		if want += " [" + resolver + "]"; !slices.Contains(answers, want) {
			t.Errorf("no %q in %q", want, answers)
		}
	}

	text := x.tracectl("net", "client")
	for _, line := range []string{
		`(?m)^.* 6 +13 .*\bto +` + server + ` +connected +nc\[\d+\]$`,
		`(?m)^DNS +A good.example: 10.9.8.7 after \S+; nslookup\[\d+\] asked ` + resolver + `$`,
		`(?m)^Failed +connect to 127.0.0.1:1: ECONNREFUSED \(Connection refused\) by nc\[\d+\]$`,
	} {
		if !regexp.MustCompile(line).MatchString(text) {
			t.Errorf("no line %s in\n%s", line, text)
		}
	}
	got := x.tracectl("net", "client", "--failed")
	if !strings.Contains(got, "127.0.0.1:1") || strings.Contains(got, "DNS") {
		t.Errorf("only what failed is\n%s", got)
	}
}
