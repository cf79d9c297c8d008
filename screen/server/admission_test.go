package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	reflectionpb "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"

	pb "walletscreen/proto/walletscreen/v1"
	"walletscreen/screen/server/access"
	"walletscreen/screen/wire"
)

// guarded is a server that tells callers apart, behind its own listener.
type guarded struct {
	server *Server
	file   string
	tokens map[string]string // by caller
	addr   string
	dial   func(...grpc.DialOption) *grpc.ClientConn
}

// guard starts a server whose callers have an entry each, without name and token.
func guard(t testing.TB, limits Limits, entries map[string]string, now func() time.Time) *guarded {
	t.Helper()
	g := &guarded{file: filepath.Join(t.TempDir(), "callers.yaml"), tokens: map[string]string{}}
	for name := range entries {
		g.tokens[name] = access.NewToken()
	}
	g.write(t, entries)
	control, err := access.Open(access.Config{Callers: g.file, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	watched := make(chan struct{})
	go func() { control.Watch(ctx); close(watched) }()
	g.server = New(Config{Access: control, Limits: limits, Now: now, Metrics: prometheus.NewRegistry(), LogCalls: LogErrors, SlowCall: time.Minute})
	go g.server.Run(ctx)
	g.server.Swap(State{Snapshot: published(t)})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g.addr = listener.Addr().String()
	s := g.server.GRPC()
	done := make(chan error, 1)
	go func() { done <- s.Serve(g.server.Listener(listener)) }()
	t.Cleanup(func() {
		s.Stop()
		if err := <-done; err != nil {
			t.Errorf("serving: %v", err)
		}
		cancel()
		<-watched
	})
	g.dial = func(options ...grpc.DialOption) *grpc.ClientConn {
		conn, err := grpc.NewClient(g.addr, append(options, grpc.WithTransportCredentials(insecure.NewCredentials()))...)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		return conn
	}
	return g
}

// write writes the file of callers, at once as an editor of secrets does.
func (g *guarded) write(t testing.TB, entries map[string]string) {
	t.Helper()
	text := "callers:\n"
	for name, entry := range entries {
		hash, err := access.HashToken(g.tokens[name])
		if err != nil {
			t.Fatal(err)
		}
		text += fmt.Sprintf("- {name: %s, token_sha256: [{hash: %s}], %s}\n", name, hash, entry)
	}
	err := os.WriteFile(g.file+".new", []byte(text), 0o600)
	if err := errors.Join(err, os.Rename(g.file+".new", g.file)); err != nil {
		t.Fatal(err)
	}
}

// as is a context of calls by a caller; "" has no credentials.
func (g *guarded) as(t testing.TB, caller string) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	if caller == "" {
		return ctx
	}
	return metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+g.tokens[caller])
}

// code calls any method and returns the code that it ends with.
func code(ctx context.Context, conn *grpc.ClientConn, name string, info grpc.MethodInfo) codes.Code {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if !info.IsClientStream && !info.IsServerStream {
		return status.Code(conn.Invoke(ctx, name, &emptypb.Empty{}, &emptypb.Empty{}))
	}
	stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, name)
	if err != nil {
		return status.Code(err)
	}
	_ = stream.SendMsg(&emptypb.Empty{})
	_ = stream.CloseSend()
	return status.Code(stream.RecvMsg(&emptypb.Empty{}))
}

