package client_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	pb "walletscreen/proto/walletscreen/v1"
	"walletscreen/screen/client"
	"walletscreen/screen/server"
)

// host is one server on a socket, with what a test does to its calls.
type host struct {
	*server.Server
	addr  string
	grpc  *grpc.Server
	calls atomic.Int64
	// handle is called in place of the handler of ScreenAddresses, if set.
	handle atomic.Pointer[func(ctx context.Context, req any, next grpc.UnaryHandler) (any, error)]
	agent  atomic.Value // user agent of the last call
	token  atomic.Value // authorization of the last call
}

// answers replaces what the server does for each call.
func (h *host) answers(f func(ctx context.Context, req any, next grpc.UnaryHandler) (any, error)) {
	h.handle.Store(&f)
}

// start starts a server, which serves a snapshot of the number unless that is 0. addr
// is "" for any.
func start(t testing.TB, sequence uint64, addr string, opts ...grpc.ServerOption) *host {
	t.Helper()
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	h := &host{Server: server.New(server.Config{MaxListAge: time.Hour, Now: clock}), addr: listener.Addr().String()}
	if sequence > 0 {
		h.Swap(server.State{Snapshot: snapshot(t, sequence)})
	}
	h.grpc = h.GRPC(append(opts, grpc.ChainUnaryInterceptor(func(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
		if info.FullMethod != pb.ScreeningService_ScreenAddresses_FullMethodName {
			return next(ctx, req)
		}
		h.calls.Add(1)
		md, _ := metadata.FromIncomingContext(ctx)
		h.agent.Store(strings.Join(md.Get("user-agent"), ","))
		h.token.Store(strings.Join(md.Get("authorization"), ","))
		if f := h.handle.Load(); f != nil {
			return (*f)(ctx, req, next)
		}
		return next(ctx, req)
	}))...)
	served := make(chan error, 1)
	go func() { served <- h.grpc.Serve(listener) }()
	t.Cleanup(func() {
		h.grpc.Stop()
		if err := <-served; err != nil && !errors.Is(err, grpc.ErrServerStopped) {
			t.Error(err)
		}
	})
	return h
}

// published is the day of the publication in every snapshot of these tests.
var published = time.Date(2025, 11, 4, 0, 0, 0, 0, time.UTC)

// clock stands at the end of that day, when the list is as fresh as can be.
func clock() time.Time { return published.AddDate(0, 0, 1) }

// open returns a client of servers.
func open(t testing.TB, o client.Options, hosts ...*host) *client.Client {
	t.Helper()
	var targets []string
	for _, h := range hosts {
		targets = append(targets, h.addr)
	}
	c, err := client.New(targets, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func one() *pb.ScreenAddressesRequest {
	return &pb.ScreenAddressesRequest{Addresses: []string{listed}, RequestId: "one"}
}

// wantRight fails unless a call was answered, correctly.
func wantRight(t testing.TB, c *client.Client) {
	t.Helper()
	res, err := c.ScreenAddresses(t.Context(), one())
	if err != nil {
		t.Fatal(err)
	}
	if res.Results[0].Verdict != pb.Verdict_VERDICT_LISTED {
		t.Fatalf("%s, want LISTED", res.Results[0].Verdict)
	}
}

func wait(t testing.TB, what string, holds func() bool) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-deadline:
			t.Fatalf("still not so: %s", what)
		case <-tick.C:
		}
	}
}

