package screen

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// TestReread reads more and less out of a publication that is loaded already.
func TestReread(t *testing.T) {
	first := publication(sdn, 20240101, "1", party("1", row("a"), row("b")))
	second := publication(sdn, 20240102, "2", party("1", row("a"), row("misread")))
	s := merged(t, merged(t, Empty(), sdn, first), sdn, second)
	other := merged(t, s, own, publication(own, 20240105, "own", party("1", row("x"))))
	again := publication(sdn, 20250607, "2", party("1", row("b"), row("c")), party("2", row("d")))
	next, changes := mergedChanges(t, other, sdn, again)
	want := []interval{{"a", 1, 2, 20240101, 20240102}, {"b", 1, 0, 20240101, 0}, {"c", 2, 0, 20240102, 0}, {"d", 2, 0, 20240102, 0}, {"x", 1, 0, 20240105, 0}}
	got := intervals(next)
	slices.SortFunc(got, func(a, b interval) int { return int(a.Text[0]) - int(b.Text[0]) })
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("intervals (-want +got):\n%s", diff)
	}
	texts := func(changes []Change) (all []string) {
		for _, c := range changes {
			all = append(all, c.Text)
		}
		return all
	}
	if !changes.Reread || changes.Unchanged || changes.First || changes.Rows != 2 ||
		!slices.Equal(texts(changes.Listed), []string{"b", "c", "d"}) || !slices.Equal(texts(changes.Delisted), []string{"a", "misread"}) {
		t.Errorf("changes %+v", changes)
	}
	if p := next.List(sdn.ID).Publications; len(p) != 2 || p[1].PublishedOn != 20240102 || p[1].Digest != second.Digest || p[1].Rows != 3 {
		t.Errorf("publications %+v", p)
	}
	if once, changes := mergedChanges(t, next, sdn, again); once != next || !changes.Unchanged {
		t.Errorf("read anew again: %+v", changes)
	}
	// What is counted in the document is a part of its record.
	again.Records++
	counted, changes := mergedChanges(t, next, sdn, again)
	if !changes.Reread || len(changes.Listed)+len(changes.Delisted)+len(changes.Amended) != 0 || counted.List(sdn.ID).Current().Records != again.Records {
		t.Errorf("with another count: %+v", changes)
	}
}

// TestRereadAgainstModel: whatever was read of a publication first, reading it anew
// leads to where reading it so at once leads; the model merges all from the
// beginning. Days that the publisher's record gave to rows stay.
func TestRereadAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pubs := history(t, own)
		n := len(pubs) - 1
		readings := history(t, own)
		again := *readings[len(readings)-1]
		again.Digest, again.PublishedOn = pubs[n].Digest, pubs[n].PublishedOn
		dates := make([]RowDate, 0, 3)
		for _, text := range []string{"a", "b", "c"} {
			dates = append(dates, RowDate{UID: "1", Text: text, Symbol: row(text).Symbol, AddedOn: rapid.SampledFrom([]Date{20231215, pubs[n].PublishedOn}).Draw(t, "added")})
		}
		from := func(pubs ...*Publication) *Snapshot {
			s, _, err := Empty().Merge(sdn, publication(sdn, 20240101, "sdn", party("1", row("a"))))
			for _, pub := range pubs {
				if err == nil {
					s, _, err = s.Merge(own, pub)
				}
			}
			if err == nil {
				s, _, err = s.DateRows(own.ID, dates)
			}
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		s := from(pubs...)
		want := from(append(slices.Clone(pubs[:n]), &again)...)
		before, encoding := copyOf(s), slices.Clone(s.Encoding())
		next, changes, err := s.Merge(own, &again)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(before, s, sameContent); diff != "" || !slices.Equal(encoding, s.encode()) {
			t.Fatalf("the receiver changed (-before +after):\n%s", diff)
		}
		// Rows that come only now take their days when they are dated again.
		dated, _, err := next.DateRows(own.ID, dates)
		if err != nil {
			t.Fatal(err)
		}
		if !dated.Equal(want) {
			t.Fatalf("(-read so at once +read so anew):\n%s", cmp.Diff(string(want.Encoding()), string(dated.Encoding())))
		}
		if changes.Unchanged != (next == s) || changes.Reread == changes.Unchanged {
			t.Fatalf("changes %+v", changes)
		}
		current := func(s *Snapshot) (n int) {
			for i := range s.Listings() {
				if l := &s.Listings()[i]; s.ListOf(l).ID == own.ID && l.Delisted == 0 {
					n++
				}
			}
			return n
		}
		if got := len(changes.Listed) - len(changes.Delisted); got != current(next)-current(s) {
			t.Fatalf("%d rows more by the changes, %d by the snapshots", got, current(next)-current(s))
		}
		// A second time nothing changes, and the first reading leads back.
		for _, twice := range []*Snapshot{next, dated} {
			if same, changes, err := twice.Merge(own, &again); err != nil || same != twice || !changes.Unchanged {
				t.Fatalf("a second time: %+v, %v", changes, err)
			}
		}
		back, _, err := dated.Merge(own, pubs[n])
		if err == nil {
			back, _, err = back.DateRows(own.ID, dates)
		}
		if err != nil || !back.Equal(s) {
			t.Fatalf("%v; back (-was +is):\n%s", err, cmp.Diff(string(s.Encoding()), string(back.Encoding())))
		}
	})
}
