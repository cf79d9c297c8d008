package server

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	pb "walletscreen/proto/walletscreen/v1"
	"walletscreen/screen"
)

func TestWholeAnswer(t *testing.T) {
	in := install(t, Config{MaxListAge: 26 * time.Hour})
	lazarus := screen.PublishedParty{
		UID: "22985",
		Facts: screen.Facts{
			Name: "Lazarus Group", Type: screen.PartyEntity, Programs: []string{"DPRK3", "CYBER2"}, URL: "https://example.org/22985",
			Aliases: []screen.Alias{{Name: "Hidden Cobra", Type: "a.k.a.", Weak: true}},
			Entries: []screen.EntryEvent{{LegalBasis: "undated"}, {On: 20190913, LegalBasis: "Executive Order 13722"}},
		},
		Addresses: []screen.PublishedAddress{{Text: evm, Symbol: "ETH", Tag: "", SourceIDs: []string{"1", "2"}, Reliability: "Confirmed", Comment: "remark"}},
	}
	plain := screen.PublishedParty{UID: "2", Addresses: []screen.PublishedAddress{{Text: "unreadable", Tag: "9", ListedOn: 20250101, DelistedOn: 20260101}}}
	s := merged(t, screen.Empty(), sdn, 20251104, "1", lazarus, plain).Named(7, noon.Add(-time.Hour))
	at := noon.Add(-2 * time.Hour)
	in.server.Swap(State{Snapshot: s, Verified: verified(at, sdn.ID)})

	publication := &pb.PublicationRef{PublishedOn: "2025-11-04", Sha256: digest("1")}
	want := &pb.ScreenAddressesResponse{
		Results: []*pb.ScreenResult{
			{Verdict: pb.Verdict_VERDICT_NOT_LISTED},
			{
				Verdict: pb.Verdict_VERDICT_LISTED, Warnings: []pb.Warning{pb.Warning_WARNING_NORMALIZED, pb.Warning_WARNING_NETWORK_MISMATCH},
				Matches: []*pb.Match{{Basis: pb.Basis_BASIS_SAME_ACCOUNT, Listing: &pb.Listing{
					ListId: "us-ofac-sdn", Kind: pb.ListKind_LIST_KIND_DESIGNATION, Authority: "OFAC",
					PartyName: "Lazarus Group", PartyType: pb.PartyType_PARTY_TYPE_ENTITY, PartyUid: "22985", Programs: []string{"DPRK3", "CYBER2"},
					Address: evm, Symbol: "ETH", EntryDate: "2019-09-13", Listed: publication, SourceUrl: "https://example.org/22985",
					Aliases:   []*pb.Alias{{Name: "Hidden Cobra", Type: "a.k.a.", Weak: true}},
					Entries:   []*pb.EntryEvent{{LegalBasis: "undated"}, {Date: "2019-09-13", LegalBasis: "Executive Order 13722"}},
					SourceIds: []string{"1", "2"}, Reliability: "Confirmed", Comment: "remark",
					ListedOn: "2025-11-04", ListedBefore: true, Canonical: "evm:" + evmLower[2:],
				}}},
			},
			{
				Verdict: pb.Verdict_VERDICT_RELATED, Reason: pb.Reason_REASON_UNRECOGNIZED,
				Matches: []*pb.Match{{Basis: pb.Basis_BASIS_SAME_ACCOUNT_OTHER_TAG, Listing: &pb.Listing{
					ListId: "us-ofac-sdn", Kind: pb.ListKind_LIST_KIND_DESIGNATION, Authority: "OFAC", PartyUid: "2",
					Address: "unreadable", Tag: "9", Listed: publication, SourceUrl: "https://example.org/sdn", ListedOn: "2025-01-01", DelistedOn: "2026-01-01",
				}}},
			},
			{Verdict: pb.Verdict_VERDICT_CANNOT_SCREEN, Reason: pb.Reason_REASON_INVALID_TEXT},
			{Verdict: pb.Verdict_VERDICT_CANNOT_SCREEN, Reason: pb.Reason_REASON_EMPTY},
			{Verdict: pb.Verdict_VERDICT_CANNOT_SCREEN, Reason: pb.Reason_REASON_TOO_LONG},
			{Verdict: pb.Verdict_VERDICT_NOT_LISTED},
		},
		Snapshot:   &pb.SnapshotRef{Sequence: 7, Digest: s.Digest().String(), CreatedAt: timestamppb.New(noon.Add(-time.Hour))},
		ScreenedAt: timestamppb.New(noon),
		ValidUntil: timestamppb.New(at.Add(26 * time.Hour)),
		Lists:      []*pb.ListFreshness{{ListId: "us-ofac-sdn", PublishedOn: "2025-11-04", VerifiedAt: timestamppb.New(at)}},
		RequestId:  "batch 1",
	}
	got := in.screen(t, &pb.ScreenAddressesRequest{
		Addresses: []string{"1BoatSLRHtKNngkdXEeobR76b53LETtpyT", " " + evmLower, "unreadable", "\xff", "", strings.Repeat("1", 513), "1BoatSLRHtKNngkdXEeobR76b53LETtpyT"},
		Network:   "bip122:000000000019d6689c085ae165831e93",
		RequestId: "batch 1",
	})
	if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestNotListedTakesFourBytes(t *testing.T) {
	in := install(t, Config{})
	in.server.Swap(State{Snapshot: published(t)})
	one := in.screen(t, &pb.ScreenAddressesRequest{Addresses: []string{other}})
	two := in.screen(t, &pb.ScreenAddressesRequest{Addresses: []string{other, other}})
	if got := proto.Size(two) - proto.Size(one); got != 4 {
		t.Errorf("one more result that is not listed takes %d bytes, want 4", got)
	}
}

func TestOrderAndLimits(t *testing.T) {
	in := install(t, Config{})
	in.server.Swap(State{Snapshot: published(t)})
	addresses := make([]string, 10_000)
	for i := range addresses {
		switch i % 3 {
		case 0:
			addresses[i] = evm
		case 1:
			addresses[i] = other
		default:
			addresses[i] = strings.Repeat("x", 512)
		}
	}
	want := []pb.Verdict{pb.Verdict_VERDICT_LISTED, pb.Verdict_VERDICT_NOT_LISTED, pb.Verdict_VERDICT_CANNOT_SCREEN}
	for i, r := range in.screen(t, &pb.ScreenAddressesRequest{Addresses: addresses}).Results {
		if r.Verdict != want[i%3] {
			t.Fatalf("result %d: %v, want %s", i, r, want[i%3])
		}
	}
	_, err := in.screening.ScreenAddresses(t.Context(), &pb.ScreenAddressesRequest{Addresses: append(addresses, other)})
	wantFailure(t, err, codes.InvalidArgument, pb.ErrorReason_ERROR_REASON_TOO_MANY_ADDRESSES, 0, map[string]string{"addresses": "10001", "limit": "10000"})

	for i := range addresses { // the longest request that is within the limits
		addresses[i] = strings.Repeat("x", 512)
	}
	in.screen(t, &pb.ScreenAddressesRequest{Addresses: addresses})
	for i := range addresses {
		addresses[i] = strings.Repeat("x", 1024)
	}
	_, err = in.screening.ScreenAddresses(t.Context(), &pb.ScreenAddressesRequest{Addresses: addresses})
	if got := status.Code(err); got != codes.ResourceExhausted {
		t.Errorf("a message over all limits: %v, want RESOURCE_EXHAUSTED", err)
	}
	in.screen(t, &pb.ScreenAddressesRequest{Addresses: []string{evm}})
}

func TestRefusedRequests(t *testing.T) {
	in := install(t, Config{})
	in.server.Swap(State{Snapshot: published(t)})
	many := make([]string, 101)
	for i := range many {
		many[i] = "list-" + strconv.Itoa(i)
	}
	in.screen(t, &pb.ScreenAddressesRequest{Addresses: []string{evm}, ListIds: many[:100], RequestId: strings.Repeat("~", 128), AsOf: "2025-11-06"})
	for _, test := range []struct {
		name     string
		change   func(*pb.ScreenAddressesRequest)
		code     codes.Code
		reason   pb.ErrorReason
		metadata map[string]string
	}{
		{"no addresses", func(r *pb.ScreenAddressesRequest) { r.Addresses = nil }, codes.InvalidArgument, pb.ErrorReason_ERROR_REASON_NO_ADDRESSES, nil},
		{"network", func(r *pb.ScreenAddressesRequest) { r.Network = "ethereum" }, codes.InvalidArgument, pb.ErrorReason_ERROR_REASON_INVALID_NETWORK, nil},
		{"list id", func(r *pb.ScreenAddressesRequest) { r.ListIds = []string{"us-ofac-sdn", "SDN"} }, codes.InvalidArgument, pb.ErrorReason_ERROR_REASON_INVALID_LIST_ID, nil},
		{"empty list id", func(r *pb.ScreenAddressesRequest) { r.ListIds = []string{""} }, codes.InvalidArgument, pb.ErrorReason_ERROR_REASON_INVALID_LIST_ID, nil},
		{"long list id", func(r *pb.ScreenAddressesRequest) { r.ListIds = []string{strings.Repeat("a", 65)} }, codes.InvalidArgument, pb.ErrorReason_ERROR_REASON_INVALID_LIST_ID, nil},
		{"many list ids", func(r *pb.ScreenAddressesRequest) { r.ListIds = many }, codes.InvalidArgument, pb.ErrorReason_ERROR_REASON_INVALID_LIST_ID, nil},
		{"no date", func(r *pb.ScreenAddressesRequest) { r.AsOf = "yesterday" }, codes.InvalidArgument, pb.ErrorReason_ERROR_REASON_INVALID_AS_OF, nil},
		{"no such date", func(r *pb.ScreenAddressesRequest) { r.AsOf = "2025-02-29" }, codes.InvalidArgument, pb.ErrorReason_ERROR_REASON_INVALID_AS_OF, nil},
		{"an instant", func(r *pb.ScreenAddressesRequest) { r.AsOf = "2025-11-04T00:00:00Z" }, codes.InvalidArgument, pb.ErrorReason_ERROR_REASON_INVALID_AS_OF, nil},
		{"the day after tomorrow", func(r *pb.ScreenAddressesRequest) { r.AsOf = "2025-11-07" }, codes.InvalidArgument, pb.ErrorReason_ERROR_REASON_INVALID_AS_OF, nil},
		{"no age", func(r *pb.ScreenAddressesRequest) { r.MaxListAge = durationpb.New(0) }, codes.InvalidArgument, pb.ErrorReason_ERROR_REASON_INVALID_MAX_LIST_AGE, nil},
		{"negative age", func(r *pb.ScreenAddressesRequest) { r.MaxListAge = durationpb.New(-time.Hour) }, codes.InvalidArgument, pb.ErrorReason_ERROR_REASON_INVALID_MAX_LIST_AGE, nil},
		{"age out of range", func(r *pb.ScreenAddressesRequest) { r.MaxListAge = &durationpb.Duration{Seconds: 1 << 60} }, codes.InvalidArgument, pb.ErrorReason_ERROR_REASON_INVALID_MAX_LIST_AGE, nil},
		{"snapshots that contradict", func(r *pb.ScreenAddressesRequest) { r.Snapshot, r.MinSnapshot = 7, 8 }, codes.InvalidArgument, pb.ErrorReason_ERROR_REASON_INVALID_SNAPSHOT, nil},
		{"long request id", func(r *pb.ScreenAddressesRequest) { r.RequestId = strings.Repeat("x", 129) }, codes.InvalidArgument, pb.ErrorReason_ERROR_REASON_INVALID_REQUEST_ID, nil},
		{"request id of two lines", func(r *pb.ScreenAddressesRequest) { r.RequestId = "a\nb" }, codes.InvalidArgument, pb.ErrorReason_ERROR_REASON_INVALID_REQUEST_ID, nil},
		{"request id beyond ASCII", func(r *pb.ScreenAddressesRequest) { r.RequestId = "ä" }, codes.InvalidArgument, pb.ErrorReason_ERROR_REASON_INVALID_REQUEST_ID, nil},
		{"receipt", func(r *pb.ScreenAddressesRequest) { r.Receipt = true }, codes.FailedPrecondition, pb.ErrorReason_ERROR_REASON_RECEIPTS_NOT_CONFIGURED, nil},
		{"an older snapshot", func(r *pb.ScreenAddressesRequest) { r.Snapshot = 6 }, codes.FailedPrecondition, pb.ErrorReason_ERROR_REASON_SNAPSHOT_NOT_HELD, map[string]string{"sequence": "7", "snapshot": "6"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			req := &pb.ScreenAddressesRequest{Addresses: []string{evm}}
			test.change(req)
			_, err := in.screening.ScreenAddresses(t.Context(), req)
			wantFailure(t, err, test.code, test.reason, 0, test.metadata)
			if strings.Contains(fmt.Sprint(err), evm) {
				t.Errorf("the error quotes the address: %v", err)
			}
		})
	}
}

func TestNotReady(t *testing.T) {
	in := install(t, Config{})
	for _, req := range []*pb.ScreenAddressesRequest{{}, {MinSnapshot: 5}, {Snapshot: 5}} {
		req.Addresses = []string{evm}
		_, err := in.screening.ScreenAddresses(t.Context(), req)
		wantFailure(t, err, codes.Unavailable, pb.ErrorReason_ERROR_REASON_NOT_READY, time.Second, nil)
	}
	_, err := in.lists.GetSnapshot(t.Context(), &pb.GetSnapshotRequest{})
	wantFailure(t, err, codes.Unavailable, pb.ErrorReason_ERROR_REASON_NOT_READY, time.Second, nil)
}

func TestEmptySnapshotNeverSaysNotListed(t *testing.T) {
	in := install(t, Config{})
	in.server.Swap(State{Snapshot: screen.Empty().Named(1, noon)})
	got := in.screenOne(t, &pb.ScreenAddressesRequest{Addresses: []string{other}})
	if got.Verdict != pb.Verdict_VERDICT_CANNOT_SCREEN || got.Reason != pb.Reason_REASON_NOT_LOADED {
		t.Errorf("%v, want CANNOT_SCREEN with NOT_LOADED", got)
	}
	if in.server.Ready() {
		t.Error("ready without a list")
	}
}

// Waiting for a snapshot, on a clock that runs only while everybody waits.
func TestWaitForSnapshot(t *testing.T) {
	seven := published(t)
	eight := merged(t, seven, sdn, 20251105, "3", party("1", evm, other)).Named(8, noon)
	type outcome struct {
		res  *pb.ScreenAddressesResponse
		err  error
		took time.Duration
	}
	call := func(s *Server, ctx context.Context, req *pb.ScreenAddressesRequest) chan outcome {
		req.Addresses = []string{other}
		done := make(chan outcome, 1)
		go func() {
			begin := time.Now()
			res, err := s.ScreenAddresses(ctx, req)
			done <- outcome{res, err, time.Since(begin)}
		}()
		return done
	}
	for _, req := range []*pb.ScreenAddressesRequest{{MinSnapshot: 8}, {Snapshot: 8}} {
		synctest.Test(t, func(t *testing.T) {
			s := New(Config{})
			s.Swap(State{Snapshot: seven})
			done := call(s, t.Context(), proto.CloneOf(req))
			synctest.Wait()
			s.Swap(State{Snapshot: seven, Verified: verified(noon, sdn.ID)}) // news, but not what is waited for
			synctest.Wait()
			if len(done) > 0 {
				t.Fatalf("%v: answered before the snapshot", req)
			}
			<-time.After(time.Second)
			s.Swap(State{Snapshot: eight})
			got := <-done
			if got.err != nil || got.res.Snapshot.Sequence != 8 || got.res.Results[0].Verdict != pb.Verdict_VERDICT_LISTED || got.took != time.Second {
				t.Errorf("%v: %v, %v after %s", req, got.res, got.err, got.took)
			}
			if at := got.res.GetScreenedAt().AsTime(); !at.Equal(time.Now()) {
				t.Errorf("%v: screened at %s, want after the wait, %s", req, at, time.Now())
			}
		})
	}
	synctest.Test(t, func(t *testing.T) {
		s := New(Config{})
		s.Swap(State{Snapshot: seven})
		got := <-call(s, t.Context(), &pb.ScreenAddressesRequest{MinSnapshot: 8})
		wantFailure(t, got.err, codes.FailedPrecondition, pb.ErrorReason_ERROR_REASON_SNAPSHOT_NOT_REACHED, 2*time.Second, map[string]string{"sequence": "7", "min_snapshot": "8"})
		if got.took != 2*time.Second {
			t.Errorf("waited %s, want two seconds", got.took)
		}
		got = <-call(s, t.Context(), &pb.ScreenAddressesRequest{Snapshot: 8, MinSnapshot: 8})
		wantFailure(t, got.err, codes.FailedPrecondition, pb.ErrorReason_ERROR_REASON_SNAPSHOT_NOT_HELD, 0, map[string]string{"sequence": "7", "snapshot": "8"})

		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		if got = <-call(s, ctx, &pb.ScreenAddressesRequest{MinSnapshot: 8}); got.took >= 300*time.Millisecond {
			t.Errorf("waited %s, to the deadline of the call", got.took)
		}
		wantFailure(t, got.err, codes.FailedPrecondition, pb.ErrorReason_ERROR_REASON_SNAPSHOT_NOT_REACHED, 2*time.Second, map[string]string{"sequence": "7", "min_snapshot": "8"})
		got = <-call(s, t.Context(), &pb.ScreenAddressesRequest{MinSnapshot: 7})
		if got.err != nil || got.took != 0 {
			t.Errorf("a snapshot that is served: %v after %s", got.err, got.took)
		}
	})

	// The same through a socket, in whatever order call and swap arrive.
	in := install(t, Config{})
	in.server.Swap(State{Snapshot: seven})
	go in.server.Swap(State{Snapshot: eight})
	if got := in.screen(t, &pb.ScreenAddressesRequest{Addresses: []string{other}, MinSnapshot: 8}); got.Snapshot.Sequence != 8 {
		t.Errorf("answered from snapshot %d", got.Snapshot.Sequence)
	}
	if got := in.screen(t, &pb.ScreenAddressesRequest{Addresses: []string{other}, MinSnapshot: 7, Snapshot: 8}); got.Snapshot.Sequence != 8 {
		t.Errorf("answered from snapshot %d", got.Snapshot.Sequence)
	}
}

func TestListsAndTime(t *testing.T) {
	in := install(t, Config{MaxListAge: 26 * time.Hour})
	s := merged(t, published(t), own, 20251101, "own", party("x", "1BoatSLRHtKNngkdXEeobR76b53LETtpyT")).Named(8, noon)
	in.server.Swap(State{Snapshot: s, Verified: verified(noon.Add(-time.Hour), sdn.ID, own.ID)})
	for _, test := range []struct {
		name    string
		req     *pb.ScreenAddressesRequest
		verdict pb.Verdict
		reason  pb.Reason
		lists   []string
		notices []pb.NoticeCode
		valid   bool
	}{
		{"every list", &pb.ScreenAddressesRequest{Addresses: []string{evm}}, pb.Verdict_VERDICT_LISTED, 0, []string{"own", "us-ofac-sdn"}, nil, true},
		{"another list", &pb.ScreenAddressesRequest{Addresses: []string{evm}, ListIds: []string{"own", "own"}}, pb.Verdict_VERDICT_NOT_LISTED, 0, []string{"own"}, nil, true},
		{"a list that is not loaded", &pb.ScreenAddressesRequest{Addresses: []string{other}, ListIds: []string{"own", "eu", "eu"}}, pb.Verdict_VERDICT_CANNOT_SCREEN, pb.Reason_REASON_NOT_LOADED,
			[]string{"own"}, []pb.NoticeCode{pb.NoticeCode_NOTICE_CODE_LIST_NOT_LOADED}, true},
		{"now, delisted", &pb.ScreenAddressesRequest{Addresses: []string{tronText}}, pb.Verdict_VERDICT_NOT_LISTED, 0, []string{"own", "us-ofac-sdn"}, nil, true},
		{"then, listed", &pb.ScreenAddressesRequest{Addresses: []string{tronText}, AsOf: "2025-11-03"}, pb.Verdict_VERDICT_LISTED, 0, []string{"own", "us-ofac-sdn"}, nil, false},
		{"on the day of the delisting", &pb.ScreenAddressesRequest{Addresses: []string{tronText}, AsOf: "2025-11-04"}, pb.Verdict_VERDICT_NOT_LISTED, 0, []string{"own", "us-ofac-sdn"}, nil, false},
		{"before the history", &pb.ScreenAddressesRequest{Addresses: []string{tronText}, AsOf: "2025-10-29"}, pb.Verdict_VERDICT_CANNOT_SCREEN, pb.Reason_REASON_BEFORE_HISTORY, []string{"own", "us-ofac-sdn"}, nil, false},
		{"before the history of an own list", &pb.ScreenAddressesRequest{Addresses: []string{tronText}, AsOf: "2025-10-29", ListIds: []string{"own"}}, pb.Verdict_VERDICT_NOT_LISTED, 0, []string{"own"}, nil, false},
		{"an age of an hour", &pb.ScreenAddressesRequest{Addresses: []string{other}, MaxListAge: durationpb.New(time.Hour)}, pb.Verdict_VERDICT_NOT_LISTED, 0, []string{"own", "us-ofac-sdn"}, nil, true},
		{"an age of less", &pb.ScreenAddressesRequest{Addresses: []string{other}, MaxListAge: durationpb.New(time.Hour - 1)}, pb.Verdict_VERDICT_CANNOT_SCREEN, pb.Reason_REASON_STALE,
			[]string{"own stale", "us-ofac-sdn stale"}, []pb.NoticeCode{pb.NoticeCode_NOTICE_CODE_LIST_STALE, pb.NoticeCode_NOTICE_CODE_LIST_STALE}, false},
		{"an age of less, LISTED", &pb.ScreenAddressesRequest{Addresses: []string{evm}, MaxListAge: durationpb.New(time.Minute), ListIds: []string{"us-ofac-sdn"}}, pb.Verdict_VERDICT_LISTED, 0,
			[]string{"us-ofac-sdn stale"}, []pb.NoticeCode{pb.NoticeCode_NOTICE_CODE_LIST_STALE}, false},
		{"an age of less, about a day that is known to the end", &pb.ScreenAddressesRequest{Addresses: []string{other}, MaxListAge: durationpb.New(time.Minute), AsOf: "2025-11-03"}, pb.Verdict_VERDICT_NOT_LISTED, 0,
			[]string{"own", "us-ofac-sdn"}, nil, false},
		{"an age of less, about a day that lasted on in the west", &pb.ScreenAddressesRequest{Addresses: []string{other}, MaxListAge: durationpb.New(time.Minute), AsOf: "2025-11-04", ListIds: []string{"own"}}, pb.Verdict_VERDICT_CANNOT_SCREEN, pb.Reason_REASON_STALE,
			[]string{"own stale"}, []pb.NoticeCode{pb.NoticeCode_NOTICE_CODE_LIST_STALE}, false},
		{"an age of less, about today", &pb.ScreenAddressesRequest{Addresses: []string{other}, MaxListAge: durationpb.New(time.Minute), AsOf: "2025-11-05", ListIds: []string{"own"}}, pb.Verdict_VERDICT_CANNOT_SCREEN, pb.Reason_REASON_STALE,
			[]string{"own stale"}, []pb.NoticeCode{pb.NoticeCode_NOTICE_CODE_LIST_STALE}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			res := in.screen(t, test.req)
			if got := res.Results[0]; got.Verdict != test.verdict || got.Reason != test.reason {
				t.Errorf("%s with %s, want %s with %s", got.Verdict, got.Reason, test.verdict, test.reason)
			}
			var lists []string
			for _, l := range res.Lists {
				name := l.ListId
				if l.Stale {
					name += " stale"
				}
				lists = append(lists, name)
			}
			if diff := cmp.Diff(test.lists, lists); diff != "" {
				t.Errorf("lists (-want +got):\n%s", diff)
			}
			var notices []pb.NoticeCode
			for _, n := range res.Notices {
				notices = append(notices, n.Code)
				if n.ListId == "" || n.Message == "" {
					t.Errorf("notice %v", n)
				}
			}
			if diff := cmp.Diff(test.notices, notices); diff != "" {
				t.Errorf("notices (-want +got):\n%s", diff)
			}
			if (res.ValidUntil != nil) != test.valid {
				t.Errorf("valid until %v, want one: %t", res.ValidUntil, test.valid)
			}
		})
	}
}

