package main

import (
	"testing"

	pb "walletscreen/proto/walletscreen/v1"
)

// The worst verdict decides the exit code of check. One that this program does not
// know, from a newer server, and none at all are no "not listed".
func TestWorstVerdict(t *testing.T) {
	const (
		listed, advisory, related = pb.Verdict_VERDICT_LISTED, pb.Verdict_VERDICT_ADVISORY, pb.Verdict_VERDICT_RELATED
		cannot, notListed         = pb.Verdict_VERDICT_CANNOT_SCREEN, pb.Verdict_VERDICT_NOT_LISTED
		unspecified, newer        = pb.Verdict_VERDICT_UNSPECIFIED, pb.Verdict(99)
	)
	for _, test := range []struct {
		verdicts []pb.Verdict
		want     int
	}{
		{[]pb.Verdict{notListed, notListed}, 0},
		{[]pb.Verdict{notListed, newer}, 12},
		{[]pb.Verdict{notListed, unspecified}, 12},
		{[]pb.Verdict{cannot, notListed}, 12},
		{[]pb.Verdict{cannot, related}, 11},
		{[]pb.Verdict{advisory, newer}, 11},
		{[]pb.Verdict{related, listed, cannot}, 10},
		{[]pb.Verdict{newer, listed}, 10},
	} {
		var w worst
		for _, v := range test.verdicts {
			w.add([]*pb.ScreenResult{{Verdict: v}})
		}
		got := 0
		if code, ok := w.exit().(exitCode); ok {
			got = int(code)
		}
		if got != test.want {
			t.Errorf("%v: exit code %d, want %d", test.verdicts, got, test.want)
		}
	}
}
