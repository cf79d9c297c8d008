package client_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "walletscreen/proto/walletscreen/v1"
	"walletscreen/screen"
	"walletscreen/screen/client"
	"walletscreen/screen/server"
)

func TestMethods(t *testing.T) {
	srv, c := connect(t)
	seven := snapshot(t, 7)
	srv.Swap(server.State{Snapshot: seven})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	stream, err := c.ScreenAddressStream(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(stream.Send(&pb.ScreenAddressesRequest{Addresses: []string{listed, "\xff"}}), stream.CloseSend()); err != nil {
		t.Fatal(err)
	}
	if res, err := stream.Recv(); err != nil || res.Results[0].Verdict != pb.Verdict_VERDICT_LISTED || res.Results[1].Reason != pb.Reason_REASON_INVALID_TEXT {
		t.Errorf("%v, %v", res, err)
	}
	if _, err := stream.Recv(); !errors.Is(err, io.EOF) {
		t.Error(err)
	}
	if res, err := c.GetAddressHistory(ctx, &pb.GetAddressHistoryRequest{Address: listed}); err != nil || len(res.Matches) != 1 {
		t.Errorf("%v, %v", res, err)
	}
	var content bytes.Buffer
	if head, err := c.ExportSnapshot(ctx, 0, &content); err != nil || head.GetSnapshot().GetSequence() != 7 || len(head.Data) > 0 || !bytes.Equal(content.Bytes(), seven.Encoding()) {
		t.Errorf("%v, %v", head, err)
	}
	if _, err := c.ExportSnapshot(ctx, 3, &content); status.Code(err) != codes.FailedPrecondition {
		t.Error(err)
	}
	if _, err := c.ExportSnapshot(ctx, 0, failing{}); !errors.Is(err, io.ErrShortWrite) {
		t.Error(err)
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, io.ErrShortWrite }

// TestFollow: Follow goes on over the end of a server and the start of another,
// tells each snapshot once, and gives up when the history is gone.
func TestFollow(t *testing.T) {
	start := func(listener net.Listener, s *screen.Snapshot) (*server.Server, func()) {
		srv := server.New(server.Config{})
		srv.Swap(server.State{Snapshot: s})
		g := srv.GRPC()
		ended := make(chan struct{})
		go func() { _ = g.Serve(listener); close(ended) }()
		return srv, func() { srv.Drain(); srv.EndStreams(); g.GracefulStop(); <-ended }
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	srv, stop := start(listener, snapshot(t, 7))
	c, err := client.New([]string{address}, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	told, cuts := make(chan string, 100), make(chan error, 100)
	ended := make(chan error, 1)
	go func() {
		ended <- c.Follow(ctx, &pb.WatchChangesRequest{}, func(res *pb.WatchChangesResponse) error {
			told <- fmt.Sprint(res.Snapshot.Sequence, " ", len(res.Changes), " ", res.Last)
			return nil
		}, func(err error, _ time.Duration) { cuts <- err })
	}()
	want := func(want string) {
		t.Helper()
		select {
		case got := <-told:
			if got != want {
				t.Fatalf("told %q, want %q", got, want)
			}
		case err := <-ended:
			t.Fatalf("ended: %v", err)
		}
	}
	want("7 0 true")
	srv.Swap(server.State{Snapshot: snapshot(t, 8)})
	want("8 0 true")
	stop()
	if err := <-cuts; status.Code(err) != codes.Unavailable {
		t.Errorf("cut by %v", err)
	}
	// The same snapshot is not told again, the next is.
	if listener, err = net.Listen("tcp", address); err != nil {
		t.Fatal(err)
	}
	srv, stop = start(listener, snapshot(t, 8))
	defer func() { stop() }()
	empty, _, err := snapshot(t, 1).Merge(screen.List{ID: "us-ofac-sdn", Kind: screen.KindDesignation}, &screen.Publication{List: "us-ofac-sdn", PublishedOn: 20251105, Digest: screen.Digest{2}})
	if err != nil {
		t.Fatal(err)
	}
	srv.Swap(server.State{Snapshot: empty.Named(9, time.Now())})
	want("9 1 true")
	srv.Swap(server.State{Snapshot: snapshot(t, 1)})
	if err := <-ended; status.Code(err) != codes.OutOfRange {
		t.Errorf("ended with %v", err)
	}

	enough := errors.New("enough")
	if err := c.Follow(ctx, &pb.WatchChangesRequest{}, func(*pb.WatchChangesResponse) error { return enough }, nil); !errors.Is(err, enough) {
		t.Errorf("ended with %v", err)
	}
	if err := c.Follow(ctx, &pb.WatchChangesRequest{ListIds: []string{"SDN"}}, nil, nil); status.Code(err) != codes.InvalidArgument {
		t.Errorf("ended with %v", err)
	}
}