// Calls go to the servers that are ready, and to one that was not when it is.
func TestReadyServersAreAsked(t *testing.T) {
	a, b, late := start(t, 1, ""), start(t, 1, ""), start(t, 0, "")
	gone := start(t, 1, "")
	gone.grpc.Stop()
	c := open(t, client.Options{}, late, gone, a, b)
	for range 20 {
		wantRight(t, c)
	}
	// Only until the second one is connected do calls go to the first alone.
	wait(t, "both ready servers are asked", func() bool { wantRight(t, c); return a.calls.Load() > 0 && b.calls.Load() > 0 })
	if n := late.calls.Load(); n != 0 {
		t.Errorf("%d calls to a server that is not ready", n)
	}
	late.Swap(server.State{Snapshot: snapshot(t, 1)})
	wait(t, "the third server is asked", func() bool { wantRight(t, c); return late.calls.Load() > 0 })
	if ready, err := c.Ready(t.Context()); !ready || err != nil {
		t.Errorf("ready %t, %v", ready, err)
	}
	late.Drain()
	wait(t, "calls go round the server that stops", func() bool {
		before := late.calls.Load()
		for range 4 {
			wantRight(t, c)
		}
		return late.calls.Load() == before
	})
}

// When no server is ready, one that is not is asked: it knows what is listed, and
// says CANNOT_SCREEN of the rest.
func TestNoServerIsReady(t *testing.T) {
	a, b := start(t, 1, ""), start(t, 1, "")
	for _, h := range []*host{a, b} {
		h.Drain()
	}
	c := open(t, client.Options{}, a, b)
	for range 5 {
		wantRight(t, c)
	}
	if ready, err := c.Ready(t.Context()); ready || err != nil {
		t.Errorf("ready %t, %v", ready, err)
	}
	// Those without a snapshot say so, and are not asked for it without end.
	x, y := start(t, 0, ""), start(t, 0, "")
	c = open(t, client.Options{}, x, y)
	_, err := c.ScreenAddresses(t.Context(), one())
	if status.Code(err) != codes.Unavailable || !strings.HasSuffix(err.Error(), "desc = no snapshot is loaded yet") {
		t.Errorf("%v, want UNAVAILABLE of the server", err)
	}
	if n := x.calls.Load() + y.calls.Load(); n < 2 || n > 4 {
		t.Errorf("%d calls, want 2 to 4", n)
	}
}

// Servers die in the middle of calls, and others come: no call fails, none is
// answered wrongly, and few are repeated.
func TestServersDie(t *testing.T) {
	const callers, calls = 8, 80
	hosts := []*host{start(t, 1, ""), start(t, 1, ""), start(t, 1, "")}
	c := open(t, client.Options{}, hosts...)
	var done atomic.Int64
	var group sync.WaitGroup
	for caller := range callers {
		n := 10
		if caller == 0 {
			n = 2000 // with what follows, more than gRPC keeps to send again unless told to
		}
		text := addresses(n, 0, n-1)
		for i := range text {
			text[i] = strings.Repeat(" ", 120) + text[i]
		}
		group.Go(func() {
			for range calls {
				res, err := c.ScreenAddresses(t.Context(), &pb.ScreenAddressesRequest{Addresses: text})
				if err != nil {
					t.Error(err)
					return
				}
				if res.Results[0].Verdict != pb.Verdict_VERDICT_LISTED || res.Results[n-1].Verdict != pb.Verdict_VERDICT_LISTED ||
					res.Results[1].Verdict != pb.Verdict_VERDICT_NOT_LISTED {
					t.Errorf("wrong: %v, %v, %v", res.Results[0].Verdict, res.Results[1].Verdict, res.Results[n-1].Verdict)
				}
				done.Add(1)
			}
		})
	}
	for i := range hosts {
		wait(t, "more calls are answered", func() bool { return done.Load() > int64(i+1)*callers*calls/5 || t.Failed() })
		hosts[i].grpc.Stop()
		hosts = append(hosts, start(t, 1, hosts[i].addr))
		before := hosts[len(hosts)-1]
		wait(t, "the new server is asked", func() bool { return before.calls.Load() > 0 || done.Load() == callers*calls || t.Failed() })
	}
	group.Wait()
	var total int64
	for _, h := range hosts {
		total += h.calls.Load()
	}
	t.Logf("%d calls reached servers for %d that were made", total, done.Load())
	if total > callers*calls+10*callers {
		t.Errorf("%d calls reached servers for %d that were made", total, callers*calls)
	}
}

