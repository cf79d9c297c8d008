package screen

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// TestDiffOfMerge: what Diff finds between two publications is what Merge said
// that the second changed, whatever the other lists hold.
func TestDiffOfMerge(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	s := merged(t, Empty(), own, publication(own, 20240101, "own", party("7", rows("a", "b")...)))
	lists := []List{sdn, seizures, advisory}
	for step := range 300 {
		list := lists[random.IntN(len(lists))]
		var parties []PublishedParty
		for uid := range 4 {
			if random.IntN(3) == 0 {
				continue
			}
			p := party(fmt.Sprint(uid))
			for text := range 3 {
				if random.IntN(2) == 0 {
					a := row(fmt.Sprint(text))
					a.Comment = fmt.Sprint(random.IntN(2))
					if random.IntN(3) == 0 {
						a.Kind = KindAdvisory
					}
					p.Addresses = append(p.Addresses, a)
				}
			}
			if random.IntN(4) == 0 {
				p.Facts.Programs = []string{"CYBER2"}
			}
			if len(p.Addresses) > 0 {
				parties = append(parties, p)
			}
		}
		next, want := mergedChanges(t, s, list, publication(list, 20240101, fmt.Sprint(step), parties...))
		got := s.Diff(next)
		if len(got) != 1 {
			t.Fatalf("step %d: %d lists differ", step, len(got))
		}
		if diff := cmp.Diff(want, got[0], cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("step %d: Merge said, and Diff says:\n%s", step, diff)
		}
		// The way back lists what was delisted.
		back := next.Diff(s)
		if len(back) != 1 || len(back[0].Listed) != len(want.Delisted) || len(back[0].Delisted) != len(want.Listed) {
			t.Fatalf("step %d: the way back: %+v, want the reverse of %+v", step, back, want)
		}
		if same := next.Diff(next); len(same) != 0 {
			t.Fatalf("step %d: %s differs from itself: %+v", step, next, same)
		}
		s = next
	}
}

func TestDiff(t *testing.T) {
	base := merged(t, Empty(), sdn, publication(sdn, 20240101, "1", party("1", rows("a", "b")...)))
	again := func(on Date, name string, parties ...PublishedParty) *Snapshot {
		return merged(t, base, sdn, publication(sdn, on, name, parties...))
	}
	change := func(text, what string) Change {
		return Change{UID: "1", Party: "Party 1", Text: text, Symbol: "XBT", Kind: KindDesignation, What: what}
	}
	ended := again(20240102, "2", party("1", rows("a")...))
	backfilled, _, err := ended.Backfill(sdn, publication(sdn, 20231201, "0", party("1", rows("b", "c")...)))
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		old, new *Snapshot
		want     []*Changes
	}{
		"nothing": {Empty(), Empty(), nil},
		"a list": {Empty(), base, []*Changes{{
			List: sdn.ID, First: true, PartiesListed: 1, Listed: []Change{change("a", ""), change("b", "")},
		}}},
		"a list less": {base, Empty(), []*Changes{{
			List: sdn.ID, Rows: 2, Parties: 1, PartiesDelisted: 1, Delisted: []Change{change("a", ""), change("b", "")},
		}}},
		"no row": {base, again(20240102, "2", party("1", rows("a", "b")...)), []*Changes{{List: sdn.ID, Rows: 2, Parties: 1}}},
		"history": {ended, backfilled, []*Changes{{List: sdn.ID, Rows: 1, Parties: 1, Amended: []Change{
			{UID: "1", Party: "Party 1", What: "what was said before"}, change("b", "when it was listed"), change("c", "when it was listed"),
		}}}},
	} {
		if diff := cmp.Diff(test.want, test.old.Diff(test.new), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s:\n%s", name, diff)
		}
	}
}
