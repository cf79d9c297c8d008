package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/testing/protocmp"

	pb "walletscreen/proto/walletscreen/v1"
	"walletscreen/screen/wire"
)

// await waits until a condition holds.
func await(t testing.TB, what string, holds func() bool) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !holds() {
		if time.Now().After(deadline) {
			t.Fatalf("still not so: %s", what)
		}
		<-tick.C
	}
}

// count is the value of a counter.
func count(t testing.TB, c prometheus.Counter) int {
	t.Helper()
	reg := prometheus.NewRegistry()
	reg.MustRegister(c)
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	return int(families[0].Metric[0].Counter.GetValue())
}

type screenStream = grpc.BidiStreamingClient[pb.ScreenAddressesRequest, pb.ScreenAddressesResponse]

func (in *installation) stream(t testing.TB, ctx context.Context) screenStream {
	t.Helper()
	stream, err := in.screening.ScreenAddressStream(ctx, grpc.ForceCodecV2(wire.Codec{}))
	if err != nil {
		t.Fatal(err)
	}
	return stream
}

func send(t testing.TB, stream screenStream, reqs ...*pb.ScreenAddressesRequest) {
	t.Helper()
	for _, req := range reqs {
		if err := stream.Send(req); err != nil {
			t.Fatal(err)
		}
	}
}

