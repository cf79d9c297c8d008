package server

import (
	"cmp"
	"context"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/peer"
	"google.golang.org/protobuf/proto"

	pb "walletscreen/proto/walletscreen/v1"
	"walletscreen/screen/pace"
	"walletscreen/screen/wire"
)

// Limits bound what clients can make a server hold. A zero value of a field means
// its default.
type Limits struct {
	// Connections are held at a time, ConnectionsPerHost from one remote address,
	// which may be that of a proxy: 10,000 and 1,000. More are closed at once.
	Connections, ConnectionsPerHost int
	// Streams are calls at a time on one connection: 250. A client waits for one
	// of its own to end.
	Streams int
	// Calls are in progress at a time, those to health checks left out: 5,000. More
	// are refused at once with UNAVAILABLE and OVERLOADED. The last fifth is for
	// those who have less than a tenth of Calls in progress: a caller is counted by
	// its name, who shows no credentials by remote address.
	Calls int
	// Pending bounds the bytes of requests that have not arrived as a whole, those
	// of requests that are not answered yet, and those of responses that clients
	// have not taken yet, each, over all connections: 256 MiB. Before half requests
	// reach it, and once responses are past it, the connections that hold most are
	// closed; calls are refused as by Calls while responses are, or whole requests
	// would be. A quarter of it may wait for one client.
	Pending int64
	// Handshake is how long a new connection may take to speak TLS and HTTP/2: 10 s.
	Handshake time.Duration
	// Call is how long any call with one request and one response may take, from
	// its first bytes on: 30 s. A client's own deadline may be shorter.
	Call time.Duration
	// Idle is how long a stream may go without the next request, or with half of
	// one: 10 min. It ends with DEADLINE_EXCEEDED.
	Idle time.Duration
	// Send is how long a response may wait for its client to take it: 1 min. Then
	// the connection is closed.
	Send time.Duration
}

// withDefaults fills in what is not said.
func (l Limits) withDefaults() Limits {
	l.Connections = cmp.Or(l.Connections, 10_000)
	l.ConnectionsPerHost = cmp.Or(l.ConnectionsPerHost, 1000)
	l.Streams = cmp.Or(l.Streams, 250)
	l.Calls = cmp.Or(l.Calls, 5000)
	l.Pending = cmp.Or(l.Pending, 256<<20)
	l.Handshake = cmp.Or(l.Handshake, 10*time.Second)
	l.Call = cmp.Or(l.Call, 30*time.Second)
	l.Idle = cmp.Or(l.Idle, 10*time.Minute)
	l.Send = cmp.Or(l.Send, time.Minute)
	return l
}

const (
	// maxHeader bounds the headers of a call, in bytes: names, a token, a trace.
	maxHeader = 16 << 10
	// readBuffer keeps an idle connection small. Longer frames are read past the buffer.
	readBuffer = 4 << 10
	// streamWindow is how much of a call is taken before somebody reads it, in bytes,
	// as little as gRPC can. Past that a client waits until its request is read, and
	// then sends the rest of it at once. gRPC's own would grow to 16 MiB.
	streamWindow = 64 << 10
	// connectionWindow is how much may be on its way on a connection, in bytes: with
	// 50 ms there and back that is 20 MB a second, and with four times as much many
	// connections send more before the account of them is looked at. It holds nothing
	// back that is not read, which streamWindow does.
	connectionWindow = 1 << 20
	// maxAnyones is how many calls may be in progress on one connection that need no
	// credentials: health checks, of which a client makes one or two at a time. They
	// are left out of all other limits on calls, so that a probe is never refused.
	maxAnyones = 16
	// closePause is left between two connections that are closed for what they
	// hold, for what the first one held to be freed.
	closePause = 20 * time.Millisecond
	// tallyPause is the pause between two looks at what is half received, if less
	// comes meanwhile than may.
	tallyPause = 100 * time.Millisecond
	// frames is about what a request takes on the wire beside its message, in
	// bytes, and an eighth of the message for TLS and frames.
	frames = 400
	// forgiven is what a connection may receive a second that no request accounts
	// for, in bytes.
	forgiven = 64 << 10
	// wasteful is from how many calls on that came to nothing a connection is
	// closed, if they are most of its calls.
	wasteful = 200
)

// connections are those of a server that are open.
type connections struct {
	limits Limits
	count  func(why string) // counts connections that were refused or closed

	sending  atomic.Int64  // bytes of responses that wait for clients
	received atomic.Int64  // bytes of requests that have not arrived as a whole, as tally left them
	since    atomic.Int64  // bytes of any kind that came after that
	over     chan struct{} // told when too many responses wait, or it is time for tally

	mu      sync.Mutex
	open    map[*connection]struct{}
	perHost map[string]*remoteHost
}

