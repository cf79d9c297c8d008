package server

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/mem"
	reflectionpb "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/timestamppb"

	pb "walletscreen/proto/walletscreen/v1"
)

// framed is a connection at the level of frames.
type framed struct {
	net.Conn
	*http2.Framer
	block  bytes.Buffer
	fields *hpack.Encoder
	next   uint32
}

// frames connects to a server as no client of gRPC would.
func (g *guarded) frames(t testing.TB) *framed {
	t.Helper()
	conn, err := net.Dial("tcp", g.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	f := &framed{Conn: conn, Framer: http2.NewFramer(conn, conn), next: 1}
	f.fields = hpack.NewEncoder(&f.block)
	_, err = io.WriteString(conn, http2.ClientPreface)
	if err := errors.Join(err, f.WriteSettings()); err != nil {
		t.Fatal(err)
	}
	return f
}

// begin begins a call of ScreenAddresses, with so many bytes of a larger request.
func (f *framed) begin(t testing.TB, token string, size int) {
	t.Helper()
	f.block.Reset()
	for _, field := range [][2]string{
		{":method", "POST"}, {":scheme", "http"}, {":path", pb.ScreeningService_ScreenAddresses_FullMethodName}, {":authority", "a"},
		{"content-type", "application/grpc"}, {"te", "trailers"}, {"authorization", "Bearer " + token},
	} {
		if err := f.fields.WriteField(hpack.HeaderField{Name: field[0], Value: field[1]}); err != nil {
			t.Fatal(err)
		}
	}
	err := f.WriteHeaders(http2.HeadersFrameParam{StreamID: f.next, BlockFragment: f.block.Bytes(), EndHeaders: true})
	part := append([]byte{0, 0, 0x70, 0, 0}, make([]byte, max(0, size-5))...)
	for len(part) > 0 && err == nil {
		n := min(len(part), 16<<10)
		err = f.WriteData(f.next, false, part[:n])
		part = part[n:]
	}
	if err != nil {
		t.Fatal(err)
	}
	f.next += 2
}

// closed waits until the server closes the connection.
func (f *framed) closed(t testing.TB) {
	t.Helper()
	if err := f.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	_, err := io.Copy(io.Discard, f.Conn)
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		t.Error("the connection is still open")
	}
}

// Half requests over the limit close the connection that holds most of them. Who
// holds less keeps theirs, and nobody is refused.
func TestLargestOfHalfRequestsIsCut(t *testing.T) {
	var cut atomic.Int64
	g := guard(t, Limits{Pending: 256 << 10}, map[string]string{"a": "permissions: [screen]", "foe": "permissions: [screen]"}, nil)
	all := g.server.admission.all
	count := all.count
	all.count = func(why string) {
		if why == "pending-requests" {
			cut.Add(1)
		}
		count(why)
	}
	conn := g.dial()
	c := pb.NewScreeningServiceClient(conn)
	// A stream that waits for its next request holds nothing, however much passes
	// over its connection.
	stream, err := c.ScreenAddressStream(g.as(t, "a"))
	if err != nil {
		t.Fatal(err)
	}
	send(t, stream, &pb.ScreenAddressesRequest{Addresses: []string{evm}})
	receiveOne(t, stream)
	lists := make([]string, maxListIDs)
	for i := range lists {
		lists[i] = strings.Repeat("x", 60) + strconv.Itoa(i)
	}
	for range 100 {
		if _, err := c.ScreenAddresses(g.as(t, "a"), &pb.ScreenAddressesRequest{Addresses: []string{evm}, ListIds: lists}); err != nil {
			t.Fatal(err)
		}
	}
	little, most := g.frames(t), g.frames(t)
	little.begin(t, g.tokens["a"], 20<<10)
	await(t, "half a request is counted", func() bool { return all.received.Load() >= 20<<10 })
	if n := all.received.Load(); n > 60<<10 {
		t.Errorf("%d bytes of whole requests count as half ones", n-20<<10)
	}
	for range 3 {
		most.begin(t, g.tokens["foe"], 62<<10)
	}
	most.closed(t)
	await(t, "what the largest held is given back", func() bool { return all.received.Load() < 60<<10 })
	if n := cut.Load(); n != 1 {
		t.Errorf("%d connections were cut, want 1", n)
	}
	if n := all.received.Load(); n < 20<<10 {
		t.Errorf("%d bytes are held for who holds little, want what it sent", n)
	}
	send(t, stream, &pb.ScreenAddressesRequest{Addresses: []string{evm}})
	receiveOne(t, stream)
	if _, err := c.ScreenAddresses(g.as(t, "a"), &pb.ScreenAddressesRequest{Addresses: []string{evm}}); err != nil {
		t.Errorf("another caller: %v", err)
	}
}

