package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	pb "walletscreen/proto/walletscreen/v1"
	"walletscreen/screen/server/access"
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

func TestCallers(t *testing.T) {
	registry := prometheus.NewRegistry()
	var log lockedBuffer
	token := access.NewToken()
	hash, err := access.HashToken(token)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "callers.yaml")
	text := fmt.Sprintf("anonymous: {permissions: [screen]}\ncallers:\n- {name: desk, token_sha256: [{hash: %s}], permissions: [screen], quota: {addresses_per_second: 1, burst: 4}}\n", hash)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	control, err := access.Open(access.Config{Callers: file})
	if err != nil {
		t.Fatal(err)
	}
	in := install(t, Config{Metrics: registry, Access: control, LogCalls: LogAll, Log: slog.New(slog.NewTextHandler(&log, nil))})
	if err := in.server.Swap(State{Snapshot: published(t)}); err != nil {
		t.Fatal(err)
	}
	log.reset()
	desk := metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+token)
	for _, ctx := range []context.Context{t.Context(), desk, desk, desk} {
		_, err := in.screening.ScreenAddresses(ctx, &pb.ScreenAddressesRequest{Addresses: []string{evm, other}, RequestId: "batch-7"})
		if err != nil && status.Code(err) != codes.ResourceExhausted {
			t.Fatal(err)
		}
	}
	got := values(t, registry)
	for name, want := range map[string]float64{
		"walletscreen_calls_total{caller=anonymous}{code=OK}{method=ScreenAddresses}":           1,
		"walletscreen_calls_total{caller=desk}{code=OK}{method=ScreenAddresses}":                2,
		"walletscreen_calls_total{caller=desk}{code=ResourceExhausted}{method=ScreenAddresses}": 1,
		"walletscreen_addresses_total{caller=desk}{verdict=VERDICT_LISTED}":                     2,
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
		{"caller=desk"}, {"caller=desk"}, {"caller=desk code=ResourceExhausted"},
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

func TestLogLimit(t *testing.T) {
	for _, test := range []struct {
		name             string
		limit            *logLimit
		allowed, leftOut int
	}{
		// 20 calls a second for five seconds; those of the last are not told of yet.
		{"calls", &New(Config{}).calls, 5 * maxErrorLines, 4 * 10},
		{"credentials", &New(Config{}).admission.refusals, 1, 0},
		{"the archive", &New(Config{}).unread, 1, 0},
		{"one in two seconds", &logLimit{lines: 1, per: 2 * time.Second}, 3, 2 * 39},
	} {
		allowed, leftOut := 0, 0
		for i := range 100 {
			if n, ok := test.limit.allow(noon.Add(time.Duration(i) * 50 * time.Millisecond)); ok {
				allowed++
				leftOut += n
			}
		}
		if allowed != test.allowed || leftOut != test.leftOut {
			t.Errorf("%s: %d lines that say that %d were left out, want %d and %d", test.name, allowed, leftOut, test.allowed, test.leftOut)
		}
		// A clock that is put back silences nothing.
		if _, ok := test.limit.allow(noon.Add(-time.Hour)); !ok {
			t.Errorf("%s: an hour before there is no line", test.name)
		}
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
func TestManyWatchersOfHealth(t *testing.T) {
	const watchers = 200
	registry := prometheus.NewRegistry()
	in := install(t, Config{Metrics: registry})
	ctx := within(t)
	var watches []grpc.ServerStreamingClient[healthpb.HealthCheckResponse]
	var conn *grpc.ClientConn
	for i := range watchers {
		if i%maxAnyones == 0 {
			var err error
			if conn, err = grpc.NewClient(in.conn.Target(), grpc.WithTransportCredentials(insecure.NewCredentials())); err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
		}
		service := []string{ScreeningService, ListService}[i%2]
		watch, err := healthpb.NewHealthClient(conn).Watch(ctx, &healthpb.HealthCheckRequest{Service: service})
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
	in.server.EndStreams()
	for _, watch := range watches {
		_, err := watch.Recv()
		wantFailure(t, err, codes.Unavailable, pb.ErrorReason_ERROR_REASON_SERVER_STOPPING, time.Second, nil)
	}
	late, err := healthpb.NewHealthClient(in.conn).Watch(ctx, &healthpb.HealthCheckRequest{})
	for err == nil {
		_, err = late.Recv()
	}
	wantFailure(t, err, codes.Unavailable, pb.ErrorReason_ERROR_REASON_SERVER_STOPPING, time.Second, nil)
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
