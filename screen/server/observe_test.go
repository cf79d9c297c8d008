package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	pb "walletscreen/proto/walletscreen/v1"
	"walletscreen/screen/server/caller"
)

func TestLoggable(t *testing.T) {
	for _, id := range []string{
		"550e8400-e29b-41d4-a716-446655440000", "01ARZ3NDEKTSV4RRFFQ69G5FAV", "batch 1", "4bf92f3577b34da6a3ce929d0e0e4736", "12345678", "withdrawal-99812",
		"nightly-2026-11-20", "req_01HZ",
	} {
		if got := loggable(id); got != id {
			t.Errorf("%q is shown as %q", id, got)
		}
	}
	for _, id := range []string{
		evm, evmLower, evmLower[2:], strings.ToUpper(evm), "order-" + evm, tronText, "x:" + tronText, "bc1qv7k70u2zynvem59u88ctdlaw7hc735d8xep9rq",
		"2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae", "vitalik.eth", "5HueCGU8rMjxEXxiPuD5BDku4MkFqeZyd4dZ1jvhTVqvbTLvyTJ",
		"abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about", strings.Repeat("1", 40), "caf\u00e9", strings.Repeat("x", 129), "a\nb",
	} {
		if got := loggable(id); !strings.HasPrefix(got, "(not shown") {
			t.Errorf("%q is shown as %q", id, got)
		}
	}
}

// callers names the caller of a call by its metadata, as authentication does.
func callers() []grpc.ServerOption {
	name := func(ctx context.Context) {
		md, _ := metadata.FromIncomingContext(ctx)
		if names := md.Get("caller"); len(names) == 1 {
			caller.Set(ctx, names[0])
		}
	}
	return []grpc.ServerOption{
		grpc.ChainUnaryInterceptor(func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
			name(ctx)
			if md, _ := metadata.FromIncomingContext(ctx); len(md.Get("refuse")) > 0 {
				return nil, status.Error(codes.PermissionDenied, "no")
			}
			return next(ctx, req)
		}),
		grpc.ChainStreamInterceptor(func(srv any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, next grpc.StreamHandler) error {
			name(stream.Context())
			return next(srv, stream)
		}),
	}
}

func TestCallers(t *testing.T) {
	registry := prometheus.NewRegistry()
	var log lockedBuffer
	in := installWith(t, Config{Metrics: registry, LogCalls: LogAll, Log: slog.New(slog.NewTextHandler(&log, nil))}, callers()...)
	if err := in.server.Swap(State{Snapshot: published(t)}); err != nil {
		t.Fatal(err)
	}
	log.reset()
	as := func(pairs ...string) context.Context { return metadata.AppendToOutgoingContext(t.Context(), pairs...) }
	for _, ctx := range []context.Context{as(), as("caller", "desk"), as("caller", "desk"), as("caller", "desk", "refuse", "1")} {
		_, err := in.screening.ScreenAddresses(ctx, &pb.ScreenAddressesRequest{Addresses: []string{evm, other}, RequestId: "batch-7"})
		if err != nil && status.Code(err) != codes.PermissionDenied {
			t.Fatal(err)
		}
	}
	got := values(t, registry)
	for name, want := range map[string]float64{
		"walletscreen_calls_total{caller=anonymous}{code=OK}{method=ScreenAddresses}":          1,
		"walletscreen_calls_total{caller=desk}{code=OK}{method=ScreenAddresses}":               2,
		"walletscreen_calls_total{caller=desk}{code=PermissionDenied}{method=ScreenAddresses}": 1,
		"walletscreen_addresses_total{caller=desk}{verdict=VERDICT_LISTED}":                    2,
		"walletscreen_batch_addresses":                         3,
		"walletscreen_calls_in_flight{method=ScreenAddresses}": 0,
	} {
		if got[name] != want {
			t.Errorf("%s is %v, want %v", name, got[name], want)
		}
	}
	lines := strings.Split(strings.TrimSpace(log.String()), "\n")
	if len(lines) != 4 {
		t.Fatalf("log:\n%s", log.String())
	}
	for i, wants := range [][]string{
		{"level=INFO", "msg=call method=ScreenAddresses caller=anonymous code=OK took=", "request_id=batch-7 snapshot=7 addresses=2 listed=1 not_listed=1"},
		{"caller=desk"}, {"caller=desk"}, {"caller=desk code=PermissionDenied"},
	} {
		for _, want := range wants {
			if !strings.Contains(lines[i], want) {
				t.Errorf("line %d does not say %q: %s", i+1, want, lines[i])
			}
		}
	}
}

