// SPDX-License-Identifier: Apache-2.0

package answers

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	"github.com/runc-trace/runc-trace/pkg/straceback"
	"github.com/runc-trace/runc-trace/pkg/syscalls"
)

// Net is what a container did with sockets: those of the network, and those of the host.
type Net struct {
	past      *Past
	ending    Ending
	Endpoints []*Endpoint
	Questions []*Question // in the order in which they were asked first
	// Unknown is what was sent and received by sockets of which no address is known.
	Unknown Use
	Covers  []Coverage
}

// Way tells how the container came to an address.
type Way string

// The ways.
const (
	To     Way = "to"     // it connected there, tried to, or sent there
	On     Way = "on"     // it is an address of its own, from which it took connections or messages
	From   Way = "from"   // it took connections from there
	Within Way = "within" // it has none: both ends of a pair are its own, or the kernel is the other end
)

// Endpoint is an address, and what was done with it. Its errors are also those of which getsockopt told.
type Endpoint struct {
	Way     Way
	Type    string // TCP, UDPv6, UNIX-STREAM; empty if it is not known
	Address string // 10.0.0.1:443, without a port if Way is From; a path, or @NAME; hostile
	Local   string // of the listener, if Way is From
	Usage

	resolved uint64 // how many of the connections that went on meanwhile have ended in a way that is known
}

// Net says what the container did with sockets, by the calls that are selected.
func (p *Past) Net(selected Selected, order UsageOrder) *Net {
	w := netWalk{Net: &Net{past: p, ending: p.ending(), Covers: p.coverage("connects", "accepts", "reads", "writes")},
		visit: p.newVisit(selected), by: map[endpointKey]*Endpoint{}, loose: map[endpointKey]*Endpoint{},
		sockets: map[uint64]*Endpoint{},
		numbers: map[descriptor]*Endpoint{}, tries: map[descriptor]*try{}, clients: map[string]*Endpoint{},
		questions: questions{by: map[dnsKey]*Question{}, streams: map[dnsStream]*dnsReader{}}}
	p.each(selected, w.call)
	w.end()
	for _, e := range w.Endpoints {
		e.sum()
		e.Did[Connecting] -= min(e.resolved, e.Did[Connecting])
	}
	w.Questions = w.questions.all
	slices.SortFunc(w.Endpoints, func(a, b *Endpoint) int {
		return cmp.Or(order.compare(&a.Usage, &b.Usage), cmp.Compare(a.Address, b.Address), cmp.Compare(a.Way, b.Way),
			cmp.Compare(a.Type, b.Type), cmp.Compare(a.Local, b.Local))
	})
	return w.Net
}

// endpointKey tells endpoints apart.
type endpointKey struct {
	way            Way
	typ            string
	address, local string
}

// try is the last connection that was asked for by a descriptor.
type try struct {
	to     *Endpoint
	remote string
	open   bool // its end is not known
}

// netWalk puts together what calls did with sockets.
type netWalk struct {
	*Net
	visit
	by        map[endpointKey]*Endpoint
	loose     map[endpointKey]*Endpoint // without types: the first ones
	sockets   map[uint64]*Endpoint      // by inode
	numbers   map[descriptor]*Endpoint  // the last one of each number
	tries     map[descriptor]*try
	clients   map[string]*Endpoint // by the peer's address and port
	questions questions
}

// call learns from a call.
func (w *netWalk) call(e *straceback.Event, name string, values []syscalls.Value) {
	if !w.look(e, name) {
		return
	}
	c := &e.Call
	if m, ok := movements[name]; ok {
		w.moves(m, transfers(c, values), name)
		return
	}
	switch name {
	case "socket":
		if c.ReturnsDescriptor() {
			w.forget(int32(c.Result))
		}
	case "close":
		w.forget(int32(c.Args[0]))
	case "connect":
		w.connect(argument(c, values, 1))
	case "getsockopt":
		w.asks()
	case "bind":
		if at := argument(c, values, 1); at != "" && (w.errno != 0 || !chosen(at)) {
			is := taken(c, int32(c.Args[0]))
			w.own(int32(c.Args[0]), is, w.endpoint(On, is, at)).add(&w.visit, Bound)
		}
	case "getsockname":
		if e := w.numbers[descriptor{w.visit.by(), int32(c.Args[0])}]; e != nil && w.errno == 0 && e.Way == On {
			w.name(e, argument(c, values, 1))
		}
	case "listen":
		w.listener().add(&w.visit, Listened)
	case "accept", "accept4":
		w.accept(argument(c, values, 1))
	}
}

// chosen reports whether the kernel chooses the port of an address.
func chosen(address string) bool {
	at, err := netip.ParseAddrPort(address)
	return err == nil && at.Port() == 0
}

