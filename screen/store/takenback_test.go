package store

import (
	"errors"
	"testing"

	"walletscreen/screen"
)

// reread returns the snapshot in which something else was read of the newest
// publication of the list.
func reread(t testing.TB, s *screen.Snapshot, texts ...string) *screen.Snapshot {
	t.Helper()
	newest := s.List(sdn.ID).Current()
	party := screen.PublishedParty{UID: "22985", Facts: screen.Facts{Name: "Bank & Söhne", Type: screen.PartyEntity, Programs: []string{"DPRK4"}}}
	for _, text := range texts {
		party.Addresses = append(party.Addresses, screen.PublishedAddress{Text: text, Symbol: "USDT"})
	}
	next, changes, err := s.Merge(sdn, &screen.Publication{
		List: sdn.ID, PublishedOn: newest.PublishedOn, Digest: newest.Digest, Records: newest.Records, Parties: []screen.PublishedParty{party},
	})
	if err != nil || !changes.Reread {
		t.Fatalf("%+v, %v", changes, err)
	}
	return next
}

// testTakenBack takes back publications that would come again by other ways than
// as the newest of their list.
func testTakenBack(t *testing.T, p place) {
	publisher := newPublisher(t, p.Options)
	wantTaken := func(previous, next *screen.Snapshot, from ...uint64) {
		t.Helper()
		taken, err := publisher.TakenBack(t.Context(), previous, next)
		if err != nil || len(taken) != len(from) {
			t.Fatalf("taken back: %+v, %v; want %d", taken, err, len(from))
		}
		for i := range taken {
			if taken[i].Snapshot != from[i] || taken[i].List != sdn.ID {
				t.Errorf("taken back: %+v, want from %d", taken[i], from[i])
			}
		}
		_, err = publisher.Publish(t.Context(), previous, next, nil)
		if errors.Is(err, ErrRolledBack) != (len(from) > 0) || err != nil && len(from) == 0 {
			t.Errorf("publishing what %d publications of were taken back: %v", len(from), err)
		}
	}
	back := func(to uint64) *screen.Snapshot {
		t.Helper()
		s, err := publisher.Rollback(t.Context(), to)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	mustPublish(t, publisher, 1, tron)
	mustPublish(t, publisher, 2, evm)
	s := back(1)
	// It would go into the history, behind another.
	wantTaken(s, merge(t, merge(t, s, sdn, 2, evm), sdn, 3, opaque), 2)

	// Of a publication that stays, what was read of it is taken back.
	again := reread(t, s, tron, evm)
	if _, err := publisher.Publish(t.Context(), s, again, nil); err != nil {
		t.Fatal(err)
	}
	s = back(3)
	state := mustLoad(t, p.Options, s)
	if h := state.Verified[sdn.ID].Held; h == nil || h.RolledBack != 4 || h.Digest != s.List(sdn.ID).Current().Digest || h.Listed != 1 {
		t.Errorf("held: %+v", h)
	}
	wantTaken(s, reread(t, s, tron, evm), 4)
	// So it is after a flush.
	p.admin.FlushAll(t.Context())
	s, err := publisher.Restore(t.Context(), screen.Empty(), s, state.Verified)
	if err != nil {
		t.Fatal(err)
	}
	wantTaken(s, reread(t, s, tron, evm), 4)
	// Nothing is in the way of the next publication, nor of another list.
	other := sdn
	other.ID = "other"
	wantTaken(s, merge(t, s, other, 1, tron))
	s = newest(t, publisher)
	wantTaken(s, merge(t, s, sdn, 4, tron, evm))

	// An operator's own list comes back to an older content, byte for byte.
	p.admin.FlushAll(t.Context())
	own := sdn
	own.Kind = screen.KindInternal
	of := func(previous *screen.Snapshot, day int, texts ...string) *screen.Snapshot {
		t.Helper()
		next := merge(t, previous, own, day, texts...)
		if _, err := publisher.Publish(t.Context(), previous, next, nil); err != nil {
			t.Fatal(err)
		}
		return newest(t, publisher)
	}
	older := func(previous *screen.Snapshot) *screen.Snapshot {
		t.Helper()
		first := previous.List(sdn.ID).Publications[0].Digest
		next, _, err := previous.Merge(own, &screen.Publication{
			List: own.ID, PublishedOn: 20250103, Digest: first, Records: 1,
			Parties: []screen.PublishedParty{{UID: "22985", Addresses: []screen.PublishedAddress{{Text: tron, Symbol: "USDT"}}}},
		})
		if err != nil || next.List(own.ID).Current().Digest != first {
			t.Fatalf("%v, %v", next, err)
		}
		return next
	}
	s = of(of(screen.Empty(), 1, tron), 2, evm)
	if _, err := publisher.Publish(t.Context(), s, older(s), nil); err != nil {
		t.Fatal(err)
	}
	s = back(2)
	wantTaken(s, older(s), 3)
	wantTaken(s, merge(t, older(s), own, 4, opaque), 3)
	// That of then stays in the history of what comes.
	wantTaken(s, merge(t, s, own, 4, evm, opaque))

	// To and fro: what is served again is not taken back any more.
	p.admin.FlushAll(t.Context())
	mustPublish(t, publisher, 1, tron)
	mustPublish(t, publisher, 2, evm)
	for to := uint64(1); to < 9; to++ {
		back(to)
		if n := p.admin.HLen(t.Context(), p.key("rolled_back")).Val(); n != 1 {
			t.Fatalf("%d publications are taken back after %d rollbacks, want one", n, to)
		}
	}
}
