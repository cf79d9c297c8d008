package server

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/tap"
	"google.golang.org/protobuf/proto"

	pb "walletscreen/proto/walletscreen/v1"
	"walletscreen/screen/server/access"
)

// permissions says what each method asks of its caller. A method that is served
// and has no row stops the server from starting.
var permissions = map[string]access.Permission{
	pb.ScreeningService_ScreenAddresses_FullMethodName:     access.Screen,
	pb.ScreeningService_ScreenAddressStream_FullMethodName: access.Screen,

	pb.ListService_GetSnapshot_FullMethodName:       access.Lists,
	pb.ListService_GetAddressHistory_FullMethodName: access.Lists,
	pb.ListService_WatchChanges_FullMethodName:      access.Lists,
	pb.ListService_ExportSnapshot_FullMethodName:    access.Export,

	// Probes have no credentials.
	"/grpc.health.v1.Health/Check": access.Anyone,
	"/grpc.health.v1.Health/List":  access.Anyone,
	"/grpc.health.v1.Health/Watch": access.Anyone,

	// What it tells is in the published contract. Every caller may ask.
	"/grpc.reflection.v1.ServerReflection/ServerReflectionInfo":      access.Known,
	"/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo": access.Known,
}

const (
	// patientRefusal is how far off the deadline of a call may be for the call to
	// be refused before a stream is made for it: gRPC keeps something for such a
	// call until its deadline, whatever came of it.
	patientRefusal = 10 * time.Second
	// refusalTime is how long a call may take to be refused otherwise.
	refusalTime = time.Second
	// refusalLog is the pause between two lines of the log about calls that were
	// refused for their credentials.
	refusalLog = 10 * time.Second
)

// method is what admission knows of a method.
type method struct {
	need     access.Permission
	stream   bool
	requests bool // is a stream of requests
}

// admission decides which calls are made.
type admission struct {
	cfg    *Config
	limits Limits
	all    *connections
	// recovered makes an error of a panic.
	recovered func(method string, err *error)
	methods   map[string]method // set before the first call

	counting   sync.Mutex // held while a call is added to calls
	calls      atomic.Int64
	unanswered atomic.Int64 // bytes of requests that arrived as a whole
	shares     sync.Map     // of callers, by name: *share
	refused    *prometheus.CounterVec
	cut        *prometheus.CounterVec

	refusals logLimit // lines about refusals

	mu      sync.Mutex
	streams map[*call]struct{}
}

func newAdmission(cfg *Config, recovered func(method string, err *error)) *admission {
	a := &admission{
		cfg: cfg, recovered: recovered, limits: cfg.Limits.withDefaults(), streams: map[*call]struct{}{},
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "walletscreen_calls_refused_total", Help: "Calls that were refused for who made them, a quota or a limit."}, []string{"caller", "reason"}),
		cut:     prometheus.NewCounterVec(prometheus.CounterOpts{Name: "walletscreen_connections_cut_total", Help: "Connections that were refused or closed for a limit."}, []string{"why"}),
	}
	a.refusals.lines, a.refusals.per = 1, refusalLog
	a.all = newConnections(a.limits, func(why string) { a.cut.WithLabelValues(why).Inc() })
	if cfg.Access == nil {
		cfg.Access, _ = access.Open(access.Config{}) // everybody; no file, no error
	}
	if cfg.Metrics != nil {
		cfg.Metrics.MustRegister(a.refused, a.cut, &holdingCollector{a})
	}
	return a
}

// describe learns the methods of a server.
func (a *admission) describe(g *grpc.Server) {
	a.methods = map[string]method{}
	for service, info := range g.GetServiceInfo() {
		for _, m := range info.Methods {
			name := "/" + service + "/" + m.Name
			need, ok := permissions[name]
			if !ok {
				panic("no permission is set for " + name)
			}
			a.methods[name] = method{need, m.IsClientStream || m.IsServerStream, m.IsClientStream}
		}
	}
}

// call is the context of one call, and what admission knows of it.
type call struct {
	context.Context
	admission *admission
	method    method
	shown     access.Credentials
	caller    *access.Caller
	changed   atomic.Pointer[access.Caller] // of streams: the caller as the file has it now
	conn      *connection                   // nil without limits on connections
	share     *share                        // nil if anyone may make the call

	refusal error                   // if it is only made to be refused
	cancel  context.CancelCauseFunc // of streams: gRPC ends it with CANCELLED
	end     context.CancelCauseFunc // of streams: the handler ends, for that cause
	forget  func() bool             // stops what waits for the call to end
	ended   bool                    // by review, which alone uses it
}

