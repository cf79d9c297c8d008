package server

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"

	pb "walletscreen/proto/walletscreen/v1"
	"walletscreen/screen"
	"walletscreen/screen/wire"
)

func (in *installation) history(t testing.TB, req *pb.GetAddressHistoryRequest) *pb.GetAddressHistoryResponse {
	t.Helper()
	res, err := in.lists.GetAddressHistory(within(t), req, grpc.ForceCodecV2(wire.Codec{}))
	if err != nil {
		t.Fatalf("%v: %v", req, err)
	}
	return res
}

// TestGetAddressHistory: every sentence about it in the contract.
func TestGetAddressHistory(t *testing.T) {
	// On the SDN list evm comes, goes, and comes back under another name; on the
	// operator's own it is listed from 1990, and again in times to come.
	s := merged(t, screen.Empty(), sdn, 20250101, "1", party("1", evm, "0xnonsense"))
	s = merged(t, s, sdn, 20250201, "2", party("1", tronText))
	renamed := party("1", evmLower)
	renamed.Facts.Name = "Renamed"
	s = merged(t, s, sdn, 20250301, "3", renamed, party("2", tronText))
	house := party("9", evm, evm)
	house.Addresses[0].ListedOn, house.Addresses[0].DelistedOn = 19900101, 19910101
	house.Addresses[1].ListedOn = 20990101
	s = merged(t, s, own, 20250302, "own", house).Named(7, noon)
	in := install(t, Config{MaxListAge: 26 * time.Hour})

	_, err := in.lists.GetAddressHistory(within(t), &pb.GetAddressHistoryRequest{Address: evm})
	wantFailure(t, err, codes.Unavailable, pb.ErrorReason_ERROR_REASON_NOT_READY, time.Second, nil)
	in.server.Swap(State{Snapshot: s, Verified: verified(noon.Add(-time.Hour), sdn.ID, own.ID)})

	t.Run("every listing, past, present and to come, oldest first", func(t *testing.T) {
		var got []string
		res := in.history(t, &pb.GetAddressHistoryRequest{Address: evm})
		for _, m := range res.Matches {
			l := m.Listing
			got = append(got, strings.TrimSpace(fmt.Sprintf("%s %s %s %s", m.Basis, l.ListedOn, l.PartyName, l.DelistedOn)))
		}
		if diff := cmp.Diff([]string{
			"BASIS_EXACT_TEXT 1990-01-01 Party 9 1991-01-01",
			"BASIS_EXACT_TEXT 2025-01-01 Party 1 2025-02-01",
			"BASIS_SAME_ACCOUNT 2025-03-01 Renamed",
			"BASIS_EXACT_TEXT 2099-01-01 Party 9",
		}, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if res.Reason != 0 || res.Warnings != nil || res.Snapshot.Sequence != 7 || len(res.Lists) != 2 || len(res.Notices) != 0 || res.Lists[1].VerifiedAt == nil {
			t.Errorf("%v", res)
		}
	})
	t.Run("with the publications that listed and delisted it", func(t *testing.T) {
		l := in.history(t, &pb.GetAddressHistoryRequest{Address: evm}).Matches[1].Listing
		if l.Listed.GetSha256() != digest("1") || l.Delisted.GetSha256() != digest("2") || l.Delisted.GetPublishedOn() != "2025-02-01" {
			t.Errorf("%v", l)
		}
	})
	t.Run("list_ids are the lists to look in", func(t *testing.T) {
		res := in.history(t, &pb.GetAddressHistoryRequest{Address: evm, ListIds: []string{"us-ofac-sdn", "us-ofac-sdn"}})
		if len(res.Matches) != 2 || len(res.Lists) != 1 || res.Reason != 0 {
			t.Errorf("%v", res)
		}
		res = in.history(t, &pb.GetAddressHistoryRequest{Address: evm, ListIds: []string{"us-ofac-sdn", "eu-fsf"}})
		if len(res.Matches) != 2 || res.Reason != pb.Reason_REASON_NOT_LOADED || len(res.Notices) != 1 {
			t.Errorf("with a list that is not loaded: %v", res)
		}
	})
	t.Run("network is a hint", func(t *testing.T) {
		res := in.history(t, &pb.GetAddressHistoryRequest{Address: evm, Network: "tron:0x2b6653dc"})
		if len(res.Matches) != 4 {
			t.Errorf("%v", res)
		}
		res = in.history(t, &pb.GetAddressHistoryRequest{Address: evm, Network: "bip122:000000000019d6689c085ae165831e93"})
		if len(res.Matches) != 4 || len(res.Warnings) == 0 {
			t.Errorf("another network: %v", res)
		}
	})
	t.Run("an address that cannot be read is answered with the reason", func(t *testing.T) {
		for text, want := range map[string]pb.Reason{
			"": pb.Reason_REASON_EMPTY, " \t": pb.Reason_REASON_EMPTY, strings.Repeat("a", 513): pb.Reason_REASON_TOO_LONG,
			"\xff\xfe": pb.Reason_REASON_INVALID_TEXT, "nobody.eth": pb.Reason_REASON_NAME_NEEDS_RESOLUTION, other[:41]: pb.Reason_REASON_MALFORMED,
		} {
			if res := in.history(t, &pb.GetAddressHistoryRequest{Address: text}); res.Reason != want || len(res.Matches) != 0 {
				t.Errorf("%.20q: %v, want %s", text, res, want)
			}
		}
		// A text that was published is found though nobody can read it.
		if res := in.history(t, &pb.GetAddressHistoryRequest{Address: "0xnonsense"}); res.Reason == 0 || len(res.Matches) != 1 || res.Matches[0].Listing.Delisted == nil {
			t.Errorf("a published text that is no address: %v", res)
		}
	})
	t.Run("unspecified when nothing does, also when there are no matches", func(t *testing.T) {
		if res := in.history(t, &pb.GetAddressHistoryRequest{Address: other}); res.Reason != 0 || len(res.Matches) != 0 {
			t.Errorf("%v", res)
		}
	})
	t.Run("what stands against the lists", func(t *testing.T) {
		in.clock.set(noon.Add(48 * time.Hour))
		defer in.clock.set(noon)
		if res := in.history(t, &pb.GetAddressHistoryRequest{Address: evm}); res.Reason != pb.Reason_REASON_STALE || len(res.Matches) != 4 || !res.Lists[0].Stale || len(res.Notices) != 2 {
			t.Errorf("%v", res)
		}
	})
	t.Run("INVALID_ARGUMENT", func(t *testing.T) {
		_, err := in.lists.GetAddressHistory(within(t), &pb.GetAddressHistoryRequest{Address: evm, Network: "ethereum"})
		wantFailure(t, err, codes.InvalidArgument, pb.ErrorReason_ERROR_REASON_INVALID_NETWORK, 0, nil)
		_, err = in.lists.GetAddressHistory(within(t), &pb.GetAddressHistoryRequest{Address: evm, ListIds: []string{"SDN"}})
		wantFailure(t, err, codes.InvalidArgument, pb.ErrorReason_ERROR_REASON_INVALID_LIST_ID, 0, nil)
	})
}
