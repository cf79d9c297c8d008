package screen

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// backfilled is Backfill for publications that must fit in.
func backfilled(t testing.TB, s *Snapshot, list List, pub *Publication) (*Snapshot, *Changes) {
	t.Helper()
	next, changes, err := s.Backfill(list, pub)
	if err != nil {
		t.Fatal(err)
	}
	return next, changes
}

func TestBackfill(t *testing.T) {
	s := merged(t, Empty(), own, publication(own, 20240101, "own", party("1", row("a"))))
	for _, on := range []Date{20240110, 20240120, 20240130} {
		s = merged(t, s, sdn, publication(sdn, on, on.String(), party("1", rows("a", "b")...), party("2", row("c"))))
	}
	late := party("1", rows("a", "d")...)
	late.Facts.Programs = []string{"OLD"}
	change := func(uid, text string) Change {
		return Change{UID: uid, Party: "Party " + uid, Text: text, Symbol: "XBT", Kind: KindDesignation}
	}
	ours := interval{"a", 1, 0, 20240101, 0}
	amended := []Change{{UID: "1", Party: "Party 1", What: `programs ["OLD"], were ["DPRK4"]`}}
	for _, test := range []struct {
		name    string
		on      Date
		want    []interval
		changes *Changes
		facts   map[Date]string // program of party 1
	}{
		{
			"in the middle", 20240115,
			[]interval{
				ours, {"a", 1, 0, 20240110, 0}, {"b", 1, 2, 20240110, 20240115}, {"b", 3, 0, 20240120, 0}, {"d", 2, 3, 20240115, 20240120},
				{"c", 1, 2, 20240110, 20240115}, {"c", 3, 0, 20240120, 0},
			},
			&Changes{
				List: sdn.ID, Rows: 3, Parties: 2, PartiesDelisted: 1,
				Listed: []Change{change("1", "d")}, Delisted: []Change{change("1", "b"), change("2", "c")}, Amended: amended,
			},
			map[Date]string{20240110: "DPRK4", 20240115: "OLD", 20240119: "OLD", 20240120: "DPRK4", 0: "DPRK4"},
		},
		{
			"on the date of another", 20240120,
			[]interval{
				ours, {"a", 1, 0, 20240110, 0}, {"b", 1, 3, 20240110, 20240120}, {"b", 4, 0, 20240130, 0}, {"d", 3, 4, 20240120, 20240130},
				{"c", 1, 3, 20240110, 20240120}, {"c", 4, 0, 20240130, 0},
			},
			&Changes{
				List: sdn.ID, Rows: 3, Parties: 2, PartiesDelisted: 1,
				Listed: []Change{change("1", "d")}, Delisted: []Change{change("1", "b"), change("2", "c")}, Amended: amended,
			},
			map[Date]string{20240119: "DPRK4", 20240120: "OLD", 20240130: "DPRK4"},
		},
		{
			"on the date of the newest, which stays the newest", 20240130,
			[]interval{
				ours, {"a", 1, 0, 20240110, 0}, {"b", 1, 3, 20240110, 20240130}, {"b", 4, 0, 20240130, 0}, {"d", 3, 4, 20240130, 20240130},
				{"c", 1, 3, 20240110, 20240130}, {"c", 4, 0, 20240130, 0},
			},
			&Changes{
				List: sdn.ID, Rows: 3, Parties: 2, PartiesDelisted: 1,
				Listed: []Change{change("1", "d")}, Delisted: []Change{change("1", "b"), change("2", "c")}, Amended: amended,
			},
			map[Date]string{20240129: "DPRK4", 0: "DPRK4"},
		},
		{
			"before all", 20240101,
			[]interval{
				ours, {"a", 1, 0, 20240101, 0}, {"b", 2, 0, 20240110, 0}, {"d", 1, 2, 20240101, 20240110},
				{"c", 2, 0, 20240110, 0},
			},
			&Changes{List: sdn.ID, First: true, PartiesListed: 1, Listed: []Change{change("1", "a"), change("1", "d")}},
			map[Date]string{20240101: "OLD", 20240109: "OLD", 20240110: "DPRK4", 0: "DPRK4"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			before, encoding := copyOf(s), slices.Clone(s.Encoding())
			pub := publication(sdn, test.on, "late", late)
			next, changes := backfilled(t, s, sdn, pub)
			if diff := cmp.Diff(test.want, intervals(next)); diff != "" {
				t.Errorf("intervals (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.changes, changes); diff != "" {
				t.Errorf("changes (-want +got):\n%s", diff)
			}
			l := &next.Listings()[slices.IndexFunc(next.Listings(), func(l Listing) bool { return next.ListOf(&l).ID == sdn.ID && l.Text == "a" })]
			for on, want := range test.facts {
				if got := next.FactsAt(l, on).Programs[0]; got != want {
					t.Errorf("program on %q: %q, want %q", on, got, want)
				}
			}
			if diff := cmp.Diff(*s.List(sdn.ID).Current(), *next.List(sdn.ID).Current()); diff != "" {
				t.Errorf("newest publication (-before +after):\n%s", diff)
			}
			for i := range next.List(sdn.ID).Publications {
				p := &next.List(sdn.ID).Publications[i]
				want := 3
				if p.Digest == pub.Digest {
					want = 2
				}
				if p.Rows != want {
					t.Errorf("publication of %s: %d rows, want %d", p.PublishedOn, p.Rows, want)
				}
			}
			if diff := cmp.Diff(before, s, sameContent); diff != "" || !slices.Equal(encoding, s.encode()) {
				t.Errorf("the receiver changed (-before +after):\n%s", diff)
			}
			again, changes := backfilled(t, next, sdn, pub)
			if again != next || !changes.Unchanged {
				t.Errorf("the same publication again: changes %+v", changes)
			}
		})
	}
}

func TestBackfillRefuses(t *testing.T) {
	s := merged(t, Empty(), sdn, publication(sdn, 20240110, "1", party("1", row("a"))))
	other := sdn
	other.Kind = KindAdvisory
	bad := publication(sdn, 20240101, "bad", party("1", row("a")))
	bad.Parties[0].Addresses = nil
	for _, test := range []struct {
		name string
		list List
		pub  *Publication
		want string
	}{
		{"later than the newest", sdn, publication(sdn, 20240111, "2", party("1", row("a"))), "it is of 2024-01-11, later than the newest of 2024-01-10"},
		{"of no list that is there", own, publication(own, 20240101, "2", party("1", row("a"))), "holds no publication of the list"},
		{"of another kind", other, publication(sdn, 20240101, "2", party("1", row("a"))), "kind advisory, the snapshot has it as designation"},
		{"not valid", sdn, bad, `party "1" without addresses`},
	} {
		next, changes, err := s.Backfill(test.list, test.pub)
		if err == nil || !strings.Contains(err.Error(), test.want) || next != nil || changes != nil {
			t.Errorf("%s: error %v, want one with %q", test.name, err, test.want)
		}
	}
}

// arrived merges a publication if it is the newest and backfills it if not.
func arrived(s *Snapshot, list List, pub *Publication) (*Snapshot, error) {
	next, _, err := s.Merge(list, pub)
	if errors.Is(err, ErrSuperseded) {
		next, _, err = s.Backfill(list, pub)
	}
	return next, err
}

// history draws publications of a list, one to a day, each of which says all that
// it can and in the same words.
func history(t *rapid.T, list List) []*Publication {
	var pubs []*Publication
	for i := range rapid.IntRange(1, 7).Draw(t, "publications") {
		pub := publication(list, Date(20240101+i), string(rune('A'+i)))
		for _, uid := range []string{"1", "2", "3"} {
			var addresses []PublishedAddress
			for range rapid.IntRange(0, 3).Draw(t, "rows") {
				a := row(rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "text"))
				a.Kind = rapid.SampledFrom([]Kind{0, 0, KindAdvisory}).Draw(t, "kind")
				a.ListedOn = rapid.SampledFrom([]Date{0, 0, 20231201}).Draw(t, "printed start")
				a.Comment, a.SourceIDs = "on "+a.Text, []string{uid + a.Text}
				addresses = append(addresses, a)
			}
			if len(addresses) == 0 {
				continue
			}
			p := party(uid, addresses...)
			p.Facts.Name += rapid.SampledFrom([]string{"", " Ltd"}).Draw(t, "name")
			p.Facts.Programs = rapid.SampledFrom([][]string{{"A"}, {"A", "B"}, nil}).Draw(t, "programs")
			p.Facts.Entries = []EntryEvent{{On: rapid.SampledFrom([]Date{20200101, 20210101}).Draw(t, "entry")}}
			p.Facts.Aliases = rapid.SampledFrom([][]Alias{nil, {{Name: "x"}}, {{Name: "x"}, {Name: "y", Weak: true}}}).Draw(t, "aliases")
			pub.Parties = append(pub.Parties, p)
		}
		pubs = append(pubs, pub)
	}
	return pubs
}