type callKey struct{}

// Value is context.Context's.
func (c *call) Value(key any) any {
	if key == (callKey{}) {
		return c
	}
	return c.Context.Value(key)
}

// CallerOf returns the name of who makes a call, "" outside of calls over gRPC. It
// is one of the names of the file of callers, or "anonymous".
func CallerOf(ctx context.Context) string {
	if c, ok := ctx.Value(callKey{}).(*call); ok && c.caller != nil {
		return c.caller.Name
	}
	return ""
}

// admit is called for every call before anything of its request is read, by the
// goroutine that reads from its connection.
func (a *admission) admit(ctx context.Context, info *tap.Info) (_ context.Context, err error) {
	defer a.recovered(info.FullMethodName, &err)
	m, served := a.methods[info.FullMethodName]
	if !served {
		m = method{need: access.Anyone, stream: true} // gRPC answers UNIMPLEMENTED
	}
	c := &call{Context: ctx, admission: a, method: m, conn: connectionOf(ctx)}
	if c.conn != nil {
		c.conn.calls.Add(1)
	}
	c.shown = access.Read(ctx, info.Header["authorization"])
	if c.caller, err = a.cfg.Access.Authorize(c.shown, m.need); err != nil {
		if c.conn != nil {
			c.conn.waste()
		}
		return a.refuse(c, a.unauthorized(ctx, err))
	}
	if m.need == access.Anyone && c.conn != nil && c.conn.anyones.Load() >= maxAnyones {
		return a.refuse(c, a.refusedFor(c.caller.Name, pb.ErrorReason_ERROR_REASON_OVERLOADED, "too many calls without credentials are in progress on this connection"))
	}
	if m.need == access.Anyone {
		a.count(c, 1)
	} else {
		c.share = a.shareOf(c)
		if err := a.room(c); err != nil {
			return a.refuse(c, err)
		}
	}
	if m.stream {
		c.Context, c.cancel = context.WithCancelCause(ctx)
	} else if at, ok := ctx.Deadline(); !ok || time.Until(at) > a.limits.Call {
		c.Context = timeout(ctx, a.limits.Call)
	}
	a.begin(c)
	return c, nil
}

// timeout bounds a context. What it costs is given back when the context that it
// is made of ends, which is at the end of the call.
func timeout(ctx context.Context, limit time.Duration) context.Context {
	bounded, cancel := context.WithTimeout(ctx, limit)
	_ = cancel
	return bounded
}

// refuse refuses a call.
func (a *admission) refuse(c *call, err error) (context.Context, error) {
	if at, ok := c.Deadline(); !ok || time.Until(at) <= patientRefusal {
		return nil, err
	}
	c.refusal = err
	if c.method.stream {
		return c, nil
	}
	c.Context = timeout(c.Context, refusalTime)
	return c, nil
}

// unauthorized makes the error of a call for which Authorize has err.
func (a *admission) unauthorized(ctx context.Context, err error) error {
	var r *access.Refusal
	if !errors.As(err, &r) {
		return failure(pb.ErrorReason_ERROR_REASON_INTERNAL, "internal error")
	}
	reason := pb.ErrorReason_ERROR_REASON_UNAUTHENTICATED
	if r.Denied {
		reason = pb.ErrorReason_ERROR_REASON_PERMISSION_DENIED
	}
	// Anybody can cause these, as often as they like.
	from := ""
	if p, ok := peer.FromContext(ctx); ok {
		from = p.Addr.String()
		if host, _, err := net.SplitHostPort(from); err == nil {
			from = host
		}
	}
	a.refusals.log(a.cfg.Log, slog.LevelWarn, "calls are refused for their credentials; walletscreen_calls_refused_total counts them", "caller", r.Caller, "from", from, "why", r.Why)
	return a.refusedFor(r.Caller, reason, r.Why)
}

// refusedFor counts a refusal and makes its error.
func (a *admission) refusedFor(caller string, reason pb.ErrorReason, why string) error {
	a.refused.WithLabelValues(caller, reasonName(reason)).Inc()
	return failure(reason, why)
}

