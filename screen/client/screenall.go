package client

import (
	"context"
	"errors"
	"slices"
	"strconv"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	pb "walletscreen/proto/walletscreen/v1"
)

// A Screener screens one batch: a Client, or a server in the same process.
type Screener interface {
	ScreenAddresses(context.Context, *pb.ScreenAddressesRequest) (*pb.ScreenAddressesResponse, error)
}

const (
	// maxRestarts is how often ScreenAll begins anew because another snapshot came in
	// between two parts. Snapshots come minutes apart and servers take them over
	// within seconds of each other: one restart is rare, a fifth means that the
	// servers do not agree.
	maxRestarts = 5
	// partTries is how often a part is tried that a server could not answer from the
	// snapshot of the others, because it is behind. It has waited two seconds for it by
	// then, and the next server may be further.
	partTries = 4
)

// ScreenAll screens any number of addresses, in parts that a server takes, as if they
// were one batch: all results come from one snapshot, whichever servers answer. For
// more than a few hundred thousand, and where each answer may name its own snapshot,
// Batches is the better way.
//
// The first part decides on the snapshot. A server that has another is not
// believed: if it has gone on to a newer one, all parts are screened again from that,
// up to five times, after which a snapshot that is served no more has to do; if it is
// behind, the part is tried again. When the servers do not
// agree in the end, the error is FAILED_PRECONDITION, of the server that had another.
//
// What the response says besides is true of all parts: it was screened when the first
// was, is valid until the first of them is not, and has every notice that one of them
// has. A receipt is for one request: one that asks for it must not be larger.
func ScreenAll(ctx context.Context, s Screener, req *pb.ScreenAddressesRequest) (*pb.ScreenAddressesResponse, error) {
	if len(req.Addresses) <= MaxAddresses {
		return screenBatch(ctx, s, req)
	}
	if req.Receipt {
		return nil, status.Errorf(codes.InvalidArgument, "a receipt is for at most %d addresses", MaxAddresses)
	}
	part := without(req)
	for restart := 0; ; restart++ {
		// Answers from a snapshot that is served no more are better than none.
		newestOnly := req.Snapshot == 0 && restart < maxRestarts
		res, err := screenParts(ctx, s, req.Addresses, part, restart > 0, newestOnly)
		moved, ok := errors.AsType[*movedError](err)
		switch {
		case !ok:
			return res, err
		case req.Snapshot != 0 || restart == maxRestarts:
			return nil, moved.error
		}
		// Servers that are behind have it soon, or say that they do not.
		part.Snapshot, part.MinSnapshot = 0, max(req.MinSnapshot, moved.newest)
	}
}

// without returns a request without its addresses.
func without(req *pb.ScreenAddressesRequest) *pb.ScreenAddressesRequest {
	return proto.Clone(&pb.ScreenAddressesRequest{
		Network: req.Network, ListIds: req.ListIds, AsOf: req.AsOf, MinSnapshot: req.MinSnapshot, Snapshot: req.Snapshot,
		MaxListAge: req.MaxListAge, RequestId: req.RequestId, Receipt: req.Receipt,
	}).(*pb.ScreenAddressesRequest)
}

// A movedError says that a part cannot be answered from the snapshot of those before.
type movedError struct {
	error         // of the server
	newest uint64 // snapshot that a server was seen to serve, 0 if none was
}

