package server

import (
	"bytes"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"google.golang.org/grpc/codes"

	pb "walletscreen/proto/walletscreen/v1"
)

// values are the metrics of a registry: name, labels in braces, and the value, of
// a histogram its count.
func values(t *testing.T, reg *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	problems, err := promlint.NewWithMetricFamilies(families).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("lint: %s: %s", p.Metric, p.Text)
	}
	all := map[string]float64{}
	for _, family := range families {
		for _, m := range family.Metric {
			name := family.GetName()
			for _, l := range m.Label {
				name += "{" + l.GetName() + "=" + l.GetValue() + "}"
			}
			switch {
			case m.Histogram != nil:
				all[name] = float64(m.Histogram.GetSampleCount())
			case m.Counter != nil:
				all[name] = m.Counter.GetValue()
			default:
				all[name] = m.Gauge.GetValue()
			}
		}
	}
	return all
}

func TestMetrics(t *testing.T) {
	reg := prometheus.NewRegistry()
	in := install(t, Config{MaxListAge: 26 * time.Hour, Metrics: reg, Version: "v1.2.3"})
	before := values(t, reg)
	for name, value := range before {
		if strings.HasPrefix(name, "walletscreen_list_") || strings.HasPrefix(name, "walletscreen_snapshot_") || value != 0 && !strings.HasPrefix(name, "walletscreen_build_info") {
			t.Errorf("before the first snapshot: %s %v", name, value)
		}
	}
	if _, ok := before["walletscreen_ready"]; !ok {
		t.Errorf("before the first snapshot: %v", before)
	}
	in.server.Swap(State{Snapshot: published(t), Verified: verified(noon.Add(-time.Minute), sdn.ID)})
	in.screen(t, &pb.ScreenAddressesRequest{Addresses: []string{evm, other, tronText, "nonsense", "\xff"}, RequestId: "secret"})
	if _, err := in.screening.ScreenAddresses(t.Context(), &pb.ScreenAddressesRequest{}); err == nil {
		t.Error("a request without addresses is answered")
	}
	got := values(t, reg)
	for name, want := range map[string]float64{
		"walletscreen_ready":                                                                       1,
		"walletscreen_list_builtin{list=us-ofac-sdn}":                                              0,
		"walletscreen_list_held{list=us-ofac-sdn}":                                                 0,
		"walletscreen_snapshot_sequence":                                                           7,
		"walletscreen_snapshot_created_timestamp_seconds":                                          float64(noon.Add(-time.Hour).Unix()),
		"walletscreen_list_age_seconds{list=us-ofac-sdn}":                                          60,
		"walletscreen_list_published_timestamp_seconds{list=us-ofac-sdn}":                          float64(time.Date(2025, 11, 4, 0, 0, 0, 0, time.UTC).Unix()),
		"walletscreen_list_addresses{list=us-ofac-sdn}":                                            1,
		"walletscreen_list_unparsed_addresses{list=us-ofac-sdn}":                                   0,
		"walletscreen_swaps_total":                                                                 1,
		"walletscreen_panics_total":                                                                0,
		"walletscreen_list_max_age_seconds{list=us-ofac-sdn}":                                      26 * 3600,
		"walletscreen_list_verified_timestamp_seconds{list=us-ofac-sdn}":                           float64(noon.Add(-time.Minute).Unix()),
		"walletscreen_refused_swaps_total":                                                         0,
		"walletscreen_newest_snapshot_refused":                                                     0,
		"walletscreen_canaries{outcome=passed}":                                                    10, // evm in two spellings and as a well-known one, and 7 that no list can hold
		"walletscreen_canaries{outcome=failed}":                                                    0,
		"walletscreen_canaries{outcome=delisted}":                                                  0,
		"walletscreen_canary_failures_total{group=sample}":                                         0,
		"walletscreen_canary_failures_total{group=spelling}":                                       0,
		"walletscreen_canary_failures_total{group=operator}":                                       0,
		"walletscreen_canary_failures_total{group=unlisted}":                                       0,
		"walletscreen_batch_addresses":                                                             1,
		"walletscreen_calls_in_flight{method=ScreenAddresses}":                                     0,
		"walletscreen_calls_total{caller=anonymous}{code=OK}{method=ScreenAddresses}":              1,
		"walletscreen_calls_total{caller=anonymous}{code=InvalidArgument}{method=ScreenAddresses}": 1,
		"walletscreen_build_info{go_version=" + runtime.Version() + "}{version=v1.2.3}":            1,
		"walletscreen_addresses_total{caller=anonymous}{verdict=VERDICT_LISTED}":                   1,
		"walletscreen_addresses_total{caller=anonymous}{verdict=VERDICT_NOT_LISTED}":               2,
		"walletscreen_addresses_total{caller=anonymous}{verdict=VERDICT_CANNOT_SCREEN}":            2,
		"walletscreen_reasons_total{reason=REASON_UNRECOGNIZED}":                                   1,
		"walletscreen_reasons_total{reason=REASON_INVALID_TEXT}":                                   1,
		"walletscreen_call_duration_seconds{code=OK}{method=ScreenAddresses}":                      1,
		"walletscreen_call_duration_seconds{code=InvalidArgument}{method=ScreenAddresses}":         1,
		"walletscreen_connections":                                                                 1,
		"walletscreen_calls":                                                                       0,
		"walletscreen_pending_bytes{direction=requests}":                                           0,
		"walletscreen_pending_bytes{direction=unanswered}":                                         0,
		"walletscreen_pending_bytes{direction=responses}":                                          0,
		"walletscreen_changes_computed_total":                                                      0,
		"walletscreen_slow_consumers_total":                                                        0,
		"walletscreen_watchers":                                                                    0,
	} {
		value, ok := got[name]
		if !ok || value != want {
			t.Errorf("%s is %v, %t, want %v", name, value, ok, want)
		}
		delete(got, name)
	}
	for name := range got {
		t.Errorf("%s is not expected", name)
	}
}

