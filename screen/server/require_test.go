package server

import (
	"bytes"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	pb "walletscreen/proto/walletscreen/v1"
	"walletscreen/screen"
)

// A list that the operator requires and that is not loaded makes the server not
// ready, and questions about all lists unanswerable where nothing is found.
func TestRequire(t *testing.T) {
	var log bytes.Buffer
	in := install(t, Config{Require: []screen.ListID{sdn.ID, own.ID}, Log: slog.New(slog.NewTextHandler(&log, nil))})
	in.server.Swap(State{Snapshot: published(t)})
	if in.server.Ready() || !strings.Contains(log.String(), "list own is required and not loaded") {
		t.Errorf("ready %t without a required list; log:\n%s", in.server.Ready(), &log)
	}
	const unlisted = "0x000000000000000000000000000000000000dEaD"
	res := in.screen(t, &pb.ScreenAddressesRequest{Addresses: []string{unlisted, evm}})
	if r := res.Results[0]; r.Verdict != pb.Verdict_VERDICT_CANNOT_SCREEN || r.Reason != pb.Reason_REASON_NOT_LOADED {
		t.Errorf("not listed: %v, want NOT_LOADED", r)
	}
	if r := res.Results[1]; r.Verdict != pb.Verdict_VERDICT_LISTED {
		t.Errorf("listed: %v, want LISTED all the same", r)
	}
	if len(res.Notices) != 1 || res.Notices[0].Code != pb.NoticeCode_NOTICE_CODE_LIST_NOT_LOADED || res.Notices[0].ListId != "own" {
		t.Errorf("notices %v", res.Notices)
	}
	if r := in.screenOne(t, &pb.ScreenAddressesRequest{Addresses: []string{unlisted}, ListIds: []string{"us-ofac-sdn"}}); r.Verdict != pb.Verdict_VERDICT_NOT_LISTED {
		t.Errorf("a question about the list that is loaded: %v", r)
	}
	in.server.Swap(State{Snapshot: merged(t, published(t), own, 20251105, "own", party("1", tronText))})
	if r := in.screenOne(t, &pb.ScreenAddressesRequest{Addresses: []string{unlisted}}); r.Verdict != pb.Verdict_VERDICT_NOT_LISTED || !in.server.Ready() {
		t.Errorf("with every list: %v, ready %t", r, in.server.Ready())
	}
}

// What a new snapshot lost of the old one is told to operators.
func TestRegressions(t *testing.T) {
	var log bytes.Buffer
	registry := prometheus.NewRegistry()
	in := install(t, Config{Log: slog.New(slog.NewTextHandler(&log, nil)), Metrics: registry})
	both := merged(t, published(t), own, 20251105, "own", party("1", tronText))
	in.server.Swap(State{Snapshot: both})
	in.server.Swap(State{Snapshot: both, Verified: verified(noon, sdn.ID)})
	if strings.Contains(log.String(), "level=ERROR") {
		t.Errorf("nothing was lost:\n%s", &log)
	}
	in.server.Swap(State{Snapshot: merged(t, screen.Empty(), sdn, 20251030, "1", party("1", tronText)).Named(1, noon)})
	for _, want := range []string{"a list is gone from the new snapshot\" list=own", "a list is older in the new snapshot\" list=us-ofac-sdn snapshot=1 published=2025-10-30 before=2025-11-04"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log does not say %q:\n%s", want, &log)
		}
	}
	if n, err := testutil.GatherAndCount(registry, "walletscreen_list_regressions_total"); err != nil || n != 2 {
		t.Errorf("%d lists with regressions, %v; want 2", n, err)
	}
}

// A server that begins with a stale list says why it is not ready.
func TestSaysWhyNotReady(t *testing.T) {
	var log bytes.Buffer
	in := install(t, Config{MaxListAge: time.Hour, Log: slog.New(slog.NewTextHandler(&log, nil))})
	in.server.Swap(State{Snapshot: published(t), Verified: verified(noon.Add(-2*time.Hour), sdn.ID)})
	if !strings.Contains(log.String(), "list us-ofac-sdn is older than 1h0m0s") {
		t.Errorf("log:\n%s", &log)
	}
}

// A store that lost its data, and that a loader of another list fills again, must
// not make NOT_LISTED of what was LISTED.
func TestLostLists(t *testing.T) {
	in := install(t, Config{})
	house := screen.List{ID: "house", Kind: screen.KindInternal, Authority: "operator", Name: "House"}
	both := published(t)
	alone := merged(t, screen.Empty(), house, 20251105, "house", party("9", "0x1111111111111111111111111111111111111111")).Named(1, noon)
	verdict := func() pb.Verdict {
		return in.screen(t, &pb.ScreenAddressesRequest{Addresses: []string{evm}}).Results[0].Verdict
	}
	swap := func(s *screen.Snapshot) {
		t.Helper()
		if err := in.server.Swap(State{Snapshot: s}); err != nil {
			t.Fatal(err)
		}
	}
	want := func(when string, verdict_ pb.Verdict, ready bool, lost ...screen.ListID) {
		t.Helper()
		if got := verdict(); got != verdict_ {
			t.Errorf("%s: %s, want %s", when, got, verdict_)
		}
		if in.server.Ready() != ready || !slices.Equal(in.server.Lost(), lost) {
			t.Errorf("%s: ready %t, lost %v", when, in.server.Ready(), in.server.Lost())
		}
	}
	swap(both)
	want("before", pb.Verdict_VERDICT_LISTED, true)
	swap(alone)
	want("after a flush", pb.Verdict_VERDICT_CANNOT_SCREEN, false, sdn.ID)
	swap(alone.Named(2, noon.Add(time.Minute)))
	want("with the next snapshot", pb.Verdict_VERDICT_CANNOT_SCREEN, false, sdn.ID)
	res, err := in.lists.GetSnapshot(within(t), &pb.GetSnapshotRequest{})
	if err != nil || len(res.Notices) != 1 || res.Notices[0].Code != pb.NoticeCode_NOTICE_CODE_LIST_NOT_LOADED || res.Notices[0].ListId != string(sdn.ID) {
		t.Errorf("%v, %v", res.GetNotices(), err)
	}
	if got := in.screen(t, &pb.ScreenAddressesRequest{Addresses: []string{other}, ListIds: []string{"house"}}).Results[0].Verdict; got != pb.Verdict_VERDICT_NOT_LISTED {
		t.Errorf("of the list that is loaded: %s", got)
	}
	swap(both.Named(3, noon.Add(2*time.Minute)))
	want("loaded again", pb.Verdict_VERDICT_LISTED, true)
	// An operator who rolls back to a snapshot without a list means it.
	swap(alone.Named(4, noon.Add(3*time.Minute)))
	want("rolled back", pb.Verdict_VERDICT_NOT_LISTED, true)
}
