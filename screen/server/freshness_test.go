package server

import (
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	pb "walletscreen/proto/walletscreen/v1"
	"walletscreen/screen"
)

// Every boundary of freshness: what is said of an address that is not listed, until
// when it holds, and whether the server is ready.
func TestFreshnessBoundaries(t *testing.T) {
	const limit = 26 * time.Hour
	held := screen.Verification{At: noon, Held: heldBack()}
	endOfDay := time.Date(2025, 11, 5, 0, 0, 0, 0, time.UTC) // of the publication's
	for _, test := range []struct {
		name       string
		verified   screen.Verification
		builtin    bool
		require    []screen.ListID
		unenforced bool
		at         time.Time // the clock, put there after a swap at noon
		max        time.Duration
		asOf       string
		stale      bool
		notLoaded  bool
		until      time.Time // zero for none
		notReady   bool
		age        time.Duration
	}{
		{name: "just compared", verified: screen.Verification{At: noon}, at: noon, until: noon.Add(limit)},
		{name: "at the limit", verified: screen.Verification{At: noon}, at: noon.Add(limit), until: noon.Add(limit), age: limit},
		{name: "a nanosecond over it", verified: screen.Verification{At: noon}, at: noon.Add(limit + 1), stale: true, notReady: true, age: limit + 1},
		{name: "never compared, at the limit", at: endOfDay.Add(limit), until: endOfDay.Add(limit), age: limit},
		{name: "never compared, over it", at: endOfDay.Add(limit + 1), stale: true, notReady: true, age: limit + 1},
		{name: "compared in the future", verified: screen.Verification{At: noon.Add(48 * time.Hour)}, at: noon.Add(limit), until: noon.Add(limit), age: limit},
		{name: "compared in the future, over the limit", verified: screen.Verification{At: noon.Add(48 * time.Hour)}, at: noon.Add(limit + 1), stale: true, notReady: true, age: limit + 1},
		{name: "the clock is put back", verified: screen.Verification{At: noon}, at: noon.Add(-time.Hour), until: noon.Add(limit - time.Hour)},
		{name: "no limit", verified: screen.Verification{At: noon}, unenforced: true, at: noon.AddDate(1, 0, 0), age: 365 * 24 * time.Hour},
		{name: "no limit, one asked for", verified: screen.Verification{At: noon}, unenforced: true, at: noon.Add(time.Hour + 1), max: time.Hour, stale: true, age: time.Hour + 1},
		{name: "tightened, at the limit", verified: screen.Verification{At: noon}, at: noon.Add(time.Hour), max: time.Hour, until: noon.Add(time.Hour), age: time.Hour},
		{name: "tightened, over it", verified: screen.Verification{At: noon}, at: noon.Add(time.Hour + 1), max: time.Hour, stale: true, age: time.Hour + 1},
		{name: "not loosened", verified: screen.Verification{At: noon}, at: noon.Add(limit + 1), max: 1000 * time.Hour, stale: true, notReady: true, age: limit + 1},
		{name: "builtin", builtin: true, at: noon.AddDate(1, 0, 0), age: noon.AddDate(1, 0, 0).Sub(endOfDay)},
		{name: "builtin, a limit asked for", builtin: true, at: noon, max: time.Hour, stale: true, age: 12 * time.Hour},
		{name: "builtin, a limit asked for that it keeps", builtin: true, at: noon, max: 12 * time.Hour, until: noon, age: 12 * time.Hour},
		{name: "required and there", verified: screen.Verification{At: noon}, require: []screen.ListID{sdn.ID}, at: noon, until: noon.Add(limit)},
		{name: "required and not there", verified: screen.Verification{At: noon}, require: []screen.ListID{own.ID}, at: noon, notLoaded: true, notReady: true, until: noon.Add(limit)},
		{name: "held", verified: held, at: noon.Add(limit), until: noon.Add(limit), age: limit},
		{name: "held for too long", verified: held, at: noon.Add(limit + 1), stale: true, notReady: true, age: limit + 1},
		{name: "about a day that is known to the end", verified: screen.Verification{At: noon}, at: noon.Add(limit + 1), asOf: "2025-11-03", notReady: true, age: limit + 1},
		{name: "about a day that was not over when it was compared", verified: screen.Verification{At: noon}, at: noon.Add(limit + 1), asOf: "2025-11-05", stale: true, notReady: true, age: limit + 1},
		{name: "about the day before, over everywhere at noon in UTC", verified: screen.Verification{At: noon}, at: noon.Add(limit + 1), asOf: "2025-11-04", notReady: true, age: limit + 1},
		{name: "about the day before, not over everywhere yet", verified: screen.Verification{At: noon.Add(-1)}, at: noon.Add(limit + 1), asOf: "2025-11-04", stale: true, notReady: true, age: limit + 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			cfg := Config{MaxListAge: limit, Require: test.require}
			if test.unenforced {
				cfg.MaxListAge = 0
			}
			in := install(t, cfg)
			state := State{Snapshot: published(t), Verified: map[screen.ListID]screen.Verification{sdn.ID: test.verified}}
			if test.builtin {
				state.Builtin = map[screen.ListID]bool{sdn.ID: true}
			}
			if err := in.server.Swap(state); err != nil {
				t.Fatal(err)
			}
			in.clock.set(test.at)
			in.server.assess()
			req := &pb.ScreenAddressesRequest{Addresses: []string{other, evm}, AsOf: test.asOf}
			if test.max != 0 {
				req.MaxListAge = durationpb.New(test.max)
			}
			res := in.screen(t, req)
			want := &pb.ScreenResult{Verdict: pb.Verdict_VERDICT_NOT_LISTED}
			switch {
			case test.stale:
				want = &pb.ScreenResult{Verdict: pb.Verdict_VERDICT_CANNOT_SCREEN, Reason: pb.Reason_REASON_STALE}
			case test.notLoaded:
				want = &pb.ScreenResult{Verdict: pb.Verdict_VERDICT_CANNOT_SCREEN, Reason: pb.Reason_REASON_NOT_LOADED}
			}
			if got := res.Results[0]; got.Verdict != want.Verdict || got.Reason != want.Reason {
				t.Errorf("%v, want %v", got, want)
			}
			if got := res.Results[1].Verdict; got != pb.Verdict_VERDICT_LISTED && test.asOf != "2025-11-03" {
				t.Errorf("what is listed is %s", got)
			}
			if res.Lists[0].Stale != test.stale {
				t.Errorf("the list is stale: %t, want %t", res.Lists[0].Stale, test.stale)
			}
			staleNotice := false
			for _, n := range res.Notices {
				staleNotice = staleNotice || n.Code == pb.NoticeCode_NOTICE_CODE_LIST_STALE
			}
			if staleNotice != test.stale {
				t.Errorf("notices %v", res.Notices)
			}
			switch {
			case test.until.IsZero() && res.ValidUntil != nil:
				t.Errorf("valid until %v, want nothing", res.ValidUntil.AsTime())
			case !test.until.IsZero() && !res.ValidUntil.AsTime().Equal(test.until):
				t.Errorf("valid until %v, want %v", res.ValidUntil.AsTime(), test.until)
			}
			if ready := in.server.Ready(); ready == test.notReady {
				t.Errorf("ready: %t", ready)
			}
			snapshot, err := in.lists.GetSnapshot(t.Context(), &pb.GetSnapshotRequest{})
			if err != nil {
				t.Fatal(err)
			}
			if got := snapshot.Lists[0].Age.AsDuration(); got != test.age {
				t.Errorf("age %s, want %s", got, test.age)
			}
		})
	}
}

