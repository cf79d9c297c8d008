// Package client calls walletscreen servers with the settings that its authors
// recommend, and says what their answers allow.
//
// A Client calls one server or several, of which it asks those that can answer. It
// repeats what is worth repeating, on another server if there is one, within the
// deadline of the call, and nothing else: every call of the contract is safe to
// repeat, and an error that repeating does not mend is returned at once.
//
// ScreenAll and Batches take more addresses than one request holds. Policy.Decide
// turns an answer, or the lack of one, into what to do with each address; it is the
// only way to a Decision that lets a transfer go ahead.
//
// docs/clients.md says the same for other languages.
package client

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"runtime/debug"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	_ "google.golang.org/grpc/health" // watches the health of servers, as healthCheckConfig asks
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"
	"google.golang.org/grpc/status"

	pb "walletscreen/proto/walletscreen/v1"
	"walletscreen/screen/wire"
)

// MaxAddresses is how many addresses a server takes in one request.
const MaxAddresses = 10_000

// DefaultTimeout bounds a call whose context has no deadline: the server waits up to
// two seconds for a snapshot that is asked for, and a second server must have its
// chance after a first that hangs. An answer takes milliseconds.
const DefaultTimeout = 10 * time.Second

const (
	// maxResponse bounds a response, in bytes: 10,000 addresses that are all listed.
	maxResponse = 256 << 20
	// maxRequest is what gRPC keeps of a request to send it again, in bytes. Its
	// default of 256 KiB is less than 10,000 addresses: such a request would be sent
	// once and never again.
	maxRequest = 16 << 20
)

// serviceConfig is what gRPC does by itself. docs/clients.md shows it to users of
// other languages, and a test keeps the two equal.
//
// UNAVAILABLE alone is repeated: no server was reached, or the one that was has no
// snapshot yet. The pauses add up to less than a second, because whoever waits for
// the answer can do something better than wait when nobody answers. Once more than
// half of 1,000 tokens are gone, of which a failure takes one and a success gives
// back half, nothing is repeated: servers that come back must not drown.
const serviceConfig = `{
  "methodConfig": [{
    "name": [{"service": "walletscreen.v1.ScreeningService"}, {"service": "walletscreen.v1.ListService"}],
    "retryPolicy": {
      "maxAttempts": 4,
      "initialBackoff": "0.1s",
      "maxBackoff": "1s",
      "backoffMultiplier": 2,
      "retryableStatusCodes": ["UNAVAILABLE"]
    }
  }],
  "retryThrottling": {"maxTokens": 1000, "tokenRatio": 0.5},
  "loadBalancingConfig": [{"round_robin": {}}],
  "healthCheckConfig": {"serviceName": "walletscreen.v1.ScreeningService"}
}`

// Options say how a Client connects. The zero Options connect without TLS.
type Options struct {
	// TLS secures the connections; nil means none, which is for loopback and for
	// networks that secure what they carry. Servers given by their name or IP address
	// must have a certificate for it, unless ServerName says another. A client
	// certificate that changes is best returned by GetClientCertificate.
	TLS *tls.Config
	// TokenFile names a file that holds a bearer token and nothing else but white
	// space around it. It is read again when it has changed, so that a token can be
	// replaced without a restart. New refuses it without TLS unless every target is
	// on loopback: who reads a token on its way may use it.
	TokenFile string
	// Timeout bounds a unary call whose context has no deadline, its repeats
	// included; 0 means DefaultTimeout. Streams are not bounded.
	Timeout time.Duration
	// UserAgent is put before the client's own name and version, which servers log.
	UserAgent string
	// Dial options come after the recommended ones and so override them.
	Dial []grpc.DialOption
}

// Client calls one server, or several of one installation. It is safe for use by
// many goroutines, and one is enough for a program.
type Client struct {
	conn      *channel
	screening pb.ScreeningServiceClient
	lists     pb.ListServiceClient
	health    healthpb.HealthClient
}

// ErrNoTLS says that a token would go to another machine in the clear.
var ErrNoTLS = errors.New("a token is not sent without TLS but to a loopback address")