// room checks that one more call can be taken, and counts it if so.
func (a *admission) room(c *call) error {
	const overloaded = pb.ErrorReason_ERROR_REASON_OVERLOADED
	// Calls come on many connections at the same time.
	a.counting.Lock()
	defer a.counting.Unlock()
	calls, limit := a.calls.Load(), int64(a.limits.Calls)
	switch {
	case calls >= limit:
		return a.refusedFor(c.caller.Name, overloaded, "too many calls are in progress")
	case calls >= limit-limit/5 && c.share.calls.Load() >= max(1, limit/10):
		return a.refusedFor(c.caller.Name, overloaded, "too many calls are in progress, and many of them are this caller's")
	case a.all.overSent():
		return a.refusedFor(c.caller.Name, overloaded, "too many responses wait to be taken")
	}
	if err := a.taken(c); err != nil {
		return err
	}
	a.count(c, 1)
	return nil
}

// shareOf returns the share of who makes the call of a context, nil outside of one.
func shareOf(ctx context.Context) *share {
	if c, ok := ctx.Value(callKey{}).(*call); ok {
		return c.share
	}
	return nil
}

// shareOf returns the share of who makes a call.
func (a *admission) shareOf(c *call) *share {
	if c.caller.Name == access.Anonymous && c.conn != nil {
		return &c.conn.host.share
	}
	if s, ok := a.shares.Load(c.caller.Name); ok {
		return s.(*share)
	}
	s, _ := a.shares.LoadOrStore(c.caller.Name, new(share))
	return s.(*share)
}

// hold takes a request that arrived as a whole on the account, until answered.
func (a *admission) hold(c *call, size int64) error {
	if c.share == nil {
		return nil
	}
	all, own, limit := a.unanswered.Add(size), c.share.unanswered.Add(size), a.limits.Pending
	if all > limit || all > limit-limit/5 && own > limit/10 {
		a.answered(c, size)
		return a.refusedFor(c.caller.Name, pb.ErrorReason_ERROR_REASON_OVERLOADED, "too many requests wait to be answered")
	}
	return nil
}

// answered undoes hold.
func (a *admission) answered(c *call, size int64) {
	if c.share != nil {
		a.unanswered.Add(-size)
		c.share.unanswered.Add(-size)
	}
}

// taken checks that the client takes its responses.
func (a *admission) taken(c *call) error {
	if c.conn != nil && c.conn.sending.Load() > a.limits.Pending/4 {
		return a.refusedFor(c.caller.Name, pb.ErrorReason_ERROR_REASON_SLOW_CONSUMER, "too much waits to be read on this connection")
	}
	return nil
}

// begin follows a call that is counted. It ends by end, or, if its request never
// arrives as a whole, when its context does.
func (a *admission) begin(c *call) {
	if c.conn != nil {
		c.conn.receiving.Add(1)
	}
	c.forget = context.AfterFunc(c.Context, func() { a.over(c, false) })
}

// arrive says that a call's handler runs now: from here on end ends it. It reports
// false if the call has ended before.
func (c *call) arrive() bool {
	return c.forget()
}

// arrived notes that the next request of the call has arrived as a whole, and
// returns how much memory it takes, in bytes.
func (c *call) arrived(req any) int64 {
	m, _ := req.(proto.Message)
	if size := 1 + int64(proto.Size(m)); c.conn != nil && c.method.requests {
		c.conn.took(size)
	} else if c.conn != nil {
		c.conn.arrived(size)
	}
	return memoryOf(m)
}

// memoryOf is about how much memory a request takes, in bytes: its text, and for each
// string of it where that is, which for short ones is most of it.
func memoryOf(req proto.Message) int64 {
	n := 0
	switch req := req.(type) {
	case *pb.ScreenAddressesRequest:
		n = len(req.GetAddresses()) + len(req.GetListIds())
	case *pb.GetAddressHistoryRequest:
		n = len(req.GetListIds())
	}
	return int64(1 + proto.Size(req) + n*int(unsafe.Sizeof("")))
}

// over undoes begin.
func (a *admission) over(c *call, arrived bool) {
	if !arrived {
		if c.conn != nil {
			c.conn.arrived(0)
			c.conn.waste()
		}
	}
	a.count(c, -1)
}

