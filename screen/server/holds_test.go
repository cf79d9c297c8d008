package server

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/timestamppb"

	pb "walletscreen/proto/walletscreen/v1"
	"walletscreen/screen"
)

// heldBack is a publication that a guard stopped half an hour before noon.
func heldBack() *screen.Held {
	return &screen.Held{
		Since: noon.Add(-30 * time.Minute), PublishedOn: 20251105, Digest: screen.Digest{3}, Source: "https://example.org/new",
		Why: "6 of 10 rows are gone", Listed: 1, Delisted: 6, Amended: 2,
	}
}

// noticesOf are the notices of an answer that say that something is held.
func noticesOf(notices []*pb.Notice) (held []*pb.Notice) {
	for _, n := range notices {
		if n.Code == pb.NoticeCode_NOTICE_CODE_PUBLICATION_HELD {
			held = append(held, n)
		}
	}
	return held
}

func TestHeld(t *testing.T) {
	var log lockedBuffer
	registry := prometheus.NewRegistry()
	in := install(t, Config{MaxListAge: 26 * time.Hour, Metrics: registry, Log: slog.New(slog.NewTextHandler(&log, nil))})
	logged := func() string { defer log.reset(); return log.String() }
	s := merged(t, published(t), own, 20251101, "own", party("x", evmLower)).Named(8, noon)
	state := State{Snapshot: s, Verified: verified(noon.Add(-time.Hour), sdn.ID, own.ID)}
	in.server.Swap(state)
	if text := logged(); strings.Contains(text, "held") {
		t.Errorf("nothing is held:\n%s", text)
	}

	hold := func(h *screen.Held) {
		t.Helper()
		state.Verified = verified(noon.Add(-time.Hour), sdn.ID, own.ID)
		v := state.Verified[sdn.ID]
		v.Held = h
		state.Verified[sdn.ID] = v
		in.server.Swap(state)
	}
	hold(heldBack())
	if text := logged(); strings.Count(text, "\n") != 1 || !strings.Contains(text, `level=ERROR msg="a publication is held and not served" list=us-ofac-sdn published=2025-11-05 sha256=0300`) ||
		!strings.Contains(text, `since=2025-11-05T11:30:00.000Z why="6 of 10 rows are gone" listed=1 delisted=6 amended=2 source=https://example.org/new`) {
		t.Errorf("log of a new hold:\n%s", text)
	}

	// Answers that rest on the list say so, and it is answered all the same.
	if !in.server.Ready() {
		t.Error("not ready with a list that is fresh")
	}
	want := []*pb.Notice{{
		Code: pb.NoticeCode_NOTICE_CODE_PUBLICATION_HELD, ListId: "us-ofac-sdn",
		Message: "list us-ofac-sdn: its publisher offers another publication (of 2025-11-05) that is held since 2025-11-05T11:30:00Z: what it changes is not served",
	}}
	for _, lists := range [][]string{nil, {"us-ofac-sdn"}, {"own", "us-ofac-sdn"}} {
		res := in.screen(t, &pb.ScreenAddressesRequest{Addresses: []string{other, evm}, ListIds: lists})
		if a, b := res.Results[0].Verdict, res.Results[1].Verdict; a != pb.Verdict_VERDICT_NOT_LISTED || b != pb.Verdict_VERDICT_LISTED {
			t.Errorf("lists %q: %s, %s", lists, a, b)
		}
		if diff := cmp.Diff(want, res.Notices, protocmp.Transform()); diff != "" {
			t.Errorf("lists %q: notices (-want +got):\n%s", lists, diff)
		}
		if !res.ValidUntil.AsTime().Equal(noon.Add(25 * time.Hour)) {
			t.Errorf("lists %q: valid until %v", lists, res.ValidUntil)
		}
	}
	if res := in.screen(t, &pb.ScreenAddressesRequest{Addresses: []string{other}, ListIds: []string{"own"}}); len(res.Notices) > 0 {
		t.Errorf("on another list: notices %v", res.Notices)
	}
	snapshot, err := in.lists.GetSnapshot(t.Context(), &pb.GetSnapshotRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, snapshot.Notices, protocmp.Transform()); diff != "" {
		t.Errorf("GetSnapshot: notices (-want +got):\n%s", diff)
	}
	wantHeld := &pb.HeldPublication{
		Since: timestamppb.New(noon.Add(-30 * time.Minute)), PublishedOn: "2025-11-05", Sha256: "03" + strings.Repeat("00", 31),
		Source: "https://example.org/new", Why: "6 of 10 rows are gone", Listed: 1, Delisted: 6, Amended: 2,
	}
	if l := snapshot.Lists[0]; l.ListId != "own" || l.Held != nil {
		t.Errorf("GetSnapshot: %v", l)
	}
	if diff := cmp.Diff(wantHeld, snapshot.Lists[1].Held, protocmp.Transform()); diff != "" {
		t.Errorf("GetSnapshot: held (-want +got):\n%s", diff)
	}
	got := values(t, registry)
	for name, want := range map[string]float64{
		"walletscreen_list_held{list=us-ofac-sdn}":                         1,
		"walletscreen_list_held_since_timestamp_seconds{list=us-ofac-sdn}": float64(noon.Add(-30 * time.Minute).Unix()),
		"walletscreen_list_held{list=own}":                                 0,
		"walletscreen_ready":                                               1,
	} {
		if value, ok := got[name]; !ok || value != want {
			t.Errorf("%s is %v, %t, want %v", name, value, ok, want)
		}
	}
	if _, ok := got["walletscreen_list_held_since_timestamp_seconds{list=own}"]; ok {
		t.Error("a list of which nothing is held is held since some time")
	}

	// The same hold is no news, that of another publication is.
	same := heldBack()
	same.Why = "told in other words"
	hold(same)
	if text := logged(); text != "" {
		t.Errorf("log of the same hold:\n%s", text)
	}
	another := heldBack()
	another.Digest, another.PublishedOn = screen.Digest{4}, 0
	hold(another)
	if text := logged(); !strings.Contains(text, "sha256=0400") {
		t.Errorf("log of another hold:\n%s", text)
	}
	if res := in.screen(t, &pb.ScreenAddressesRequest{Addresses: []string{other}}); len(res.Notices) != 1 ||
		res.Notices[0].Message != "list us-ofac-sdn: its publisher offers another publication that is held since 2025-11-05T11:30:00Z: what it changes is not served" {
		t.Errorf("of an unknown date: %v", res.Notices)
	}

	hold(nil)
	if text := logged(); strings.Count(text, "\n") != 1 || !strings.Contains(text, `level=INFO msg="no publication is held any more" list=us-ofac-sdn`) {
		t.Errorf("log of the end of a hold:\n%s", text)
	}
	if res := in.screen(t, &pb.ScreenAddressesRequest{Addresses: []string{other}}); len(res.Notices) > 0 {
		t.Errorf("after the hold: notices %v", res.Notices)
	}
	if got := values(t, registry)["walletscreen_list_held{list=us-ofac-sdn}"]; got != 0 {
		t.Errorf("after the hold walletscreen_list_held is %v", got)
	}
}