// remoteHost is a remote address, and what all its connections have.
type remoteHost struct {
	name        string
	connections int
	share       share // of those of its calls that showed no credentials
}

// share is what one client has of what all have together.
type share struct {
	calls      atomic.Int64 // in progress, health checks left out
	unanswered atomic.Int64 // bytes of requests that arrived as a whole
}

func newConnections(limits Limits, count func(why string)) *connections {
	return &connections{limits: limits, count: count, over: make(chan struct{}, 1), open: map[*connection]struct{}{}, perHost: map[string]*remoteHost{}}
}

// Listener bounds the connections of a listener by the server's limits. A server
// that is to be in reach of others must listen through it.
func (s *Server) Listener(l net.Listener) net.Listener { return &listener{l, s.admission.all} }

type listener struct {
	net.Listener
	all *connections
}

// Accept returns the next connection that is within the limits.
func (l *listener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		c, why := l.all.add(conn)
		if why == "" {
			return c, nil
		}
		l.all.count(why)
		conn.Close()
	}
}

func (a *connections) add(conn net.Conn) (*connection, string) {
	name := conn.RemoteAddr().String()
	if h, _, err := net.SplitHostPort(name); err == nil {
		name = h
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	host := a.perHost[name]
	switch {
	case len(a.open) >= a.limits.Connections:
		return nil, "connections"
	case host == nil:
		host = &remoteHost{name: name}
	case host.connections >= a.limits.ConnectionsPerHost:
		return nil, "connections-per-host"
	}
	c := &connection{Conn: conn, all: a, host: host}
	c.remote = remote{conn.RemoteAddr(), c}
	a.open[c] = struct{}{}
	a.perHost[name] = host
	host.connections++
	return c, ""
}

// connection is one with a client, and what is held for it.
type connection struct {
	net.Conn
	all    *connections
	host   *remoteHost
	remote remote

	writing   atomic.Int64 // since when a write lasts, in Unix nanoseconds; 0 for none
	sending   atomic.Int64 // bytes of responses that wait for the client
	receiving atomic.Int64 // calls whose request has not arrived as a whole, and streams of requests
	read      atomic.Int64 // bytes that came
	used      atomic.Int64 // of read, what belongs to requests that arrived
	calls     atomic.Int64 // that were ever begun or refused
	anyones   atomic.Int64 // calls in progress that anyone may make
	wasted    atomic.Int64 // of these, those refused for their credentials, or given up before their request was there

	mu      sync.Mutex
	waiting map[*sent]struct{}
	closed  bool
}

// remote is the address of a client, by which a call finds its connection.
type remote struct {
	net.Addr
	conn *connection
}

// RemoteAddr is the client's address.
func (c *connection) RemoteAddr() net.Addr { return c.remote }

func (c *connection) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.read.Add(int64(n))
	a := c.all
	// Not at every byte when there is little room.
	if since := a.since.Add(int64(n)); since > max(a.cutReceived()-a.received.Load(), a.limits.Pending/16) {
		a.tell()
	}
	return n, err
}

func (c *connection) Write(p []byte) (int, error) {
	c.writing.Store(time.Now().UnixNano())
	defer c.writing.Store(0)
	return c.Conn.Write(p)
}

// Close closes the connection; closing it again does nothing.
func (c *connection) Close() error {
	c.mu.Lock()
	closed := c.closed
	c.closed = true
	// gRPC does not give back what it had yet to send.
	for s := range c.waiting {
		c.forget(s)
	}
	c.mu.Unlock()
	if closed {
		return nil
	}
	c.all.mu.Lock()
	delete(c.all.open, c)
	if c.host.connections--; c.host.connections == 0 {
		delete(c.all.perHost, c.host.name)
	}
	c.all.mu.Unlock()
	return c.Conn.Close()
}

// connectionOf returns the connection of a call, nil if it came by a listener
// without limits.
func connectionOf(ctx context.Context) *connection {
	p, ok := peer.FromContext(ctx)
	if !ok {
		return nil
	}
	r, _ := p.Addr.(remote)
	return r.conn
}