// A server that dies with half of its answer sent has committed the call, as far as
// gRPC is concerned: this package repeats it.
func TestAnswerCutOff(t *testing.T) {
	a, b := start(t, 1, ""), start(t, 1, "")
	begun := headers(make(chan struct{}, 10))
	c := open(t, client.Options{Dial: []grpc.DialOption{grpc.WithStatsHandler(begun)}}, a, b)
	for _, h := range []*host{a, b} {
		h.answers(func(ctx context.Context, req any, next grpc.UnaryHandler) (any, error) {
			if a.calls.Load()+b.calls.Load() > 1 {
				return next(ctx, req)
			}
			if err := grpc.SendHeader(ctx, metadata.Pairs("a", "b")); err != nil {
				return nil, err
			}
			<-begun
			go h.grpc.Stop()
			<-ctx.Done()
			return nil, ctx.Err()
		})
	}
	wantRight(t, c)
}

// headers tells when the beginning of an answer to ScreenAddresses has come.
type headers chan struct{}

type screens struct{} // marks the contexts of those calls

func (headers) TagRPC(ctx context.Context, info *stats.RPCTagInfo) context.Context {
	return context.WithValue(ctx, screens{}, info.FullMethodName == pb.ScreeningService_ScreenAddresses_FullMethodName)
}

func (h headers) HandleRPC(ctx context.Context, s stats.RPCStats) {
	if _, ok := s.(*stats.InHeader); ok && ctx.Value(screens{}) == true {
		h <- struct{}{}
	}
}

func (headers) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }
func (headers) HandleConn(context.Context, stats.ConnStats)                       {}

// A server that hangs costs a part of the deadline, not the call.
func TestServerHangs(t *testing.T) {
	slow, fast := start(t, 1, ""), start(t, 1, "")
	c := open(t, client.Options{Timeout: 4 * time.Second}, slow, fast)
	wait(t, "both servers are asked", func() bool { wantRight(t, c); return slow.calls.Load() > 0 && fast.calls.Load() > 0 })
	slow.answers(func(ctx context.Context, req any, next grpc.UnaryHandler) (any, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	})
	for before := slow.calls.Load(); slow.calls.Load() == before; {
		wantRight(t, c)
	}
	// The only server has all the time there is, and is asked once.
	c = open(t, client.Options{Timeout: 200 * time.Millisecond}, slow)
	before := slow.calls.Load()
	if _, err := c.ScreenAddresses(t.Context(), one()); status.Code(err) != codes.DeadlineExceeded {
		t.Errorf("%v, want DEADLINE_EXCEEDED", err)
	}
	if n := slow.calls.Load() - before; n != 1 {
		t.Errorf("%d calls, want 1", n)
	}
}

// exhausted is an error as of a quota, with the time to wait unless that is negative.
func exhausted(wait time.Duration) error {
	st := status.New(codes.ResourceExhausted, "over the quota")
	if wait >= 0 {
		st, _ = st.WithDetails(&errdetails.ErrorInfo{Domain: "walletscreen", Reason: "QUOTA_EXCEEDED"}, &errdetails.RetryInfo{RetryDelay: durationpb.New(wait)})
	}
	return st.Err()
}

func TestQuota(t *testing.T) {
	for _, test := range []struct {
		name    string
		wait    time.Duration
		times   int64 // how often the server refuses
		timeout time.Duration
		calls   int64
		code    codes.Code
	}{
		{"waits as long as told", 30 * time.Millisecond, 2, 5 * time.Second, 3, codes.OK},
		{"gives up after a while", time.Millisecond, 100, 5 * time.Second, 3, codes.ResourceExhausted},
		{"does not wait past the deadline", time.Minute, 1, 5 * time.Second, 1, codes.ResourceExhausted},
		{"does not repeat what would be refused again", -1, 100, 5 * time.Second, 1, codes.ResourceExhausted},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := start(t, 1, "")
			h.answers(func(ctx context.Context, req any, next grpc.UnaryHandler) (any, error) {
				if h.calls.Load() <= test.times {
					return nil, exhausted(test.wait)
				}
				return next(ctx, req)
			})
			c := open(t, client.Options{Timeout: test.timeout}, h)
			begin := time.Now()
			_, err := c.ScreenAddresses(t.Context(), one())
			took := time.Since(begin)
			if status.Code(err) != test.code || h.calls.Load() != test.calls {
				t.Errorf("%v after %d calls, want %s after %d", err, h.calls.Load(), test.code, test.calls)
			}
			if least := time.Duration(test.calls-1) * test.wait; took < least || took > 4*time.Second {
				t.Errorf("took %s, want at least %s", took, least)
			}
		})
	}
}

