package server

import (
	"context"

	"go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/stats"

	pb "walletscreen/proto/walletscreen/v1"
)

// tracing makes a span of each call of the services. Nothing that a caller writes
// freely gets into one: calls of methods that there are not, whose name would be the
// span's, have none, and of the caller's trace only its ids and flags are taken.
func tracing(provider trace.TracerProvider) grpc.ServerOption {
	traced := map[string]bool{}
	for _, service := range []grpc.ServiceDesc{pb.ScreeningService_ServiceDesc, pb.ListService_ServiceDesc} {
		for _, m := range service.Methods {
			traced["/"+service.ServiceName+"/"+m.MethodName] = true
		}
		for _, m := range service.Streams {
			traced["/"+service.ServiceName+"/"+m.StreamName] = true
		}
	}
	return grpc.StatsHandler(otelgrpc.NewServerHandler(
		otelgrpc.WithTracerProvider(provider),
		otelgrpc.WithPropagators(parentOnly{}),
		otelgrpc.WithFilter(func(info *stats.RPCTagInfo) bool { return traced[info.FullMethodName] }),
	))
}

// parentOnly takes the traceparent of W3C Trace Context from a request, and neither
// tracestate nor baggage, which hold any text.
type parentOnly struct{ propagation.TraceContext }

// Extract implements propagation.TextMapPropagator.
func (p parentOnly) Extract(ctx context.Context, from propagation.TextMapCarrier) context.Context {
	parent := propagation.MapCarrier{}
	if value := from.Get("traceparent"); value != "" {
		parent.Set("traceparent", value)
	}
	return p.TraceContext.Extract(ctx, parent)
}