// A clock that is put back after a state was taken over makes nothing fresh again:
// what passed since is told by a clock that is never put back.
func TestAgeOf(t *testing.T) {
	for _, test := range []struct {
		name             string
		asOf, taken, now time.Time
		ago, want        time.Duration
	}{
		{"both clocks agree", noon.Add(-time.Hour), noon, noon.Add(time.Hour), time.Hour, 2 * time.Hour},
		{"the clock was put back by a day", noon.Add(-time.Hour), noon, noon.Add(-23 * time.Hour), time.Hour, 2 * time.Hour},
		{"the clock was put forward by a day", noon.Add(-time.Hour), noon, noon.Add(25 * time.Hour), time.Hour, 26 * time.Hour},
		{"the machine slept for a day", noon, noon, noon.Add(24 * time.Hour), 0, 24 * time.Hour},
		{"known as of later", noon.Add(time.Hour), noon, noon, 0, 0},
	} {
		if got := ageOf(test.asOf, test.taken, test.now, test.ago); got != test.want {
			t.Errorf("%s: %s, want %s", test.name, got, test.want)
		}
	}
}

// A publication whose day has not ended is not of the future.
func TestPublishedInTheFuture(t *testing.T) {
	in := install(t, Config{MaxListAge: time.Hour})
	if err := in.server.Swap(State{Snapshot: merged(t, screen.Empty(), sdn, 20251210, "1", party("1", evm)).Named(7, noon)}); err != nil {
		t.Fatal(err)
	}
	in.clock.set(noon.Add(time.Hour + 1))
	if r := in.screenOne(t, &pb.ScreenAddressesRequest{Addresses: []string{other}}); r.Reason != pb.Reason_REASON_STALE {
		t.Errorf("%v an hour later, want STALE", r)
	}
}