// However many names there are, labels are bounded.
func TestCallerLabelsAreBounded(t *testing.T) {
	var l callerLabels
	for i := range 2 * maxCallers {
		name := fmt.Sprintf("caller %d", i)
		want := name
		if i >= maxCallers {
			want = otherCallers
		}
		if got := l.label(name); got != want {
			t.Fatalf("%s has the label %s", name, got)
		}
	}
	if got := l.label("caller 0"); got != "caller 0" {
		t.Errorf("a caller that has a label gets %s", got)
	}
}

// Methods that there are not leave nothing behind in metrics.
func TestUnknownMethodsAreNotLabels(t *testing.T) {
	registry := prometheus.NewRegistry()
	in := install(t, Config{Metrics: registry})
	for _, method := range []string{"/walletscreen.v1.ScreeningService/" + evm, "/" + evm + "/x", "/nobodys.Service/Method"} {
		err := in.conn.Invoke(t.Context(), method, &pb.GetSnapshotRequest{}, &pb.GetSnapshotResponse{})
		if status.Code(err) != codes.Unimplemented {
			t.Errorf("%s: %v", method, err)
		}
	}
	for name := range values(t, registry) {
		if strings.Contains(name, "{method=") {
			t.Errorf("%s", name)
		}
	}
}

func TestLogErrors(t *testing.T) {
	var log lockedBuffer
	in := install(t, Config{LogCalls: LogErrors, SlowCall: time.Nanosecond, Log: slog.New(slog.NewTextHandler(&log, nil))})
	if err := in.server.Swap(State{Snapshot: published(t)}); err != nil {
		t.Fatal(err)
	}
	log.reset()
	in.screen(t, &pb.ScreenAddressesRequest{Addresses: []string{evm}, RequestId: evm})
	if text := log.String(); !strings.Contains(text, "level=WARN msg=call method=ScreenAddresses caller=anonymous code=OK") || !strings.Contains(text, "slow=true") ||
		!strings.Contains(text, `request_id="(not shown: it may be an address)"`) {
		t.Errorf("a slow call:\n%s", text)
	}
	in.server.cfg.SlowCall = 0
	log.reset()
	in.screen(t, &pb.ScreenAddressesRequest{Addresses: []string{evm}})
	if text := log.String(); text != "" {
		t.Errorf("a call that is neither slow nor fails:\n%s", text)
	}
	for range 50 * maxErrorLines {
		if _, err := in.screening.ScreenAddresses(t.Context(), &pb.ScreenAddressesRequest{AsOf: evm}); status.Code(err) != codes.InvalidArgument {
			t.Fatal(err)
		}
	}
	text := log.String()
	if !strings.Contains(text, "level=INFO msg=call method=ScreenAddresses caller=anonymous code=InvalidArgument") || !strings.Contains(text, "reason=NO_ADDRESSES") {
		t.Errorf("calls that fail:\n%s", text)
	}
	if n := strings.Count(text, "msg=call"); n > 25*maxErrorLines {
		t.Errorf("%d lines of %d calls that fail", n, 50*maxErrorLines)
	}
}

func TestCallLogIsBounded(t *testing.T) {
	var l callLog
	allowed, leftOut := 0, 0
	for i := range 100 {
		if n, ok := l.allow(noon.Add(time.Duration(i) * 50 * time.Millisecond)); ok {
			allowed++
			leftOut += n
		}
	}
	// 20 calls a second for five seconds; those of the last are not told of yet.
	if allowed != 5*maxErrorLines || leftOut != 4*10 {
		t.Errorf("%d lines that say that %d were left out", allowed, leftOut)
	}
}

