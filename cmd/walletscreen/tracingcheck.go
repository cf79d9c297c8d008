package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"strings"
)

// otelVariables reads OpenTelemetry's standard variables. What the SDK passes over, with a
// warning or without one, is an error here: traces that do not arrive, or arrive all
// instead of one in a hundred, are noticed too late.
//
// The variables, and their values: OpenTelemetry's specification, "Environment Variable
// Specification" and "OpenTelemetry Protocol Exporter".
type otelVariables struct{ getenv func(string) string }

func (o otelVariables) get(name string) string { return strings.TrimSpace(o.getenv(name)) }

// exporter returns the name and the value of a variable of the exporter of traces,
// which comes before that of all exporters; no name if neither is set.
func (o otelVariables) exporter(name string) (full, value string) {
	for _, full := range []string{"OTEL_EXPORTER_OTLP_TRACES_" + name, "OTEL_EXPORTER_OTLP_" + name} {
		if value := o.get(full); value != "" {
			return full, value
		}
	}
	return "", ""
}

// check refuses what is doubtful. No value that may hold a password is in an error.
func (o otelVariables) check() error {
	for _, check := range []func() error{o.checkEnabled, o.checkEndpoint, o.checkExporter, o.checkFiles, o.checkHeaders, o.checkSampler, o.checkNumbers} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

func (o otelVariables) checkEnabled() error {
	switch value := o.get("OTEL_SDK_DISABLED"); strings.ToLower(value) {
	case "", "false":
	case "true":
		return errors.New("OTEL_SDK_DISABLED says the opposite: unset it, or leave out --tracing")
	default:
		return fmt.Errorf("OTEL_SDK_DISABLED is %q, want true or false", value)
	}
	if exporter := o.get("OTEL_TRACES_EXPORTER"); exporter != "" && exporter != "otlp" {
		return fmt.Errorf("OTEL_TRACES_EXPORTER is %q, and this program has otlp only", exporter)
	}
	return nil
}

func (o otelVariables) checkEndpoint() error {
	name, value := o.exporter("ENDPOINT")
	if name == "" {
		return errors.New("say where to send spans: OTEL_EXPORTER_OTLP_ENDPOINT=http://HOST:4317")
	}
	wrong := func(why string) error {
		return fmt.Errorf("%s %s: want http://HOST:PORT, or https for TLS; the port for grpc is 4317 mostly", name, why)
	}
	u, err := url.Parse(value)
	switch {
	case err != nil:
		return wrong("is no URL")
	case u.Scheme == "unix" && u.Path != "":
		return nil
	case u.Scheme != "http" && u.Scheme != "https":
		return wrong("has another scheme than http and https, or none")
	case u.Hostname() == "":
		return wrong("has no host")
	case u.User != nil:
		return wrong("has a user or a password, which would not be sent (OTEL_EXPORTER_OTLP_HEADERS is for that)")
	case u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "":
		return wrong("has something after the host, which OTLP over grpc has not")
	case u.Port() == "" && u.Scheme == "http":
		return wrong("has no port")
	}
	if n, err := strconv.Atoi(u.Port()); u.Port() != "" && (err != nil || n < 1 || n > 65535) {
		return wrong("has no port that can be")
	}
	// What is said last wins with the SDK, whatever the scheme says.
	switch insecure, is := o.exporter("INSECURE"); {
	case insecure == "":
	case !strings.EqualFold(is, "true") && !strings.EqualFold(is, "false"):
		return fmt.Errorf("%s is %q, want true or false", insecure, is)
	case strings.EqualFold(is, "true") != (u.Scheme == "http"):
		return fmt.Errorf("%s is %s, and %s begins with %s: leave %[1]s out, the scheme says it", insecure, is, name, u.Scheme)
	}
	return nil
}

func (o otelVariables) checkExporter() error {
	if name, value := o.exporter("PROTOCOL"); name != "" && value != "grpc" {
		return fmt.Errorf("%s is %q, and this program speaks grpc only", name, value)
	}
	if name, value := o.exporter("COMPRESSION"); name != "" && value != "gzip" && value != "none" {
		return fmt.Errorf("%s is %q, want gzip or none", name, value)
	}
	if name, value := o.exporter("TIMEOUT"); name != "" {
		if n, err := strconv.Atoi(value); err != nil || n < 1 {
			return fmt.Errorf("%s is %q, want a number of milliseconds", name, value)
		}
	}
	return nil
}

func (o otelVariables) checkFiles() error {
	_, endpoint := o.exporter("ENDPOINT")
	for _, group := range []string{"OTEL_EXPORTER_OTLP_", "OTEL_EXPORTER_OTLP_TRACES_"} {
		authority, cert, key := o.get(group+"CERTIFICATE"), o.get(group+"CLIENT_CERTIFICATE"), o.get(group+"CLIENT_KEY")
		if authority+cert+key != "" && !strings.HasPrefix(endpoint, "https:") {
			return fmt.Errorf("%sCERTIFICATE, _CLIENT_CERTIFICATE and _CLIENT_KEY are for TLS: the endpoint must begin with https", group)
		}
		if (cert == "") != (key == "") {
			return fmt.Errorf("%sCLIENT_CERTIFICATE and %[1]sCLIENT_KEY belong together", group)
		}
		if authority != "" {
			text, err := os.ReadFile(authority)
			if err != nil {
				return fmt.Errorf("%sCERTIFICATE: %w", group, err)
			}
			if !x509.NewCertPool().AppendCertsFromPEM(text) {
				return fmt.Errorf("%sCERTIFICATE: %s: no certificate in PEM in it", group, authority)
			}
		}
		if cert != "" {
			if _, err := tls.LoadX509KeyPair(cert, key); err != nil {
				return fmt.Errorf("%sCLIENT_CERTIFICATE and _CLIENT_KEY: %w", group, err)
			}
		}
	}
	return nil
}

func (o otelVariables) checkHeaders() error {
	for _, name := range []string{"OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_TRACES_HEADERS"} {
		value := o.get(name)
		if value == "" {
			continue
		}
		for i, header := range strings.Split(value, ",") {
			key, text, ok := strings.Cut(header, "=")
			_, err := url.PathUnescape(text)
			if key = strings.TrimSpace(key); !ok || err != nil || !isToken(key) {
				return fmt.Errorf("%s: want NAME=VALUE, several separated by commas, with %%-escapes in values: number %d is not that", name, i+1)
			}
		}
	}
	return nil
}

// isToken reports whether a text can be the name of a header.
func isToken(text string) bool {
	return text != "" && strings.Trim(text, "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") == ""
}

func (o otelVariables) checkSampler() error {
	const name, argument = "OTEL_TRACES_SAMPLER", "OTEL_TRACES_SAMPLER_ARG"
	value, arg := o.get(name), o.get(argument)
	switch strings.ToLower(value) {
	case "traceidratio", "parentbased_traceidratio":
		// Not a number is neither less nor more than any.
		if share, err := strconv.ParseFloat(arg, 64); arg != "" && (err != nil || !(share >= 0 && share <= 1)) {
			return fmt.Errorf("%s is %q, want a share from 0 to 1: 0.01 is 1 call of 100", argument, arg)
		}
	case "", "always_on", "always_off", "parentbased_always_on", "parentbased_always_off":
		if arg != "" {
			return fmt.Errorf("%s is %q, and nothing takes it: set %s=parentbased_traceidratio, or leave it out", argument, arg, name)
		}
	default:
		return fmt.Errorf("%s is %q, want parentbased_traceidratio, traceidratio, parentbased_always_on, parentbased_always_off, always_on or always_off", name, value)
	}
	return nil
}

func (o otelVariables) checkNumbers() error {
	number := func(name string, low, otherwise int) (int, error) {
		// The SDK trims none of these.
		value := o.getenv(name)
		if value == "" {
			return otherwise, nil
		}
		n, err := strconv.Atoi(value)
		if err != nil || n < low {
			return 0, fmt.Errorf("%s is %q, want a number from %d on", name, value, low)
		}
		return n, nil
	}
	for _, name := range []string{"OTEL_BSP_SCHEDULE_DELAY", "OTEL_BSP_EXPORT_TIMEOUT"} {
		if _, err := number(name, 1, 0); err != nil {
			return err
		}
	}
	for _, name := range []string{
		"OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "OTEL_ATTRIBUTE_COUNT_LIMIT", "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT",
		"OTEL_SPAN_EVENT_COUNT_LIMIT", "OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT", "OTEL_SPAN_LINK_COUNT_LIMIT", "OTEL_LINK_ATTRIBUTE_COUNT_LIMIT",
	} {
		if _, err := number(name, -1, 0); err != nil { // -1 is none
			return err
		}
	}
	queue, err := number("OTEL_BSP_MAX_QUEUE_SIZE", 1, 2048)
	if err != nil {
		return err
	}
	batch, err := number("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", 1, min(512, queue))
	if err != nil {
		return err
	}
	if batch > queue {
		return fmt.Errorf("OTEL_BSP_MAX_EXPORT_BATCH_SIZE is %d, more than OTEL_BSP_MAX_QUEUE_SIZE, %d", batch, queue)
	}
	return nil
}
