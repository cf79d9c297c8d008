package server

import (
	"context"
	"testing"

	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	pb "walletscreen/proto/walletscreen/v1"
)

// Of the caller's trace only ids and flags are taken.
func TestParentOnly(t *testing.T) {
	ctx := parentOnly{}.Extract(t.Context(), propagation.MapCarrier{
		"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "tracestate": "v=" + evm, "baggage": "customer=" + evm,
	})
	parent := trace.SpanContextFromContext(ctx)
	if parent.TraceID().String() != "4bf92f3577b34da6a3ce929d0e0e4736" || !parent.IsSampled() || !parent.IsRemote() || parent.TraceState().Len() != 0 {
		t.Errorf("parent %v", parent)
	}
	if parent := trace.SpanContextFromContext(parentOnly{}.Extract(t.Context(), propagation.MapCarrier{})); parent.IsValid() {
		t.Errorf("without a parent: %v", parent)
	}
}

// nowhere is an exporter that sends spans nowhere.
type nowhere struct{}

func (nowhere) ExportSpans(context.Context, []sdktrace.ReadOnlySpan) error { return nil }
func (nowhere) Shutdown(context.Context) error                             { return nil }

// BenchmarkTracing tells what tracing costs a call over a socket.
func BenchmarkTracing(b *testing.B) {
	sampled := func(ratio float64) trace.TracerProvider {
		return sdktrace.NewTracerProvider(sdktrace.WithBatcher(nowhere{}), sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.TraceIDRatioBased(ratio))))
	}
	for _, test := range []struct {
		name   string
		tracer trace.TracerProvider
	}{{"off", nil}, {"1in100", sampled(0.01)}, {"all", sampled(1)}} {
		b.Run(test.name, func(b *testing.B) {
			in := install(b, Config{Tracer: test.tracer, LogCalls: LogErrors})
			if err := in.server.Swap(State{Snapshot: published(b)}); err != nil {
				b.Fatal(err)
			}
			req := &pb.ScreenAddressesRequest{Addresses: []string{other}}
			b.ReportAllocs()
			for b.Loop() {
				in.screen(b, req)
			}
		})
	}
}

// BenchmarkObserve tells what counting a call costs.
func BenchmarkObserve(b *testing.B) {
	s := New(Config{LogCalls: LogErrors})
	res := &pb.ScreenAddressesResponse{Results: []*pb.ScreenResult{{Verdict: pb.Verdict_VERDICT_NOT_LISTED}}}
	b.ReportAllocs()
	for b.Loop() {
		c := s.begin(b.Context(), pb.ScreeningService_ScreenAddresses_FullMethodName)
		s.batch(c, res)
		s.end(b.Context(), c, true, nil)
	}
}
