package main_test

import (
	"slices"
	"strings"
	"testing"

	pb "walletscreen/proto/walletscreen/v1"
)

// One batch of everything that people send: each address gets its own answer,
// the others unharmed, by the program that was built, over a socket, from the
// builtin lists.
func TestTexts(t *testing.T) {
	const (
		lazarus = "27307"
		nobody  = ""
	)
	listed, notListed, cannot := pb.Verdict_VERDICT_LISTED, pb.Verdict_VERDICT_NOT_LISTED, pb.Verdict_VERDICT_CANNOT_SCREEN
	type want struct {
		text    string
		verdict pb.Verdict
		reason  pb.Reason
		uid     string
		warning pb.Warning
	}
	tests := []want{
		// The published text, and other ways of writing the same account.
		{"0x098B716B8Aaf21512996dC57EB0615e2383E2f96", listed, 0, lazarus, 0},
		{"0X098B716B8AAF21512996DC57EB0615E2383E2F96", listed, 0, lazarus, 0},
		{"0x098b716b8aaf21512996dc57eb0615e2383e2f96", listed, 0, lazarus, 0},
		{"098B716B8Aaf21512996dC57EB0615e2383E2f96", listed, 0, lazarus, 0},
		{"098b716b8aaf21512996dc57eb0615e2383e2f96", listed, 0, lazarus, 0},
		// Mixed case that is no checksum does not hide a listed account.
		{"0x098b716B8Aaf21512996dC57EB0615e2383E2f96", listed, 0, lazarus, pb.Warning_WARNING_CHECKSUM_CASE},
		{"\u00a00x098B716B8Aaf21512996dC57EB0615e2383E2f96\r\n", listed, 0, lazarus, pb.Warning_WARNING_NORMALIZED},
		// Bech32 in capitals, as QR codes have it.
		{"BC1QW4CXPE6SXA5DG6SDWXJPH959CW6YZTRZL4R54S", listed, 0, "", 0},
		// Published under XBT, and an address of Tron.
		{"TUCsTq7TofTCJRRoHk6RvhMoS2mJLm5Yzq", listed, 0, "45404", 0},
		{"41c807c718738a0e3a4c8c510182429f6aa56117e5", listed, 0, "45404", 0},
		// Two that nobody can read, exactly as published.
		{"5be5543ff73456ab9f2d207887e2af87322c651ea1a873c5b25b7ffae456c320", listed, 0, "29585", 0},
		{"45ezvPejNsKYntjhyyeb7fbfzilsxYQozc5Ffseh8jPGW4JZQQVXykNTfK5uGFiij7Hp3qPv3T5HCR7F3Fnmz2mzE1aKQwo", listed, 0, "18647", 0},
		// Delisted on 21 March 2025.
		{"0x12D66f87A04A9E220743712cE6d9bB1B5616B8Fc", notListed, 0, nobody, 0},

		{"0x000000000000000000000000000000000000dEaD", notListed, 0, nobody, 0},
		{"1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", notListed, 0, nobody, 0},
		{"bc1p5cyxnuxmeuwuvkwfem96lqzszd02n6xdcjrs20cac6yqjjwudpxqkedrcr", notListed, 0, nobody, 0},
		{"TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t", notListed, 0, nobody, 0},

		// One letter changed.
		{"TA3941uFAvmVibSkQ6fMJXxmaSNovX86mx", cannot, pb.Reason_REASON_CHECKSUM, nobody, 0},
		{"0x000000000000000000000000000000000000DeAD", cannot, pb.Reason_REASON_CHECKSUM, nobody, pb.Warning_WARNING_CHECKSUM_CASE},
		{"12QtD5BFwRsdNsAZY76UVE1xyCGNTojH9H", cannot, pb.Reason_REASON_CHECKSUM, nobody, 0},
		{"bc1qw4cxpe6sxa5dg6sdwxjph959cw6yztrzl4r54q", cannot, pb.Reason_REASON_CHECKSUM, nobody, 0},

		{"", cannot, pb.Reason_REASON_EMPTY, nobody, 0},
		{strings.Repeat("1", 600), cannot, pb.Reason_REASON_TOO_LONG, nobody, 0},
		{"0x098B716B8Aaf21512996dC57EB0615e2383E2f9\xff", cannot, pb.Reason_REASON_INVALID_TEXT, nobody, 0},
		{"vitalik.eth", cannot, pb.Reason_REASON_NAME_NEEDS_RESOLUTION, nobody, 0},
		{"0x5c504ed432cb51138bcf09aa5e8a410dd4a1e204ef84bfed1be16dfba1b22060", cannot, pb.Reason_REASON_AMBIGUOUS_32_BYTE, nobody, 0},
		{"0x098B716B8Aaf21512996dC57EB0615e2383E2f9", cannot, pb.Reason_REASON_MALFORMED, nobody, 0},
		{"0x098B716B8Aaf21512996dC57EB0615e2383E2f96 TA3941uFAvmVibSkQ6fMJXxmaSNovX86mz", cannot, pb.Reason_REASON_SEVERAL_ADDRESSES, nobody, 0},
		{"the quick brown fox", cannot, pb.Reason_REASON_UNRECOGNIZED, nobody, 0},
	}
	c := dial(t, serve(t).addr)
	req := &pb.ScreenAddressesRequest{RequestId: "texts"}
	for _, test := range tests {
		req.Addresses = append(req.Addresses, test.text)
	}
	res := ask(t, c, req)
	if len(res.Results) != len(tests) || res.RequestId != "texts" {
		t.Fatalf("%d results for %d addresses, request id %q", len(res.Results), len(tests), res.RequestId)
	}
	if len(res.Notices) != 1 || res.Notices[0].Code != pb.NoticeCode_NOTICE_CODE_BUILTIN_LISTS {
		t.Errorf("notices %v, want that the lists are builtin", res.Notices)
	}
	for i, test := range tests {
		r := res.Results[i]
		if r.Verdict != test.verdict || r.Reason != test.reason {
			t.Errorf("%.100q: %s, %s; want %s, %s", test.text, r.Verdict, r.Reason, test.verdict, test.reason)
			continue
		}
		if test.warning != 0 != (len(r.Warnings) > 0) || test.warning != 0 && !slices.Contains(r.Warnings, test.warning) {
			t.Errorf("%.100q: warnings %v, want %s", test.text, r.Warnings, test.warning)
		}
		if (test.verdict == listed) != (len(r.Matches) > 0) {
			t.Errorf("%.100q: %d matches beside %s", test.text, len(r.Matches), r.Verdict)
		}
		for _, m := range r.Matches {
			if test.uid != "" && m.Listing.PartyUid != test.uid {
				t.Errorf("%.100q: listed for uid %s, want %s", test.text, m.Listing.PartyUid, test.uid)
			}
		}
	}
}