// A list of which a publication is held grows old, since its time stands still.
// Then the server is not ready, and says why.
func TestHeldForLong(t *testing.T) {
	var log lockedBuffer
	in := install(t, Config{MaxListAge: 26 * time.Hour, Log: slog.New(slog.NewTextHandler(&log, nil))})
	holding := map[screen.ListID]screen.Verification{sdn.ID: {At: noon.Add(-time.Hour), Held: heldBack()}}
	in.server.Swap(State{Snapshot: published(t), Verified: holding})
	if !in.server.Ready() || !strings.Contains(log.String(), `level=INFO msg="ready to screen" held=us-ofac-sdn`) {
		t.Errorf("ready %t:\n%s", in.server.Ready(), log.String())
	}
	unlisted := &pb.ScreenAddressesRequest{Addresses: []string{other, evm}}
	in.clock.set(noon.Add(25 * time.Hour))
	in.server.Swap(State{Snapshot: published(t), Verified: holding}) // still held
	if r := in.screen(t, unlisted).Results[0]; r.Verdict != pb.Verdict_VERDICT_NOT_LISTED || !in.server.Ready() {
		t.Errorf("at the limit: %v, ready %t", r, in.server.Ready())
	}
	in.clock.set(noon.Add(25*time.Hour + time.Second))
	in.server.assess()
	res := in.screen(t, unlisted)
	if r := res.Results[0]; r.Verdict != pb.Verdict_VERDICT_CANNOT_SCREEN || r.Reason != pb.Reason_REASON_STALE || in.server.Ready() {
		t.Errorf("over the limit: %v, ready %t", r, in.server.Ready())
	}
	if r := res.Results[1]; r.Verdict != pb.Verdict_VERDICT_LISTED {
		t.Errorf("listed, over the limit: %v", r)
	}
	if len(res.Notices) != 2 || len(noticesOf(res.Notices)) != 1 {
		t.Errorf("over the limit: notices %v, want STALE and HELD", res.Notices)
	}
	if want := `msg="not ready to screen" why="list us-ofac-sdn is older than 26h0m0s, and a publication of it is held since 2025-11-05T11:30:00Z" held=us-ofac-sdn`; !strings.Contains(log.String(), want) {
		t.Errorf("the log does not say %s:\n%s", want, log.String())
	}
}