// What repeating does not mend is returned at once, even if another server would
// have answered.
func TestNotRepeated(t *testing.T) {
	for _, code := range []codes.Code{
		codes.FailedPrecondition, codes.InvalidArgument, codes.Internal, codes.Unauthenticated, codes.PermissionDenied,
		codes.Unimplemented, codes.OutOfRange, codes.Unknown, codes.DataLoss, codes.Aborted,
	} {
		a, b := start(t, 1, ""), start(t, 1, "")
		for _, h := range []*host{a, b} {
			h.answers(func(context.Context, any, grpc.UnaryHandler) (any, error) { return nil, status.Error(code, "no") })
		}
		_, err := open(t, client.Options{}, a, b).ScreenAddresses(t.Context(), one())
		if n := a.calls.Load() + b.calls.Load(); status.Code(err) != code || n != 1 {
			t.Errorf("%s: %v after %d calls, want 1", code, err, n)
		}
	}
}

// Too few results are no answer: another server is asked, and if there is none, the
// call fails.
func TestTooFewResults(t *testing.T) {
	bad, good := start(t, 1, ""), start(t, 1, "")
	c := open(t, client.Options{}, bad, good)
	wait(t, "both servers are asked", func() bool { wantRight(t, c); return bad.calls.Load() > 0 && good.calls.Load() > 0 })
	bad.answers(func(ctx context.Context, req any, next grpc.UnaryHandler) (any, error) {
		res, err := next(ctx, req)
		if r, ok := res.(*pb.ScreenAddressesResponse); ok {
			r.Results = r.Results[:len(r.Results)-1]
		}
		return res, err
	})
	for before := bad.calls.Load(); bad.calls.Load() < before+5; {
		wantRight(t, c)
	}
	_, err := open(t, client.Options{}, bad).ScreenAddresses(t.Context(), one())
	if status.Code(err) != codes.Internal || !strings.Contains(err.Error(), "1 addresses with 0 results") {
		t.Errorf("%v, want INTERNAL", err)
	}
}

// What is repeated is what docs/clients.md says: UNAVAILABLE, three times by gRPC, all
// of it twice more if no server gave a reason, and nothing that another answer cannot
// come of.
func TestRepeated(t *testing.T) {
	for _, test := range []struct {
		code     codes.Code
		reason   string
		failures int64
		calls    int64
		fails    bool
	}{
		{codes.Unavailable, "NOT_READY", 1, 2, false},
		{codes.Unavailable, "NOT_READY", 3, 4, false},
		{codes.Unavailable, "NOT_READY", 100, 4, true},
		{codes.Unavailable, "", 3, 4, false},
		{codes.Unavailable, "", 100, 12, true},
		{codes.Internal, "INTERNAL", 1, 1, true},
		{codes.InvalidArgument, "NO_ADDRESSES", 1, 1, true},
		{codes.FailedPrecondition, "SNAPSHOT_NOT_HELD", 1, 1, true},
		{codes.PermissionDenied, "PERMISSION_DENIED", 1, 1, true},
		{codes.Unauthenticated, "UNAUTHENTICATED", 1, 1, true},
		{codes.Unknown, "", 1, 1, true},
	} {
		t.Run(fmt.Sprintf("%s %s, %d times", test.code, test.reason, test.failures), func(t *testing.T) {
			t.Parallel()
			h := start(t, 1, "")
			c := open(t, client.Options{Timeout: time.Minute}, h)
			wantRight(t, c)
			before := h.calls.Load()
			failure := status.New(test.code, "no")
			if test.reason != "" {
				var err error
				if failure, err = failure.WithDetails(&errdetails.ErrorInfo{Domain: "walletscreen", Reason: test.reason}); err != nil {
					t.Fatal(err)
				}
			}
			h.answers(func(ctx context.Context, req any, next grpc.UnaryHandler) (any, error) {
				if h.calls.Load()-before <= test.failures {
					return nil, failure.Err()
				}
				return next(ctx, req)
			})
			_, err := c.ScreenAddresses(t.Context(), one())
			if n := h.calls.Load() - before; n != test.calls || (err != nil) != test.fails || err != nil && status.Code(err) != test.code {
				t.Errorf("%d calls, %v; want %d", n, err, test.calls)
			}
		})
	}
}