// panicking streams end as INTERNAL, and what they were about is not told.
func TestPanicInAStream(t *testing.T) {
	var log lockedBuffer
	registry := prometheus.NewRegistry()
	panics := grpc.ChainStreamInterceptor(func(any, grpc.ServerStream, *grpc.StreamServerInfo, grpc.StreamHandler) error {
		panic("defect near " + evm)
	})
	in := installWith(t, Config{Metrics: registry, LogCalls: LogErrors, Log: slog.New(slog.NewTextHandler(&log, nil))}, panics)
	if err := in.server.Swap(State{Snapshot: published(t)}); err != nil {
		t.Fatal(err)
	}
	stream, err := in.screening.ScreenAddressStream(within(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(&pb.ScreenAddressesRequest{Addresses: []string{evm}}); err != nil && !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	res, err := stream.Recv()
	if res != nil {
		t.Errorf("a panic answers %v", res)
	}
	wantFailure(t, err, codes.Internal, pb.ErrorReason_ERROR_REASON_INTERNAL, 0, nil)
	watch, err := in.lists.WatchChanges(within(t), &pb.WatchChangesRequest{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = watch.Recv()
	wantFailure(t, err, codes.Internal, pb.ErrorReason_ERROR_REASON_INTERNAL, 0, nil)
	got := values(t, registry)
	if got["walletscreen_panics_total"] != 2 || got["walletscreen_calls_total{caller=anonymous}{code=Internal}{method=ScreenAddressStream}"] != 1 {
		t.Errorf("metrics %v", got)
	}
	if text := log.String(); strings.Contains(text, evm) || !strings.Contains(text, "level=ERROR msg=call method=WatchChanges") {
		t.Errorf("log:\n%s", text)
	}
}

// Many watchers of health are told of every change, and end when the server does.
func TestManyWatchers(t *testing.T) {
	const watchers = 200
	registry := prometheus.NewRegistry()
	in := install(t, Config{Metrics: registry})
	ctx := within(t)
	var watches []grpc.ServerStreamingClient[healthpb.HealthCheckResponse]
	for i := range watchers {
		service := []string{ScreeningService, ListService}[i%2]
		watch, err := healthpb.NewHealthClient(in.conn).Watch(ctx, &healthpb.HealthCheckRequest{Service: service})
		if err != nil {
			t.Fatal(err)
		}
		watches = append(watches, watch)
	}
	told := func(when string, want healthpb.HealthCheckResponse_ServingStatus) {
		t.Helper()
		for i, watch := range watches {
			if res, err := watch.Recv(); err != nil || res.Status != want {
				t.Fatalf("%s: watcher %d is told %s, %v, want %s", when, i, res.GetStatus(), err, want)
			}
		}
	}
	told("at the start", notServing)
	if got := values(t, registry)["walletscreen_calls_in_flight{method=Watch}"]; got != watchers {
		t.Errorf("%v watches are open, want %d", got, watchers)
	}
	if err := in.server.Swap(State{Snapshot: published(t)}); err != nil {
		t.Fatal(err)
	}
	told("with a snapshot", serving)
	in.server.Drain()
	told("draining", notServing)
	in.server.EndWatches()
	for _, watch := range watches {
		_, err := watch.Recv()
		wantFailure(t, err, codes.Unavailable, pb.ErrorReason_ERROR_REASON_NOT_READY, time.Second, nil)
	}
	late, err := healthpb.NewHealthClient(in.conn).Watch(ctx, &healthpb.HealthCheckRequest{})
	for err == nil {
		_, err = late.Recv()
	}
	wantFailure(t, err, codes.Unavailable, pb.ErrorReason_ERROR_REASON_NOT_READY, time.Second, nil)
	// What is asked for is still answered.
	in.screen(t, &pb.ScreenAddressesRequest{Addresses: []string{evm}})
}

// The list service tells of lists that are stale: it is ready with any snapshot.
func TestHealthOfTheListService(t *testing.T) {
	in := install(t, Config{MaxListAge: time.Hour})
	check := func(want healthpb.HealthCheckResponse_ServingStatus) {
		t.Helper()
		res, err := healthpb.NewHealthClient(in.conn).Check(t.Context(), &healthpb.HealthCheckRequest{Service: pb.ListService_ServiceDesc.ServiceName})
		if err != nil || res.Status != want {
			t.Errorf("%s, %v, want %s", res.GetStatus(), err, want)
		}
	}
	check(notServing)
	if err := in.server.Swap(State{Snapshot: published(t)}); err != nil || in.server.Ready() {
		t.Fatalf("with stale lists: ready %t, %v", in.server.Ready(), err)
	}
	check(serving)
	in.server.Drain()
	check(notServing)
}