func receiveOne(t testing.TB, stream screenStream) *pb.ScreenAddressesResponse {
	t.Helper()
	res, err := stream.Recv()
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// TestScreenAddressStream: every sentence about it in the contract.
func TestScreenAddressStream(t *testing.T) {
	seven := published(t)
	eight := merged(t, seven, sdn, 20251105, "3", party("1", other)).Named(8, noon)
	start := func(t *testing.T) *installation {
		in := install(t, Config{})
		in.server.Swap(State{Snapshot: seven})
		return in
	}
	t.Run("each request is answered as by ScreenAddresses, in order", func(t *testing.T) {
		in := start(t)
		stream := in.stream(t, within(t))
		var reqs []*pb.ScreenAddressesRequest
		for i := range 50 {
			reqs = append(reqs, &pb.ScreenAddressesRequest{Addresses: []string{evm, "\xff\xfe", "", strings.Repeat("x", i), other, evmLower}[i%4:], RequestId: fmt.Sprint("batch ", i)})
		}
		reqs[3].AsOf, reqs[4].ListIds, reqs[5].Network, reqs[6].MinSnapshot, reqs[7].Snapshot = "2025-11-01", []string{"none"}, "eip155:1", 7, 7
		go func() {
			for _, req := range reqs {
				if stream.Send(req) != nil {
					return
				}
			}
			_ = stream.CloseSend()
		}()
		for _, req := range reqs {
			if diff := cmp.Diff(in.screen(t, req), receiveOne(t, stream), protocmp.Transform()); diff != "" {
				t.Fatalf("%s: (-alone +in the stream):\n%s", req.RequestId, diff)
			}
		}
		if _, err := stream.Recv(); !errors.Is(err, io.EOF) {
			t.Errorf("the end: %v", err)
		}
	})
	t.Run("successive answers may come from successive snapshots", func(t *testing.T) {
		in := start(t)
		stream := in.stream(t, within(t))
		req := &pb.ScreenAddressesRequest{Addresses: []string{other}}
		send(t, stream, req)
		if res := receiveOne(t, stream); res.Snapshot.Sequence != 7 {
			t.Errorf("%v", res)
		}
		in.server.Swap(State{Snapshot: eight})
		send(t, stream, req)
		if res := receiveOne(t, stream); res.Snapshot.Sequence != 8 || res.Results[0].Verdict != pb.Verdict_VERDICT_LISTED {
			t.Errorf("%v", res)
		}
	})
	t.Run("a request that ScreenAddresses would refuse ends the stream with the same status, after the answers before it", func(t *testing.T) {
		in := start(t)
		for _, bad := range []*pb.ScreenAddressesRequest{
			{}, {Addresses: []string{evm}, Network: "x"}, {Addresses: []string{evm}, Snapshot: 3}, {Addresses: make([]string, MaxAddresses+1)},
			{Addresses: []string{evm}, RequestId: "\n"}, {Addresses: []string{strings.Repeat("x", maxMessage)}},
		} {
			good := &pb.ScreenAddressesRequest{Addresses: []string{evm}}
			stream := in.stream(t, within(t))
			send(t, stream, good, good, bad)
			_ = stream.Send(good) // the stream may have ended
			receiveOne(t, stream)
			receiveOne(t, stream)
			_, err := stream.Recv()
			_, want := in.screening.ScreenAddresses(within(t), bad)
			if want == nil || cmp.Diff(status.Convert(want).Proto(), status.Convert(err).Proto(), protocmp.Transform()) != "" {
				t.Errorf("%.40v: %v, alone %v", bad, err, want)
			}
		}
	})
	t.Run("before the first snapshot", func(t *testing.T) {
		stream := install(t, Config{}).stream(t, within(t))
		send(t, stream, &pb.ScreenAddressesRequest{Addresses: []string{evm}})
		_, err := stream.Recv()
		wantFailure(t, err, codes.Unavailable, pb.ErrorReason_ERROR_REASON_NOT_READY, time.Second, nil)
	})
	t.Run("to go on after a stream that was cut", func(t *testing.T) {
		in := start(t)
		answered := map[string]int{}
		next := 0
		for attempt := range 3 {
			ctx, cancel := context.WithCancel(within(t))
			stream := in.stream(t, ctx)
			for i := next; i < 9; i++ {
				send(t, stream, &pb.ScreenAddressesRequest{Addresses: []string{evm}, RequestId: fmt.Sprint(i)})
			}
			for range 3 + attempt {
				if next == 9 {
					break
				}
				if id := receiveOne(t, stream).RequestId; id != fmt.Sprint(next) {
					t.Errorf("answer of request %s, want %d", id, next)
				} else {
					answered[id]++
				}
				next++
			}
			cancel()
		}
		if len(answered) != 9 {
			t.Errorf("answered %v", answered)
		}
	})
	t.Run("cancellation and deadlines end it at once", func(t *testing.T) {
		in := start(t)
		ctx, cancel := context.WithCancel(within(t))
		stream := in.stream(t, ctx)
		send(t, stream, &pb.ScreenAddressesRequest{Addresses: []string{evm}})
		receiveOne(t, stream)
		cancel()
		if _, err := stream.Recv(); status.Code(err) != codes.Canceled {
			t.Errorf("%v", err)
		}
		ctx, cancel = context.WithTimeout(within(t), 20*time.Millisecond)
		defer cancel()
		if _, err := in.stream(t, ctx).Recv(); status.Code(err) != codes.DeadlineExceeded {
			t.Errorf("%v", err)
		}
	})
}

// A scripted stream is one of which a test takes every step.
type scripted struct {
	grpc.ServerStream
	ctx      context.Context
	received atomic.Int64
	requests chan *pb.ScreenAddressesRequest
	answers  chan *pb.ScreenAddressesResponse
}

func (s *scripted) Context() context.Context { return s.ctx }

func (s *scripted) Recv() (*pb.ScreenAddressesRequest, error) {
	select {
	case req := <-s.requests:
		s.received.Add(1)
		return req, nil
	case <-s.ctx.Done():
		return nil, status.FromContextError(s.ctx.Err()).Err()
	}
}

func (s *scripted) Send(res *pb.ScreenAddressesResponse) error { s.answers <- res; return nil }

// TestStreamIsBounded: the server reads at most one request further than it has
// answered; when it goes away the answer under way is delivered.
func TestStreamIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Config{})
		s.Swap(State{Snapshot: published(t)})
		ctx, cancel := context.WithCancel(t.Context())
		stream := &scripted{ctx: ctx, requests: make(chan *pb.ScreenAddressesRequest, 100), answers: make(chan *pb.ScreenAddressesResponse)}
		for i := range 100 {
			stream.requests <- &pb.ScreenAddressesRequest{Addresses: []string{evm}, RequestId: fmt.Sprint(i)}
		}
		ended := make(chan error, 1)
		go func() { ended <- s.ScreenAddressStream(stream); cancel() }() // gRPC ends the context of a stream that ended
		for answered := range int64(10) {
			synctest.Wait()
			if n := stream.received.Load(); n > answered+2 {
				t.Fatalf("%d requests are read, and %d answered", n, answered)
			}
			if res := <-stream.answers; res.RequestId != fmt.Sprint(answered) {
				t.Errorf("answer %s, want %d", res.RequestId, answered)
			}
		}
		synctest.Wait()
		s.Drain()
		s.EndStreams()
		synctest.Wait()
		if len(ended) != 0 {
			t.Fatal("the stream ended before the answer under way was sent")
		}
		if res := <-stream.answers; res.RequestId != "10" {
			t.Errorf("the answer under way is %s", res.RequestId)
		}
		wantFailure(t, <-ended, codes.Unavailable, pb.ErrorReason_ERROR_REASON_SERVER_STOPPING, time.Second, nil)
		if n := stream.received.Load(); n > 12 {
			t.Errorf("%d requests were read", n)
		}
	})
}