// New returns a client of servers. It does not connect.
//
// A target is the address of a server ("10.1.2.3:50051", "screening-1:50051"), or one
// that gRPC resolves ("dns:///screening:50051", "unix:///run/walletscreen.sock"),
// which must be the only one. Calls go in turn to the servers that say they can
// answer correctly, as the health service of each reports, those of a name in DNS as
// well. If none says so, calls go to any that can be reached: a server that is not
// ready says LISTED where that is so, and never NOT_LISTED where it cannot know.
func New(targets []string, o Options) (*Client, error) {
	if len(targets) == 0 {
		return nil, errors.New("no server is named")
	}
	transport := insecure.NewCredentials()
	if o.TLS != nil {
		transport = credentials.NewTLS(o.TLS)
	}
	dial := []grpc.DialOption{
		grpc.WithTransportCredentials(transport),
		grpc.WithUserAgent(strings.TrimSpace(o.UserAgent + " walletscreen-client/" + version())),
		grpc.WithDefaultServiceConfig(serviceConfig),
		// Whoever owns the name in DNS does not decide how often calls are repeated.
		grpc.WithDisableServiceConfig(),
		grpc.WithDefaultCallOptions(
			grpc.ForceCodecV2(wire.Codec{}), grpc.MaxCallRecvMsgSize(maxResponse), grpc.MaxRetryRPCBufferSize(maxRequest)),
		// Servers cut off who pings more often than every 10 seconds. A server that is
		// gone without a word is given up after 25.
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 20 * time.Second, Timeout: 5 * time.Second, PermitWithoutStream: true}),
		// gRPC's own pauses grow to two minutes: long after a server is back.
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 200 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: 5 * time.Second},
			MinConnectTimeout: 3 * time.Second,
		}),
	}
	if o.TokenFile != "" {
		if o.TLS == nil {
			for _, target := range targets {
				if !loopback(target) {
					return nil, fmt.Errorf("server %q: %w", target, ErrNoTLS)
				}
			}
		}
		token := &token{file: o.TokenFile, secure: o.TLS != nil}
		if _, err := token.read(); err != nil {
			return nil, err
		}
		dial = append(dial, grpc.WithPerRPCCredentials(token))
	}
	ch := &channel{timeout: o.Timeout, allowance: newAllowance()}
	if ch.timeout <= 0 {
		ch.timeout = DefaultTimeout
	}
	var err error
	if ch.any, err = connect(targets, append(append(dial, grpc.WithDisableHealthCheck()), o.Dial...)); err != nil {
		return nil, err
	}
	// Whether the only server is ready makes no difference to where calls go.
	if len(targets) > 1 || !single(targets[0]) {
		if ch.ready, err = connect(targets, append(dial, o.Dial...)); err != nil {
			ch.any.Close()
			return nil, err
		}
	}
	return &Client{ch, pb.NewScreeningServiceClient(ch), pb.NewListServiceClient(ch), healthpb.NewHealthClient(ch.any)}, nil
}

// connect makes a connection to all targets.
func connect(targets []string, dial []grpc.DialOption) (*grpc.ClientConn, error) {
	target := targets[0]
	if len(targets) > 1 {
		var state resolver.State
		for _, t := range targets {
			// A name is looked up whenever its server is dialed.
			host, _, err := net.SplitHostPort(t)
			if err != nil || host == "" {
				return nil, fmt.Errorf("server %q: one of several must be of the form HOST:PORT", t)
			}
			state.Endpoints = append(state.Endpoints, resolver.Endpoint{Addresses: []resolver.Address{{Addr: t, ServerName: t}}})
		}
		static := manual.NewBuilderWithScheme("servers")
		static.InitialState(state)
		dial = append([]grpc.DialOption{grpc.WithResolvers(static)}, dial...)
		target = "servers:///walletscreen"
	}
	// Without a port gRPC would ask that of https.
	if name, dns := strings.CutPrefix(target, "dns:///"); len(targets) == 1 && (dns || !schemed(target)) {
		if host, port, err := net.SplitHostPort(name); err != nil || host == "" || port == "" {
			return nil, fmt.Errorf("server %q: want HOST:PORT, or dns:///NAME:PORT", target)
		}
	}
	conn, err := grpc.NewClient(target, dial...)
	if err != nil {
		return nil, fmt.Errorf("server %q: %w", targets[0], err)
	}
	return conn, nil
}

// schemed reports whether a target says how it is resolved.
func schemed(target string) bool {
	return strings.Contains(target, ":///") || strings.HasPrefix(target, "unix:") || strings.HasPrefix(target, "unix-abstract:") || strings.HasPrefix(target, "passthrough:")
}

// single reports whether a target is one server: not a name, which may have many.
func single(target string) bool {
	_, err := netip.ParseAddrPort(target)
	return err == nil || strings.HasPrefix(target, "unix:") || strings.HasPrefix(target, "passthrough:")
}

// loopback reports whether what is sent to a target stays on this machine.
func loopback(target string) bool {
	if strings.HasPrefix(target, "unix:") {
		return true
	}
	host, _, err := net.SplitHostPort(target)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// version is the version of this module, as far as the program that it is built into
// knows it.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, module := range append(info.Deps, &info.Main) {
		if module.Path == "walletscreen" && module.Version != "" {
			return strings.Trim(module.Version, "()")
		}
	}
	return "unknown"
}

// Close ends the connections. Calls under way fail.
func (c *Client) Close() error { return c.conn.close() }

// ScreenAddresses screens one batch, as the contract says. A response always has
// exactly one result for each address: another is an INTERNAL error.
func (c *Client) ScreenAddresses(ctx context.Context, req *pb.ScreenAddressesRequest) (*pb.ScreenAddressesResponse, error) {
	return c.screening.ScreenAddresses(ctx, req)
}

// GetSnapshot describes what the server serves now; of several, one of them.
func (c *Client) GetSnapshot(ctx context.Context) (*pb.GetSnapshotResponse, error) {
	return c.lists.GetSnapshot(ctx, &pb.GetSnapshotRequest{})
}

// Ready reports whether the server can answer correctly now; of several, whether at
// least one can. The error says why none could be asked.
func (c *Client) Ready(ctx context.Context) (bool, error) {
	if c.conn.ready != nil {
		c.conn.ready.Connect()
		state := c.conn.ready.GetState()
		for state != connectivity.Ready && state != connectivity.TransientFailure {
			if !c.conn.ready.WaitForStateChange(ctx, state) {
				return false, status.FromContextError(ctx.Err()).Err()
			}
			c.conn.ready.Connect()
			state = c.conn.ready.GetState()
		}
		if state == connectivity.Ready {
			return true, nil
		}
		// None is ready, or none is reached: one that is reached says which.
	}
	res, err := c.health.Check(ctx, &healthpb.HealthCheckRequest{Service: pb.ScreeningService_ServiceDesc.ServiceName})
	return res.GetStatus() == healthpb.HealthCheckResponse_SERVING, err
}
