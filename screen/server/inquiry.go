package server

import (
	"fmt"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	pb "walletscreen/proto/walletscreen/v1"
	"walletscreen/screen"
)

// An inquiry is a question to a state at one time.
type inquiry struct {
	s        *Server
	sv       *served
	now      time.Time
	asked    []screen.ListID // none for all
	query    screen.Query
	maxAge   *durationpb.Duration // that the caller accepts; nil for what the server does
	screener *screen.Screener
}

// inquire prepares to answer a query from a state.
func (s *Server) inquire(sv *served, query screen.Query, maxAge *durationpb.Duration, now time.Time) *inquiry {
	in := &inquiry{s: s, sv: sv, now: now, asked: query.Lists, query: query, maxAge: maxAge}
	in.query.Stale = func(id screen.ListID) bool { return in.stale(sv.Snapshot.List(id)) }
	s.require(&in.query, sv)
	in.screener = sv.index.Screener(in.query)
	return in
}

// limit is the age limit in force for a list, 0 for none.
func (in *inquiry) limit(id screen.ListID) time.Duration {
	limit := in.s.limit(in.sv, id)
	if in.maxAge != nil {
		if asked := in.maxAge.AsDuration(); limit == 0 || asked < limit {
			limit = asked
		}
	}
	return limit
}

func (in *inquiry) stale(list *screen.ListState) bool {
	if in.query.AsOf != 0 && in.query.AsOf < screen.DateOf(in.sv.asOfWhen(list).UTC().Add(-lastZone)) {
		return false // about that day the list is known to the end, wherever its publisher is
	}
	limit := in.limit(list.ID)
	return limit > 0 && in.sv.age(list, in.now) > limit
}

// freshness says how fresh the lists consulted are, what a reader of the answer
// must know, and until when the answer may be relied on, nil if not at all.
func (in *inquiry) freshness() (lists []*pb.ListFreshness, notices []*pb.Notice, validUntil *timestamppb.Timestamp) {
	first, anyStale := time.Time{}, false
	for _, list := range in.screener.Consulted() {
		f := &pb.ListFreshness{
			ListId: string(list.ID), PublishedOn: list.Current().PublishedOn.String(), VerifiedAt: in.sv.verifiedAt(list.ID), Stale: in.stale(list),
		}
		limit := in.limit(list.ID)
		if f.Stale {
			anyStale = true
			notices = append(notices, in.sv.staleNotice(list, limit, in.now))
		}
		if until := in.now.Add(limit - in.sv.age(list, in.now)); limit > 0 && (first.IsZero() || until.Before(first)) {
			first = until
		}
		lists = append(lists, f)
	}
	for _, id := range in.query.Lists {
		if in.sv.Snapshot.List(id) == nil {
			notices = append(notices, notLoadedNotice(id))
		}
	}
	notices = append(notices, in.s.notices(in.sv, in.asked, in.now)...)
	if in.sv.superseded != nil {
		notices = append(notices, &pb.Notice{
			Code:    pb.NoticeCode_NOTICE_CODE_SNAPSHOT_SUPERSEDED,
			Message: fmt.Sprintf("snapshot %d is served no more: the answer recomputes an earlier one and says nothing of now", in.sv.Snapshot.Sequence),
		})
	}
	if !anyStale && in.query.AsOf == 0 && in.sv.superseded == nil && !first.IsZero() {
		validUntil = timestamppb.New(first)
	}
	return lists, notices, validUntil
}
