// SPDX-License-Identifier: Apache-2.0

package answers

import (
	endian "encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// Question is a DNS question that the container asked, with what it was told.
type Question struct {
	Name    string      // in the form of zone files, printable ASCII; only its beginning if NameCut
	NameCut bool        // the rest was not recorded
	Type    string      // A, AAAA; empty if it was not recorded
	Servers []string    // that were asked: the first ones
	By      []*Process  // that asked
	Asked   uint64      // as far as it is kept, each time again
	Codes   []CodeCount // of the responses, in the order in which they came first
	Records []Record    // of all responses, the first ones
	Cut     bool        // further records of a response were not recorded, or could not be read
	Took    time.Duration
	At      uint64 // when it was asked first, in ns of CLOCK_BOOTTIME

	waiting map[uint16]uint64 // since when, by the ID of the message
}

// CodeCount counts responses.
type CodeCount struct {
	Code  string // NOERROR, NXDOMAIN
	Count uint64
}

// Record is a record of a response, of any name.
type Record struct {
	Type string
	Data string // an address, or a name as in Question; empty for other types
}

// dnsMessage is a question or a response, as far as it was recorded.
type dnsMessage struct {
	id        uint16
	response  bool
	code      string
	name, typ string // as in Question
	nameCut   bool
	records   []Record
	cut       bool // further records were not recorded, or could not be read
}

// parseDNS reads a message of which perhaps only the beginning was recorded. It returns false if there is no question.
func parseDNS(data []byte) (m dnsMessage, ok bool) {
	var p dnsmessage.Parser
	header, err := p.Start(data)
	if err != nil || header.OpCode != 0 {
		return m, false
	}
	m = dnsMessage{id: header.ID, response: header.Response, code: codeName(header.RCode)}
	q, err := p.Question()
	switch {
	case errors.Is(err, dnsmessage.ErrSectionDone):
		return m, false
	case err != nil:
		m.name, m.nameCut, ok = beginning(data)
		m.cut = m.response
		return m, ok
	}
	m.name, m.typ = presented(q.Name), typeName(q.Type)
	if !m.response {
		return m, true
	}
	if err := p.SkipAllQuestions(); err != nil {
		m.cut = true
		return m, true
	}
	for {
		record, err := readRecord(&p)
		if err != nil {
			m.cut = !errors.Is(err, dnsmessage.ErrSectionDone)
			return m, true
		}
		m.records = append(m.records, record)
	}
}

// readRecord reads the next record.
func readRecord(p *dnsmessage.Parser) (r Record, err error) {
	h, err := p.AnswerHeader()
	if err != nil {
		return r, err
	}
	r.Type = typeName(h.Type)
	var name dnsmessage.Name
	switch h.Type {
	case dnsmessage.TypeA:
		body, err := p.AResource()
		r.Data = netip.AddrFrom4(body.A).String()
		return r, err
	case dnsmessage.TypeAAAA:
		body, err := p.AAAAResource()
		r.Data = netip.AddrFrom16(body.AAAA).String()
		return r, err
	case dnsmessage.TypeCNAME:
		var body dnsmessage.CNAMEResource
		body, err = p.CNAMEResource()
		name = body.CNAME
	case dnsmessage.TypePTR:
		var body dnsmessage.PTRResource
		body, err = p.PTRResource()
		name = body.PTR
	case dnsmessage.TypeNS:
		var body dnsmessage.NSResource
		body, err = p.NSResource()
		name = body.NS
	case dnsmessage.TypeMX:
		var body dnsmessage.MXResource
		body, err = p.MXResource()
		name = body.MX
	case dnsmessage.TypeSRV:
		var body dnsmessage.SRVResource
		body, err = p.SRVResource()
		name = body.Target
	default:
		return r, p.SkipAnswer()
	}
	r.Data = presented(name)
	return r, err
}

// presented returns a name in the form of zone files: printable ASCII, without the dot at its end.
func presented(name dnsmessage.Name) string {
	text := strings.TrimSuffix(name.String(), ".")
	if text == "" {
		return "."
	}
	return escapeName(text)
}

// escapeName escapes all but printable ASCII, and what could end a name.
func escapeName(name string) string {
	var text strings.Builder
	for _, c := range []byte(name) {
		switch {
		case c <= ' ' || c > '~' || strings.IndexByte(`"();@$\`, c) >= 0:
			fmt.Fprintf(&text, `\%03d`, c)
		default:
			text.WriteByte(c)
		}
	}
	return text.String()
}

// beginning returns the name in the question of a message that is cut in it, as far as it goes. Ok is false if it is
// not cut.
func beginning(message []byte) (name string, cut, ok bool) {
	const header, longest, behind = 12, 63, 4
	rest := message[min(header, len(message)):]
	var labels []string
	for len(rest) > 0 && rest[0] > 0 && rest[0] <= longest {
		size := min(int(rest[0]), len(rest)-1)
		labels = append(labels, escapeName(strings.ReplaceAll(string(rest[1:1+size]), ".", `\`)))
		rest = rest[1+size:]
	}
	whole := len(rest) > 0 && rest[0] == 0
	return strings.Join(labels, "."), !whole, len(labels) > 0 && len(rest) == 0 || whole && len(rest) <= behind
}

func typeName(t dnsmessage.Type) string {
	if name, ok := strings.CutPrefix(t.String(), "Type"); ok {
		return name
	}
	return fmt.Sprintf("TYPE%d", uint16(t)) // RFC 3597
}

func codeName(c dnsmessage.RCode) string {
	names := []string{"NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED"}
	if int(c) < len(names) {
		return names[c]
	}
	return fmt.Sprintf("RCODE%d", c)
}

// questions are those that the container asked.
type questions struct {
	all     []*Question
	by      map[dnsKey]*Question
	streams map[dnsStream]*dnsReader
}

type dnsKey struct {
	name, typ string
	cut       bool
}

// dnsStream is a direction of a connection: of a descriptor of a process.
type dnsStream struct {
	descriptor
	writes bool
}

// learn takes over a message that went to or came from a server.
func (q *questions) learn(data []byte, v *visit, server string, writes bool) {
	m, ok := parseDNS(data)
	if !ok || m.response == writes {
		return
	}
	const most = 16
	key := dnsKey{strings.ToLower(m.name), m.typ, m.nameCut}
	one := q.by[key]
	if one == nil {
		one = &Question{Name: m.name, NameCut: m.nameCut, Type: m.typ, At: v.Call.Time, waiting: map[uint16]uint64{}}
		q.by[key] = one
		q.all = append(q.all, one)
	}
	if len(one.Servers) < most && !slices.Contains(one.Servers, server) {
		one.Servers = append(one.Servers, server)
	}
	if !m.response {
		one.Asked++
		one.waiting[m.id] = v.Call.Time
		if !slices.Contains(one.By, v.by()) {
			one.By = append(one.By, v.by())
		}
		return
	}
	if since, ok := one.waiting[m.id]; ok {
		delete(one.waiting, m.id)
		one.Took = max(one.Took, time.Duration(v.Call.Time+v.Call.Duration-since))
	}
	i := slices.IndexFunc(one.Codes, func(c CodeCount) bool { return c.Code == m.code })
	if i < 0 {
		i = len(one.Codes)
		one.Codes = append(one.Codes, CodeCount{Code: m.code})
	}
	one.Codes[i].Count++
	one.Cut = one.Cut || m.cut
	for _, record := range m.records {
		switch {
		case slices.Contains(one.Records, record):
		case len(one.Records) < most:
			one.Records = append(one.Records, record)
		default:
			one.Cut = true
		}
	}
}

// datagram learns from a message that came or went at once.
func (q *questions) datagram(p *parcel, v *visit, server string, writes bool) {
	var data []byte
	for _, piece := range p.pieces {
		data = append(data, piece.data...)
		if piece.lacks > 0 {
			break
		}
	}
	q.learn(data, v, server, writes)
}

// stream learns from bytes of a connection.
func (q *questions) stream(p *parcel, v *visit, server string, t *transfer) {
	key := dnsStream{descriptor{v.by(), t.fd}, t.writes}
	reader := q.streams[key]
	if reader == nil {
		reader = &dnsReader{}
		q.streams[key] = reader
	}
	for _, piece := range p.pieces {
		reader.read(piece, func(message []byte) { q.learn(message, v, server, t.writes) })
	}
}

// forget notes that a descriptor is another one from now on.
func (q *questions) forget(d descriptor) {
	delete(q.streams, dnsStream{d, false})
	delete(q.streams, dnsStream{d, true})
}

// dnsReader finds the messages in a stream, each of which begins with its length: RFC 1035, 4.2.2.
type dnsReader struct {
	length  []byte
	message []byte // as far as it was recorded without a gap
	left    uint64 // bytes of the message that have not come
	gap     bool   // in the message
	lost    bool   // it is not known any more where messages begin
}

func (r *dnsReader) read(p piece, found func(message []byte)) {
	data := p.data
	for len(data) > 0 && !r.lost {
		if len(r.length) < 2 {
			r.begin(data[0])
			data = data[1:]
			continue
		}
		n := min(r.left, uint64(len(data)))
		if !r.gap {
			r.message = append(r.message, data[:n]...)
		}
		data = data[n:]
		r.pass(n, found)
	}
	if p.lacks > 0 && !r.lost {
		r.gap = true
		if r.lost = len(r.length) < 2 || p.lacks > r.left; !r.lost {
			r.pass(p.lacks, found)
		} else if len(r.length) == 2 {
			found(r.message)
		}
	}
}

// begin takes over a byte of the length.
func (r *dnsReader) begin(b byte) {
	if r.length = append(r.length, b); len(r.length) == 2 {
		r.left, r.message, r.gap = uint64(endian.BigEndian.Uint16(r.length)), nil, false
		if r.left == 0 {
			r.length = nil
		}
	}
}

// pass notes that bytes of the message have come.
func (r *dnsReader) pass(n uint64, found func(message []byte)) {
	if r.left -= n; r.left == 0 {
		found(r.message)
		r.length = nil
	}
}
