package server

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	pb "walletscreen/proto/walletscreen/v1"
	"walletscreen/screen"
)

func TestGetSnapshot(t *testing.T) {
	in := install(t, Config{MaxListAge: 26 * time.Hour, Version: "v1.2.3"})
	s := merged(t, published(t), own, 20251001, "own", party("x", "unreadable", evm), party("y", evm)).Named(8, noon)
	in.server.Swap(State{Snapshot: s, Verified: verified(noon.Add(-time.Hour), sdn.ID)})
	get := func() *pb.GetSnapshotResponse {
		t.Helper()
		res, err := in.lists.GetSnapshot(t.Context(), &pb.GetSnapshotRequest{})
		if err != nil {
			t.Fatal(err)
		}
		return res
	}
	limit := durationpb.New(26 * time.Hour)
	ownPublication := &pb.PublicationRef{PublishedOn: "2025-10-01", Sha256: digest("own")}
	want := &pb.GetSnapshotResponse{
		Snapshot: &pb.SnapshotRef{Sequence: 8, Digest: s.Digest().String(), CreatedAt: timestamppb.New(noon)},
		Lists: []*pb.ListStatus{
			{
				ListId: "own", Kind: pb.ListKind_LIST_KIND_INTERNAL, Authority: "we", Name: "Our own list",
				Publication: ownPublication, FirstPublication: ownPublication, Publications: 1,
				Age: durationpb.New(34*24*time.Hour + 12*time.Hour), MaxAge: limit, Stale: true,
				Records: 10, Parties: 2, Rows: 3, Addresses: 2, Unparsed: 1, AddedRows: 3,
			},
			{
				ListId: "us-ofac-sdn", Kind: pb.ListKind_LIST_KIND_DESIGNATION, Authority: "OFAC", Name: "SDN List", Url: "https://example.org/sdn",
				Publication:      &pb.PublicationRef{PublishedOn: "2025-11-04", Sha256: digest("2")},
				FirstPublication: &pb.PublicationRef{PublishedOn: "2025-10-30", Sha256: digest("1")}, Publications: 2,
				Source: "https://example.org/file", VerifiedAt: timestamppb.New(noon.Add(-time.Hour)), Age: durationpb.New(time.Hour), MaxAge: limit,
				Records: 10, Parties: 1, Rows: 1, Addresses: 1, Delisted: 1, AddedRows: 1, RemovedRows: 1,
			},
		},
		LoadedAt:      timestamppb.New(noon),
		ServerVersion: "v1.2.3",
		Notices: []*pb.Notice{{
			Code: pb.NoticeCode_NOTICE_CODE_LIST_STALE, ListId: "own",
			Message: "list own is 34 days old, over the limit of 26h0m0s: what it does not list cannot be screened",
		}},
	}
	if diff := cmp.Diff(want, get(), protocmp.Transform()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}

	// News of the freshness of the same snapshot is no new snapshot.
	in.clock.set(noon.Add(time.Minute))
	in.server.Swap(State{Snapshot: s, Verified: verified(noon.Add(time.Minute), sdn.ID, own.ID)})
	got := get()
	if !got.LoadedAt.AsTime().Equal(noon) {
		t.Errorf("loaded at %s, want %s", got.LoadedAt.AsTime(), noon)
	}
	for _, l := range got.Lists {
		if l.Stale || l.Age.AsDuration() != 0 {
			t.Errorf("%s: stale %t, age %s after it was compared", l.ListId, l.Stale, l.Age.AsDuration())
		}
	}
	next := merged(t, s, own, 20251105, "own 2", party("x", evm)).Named(9, noon)
	in.server.Swap(State{Snapshot: next})
	if got := get(); got.Snapshot.Sequence != 9 || !got.LoadedAt.AsTime().Equal(noon.Add(time.Minute)) {
		t.Errorf("snapshot %v, loaded at %s", got.Snapshot, got.LoadedAt.AsTime())
	}
}

// What cannot be loaded is named, unless it is loaded all the same, and a question
// about it is one about any list that is not loaded.
func TestNotCovered(t *testing.T) {
	in := install(t, Config{NotCovered: []UncoveredList{
		{ID: "kr-list", Authority: "Seoul", Name: "A list", Why: "published as pictures", URL: "https://example.org/kr"},
		{ID: own.ID, Authority: "we", Name: "Our own list"},
	}})
	get := func() []*pb.UncoveredList {
		t.Helper()
		res, err := in.lists.GetSnapshot(t.Context(), &pb.GetSnapshotRequest{})
		if err != nil {
			t.Fatal(err)
		}
		return res.NotCovered
	}
	in.server.Swap(State{Snapshot: published(t)})
	want := []*pb.UncoveredList{
		{ListId: "kr-list", Authority: "Seoul", Name: "A list", Why: "published as pictures", Url: "https://example.org/kr"},
		{ListId: "own", Authority: "we", Name: "Our own list"},
	}
	if diff := cmp.Diff(want, get(), protocmp.Transform()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	res := in.screen(t, &pb.ScreenAddressesRequest{Addresses: []string{other}, ListIds: []string{"kr-list", "us-ofac-sdn"}})
	if r := res.Results[0]; r.Verdict != pb.Verdict_VERDICT_CANNOT_SCREEN || r.Reason != pb.Reason_REASON_NOT_LOADED {
		t.Errorf("on a list that is not covered: %v, want NOT_LOADED", r)
	}
	if len(res.Notices) != 1 || res.Notices[0].Code != pb.NoticeCode_NOTICE_CODE_LIST_NOT_LOADED || res.Notices[0].ListId != "kr-list" {
		t.Errorf("notices %v", res.Notices)
	}
	in.server.Swap(State{Snapshot: merged(t, published(t), own, 20251101, "own", party("x", evm))})
	if diff := cmp.Diff(want[:1], get(), protocmp.Transform()); diff != "" {
		t.Errorf("with the own list loaded (-want +got):\n%s", diff)
	}
}

func TestFactsAtTheTimeAskedAbout(t *testing.T) {
	in := install(t, Config{})
	renamed := party("1", evm)
	renamed.Facts.Name = "Renamed"
	s := merged(t, screen.Empty(), sdn, 20251001, "1", party("1", evm))
	s = merged(t, s, sdn, 20251101, "2", renamed)
	in.server.Swap(State{Snapshot: s})
	for asOf, want := range map[string]string{"2025-10-31": "Party 1", "2025-11-01": "Renamed", "": "Renamed"} {
		got := in.screenOne(t, &pb.ScreenAddressesRequest{Addresses: []string{evm}, AsOf: asOf})
		if name := got.Matches[0].Listing.PartyName; name != want {
			t.Errorf("as of %q: %q, want %q", asOf, name, want)
		}
	}
}