// TestDrainEndsIdleStreams: a server that goes away ends its streams, so that it
// can go, and clients go elsewhere.
func TestDrainEndsIdleStreams(t *testing.T) {
	s := New(Config{})
	s.Swap(State{Snapshot: published(t)})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := s.GRPC()
	served := make(chan error, 1)
	go func() { served <- g.Serve(listener) }()
	conn, err := grpc.NewClient(listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	in := &installation{server: s, conn: conn, screening: pb.NewScreeningServiceClient(conn), lists: pb.NewListServiceClient(conn)}
	idle, used := in.stream(t, within(t)), in.stream(t, within(t))
	send(t, used, &pb.ScreenAddressesRequest{Addresses: []string{evm}})
	receiveOne(t, used)
	watch := in.watch(t, &pb.WatchChangesRequest{})
	next(t, watch)
	if err := idle.Send(&pb.ScreenAddressesRequest{Addresses: []string{evm}}); err != nil {
		t.Fatal(err)
	}
	receiveOne(t, idle)
	s.Drain()
	s.EndStreams()
	g.GracefulStop() // returns only when every stream has ended
	if err := <-served; err != nil {
		t.Error(err)
	}
	for _, recv := range []func() error{
		func() error { _, err := idle.Recv(); return err },
		func() error { _, err := used.Recv(); return err },
		func() error { _, err := watch.Recv(); return err },
	} {
		wantFailure(t, recv(), codes.Unavailable, pb.ErrorReason_ERROR_REASON_SERVER_STOPPING, time.Second, nil)
	}
}

// BenchmarkStream screens batches of 1,000 addresses that are not listed over one
// stream, and alone.
func BenchmarkStream(b *testing.B) {
	in := install(b, Config{})
	in.server.Swap(State{Snapshot: published(b)})
	req := &pb.ScreenAddressesRequest{}
	for i := range 1000 {
		req.Addresses = append(req.Addresses, fmt.Sprintf("0x%040x", 1<<40+i))
	}
	report := func(b *testing.B) {
		b.ReportMetric(float64(1000*b.N)/b.Elapsed().Seconds(), "addresses/s")
	}
	b.Run("stream", func(b *testing.B) {
		b.ReportAllocs()
		stream := in.stream(b, b.Context())
		go func() {
			for range b.N {
				if stream.Send(req) != nil {
					return
				}
			}
			_ = stream.CloseSend()
		}()
		for range b.N {
			receiveOne(b, stream)
		}
		report(b)
	})
	b.Run("alone", func(b *testing.B) {
		b.ReportAllocs()
		for range b.N {
			in.screen(b, req)
		}
		report(b)
	})
}