// count adds to the calls in progress.
func (a *admission) count(c *call, n int64) {
	if c.method.need == access.Anyone {
		if c.conn != nil {
			c.conn.anyones.Add(n)
		}
		return
	}
	a.calls.Add(n)
	c.share.calls.Add(n)
}

// charge takes the addresses of a request from the quota of its caller. What the
// contract refuses anyway costs one.
func (a *admission) charge(c *call, req any) error {
	n := 0
	switch req := req.(type) {
	case *pb.ScreenAddressesRequest:
		if n = len(req.GetAddresses()); n == 0 || n > MaxAddresses {
			n = 1
		}
	case *pb.GetAddressHistoryRequest:
		n = 1
	default:
		return nil
	}
	caller := c.caller
	if changed := c.changed.Load(); changed != nil {
		caller = changed
	}
	err := caller.Take(a.cfg.Now, n)
	var over *access.QuotaError
	if !errors.As(err, &over) {
		return err
	}
	a.refused.WithLabelValues(caller.Name, reasonName(pb.ErrorReason_ERROR_REASON_QUOTA_EXCEEDED)).Inc()
	return failureAfter(pb.ErrorReason_ERROR_REASON_QUOTA_EXCEEDED, over.Delay, over.Error(),
		"addresses", strconv.Itoa(n), "addresses_per_second", strconv.FormatFloat(over.PerSecond, 'g', -1, 64), "burst", strconv.Itoa(over.Burst))
}

var errLate = status.Error(codes.DeadlineExceeded, "the call took longer than the server allows")

// unary is the interceptor of calls with one request and one response.
func (a *admission) unary(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	c, ok := ctx.Value(callKey{}).(*call)
	if !ok {
		return nil, failure(pb.ErrorReason_ERROR_REASON_INTERNAL, "internal error")
	}
	if c.refusal != nil {
		return nil, c.refusal
	}
	if !c.arrive() {
		return nil, errLate
	}
	defer a.over(c, true)
	size := c.arrived(req)
	if err := a.hold(c, size); err != nil {
		return nil, err
	}
	defer a.answered(c, size)
	if c.method.need != access.Anyone {
		if err := a.taken(c); err != nil {
			return nil, err
		}
	}
	if err := a.charge(c, req); err != nil {
		return nil, err
	}
	res, err := next(ctx, req)
	if err != nil || c.conn == nil {
		return res, err
	}
	return outgoing{res, c.conn}, nil
}

// stream is the interceptor of all other calls.
func (a *admission) stream(srv any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	c, ok := stream.Context().Value(callKey{}).(*call)
	if !ok {
		return failure(pb.ErrorReason_ERROR_REASON_INTERNAL, "internal error")
	}
	if c.refusal != nil {
		return c.refusal
	}
	if !c.arrive() {
		return errLate
	}
	defer a.over(c, true)
	c.arrived(nil)
	if c.conn != nil && c.method.requests {
		// What waits for the handler to look for the next request is half a request, too.
		defer c.conn.arrived(0)
	}
	var ctx context.Context
	ctx, c.end = context.WithCancelCause(stream.Context())
	a.mu.Lock()
	a.streams[c] = struct{}{}
	a.mu.Unlock()
	defer func() {
		a.mu.Lock()
		delete(a.streams, c)
		a.mu.Unlock()
		// c.cancel is left to gRPC, after the status has left: what still waits in
		// gRPC's RecvMsg would end the stream with CANCELLED.
		c.end(nil)
	}()
	b := &bounded{ServerStream: stream, call: c, ctx: ctx}
	defer b.release()
	err := next(srv, b)
	if cause := context.Cause(ctx); cause != nil && status.Code(cause) != codes.Unknown {
		return cause // why it was ended, not that it was
	}
	return err
}

// bounded is a stream within its limits.
type bounded struct {
	grpc.ServerStream
	call *call
	ctx  context.Context

	mu       sync.Mutex
	held     []int64 // the sizes of requests that are not answered yet
	released bool
}

// hold takes a request on the account until the next response is sent.
func (s *bounded) hold(size int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.released {
		return nil
	}
	if err := s.call.admission.hold(s.call, size); err != nil {
		return err
	}
	s.held = append(s.held, size)
	return nil
}

// answered takes the oldest request off the account. Of a stream that answers one
// request with many responses, the first does.
func (s *bounded) answered() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.held) > 0 {
		s.call.admission.answered(s.call, s.held[0])
		s.held = s.held[1:]
	}
}

