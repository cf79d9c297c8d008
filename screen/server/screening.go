package server

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	pb "walletscreen/proto/walletscreen/v1"
	"walletscreen/screen"
	"walletscreen/screen/address"
	"walletscreen/screen/pace"
)

// ScreenAddresses answers as the contract says.
func (s *Server) ScreenAddresses(ctx context.Context, req *pb.ScreenAddressesRequest) (*pb.ScreenAddressesResponse, error) {
	return s.screen(ctx, req)
}

func (s *Server) screen(ctx context.Context, req *pb.ScreenAddressesRequest) (*pb.ScreenAddressesResponse, error) {
	query, err := s.query(req, s.cfg.Now())
	if err != nil {
		return nil, err
	}
	sv, err := s.pick(ctx, req)
	if err != nil {
		return nil, err
	}
	if len(req.Addresses) > largeBatch {
		if err := s.turns.take(ctx, shareOf(ctx)); err != nil {
			return nil, err
		}
		defer s.turns.leave()
	}
	return s.answer(sv, req, query, s.cfg.Now()), nil // pick and take may have waited
}

// answer answers a request from a state.
func (s *Server) answer(sv *served, req *pb.ScreenAddressesRequest, query screen.Query, now time.Time) *pb.ScreenAddressesResponse {
	in := s.inquire(sv, query, req.MaxListAge, now)
	res := &pb.ScreenAddressesResponse{
		Snapshot:   sv.ref,
		ScreenedAt: timestamppb.New(now),
		RequestId:  req.RequestId,
		Results:    s.results(sv.Snapshot, in.screener, req.Addresses, query.AsOf),
	}
	res.Lists, res.Notices, res.ValidUntil = in.freshness()
	return res
}

// missing are the lists that the operator requires, or that were lost, and are not
// loaded.
func (s *Server) missing(sv *served) []screen.ListID {
	var missing []screen.ListID
	for _, id := range slices.Concat(s.cfg.Require, sv.lost) {
		if sv.Snapshot.List(id) == nil && !slices.Contains(missing, id) {
			missing = append(missing, id)
		}
	}
	return missing
}

// require adds the lists that are missing to a question about all lists: it cannot
// be answered without them.
func (s *Server) require(query *screen.Query, sv *served) {
	missing := s.missing(sv)
	if len(query.Lists) > 0 || len(missing) == 0 {
		return
	}
	for i := range sv.Snapshot.Lists() {
		query.Lists = append(query.Lists, sv.Snapshot.Lists()[i].ID)
	}
	query.Lists = append(query.Lists, missing...)
}

// query checks a request and makes a query of it, all but its Stale.
func (s *Server) query(req *pb.ScreenAddressesRequest, now time.Time) (screen.Query, error) {
	query := screen.Query{Today: screen.DateOf(now.UTC())}
	switch n := len(req.Addresses); {
	case n == 0:
		return query, failure(pb.ErrorReason_ERROR_REASON_NO_ADDRESSES, "the request holds no addresses")
	case n > MaxAddresses:
		return query, failure(pb.ErrorReason_ERROR_REASON_TOO_MANY_ADDRESSES, fmt.Sprintf("%d addresses, at most %d", n, MaxAddresses),
			"addresses", strconv.Itoa(n), "limit", strconv.Itoa(MaxAddresses))
	}
	var err error
	if query.Network, err = network(req.Network); err != nil {
		return query, err
	}
	if query.Lists, err = listIDs(req.ListIds); err != nil {
		return query, err
	}
	if req.AsOf != "" {
		if query.AsOf, err = screen.ParseDate(req.AsOf); err != nil {
			return query, failure(pb.ErrorReason_ERROR_REASON_INVALID_AS_OF, `as_of is not a date of the form "2025-11-04"`)
		}
		if query.AsOf > screen.DateOf(now.UTC().AddDate(0, 0, 1)) {
			return query, failure(pb.ErrorReason_ERROR_REASON_INVALID_AS_OF, "as_of is in the future")
		}
	}
	if req.MaxListAge != nil && (!req.MaxListAge.IsValid() || req.MaxListAge.AsDuration() <= 0) {
		return query, failure(pb.ErrorReason_ERROR_REASON_INVALID_MAX_LIST_AGE, "max_list_age is not a positive duration")
	}
	if req.Snapshot != 0 && req.MinSnapshot > req.Snapshot {
		return query, failure(pb.ErrorReason_ERROR_REASON_INVALID_SNAPSHOT, "min_snapshot is greater than snapshot")
	}
	if !validRequestID(req.RequestId) {
		return query, failure(pb.ErrorReason_ERROR_REASON_INVALID_REQUEST_ID, fmt.Sprintf("request_id is not at most %d printable ASCII characters", maxRequestID))
	}
	if req.Receipt {
		return query, failure(pb.ErrorReason_ERROR_REASON_RECEIPTS_NOT_CONFIGURED, "this server has no key to sign receipts with")
	}
	return query, nil
}