// argument returns the address of a socket that an argument points to.
func argument(c *syscalls.Call, values []syscalls.Value, arg int) (address string) {
	at := 0
	syscalls.Each(values, func(_ *syscalls.Value, parts []syscalls.Value) {
		if at == arg {
			address = addressOf(parts)
		}
		at++
	})
	return address
}

// forget notes that a number is that of no connection any more.
func (w *netWalk) forget(fd int32) {
	d := descriptor{w.visit.by(), fd}
	delete(w.tries, d)
	delete(w.numbers, d)
	w.questions.forget(d)
}

// endpoint returns the endpoint of an address, for a socket that may not be known.
func (w *netWalk) endpoint(way Way, is *syscalls.Descriptor, address string) *Endpoint {
	return w.at(endpointKey{way: way, typ: typeOf(is), address: address})
}

// at returns an endpoint. If the type of its sockets is not known, it may be that of others with the address.
func (w *netWalk) at(key endpointKey) *Endpoint {
	if e := w.by[key]; e != nil {
		return e
	}
	any := key
	any.typ = ""
	e := w.loose[any]
	if e == nil || e.Type != "" && key.typ != "" {
		e = &Endpoint{Way: key.way, Type: key.typ, Address: key.address, Local: key.local, Usage: newUsage(&w.visit)}
		w.Endpoints = append(w.Endpoints, e)
		if w.loose[any] == nil {
			w.loose[any] = e
		}
	}
	e.Type = cmp.Or(e.Type, key.typ)
	w.by[key] = e
	return e
}

func typeOf(is *syscalls.Descriptor) string {
	if is == nil || is.Type == "socket" {
		return ""
	}
	return is.Type
}

// name gives an endpoint its address, if it has none: the kernel chose it, and the program has asked for it.
func (w *netWalk) name(e *Endpoint, address string) {
	if e.Address != "" || address == "" {
		return
	}
	e.Address = address
	for _, keys := range []map[endpointKey]*Endpoint{w.by, w.loose} {
		for _, typ := range []string{"", e.Type} {
			delete(keys, endpointKey{way: e.Way, typ: typ})
		}
	}
	w.by[endpointKey{way: e.Way, typ: e.Type, address: address}] = e
}

// own notes that a number is that of an endpoint's socket.
func (w *netWalk) own(fd int32, is *syscalls.Descriptor, e *Endpoint) *Endpoint {
	w.numbers[descriptor{w.visit.by(), fd}] = e
	if is != nil && is.Inode != 0 {
		w.sockets[is.Inode] = e
	}
	return e
}

// connect learns from a call that asks for a connection.
func (w *netWalk) connect(address string) {
	c := &w.Call
	if address == "" {
		return // an end of the connection, or a family whose addresses are not known
	}
	fd := int32(c.Args[0])
	d, is := descriptor{w.visit.by(), fd}, taken(c, fd)
	e := w.own(fd, is, w.endpoint(To, is, address))
	before := w.tries[d]
	again := before != nil && before.open && before.to == e
	switch name := syscalls.ErrnoName(w.errno); {
	case again && name == "EALREADY":
	case again && (name == "EISCONN" || name == ""):
		w.resolve(before, 0)
	case again && name != "EINPROGRESS":
		w.resolve(before, w.errno)
	case name == "EINPROGRESS":
		w.tries[d] = &try{e, address, true}
		e.add(w.failing(0), Connecting)
	default:
		w.tries[d] = &try{e, address, false}
		e.add(&w.visit, Connected)
	}
}

// failing returns the visit as one whose call failed with another error, or with none.
func (w *netWalk) failing(errno int) *visit {
	v := w.visit
	v.errno = errno
	return &v
}

// asks learns from a call that asks how a connection ended.
func (w *netWalk) asks() {
	c := &w.Call
	t := w.tries[descriptor{w.visit.by(), int32(c.Args[0])}]
	if !c.GetsSocketError() || t == nil || !t.open {
		return
	}
	w.resolve(t, c.SocketError())
	if c.SocketError() != 0 {
		t.to.user(&w.visit).Failed++
	}
}

// resolve notes how a connection ended that was asked for before.
func (w *netWalk) resolve(t *try, errno int) {
	t.open = false
	t.to.resolved++
	t.to.also(w.failing(errno), Connected)
}