// release takes all off the account at the end of the stream.
func (s *bounded) release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.released = true
	for _, size := range s.held {
		s.call.admission.answered(s.call, size)
	}
	s.held = nil
}

// Context ends when the stream does, or is to end.
func (s *bounded) Context() context.Context { return s.ctx }

// endTime is how long a handler may take to end a stream that is to end, with its
// cause, before the stream ends without.
const endTime = time.Second

// finish ends a stream with an error for its client.
func (c *call) finish(cause error) {
	c.end(cause)
	time.AfterFunc(endTime, func() { c.cancel(cause) })
}

var errIdle = status.Error(codes.DeadlineExceeded, "the stream went without a request for longer than the server allows")

// RecvMsg waits for the next request, not forever, and charges for it.
func (s *bounded) RecvMsg(m any) error {
	c := s.call
	arrived := false
	if c.conn != nil && !c.method.requests {
		c.conn.receiving.Add(1)
		defer func() {
			if !arrived {
				c.conn.arrived(0)
			}
		}()
	}
	// gRPC's own RecvMsg ends when the stream does, and ends the stream with a
	// status of its own when its context does.
	got := make(chan error, 1)
	go func() { got <- s.ServerStream.RecvMsg(incoming{s.ctx, m}) }()
	late := time.NewTimer(c.admission.limits.Idle)
	defer late.Stop()
	var err error
	select {
	case err = <-got:
	case <-late.C:
		c.finish(errIdle)
		return errIdle
	case <-s.ctx.Done():
		if cause := context.Cause(s.ctx); status.Code(cause) != codes.Unknown {
			return cause
		}
		err = <-got
	}
	if err != nil {
		return err
	}
	arrived = true
	if err := s.hold(c.arrived(m)); err != nil {
		return err
	}
	return c.admission.charge(c, m)
}

// SendMsg sends a response and keeps account of it.
func (s *bounded) SendMsg(m any) error {
	defer s.answered()
	if s.call.conn == nil {
		return s.ServerStream.SendMsg(m)
	}
	return s.ServerStream.SendMsg(outgoing{m, s.call.conn})
}

// review ends the streams of those who may not call any more, and puts the quotas
// in force that the others have now.
func (a *admission) review() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for c := range a.streams {
		if c.ended {
			continue
		}
		caller, err := a.cfg.Access.Authorize(c.shown, c.method.need)
		if err != nil {
			c.ended = true
			c.finish(a.unauthorized(c, err))
			continue
		}
		c.changed.Store(caller)
	}
}

// run keeps the limits that no call keeps for itself, until ctx ends.
func (a *admission) run(ctx context.Context) {
	tick, often := time.NewTicker(readinessTick), time.NewTicker(tallyPause)
	defer tick.Stop()
	defer often.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-a.all.over:
			a.all.tally()
		case <-often.C:
			a.all.tally()
		case <-tick.C:
			a.review()
			a.all.closeLate()
			a.all.forgive()
		}
		a.all.closeLargest(ctx)
	}
}

// holdingCollector reports what is held for clients when it is asked.
type holdingCollector struct{ a *admission }

var (
	connectionsDesc = prometheus.NewDesc("walletscreen_connections", "Connections that are open.", nil, nil)
	callsDesc       = prometheus.NewDesc("walletscreen_calls", "Calls in progress, health checks left out.", nil, nil)
	pendingDesc     = prometheus.NewDesc("walletscreen_pending_bytes", "Bytes of requests that have not arrived as a whole, of requests that are not answered yet, and of responses that wait for clients.", []string{"direction"}, nil)
)

// Describe is prometheus.Collector's.
func (h *holdingCollector) Describe(ch chan<- *prometheus.Desc) {
	ch <- connectionsDesc
	ch <- callsDesc
	ch <- pendingDesc
}

// Collect is prometheus.Collector's.
func (h *holdingCollector) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	h.a.all.mu.Lock()
	open := len(h.a.all.open)
	h.a.all.mu.Unlock()
	gauge(connectionsDesc, float64(open))
	gauge(callsDesc, float64(h.a.calls.Load()))
	gauge(pendingDesc, float64(h.a.all.received.Load()), "requests")
	gauge(pendingDesc, float64(h.a.unanswered.Load()), "unanswered")
	gauge(pendingDesc, float64(h.a.all.sending.Load()), "responses")
}