func TestStaleAsTimePasses(t *testing.T) {
	in := install(t, Config{MaxListAge: 26 * time.Hour})
	s := merged(t, published(t), own, 20251101, "own", party("x", evmLower)).Named(8, noon)
	// The SDN list was never compared: its age counts from the end of its day.
	in.server.Swap(State{Snapshot: s, Verified: verified(noon, own.ID)})
	req := &pb.ScreenAddressesRequest{Addresses: []string{other, evm}}
	last := time.Date(2025, 11, 6, 2, 0, 0, 0, time.UTC)
	in.clock.set(last)
	res := in.screen(t, req)
	if got := res.Results[0].Verdict; got != pb.Verdict_VERDICT_NOT_LISTED {
		t.Errorf("at the limit: %s", got)
	}
	if got := res.ValidUntil.AsTime(); !got.Equal(last) {
		t.Errorf("valid until %s, want %s", got, last)
	}
	in.clock.set(last.Add(1))
	res = in.screen(t, req)
	if got := res.Results[0]; got.Verdict != pb.Verdict_VERDICT_CANNOT_SCREEN || got.Reason != pb.Reason_REASON_STALE {
		t.Errorf("over the limit: %v", got)
	}
	if got := res.Results[1].Verdict; got != pb.Verdict_VERDICT_LISTED {
		t.Errorf("listed, over the limit: %s", got)
	}
	if res.ValidUntil != nil {
		t.Errorf("over the limit: valid until %v", res.ValidUntil)
	}
	res = in.screen(t, &pb.ScreenAddressesRequest{Addresses: []string{other}, ListIds: []string{"own"}, MaxListAge: durationpb.New(1000 * time.Hour)})
	if got := res.Results[0].Verdict; got != pb.Verdict_VERDICT_NOT_LISTED {
		t.Errorf("on the list that is fresh: %s", got)
	}
	if got, want := res.ValidUntil.AsTime(), noon.Add(26*time.Hour); !got.Equal(want) {
		t.Errorf("a request loosened the limit: valid until %s, want %s", got, want)
	}
}

