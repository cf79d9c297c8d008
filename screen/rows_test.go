package screen

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// said is all that a snapshot says of a listing that can be told of it.
func said(s *Snapshot, l *Listing) string {
	list := s.ListOf(l)
	from, until := s.Interval(l)
	return fmt.Sprintf("%+v %s %+v %s %s..%s %v %+v %+v", list.List, s.PartyOf(l).UID, s.FactsAt(l, 0).Facts, s.KindOf(l), from, until, l.ListedBefore(),
		l.PublishedAddress, *list.At(l.Listed))
}

// currentRows counts what a snapshot says of its current rows.
func currentRows(s *Snapshot) map[string]int {
	rows := map[string]int{}
	for i := range s.listings {
		if l := &s.listings[i]; l.Delisted == 0 {
			rows[said(s, l)]++
		}
	}
	return rows
}

// TestRows: whoever applies what Rows tells to the current rows of one snapshot has
// those of the other, from any to any, there and back.
func TestRows(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	lists := []List{sdn, seizures, own}
	history := []*Snapshot{Empty()}
	for step := range 60 {
		list := lists[random.IntN(len(lists))]
		if random.IntN(10) == 0 {
			list.URL += "x"
		}
		var parties []PublishedParty
		for uid := range 4 {
			p := party(fmt.Sprint(uid))
			for text := range 4 {
				if random.IntN(2) == 0 {
					continue
				}
				a := row(fmt.Sprint(text))
				a.Comment = fmt.Sprint(random.IntN(2))
				a.Kind = Kind(random.IntN(2)) * KindAdvisory
				if list.ID == own.ID && random.IntN(2) == 0 {
					a.ListedOn, a.DelistedOn = 20240101, Date(20990101+random.IntN(2))
				}
				p.Addresses = append(p.Addresses, a)
			}
			if random.IntN(4) == 0 {
				p.Facts.Programs = []string{"A", "B"}
				if random.IntN(2) == 0 {
					slices.Reverse(p.Facts.Programs)
				}
			}
			if len(p.Addresses) > 0 {
				parties = append(parties, p)
			}
		}
		history = append(history, merged(t, history[len(history)-1], list, publication(list, 20240101+Date(step/28), fmt.Sprint(step), parties...)))
	}
	for range 500 {
		a, b := history[random.IntN(len(history))], history[random.IntN(len(history))]
		rows := currentRows(a)
		last := ""
		for c := range a.Rows(b) {
			if c.Before == nil && c.After == nil {
				t.Fatal("a change of nothing")
			}
			list := ""
			if c.Before != nil {
				list = string(a.ListOf(c.Before).ID)
				rows[said(a, c.Before)]--
			}
			if c.After != nil {
				list = string(b.ListOf(c.After).ID)
				if c.After.Delisted == 0 {
					rows[said(b, c.After)]++
				}
			}
			if list < last {
				t.Fatalf("list %s after %s", list, last)
			}
			last = list
		}
		maps.DeleteFunc(rows, func(_ string, n int) bool { return n == 0 })
		if diff := cmp.Diff(currentRows(b), rows); diff != "" {
			t.Fatalf("after the changes (-want +got):\n%s", diff)
		}
		if a == b {
			for c := range a.Rows(b) {
				t.Fatalf("%v differs from itself: %+v", a, c)
			}
		}
	}
}

// TestRowsOfOneChange: nothing is told that does not differ, and one can stop.
func TestRowsOfOneChange(t *testing.T) {
	a := listed(t, "1", "2", "3")
	b := merged(t, a, sdn, publication(sdn, 20240102, "next", party("1", rows("1", "3", "4")...)))
	var got []string
	for c := range a.Rows(b) {
		switch {
		case c.Before == nil:
			got = append(got, "+"+c.After.Text)
		case c.After.Delisted != 0:
			got = append(got, "-"+c.Before.Text)
		default:
			got = append(got, "~"+c.After.Text)
		}
	}
	if diff := cmp.Diff([]string{"-2", "+4"}, got); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
	for range a.Rows(b) {
		break
	}
	for c := range b.Rows(Empty()) {
		if c.Before == nil || c.After != nil {
			t.Errorf("to an empty snapshot: %+v", c)
		}
	}
}

// TestEver: a query for every listing finds those that have ended, those to come
// and the current ones, and says what stands against the text whatever it finds.
func TestEver(t *testing.T) {
	const gone, here, later, misprint = "TA3941uFAvmVibSkQ6fMJXxmaSNovX86mz", "0x098B716B8Aaf21512996dC57EB0615e2383E2f96", "0x000000000000000000000000000000000000dEaD", "TA3941uFAvmVibSkQ6fMJXxmaSNovX86mx"
	s := merged(t, Empty(), own, publication(own, 20240101, "1", party("1", rows(gone, misprint)...)))
	to := row(later)
	to.ListedOn = 20300101
	s = merged(t, s, own, publication(own, 20240201, "2", party("1", row(here), row(misprint), to)))
	ever := NewIndex(s).Screener(Query{Today: 20240301, Ever: true})
	var r Result
	for _, text := range []string{gone, here, later} {
		if ever.Screen(text, &r); len(r.Matches) != 1 || r.Reason != 0 {
			t.Errorf("%s: %+v", text, r)
		}
	}
	if ever.Screen(misprint, &r); len(r.Matches) != 1 || r.Reason == 0 {
		t.Errorf("a listed text that cannot be read: %+v", r)
	}
	if ever.Screen("0x00000000000000000000000000000000000000aa", &r); len(r.Matches) != 0 || r.Reason != 0 {
		t.Errorf("nothing is known of it: %+v", r)
	}
}
