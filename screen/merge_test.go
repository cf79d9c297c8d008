package screen

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// interval is what a test expects of one listing.
type interval struct {
	Text             string
	Listed, Delisted Ordinal
	From, Until      Date
}

func intervals(s *Snapshot) []interval {
	var all []interval
	for i := range s.Listings() {
		l := &s.Listings()[i]
		from, until := s.Interval(l)
		all = append(all, interval{l.Text, l.Listed, l.Delisted, from, until})
	}
	return all
}

func TestMergeIntervals(t *testing.T) {
	s := Empty()
	for i, texts := range [][]string{{"a", "b"}, {"a"}, {"a", "b", "c"}, {"b"}} {
		on := Date(20240101 + i)
		s = merged(t, s, sdn, publication(sdn, on, on.String(), party("1", rows(texts...)...)))
	}
	want := []interval{
		{"a", 1, 4, 20240101, 20240104},
		{"b", 1, 2, 20240101, 20240102},
		{"b", 3, 0, 20240103, 0},
		{"c", 3, 4, 20240103, 20240104},
	}
	if diff := cmp.Diff(want, intervals(s)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	list := s.List(sdn.ID)
	if got := len(list.Publications); got != 4 {
		t.Errorf("%d publications, want 4", got)
	}
	if got := list.Current(); got.PublishedOn != 20240104 || got.Rows != 1 || got.Records != 11 {
		t.Errorf("current publication %+v", got)
	}
}

func TestMergePartyThatGoesAndReturns(t *testing.T) {
	s := merged(t, Empty(), sdn, publication(sdn, 20240101, "1", party("1", row("a")), party("2", row("b"))))
	s = merged(t, s, sdn, publication(sdn, 20240102, "2", party("1", row("a"))))
	again := party("2", row("b"))
	again.Facts.Name = "Other name"
	s = merged(t, s, sdn, publication(sdn, 20240103, "3", party("1", row("a")), again))
	if got := len(s.Parties()); got != 2 {
		t.Fatalf("%d parties, want 2", got)
	}
	for i := range s.Listings() {
		l := &s.Listings()[i]
		if l.Text != "b" {
			continue
		}
		want := "Party 2"
		if l.Listed == 3 {
			want = "Other name"
		}
		if got := s.FactsAt(l, 0).Name; got != want {
			t.Errorf("interval from publication %d: name %q, want %q", l.Listed, got, want)
		}
	}
}

func TestMergePrintedIntervals(t *testing.T) {
	printed := func(text string, listedOn, delistedOn Date) PublishedAddress {
		return PublishedAddress{Text: text, ListedOn: listedOn, DelistedOn: delistedOn}
	}
	s := merged(t, Empty(), own, publication(own, 20240101, "1", party("1",
		printed("a", 20230101, 0),
		printed("b", 20230101, 20230601), printed("b", 20230901, 0), // left and came back
		printed("c", 0, 20240401),
		printed("d", 20230101, 20240201), printed("d", 20230101, 20240301), // repeats: the later end
		printed("e", 20230101, 20240201), printed("e", 20230101, 0), // repeats: no end
	)))
	s, changes := mergedChanges(t, s, own, publication(own, 20240301, "2", party("1",
		printed("a", 20230101, 20240501),
		printed("b", 20230101, 20230601), printed("b", 20230901, 0),
		printed("e", 20230101, 0),
	)))
	want := []interval{
		{"a", 1, 0, 20230101, 20240501},
		{"b", 1, 0, 20230101, 20230601},
		{"b", 1, 0, 20230901, 0},
		{"c", 1, 2, 20240101, 20240301}, // dropped before its printed end
		{"d", 1, 2, 20230101, 20240301},
		{"e", 1, 0, 20230101, 0},
	}
	if diff := cmp.Diff(want, intervals(s)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	wantChanges := []Change{{UID: "1", Party: "Party 1", Text: "a", Kind: KindInternal, What: `printed end "2024-05-01", was ""`}}
	if diff := cmp.Diff(wantChanges, changes.Amended); diff != "" {
		t.Errorf("amended (-want +got):\n%s", diff)
	}
}

func TestMergeTheSamePublicationAgain(t *testing.T) {
	pub := publication(sdn, 20240101, "1", party("1", row("a")))
	s := merged(t, Empty(), sdn, pub)
	again := *pub
	again.PublishedOn = 20250101 // the digest is what identifies it
	next, changes := mergedChanges(t, s, sdn, &again)
	if next != s {
		t.Error("another snapshot, want the same pointer")
	}
	if diff := cmp.Diff(&Changes{List: sdn.ID, Unchanged: true}, changes); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
}

func TestMergeSuperseded(t *testing.T) {
	first := func(list List) *Publication { return publication(list, 20240101, "1", party("1", row("a"))) }
	for _, list := range []List{sdn, seizures, advisory, own} {
		s := merged(t, Empty(), list, first(list))
		s = merged(t, s, list, publication(list, 20240102, "2", party("1", row("b"))))

		_, _, err := s.Merge(list, publication(list, 20240101, "3", party("1", row("c"))))
		if !errors.Is(err, ErrSuperseded) {
			t.Errorf("%s: an older publication: %v, want ErrSuperseded", list.ID, err)
		}
		same := merged(t, s, list, publication(list, 20240102, "4", party("1", row("b"), row("c"))))
		if got := len(same.List(list.ID).Publications); got != 3 {
			t.Errorf("%s: another publication of the same date: %d publications, want 3", list.ID, got)
		}

		back := first(list)
		back.PublishedOn = 20240103
		next, _, err := s.Merge(list, back)
		if list.Kind == KindInternal {
			if err != nil {
				t.Errorf("%s: back to an earlier content: %v", list.ID, err)
				continue
			}
			want := []interval{{"a", 1, 2, 20240101, 20240102}, {"a", 3, 0, 20240103, 0}, {"b", 2, 3, 20240102, 20240103}}
			if diff := cmp.Diff(want, intervals(next)); diff != "" {
				t.Errorf("%s: back to an earlier content (-want +got):\n%s", list.ID, diff)
			}
		} else if !errors.Is(err, ErrSuperseded) {
			t.Errorf("%s: back to an earlier content: %v, want ErrSuperseded", list.ID, err)
		}
	}
}

func TestMergeJoinsRepeats(t *testing.T) {
	s := merged(t, Empty(), sdn, publication(sdn, 20240101, "1", party("1",
		PublishedAddress{Text: "a", Symbol: "XBT", SourceIDs: []string{"9"}, Comment: "second", Reliability: "Confirmed"},
		PublishedAddress{Text: "a", Symbol: "XBT", SourceIDs: []string{"10"}, Comment: "first"},
		PublishedAddress{Text: "a", Symbol: "ETH", SourceIDs: []string{"11"}},
		PublishedAddress{Text: "a", Symbol: "XBT", Tag: "7", SourceIDs: []string{"12"}},
	)))
	want := []PublishedAddress{
		{Text: "a", Symbol: "ETH", SourceIDs: []string{"11"}},
		{Text: "a", Symbol: "XBT", SourceIDs: []string{"10", "9"}, Comment: "first; second", Reliability: "Confirmed"},
		{Text: "a", Symbol: "XBT", Tag: "7", SourceIDs: []string{"12"}},
	}
	var got []PublishedAddress
	for _, l := range s.Listings() {
		got = append(got, l.PublishedAddress)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := s.List(sdn.ID).Current().Rows; got != 4 {
		t.Errorf("%d rows, want 4, repeats included", got)
	}
}

func TestMergeFacts(t *testing.T) {
	full := party("1", PublishedAddress{Text: "a", SourceIDs: []string{"7"}, Comment: "remark", Reliability: "Confirmed"})
	full.Facts.Programs = []string{"A", "B"}
	full.Facts.Entries = []EntryEvent{{On: 20200101, LegalBasis: "order"}}
	full.Facts.Aliases = []Alias{{Name: "x"}, {Name: "y"}}
	s := merged(t, Empty(), sdn, publication(sdn, 20240101, "1", full))

	reordered := party("1", row("a"))
	reordered.Addresses[0].Symbol = ""
	reordered.Facts.Programs = []string{"B", "A"}
	reordered.Facts.Aliases = []Alias{{Name: "Y"}, {Name: "x"}, {Name: "Y"}}
	reordered.Facts.Name = "PARTY 1"
	s, changes := mergedChanges(t, s, sdn, publication(sdn, 20240102, "2", reordered))
	if diff := cmp.Diff(&Changes{List: sdn.ID, Rows: 1, Parties: 1}, changes); diff != "" {
		t.Errorf("a format that says less, in another order: changes (-want +got):\n%s", diff)
	}
	l := &s.Listings()[0]
	if diff := cmp.Diff(full.Addresses[0], l.PublishedAddress); diff != "" {
		t.Errorf("a format that says less (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(full.Facts, s.FactsAt(l, 0).Facts); diff != "" {
		t.Errorf("a format that says less: facts (-want +got):\n%s", diff)
	}

	amended := reordered
	amended.Facts.Name, amended.Facts.Programs = "New name", []string{"A"}
	s, changes = mergedChanges(t, s, sdn, publication(sdn, 20240103, "3", amended))
	want := []Change{{UID: "1", Party: "New name", What: `name "New name", was "Party 1"`}}
	if diff := cmp.Diff(want, changes.Amended); diff != "" {
		t.Errorf("amended (-want +got):\n%s", diff)
	}
	s = merged(t, s, sdn, publication(sdn, 20240104, "4", party("2", row("b"))))
	revived := reordered
	revived.Facts.Name = "After the end"
	s = merged(t, s, sdn, publication(sdn, 20240105, "5", revived))

	l = &s.Listings()[0]
	for on, want := range map[Date]string{
		20231231: "Party 1", 20240101: "Party 1", 20240102: "Party 1", 20240103: "New name", 20240104: "New name",
		20240105: "New name", 0: "New name", // what was said after the end of a listing is not about it
	} {
		if got := s.FactsAt(l, on).Name; got != want {
			t.Errorf("facts at %q: %q, want %q", on, got, want)
		}
	}
	if got := s.FactsAt(l, 0).Entries; !slices.Equal(got, full.Facts.Entries) {
		t.Errorf("entries %v after a change of name, want those known before", got)
	}
	if got := s.FactsAt(&s.Listings()[1], 0).Name; got != "After the end" {
		t.Errorf("second interval: name %q", got)
	}
}

func TestMergeChangesAreInCanonicalOrder(t *testing.T) {
	before := publication(sdn, 20240101, "1", party("2", rows("d", "c")...), party("1", rows("b", "a")...), party("3", row("e")))
	s, changes := mergedChanges(t, Empty(), sdn, before)
	change := func(uid, text string) Change {
		return Change{UID: uid, Party: "Party " + uid, Text: text, Symbol: "XBT", Kind: KindDesignation}
	}
	first := []Change{change("1", "a"), change("1", "b"), change("2", "c"), change("2", "d"), change("3", "e")}
	if diff := cmp.Diff(&Changes{List: sdn.ID, First: true, PartiesListed: 3, Listed: first}, changes); diff != "" {
		t.Errorf("first publication (-want +got):\n%s", diff)
	}
	three, two := party("3", row("e")), party("2", row("c"))
	three.Addresses[0].Comment, two.Facts.Name = "remark", "Renamed"
	_, changes = mergedChanges(t, s, sdn, publication(sdn, 20240102, "2", party("4", row("f")), three, two, party("0", row("g"))))
	renamed := change("2", "d")
	renamed.Party = "Renamed"
	remark := change("3", "e")
	remark.What = "comment"
	want := &Changes{
		List: sdn.ID, Rows: 5, Parties: 3, PartiesListed: 2, PartiesDelisted: 1,
		Listed:   []Change{change("0", "g"), change("4", "f")},
		Delisted: []Change{change("1", "a"), change("1", "b"), renamed},
		Amended:  []Change{{UID: "2", Party: "Renamed", What: `name "Renamed", was "Party 2"`}, remark},
	}
	if diff := cmp.Diff(want, changes); diff != "" {
		t.Errorf("second publication (-want +got):\n%s", diff)
	}
}

func TestMergeRefuses(t *testing.T) {
	valid := func() (List, *Publication) {
		p := party("1", PublishedAddress{Text: "a", Symbol: "XBT", ListedOn: 20230101, DelistedOn: 20240601, SourceIDs: []string{"1"}})
		p.Facts.Aliases, p.Facts.Entries = []Alias{{Name: "x"}}, []EntryEvent{{On: 20200101}}
		return sdn, publication(sdn, 20240101, "1", p, party("2", row("b")))
	}
	for _, test := range []struct {
		name   string
		change func(*List, *Publication)
		want   string
	}{
		{"list id", func(l *List, p *Publication) { l.ID, p.List = "US", "US" }, "only lower-case letters"},
		{"another list's", func(_ *List, p *Publication) { p.List = "other" }, `it is one of "other"`},
		{"no kind", func(l *List, _ *Publication) { l.Kind = 0 }, "list without a kind"},
		{"unknown kind", func(l *List, _ *Publication) { l.Kind = 5 }, "kind(5)"},
		{"no date", func(_ *List, p *Publication) { p.PublishedOn = 0 }, "publication without a date"},
		{"no such date", func(_ *List, p *Publication) { p.PublishedOn = 20240231 }, "no such date: 2024-02-31"},
		{"no digest", func(_ *List, p *Publication) { p.Digest = Digest{} }, "publication without a digest"},
		{"negative count", func(_ *List, p *Publication) { p.Records = -1 }, "-1 records"},
		{"one party twice", func(_ *List, p *Publication) { p.Parties[1].UID = "1" }, `party "1" twice`},
		{"no addresses", func(_ *List, p *Publication) { p.Parties[1].Addresses = nil }, `party "2" without addresses`},
		{"no text", func(_ *List, p *Publication) { p.Parties[1].Addresses[0].Text = "" }, `party "2": address without text`},
		{"unknown type", func(_ *List, p *Publication) { p.Parties[1].Facts.Type = 9 }, `party "2": unknown party type`},
		{"unknown kind of a row", func(_ *List, p *Publication) { p.Parties[1].Addresses[0].Kind = 5 }, `party "2": unknown list kind "kind(5)"`},
		{"printed start of no such date", func(_ *List, p *Publication) { p.Parties[0].Addresses[0].ListedOn = 20231301 }, `party "1": no such date: 2023-13-01`},
		{"printed end of no such date", func(_ *List, p *Publication) { p.Parties[0].Addresses[0].DelistedOn = 20250001 }, `party "1": no such date`},
		{"printed end before the start", func(_ *List, p *Publication) { p.Parties[0].Addresses[0].DelistedOn = 20221231 }, `party "1": printed end 2022-12-31 before the start 2023-01-01`},
		{"entry of no such date", func(_ *List, p *Publication) { p.Parties[0].Facts.Entries[0].On = 1 }, `party "1": no such date`},
		{"authority not UTF-8", func(l *List, _ *Publication) { l.Authority = "\xff" }, "not valid UTF-8"},
		{"list name not UTF-8", func(l *List, _ *Publication) { l.Name = "\xff" }, "not valid UTF-8"},
		{"list URL not UTF-8", func(l *List, _ *Publication) { l.URL = "\xff" }, "not valid UTF-8"},
		{"uid not UTF-8", func(_ *List, p *Publication) { p.Parties[0].UID = "\xff" }, `party "\xff": not valid UTF-8`},
		{"name not UTF-8", func(_ *List, p *Publication) { p.Parties[0].Facts.Name = "\xff" }, `party "1": not valid UTF-8`},
		{"page not UTF-8", func(_ *List, p *Publication) { p.Parties[0].Facts.URL = "\xff" }, "not valid UTF-8"},
		{"program not UTF-8", func(_ *List, p *Publication) { p.Parties[0].Facts.Programs = []string{"\xff"} }, "not valid UTF-8"},
		{"alias not UTF-8", func(_ *List, p *Publication) { p.Parties[0].Facts.Aliases[0].Name = "\xff" }, "not valid UTF-8"},
		{"type of alias not UTF-8", func(_ *List, p *Publication) { p.Parties[0].Facts.Aliases[0].Type = "\xff" }, "not valid UTF-8"},
		{"legal basis not UTF-8", func(_ *List, p *Publication) { p.Parties[0].Facts.Entries[0].LegalBasis = "\xff" }, "not valid UTF-8"},
		{"address not UTF-8", func(_ *List, p *Publication) { p.Parties[0].Addresses[0].Text = "\xff" }, "not valid UTF-8"},
		{"symbol not UTF-8", func(_ *List, p *Publication) { p.Parties[0].Addresses[0].Symbol = "\xff" }, "not valid UTF-8"},
		{"tag not UTF-8", func(_ *List, p *Publication) { p.Parties[0].Addresses[0].Tag = "\xff" }, "not valid UTF-8"},
		{"source id not UTF-8", func(_ *List, p *Publication) { p.Parties[0].Addresses[0].SourceIDs[0] = "\xff" }, "not valid UTF-8"},
		{"reliability not UTF-8", func(_ *List, p *Publication) { p.Parties[0].Addresses[0].Reliability = "\xff" }, "not valid UTF-8"},
		{"comment not UTF-8", func(_ *List, p *Publication) { p.Parties[0].Addresses[0].Comment = "\xff" }, "not valid UTF-8"},
	} {
		list, pub := valid()
		if _, _, err := Empty().Merge(list, pub); err != nil {
			t.Fatal(err)
		}
		test.change(&list, pub)
		s, changes, err := Empty().Merge(list, pub)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v, want one with %q", test.name, err, test.want)
		}
		if s != nil || changes != nil {
			t.Errorf("%s: a snapshot or changes beside an error", test.name)
		}
	}
	list, pub := valid()
	s := merged(t, Empty(), list, pub)
	list.Kind = KindAdvisory
	if _, _, err := s.Merge(list, pub); err == nil || !strings.Contains(err.Error(), "kind advisory, the snapshot has it as designation") {
		t.Errorf("another kind: error %v", err)
	}
}

// Two merges into one snapshot have nothing in common but it.
func TestMergeTwiceIntoOneSnapshot(t *testing.T) {
	renamed := func(name string) PublishedParty {
		p := party("1", row("a"))
		p.Facts.Name = name
		return p
	}
	s := Empty()
	for i, name := range []string{"A", "B", "C", "D", "E"} {
		on := Date(20240101 + i)
		s = merged(t, s, sdn, publication(sdn, on, name, renamed(name)))
		one := merged(t, s, sdn, publication(sdn, on, name+" one", renamed("One")))
		want := slices.Clone(one.Encoding())
		merged(t, s, sdn, publication(sdn, on, name+" other", renamed("Other"), party("2", row("b"))))
		if got := one.encode(); !slices.Equal(got, want) {
			t.Fatalf("after %d publications, the second merge changed the first (-before +after):\n%s", i+1, cmp.Diff(string(want), string(got)))
		}
	}
}

// A model of history that shares nothing with the merge: for every row the
// publications that print it.
type model struct {
	list    List
	dates   []Date
	printed []map[[3]string]bool // by publication: party, text, symbol
}

func (m *model) intervals() map[[3]string][][2]Ordinal {
	all := map[[3]string][][2]Ordinal{}
	for i, printed := range m.printed {
		for row := range printed {
			if i > 0 && m.printed[i-1][row] {
				continue
			}
			end := Ordinal(0)
			for j := i + 1; j < len(m.printed); j++ {
				if !m.printed[j][row] {
					end = Ordinal(j + 1)
					break
				}
			}
			all[row] = append(all[row], [2]Ordinal{Ordinal(i + 1), end})
		}
	}
	return all
}

// current returns the rows of the newest publication that is not later than on.
func (m *model) current(on Date) map[[3]string]bool {
	var rows map[[3]string]bool
	for i, date := range m.dates {
		if date <= on {
			rows = m.printed[i]
		}
	}
	return rows
}

func TestMergeAgainstModel(t *testing.T) {
	texts := []string{"a", "b", "c", "d"}
	rapid.Check(t, func(t *rapid.T) {
		models := []*model{{list: sdn}, {list: advisory}}
		s := Empty()
		for step := range rapid.IntRange(1, 12).Draw(t, "publications") {
			m := rapid.SampledFrom(models).Draw(t, "list")
			on := Date(20240101)
			if n := len(m.dates); n > 0 {
				on = m.dates[n-1] + Date(rapid.IntRange(0, 2).Draw(t, "days later"))
			}
			printed := map[[3]string]bool{}
			byParty := map[string][]PublishedAddress{}
			for range rapid.IntRange(0, 8).Draw(t, "rows") {
				uid := rapid.SampledFrom([]string{"1", "2"}).Draw(t, "party")
				a := PublishedAddress{
					Text:   rapid.SampledFrom(texts).Draw(t, "text"),
					Symbol: rapid.SampledFrom([]string{"XBT", "ETH"}).Draw(t, "symbol"),
				}
				printed[[3]string{uid, a.Text, a.Symbol}] = true
				byParty[uid] = append(byParty[uid], a)
			}
			var parties []PublishedParty
			for _, uid := range slices.Sorted(maps.Keys(byParty)) {
				parties = append(parties, party(uid, byParty[uid]...))
			}
			pub := publication(m.list, on, string(rune('A'+step)), parties...)
			before, beforeEncoding := copyOf(s), slices.Clone(s.Encoding())
			next, changes, err := s.Merge(m.list, pub)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(before, s, sameContent); diff != "" || !slices.Equal(beforeEncoding, s.encode()) {
				t.Fatalf("the merge changed its receiver (-before +after):\n%s", diff)
			}
			m.dates, m.printed = append(m.dates, on), append(m.printed, printed)
			wantRows := 0
			if n := len(m.printed); n > 1 {
				wantRows = len(m.printed[n-2])
			}
			if changes.Rows != wantRows || wantRows+len(changes.Listed)-len(changes.Delisted) != len(printed) {
				t.Fatalf("%d rows before, %d listed, %d delisted, %d rows printed now; the model has %d before",
					changes.Rows, len(changes.Listed), len(changes.Delisted), len(printed), wantRows)
			}

			// The order within the publication never matters.
			slices.Reverse(pub.Parties)
			for i := range pub.Parties {
				slices.Reverse(pub.Parties[i].Addresses)
			}
			turned, _, err := s.Merge(m.list, pub)
			if err != nil || !turned.Equal(next) {
				t.Fatalf("with all rows turned round: %v, another digest", err)
			}
			s = next
		}
		decoded, err := Decode(s.Encoding())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(s, decoded, sameContent); diff != "" {
			t.Fatalf("decoded (-want +got):\n%s", diff)
		}
		for _, m := range models {
			got := map[[3]string][][2]Ordinal{}
			for i := range s.Listings() {
				if l := &s.Listings()[i]; s.ListOf(l).ID == m.list.ID {
					row := [3]string{s.PartyOf(l).UID, l.Text, l.Symbol}
					got[row] = append(got[row], [2]Ordinal{l.Listed, l.Delisted})
				}
			}
			if diff := cmp.Diff(m.intervals(), got); diff != "" {
				t.Fatalf("%s: intervals (-model +got):\n%s", m.list.ID, diff)
			}
			if len(m.dates) == 0 {
				continue
			}
			for on := m.dates[0]; on <= m.dates[len(m.dates)-1]+1; on++ {
				screener := NewIndex(s).Screener(Query{Lists: []ListID{m.list.ID}, AsOf: on, Today: 20250101})
				for _, text := range texts {
					var want, got []string
					for row := range m.current(on) {
						if row[1] == text {
							want = append(want, row[0]+row[2])
						}
					}
					var res Result
					screener.Screen(text, &res)
					for _, match := range res.Matches {
						got = append(got, s.PartyOf(match.Listing).UID+match.Listing.Symbol)
					}
					slices.Sort(want)
					slices.Sort(got)
					if !slices.Equal(got, want) {
						t.Fatalf("%s: %q on %s matches %q, the model has %q", m.list.ID, text, on, got, want)
					}
				}
			}
		}
	})
}

// TestPrintedIntervalsAgainstModel asks every day about rows that print intervals
// of their own, some amended and some dropped early.
func TestPrintedIntervalsAgainstModel(t *testing.T) {
	const first, last = Date(20240101), Date(20240128)
	day := rapid.Custom(func(t *rapid.T) Date {
		if rapid.Bool().Draw(t, "printed") {
			return Date(rapid.IntRange(int(first), int(last)).Draw(t, "day"))
		}
		return 0
	})
	type key struct {
		text     string
		listedOn Date
	}
	rapid.Check(t, func(t *rapid.T) {
		var dates []Date
		var ends []map[key]Date // by publication: the printed end of each row
		s := Empty()
		on := first
		for i := range rapid.IntRange(1, 6).Draw(t, "publications") {
			printed := map[key]Date{}
			var addresses []PublishedAddress
			for range rapid.IntRange(0, 4).Draw(t, "rows") {
				a := PublishedAddress{Text: rapid.SampledFrom([]string{"a", "b"}).Draw(t, "text"), ListedOn: day.Draw(t, "start"), DelistedOn: day.Draw(t, "end")}
				k := key{a.Text, a.ListedOn}
				if _, repeated := printed[k]; repeated || a.DelistedOn != 0 && a.DelistedOn < a.ListedOn {
					continue
				}
				printed[k] = a.DelistedOn
				addresses = append(addresses, a)
			}
			var parties []PublishedParty
			if len(addresses) > 0 {
				parties = append(parties, party("1", addresses...))
			}
			next, _, err := s.Merge(own, publication(own, on, string(rune('A'+i)), parties...))
			if err != nil {
				t.Fatal(err)
			}
			s, dates, ends = next, append(dates, on), append(ends, printed)
			on += Date(rapid.IntRange(0, 4).Draw(t, "days later"))
		}
		// counts walks the publications: from one that prints a row to the first
		// that no longer does, the row counts between its last printed dates.
		counts := func(text string, asOf Date) bool {
			for i, printed := range ends {
				for k := range printed {
					if k.text != text {
						continue
					}
					if i > 0 {
						if _, goesOn := ends[i-1][k]; goesOn {
							continue
						}
					}
					from, until := dates[i], Date(99991231)
					if k.listedOn != 0 {
						from = k.listedOn
					}
					dropped := Date(99991231)
					for j := i; j < len(ends); j++ {
						end, goesOn := ends[j][k]
						if !goesOn {
							dropped = dates[j]
							break
						}
						if until = end; end == 0 {
							until = 99991231
						}
					}
					if from <= asOf && asOf < min(until, dropped) {
						return true
					}
				}
			}
			return false
		}
		x := NewIndex(s)
		var res Result
		for asOf := first - 1; asOf <= last+1; asOf++ {
			screener := x.Screener(Query{AsOf: asOf})
			now := x.Screener(Query{Today: max(asOf, dates[len(dates)-1])})
			for _, text := range []string{"a", "b"} {
				screener.Screen(text, &res)
				if got, want := res.Verdict == VerdictListed, counts(text, asOf); got != want {
					t.Fatalf("%q on %d: listed %t, the model has %t", text, asOf, got, want)
				}
				now.Screen(text, &res)
				if got, want := res.Verdict == VerdictListed, counts(text, now.q.Today); got != want {
					t.Fatalf("%q now, on %d: listed %t, the model has %t", text, now.q.Today, got, want)
				}
			}
		}
	})
}

// copyOf copies all that a merge could change.
func copyOf(s *Snapshot) *Snapshot {
	c := *s
	c.lists, c.parties, c.listings = slices.Clone(s.lists), slices.Clone(s.parties), slices.Clone(s.listings)
	for i := range c.lists {
		c.lists[i].Publications = slices.Clone(c.lists[i].Publications)
	}
	for i := range c.parties {
		c.parties[i].Versions = slices.Clone(c.parties[i].Versions)
		for j := range c.parties[i].Versions {
			f := &c.parties[i].Versions[j].Facts
			f.Programs, f.Aliases, f.Entries = slices.Clone(f.Programs), slices.Clone(f.Aliases), slices.Clone(f.Entries)
		}
	}
	for i := range c.listings {
		c.listings[i].SourceIDs = slices.Clone(c.listings[i].SourceIDs)
	}
	return &c
}