func TestBuiltinLists(t *testing.T) {
	in := install(t, Config{MaxListAge: time.Hour})
	in.clock.set(noon.AddDate(1, 0, 0))
	in.server.Swap(State{Snapshot: published(t), Builtin: map[screen.ListID]bool{sdn.ID: true}})
	if !in.server.Ready() {
		t.Error("not ready with builtin lists, on which no age is enforced")
	}
	res := in.screen(t, &pb.ScreenAddressesRequest{Addresses: []string{other}})
	if got := res.Results[0].Verdict; got != pb.Verdict_VERDICT_NOT_LISTED {
		t.Errorf("verdict %s", got)
	}
	if res.ValidUntil != nil {
		t.Errorf("valid until %v, though no limit is enforced", res.ValidUntil)
	}
	want := []*pb.Notice{{
		Code: pb.NoticeCode_NOTICE_CODE_BUILTIN_LISTS, ListId: "us-ofac-sdn",
		Message: "builtin list us-ofac-sdn of 2025-11-04, 365 days old: a default for trying things out, not for compliance",
	}}
	if diff := cmp.Diff(want, res.Notices, protocmp.Transform()); diff != "" {
		t.Errorf("notices (-want +got):\n%s", diff)
	}
	snapshot, err := in.lists.GetSnapshot(t.Context(), &pb.GetSnapshotRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, snapshot.Notices, protocmp.Transform()); diff != "" {
		t.Errorf("GetSnapshot: notices (-want +got):\n%s", diff)
	}
	if l := snapshot.Lists[0]; l.MaxAge != nil || l.Stale || l.VerifiedAt != nil || l.Source != "" {
		t.Errorf("GetSnapshot: %v", l)
	}
	res = in.screen(t, &pb.ScreenAddressesRequest{Addresses: []string{other}, MaxListAge: durationpb.New(time.Hour)})
	if got := res.Results[0].Reason; got != pb.Reason_REASON_STALE {
		t.Errorf("with an age of the caller's: %s", got)
	}
}