// A hold of a list that was never compared does not make it count as compared.
func TestHeldAndNeverCompared(t *testing.T) {
	in := install(t, Config{MaxListAge: 26 * time.Hour})
	in.server.Swap(State{Snapshot: published(t), Verified: map[screen.ListID]screen.Verification{sdn.ID: {Held: heldBack()}}})
	last := time.Date(2025, 11, 6, 2, 0, 0, 0, time.UTC) // from the end of the publication's day
	in.clock.set(last)
	res := in.screen(t, &pb.ScreenAddressesRequest{Addresses: []string{other}})
	if f := res.Lists[0]; f.VerifiedAt != nil || f.Stale || !res.ValidUntil.AsTime().Equal(last) {
		t.Errorf("%v, valid until %v; want never compared, and %s", f, res.ValidUntil, last)
	}
	snapshot, err := in.lists.GetSnapshot(t.Context(), &pb.GetSnapshotRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if l := snapshot.Lists[0]; l.VerifiedAt != nil || l.Held == nil || l.Age.AsDuration() != 26*time.Hour {
		t.Errorf("GetSnapshot: %v", l)
	}
	in.clock.set(last.Add(1))
	if r := in.screenOne(t, &pb.ScreenAddressesRequest{Addresses: []string{other}}); r.Reason != pb.Reason_REASON_STALE {
		t.Errorf("over the limit: %v", r)
	}
}

// A list whose first publication is held is not loaded, and is shown.
func TestHeldFirst(t *testing.T) {
	var log lockedBuffer
	registry := prometheus.NewRegistry()
	in := install(t, Config{Require: []screen.ListID{own.ID}, Metrics: registry, Log: slog.New(slog.NewTextHandler(&log, nil))})
	in.server.Swap(State{Snapshot: published(t), Verified: map[screen.ListID]screen.Verification{own.ID: {Held: heldBack()}, "another": {Held: heldBack()}}})
	for _, want := range []string{
		`level=ERROR msg="a publication is held and not served" list=own published=2025-11-05`,
		`msg="not ready to screen" why="list own is required and not loaded, and a publication of it is held since 2025-11-05T11:30:00Z" held="another own"`,
	} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log does not say %s:\n%s", want, log.String())
		}
	}
	snapshot, err := in.lists.GetSnapshot(t.Context(), &pb.GetSnapshotRequest{})
	if err != nil {
		t.Fatal(err)
	}
	wantHeld := []*pb.HeldList{{ListId: "another", Held: heldPublication(heldBack())}, {ListId: "own", Held: heldPublication(heldBack())}}
	if diff := cmp.Diff(wantHeld, snapshot.HeldFirst, protocmp.Transform()); diff != "" || len(snapshot.Lists) != 1 {
		t.Errorf("GetSnapshot: %d lists, held first (-want +got):\n%s", len(snapshot.Lists), diff)
	}
	for _, test := range []struct {
		asked []string
		held  []string
	}{
		{nil, []string{"another", "own"}}, {[]string{"own"}, []string{"own"}}, {[]string{"us-ofac-sdn"}, nil},
	} {
		res := in.screen(t, &pb.ScreenAddressesRequest{Addresses: []string{other}, ListIds: test.asked})
		var held []string
		for _, n := range noticesOf(res.Notices) {
			held = append(held, n.ListId)
			if want := "list " + n.ListId + ": its first publication (of 2025-11-05) is held since 2025-11-05T11:30:00Z: nothing of the list is served"; n.Message != want {
				t.Errorf("lists %q: %q, want %q", test.asked, n.Message, want)
			}
		}
		if diff := cmp.Diff(test.held, held); diff != "" {
			t.Errorf("lists %q: held (-want +got):\n%s", test.asked, diff)
		}
	}
	got := values(t, registry)
	if got["walletscreen_list_held{list=own}"] != 1 || got["walletscreen_list_held_since_timestamp_seconds{list=own}"] != float64(noon.Add(-30*time.Minute).Unix()) {
		t.Errorf("metrics: %v", got)
	}
	if _, ok := got["walletscreen_list_age_seconds{list=own}"]; ok {
		t.Error("a list that is not served has an age")
	}
}