// screenParts screens all parts from the snapshot of the first. again is set when the
// request for the first is not the caller's own any more, newestOnly when a part must
// not come from a snapshot that is served no more.
func screenParts(ctx context.Context, s Screener, addresses []string, part *pb.ScreenAddressesRequest, again, newestOnly bool) (*pb.ScreenAddressesResponse, error) {
	var whole *pb.ScreenAddressesResponse
	var newest uint64
	for addresses := range slices.Chunk(addresses, MaxAddresses) {
		part.Addresses = addresses
		for try := 1; ; try++ {
			res, err := screenBatch(ctx, s, part)
			if err == nil {
				if whole != nil && !sameSnapshot(whole, res) {
					// One that counts snapshots like the others and has not what they have is
					// of another installation, or follows a store that lost some of them.
					return nil, &movedError{status.Error(codes.FailedPrecondition, "the servers have different snapshots under one number"), newest}
				}
				if newestOnly && superseded(res) {
					newest = max(newest, res.GetSnapshot().GetSequence()+1)
					return nil, &movedError{status.Error(codes.FailedPrecondition, "the snapshot is served no more"), newest}
				}
				part.MinSnapshot, part.Snapshot = 0, res.GetSnapshot().GetSequence()
				whole = join(whole, res)
				break
			}
			reason, _, _ := details(err)
			other := reason == pb.ErrorReason_ERROR_REASON_SNAPSHOT_NOT_HELD || reason == pb.ErrorReason_ERROR_REASON_SNAPSHOT_NOT_REACHED
			if !other || whole == nil && !again {
				return nil, err
			}
			served := servedSequence(err)
			newest = max(newest, served)
			if behind := served < max(part.Snapshot, part.MinSnapshot); !behind || try == partTries {
				return nil, &movedError{err, newest}
			}
		}
	}
	return whole, nil
}

// superseded reports whether an answer comes from a snapshot that is served no more.
func superseded(res *pb.ScreenAddressesResponse) bool {
	return slices.ContainsFunc(res.GetNotices(), func(n *pb.Notice) bool {
		return n.GetCode() == pb.NoticeCode_NOTICE_CODE_SNAPSHOT_SUPERSEDED
	})
}

// screenBatch screens one batch and makes sure that each address has a result.
func screenBatch(ctx context.Context, s Screener, req *pb.ScreenAddressesRequest) (*pb.ScreenAddressesResponse, error) {
	res, err := s.ScreenAddresses(ctx, req)
	if err == nil && len(res.GetResults()) != len(req.Addresses) {
		return nil, status.Errorf(codes.Internal, "the server answered %d addresses with %d results", len(req.Addresses), len(res.GetResults()))
	}
	return res, err
}

func sameSnapshot(a, b *pb.ScreenAddressesResponse) bool {
	return a.GetSnapshot().GetSequence() == b.GetSnapshot().GetSequence() && a.GetSnapshot().GetDigest() == b.GetSnapshot().GetDigest()
}

// servedSequence is the snapshot that a server served when it refused another, 0 if
// it does not say.
func servedSequence(err error) uint64 {
	for _, detail := range status.Convert(err).Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok {
			sequence, _ := strconv.ParseUint(info.GetMetadata()["sequence"], 10, 64)
			return sequence
		}
	}
	return 0
}

// join adds the answer of a further part to that of those before.
func join(whole, res *pb.ScreenAddressesResponse) *pb.ScreenAddressesResponse {
	if whole == nil {
		return res
	}
	whole.Results = append(whole.Results, res.Results...)
	whole.ScreenedAt = earlier(whole.ScreenedAt, res.ScreenedAt)
	whole.ValidUntil = earlier(whole.ValidUntil, res.ValidUntil)
	for _, n := range res.Notices {
		if !slices.ContainsFunc(whole.Notices, func(known *pb.Notice) bool {
			return known.GetCode() == n.GetCode() && known.GetListId() == n.GetListId()
		}) {
			whole.Notices = append(whole.Notices, n)
		}
	}
	for _, list := range res.Lists {
		i := slices.IndexFunc(whole.Lists, func(known *pb.ListFreshness) bool { return known.GetListId() == list.GetListId() })
		switch {
		case i < 0:
			whole.Lists = append(whole.Lists, list)
		case list.GetStale():
			whole.Lists[i].Stale = true
		}
	}
	return whole
}

// earlier is the earlier of two instants; none if one is not known.
func earlier(a, b *timestamppb.Timestamp) *timestamppb.Timestamp {
	if a == nil || b == nil {
		return nil
	}
	if b.AsTime().Before(a.AsTime()) {
		return b
	}
	return a
}