// Requests of a stream that nobody looks for yet are few bytes, and on the account.
func TestRequestsAheadAreCounted(t *testing.T) {
	g := guard(t, Limits{}, map[string]string{"a": "permissions: [screen]"}, nil)
	all := g.server.admission.all
	leave := occupy(t, g.server.turns)
	ctx, cancel := context.WithCancel(g.as(t, "a"))
	defer cancel()
	c := pb.NewScreeningServiceClient(g.dial())
	ahead := &pb.ScreenAddressesRequest{Addresses: slices.Repeat([]string{evm}, 1000)}
	const streams = 4
	var wg sync.WaitGroup
	for range streams {
		stream, err := c.ScreenAddressStream(ctx)
		if err != nil {
			t.Fatal(err)
		}
		wg.Go(func() {
			for range 200 { // far more than fits, and gRPC learns that they could come faster
				if stream.Send(ahead) != nil {
					return
				}
			}
		})
	}
	await(t, "the windows are full", func() bool { return all.received.Load() >= streams*streamWindow/2 })
	if n := all.received.Load(); n > 3*streams*streamWindow {
		t.Errorf("%d bytes are held of %d streams", n, streams)
	}
	cancel()
	await(t, "the end of the streams gives it back", func() bool { return all.received.Load() == 0 })
	leave()
	wg.Wait()
}

// Calls that one caller leaves open, over however many connections, do not take the
// last room from others.
func TestLastCallsAreForOthers(t *testing.T) {
	g := guard(t, Limits{Calls: 10, Streams: 20}, map[string]string{"a": "permissions: [screen]", "b": "permissions: [screen]", "foe": "permissions: [screen]"}, nil)
	for range 10 {
		foe := g.frames(t)
		for range 2 {
			foe.begin(t, g.tokens["foe"], 10)
		}
	}
	await(t, "the caller has what it may", func() bool { return g.server.admission.calls.Load() >= 8 })
	c := pb.NewScreeningServiceClient(g.dial())
	for range 10 {
		if _, err := c.ScreenAddresses(g.as(t, "a"), &pb.ScreenAddressesRequest{Addresses: []string{evm}}); err != nil {
			t.Fatalf("another caller: %v", err)
		}
	}
	if n := g.server.admission.calls.Load(); n != 8 {
		t.Errorf("%d calls are in progress, want 8", n)
	}
	// Callers with little in progress may take the last ones, and no more.
	for _, caller := range []string{"a", "a", "b"} {
		more := g.frames(t)
		more.begin(t, g.tokens[caller], 10)
	}
	await(t, "there is no room", func() bool { return g.server.admission.calls.Load() == 10 })
	_, err := c.ScreenAddresses(g.as(t, "a"), &pb.ScreenAddressesRequest{Addresses: []string{evm}})
	wantFailure(t, err, codes.Unavailable, pb.ErrorReason_ERROR_REASON_OVERLOADED, time.Second, nil)
}