// Every method that is served is refused to those without credentials and to those
// without the permission, and let through with it. A method that is added without
// a permission fails here, for then no server starts.
func TestPermissionOfEveryMethod(t *testing.T) {
	g := guard(t, Limits{}, map[string]string{
		"screen": "permissions: [screen]", "lists": "permissions: [lists]", "export": "permissions: [export]", "admin": "permissions: [admin]",
	}, nil)
	conn := g.dial()
	// As docs/security.md has it, not as the server does.
	known, anyone := []string{"screen", "lists", "export", "admin"}, []string{"", "screen", "lists", "export", "admin"}
	may := map[string][]string{
		"/walletscreen.v1.ScreeningService/ScreenAddresses": {"screen", "admin"}, "/walletscreen.v1.ScreeningService/ScreenAddressStream": {"screen", "admin"},
		"/walletscreen.v1.ListService/GetSnapshot": {"lists", "admin"}, "/walletscreen.v1.ListService/GetAddressHistory": {"lists", "admin"},
		"/walletscreen.v1.ListService/WatchChanges": {"lists", "admin"}, "/walletscreen.v1.ListService/ExportSnapshot": {"export", "admin"},
		"/grpc.reflection.v1.ServerReflection/ServerReflectionInfo": known, "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo": known,
		"/grpc.health.v1.Health/Check": anyone, "/grpc.health.v1.Health/List": anyone, "/grpc.health.v1.Health/Watch": anyone,
	}
	methods := 0
	for service, info := range g.server.GRPC().GetServiceInfo() {
		for _, m := range info.Methods {
			methods++
			name := "/" + service + "/" + m.Name
			allowed := map[string]bool{}
			for _, caller := range may[name] {
				allowed[caller] = true
			}
			for _, caller := range []string{"", "screen", "lists", "export", "admin"} {
				ctx := g.as(t, caller)
				if strings.HasSuffix(name, "/Watch") {
					short, cancel := context.WithTimeout(ctx, time.Second)
					defer cancel()
					ctx = short
				}
				got := code(ctx, conn, name, *methodInfo(m))
				want := "let through"
				switch {
				case allowed[caller]:
				case caller == "":
					want = codes.Unauthenticated.String()
				default:
					want = codes.PermissionDenied.String()
				}
				through := got != codes.Unauthenticated && got != codes.PermissionDenied
				if through != (want == "let through") || !through && got.String() != want {
					t.Errorf("%s by %q: %s, want it %s", name, caller, got, want)
				}
			}
		}
	}
	if methods != len(permissions) {
		t.Errorf("%d methods, and permissions of %d", methods, len(permissions))
	}
	if got := code(g.as(t, ""), conn, "/walletscreen.v1.ScreeningService/Unscreen", grpc.MethodInfo{}); got != codes.Unimplemented {
		t.Errorf("a method that is not served: %s", got)
	}
}

func methodInfo(m grpc.MethodInfo) *grpc.MethodInfo { return &m }

// Refusals have the reasons of the contract, however far off the deadline is.
func TestRefusals(t *testing.T) {
	g := guard(t, Limits{}, map[string]string{"lists": "permissions: [lists]"}, nil)
	c := pb.NewScreeningServiceClient(g.dial())
	for _, patience := range []time.Duration{5 * time.Second, 100 * time.Hour} {
		ctx, cancel := context.WithTimeout(g.as(t, ""), patience)
		defer cancel()
		_, err := c.ScreenAddresses(ctx, &pb.ScreenAddressesRequest{Addresses: []string{evm}})
		wantFailure(t, err, codes.Unauthenticated, pb.ErrorReason_ERROR_REASON_UNAUTHENTICATED, 0, nil)
		ctx, cancel = context.WithTimeout(metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+g.tokens["lists"]), patience)
		defer cancel()
		_, err = c.ScreenAddresses(ctx, &pb.ScreenAddressesRequest{Addresses: []string{evm}})
		wantFailure(t, err, codes.PermissionDenied, pb.ErrorReason_ERROR_REASON_PERMISSION_DENIED, 0, nil)
		stream, err := c.ScreenAddressStream(ctx)
		if err == nil {
			_, err = stream.Recv()
		}
		wantFailure(t, err, codes.PermissionDenied, pb.ErrorReason_ERROR_REASON_PERMISSION_DENIED, 0, nil)
		if strings.Contains(fmt.Sprint(err), g.tokens["lists"]) {
			t.Error("the error quotes the token")
		}
	}
}