// network returns the ledgers of the network that a request names, none for none.
func network(name string) (address.Ledgers, error) {
	if name == "" {
		return 0, nil
	}
	ledgers, ok := address.LedgerOf(name)
	if !ok {
		return 0, failure(pb.ErrorReason_ERROR_REASON_INVALID_NETWORK, `network is not of the form of CAIP-2, like "eip155:1"`)
	}
	return ledgers, nil
}

// listIDs returns the lists that a request names, each once.
func listIDs(names []string) ([]screen.ListID, error) {
	if len(names) > maxListIDs {
		return nil, failure(pb.ErrorReason_ERROR_REASON_INVALID_LIST_ID, fmt.Sprintf("%d list ids, at most %d", len(names), maxListIDs))
	}
	var ids []screen.ListID
	for _, name := range names {
		id := screen.ListID(name)
		if id.Validate() != nil {
			return nil, failure(pb.ErrorReason_ERROR_REASON_INVALID_LIST_ID, "a list id is 1 to 64 lower-case letters, digits and hyphens")
		}
		if !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

// pick returns the state to answer a request from.
func (s *Server) pick(ctx context.Context, req *pb.ScreenAddressesRequest) (*served, error) {
	if req.Snapshot != 0 {
		sv, h, err := s.exact(ctx, req.Snapshot)
		if err != nil || h == nil {
			return sv, err
		}
		return s.past(ctx, sv, h)
	}
	sv := s.current.Load()
	if sv == nil {
		return nil, notReady()
	}
	if sv.Snapshot.Sequence < req.MinSnapshot {
		if sv = s.wait(ctx, req.MinSnapshot); sv.Snapshot.Sequence < req.MinSnapshot {
			return nil, failure(pb.ErrorReason_ERROR_REASON_SNAPSHOT_NOT_REACHED, "the server has not reached min_snapshot",
				"sequence", strconv.FormatUint(sv.Snapshot.Sequence, 10), "min_snapshot", strconv.FormatUint(req.MinSnapshot, 10))
		}
	}
	return sv, nil
}

func notReady() error {
	return failure(pb.ErrorReason_ERROR_REASON_NOT_READY, "no snapshot is loaded yet")
}

// wait waits briefly for a snapshot and returns what is served then.
func (s *Server) wait(ctx context.Context, sequence uint64) *served {
	wait := maxWait
	if deadline, ok := ctx.Deadline(); ok {
		wait = min(wait, time.Until(deadline)-answerMargin)
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	for {
		s.mu.Lock()
		sv, swapped := s.current.Load(), s.swapped
		s.mu.Unlock()
		if sv.Snapshot.Sequence >= sequence {
			return sv
		}
		select {
		case <-swapped:
		case <-ctx.Done():
			return sv
		}
	}
}

// results screens every address. Results share one allocation, and those that match
// the same listing one description of it.
func (s *Server) results(snapshot *screen.Snapshot, screener *screen.Screener, addresses []string, asOf screen.Date) []*pb.ScreenResult {
	messages := make([]pb.ScreenResult, len(addresses))
	out := make([]*pb.ScreenResult, len(addresses))
	var r screen.Result
	var rest pace.Pace
	described := map[*screen.Listing]*pb.Listing{}
	for i, text := range addresses {
		if i%32 == 31 && len(addresses) > largeBatch {
			s.turns.step(&rest)
		}
		screener.Screen(text, &r)
		m := &messages[i]
		m.Verdict, m.Reason, m.Warnings = pb.Verdict(r.Verdict), pb.Reason(r.Reason), warnings(r.Warnings)
		for _, match := range r.Matches {
			l := described[match.Listing]
			if l == nil {
				l = listing(snapshot, match.Listing, asOf)
				described[match.Listing] = l
			}
			m.Matches = append(m.Matches, &pb.Match{Basis: pb.Basis(match.Basis), Listing: l})
		}
		out[i] = m
	}
	return out
}
