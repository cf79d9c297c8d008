package client_test

import (
	"context"
	"fmt"
	"net"
	"slices"
	"sync/atomic"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "walletscreen/proto/walletscreen/v1"
	"walletscreen/screen"
	"walletscreen/screen/client"
	"walletscreen/screen/server"
)

const listed = "0x098B716B8Aaf21512996dC57EB0615e2383E2f96"

// snapshot is a snapshot of one listing under a number.
func snapshot(t testing.TB, sequence uint64) *screen.Snapshot {
	t.Helper()
	list := screen.List{ID: "us-ofac-sdn", Kind: screen.KindDesignation}
	s, _, err := screen.Empty().Merge(list, &screen.Publication{
		List: list.ID, PublishedOn: 20251104, Digest: screen.Digest{1},
		Parties: []screen.PublishedParty{{UID: "27307", Addresses: []screen.PublishedAddress{{Text: listed}}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return s.Named(sequence, s.Lists()[0].Current().PublishedOn.Time())
}

// connect starts a server on a socket and a client of it.
func connect(t *testing.T) (*server.Server, *client.Client) {
	t.Helper()
	srv := server.New(server.Config{})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := srv.GRPC()
	served := make(chan error, 1)
	go func() { served <- g.Serve(listener) }()
	c, err := client.New([]string{listener.Addr().String()}, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Close()
		g.Stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return srv, c
}

// counting counts calls and does something between two of them.
type counting struct {
	client.Screener
	calls   atomic.Int64
	between func(call int64)
}

func (c *counting) ScreenAddresses(ctx context.Context, req *pb.ScreenAddressesRequest) (*pb.ScreenAddressesResponse, error) {
	if n := c.calls.Add(1); c.between != nil {
		c.between(n)
	}
	return c.Screener.ScreenAddresses(ctx, req)
}

// addresses makes unlisted ones with the listed one at the given places.
func addresses(n int, at ...int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf("0x%040x", i+1)
	}
	for _, i := range at {
		out[i] = listed
	}
	return out
}

// wantListed checks that there is a result for each address and that those at the
// given places are LISTED.
func wantListed(t *testing.T, res *pb.ScreenAddressesResponse, n int, at ...int) {
	t.Helper()
	if len(res.Results) != n {
		t.Fatalf("%d results, want %d", len(res.Results), n)
	}
	for i, r := range res.Results {
		want := pb.Verdict_VERDICT_NOT_LISTED
		if slices.Contains(at, i) {
			want = pb.Verdict_VERDICT_LISTED
		}
		if r.Verdict != want {
			t.Fatalf("result %d: %s, want %s", i, r.Verdict, want)
		}
	}
}

// Any number of addresses are answered in order, from one snapshot.
func TestScreenAll(t *testing.T) {
	srv, c := connect(t)
	srv.Swap(server.State{Snapshot: snapshot(t, 1)})
	const n = 2*client.MaxAddresses + 1
	s := &counting{Screener: c}
	res, err := client.ScreenAll(t.Context(), s, &pb.ScreenAddressesRequest{Addresses: addresses(n, 0, client.MaxAddresses, n-1)})
	if err != nil {
		t.Fatal(err)
	}
	wantListed(t, res, n, 0, client.MaxAddresses, n-1)
	if s.calls.Load() != 3 || res.Snapshot.Sequence != 1 {
		t.Errorf("%d calls, snapshot %d; want 3, 1", s.calls.Load(), res.Snapshot.Sequence)
	}

	// Text that is no UTF-8 gets its own answer.
	res, err = c.ScreenAddresses(t.Context(), &pb.ScreenAddressesRequest{Addresses: []string{"\xff", listed}})
	if err != nil || res.Results[0].Reason != pb.Reason_REASON_INVALID_TEXT || res.Results[1].Verdict != pb.Verdict_VERDICT_LISTED {
		t.Errorf("%v, %v", res, err)
	}
}

// A snapshot that changes between two parts makes the client begin anew. Snapshots
// that change all the time are an error, not an answer of two snapshots; where the
// server still holds the older one, the answer comes from that in the end.
func TestScreenAllWhileSnapshotsChange(t *testing.T) {
	const n = client.MaxAddresses + 1
	for _, test := range []struct {
		name    string
		changes int64
		held    bool
		calls   int64
		from    uint64
	}{{"once", 1, false, 4, 11}, {"always", 1 << 30, false, 12, 0}, {"always and held", 1 << 30, true, 12, 15}, {"once and held", 1, true, 4, 11}} {
		t.Run(test.name, func(t *testing.T) {
			srv, c := connect(t)
			srv.Swap(server.State{Snapshot: snapshot(t, 10)})
			next := uint64(10)
			s := &counting{Screener: c, between: func(call int64) {
				if call%2 == 0 && call/2 <= test.changes {
					next++
					if !test.held {
						srv.Swap(server.State{Snapshot: snapshot(t, 1)}) // numbers began anew: no other is held
					}
					srv.Swap(server.State{Snapshot: snapshot(t, next)})
				}
			}}
			res, err := client.ScreenAll(t.Context(), s, &pb.ScreenAddressesRequest{Addresses: addresses(n, n-1)})
			if s.calls.Load() != test.calls {
				t.Errorf("%d calls, want %d", s.calls.Load(), test.calls)
			}
			if test.name == "always" {
				if status.Code(err) != codes.FailedPrecondition {
					t.Errorf("%v, want FAILED_PRECONDITION", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			wantListed(t, res, n, n-1)
			if res.Snapshot.Sequence != test.from {
				t.Errorf("snapshot %d, want %d", res.Snapshot.Sequence, test.from)
			}
		})
	}
}

func TestReadyAndSnapshot(t *testing.T) {
	srv, c := connect(t)
	if ready, err := c.Ready(t.Context()); ready || err != nil {
		t.Errorf("without a snapshot: ready %t, %v", ready, err)
	}
	if _, err := c.GetSnapshot(t.Context()); status.Code(err) != codes.Unavailable {
		t.Errorf("without a snapshot: %v, want UNAVAILABLE", err)
	}
	srv.Swap(server.State{Snapshot: snapshot(t, 7)})
	if ready, err := c.Ready(t.Context()); !ready || err != nil {
		t.Errorf("ready %t, %v", ready, err)
	}
	if res, err := c.GetSnapshot(t.Context()); err != nil || res.Snapshot.Sequence != 7 {
		t.Errorf("%v, %v", res, err)
	}
}
