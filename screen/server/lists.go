package server

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	pb "walletscreen/proto/walletscreen/v1"
)

// GetSnapshot answers as the contract says.
func (s *Server) GetSnapshot(context.Context, *pb.GetSnapshotRequest) (*pb.GetSnapshotResponse, error) {
	sv := s.current.Load()
	if sv == nil {
		return nil, notReady()
	}
	now, limit := s.cfg.Now(), s.limit(sv)
	res := &pb.GetSnapshotResponse{
		Snapshot:      sv.ref,
		LoadedAt:      timestamppb.New(sv.loadedAt),
		Notices:       s.notices(sv, now),
		ServerVersion: s.cfg.Version,
	}
	for i := range sv.Snapshot.Lists() {
		list := &sv.Snapshot.Lists()[i]
		current, counts, age := list.Current(), sv.index.Counts(list.ID), sv.age(list, now)
		m := &pb.ListStatus{
			ListId: string(list.ID), Kind: pb.ListKind(list.Kind), Authority: list.Authority, Name: list.Name, Url: list.URL,
			Publication: publicationRef(current),
			Age:         durationpb.New(age), Stale: limit > 0 && age > limit,
			Records: uint64(current.Records), Parties: uint64(counts.Parties), Rows: uint64(counts.Rows),
			Addresses: uint64(counts.Addresses), Unparsed: uint64(counts.Unparsed), Delisted: uint64(counts.Delisted),
			Publications: uint64(len(list.Publications)), FirstPublication: publicationRef(&list.Publications[0]),
			AddedRows: uint64(counts.Added), RemovedRows: uint64(counts.Removed),
		}
		if v, ok := sv.Verified[list.ID]; ok {
			m.VerifiedAt, m.Source = timestamppb.New(v.At), v.Source
		}
		if limit > 0 {
			m.MaxAge = durationpb.New(limit)
		}
		res.Lists = append(res.Lists, m)
	}
	return res, nil
}

// notices are those that every answer from a state carries.
func (s *Server) notices(sv *served, now time.Time) []*pb.Notice {
	if !sv.Builtin {
		return nil
	}
	var out []*pb.Notice
	for i := range sv.Snapshot.Lists() {
		list := &sv.Snapshot.Lists()[i]
		out = append(out, &pb.Notice{
			Code: pb.NoticeCode_NOTICE_CODE_BUILTIN_LISTS, ListId: string(list.ID),
			Message: fmt.Sprintf("builtin list %s of %s, %s old: a default for trying things out, not for compliance",
				list.ID, list.Current().PublishedOn, roughly(sv.age(list, now))),
		})
	}
	return out
}

// roughly writes a duration for people.
func roughly(d time.Duration) string {
	if days := d / (24 * time.Hour); days >= 2 {
		return fmt.Sprintf("%d days", days)
	}
	return d.Round(time.Second).String()
}

// GetAddressHistory is not offered yet.
func (s *Server) GetAddressHistory(context.Context, *pb.GetAddressHistoryRequest) (*pb.GetAddressHistoryResponse, error) {
	return nil, notOffered("GetAddressHistory")
}

// WatchChanges is not offered yet.
func (s *Server) WatchChanges(*pb.WatchChangesRequest, grpc.ServerStreamingServer[pb.WatchChangesResponse]) error {
	return notOffered("WatchChanges")
}

// ExportSnapshot is not offered yet.
func (s *Server) ExportSnapshot(*pb.ExportSnapshotRequest, grpc.ServerStreamingServer[pb.ExportSnapshotResponse]) error {
	return notOffered("ExportSnapshot")
}
