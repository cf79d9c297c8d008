package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"walletscreen/screen/server"
	"walletscreen/screen/server/access"
)

// secureFlags say who may call serve, and how much it holds for them.
type secureFlags struct {
	TLSCert     string `name:"tls-cert" placeholder:"FILE" help:"Certificate of the server and those between it and its authority, in PEM. With --tls-key: speak TLS 1.3, or 1.2, and nothing else. This file and the two below are read anew when they change; what cannot be used is reported and changes nothing. An expired certificate is refused."`
	TLSKey      string `name:"tls-key" placeholder:"FILE" help:"Private key of --tls-cert, in PEM. A file that every user of the machine can read is refused."`
	TLSClientCA string `name:"tls-client-ca" placeholder:"FILE" help:"Authorities of client certificates, in PEM. A client must show a certificate that one of them signed; with --callers it may show a token instead. A certificate of another authority is always refused."`
	Callers     string `placeholder:"FILE" help:"YAML file of who may call, what, and how much; docs/security.md has its form. Read anew when it changes. Without it everybody who can connect may call everything. Health checks are open to all. Callers with tokens want TLS or a loopback address."`

	MaxConnections        int           `default:"10000" help:"Connections at a time. More are closed at once. No more than the limit of open files allows, less 200."`
	MaxConnectionsPerHost int           `default:"1000" help:"Connections at a time from one remote address, which may be that of a proxy before many clients."`
	MaxConnectionCalls    int           `default:"250" help:"Calls at a time on one connection. A client waits for one of its own to end."`
	MaxCalls              int           `default:"5000" help:"Calls at a time, health checks left out. More are refused at once with UNAVAILABLE and OVERLOADED. The last fifth is for callers (by name; without credentials, by remote address) with less than a tenth in progress."`
	MaxPending            int           `default:"256" help:"MiB of requests that have not arrived as a whole, again of requests that are not answered yet, and again of responses that clients have not taken yet. The connections that hold most are closed: for half requests before the limit is reached, for responses past it. Calls are refused as by --max-calls while responses are past it and when whole requests would be. A quarter of the responses may wait for one client."`
	HandshakeTimeout      time.Duration `default:"10s" help:"How long a new connection may take to speak TLS and HTTP/2."`
	CallTimeout           time.Duration `default:"30s" help:"How long a call with one request and one response may take, from its first bytes on, whatever deadline the client has."`
	StreamIdleTimeout     time.Duration `default:"10m" help:"How long a stream of requests may go without the next one."`
	SendTimeout           time.Duration `default:"1m" help:"How long a response may wait for its client to take it. Then the connection is closed."`
}

// spareFiles are the files that a server has open besides connections of clients.
const spareFiles = 200

// limits checks the limits.
func (c *secureFlags) limits(log *slog.Logger) (server.Limits, error) {
	for _, limit := range []struct {
		flag       string
		value, max int
	}{
		{"--max-connections", c.MaxConnections, 1_000_000}, {"--max-connections-per-host", c.MaxConnectionsPerHost, 1_000_000},
		{"--max-connection-calls", c.MaxConnectionCalls, 100_000}, {"--max-calls", c.MaxCalls, 1_000_000}, {"--max-pending", c.MaxPending, 1 << 20},
	} {
		if limit.value < 1 || limit.value > limit.max {
			return server.Limits{}, usagef("%s is %d, want 1 to %d", limit.flag, limit.value, limit.max)
		}
	}
	// One request of the largest kind, and room for others beside it.
	if c.MaxPending < 32 {
		return server.Limits{}, usagef("--max-pending is %d MiB, want at least 32: one request may have 8", c.MaxPending)
	}
	for _, limit := range []struct {
		flag  string
		value time.Duration
	}{
		{"--handshake-timeout", c.HandshakeTimeout}, {"--call-timeout", c.CallTimeout}, {"--stream-idle-timeout", c.StreamIdleTimeout}, {"--send-timeout", c.SendTimeout},
	} {
		if limit.value < 100*time.Millisecond {
			return server.Limits{}, usagef("%s is %s, want at least 100ms", limit.flag, limit.value)
		}
	}
	connections := c.MaxConnections
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err == nil && files.Cur < uint64(connections)+spareFiles {
		connections = max(int(files.Cur)-spareFiles, int(files.Cur)/2)
		log.Warn("fewer connections than --max-connections: this process may have too few open files", "connections", connections, "max_connections", c.MaxConnections, "open_files", files.Cur)
	}
	return server.Limits{
		Connections: connections, ConnectionsPerHost: c.MaxConnectionsPerHost, Streams: c.MaxConnectionCalls, Calls: c.MaxCalls,
		Pending: int64(c.MaxPending) << 20, Handshake: c.HandshakeTimeout, Call: c.CallTimeout, Idle: c.StreamIdleTimeout, Send: c.SendTimeout,
	}, nil
}

// secure decides who may call a server that listens on an address, and refuses
// what is doubtful.
func (c *secureFlags) secure(listen string, insecure bool, metrics prometheus.Registerer, log *slog.Logger) (*access.Control, server.Limits, error) {
	limits, err := c.limits(log)
	if err != nil {
		return nil, limits, err
	}
	switch {
	case (c.TLSCert == "") != (c.TLSKey == ""):
		return nil, limits, usagef("--tls-cert and --tls-key belong together")
	case c.TLSClientCA != "" && c.TLSCert == "":
		return nil, limits, usagef("--tls-client-ca wants TLS: give --tls-cert and --tls-key, too")
	case c.TLSCert == "":
		if err := allowed(listen, insecure); err != nil {
			return nil, limits, err
		}
	}
	control, err := access.Open(access.Config{
		Callers: c.Callers, Cert: c.TLSCert, Key: c.TLSKey, ClientCA: c.TLSClientCA, Log: log, Metrics: metrics,
		Plaintext: c.TLSCert == "" && allowed(listen, false) != nil,
	})
	if err != nil {
		return nil, limits, usagef("%v", err)
	}
	if c.TLSCert != "" && c.Callers == "" && c.TLSClientCA == "" && allowed(listen, false) != nil {
		log.Warn("everybody who can connect may call everything: give --callers or --tls-client-ca", "listen", listen)
	}
	return control, limits, nil
}

type tokenCmd struct {
	New  tokenNewCmd  `cmd:"" help:"Make a token, and print it and its hash, once."`
	Hash tokenHashCmd `cmd:"" help:"Print the hash of a token that was made elsewhere, read from standard input."`
}

type tokenNewCmd struct{}

// Help is the part of the manual that belongs to no flag.
func (tokenNewCmd) Help() string {
	return "The token goes to the caller, into a file that only it can read (--token-file); the hash goes into the file of --callers. Nothing is kept: a lost token is replaced by a new one."
}

// Run makes a token.
func (tokenNewCmd) Run(s std) error {
	token := access.NewToken()
	hash, err := access.HashToken(token)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.out, "token  %s\nhash   %s\n", token, hash)
	return err
}

type tokenHashCmd struct{}

// Run prints the hash of a token.
func (tokenHashCmd) Run(s std) error {
	text, err := io.ReadAll(io.LimitReader(s.in, 1<<16))
	if err != nil {
		return fmt.Errorf("standard input: %w", err)
	}
	hash, err := access.HashToken(strings.TrimRight(string(text), "\r\n"))
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(s.out, hash)
	return err
}

// watchAccess reads certificates and callers anew until ctx ends.
func watchAccess(ctx context.Context, control *access.Control) func() error {
	return func() error { control.Watch(ctx); return nil }
}