// Who shows no credentials is counted by where the calls come from.
func TestLastCallsAreForOtherHosts(t *testing.T) {
	s := New(Config{Limits: Limits{Calls: 10}})
	if err := s.Swap(State{Snapshot: published(t)}); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := s.GRPC()
	defer server.Stop()
	go server.Serve(s.Listener(l))
	client := func(from string) pb.ScreeningServiceClient {
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
		conn, err := grpc.NewClient(l.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()),
			grpc.WithContextDialer(func(ctx context.Context, addr string) (net.Conn, error) { return d.DialContext(ctx, "tcp", addr) }))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		return pb.NewScreeningServiceClient(conn)
	}
	for range 4 {
		foe := client("127.0.0.2")
		for range 3 {
			if _, err := foe.ScreenAddressStream(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	await(t, "the host has what it may", func() bool { return s.admission.calls.Load() == 8 })
	_, err = client("127.0.0.2").ScreenAddresses(t.Context(), &pb.ScreenAddressesRequest{Addresses: []string{evm}})
	wantFailure(t, err, codes.Unavailable, pb.ErrorReason_ERROR_REASON_OVERLOADED, time.Second, nil)
	if _, err := client("127.0.0.3").ScreenAddresses(t.Context(), &pb.ScreenAddressesRequest{Addresses: []string{evm}}); err != nil {
		t.Errorf("another host: %v", err)
	}
}

// An answer that is encoded a part at a time is as any other.
func TestLargeAnswerIsEncodedWhole(t *testing.T) {
	res := &pb.ScreenAddressesResponse{
		Snapshot: &pb.SnapshotRef{Sequence: 7}, ScreenedAt: timestamppb.Now(), ValidUntil: timestamppb.Now(), Receipt: &pb.Receipt{KeyId: "k"},
		Notices: []*pb.Notice{{ListId: "l"}}, Lists: []*pb.ListFreshness{{ListId: "l"}}, RequestId: "r",
	}
	// Every field is set, so that one that is added is not forgotten.
	for i := range 3*largeBatch + 5 {
		res.Results = append(res.Results, &pb.ScreenResult{Verdict: pb.Verdict_VERDICT_LISTED, Matches: []*pb.Match{{Listing: &pb.Listing{PartyUid: strconv.Itoa(i)}}}})
	}
	fields := res.ProtoReflect().Descriptor().Fields()
	for i := range fields.Len() {
		if !res.ProtoReflect().Has(fields.Get(i)) {
			t.Errorf("%s is not set", fields.Get(i).Name())
		}
	}
	c := codec{recovered: New(Config{}).recovered, turns: newTurns(), decoding: newTurns()}
	data, err := c.encode(res)
	if err != nil {
		t.Fatal(err)
	}
	want, err := proto.MarshalOptions{}.Marshal(res)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(data.Materialize(), want) {
		t.Errorf("%d bytes, want %d, and the same", data.Len(), len(want))
	}
	if c.turns.free.Load() != newTurns().free.Load() {
		t.Error("the turn was not given back")
	}
	// An account of bytes is one of memory only if no result has room made for more.
	for range 100 {
		res.Results[0].Matches = append(res.Results[0].Matches, res.Results[1].Matches...)
	}
	if data, err = c.encode(res); err != nil {
		t.Fatal(err)
	}
	if n := cap(data[0].ReadOnlyData()); n > 2*data.Len() {
		t.Errorf("%d bytes are held for %d", n, data.Len())
	}
}

// Who shows no credentials holds no more calls on a connection than a probe would, and
// a probe beside it is answered.
func TestCallsOfAnyoneAreBounded(t *testing.T) {
	g := guard(t, Limits{}, map[string]string{"a": "permissions: [screen]"}, nil)
	crowded := g.dial()
	watch := func(ctx context.Context) (grpc.ServerStreamingClient[healthpb.HealthCheckResponse], error) {
		stream, err := healthpb.NewHealthClient(crowded).Watch(ctx, &healthpb.HealthCheckRequest{})
		if err == nil {
			_, err = stream.Recv()
		}
		return stream, err
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for i := range maxAnyones {
		if _, err := watch(ctx); err != nil {
			t.Fatalf("watch %d: %v", i+1, err)
		}
	}
	for _, ctx := range []context.Context{t.Context(), g.as(t, "")} { // without a deadline and with one
		_, err := watch(ctx)
		wantFailure(t, err, codes.Unavailable, pb.ErrorReason_ERROR_REASON_OVERLOADED, time.Second, nil)
		_, err = healthpb.NewHealthClient(crowded).Check(ctx, &healthpb.HealthCheckRequest{})
		wantFailure(t, err, codes.Unavailable, pb.ErrorReason_ERROR_REASON_OVERLOADED, time.Second, nil)
	}
	if _, err := healthpb.NewHealthClient(g.dial()).Check(g.as(t, ""), &healthpb.HealthCheckRequest{}); err != nil {
		t.Errorf("a probe: %v", err)
	}
	if _, err := pb.NewScreeningServiceClient(crowded).ScreenAddresses(g.as(t, "a"), &pb.ScreenAddressesRequest{Addresses: []string{evm}}); err != nil {
		t.Errorf("a caller: %v", err)
	}
	cancel()
	await(t, "there is room again", func() bool { _, err := watch(t.Context()); return err == nil })
}

// Responses that nobody takes: past a quarter of the limit a connection gets no
// more, and past the limit the one for which most waits is closed.
func TestResponsesThatWait(t *testing.T) {
	req := &pb.ScreenAddressesRequest{Addresses: slices.Repeat([]string{evm}, 1000)}
	desc := &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}
	// ask asks and does not read the answer, of some 300 KiB.
	ask := func(t *testing.T, g *guarded, conn *grpc.ClientConn) grpc.ClientStream {
		t.Helper()
		stream, err := conn.NewStream(g.as(t, "a"), desc, pb.ScreeningService_ScreenAddresses_FullMethodName)
		if err == nil {
			err = stream.SendMsg(req)
		}
		if err := errors.Join(err, stream.CloseSend()); err != nil {
			t.Fatal(err)
		}
		return stream
	}
	t.Run("a quarter for one", func(t *testing.T) {
		g := guard(t, Limits{Pending: 1 << 20}, map[string]string{"a": "permissions: [screen]"}, nil)
		conn := g.dial(grpc.WithStaticStreamWindowSize(64 << 10))
		ask(t, g, conn)
		await(t, "a response waits", func() bool { return g.server.admission.all.sending.Load() > 256<<10 })
		_, err := pb.NewScreeningServiceClient(conn).ScreenAddresses(g.as(t, "a"), req)
		wantFailure(t, err, codes.ResourceExhausted, pb.ErrorReason_ERROR_REASON_SLOW_CONSUMER, time.Second, nil)
		if _, err := pb.NewScreeningServiceClient(g.dial()).ScreenAddresses(g.as(t, "a"), req); err != nil {
			t.Errorf("another connection: %v", err)
		}
	})
	t.Run("the largest is closed", func(t *testing.T) {
		g := guard(t, Limits{Pending: 512 << 10}, map[string]string{"a": "permissions: [screen]"}, nil)
		one := ask(t, g, g.dial(grpc.WithStaticStreamWindowSize(64<<10)))
		await(t, "a response waits", func() bool { return g.server.admission.all.sending.Load() > 0 })
		two := ask(t, g, g.dial(grpc.WithStaticStreamWindowSize(64<<10)))
		await(t, "one is closed", func() bool {
			n := g.server.admission.all.sending.Load()
			return n > 0 && n <= 512<<10 && len(g.server.admission.all.all()) == 1
		})
		failed := 0
		for _, stream := range []grpc.ClientStream{one, two} {
			if err := stream.RecvMsg(&emptypb.Empty{}); status.Code(err) == codes.Unavailable {
				failed++
			}
		}
		if failed != 1 {
			t.Errorf("%d calls failed, want 1", failed)
		}
	})
}

// A stream over its quota ends, after the answers before it, with when to go on.
func TestQuotaOfStream(t *testing.T) {
	at := newClock(noon)
	g := guard(t, Limits{}, map[string]string{"slow": "permissions: [screen], quota: {addresses_per_second: 2, burst: 10}"}, at.now)
	stream, err := pb.NewScreeningServiceClient(g.dial()).ScreenAddressStream(g.as(t, "slow"))
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{5, 5, 4, 1} {
		_ = stream.Send(&pb.ScreenAddressesRequest{Addresses: slices.Repeat([]string{evm}, n), RequestId: strconv.Itoa(n)})
	}
	for range 2 {
		if res := receiveOne(t, stream); len(res.Results) != 5 || res.Results[4].Verdict != pb.Verdict_VERDICT_LISTED {
			t.Errorf("%v", res)
		}
	}
	_, err = stream.Recv()
	wantFailure(t, err, codes.ResourceExhausted, pb.ErrorReason_ERROR_REASON_QUOTA_EXCEEDED, 2*time.Second,
		map[string]string{"addresses": "4", "addresses_per_second": "2", "burst": "10"})
}

// A change of the file holds for streams that are open: less permission ends them
// with the cause, and a quota that is new bounds them.
func TestChangedCallersAndStreams(t *testing.T) {
	g := guard(t, Limits{}, map[string]string{"less": "permissions: [admin]", "quota": "permissions: [screen]"}, nil)
	conn := g.dial()
	c := pb.NewScreeningServiceClient(conn)
	req := &pb.ScreenAddressesRequest{Addresses: []string{evm}}
	batches, err := c.ScreenAddressStream(g.as(t, "less"))
	if err != nil {
		t.Fatal(err)
	}
	send(t, batches, req)
	receiveOne(t, batches)
	changes, err := pb.NewListServiceClient(conn).WatchChanges(g.as(t, "less"), &pb.WatchChangesRequest{})
	if err != nil {
		t.Fatal(err)
	}
	next(t, changes)
	limited, err := c.ScreenAddressStream(g.as(t, "quota"))
	if err != nil {
		t.Fatal(err)
	}
	send(t, limited, req)
	receiveOne(t, limited)
	g.write(t, map[string]string{"less": "permissions: [export]", "quota": "permissions: [screen], quota: {addresses_per_second: 0.001, burst: 1}"})
	_, err = batches.Recv()
	wantFailure(t, err, codes.PermissionDenied, pb.ErrorReason_ERROR_REASON_PERMISSION_DENIED, 0, nil)
	_, err = changes.Recv()
	wantFailure(t, err, codes.PermissionDenied, pb.ErrorReason_ERROR_REASON_PERMISSION_DENIED, 0, nil)
	await(t, "the quota holds", func() bool {
		_ = limited.Send(req)
		_, err = limited.Recv()
		return err != nil
	})
	if status.Code(err) != codes.ResourceExhausted {
		t.Errorf("%v, want RESOURCE_EXHAUSTED", err)
	}
}

// Streams of gRPC's own services do not hold up a server that goes away.
func TestReflectionEndsWithTheServer(t *testing.T) {
	in := install(t, Config{})
	stream, err := reflectionpb.NewServerReflectionClient(in.conn).ServerReflectionInfo(within(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(&reflectionpb.ServerReflectionRequest{MessageRequest: &reflectionpb.ServerReflectionRequest_ListServices{}}); err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); err != nil {
		t.Fatal(err)
	}
	in.server.Drain()
	in.server.EndStreams()
	_, err = stream.Recv()
	wantFailure(t, err, codes.Unavailable, pb.ErrorReason_ERROR_REASON_SERVER_STOPPING, time.Second, nil)
}

// A defect in reading or writing a message is one call's, not the server's.
func TestCodecRecovers(t *testing.T) {
	c := codec{recovered: New(Config{}).recovered, turns: newTurns(), decoding: newTurns()}
	if err := c.Unmarshal(mem.BufferSlice{mem.SliceBuffer{8, 1}}, (*pb.ScreenAddressesRequest)(nil)); status.Code(err) != codes.Internal {
		t.Errorf("decoding: %v, want INTERNAL", err)
	}
	if _, err := c.Marshal(outgoing{message: &pb.ScreenAddressesResponse{RequestId: strings.Repeat("x", 2000)}}); status.Code(err) != codes.Internal {
		t.Errorf("encoding: %v, want INTERNAL", err)
	}
}

// No more large requests are decoded at a time than there are processors, however
// many come, and each gives its turn back, whatever it is.
func TestLargeRequestsAreDecodedInTurn(t *testing.T) {
	c := codec{recovered: New(Config{}).recovered, turns: newTurns(), decoding: newTurns()}
	all := c.decoding.free.Load()
	leave := occupy(t, c.decoding)
	decode := func(ctx context.Context, req *pb.ScreenAddressesRequest, text []byte) chan error {
		done := make(chan error, 1)
		go func() { done <- c.Unmarshal(mem.BufferSlice{mem.SliceBuffer(text)}, incoming{ctx, req}) }()
		return done
	}
	var large, small pb.ScreenAddressesRequest
	empty := bytes.Repeat([]byte{1<<3 | 2, 0}, largeRequest/2+1)
	waits := decode(t.Context(), &large, empty)
	defect := decode(t.Context(), nil, append([]byte{2<<3 | 2, 1, 'x'}, empty...))
	wrong := decode(t.Context(), &pb.ScreenAddressesRequest{}, append(slices.Clone(empty), 0xff))
	if err := <-decode(t.Context(), &small, empty[:largeRequest]); err != nil || len(small.Addresses) != largeRequest/2 {
		t.Errorf("a small request: %d addresses, %v", len(small.Addresses), err)
	}
	await(t, "the large ones wait", func() bool {
		c.decoding.mu.Lock()
		defer c.decoding.mu.Unlock()
		return len(c.decoding.clients) == 1 && len(c.decoding.clients[0].batches) == 3
	})
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := <-decode(ended, &pb.ScreenAddressesRequest{}, empty); status.Code(err) != codes.Canceled {
		t.Errorf("of a call that has ended: %v, want CANCELLED", err)
	}
	leave()
	if err := <-waits; err != nil || len(large.Addresses) != largeRequest/2+1 {
		t.Errorf("a large request: %d addresses, %v", len(large.Addresses), err)
	}
	if err := <-defect; status.Code(err) != codes.Internal {
		t.Errorf("a defect: %v, want INTERNAL", err)
	}
	if err := <-wrong; err == nil {
		t.Error("half a field is no error")
	}
	await(t, "all turns are given back", func() bool { return c.decoding.free.Load() == all })
}

// So are those of calls and of streams, over the wire.
func TestLargeRequestsTakeTurnsOfTheirCaller(t *testing.T) {
	g := guard(t, Limits{}, map[string]string{"a": "permissions: [screen, lists]"}, nil)
	large := &pb.ScreenAddressesRequest{Addresses: slices.Repeat([]string{evm}, 1000)}
	leave := occupy(t, g.server.decoding)
	ctx, cancel := context.WithCancel(g.as(t, "a"))
	defer cancel()
	c := pb.NewScreeningServiceClient(g.dial())
	answered := make(chan error, 1)
	go func() {
		_, err := c.ScreenAddresses(ctx, large)
		answered <- err
	}()
	stream, err := c.ScreenAddressStream(ctx)
	if err != nil {
		t.Fatal(err)
	}
	send(t, stream, large)
	await(t, "both wait as those of one caller", func() bool {
		g.server.decoding.mu.Lock()
		defer g.server.decoding.mu.Unlock()
		return len(g.server.decoding.clients) == 1 && g.server.decoding.clients[0].client != nil && len(g.server.decoding.clients[0].batches) == 2
	})
	leave()
	if err := <-answered; err != nil {
		t.Error(err)
	}
	receiveOne(t, stream)
}

// slowStream takes each message after a time.
type slowStream struct {
	grpc.ServerStream
	ctx  context.Context
	each time.Duration
}

func (s *slowStream) Context() context.Context { return s.ctx }

func (s *slowStream) SendMsg(any) error {
	<-time.After(s.each)
	return nil
}

// The patience with a slow client is for each message: one that takes them all in
// time is not cut off, however long it takes.
func TestPatienceIsForEachMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Config{})
		for each, slow := range map[time.Duration]bool{streamPatience - time.Second: false, streamPatience + time.Second: true} {
			ctx, cancel := context.WithCancel(t.Context())
			out := s.newOutbox(&slowStream{ctx: ctx, each: each}, nil)
			var err error
			for range 5 {
				if err == nil {
					err = out.put(1)
				}
			}
			if err == nil {
				err = out.finish()
			}
			if slow {
				wantFailure(t, err, codes.ResourceExhausted, pb.ErrorReason_ERROR_REASON_SLOW_CONSUMER, time.Second, nil)
			} else if err != nil {
				t.Errorf("%s for each message: %v", each, err)
			}
			cancel()
			<-time.After(2 * each) // for the sender to end
		}
	})
}