// When all servers fail, they get a few times as many calls as were made at first,
// and one for one once the allowance is used up.
func TestNoRetryStorm(t *testing.T) {
	a, b := start(t, 1, ""), start(t, 1, "")
	for _, h := range []*host{a, b} {
		h.answers(func(context.Context, any, grpc.UnaryHandler) (any, error) { return nil, exhausted(0) })
	}
	c := open(t, client.Options{}, a, b)
	const callers, each = 50, 20
	round := func() int64 {
		before := a.calls.Load() + b.calls.Load()
		var group sync.WaitGroup
		for range callers {
			group.Go(func() {
				for range each {
					if _, err := c.ScreenAddresses(t.Context(), one()); status.Code(err) != codes.ResourceExhausted {
						t.Errorf("%v, want RESOURCE_EXHAUSTED", err)
					}
				}
			})
		}
		group.Wait()
		return a.calls.Load() + b.calls.Load() - before
	}
	first, second := round(), round()
	t.Logf("%d calls made: %d reached servers, then %d", callers*each, first, second)
	if first > callers*each+500 || second != callers*each {
		t.Errorf("%d calls made: %d reached servers, then %d", callers*each, first, second)
	}

	// The same of what gRPC repeats.
	for _, h := range []*host{a, b} {
		h.answers(func(context.Context, any, grpc.UnaryHandler) (any, error) {
			return nil, status.Error(codes.Unavailable, "no")
		})
	}
	c = open(t, client.Options{}, a, b)
	before := a.calls.Load() + b.calls.Load()
	var group sync.WaitGroup
	for range callers * each {
		group.Go(func() { _, _ = c.ScreenAddresses(t.Context(), one()) })
	}
	group.Wait()
	n := a.calls.Load() + b.calls.Load() - before
	t.Logf("%d calls made: %d reached servers", callers*each, n)
	if n > 2*callers*each {
		t.Errorf("%d calls made: %d reached servers", callers*each, n)
	}
}

// Parts of one batch go to servers with different snapshots: the answer is of one.
func TestScreenAllOverServersThatDiffer(t *testing.T) {
	const n = 2*client.MaxAddresses + 1
	a, b := start(t, 1, ""), start(t, 2, "")
	c := open(t, client.Options{}, a, b)
	wait(t, "both servers are asked", func() bool { wantRight(t, c); return a.calls.Load() > 0 && b.calls.Load() > 0 })
	// The first catches up when it is waited for.
	var once sync.Once
	a.answers(func(ctx context.Context, req any, next grpc.UnaryHandler) (any, error) {
		if r := req.(*pb.ScreenAddressesRequest); r.MinSnapshot == 2 || r.Snapshot == 2 {
			once.Do(func() { go a.Swap(server.State{Snapshot: snapshot(t, 2)}) })
		}
		return next(ctx, req)
	})
	res, err := client.ScreenAll(t.Context(), c, &pb.ScreenAddressesRequest{Addresses: addresses(n, n-1)})
	if err != nil {
		t.Fatal(err)
	}
	wantListed(t, res, n, n-1)
	if res.Snapshot.Sequence != 2 || res.ValidUntil.AsTime() != clock().Add(time.Hour) {
		t.Errorf("snapshot %d, valid until %v", res.Snapshot.Sequence, res.ValidUntil.AsTime())
	}
	if n := a.calls.Load(); n == 0 {
		t.Error("the first server was not asked")
	}
}