// In whatever order publications arrive, the history is the same.
func TestBackfillInAnyOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pubs := history(t, own)
		base, _, err := Empty().Merge(sdn, publication(sdn, 20240101, "sdn", party("1", row("a"))))
		if err != nil {
			t.Fatal(err)
		}
		want := base
		for _, pub := range pubs {
			if want, _, err = want.Merge(own, pub); err != nil {
				t.Fatal(err)
			}
		}
		got := base
		for _, pub := range rapid.Permutation(pubs).Draw(t, "order of arrival") {
			before, encoding := copyOf(got), slices.Clone(got.Encoding())
			next, err := arrived(got, own, pub)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(before, got, sameContent); diff != "" || !slices.Equal(encoding, got.encode()) {
				t.Fatalf("the receiver changed (-before +after):\n%s", diff)
			}
			if _, err := Decode(next.Encoding()); err != nil {
				t.Fatal(err)
			}
			got = next
		}
		if !got.Equal(want) {
			t.Fatalf("(-in order of date +as they arrived):\n%s", cmp.Diff(string(want.Encoding()), string(got.Encoding())))
		}
	})
}

// What one publication leaves out or words otherwise than another never changes
// which rows are listed, and when.
func TestBackfillOfOtherFormats(t *testing.T) {
	full := party("1", PublishedAddress{Text: "a", Symbol: "XBT", Comment: "remark", SourceIDs: []string{"7"}})
	full.Facts.Name, full.Facts.Programs, full.Facts.Entries = "PARTY 1", []string{"B", "A"}, []EntryEvent{{On: 20200101}}
	brief := party("1", rows("a", "b")...)
	brief.Facts.Programs = []string{"A", "B"}
	s := merged(t, Empty(), sdn, publication(sdn, 20240110, "brief", brief))
	s, _ = backfilled(t, s, sdn, publication(sdn, 20240101, "full", full))
	want := []interval{{"a", 1, 0, 20240101, 0}, {"b", 2, 0, 20240110, 0}}
	if diff := cmp.Diff(want, intervals(s)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]FactsVersion{{Since: 1, Facts: full.Facts}}, s.Parties()[0].Versions); diff != "" {
		t.Errorf("facts, in the words that came first (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(full.Addresses[0], s.Listings()[0].PublishedAddress); diff != "" {
		t.Errorf("remarks, which only the older says (-want +got):\n%s", diff)
	}
}
