package main_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	pb "walletscreen/proto/walletscreen/v1"
	"walletscreen/screen/wire"
)

// browse gets a page of the operators' port.
func browse(t testing.TB, url string, header ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		if header[i] == "Host" {
			req.Host = header[i+1]
		}
		req.Header.Set(header[i], header[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(body)
}

func connect(t testing.TB, addr string) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient(addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

var metricName = regexp.MustCompile(`\bwalletscreen_[a-z_]+`)

// rare are metrics that are there once something happened, a hold or a refusal, or
// is configured.
var rare = []string{
	"walletscreen_list_held_since_timestamp_seconds", "walletscreen_list_regressions_total", "walletscreen_calls_refused_total",
	"walletscreen_connections_cut_total", "walletscreen_reload_failed", "walletscreen_tls_certificate_expiry_timestamp_seconds",
}

// exported are the metrics that the built program exports.
func exported(t *testing.T) []string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "own.csv"), []byte("address\n0x1111111111111111111111111111111111111111\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := serveIn(t, dir, "--refresh", "1h", "--source", "house=own.csv")
	if _, err := pb.NewScreeningServiceClient(connect(t, s.addr)).ScreenAddresses(t.Context(), &pb.ScreenAddressesRequest{Addresses: []string{"nonsense"}}); err != nil {
		t.Fatal(err)
	}
	var names []string
	eventually(t, "the metrics of an import are there", func() bool {
		_, text := browse(t, "http://"+s.ops+"/metrics")
		names = nil
		for line := range strings.Lines(text) {
			if fields := strings.Fields(line); len(fields) > 2 && fields[1] == "TYPE" && strings.HasPrefix(fields[2], "walletscreen_") {
				names = append(names, fields[2])
			}
		}
		return slices.Contains(names, "walletscreen_load_last_success_timestamp_seconds") && slices.Contains(names, "walletscreen_list_max_age_seconds")
	})
	program, err := os.ReadFile(program(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range rare {
		if bytes.Contains(program, []byte(name)) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// The page about operations has every metric of the program, and alerts look at no
// other.
func TestOperationsPageAndAlerts(t *testing.T) {
	names := exported(t)
	page, err := os.ReadFile(filepath.Join(root, "docs/operations.md"))
	if err != nil {
		t.Fatal(err)
	}
	var documented []string
	for line := range strings.Lines(string(page)) {
		if strings.HasPrefix(line, "| `walletscreen_") {
			documented = append(documented, metricName.FindString(line))
		}
	}
	for _, name := range names {
		if !slices.Contains(documented, name) {
			t.Errorf("docs/operations.md does not tell of %s", name)
		}
	}
	for _, name := range documented {
		if !slices.Contains(names, name) {
			t.Errorf("docs/operations.md tells of %s, which the program does not export", name)
		}
	}

	text, err := os.ReadFile(filepath.Join(root, "deploy/alerts/walletscreen.rules.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Groups []struct {
			Name  string
			Rules []struct {
				Alert, Expr, For    string
				Labels, Annotations map[string]string
			}
		}
	}
	if err := yaml.UnmarshalWithOptions(text, &file, yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	alerts := map[string]bool{}
	for _, group := range file.Groups {
		for _, rule := range group.Rules {
			if rule.Alert == "" || alerts[rule.Alert] || rule.Annotations["summary"] == "" || !slices.Contains([]string{"page", "warn"}, rule.Labels["severity"]) {
				t.Errorf("rule %+v", rule)
			}
			alerts[rule.Alert] = true
			if _, err := time.ParseDuration(rule.For); rule.For != "" && err != nil {
				t.Errorf("%s: %v", rule.Alert, err)
			}
			if strings.Count(rule.Expr, "(") != strings.Count(rule.Expr, ")") {
				t.Errorf("%s: parentheses of %q", rule.Alert, rule.Expr)
			}
			used := metricName.FindAllString(rule.Expr, -1)
			if len(used) == 0 {
				t.Errorf("%s looks at no metric", rule.Alert)
			}
			for _, name := range used {
				if !slices.Contains(names, name) {
					t.Errorf("%s looks at %s, which the program does not export", rule.Alert, name)
				}
			}
		}
	}
	if len(alerts) < 10 {
		t.Errorf("only %d alerts", len(alerts))
	}
}

func TestStatusPage(t *testing.T) {
	s := serve(t, "--canary", "us-ofac-sdn=0x098b716b8aaf21512996dc57eb0615e2383e2f96", "--canary-unlisted", "0x000000000000000000000000000000000000dEaD")
	url := "http://" + s.ops
	for _, test := range []struct {
		path, accept string
		kind         string
		holds        []string
	}{
		{"/", "", "text/plain", []string{"us-ofac-sdn", "LAST SNAPSHOTS", " 0 failed, 0 delisted", "served"}},
		{"/", "text/html,*/*;q=0.8", "text/html", []string{"<!DOCTYPE html>", "Ready to screen", "<td>us-ofac-sdn</td>", "Last snapshots", "for trying things out"}},
		{"/ops.css", "text/css", "text/css", []string{"table"}},
		{"/healthz", "", "text/plain", []string{"alive"}},
		{"/readyz", "", "text/plain", []string{"ready\n"}},
	} {
		res, body := browse(t, url+test.path, "Accept", test.accept)
		if res.StatusCode != http.StatusOK || !strings.HasPrefix(res.Header.Get("Content-Type"), test.kind) {
			t.Errorf("%s for %q: %s, %s", test.path, test.accept, res.Status, res.Header.Get("Content-Type"))
		}
		for _, want := range test.holds {
			if !strings.Contains(body, want) {
				t.Errorf("%s for %q does not say %q:\n%s", test.path, test.accept, want, body)
			}
		}
		for name, want := range map[string]string{
			"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Cross-Origin-Resource-Policy": "same-origin", "Cache-Control": "no-store",
		} {
			if got := res.Header.Get(name); got != want {
				t.Errorf("%s: %s is %q", test.path, name, got)
			}
		}
		if policy := res.Header.Get("Content-Security-Policy"); !strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") {
			t.Errorf("%s: policy %q", test.path, policy)
		}
	}
	// Pages of other sites get nothing, by whatever name they call this machine.
	for _, header := range [][]string{{"Host", "rebound.example.org"}, {"Sec-Fetch-Site", "cross-site"}} {
		if res, body := browse(t, url+"/metrics", header...); res.StatusCode != http.StatusForbidden || strings.Contains(body, "walletscreen_") {
			t.Errorf("%q: %s", header, res.Status)
		}
	}
	if res, _ := browse(t, url+"/metrics", "Host", "localhost:9464"); res.StatusCode != http.StatusOK {
		t.Errorf("localhost: %s", res.Status)
	}
}

// A snapshot whose canaries fail is not served; here it is the first.
func TestFirstSnapshotIsRefused(t *testing.T) {
	t.Parallel()
	s := serve(t, "--canary-unlisted", "0x098B716B8Aaf21512996dC57EB0615e2383E2f96")
	const why = "its canaries fail: unlisted canary, --canary-unlisted 1: VERDICT_LISTED"
	for _, path := range []string{"/", "/readyz"} {
		if res, body := browse(t, "http://"+s.ops+path); res.StatusCode != http.StatusServiceUnavailable || !strings.Contains(body, why) {
			t.Errorf("%s: %s\n%s", path, res.Status, body)
		}
	}
	if _, body := browse(t, "http://"+s.ops+"/", "Accept", "text/html"); !strings.Contains(body, why) || !strings.Contains(body, "NOT READY") {
		t.Errorf("the page:\n%s", body)
	}
	if out := runProgram(t, "", "check", "--server", s.addr, "0x000000000000000000000000000000000000dEaD"); out.code != 1 {
		t.Errorf("check: %+v", out)
	}
	if n := strings.Count(s.logged(), "CANARIES FAIL"); n != 1 {
		t.Errorf("it is logged %d times", n)
	}
}

func TestObservationFlags(t *testing.T) {
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "")
	for _, test := range []struct{ flag, value, says string }{
		{"--canary", "us-ofac-sdn", "--canary 1: want LIST=ADDRESS"},
		{"--canary-unlisted", "vitalik.eth", "--canary-unlisted 1: it is no address that can be screened"},
		{"--drain-delay", "-1s", "--drain-delay is -1s"},
		{"--slow-call", "-1s", "--slow-call is -1s"},
		{"--tracing", "", "say where to send spans: OTEL_EXPORTER_OTLP_ENDPOINT="},
		{"--log-calls", "some", "--log-calls must be one of"},
	} {
		args := []string{"serve", "--listen", "127.0.0.1:0", "--ops-listen", ""}
		if test.value != "" {
			args = append(args, test.flag+"="+test.value)
		} else {
			args = append(args, test.flag)
		}
		if out := runProgram(t, "", args...); out.code != 2 || !strings.Contains(out.stderr, test.says) {
			t.Errorf("%s %s: %+v", test.flag, test.value, out)
		}
	}
}

// TestDrain stops a server as Kubernetes does, with calls in progress.
func TestDrain(t *testing.T) {
	s := serve(t, "--drain-delay", "1s", "--drain-timeout", "1s")
	conn := connect(t, s.addr)
	health, ctx := healthpb.NewHealthClient(conn), t.Context()
	for service, want := range map[string]codes.Code{"": codes.OK, "walletscreen.v1.ScreeningService": codes.OK, "walletscreen.v1.ListService": codes.OK, "nobodys": codes.NotFound} {
		res, err := health.Check(ctx, &healthpb.HealthCheckRequest{Service: service})
		if status.Code(err) != want || err == nil && res.Status != healthpb.HealthCheckResponse_SERVING {
			t.Errorf("%q: %s, %v", service, res.GetStatus(), err)
		}
	}
	watch, err := health.Watch(ctx, &healthpb.HealthCheckRequest{Service: "walletscreen.v1.ScreeningService"})
	if err != nil {
		t.Fatal(err)
	}
	told := func(want healthpb.HealthCheckResponse_ServingStatus) {
		t.Helper()
		if res, err := watch.Recv(); err != nil || res.Status != want {
			t.Fatalf("the watcher is told %s, %v, want %s", res.GetStatus(), err, want)
		}
	}
	told(healthpb.HealthCheckResponse_SERVING)
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	told(healthpb.HealthCheckResponse_NOT_SERVING)
	// It still answers, and says to operators what it is doing.
	req := &pb.ScreenAddressesRequest{Addresses: []string{"nonsense"}}
	if _, err := pb.NewScreeningServiceClient(conn).ScreenAddresses(ctx, req); err != nil {
		t.Errorf("while it drains: %v", err)
	}
	// Streams go on, too, and new ones are taken: who sends them was not told yet.
	stream, err := pb.NewScreeningServiceClient(conn).ScreenAddressStream(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(req); err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); err != nil {
		t.Errorf("a stream while it drains: %v", err)
	}
	if res, body := browse(t, "http://"+s.ops+"/readyz"); res.StatusCode != http.StatusServiceUnavailable || !strings.Contains(body, "the server is stopping") {
		t.Errorf("/readyz while it drains: %s %s", res.Status, body)
	}
	if res, _ := browse(t, "http://"+s.ops+"/healthz"); res.StatusCode != http.StatusOK {
		t.Errorf("/healthz while it drains: %s", res.Status)
	}
	if _, err := watch.Recv(); status.Code(err) != codes.Unavailable {
		t.Errorf("the watch ends with %v", err)
	}
	select {
	case <-s.done:
	case <-time.After(patience):
		t.Error("the server does not end")
	}
	s.stop(t) // it ended well
}

// A second signal ends a server that drains, at once.
func TestSecondSignal(t *testing.T) {
	t.Parallel()
	s := serve(t, "--drain-delay", "10m")
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	eventually(t, "the server stops", func() bool { return strings.Contains(s.logged(), "msg=stopping") })
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-s.done:
		_ = s.cmd.Wait()
	case <-time.After(patience):
		t.Error("the server goes on draining")
	}
}

// A collector takes everything that is sent to it over gRPC, byte by byte.
type collector struct {
	mu   sync.Mutex
	data []byte
}

func (c *collector) take(b []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.data = append(c.data, b...)
}

func (c *collector) bytes() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	return bytes.Clone(c.data)
}

// unread is a codec that reads and writes nothing but bytes.
type unread struct{}

func (unread) Name() string { return "proto" }
func (unread) Marshal(v any) (mem.BufferSlice, error) {
	return mem.BufferSlice{mem.SliceBuffer(*v.(*[]byte))}, nil
}
func (unread) Unmarshal(data mem.BufferSlice, v any) error {
	*v.(*[]byte) = data.Materialize()
	return nil
}

func collect(t *testing.T) (*collector, string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := new(collector)
	g := grpc.NewServer(grpc.ForceServerCodecV2(unread{}), grpc.UnknownServiceHandler(func(_ any, stream grpc.ServerStream) error {
		var message []byte
		if err := stream.RecvMsg(&message); err != nil {
			return err
		}
		c.take(message)
		return stream.SendMsg(new([]byte))
	}))
	go func() { _ = g.Serve(listener) }()
	t.Cleanup(g.Stop)
	return c, listener.Addr().String()
}

// TestNothingScreenedLeaves sends addresses and secrets in every place that a request
// has, and looks for them in all that the server logs, exports and sends to a
// collector.
func TestNothingScreenedLeaves(t *testing.T) {
	c, addr := collect(t)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://"+addr)
	s := serve(t, "--tracing", "--log-calls", "all", "--log-level", "debug", "--slow-call", "1ns")
	conn := connect(t, s.addr)
	screening, lists := pb.NewScreeningServiceClient(conn), pb.NewListServiceClient(conn)
	secrets := []string{
		"0x098B716B8Aaf21512996dC57EB0615e2383E2f96", "0x000000000000000000000000000000000000dEaD", "TA3941uFAvmVibSkQ6fMJXxmaSNovX86mz",
		"5HueCGU8rMjxEXxiPuD5BDku4MkFqeZyd4dZ1jvhTVqvbTLvyTJ", "vitalik.eth", "bc1qv7k70u2zynvem59u88ctdlaw7hc735d8xep9rX",
	}
	calls := 0
	called := func(err error) { calls++; _ = err } // most fail, on purpose
	for _, secret := range secrets {
		ctx := metadata.AppendToOutgoingContext(t.Context(), "tracestate", "v="+secret, "baggage", "customer="+secret, "x-address", secret,
			"traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
		malformed := secret + "\xff"
		for _, req := range []*pb.ScreenAddressesRequest{
			{Addresses: []string{secret, malformed, " " + secret + " ", strings.Repeat(secret, 40)}, RequestId: secret},
			{Addresses: []string{secret}, RequestId: "order-" + secret}, {Addresses: []string{secret}, RequestId: malformed},
			{Addresses: []string{secret}, Network: secret}, {Addresses: []string{secret}, ListIds: []string{secret}},
			{Addresses: []string{secret}, ListIds: []string{strings.ToLower(secret)}}, {Addresses: []string{secret}, AsOf: secret}, {RequestId: secret},
			{Addresses: []string{secret}, MinSnapshot: 9, Snapshot: 1}, {Addresses: []string{secret}, Receipt: true},
		} {
			_, err := screening.ScreenAddresses(ctx, req, grpc.ForceCodecV2(wire.Codec{}))
			called(err)
			stream, err := screening.ScreenAddressStream(ctx, grpc.ForceCodecV2(wire.Codec{}))
			if err == nil {
				called(stream.Send(req))
				_ = stream.CloseSend()
				_, err = stream.Recv()
			}
			called(err)
		}
		_, err := lists.GetAddressHistory(ctx, &pb.GetAddressHistoryRequest{Address: secret, ListIds: []string{secret}, Network: secret})
		called(err)
		called(conn.Invoke(ctx, "/walletscreen.v1.ScreeningService/"+secret, &pb.GetSnapshotRequest{}, &pb.GetSnapshotResponse{}))
		called(conn.Invoke(ctx, "/"+secret+"/x", &pb.GetSnapshotRequest{}, &pb.GetSnapshotResponse{}))
		_, err = healthpb.NewHealthClient(conn).Check(ctx, &healthpb.HealthCheckRequest{Service: secret})
		called(err)
	}
	_, metrics := browse(t, "http://"+s.ops+"/metrics")
	_, page := browse(t, "http://"+s.ops+"/")
	s.stop(t) // it sends the last spans
	sent, logged := c.bytes(), s.logged()
	if !bytes.Contains(sent, []byte("ScreenAddresses")) || !bytes.Contains(sent, []byte("walletscreen.addresses")) || !bytes.Contains(sent, []byte("GetAddressHistory")) {
		t.Errorf("the collector got %d bytes, without the calls", len(sent))
	}
	if n := strings.Count(logged, "msg=call"); n < calls/2 {
		t.Errorf("%d lines for %d calls", n, calls)
	}
	for where, text := range map[string]string{"the log": logged, "what is traced": string(sent), "the metrics": metrics, "the page": page} {
		text = strings.ToLower(text)
		for _, secret := range secrets {
			for _, form := range []string{secret, secret[2:]} {
				if i := strings.Index(text, strings.ToLower(form)); i >= 0 {
					t.Errorf("%s has %q: %q", where, form, text[max(0, i-200):min(len(text), i+100)])
					break
				}
			}
		}
	}
}

// Nothing is sent anywhere without --tracing, whatever the variables say.
func TestTracingIsOffByDefault(t *testing.T) {
	c, addr := collect(t)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://"+addr)
	s := serve(t)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if _, err := pb.NewScreeningServiceClient(connect(t, s.addr)).ScreenAddresses(ctx, &pb.ScreenAddressesRequest{Addresses: []string{"nonsense"}}); err != nil {
		t.Fatal(err)
	}
	s.stop(t)
	if sent := c.bytes(); len(sent) > 0 {
		t.Errorf("%d bytes were sent", len(sent))
	}
}
