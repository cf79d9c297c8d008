package client

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "walletscreen/proto/walletscreen/v1"
)

// ScreenAddressStream screens batch after batch over one stream, as the contract
// says. It ends with ctx, which the caller must cancel unless Recv returned an error.
func (c *Client) ScreenAddressStream(ctx context.Context) (grpc.BidiStreamingClient[pb.ScreenAddressesRequest, pb.ScreenAddressesResponse], error) {
	return c.screening.ScreenAddressStream(ctx)
}

// GetAddressHistory returns every listing of one address, past and present.
func (c *Client) GetAddressHistory(ctx context.Context, req *pb.GetAddressHistoryRequest) (*pb.GetAddressHistoryResponse, error) {
	return c.lists.GetAddressHistory(ctx, req)
}

// WatchChanges follows what changes, as the contract says, over one stream. It
// ends with ctx, which the caller must cancel unless Recv returned an error. Follow
// does it over one stream after the other.
func (c *Client) WatchChanges(ctx context.Context, req *pb.WatchChangesRequest) (grpc.ServerStreamingClient[pb.WatchChangesResponse], error) {
	return c.lists.WatchChanges(ctx, req)
}

// ExportSnapshot writes the canonical encoding of a snapshot to w as it comes; 0 is
// the snapshot that is served. What was written must not be used if there is an
// error: it is incomplete, or does not have the digest that the server named.
//
// It returns the first message without its data: the name of the snapshot and its
// signature, which it does not verify.
func (c *Client) ExportSnapshot(ctx context.Context, sequence uint64, w io.Writer) (*pb.ExportSnapshotResponse, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := c.lists.ExportSnapshot(ctx, &pb.ExportSnapshotRequest{Snapshot: sequence})
	if err != nil {
		return nil, err
	}
	var head *pb.ExportSnapshotResponse
	sum := sha256.New()
	for {
		res, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		sum.Write(res.GetData())
		if _, err := w.Write(res.GetData()); err != nil {
			return nil, err
		}
		if head == nil {
			head = res
			head.Data = nil
		}
	}
	ref := head.GetSnapshot()
	if got := hex.EncodeToString(sum.Sum(nil)); got != ref.GetDigest() {
		return nil, fmt.Errorf("snapshot %d has digest %q, and what came has %s", ref.GetSequence(), ref.GetDigest(), got)
	}
	return head, nil
}

// Pauses between attempts of Follow.
const (
	firstFollow = 500 * time.Millisecond
	lastFollow  = 30 * time.Second
)

// Follow calls changed with the changes that lead from req.FromSnapshot to the
// snapshot that is served, and then with those of each new snapshot, until ctx ends
// or changed returns an error; it returns that error. All changes of a snapshot come
// in one message, and each snapshot is told once, with no changes if it has none in
// the lists of req. After a stream that was cut Follow goes on from the last
// snapshot that was told, with growing pauses; it calls cut with the reason and the
// pause before each.
//
// Other errors are those that no pause mends, first of all OUT_OF_RANGE: the
// history is not held any more, and the whole state must be fetched
// (ExportSnapshot). Both functions are called from the goroutine of Follow.
func (c *Client) Follow(ctx context.Context, req *pb.WatchChangesRequest, changed func(*pb.WatchChangesResponse) error, cut func(error, time.Duration)) error {
	at := &pb.WatchChangesRequest{FromSnapshot: req.GetFromSnapshot(), FromDigest: req.GetFromDigest(), ListIds: req.GetListIds()}
	pause := firstFollow
	told := false
	for {
		var refused error // by changed
		err := c.followOnce(ctx, at, func(res *pb.WatchChangesResponse) error {
			pause = firstFollow
			ref := res.GetSnapshot()
			// A stream begins with where it begins. That was told before.
			again := told && ref.GetSequence() == at.FromSnapshot && ref.GetDigest() == at.FromDigest
			told, at.FromSnapshot, at.FromDigest = true, ref.GetSequence(), ref.GetDigest()
			if again && len(res.GetChanges()) == 0 {
				return nil
			}
			refused = changed(res)
			return refused
		})
		switch {
		case refused != nil:
			return refused
		case ctx.Err() != nil:
			return ctx.Err()
		case !passing(err):
			return err
		}
		_, asked, _ := details(err)
		wait := max(pause/2+rand.N(pause), min(asked, lastFollow))
		pause = min(2*pause, lastFollow)
		cut(err, wait)
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
	}
}

// followOnce follows over one stream, and returns why it ended. All changes of one
// snapshot are joined.
func (c *Client) followOnce(ctx context.Context, req *pb.WatchChangesRequest, changed func(*pb.WatchChangesResponse) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := c.lists.WatchChanges(ctx, &pb.WatchChangesRequest{FromSnapshot: req.FromSnapshot, FromDigest: req.FromDigest, ListIds: req.ListIds})
	if err != nil {
		return err
	}
	var all *pb.WatchChangesResponse
	for {
		res, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return status.Error(codes.Aborted, "the server ended the stream")
		}
		if err != nil {
			return err
		}
		if all == nil {
			all = res
		} else {
			all.Changes, all.Last = append(all.Changes, res.GetChanges()...), res.GetLast()
		}
		if !all.Last {
			continue
		}
		if err := changed(all); err != nil {
			return err
		}
		all = nil
	}
}

// passing reports whether what ended a stream may pass. Proxies end streams with
// INTERNAL and UNKNOWN.
func passing(err error) bool {
	switch status.Code(err) {
	case codes.Unavailable, codes.ResourceExhausted, codes.FailedPrecondition, codes.Internal, codes.Unknown, codes.Aborted, codes.Canceled, codes.DeadlineExceeded:
		return true
	default:
		return false
	}
}