// A token that is revoked opens nothing more, on open connections, and ends what
// it opened.
func TestRevocation(t *testing.T) {
	g := guard(t, Limits{}, map[string]string{"stays": "permissions: [screen]", "goes": "permissions: [admin]"}, nil)
	conn := g.dial()
	c := pb.NewScreeningServiceClient(conn)
	req := &pb.ScreenAddressesRequest{Addresses: []string{evm}}
	if _, err := c.ScreenAddresses(g.as(t, "goes"), req); err != nil {
		t.Fatal(err)
	}
	// A stream that every server has and that stays open: reflection.
	stream, err := conn.NewStream(g.as(t, "goes"), &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo")
	if err != nil {
		t.Fatal(err)
	}
	question := &reflectionpb.ServerReflectionRequest{MessageRequest: &reflectionpb.ServerReflectionRequest_ListServices{}}
	if err := stream.SendMsg(question); err != nil {
		t.Fatal(err)
	}
	if err := stream.RecvMsg(&emptypb.Empty{}); err != nil {
		t.Fatal(err)
	}
	g.write(t, map[string]string{"stays": "permissions: [screen]"})
	err = stream.RecvMsg(&emptypb.Empty{}) // until the server ends it
	wantFailure(t, err, codes.Unauthenticated, pb.ErrorReason_ERROR_REASON_UNAUTHENTICATED, 0, nil)
	_, err = c.ScreenAddresses(g.as(t, "goes"), req)
	wantFailure(t, err, codes.Unauthenticated, pb.ErrorReason_ERROR_REASON_UNAUTHENTICATED, 0, nil)
	if _, err := c.ScreenAddresses(g.as(t, "stays"), req); err != nil {
		t.Errorf("another caller: %v", err)
	}
}

// A quota refuses with the delay after which it does not, and never answers with
// another verdict.
func TestQuotaOverSocket(t *testing.T) {
	at := newClock(noon)
	g := guard(t, Limits{}, map[string]string{"slow": "permissions: [screen, lists], quota: {addresses_per_second: 2, burst: 10}"}, at.now)
	c := pb.NewScreeningServiceClient(g.dial())
	ask := func(n int) error {
		t.Helper()
		res, err := c.ScreenAddresses(g.as(t, "slow"), &pb.ScreenAddressesRequest{Addresses: strings.Split(strings.Repeat(evm+" ", n-1)+evm, " ")})
		for _, r := range res.GetResults() {
			if r.Verdict != pb.Verdict_VERDICT_LISTED {
				t.Errorf("verdict %s", r.Verdict)
			}
		}
		return err
	}
	if err := ask(10); err != nil {
		t.Fatal(err)
	}
	details := map[string]string{"addresses": "4", "addresses_per_second": "2", "burst": "10"}
	wantFailure(t, ask(4), codes.ResourceExhausted, pb.ErrorReason_ERROR_REASON_QUOTA_EXCEEDED, 2*time.Second, details)
	at.set(noon.Add(2 * time.Second))
	if err := ask(4); err != nil {
		t.Errorf("after the delay: %v", err)
	}
	// What is refused for the number of its addresses costs one.
	at.set(noon.Add(time.Hour))
	for range 10 {
		_, err := c.ScreenAddresses(g.as(t, "slow"), &pb.ScreenAddressesRequest{})
		wantFailure(t, err, codes.InvalidArgument, pb.ErrorReason_ERROR_REASON_NO_ADDRESSES, 0, nil)
	}
	details["addresses"] = "1"
	wantFailure(t, ask(1), codes.ResourceExhausted, pb.ErrorReason_ERROR_REASON_QUOTA_EXCEEDED, 500*time.Millisecond, details)
	details["addresses"] = "11"
	wantFailure(t, ask(11), codes.ResourceExhausted, pb.ErrorReason_ERROR_REASON_QUOTA_EXCEEDED, 0, details)
}

// More connections than allowed are closed; the others do not notice.
func TestConnectionLimits(t *testing.T) {
	g := guard(t, Limits{Connections: 3, ConnectionsPerHost: 2}, map[string]string{"a": "permissions: [screen]"}, nil)
	dial := func(from string) (net.Conn, bool) {
		t.Helper()
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
		conn, err := d.DialContext(t.Context(), "tcp", g.addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		// One that is taken is greeted.
		_ = conn.SetReadDeadline(time.Now().Add(time.Minute))
		_, err = conn.Read(make([]byte, 1))
		return conn, err == nil
	}
	first, taken := dial("127.0.0.1")
	for i, from := range []string{"127.0.0.1", "127.0.0.1", "127.0.0.2", "127.0.0.2"} {
		if _, ok := dial(from); taken && ok != (i == 0 || i == 2) {
			t.Errorf("connection %d is taken: %t", i+2, ok)
		}
	}
	first.Close()
	deadline := time.Now().Add(time.Minute)
	for {
		if _, ok := dial("127.0.0.1"); ok {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("a connection that ended still counts")
		}
	}
}

// A call whose request never comes ends, and a stream that sends nothing does.
func TestRequestsThatNeverCome(t *testing.T) {
	g := guard(t, Limits{Call: 200 * time.Millisecond, Idle: 200 * time.Millisecond, Calls: 2}, map[string]string{"a": "permissions: [admin]"}, nil)
	conn := g.dial()
	desc := &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}
	open := func(name string) grpc.ClientStream {
		t.Helper()
		stream, err := conn.NewStream(g.as(t, "a"), desc, name)
		if err != nil {
			t.Fatal(err)
		}
		return stream
	}
	for _, name := range []string{pb.ScreeningService_ScreenAddresses_FullMethodName, "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"} {
		if err := open(name).RecvMsg(&emptypb.Empty{}); status.Code(err) != codes.DeadlineExceeded {
			t.Errorf("%s: %v, want DEADLINE_EXCEEDED", name, err)
		}
	}
	// Ended calls do not count; those in progress do, and health checks never.
	open(pb.ScreeningService_ScreenAddresses_FullMethodName)
	open(pb.ScreeningService_ScreenAddresses_FullMethodName)
	for g.server.admission.calls.Load() < 2 {
		<-time.After(time.Millisecond)
	}
	_, err := pb.NewListServiceClient(conn).GetSnapshot(g.as(t, "a"), &pb.GetSnapshotRequest{})
	if err != nil { // they may have ended meanwhile
		wantFailure(t, err, codes.Unavailable, pb.ErrorReason_ERROR_REASON_OVERLOADED, time.Second, nil)
	}
	if _, err := healthpb.NewHealthClient(conn).Check(g.as(t, ""), &healthpb.HealthCheckRequest{}); err != nil {
		t.Errorf("health: %v", err)
	}
	for g.server.admission.calls.Load() > 0 {
		<-time.After(time.Millisecond)
	}
}

// What waits for a client is counted, given back, and ends the connection of one
// that never takes it.
func TestSlowReader(t *testing.T) {
	g := guard(t, Limits{Send: 100 * time.Millisecond}, map[string]string{"a": "permissions: [screen]"}, nil)
	all := g.server.admission.all
	req := &pb.ScreenAddressesRequest{Addresses: strings.Fields(strings.Repeat(evm+" ", 2000))}
	// Said, so that gRPC does not make it larger when answers come fast.
	conn := g.dial(grpc.WithStaticStreamWindowSize(64 << 10))
	if _, err := pb.NewScreeningServiceClient(conn).ScreenAddresses(g.as(t, "a"), req); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(time.Minute)
	for all.sending.Load() != 0 || all.received.Load() != 0 {
		if time.Now().After(deadline) {
			t.Fatalf("%d bytes still wait to be sent, %d to be read", all.sending.Load(), all.received.Load())
		}
		<-time.After(time.Millisecond)
	}
	// A stream whose client reads no message takes 64 KiB of it, and no more.
	desc := &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}
	stream, err := conn.NewStream(g.as(t, "a"), desc, pb.ScreeningService_ScreenAddresses_FullMethodName)
	if err == nil {
		err = stream.SendMsg(req)
	}
	if err := errors.Join(err, stream.CloseSend()); err != nil {
		t.Fatal(err)
	}
	for _, waits := range []bool{true, false} {
		for all.sending.Load() > 0 != waits {
			if time.Now().After(deadline) {
				t.Fatalf("%d bytes wait for a client that does not take them", all.sending.Load())
			}
			<-time.After(time.Millisecond)
		}
	}
	if err := stream.RecvMsg(&emptypb.Empty{}); status.Code(err) != codes.Unavailable {
		t.Errorf("a response that was not taken ended with %v", err)
	}
}

