package main_test

import (
	"testing"

	"google.golang.org/grpc/codes"

	pb "walletscreen/proto/walletscreen/v1"
)

// screeningClauses hold the rules that hold everywhere, ScreeningService, and its
// messages but what they carry of a match.
var screeningClauses = []clause{
	{
		element: "ScreenAddressesRequest", says: []string{"ScreenAddressesRequest is one batch to screen."},
		meaning: "a definition",
	},
	{
		element: "ScreenAddressesRequest.addresses",
		says:    []string{"None at all is INVALID_ARGUMENT with NO_ADDRESSES, more than 10,000 TOO_MANY_ADDRESSES."},
		holds: func(t *testing.T, w *world) {
			for _, s := range []*answering{w.builtin(), w.loaded()} {
				_, err := s.ScreenAddresses(t.Context(), &pb.ScreenAddressesRequest{})
				wantRefused(t, err, codes.InvalidArgument, "NO_ADDRESSES", false)
			}
			_, err := w.guarded().as("reader").ScreenAddresses(t.Context(), &pb.ScreenAddressesRequest{})
			wantRefused(t, err, codes.PermissionDenied, "PERMISSION_DENIED", false)
			res, err := w.loaded().GetSnapshot(t.Context())
			if err != nil || res.GetSnapshot().GetSequence() != lastSnapshot {
				t.Errorf("%v, %v: want snapshot %d", res, err, lastSnapshot)
			}
			for address, want := range map[string]pb.Verdict{
				standingAddress: pb.Verdict_VERDICT_LISTED, leavingAddress: pb.Verdict_VERDICT_NOT_LISTED, returningAddress: pb.Verdict_VERDICT_LISTED, arrivingAddress: pb.Verdict_VERDICT_LISTED,
				advisedAddress: pb.Verdict_VERDICT_ADVISORY, designatedAddress: pb.Verdict_VERDICT_LISTED, seizedAddress: pb.Verdict_VERDICT_LISTED, boundedAddress: pb.Verdict_VERDICT_NOT_LISTED,
				comingAddress: pb.Verdict_VERDICT_NOT_LISTED, deskAddress: pb.Verdict_VERDICT_LISTED, unlistedAddress: pb.Verdict_VERDICT_NOT_LISTED, taggedAddress: pb.Verdict_VERDICT_RELATED,
				bitcoinAddress: pb.Verdict_VERDICT_LISTED, unreadableText: pb.Verdict_VERDICT_LISTED, "0x000000000000000000000000000000000000dEaD": pb.Verdict_VERDICT_LISTED,
			} {
				if r := w.loaded().one(t, address, nil); r.Verdict != want {
					t.Errorf("%s: %v, want %s", address, r, want)
				}
			}
		},
	},
}
