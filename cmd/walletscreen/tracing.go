package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// flushTime is how long the last spans may take to be sent when the server ends.
const flushTime = 2 * time.Second

// startTracing returns a tracer that sends spans where OpenTelemetry's standard
// variables say, and what sends the last of them.
func startTracing(ctx context.Context, log *slog.Logger) (_ *sdktrace.TracerProvider, flush func(), err error) {
	if err := (otelVariables{os.Getenv}).check(); err != nil {
		return nil, nil, usagef("--tracing: %v", err)
	}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { log.Warn("tracing", "err", err) }))
	exporter, err := otlptracegrpc.New(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("starting to trace: %w", err)
	}
	// The command line, which resources may name, can hold a password: this is all
	// but what the variables say.
	about, err := resource.New(ctx,
		resource.WithAttributes(attribute.String("service.name", "walletscreen"), attribute.String("service.version", version())),
		resource.WithTelemetrySDK(), resource.WithFromEnv())
	if err != nil {
		return nil, nil, usagef("--tracing: OTEL_RESOURCE_ATTRIBUTES: want NAME=VALUE, several separated by commas, with %%-escapes in values: %v", err)
	}
	provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter), sdktrace.WithResource(about))
	return provider, func() {
		ctx, cancel := context.WithTimeout(context.Background(), flushTime)
		defer cancel()
		if err := provider.Shutdown(ctx); err != nil {
			log.Warn("the last spans are lost", "err", err)
		}
	}, nil
}
