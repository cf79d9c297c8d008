package main

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestTracingVariables tries what OpenTelemetry's SDK would pass over.
func TestTracingVariables(t *testing.T) {
	page := filepath.Join(t.TempDir(), "page.html")
	if err := os.WriteFile(page, []byte("<html>"), 0o600); err != nil {
		t.Fatal(err)
	}
	const endpoint = "OTEL_EXPORTER_OTLP_ENDPOINT"
	for _, test := range []struct{ variables, says string }{ // "" is accepted
		{endpoint + "=http://127.0.0.1:4317", ""},
		{endpoint + "= https://collector:4317/ ", ""},
		{endpoint + "=https://collector.example", ""},
		{endpoint + "=http://[::1]:4317", ""},
		{endpoint + "=unix:///run/collector.sock", ""},
		{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://collector:4317|" + endpoint + "=nonsense", ""},
		{"", "say where to send spans"},
		{endpoint + "=collector:4317", endpoint + " has another scheme than http and https, or none: want http://HOST:PORT"},
		{endpoint + "=127.0.0.1:4317", endpoint + " is no URL"},
		{endpoint + "=http://user:hunter2@[collector", endpoint + " is no URL"},
		{endpoint + "=http://user:hunter2@collector:4317", "has a user or a password"},
		{endpoint + "=http://:4317", "has no host"},
		{endpoint + "=http://collector", "has no port"},
		{endpoint + "=http://collector:70000", "has no port that can be"},
		{endpoint + "=http://collector:4318/v1/traces", "has something after the host"},
		{endpoint + "=grpc://collector:4317", "has another scheme"},
		{"ok|OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=nonsense", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT has another scheme"},
		{"ok|OTEL_EXPORTER_OTLP_INSECURE=true", ""},
		{"ok|OTEL_EXPORTER_OTLP_INSECURE=1", `OTEL_EXPORTER_OTLP_INSECURE is "1", want true or false`},
		{"ok|OTEL_EXPORTER_OTLP_INSECURE=false", "OTEL_EXPORTER_OTLP_INSECURE is false, and " + endpoint + " begins with http: leave OTEL_EXPORTER_OTLP_INSECURE out"},
		{endpoint + "=https://collector:4317|OTEL_EXPORTER_OTLP_TRACES_INSECURE=true", "OTEL_EXPORTER_OTLP_TRACES_INSECURE is true, and"},
		{"ok|OTEL_EXPORTER_OTLP_PROTOCOL=grpc", ""},
		{"ok|OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf|OTEL_EXPORTER_OTLP_TRACES_PROTOCOL=grpc", ""},
		{"ok|OTEL_EXPORTER_OTLP_PROTOCOL=nosuch", `OTEL_EXPORTER_OTLP_PROTOCOL is "nosuch", and this program speaks grpc only`},
		{"ok|OTEL_EXPORTER_OTLP_TRACES_PROTOCOL=http/json", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL is"},
		{"ok|OTEL_EXPORTER_OTLP_COMPRESSION=gzip", ""},
		{"ok|OTEL_EXPORTER_OTLP_COMPRESSION=zstd", `OTEL_EXPORTER_OTLP_COMPRESSION is "zstd", want gzip or none`},
		{"ok|OTEL_EXPORTER_OTLP_TIMEOUT=10000", ""},
		{"ok|OTEL_EXPORTER_OTLP_TIMEOUT=10s", "want a number of milliseconds"},
		{"ok|OTEL_EXPORTER_OTLP_HEADERS=authorization=Bearer%20hunter2, x-team=a", ""},
		{"ok|OTEL_EXPORTER_OTLP_HEADERS=x-team=a,hunter2", "number 2 is not that"},
		{"ok|OTEL_EXPORTER_OTLP_HEADERS=x team=hunter2", "number 1 is not that"},
		{"ok|OTEL_EXPORTER_OTLP_HEADERS=x=%zhunter2", "number 1 is not that"},
		{"ok|OTEL_EXPORTER_OTLP_CERTIFICATE=" + page, "are for TLS"},
		{endpoint + "=https://c:4317|OTEL_EXPORTER_OTLP_CERTIFICATE=" + page, "no certificate in PEM in it"},
		{endpoint + "=https://c:4317|OTEL_EXPORTER_OTLP_CERTIFICATE=nosuch", "nosuch: no such file"},
		{endpoint + "=https://c:4317|OTEL_EXPORTER_OTLP_CLIENT_KEY=" + page, "belong together"},
		{endpoint + "=https://c:4317|OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY=" + page + "|OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE=" + page, "OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE and _CLIENT_KEY: tls:"},
		{"ok|OTEL_TRACES_SAMPLER=parentbased_traceidratio|OTEL_TRACES_SAMPLER_ARG=0.01", ""},
		{"ok|OTEL_TRACES_SAMPLER=TraceIDRatio", ""},
		{"ok|OTEL_TRACES_SAMPLER=always_off", ""},
		{"ok|OTEL_TRACES_SAMPLER=jaeger_remote", `OTEL_TRACES_SAMPLER is "jaeger_remote", want parentbased_traceidratio`},
		{"ok|OTEL_TRACES_SAMPLER=traceidratio|OTEL_TRACES_SAMPLER_ARG=1.5", `OTEL_TRACES_SAMPLER_ARG is "1.5", want a share from 0 to 1`},
		{"ok|OTEL_TRACES_SAMPLER=traceidratio|OTEL_TRACES_SAMPLER_ARG=-0.1", "want a share"},
		{"ok|OTEL_TRACES_SAMPLER=traceidratio|OTEL_TRACES_SAMPLER_ARG=NaN", "want a share"},
		{"ok|OTEL_TRACES_SAMPLER=traceidratio|OTEL_TRACES_SAMPLER_ARG=1%", "want a share"},
		{"ok|OTEL_TRACES_SAMPLER_ARG=0.01", "nothing takes it"},
		{"ok|OTEL_TRACES_SAMPLER=always_on|OTEL_TRACES_SAMPLER_ARG=0.01", "nothing takes it"},
		{"ok|OTEL_TRACES_EXPORTER=otlp", ""},
		{"ok|OTEL_TRACES_EXPORTER=zipkin", "this program has otlp only"},
		{"ok|OTEL_SDK_DISABLED=false", ""},
		{"ok|OTEL_SDK_DISABLED=TRUE", "OTEL_SDK_DISABLED says the opposite"},
		{"ok|OTEL_SDK_DISABLED=1", "want true or false"},
		{"ok|OTEL_BSP_MAX_QUEUE_SIZE=100", ""},
		{"ok|OTEL_BSP_MAX_QUEUE_SIZE=100|OTEL_BSP_MAX_EXPORT_BATCH_SIZE=101", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE is 101, more than OTEL_BSP_MAX_QUEUE_SIZE, 100"},
		{"ok|OTEL_BSP_MAX_QUEUE_SIZE=1k", `OTEL_BSP_MAX_QUEUE_SIZE is "1k", want a number from 1 on`},
		{"ok|OTEL_BSP_SCHEDULE_DELAY=5s", "want a number from 1 on"},
		{"ok|OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT=-1", ""},
		{"ok|OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT=many", "want a number from -1 on"},
	} {
		variables := map[string]string{}
		for text := range strings.SplitSeq(test.variables, "|") {
			name, value, _ := strings.Cut(text, "=")
			if name == "ok" {
				name, value = endpoint, "http://127.0.0.1:4317"
			}
			variables[name] = value
		}
		err := otelVariables{func(name string) string { return variables[name] }}.check()
		switch {
		case test.says == "" && err != nil:
			t.Errorf("%s: %v", test.variables, err)
		case test.says != "" && (err == nil || !strings.Contains(err.Error(), test.says)):
			t.Errorf("%s: %v, want %s", test.variables, err, test.says)
		case err != nil && strings.Contains(err.Error(), "hunter2"):
			t.Errorf("%s: the error has the password: %v", test.variables, err)
		}
	}
}

// TestTracingIsRefused: what is doubtful is a usage error of serve.
func TestTracingIsRefused(t *testing.T) {
	for name, value := range map[string]string{"OTEL_TRACES_SAMPLER": "nosuch", "OTEL_RESOURCE_ATTRIBUTES": "no-value", "OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4317"} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
			t.Setenv(name, value)
			_, _, err := startTracing(t.Context(), slog.New(slog.DiscardHandler))
			if _, ok := err.(*usageError); !ok || !strings.HasPrefix(err.Error(), "--tracing: "+name) {
				t.Errorf("error %v", err)
			}
		})
	}
}