// lockedBuffer is a buffer that many goroutines write to.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func (b *lockedBuffer) reset() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.buf.Reset()
}

func TestPanic(t *testing.T) {
	var log lockedBuffer
	reg := prometheus.NewRegistry()
	var broken atomic.Bool
	in := install(t, Config{
		Log: slog.New(slog.NewJSONHandler(&log, nil)), Metrics: reg,
		Now: func() time.Time {
			if broken.Load() {
				panic("defect near " + evm)
			}
			return noon
		},
	})
	in.server.Swap(State{Snapshot: published(t)})
	broken.Store(true)
	_, err := in.screening.ScreenAddresses(t.Context(), &pb.ScreenAddressesRequest{Addresses: []string{evm}, RequestId: "batch-of-a-customer"})
	wantFailure(t, err, codes.Internal, pb.ErrorReason_ERROR_REASON_INTERNAL, 0, nil)
	if strings.Contains(err.Error(), evm) {
		t.Errorf("the error quotes the request: %v", err)
	}
	_, err = in.lists.GetSnapshot(t.Context(), &pb.GetSnapshotRequest{})
	wantFailure(t, err, codes.Internal, pb.ErrorReason_ERROR_REASON_INTERNAL, 0, nil)
	broken.Store(false)
	in.screen(t, &pb.ScreenAddressesRequest{Addresses: []string{evm}})

	if got := values(t, reg)["walletscreen_panics_total"]; got != 2 {
		t.Errorf("%v panics counted, want 2", got)
	}
	logged := log.String()
	if !strings.Contains(logged, `"msg":"panic","method":"/walletscreen.v1.ScreeningService/ScreenAddresses"`) || !strings.Contains(logged, "screening.go") {
		t.Errorf("the log does not say where: %s", logged)
	}
	for _, secret := range []string{evm, evmLower[2:], "batch-of-a-customer", "defect near"} {
		if strings.Contains(strings.ToLower(logged), strings.ToLower(secret)) {
			t.Errorf("the log quotes %q: %s", secret, logged)
		}
	}
}

// What is screened is never logged, whatever comes of it.
func TestNothingScreenedIsLogged(t *testing.T) {
	var log lockedBuffer
	in := install(t, Config{MaxListAge: 26 * time.Hour, Log: slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug - 4}))})
	in.server.Swap(State{Snapshot: published(t)})
	for _, text := range []string{evm, other, "nonsense-text", strings.Repeat("y", 600)} {
		in.screen(t, &pb.ScreenAddressesRequest{Addresses: []string{text}})
		if _, err := in.screening.ScreenAddresses(t.Context(), &pb.ScreenAddressesRequest{Addresses: []string{text}, AsOf: text}); err == nil {
			t.Errorf("as_of %q is accepted", text)
		} else if strings.Contains(err.Error(), text) {
			t.Errorf("the error quotes what may be an address: %v", err)
		}
		if strings.Contains(log.String(), text) {
			t.Errorf("the log quotes %q", text)
		}
	}
	if !strings.Contains(log.String(), "ready to screen") {
		t.Error("the log does not say that the server is ready")
	}
}
