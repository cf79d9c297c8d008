package server

import (
	"context"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "walletscreen/proto/walletscreen/v1"
)

// contract is how the names of the methods of the contract begin.
const contract = "/walletscreen.v1."

// An observation is what is known of a call for metrics, the log and traces: nothing of what
// was asked for but counts.
type observation struct {
	method    string // the last part of its name
	ours      bool   // of a service of the contract, not of health or reflection
	caller    string // its name in the configuration, "anonymous"
	began     time.Time
	requestID string
	messages  int // answers to batches of addresses
	addresses int
	verdicts  verdicts
	snapshot  uint64 // of the last answer
}

// verdicts counts addresses by verdict.
type verdicts [int(pb.Verdict_VERDICT_NOT_LISTED) + 1]int

// begin notes that a call begins. The method is one that is registered: calls of
// others do not get here.
func (s *Server) begin(ctx context.Context, fullMethod string) *observation {
	c := &observation{method: fullMethod[strings.LastIndexByte(fullMethod, '/')+1:], ours: strings.HasPrefix(fullMethod, contract), began: time.Now(), caller: CallerOf(ctx)}
	s.metrics.inFlight.WithLabelValues(c.method).Inc()
	return c
}

// end notes that the call is over.
func (s *Server) end(ctx context.Context, c *observation, unary bool, err error) {
	took, code := time.Since(c.began), status.Code(err)
	s.metrics.inFlight.WithLabelValues(c.method).Dec()
	s.metrics.calls.WithLabelValues(s.metrics.callers.label(c.caller), c.method, code.String()).Inc()
	if unary {
		s.metrics.duration.WithLabelValues(c.method, code.String()).Observe(took.Seconds())
	}
	if s.cfg.Tracer != nil {
		if span := trace.SpanFromContext(ctx); span.IsRecording() {
			span.SetAttributes(attribute.String("walletscreen.caller", c.caller), attribute.Int("walletscreen.addresses", c.addresses),
				attribute.Int64("walletscreen.snapshot", int64(c.snapshot)))
		}
	}
	s.logCall(ctx, c, unary, took, err)
}

// batch notes the answer to one batch of addresses.
func (s *Server) batch(c *observation, res *pb.ScreenAddressesResponse) {
	c.messages++
	c.addresses += len(res.Results)
	c.requestID, c.snapshot = res.RequestId, res.GetSnapshot().GetSequence()
	v := s.metrics.batch(s.metrics.callers.label(c.caller), res)
	for i, n := range v {
		c.verdicts[i] += n
	}
}

func (s *Server) observeUnary(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	c := s.begin(ctx, info.FullMethod)
	res, err := next(ctx, req)
	if req, ok := req.(*pb.ScreenAddressesRequest); ok {
		c.requestID = req.GetRequestId()
	}
	if res, ok := plain(res).(*pb.ScreenAddressesResponse); ok && err == nil {
		s.batch(c, res)
	}
	s.end(ctx, c, true, err)
	return res, err
}

func (s *Server) observeStream(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	ctx := stream.Context()
	c := s.begin(ctx, info.FullMethod)
	if !c.ours {
		// Our own streams end themselves; those of health and reflection are gRPC's.
		var cancel context.CancelCauseFunc
		ctx, cancel = context.WithCancelCause(ctx)
		defer cancel(nil)
		defer context.AfterFunc(s.ending, func() { cancel(stopping()) })()
	}
	err := next(srv, &observedStream{ServerStream: stream, ctx: ctx, server: s, call: c})
	s.end(ctx, c, false, err)
	return err
}

// observedStream counts what passes. Requests come and answers go by different
// goroutines, in the same order.
type observedStream struct {
	grpc.ServerStream
	ctx    context.Context
	server *Server
	call   *observation

	mu       sync.Mutex
	received []time.Time // of the requests that are not answered yet
}

func (o *observedStream) Context() context.Context { return o.ctx }

func (o *observedStream) RecvMsg(m any) error {
	err := o.ServerStream.RecvMsg(m)
	if _, ok := plain(m).(*pb.ScreenAddressesRequest); ok && err == nil {
		o.mu.Lock()
		o.received = append(o.received, time.Now())
		o.mu.Unlock()
	}
	return err
}

func (o *observedStream) SendMsg(m any) error {
	if res, ok := plain(m).(*pb.ScreenAddressesResponse); ok {
		o.mu.Lock()
		received := o.received[0]
		o.received = o.received[1:]
		o.mu.Unlock()
		o.server.batch(o.call, res)
		o.server.metrics.duration.WithLabelValues(o.call.method, codes.OK.String()).Observe(time.Since(received).Seconds())
	}
	return o.ServerStream.SendMsg(m)
}
