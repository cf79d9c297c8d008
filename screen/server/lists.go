package server

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	pb "walletscreen/proto/walletscreen/v1"
	"walletscreen/screen"
	"walletscreen/screen/signing"
)

// GetSnapshot answers as the contract says.
func (s *Server) GetSnapshot(context.Context, *pb.GetSnapshotRequest) (*pb.GetSnapshotResponse, error) {
	sv := s.current.Load()
	if sv == nil {
		return nil, notReady()
	}
	now := s.cfg.Now()
	res := &pb.GetSnapshotResponse{
		Snapshot:      sv.ref,
		LoadedAt:      timestamppb.New(sv.loadedAt),
		ServerVersion: s.cfg.Version,
	}
	res.SignedStatement, res.Signature, res.SignatureKeyId = signature(sv.Signed)
	for i := range sv.Snapshot.Lists() {
		list := &sv.Snapshot.Lists()[i]
		current, counts, age, limit := list.Current(), sv.index.Counts(list.ID), sv.age(list, now), s.limit(sv, list.ID)
		v := sv.Verified[list.ID]
		m := &pb.ListStatus{
			ListId: string(list.ID), Kind: pb.ListKind(list.Kind), Authority: list.Authority, Name: list.Name, Url: list.URL,
			Publication: publicationRef(current), Source: v.Source, VerifiedAt: sv.verifiedAt(list.ID), Held: heldPublication(v.Held),
			Age: durationpb.New(age), Stale: limit > 0 && age > limit,
			Records: uint64(current.Records), Parties: uint64(counts.Parties), Rows: uint64(counts.Rows),
			Addresses: uint64(counts.Addresses), Unparsed: uint64(counts.Unparsed), Delisted: uint64(counts.Delisted),
			Publications: uint64(len(list.Publications)), FirstPublication: publicationRef(&list.Publications[0]),
			AddedRows: uint64(counts.Added), RemovedRows: uint64(counts.Removed),
		}
		if limit > 0 {
			m.MaxAge = durationpb.New(limit)
		}
		if m.Stale {
			res.Notices = append(res.Notices, sv.staleNotice(list, limit, now))
		}
		res.Lists = append(res.Lists, m)
	}
	for _, id := range s.missing(sv) {
		res.Notices = append(res.Notices, notLoadedNotice(id))
	}
	res.Notices = append(res.Notices, s.notices(sv, nil, now)...)
	for _, h := range sv.holds {
		if h.first {
			res.HeldFirst = append(res.HeldFirst, &pb.HeldList{ListId: string(h.list), Held: heldPublication(h.Held)})
		}
	}
	for _, l := range s.cfg.NotCovered {
		if sv.Snapshot.List(l.ID) == nil {
			res.NotCovered = append(res.NotCovered, &pb.UncoveredList{
				ListId: string(l.ID), Authority: l.Authority, Name: l.Name, Why: l.Why, Url: l.URL,
			})
		}
	}
	return res, nil
}

// signature is a signature as messages carry it, nothing for none.
func signature(s signing.Signed) (statement, signature []byte, keyID string) {
	if s.IsZero() {
		return nil, nil, ""
	}
	return []byte(s.Statement), []byte(s.Signature), strings.ToValidUTF8(s.KeyID, "?")
}

// notices are those that every answer about the lists asked for carries, whatever
// it says; none asked for are all.
func (s *Server) notices(sv *served, asked []screen.ListID, now time.Time) []*pb.Notice {
	if len(sv.Builtin) == 0 && len(sv.holds) == 0 {
		return nil
	}
	concerns := func(id screen.ListID) bool { return len(asked) == 0 || slices.Contains(asked, id) }
	var out []*pb.Notice
	for i := range sv.Snapshot.Lists() {
		list := &sv.Snapshot.Lists()[i]
		if !sv.Builtin[list.ID] || !concerns(list.ID) {
			continue
		}
		out = append(out, &pb.Notice{
			Code: pb.NoticeCode_NOTICE_CODE_BUILTIN_LISTS, ListId: string(list.ID),
			Message: fmt.Sprintf("builtin list %s of %s, %s old: a default for trying things out, not for compliance",
				list.ID, list.Current().PublishedOn, roughly(sv.age(list, now))),
		})
	}
	for _, h := range sv.holds {
		if concerns(h.list) {
			out = append(out, h.notice)
		}
	}
	return out
}

// staleNotice says that a list is over its age limit.
func (sv *served) staleNotice(list *screen.ListState, limit time.Duration, now time.Time) *pb.Notice {
	return &pb.Notice{
		Code: pb.NoticeCode_NOTICE_CODE_LIST_STALE, ListId: string(list.ID),
		Message: fmt.Sprintf("list %s is %s old, over the limit of %s: what it does not list cannot be screened", list.ID, roughly(sv.age(list, now)), limit),
	}
}

func notLoadedNotice(id screen.ListID) *pb.Notice {
	return &pb.Notice{Code: pb.NoticeCode_NOTICE_CODE_LIST_NOT_LOADED, ListId: string(id), Message: fmt.Sprintf("list %s is not loaded", id)}
}

// roughly writes a duration for people.
func roughly(d time.Duration) string {
	if days := d / (24 * time.Hour); days >= 2 {
		return fmt.Sprintf("%d days", days)
	}
	return d.Round(time.Second).String()
}
