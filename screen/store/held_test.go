package store

import (
	"errors"
	"maps"
	"testing"
	"time"

	"walletscreen/screen"
)

var (
	fetchedOnce = []screen.Fetched{
		{URL: "https://example.com/sdn.xml", ETag: `W/"5"`, LastModified: "Sat, 01 Feb 2025 11:59:00 GMT", At: at2025, Digest: screen.Digest{5}},
		{URL: "https://example.com/sdn.csv", Digest: screen.Digest{6}},
	}
	heldBack = &screen.Held{
		Since: at2025.Add(time.Hour), PublishedOn: 20250201, Digest: screen.Digest{7}, Source: "https://example.com/new.xml",
		Why: "6 of 10 rows are gone", Listed: 1, Delisted: 6, Amended: 2,
	}
)

func wantVerified(t testing.TB, got, want Verified) {
	t.Helper()
	if !maps.EqualFunc(got, want, sameVerification) {
		t.Errorf("verified %+v, want %+v", got, want)
	}
}

// testHeld holds a publication and releases it by the next.
func testHeld(t *testing.T, p place) {
	publisher := newPublisher(t, p.Options)
	was := screen.Verification{At: at2025, Source: "a file", Fetched: fetchedOnce, ReadBy: "v1.2.3"}
	s, err := publisher.Publish(t.Context(), screen.Empty(), merge(t, screen.Empty(), sdn, 1, tron), Verified{sdn.ID: was})
	if err != nil {
		t.Fatal(err)
	}
	known := func(want Verified) {
		t.Helper()
		wantVerified(t, mustLoad(t, p.Options, s).Verified, want)
		current, verified, err := publisher.Current(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		wantSame(t, current, s)
		wantVerified(t, verified, want)
	}
	known(Verified{sdn.ID: was})
	f := follow(t, p.Options, nil)
	f.wantState()
	p.subscribed(t, 1)

	// Another list's first publication is held at the same time, and then one that
	// was never compared.
	const first, second screen.ListID = "first", "second"
	holding := was
	holding.Held = heldBack
	if err := publisher.Verify(t.Context(), s, Verified{sdn.ID: holding, first: {Held: heldBack, Fetched: fetchedOnce}}); err != nil {
		t.Fatal(err)
	}
	want := Verified{sdn.ID: holding, first: {Held: heldBack, Fetched: fetchedOnce}}
	known(want)
	wantVerified(t, f.wantState().Verified, want)

	// Only what is known of the hold changes.
	again := *heldBack
	again.Why = "7 of 10 rows are gone"
	holding.Held = &again
	want[sdn.ID] = holding
	if err := publisher.Verify(t.Context(), s, Verified{sdn.ID: holding}); err != nil {
		t.Fatal(err)
	}
	known(want)
	wantVerified(t, f.wantState().Verified, want)

	// The hold says something about one publication. Another one ends it.
	other := newPublisher(t, p.Options)
	now := screen.Verification{At: at2025.Add(2 * time.Hour), Source: "https://example.com/new.xml"}
	next, err := other.Publish(t.Context(), s, merge(t, s, sdn, 2, evm), Verified{sdn.ID: now})
	if err != nil {
		t.Fatal(err)
	}
	if err := publisher.Verify(t.Context(), s, Verified{sdn.ID: holding}); !errors.Is(err, screen.ErrConflict) {
		t.Errorf("holding what is not current: %v", err)
	}
	s = next
	want[sdn.ID] = now
	known(want)

	// The list that was held comes, and with it, unverified, another.
	a, b := sdn, sdn
	a.ID, b.ID = first, second
	both := merge(t, merge(t, s, a, 3, evm), b, 3, tron)
	if s, err = other.Publish(t.Context(), s, both, nil); err != nil {
		t.Fatal(err)
	}
	known(Verified{sdn.ID: now})
	if err := publisher.Verify(t.Context(), s, Verified{second: {Held: heldBack}}); err != nil {
		t.Fatal(err)
	}
	known(Verified{sdn.ID: now, second: {Held: heldBack}})

	// Field names that no list can have are nobody's.
	p.admin.HSet(t.Context(), p.key("verified"), "No List", `{"held":{"sha256":"`+heldBack.Digest.String()+`"}}`)
	known(Verified{sdn.ID: now, second: {Held: heldBack}})
}

// testHeldFirst holds a publication while there is no snapshot: readers learn of
// it with the first.
func testHeldFirst(t *testing.T, p place) {
	publisher := newPublisher(t, p.Options)
	holding := Verified{"first": {Held: heldBack}}
	if err := publisher.Verify(t.Context(), screen.Empty(), holding); err != nil {
		t.Fatal(err)
	}
	s, verified, err := publisher.Current(t.Context())
	if err != nil || s.Sequence != 0 {
		t.Fatalf("%s, %v", s, err)
	}
	wantVerified(t, verified, holding)
	if _, err := newReader(t, p.Options).Load(t.Context()); err != ErrNoSnapshot {
		t.Errorf("loading: %v, want that there is no snapshot", err)
	}
	if err := publisher.Verify(t.Context(), screen.Empty(), Verified{"first": {At: at2025}}); err == nil {
		t.Error("a list that is not there was compared")
	}
	s = mustPublish(t, publisher, 1, tron)
	wantVerified(t, mustLoad(t, p.Options, s).Verified, holding)
	if err := publisher.Verify(t.Context(), screen.Empty(), holding); !errors.Is(err, screen.ErrConflict) {
		t.Errorf("holding before a snapshot that is there: %v", err)
	}
}

// TestUnreadableVerification: a publisher goes on without it, so that the next
// comparison repairs what readers refuse.
func TestUnreadableVerification(t *testing.T) {
	t.Parallel()
	p, _ := startRedis(t)
	publisher := newPublisher(t, p.Options)
	was := Verified{sdn.ID: {At: at2025}}
	s, err := publisher.Publish(t.Context(), screen.Empty(), merge(t, screen.Empty(), sdn, 1, tron), was)
	if err != nil {
		t.Fatal(err)
	}
	p.admin.HSet(t.Context(), p.key("verified"), "another", `{"held":1}`)
	if _, err := newReader(t, p.Options).Load(t.Context()); err == nil {
		t.Error("a reader passed over what it cannot read")
	}
	_, verified, err := publisher.Current(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	wantVerified(t, verified, was)
	was["another"] = screen.Verification{Held: heldBack}
	if err := publisher.Verify(t.Context(), s, Verified{"another": was["another"]}); err != nil {
		t.Fatal(err)
	}
	wantVerified(t, mustLoad(t, p.Options, s).Verified, was)
}