// listener returns the endpoint of the address on which the call's socket listens, which may not be known.
func (w *netWalk) listener() *Endpoint {
	fd := int32(w.Call.Args[0])
	is := taken(&w.Call, fd)
	if is == nil {
		if e := w.numbers[descriptor{w.visit.by(), fd}]; e != nil && e.Way == On {
			return e
		}
		return w.own(fd, nil, w.endpoint(On, nil, ""))
	}
	if e := w.sockets[is.Inode]; is.Inode != 0 && e != nil && e.Way == On {
		w.name(e, is.Local)
		return e
	}
	return w.own(fd, is, w.endpoint(On, is, is.Local))
}

// accept learns from a call that takes a connection.
func (w *netWalk) accept(peer string) {
	c := &w.Call
	e := w.listener()
	e.add(&w.visit, Accepted)
	if w.errno != 0 || !c.ReturnsDescriptor() {
		return
	}
	w.forget(int32(c.Result))
	var is *syscalls.Descriptor
	if c.Describe != nil {
		is = c.Describe(int32(c.Result), true)
	}
	if is != nil {
		peer = cmp.Or(peer, is.Peer)
	}
	host := peer
	if at, err := netip.ParseAddrPort(peer); err == nil {
		host = at.Addr().Unmap().String()
	}
	from := w.own(int32(c.Result), is, w.at(endpointKey{From, e.Type, host, e.Address}))
	if peer != "" {
		w.clients[peer] = from
	}
	from.also(&w.visit, Accepted)
}

// moves learns from a call that moved bytes, or failed to.
func (w *netWalk) moves(m movement, moved []transfer, name string) {
	if w.errno != 0 {
		for i, arg := range []int{m.reads, m.writes} {
			if arg != nowhere {
				w.move(&transfer{fd: int32(w.Call.Args[arg]), writes: i == 1}, name)
			}
		}
	}
	for i := range moved {
		w.move(&moved[i], name)
	}
}

func (w *netWalk) move(t *transfer, name string) {
	is := taken(&w.Call, t.fd)
	tried := w.tries[descriptor{w.visit.by(), t.fd}]
	socket := has("send sendto sendmsg sendmmsg recv recvfrom recvmsg recvmmsg recvmmsg_time64", name)
	switch {
	case is == nil && !socket, is != nil && !isSocket(is):
		return
	case is != nil && tried != nil && is.Peer != "" && is.Peer != tried.remote:
		tried = nil // another socket
	}
	if tried != nil && tried.open && w.errno == 0 && t.size > 0 {
		w.resolve(tried, 0)
	}
	named := ""
	for i := range t.parcels {
		p := &t.parcels[i]
		named = cmp.Or(p.address, named)
		w.asked(p, t, is, tried)
	}
	e := w.ofSocket(is, t.fd, named)
	if e == nil {
		w.Unknown.Calls++
		w.Unknown.moved(t)
		return
	}
	e.move(&w.visit, t)
}

// isSocket reports whether a descriptor is that of a socket.
func isSocket(is *syscalls.Descriptor) bool {
	return is.Path == "" &&
		is.Type != "" && is.Type != "pipe" && is.Type != "pidfd" && !strings.HasPrefix(is.Type, "anon_inode:")
}

// ofSocket returns the endpoint of a socket, with the address that a call named. It returns nil if none is known.
func (w *netWalk) ofSocket(is *syscalls.Descriptor, fd int32, named string) *Endpoint {
	if is == nil {
		if e := w.numbers[descriptor{w.visit.by(), fd}]; e != nil || named == "" {
			return e
		}
		return w.endpoint(To, nil, named)
	}
	if e := w.sockets[is.Inode]; is.Inode != 0 && e != nil && (is.Peer == "" || e.Way == From || e.Address == is.Peer) {
		return e
	}
	switch client := w.clients[is.Peer]; {
	case is.Peer != "" && client != nil:
		return client
	case is.Peer != "":
		return w.endpoint(To, is, is.Peer)
	case is.Local != "":
		return w.endpoint(On, is, is.Local)
	case named != "":
		return w.endpoint(To, is, named)
	}
	if strings.HasPrefix(is.Type, "UNIX") || is.Type == "NETLINK" {
		return w.endpoint(Within, is, "")
	}
	return nil
}

// asked learns from what went to or came from a DNS server.
func (w *netWalk) asked(p *parcel, t *transfer, is *syscalls.Descriptor, tried *try) {
	const port = 53
	server := p.address
	if server == "" && is != nil {
		server = is.Peer
	}
	if server == "" && tried != nil {
		server = tried.remote
	}
	at, err := netip.ParseAddrPort(server)
	if err != nil || at.Port() != port || w.errno != 0 {
		return
	}
	if strings.HasPrefix(typeOf(is), "TCP") {
		w.questions.stream(p, &w.visit, server, t)
	} else {
		w.questions.datagram(p, &w.visit, server, t.writes)
	}
}