// Of a builtin list and one that was compared, the age limit is enforced on the
// other alone.
func TestSomeListsBuiltin(t *testing.T) {
	registry := prometheus.NewRegistry()
	in := install(t, Config{MaxListAge: time.Hour, Metrics: registry})
	s := merged(t, published(t), own, 20251101, "own", party("x", evmLower)).Named(8, noon)
	in.server.Swap(State{Snapshot: s, Verified: verified(noon, own.ID), Builtin: map[screen.ListID]bool{sdn.ID: true}})
	in.clock.set(noon.Add(time.Hour))
	all := &pb.ScreenAddressesRequest{Addresses: []string{other}}
	builtin := &pb.ScreenAddressesRequest{Addresses: []string{other}, ListIds: []string{"us-ofac-sdn"}}
	compared := &pb.ScreenAddressesRequest{Addresses: []string{other}, ListIds: []string{"own"}}
	want := func(when string, req *pb.ScreenAddressesRequest, reason pb.Reason, validUntil bool, notices ...string) {
		t.Helper()
		res := in.screen(t, req)
		if got := res.Results[0].Reason; got != reason {
			t.Errorf("%s, lists %q: %v, want reason %s", when, req.ListIds, res.Results[0], reason)
		}
		if validUntil != (res.ValidUntil != nil) || validUntil && !res.ValidUntil.AsTime().Equal(noon.Add(time.Hour)) {
			t.Errorf("%s, lists %q: valid until %v, want an hour after noon: %t", when, req.ListIds, res.ValidUntil, validUntil)
		}
		var got []string
		for _, n := range res.Notices {
			got = append(got, strings.TrimPrefix(n.Code.String(), "NOTICE_CODE_")+" "+n.ListId)
		}
		if diff := cmp.Diff(notices, got); diff != "" {
			t.Errorf("%s, lists %q: notices (-want +got):\n%s", when, req.ListIds, diff)
		}
	}
	want("at the limit", all, 0, true, "BUILTIN_LISTS us-ofac-sdn")
	want("at the limit", builtin, 0, false, "BUILTIN_LISTS us-ofac-sdn")
	want("at the limit", compared, 0, true)
	if !in.server.Ready() {
		t.Error("not ready at the limit")
	}
	in.clock.set(noon.Add(time.Hour + time.Second))
	in.server.assess()
	want("over the limit", all, pb.Reason_REASON_STALE, false, "LIST_STALE own", "BUILTIN_LISTS us-ofac-sdn")
	want("over the limit", builtin, 0, false, "BUILTIN_LISTS us-ofac-sdn")
	if in.server.Ready() {
		t.Error("ready over the limit")
	}
	snapshot, err := in.lists.GetSnapshot(t.Context(), &pb.GetSnapshotRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if l := snapshot.Lists[0]; l.ListId != "own" || l.MaxAge.AsDuration() != time.Hour || !l.Stale {
		t.Errorf("GetSnapshot: %v", l)
	}
	if l := snapshot.Lists[1]; l.ListId != "us-ofac-sdn" || l.MaxAge != nil || l.Stale {
		t.Errorf("GetSnapshot: %v", l)
	}
	got := values(t, registry)
	if a, b := got["walletscreen_list_builtin{list=us-ofac-sdn}"], got["walletscreen_list_builtin{list=own}"]; a != 1 || b != 0 {
		t.Errorf("builtin by the metrics: %v, %v; want 1, 0", a, b)
	}
}

// TestSwapsUnderLoad screens while states swap: every answer is that of the
// snapshot it names, all of it.
func TestSwapsUnderLoad(t *testing.T) {
	in := install(t, Config{})
	texts := []string{evm, tronText, other, evmLower, "nonsense"}
	odd := merged(t, screen.Empty(), sdn, 20251101, "odd", party("odd", evm))
	even := merged(t, screen.Empty(), sdn, 20251101, "even", party("even", tronText, other))
	want := map[string][]string{ // by digest: the party of each text, or the verdict
		odd.Digest().String():  {"odd", "VERDICT_NOT_LISTED", "VERDICT_NOT_LISTED", "odd", "VERDICT_CANNOT_SCREEN"},
		even.Digest().String(): {"VERDICT_NOT_LISTED", "even", "even", "VERDICT_NOT_LISTED", "VERDICT_CANNOT_SCREEN"},
	}
	states := [2]State{{Snapshot: even}, {Snapshot: odd}}
	in.server.Swap(State{Snapshot: odd.Named(1, noon)})

	var clients sync.WaitGroup
	for range 8 {
		clients.Go(func() {
			last := uint64(0)
			for range 150 {
				res, err := in.screening.ScreenAddresses(t.Context(), &pb.ScreenAddressesRequest{Addresses: texts, MinSnapshot: last})
				if err != nil {
					t.Errorf("a call failed: %v", err)
					return
				}
				if res.Snapshot.Sequence < last {
					t.Errorf("snapshot %d, at least %d was asked for", res.Snapshot.Sequence, last)
				}
				last = res.Snapshot.Sequence
				if (last%2 == 1) != (res.Snapshot.Digest == odd.Digest().String()) {
					t.Errorf("snapshot %d has digest %s", last, res.Snapshot.Digest)
				}
				var got []string
				for _, r := range res.Results {
					if len(r.Matches) > 0 {
						got = append(got, r.Matches[0].Listing.PartyUid)
					} else {
						got = append(got, r.Verdict.String())
					}
				}
				if diff := cmp.Diff(want[res.Snapshot.Digest], got); diff != "" {
					t.Errorf("snapshot %d (-want +got):\n%s", last, diff)
				}
			}
		})
	}
	done := make(chan struct{})
	go func() { clients.Wait(); close(done) }()
	for sequence := uint64(2); ; sequence++ {
		select {
		case <-done:
			if sequence < 10 {
				t.Errorf("only %d swaps while the clients screened", sequence)
			}
			return
		default:
			in.server.Swap(State{Snapshot: states[sequence%2].Snapshot.Named(sequence, noon)})
		}
	}
}

// TestKindsOfRows: where a list mixes kinds the row decides, and the answer says it.
func TestKindsOfRows(t *testing.T) {
	in := install(t, Config{})
	own := screen.List{ID: "house", Kind: screen.KindInternal, Authority: "operator", Name: "house"}
	s := merged(t, screen.Empty(), own, 20251104, "1", screen.PublishedParty{UID: "m-1", Addresses: []screen.PublishedAddress{
		{Text: evm, Kind: screen.KindAdvisory}, {Text: tronText},
	}})
	in.server.Swap(State{Snapshot: s.Named(1, noon), Verified: verified(noon, own.ID)})
	res, err := in.screening.ScreenAddresses(t.Context(), &pb.ScreenAddressesRequest{Addresses: []string{evm, tronText}})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []struct {
		verdict pb.Verdict
		kind    pb.ListKind
	}{{pb.Verdict_VERDICT_ADVISORY, pb.ListKind_LIST_KIND_ADVISORY}, {pb.Verdict_VERDICT_LISTED, pb.ListKind_LIST_KIND_INTERNAL}} {
		if r := res.Results[i]; r.Verdict != want.verdict || len(r.Matches) != 1 || r.Matches[0].Listing.Kind != want.kind {
			t.Errorf("%d: %v, want %s, %s", i, r, want.verdict, want.kind)
		}
	}
}
