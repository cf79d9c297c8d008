package server

import (
	"cmp"
	"context"
	"slices"

	pb "walletscreen/proto/walletscreen/v1"
	"walletscreen/screen"
)

// GetAddressHistory answers as the contract says.
func (s *Server) GetAddressHistory(_ context.Context, req *pb.GetAddressHistoryRequest) (*pb.GetAddressHistoryResponse, error) {
	now := s.cfg.Now()
	query := screen.Query{Today: screen.DateOf(now.UTC()), Ever: true}
	var err error
	if query.Network, err = network(req.Network); err != nil {
		return nil, err
	}
	if query.Lists, err = listIDs(req.ListIds); err != nil {
		return nil, err
	}
	sv := s.current.Load()
	if sv == nil {
		return nil, notReady()
	}
	in := s.inquire(sv, query, nil, now)
	var r screen.Result
	in.screener.Screen(req.Address, &r)
	// Oldest first; what began on one day stays as a verdict has it, the strongest first.
	slices.SortStableFunc(r.Matches, func(a, b screen.Match) int {
		fromA, _ := sv.Snapshot.Interval(a.Listing)
		fromB, _ := sv.Snapshot.Interval(b.Listing)
		return cmp.Compare(fromA, fromB)
	})
	res := &pb.GetAddressHistoryResponse{Reason: pb.Reason(r.Reason), Warnings: warnings(r.Warnings), Snapshot: sv.ref}
	for _, match := range r.Matches {
		res.Matches = append(res.Matches, &pb.Match{Basis: pb.Basis(match.Basis), Listing: listing(sv.Snapshot, match.Listing, 0)})
	}
	res.Lists, res.Notices, _ = in.freshness()
	return res, nil
}