// late reports whether the client has not taken what waits for it in time.
func (c *connection) late(now time.Time) bool {
	limit := now.Add(-c.all.limits.Send).UnixNano()
	if began := c.writing.Load(); began != 0 && began < limit {
		return true
	}
	if c.sending.Load() == 0 {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for s := range c.waiting {
		if s.began < limit {
			return true
		}
	}
	return false
}

// waste notes a call that cost something and came to nothing, and closes a
// connection that makes little else.
func (c *connection) waste() {
	if n := c.wasted.Add(1); n >= wasteful && 2*n > c.calls.Load() {
		c.all.count("wasteful")
		c.Close()
	}
}

// all returns the open connections.
func (a *connections) all() []*connection {
	a.mu.Lock()
	defer a.mu.Unlock()
	open := make([]*connection, 0, len(a.open))
	for c := range a.open {
		open = append(open, c)
	}
	return open
}

// closeLate closes connections whose clients do not take what they asked for.
func (a *connections) closeLate() {
	now := time.Now()
	for _, c := range a.all() {
		if c.late(now) {
			a.count("slow-reader")
			c.Close()
		}
	}
}

// closeLargest closes connections while more waits for clients than may, the one
// for which most waits first.
func (a *connections) closeLargest(ctx context.Context) {
	for a.overSent() {
		var largest *connection
		var most int64
		for _, c := range a.all() {
			if n := c.sending.Load(); n > most {
				largest, most = c, n
			}
		}
		if largest == nil {
			return
		}
		a.count("pending-responses")
		largest.Close()
		select {
		case <-ctx.Done():
			return
		case <-time.After(closePause):
		}
	}
}

// tally adds up what is held of requests that have not arrived as a whole, and
// closes the connections that hold most of it before it is more than may be: a
// caller who sends half requests must not be why others are refused. gRPC does not
// tell when it drops such bytes, so they are what came on a connection less what
// its requests account for.
func (a *connections) tally() {
	a.since.Store(0)
	type holder struct {
		*connection
		bytes int64
	}
	var holders []holder
	var sum int64
	for _, c := range a.all() {
		if n := c.half(); n > 0 {
			holders, sum = append(holders, holder{c, n}), sum+n
		}
	}
	if sum > a.cutReceived() {
		slices.SortFunc(holders, func(a, b holder) int { return cmp.Compare(b.bytes, a.bytes) })
		for _, h := range holders {
			if sum <= a.limits.Pending/8*5 {
				break
			}
			a.count("pending-requests")
			h.Close()
			sum -= h.bytes
		}
	}
	a.received.Store(sum)
}

// cutReceived is from how many bytes of requests on that have not arrived as a
// whole connections are closed.
func (a *connections) cutReceived() int64 { return a.limits.Pending / 4 * 3 }

// tell says that it is time to look at what is held.
func (a *connections) tell() {
	select {
	case a.over <- struct{}{}:
	default:
	}
}

// half is how many bytes a connection holds of requests that have not arrived as a
// whole.
func (c *connection) half() int64 {
	if c.receiving.Load() == 0 {
		return 0
	}
	return max(0, c.read.Load()-c.used.Load())
}

// arrived takes a request of so many bytes off the account, or, with 0, one that
// will not arrive.
func (c *connection) arrived(size int64) {
	if c.receiving.Add(-1) == 0 {
		c.used.Store(c.read.Load())
	} else if size > 0 {
		c.took(size)
	}
}

// took takes a request of so many bytes off the account; its call may have more.
func (c *connection) took(size int64) { c.use(size + size/8 + frames) }

// use takes bytes off the account, and never more than came.
func (c *connection) use(n int64) {
	for {
		was := c.used.Load()
		if c.used.CompareAndSwap(was, min(was+n, c.read.Load())) {
			return
		}
	}
}

// forgive takes off the account what no request accounts for: pings, windows,
// requests given up.
func (a *connections) forgive() {
	for _, c := range a.all() {
		c.use(forgiven)
	}
}

func (a *connections) overSent() bool { return a.sending.Load() > a.limits.Pending }

// outgoing is a response on its way to the codec.
type outgoing struct {
	message any
	conn    *connection
}

// plain is the message of an outgoing response or an incoming request.
func plain(m any) any {
	switch m := m.(type) {
	case outgoing:
		return m.message
	case incoming:
		return m.message
	}
	return m
}

// codec is wire.Codec that keeps account of responses. gRPC uses it outside of all
// interceptors: a panic in it would end the server.
type codec struct {
	wire.Codec
	recovered func(method string, err *error)
	turns     *turns // for large answers
	decoding  *turns // for large requests
}

// largeRequest is from how many bytes on a request is decoded in turn. Decoded it may
// be many times as large, and only then it can be told that it is too large.
const largeRequest = 16 << 10

// incoming is a request to be decoded, and the context of its call.
type incoming struct {
	ctx     context.Context
	message any
}

// withContext is a service whose requests with one response are incoming to the codec.
func withContext(service grpc.ServiceDesc) *grpc.ServiceDesc {
	service.Methods = slices.Clone(service.Methods)
	for i := range service.Methods {
		handler := service.Methods[i].Handler
		service.Methods[i].Handler = func(srv any, ctx context.Context, decode func(any) error, interceptor grpc.UnaryServerInterceptor) (any, error) {
			return handler(srv, ctx, func(m any) error { return decode(incoming{ctx, m}) }, interceptor)
		}
	}
	return &service
}

// Unmarshal decodes a message, a large one in turn. These turns are of their own: what
// waits for them is counted as half requests are, and must not wait for batches. That
// of a call that ends is not waited for: it is counted no more.
func (c codec) Unmarshal(data mem.BufferSlice, v any) (err error) {
	defer c.recovered("decoding", &err)
	in, ok := v.(incoming)
	if !ok {
		return c.Codec.Unmarshal(data, v)
	}
	if data.Len() > largeRequest {
		if err := c.decoding.take(in.ctx, shareOf(in.ctx)); err != nil {
			return err
		}
		defer c.decoding.leave()
	}
	return c.Codec.Unmarshal(data, in.message)
}

// Marshal encodes a message or an outgoing one.
func (c codec) Marshal(v any) (_ mem.BufferSlice, err error) {
	defer c.recovered("encoding", &err)
	o, ok := v.(outgoing)
	if !ok {
		return c.Codec.Marshal(v)
	}
	data, err := c.encode(o.message)
	// Below that size gRPC does not tell when a message has left; the number of
	// streams bounds those.
	if n := data.Len(); err == nil && len(data) == 1 && !mem.IsBelowBufferPoolingThreshold(n) {
		text := data[0].ReadOnlyData()
		return mem.BufferSlice{mem.NewBuffer(&text, o.conn.send(data, n))}, nil
	}
	return data, err
}

// encode encodes a response, a large one in turn and a part at a time.
func (c codec) encode(m any) (mem.BufferSlice, error) {
	res, ok := m.(*pb.ScreenAddressesResponse)
	if !ok || !manyMatches(res) {
		return c.Codec.Marshal(m)
	}
	c.turns.takeFirst()
	defer c.turns.leave()
	var rest pace.Pace
	// Messages that follow each other are one, with the results of all.
	var parts []*pb.ScreenAddressesResponse
	size := 0
	for some := range slices.Chunk(res.Results, largeBatch) {
		parts = append(parts, &pb.ScreenAddressesResponse{Results: some})
		size += proto.Size(parts[len(parts)-1])
		c.turns.step(&rest)
	}
	parts = append(parts, &pb.ScreenAddressesResponse{
		Snapshot: res.Snapshot, ScreenedAt: res.ScreenedAt, ValidUntil: res.ValidUntil, Receipt: res.Receipt,
		Notices: res.Notices, Lists: res.Lists, RequestId: res.RequestId,
	})
	// No more than it takes: it is held until the client has it, and counted by its length.
	text := make([]byte, 0, size+proto.Size(parts[len(parts)-1]))
	for _, part := range parts {
		var err error
		if text, err = (proto.MarshalOptions{UseCachedSize: true}).MarshalAppend(text, part); err != nil {
			return nil, err
		}
		c.turns.step(&rest)
	}
	return mem.BufferSlice{mem.SliceBuffer(text)}, nil
}

// manyMatches reports whether an answer is large.
func manyMatches(res *pb.ScreenAddressesResponse) bool {
	n := 0
	for _, r := range res.Results {
		n += len(r.Matches)
	}
	return n > largeBatch
}

// sent is a response that waits until the client takes it, in the shape of the
// pool that its buffer goes back to.
type sent struct {
	conn  *connection
	data  mem.BufferSlice
	size  int64
	began int64 // Unix nanoseconds
}

func (c *connection) send(data mem.BufferSlice, n int) *sent {
	s := &sent{c, data, int64(n), time.Now().UnixNano()}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return s
	}
	c.sending.Add(s.size)
	if c.all.sending.Add(s.size) > c.all.limits.Pending {
		c.all.tell()
	}
	if c.waiting == nil {
		c.waiting = map[*sent]struct{}{}
	}
	c.waiting[s] = struct{}{}
	return s
}

// Get is mem.BufferPool's. Buffers are only given back.
func (s *sent) Get(n int) *[]byte {
	buf := make([]byte, n)
	return &buf
}

// Put is called when the response has left, or never will.
func (s *sent) Put(*[]byte) {
	s.data.Free()
	s.conn.mu.Lock()
	defer s.conn.mu.Unlock()
	s.conn.forget(s)
}

// forget takes a response off the account. c.mu is held.
func (c *connection) forget(s *sent) {
	if _, ok := c.waiting[s]; ok {
		delete(c.waiting, s)
		c.sending.Add(-s.size)
		c.all.sending.Add(-s.size)
	}
}