// One server never gets the newer snapshot: the others answer.
func TestScreenAllWhileOneServerIsBehind(t *testing.T) {
	const n = client.MaxAddresses + 1
	behind, ahead := start(t, 1, ""), start(t, 2, "")
	behind.answers(func(ctx context.Context, req any, next grpc.UnaryHandler) (any, error) {
		if r := req.(*pb.ScreenAddressesRequest); r.Snapshot > 1 || r.MinSnapshot > 1 {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, 150*time.Millisecond) // so that it waits for less than two seconds
			defer cancel()
		}
		return next(ctx, req)
	})
	c := open(t, client.Options{}, behind, ahead)
	wait(t, "both servers are asked", func() bool { wantRight(t, c); return behind.calls.Load() > 0 && ahead.calls.Load() > 0 })
	res, err := client.ScreenAll(t.Context(), c, &pb.ScreenAddressesRequest{Addresses: addresses(n, n-1)})
	if err != nil {
		t.Fatal(err)
	}
	wantListed(t, res, n, n-1)
}

// The same number is not the same snapshot.
func TestScreenAllOfTwoInstallations(t *testing.T) {
	const n = client.MaxAddresses + 1
	h := start(t, 1, "")
	h.answers(func(ctx context.Context, req any, next grpc.UnaryHandler) (any, error) {
		res, err := next(ctx, req)
		if r, ok := res.(*pb.ScreenAddressesResponse); ok && h.calls.Load()%2 == 0 {
			r.Snapshot = &pb.SnapshotRef{Sequence: 1, Digest: "another"}
		}
		return res, err
	})
	_, err := client.ScreenAll(t.Context(), open(t, client.Options{}, h), &pb.ScreenAddressesRequest{Addresses: addresses(n)})
	if status.Code(err) != codes.FailedPrecondition || !strings.Contains(err.Error(), "different snapshots") {
		t.Errorf("%v, want FAILED_PRECONDITION", err)
	}
	if h.calls.Load() != 12 {
		t.Errorf("%d calls, want 12", h.calls.Load())
	}
}

func TestScreenAllTakesNoReceiptInParts(t *testing.T) {
	h := start(t, 1, "")
	_, err := client.ScreenAll(t.Context(), open(t, client.Options{}, h), &pb.ScreenAddressesRequest{Addresses: addresses(client.MaxAddresses + 1), Receipt: true})
	if status.Code(err) != codes.InvalidArgument || h.calls.Load() != 0 {
		t.Errorf("%v after %d calls, want INVALID_ARGUMENT", err, h.calls.Load())
	}
}

// A name stands for all that it resolves to, of which those are asked that are ready.
func TestName(t *testing.T) {
	h := start(t, 1, "")
	_, port, _ := net.SplitHostPort(h.addr)
	for _, target := range []string{"localhost:" + port, "dns:///localhost:" + port} {
		c, err := client.New([]string{target}, client.Options{})
		if err != nil {
			t.Fatal(err)
		}
		wantRight(t, c)
		if ready, err := c.Ready(t.Context()); !ready || err != nil {
			t.Errorf("%s: ready %t, %v", target, ready, err)
		}
		c.Close()
	}
}

