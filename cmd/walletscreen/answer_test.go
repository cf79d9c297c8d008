package main

import (
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// TestExplainCall: what keeps a client from a server is told by what to look at.
func TestExplainCall(t *testing.T) {
	for _, c := range []struct{ name, message, want string }{
		{"nobody listens", `connection error: desc = "dial tcp 127.0.0.1:1: connect: connection refused"`,
			`S: connection error: desc = "dial tcp 127.0.0.1:1: connect: connection refused" (is the server running?`},
		{"nobody listens, a stream", `max retries exhausted: failed after 4 attempts: rpc error: code = Unavailable desc = connection error: desc = "refused"`,
			`S: connection error: desc = "refused" (is the server running?`},
		{"no TLS there", `desc = "transport: authentication handshake failed: tls: first record does not look like a TLS handshake"`, "does the server speak TLS?"},
		{"another authority", `desc = "transport: authentication handshake failed: tls: failed to verify certificate: x509: certificate signed by unknown authority"`, "see --tls-ca"},
		{"TLS there", `connection error: desc = "error reading server preface: EOF"`, "does it want --tls?"},
	} {
		got := explainCall("S", status.Error(codes.Unavailable, c.message)).Error()
		if !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, want %q in it", c.name, got, c.want)
		}
		if !strings.HasPrefix(c.name, "nobody") && strings.Contains(got, "is the server running") {
			t.Errorf("%s: %q asks whether a server runs that answered", c.name, got)
		}
	}
}