// What was received of requests that never come whole is given back when their
// connection ends.
func TestHalfRequests(t *testing.T) {
	g := guard(t, Limits{}, map[string]string{"a": "permissions: [screen]"}, nil)
	all := g.server.admission.all
	conn := g.frames(t)
	conn.begin(t, g.tokens["a"], 30_000)
	deadline := time.Now().Add(20 * time.Second)
	reach := func(what string, holds func() bool) {
		t.Helper()
		for !holds() {
			if time.Now().After(deadline) {
				t.Fatalf("%s: %d bytes are held", what, all.received.Load())
			}
			<-time.After(time.Millisecond)
		}
	}
	reach("half a request is not counted", func() bool { return all.received.Load() >= 30_000 })
	conn.Close()
	reach("half a request is not given back", func() bool { return all.received.Load() == 0 && g.server.admission.calls.Load() == 0 })
}

// BenchmarkAdmission is what admission, metrics and the log of errors add to a call
// of one address and of a hundred: a server without interceptors and one with a
// token and a quota, in turns, so that both have the same machine.
func BenchmarkAdmission(b *testing.B) {
	g := guard(b, Limits{}, map[string]string{"a": "permissions: [screen], quota: {addresses_per_second: 1e9, burst: 1000000}"}, nil)
	guarded := pb.NewScreeningServiceClient(g.dial())
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	bare := grpc.NewServer(grpc.ForceServerCodecV2(wire.Codec{}), grpc.NumStreamWorkers(16), grpc.ReadBufferSize(readBuffer))
	pb.RegisterScreeningServiceServer(bare, g.server)
	go func() { _ = bare.Serve(listener) }()
	b.Cleanup(bare.Stop)
	conn, err := grpc.NewClient(listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { conn.Close() })
	open := pb.NewScreeningServiceClient(conn)
	as := metadata.AppendToOutgoingContext(context.Background(), "authorization", "Bearer "+g.tokens["a"])
	for _, n := range []int{1, 100} {
		b.Run(fmt.Sprintf("%d", n), func(b *testing.B) {
			req := &pb.ScreenAddressesRequest{Addresses: slices.Repeat([]string{other}, n)}
			var without, with time.Duration
			for b.Loop() {
				begin := time.Now()
				if _, err := open.ScreenAddresses(as, req); err != nil {
					b.Fatal(err)
				}
				middle := time.Now()
				if _, err := guarded.ScreenAddresses(as, req); err != nil {
					b.Fatal(err)
				}
				without, with = without+middle.Sub(begin), with+time.Since(middle)
			}
			b.ReportMetric(float64(without.Nanoseconds())/float64(b.N), "ns/bare")
			b.ReportMetric(float64(with.Nanoseconds())/float64(b.N), "ns/guarded")
			b.ReportMetric(float64(with)/float64(without), "ratio")
		})
	}
}
