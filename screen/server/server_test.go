package server

import (
	"context"
	"crypto/sha256"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	pb "walletscreen/proto/walletscreen/v1"
	"walletscreen/screen"
	"walletscreen/screen/wire"
)

const (
	evm      = "0x098B716B8Aaf21512996dC57EB0615e2383E2f96"
	evmLower = "0x098b716b8aaf21512996dc57eb0615e2383e2f96"
	other    = "0x000000000000000000000000000000000000dEaD"
	tronText = "TA3941uFAvmVibSkQ6fMJXxmaSNovX86mz"
)

var (
	sdn = screen.List{ID: "us-ofac-sdn", Kind: screen.KindDesignation, Authority: "OFAC", Name: "SDN List", URL: "https://example.org/sdn"}
	own = screen.List{ID: "own", Kind: screen.KindInternal, Authority: "we", Name: "Our own list"}
)

// noon is when the tests begin, on the day after the publication of published.
var noon = time.Date(2025, 11, 5, 12, 0, 0, 0, time.UTC)

// clock is a clock that stands still until it is set.
type clock struct{ at atomic.Pointer[time.Time] }

func newClock(at time.Time) *clock {
	c := new(clock)
	c.set(at)
	return c
}

func (c *clock) now() time.Time   { return *c.at.Load() }
func (c *clock) set(at time.Time) { c.at.Store(&at) }

// installation is a server on a socket with clients of every service.
type installation struct {
	server    *Server
	clock     *clock
	conn      *grpc.ClientConn
	screening pb.ScreeningServiceClient
	lists     pb.ListServiceClient
}

func install(t testing.TB, cfg Config) *installation {
	t.Helper()
	return installWith(t, cfg)
}

func installWith(t testing.TB, cfg Config, opts ...grpc.ServerOption) *installation {
	t.Helper()
	in := &installation{clock: newClock(noon)}
	if cfg.Now == nil {
		cfg.Now = in.clock.now
	}
	in.server = New(cfg)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := in.server.GRPC(opts...)
	done := make(chan error, 1)
	go func() { done <- g.Serve(in.server.Listener(listener)) }()
	t.Cleanup(func() {
		g.Stop()
		if err := <-done; err != nil {
			t.Errorf("serving: %v", err)
		}
	})
	in.conn, err = grpc.NewClient(listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.conn.Close() })
	in.screening, in.lists = pb.NewScreeningServiceClient(in.conn), pb.NewListServiceClient(in.conn)
	return in
}

// screen calls ScreenAddresses with the codec that lets any bytes through.
func (in *installation) screen(t testing.TB, req *pb.ScreenAddressesRequest) *pb.ScreenAddressesResponse {
	t.Helper()
	res, err := in.screening.ScreenAddresses(t.Context(), req, grpc.ForceCodecV2(wire.Codec{}))
	if err != nil {
		t.Fatalf("%v: %v", req, err)
	}
	if len(res.Results) != len(req.Addresses) {
		t.Fatalf("%d results for %d addresses", len(res.Results), len(req.Addresses))
	}
	return res
}

func (in *installation) screenOne(t testing.TB, req *pb.ScreenAddressesRequest) *pb.ScreenResult {
	t.Helper()
	return in.screen(t, req).Results[0]
}

func merged(t testing.TB, s *screen.Snapshot, list screen.List, on screen.Date, name string, parties ...screen.PublishedParty) *screen.Snapshot {
	t.Helper()
	next, _, err := s.Merge(list, &screen.Publication{List: list.ID, PublishedOn: on, Digest: sha256.Sum256([]byte(name)), Records: 10, Parties: parties})
	if err != nil {
		t.Fatal(err)
	}
	return next
}

func party(uid string, texts ...string) screen.PublishedParty {
	p := screen.PublishedParty{UID: uid, Facts: screen.Facts{Name: "Party " + uid, Type: screen.PartyEntity, Programs: []string{"DPRK3"}}}
	for _, text := range texts {
		p.Addresses = append(p.Addresses, screen.PublishedAddress{Text: text, Symbol: "ETH"})
	}
	return p
}

// published is snapshot 7: evm listed on 2025-11-04, tronText delisted on it.
func published(t testing.TB) *screen.Snapshot {
	t.Helper()
	s := merged(t, screen.Empty(), sdn, 20251030, "1", party("1", tronText))
	return merged(t, s, sdn, 20251104, "2", party("1", evm)).Named(7, noon.Add(-time.Hour))
}

func digest(name string) string {
	d := screen.Digest(sha256.Sum256([]byte(name)))
	return d.String()
}

// verified says that each list was compared with its publisher at the instant.
func verified(at time.Time, ids ...screen.ListID) map[screen.ListID]screen.Verification {
	m := map[screen.ListID]screen.Verification{}
	for _, id := range ids {
		m[id] = screen.Verification{At: at, Source: "https://example.org/file"}
	}
	return m
}

// wantFailure checks the code and details of an error as the contract has them.
func wantFailure(t testing.TB, err error, code codes.Code, reason pb.ErrorReason, retry time.Duration, metadata map[string]string) {
	t.Helper()
	st, ok := status.FromError(err)
	if err == nil || !ok || st.Code() != code {
		t.Errorf("error %v, want %s", err, code)
		return
	}
	var info *errdetails.ErrorInfo
	var wait time.Duration
	for _, d := range st.Details() {
		switch d := d.(type) {
		case *errdetails.ErrorInfo:
			info = d
		case *errdetails.RetryInfo:
			wait = d.RetryDelay.AsDuration()
		default:
			t.Errorf("detail %v", d)
		}
	}
	if got := "ERROR_REASON_" + info.GetReason(); info.GetDomain() != "walletscreen" || got != reason.String() {
		t.Errorf("domain %q, reason %s, want %s", info.GetDomain(), got, reason)
	}
	if wait != retry {
		t.Errorf("retry after %s, want %s", wait, retry)
	}
	if diff := cmp.Diff(metadata, info.GetMetadata()); diff != "" {
		t.Errorf("metadata (-want +got):\n%s", diff)
	}
}

// within gives up waiting when the test's own time is over.
func within(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}