// A name behind which nobody can be asked is not one whose servers are not ready.
func TestNobodyBehindName(t *testing.T) {
	h := start(t, 1, "")
	_, port, _ := net.SplitHostPort(h.addr)
	c, err := client.New([]string{"localhost:" + port}, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	h.Drain()
	if ready, err := c.Ready(t.Context()); ready || err != nil {
		t.Errorf("drained: ready %t, %v", ready, err)
	}
	h.grpc.Stop()
	wait(t, "nobody is reached", func() bool {
		ready, err := c.Ready(t.Context())
		return !ready && status.Code(err) == codes.Unavailable
	})
	ended, end := context.WithCancel(t.Context())
	end()
	if ready, err := c.Ready(ended); ready || err == nil {
		t.Errorf("a call that was given up: ready %t, %v", ready, err)
	}
}

func TestUserAgent(t *testing.T) {
	h := start(t, 1, "")
	wantRight(t, open(t, client.Options{UserAgent: "payouts/7"}, h))
	if got := h.agent.Load().(string); !strings.HasPrefix(got, "payouts/7 walletscreen-client/") {
		t.Errorf("user agent %q", got)
	}
}

// certificate makes a certificate for 127.0.0.1, and what trusts it.
func certificate(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

// Each of several servers is known by its own certificate, and a token goes with
// every call, a new one when the file has changed.
func TestTLSAndToken(t *testing.T) {
	cert, pool := certificate(t)
	secure := grpc.Creds(credentials.NewServerTLSFromCert(&cert))
	a, b := start(t, 1, "", secure), start(t, 1, "", secure)
	file := filepath.Join(t.TempDir(), "token")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("first\n")
	c := open(t, client.Options{TLS: &tls.Config{RootCAs: pool}, TokenFile: file}, a, b)
	wantRight(t, c)
	wait(t, "both servers are asked", func() bool { wantRight(t, c); return a.calls.Load() > 0 && b.calls.Load() > 0 })
	if a.token.Load() != "Bearer first" || b.token.Load() != "Bearer first" {
		t.Errorf("tokens %q, %q", a.token.Load(), b.token.Load())
	}
	write("two words") // no token: the one before stays
	wantRight(t, c)
	write("second")
	a.token.Store("")
	b.token.Store("")
	for range 4 {
		wantRight(t, c)
	}
	if a.token.Load() != "Bearer second" || b.token.Load() != "Bearer second" {
		t.Errorf("tokens %q, %q", a.token.Load(), b.token.Load())
	}

	// Nobody who is not known gets a call.
	_, err := open(t, client.Options{TLS: &tls.Config{}}, a).ScreenAddresses(t.Context(), one())
	if status.Code(err) != codes.Unavailable || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("unknown certificate: %v", err)
	}
}

func TestRefusedTargets(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	empty := filepath.Join(t.TempDir(), "empty")
	for name, text := range map[string]string{file: "secret", empty: " \n"} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct {
		targets []string
		options client.Options
		want    string // "" if accepted
	}{
		{nil, client.Options{}, "no server is named"},
		{[]string{"127.0.0.1:1"}, client.Options{TokenFile: file}, ""},
		{[]string{"[::1]:1", "localhost:2"}, client.Options{TokenFile: file}, ""},
		{[]string{"unix:///tmp/socket"}, client.Options{TokenFile: file}, ""},
		{[]string{"192.0.2.1:1"}, client.Options{TokenFile: file}, "without TLS"},
		{[]string{"127.0.0.1:1", "screening:1"}, client.Options{TokenFile: file}, `"screening:1": a token is not sent without TLS`},
		{[]string{"dns:///localhost:1"}, client.Options{TokenFile: file}, "without TLS"},
		{[]string{"screening:1"}, client.Options{TokenFile: file, TLS: &tls.Config{}}, ""},
		{[]string{"127.0.0.1:1"}, client.Options{TokenFile: file + "x"}, "no such file"},
		{[]string{"127.0.0.1:1"}, client.Options{TokenFile: empty}, "does not hold"},
		{[]string{"127.0.0.1:1", "dns:///screening:1"}, client.Options{}, `"dns:///screening:1": one of several`},
		{[]string{"127.0.0.1:1", ""}, client.Options{}, "one of several"},
	} {
		c, err := client.New(test.targets, test.options)
		if err == nil {
			c.Close()
		}
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%q: %v, want %q", test.targets, err, test.want)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: the error names the token: %v", test.targets, err)
		}
	}
}
