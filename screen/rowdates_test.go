package screen

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"walletscreen/screen/address"
)

// dated is DateRows for dates that must do.
func dated(t testing.TB, s *Snapshot, list List, dates ...RowDate) *Snapshot {
	t.Helper()
	next, _, err := s.DateRows(list.ID, dates)
	if err != nil {
		t.Fatal(err)
	}
	return next
}

func addedOn(text string, on Date) RowDate {
	return RowDate{UID: "1", Text: text, Symbol: "XBT", AddedOn: on}
}

func TestDateRows(t *testing.T) {
	printed := row("p")
	printed.ListedOn = 20230701
	s := merged(t, Empty(), sdn, publication(sdn, 20240101, "1", party("1", append(rows("a", "b", "c"), printed)...)))
	s = merged(t, s, sdn, publication(sdn, 20240110, "2", party("1", append(rows("a", "c"), printed)...)))
	s = merged(t, s, sdn, publication(sdn, 20240120, "3", party("1", append(rows("a", "b", "c"), printed)...)))
	s = merged(t, s, own, publication(own, 20240101, "own", party("1", row("a"))))
	for _, test := range []struct {
		name  string
		dates []RowDate
		want  []string // text, from, what the change says
	}{
		{"no dates", nil, nil},
		{"in the first publication", []RowDate{addedOn("a", 20230501)}, []string{`a 2023-05-01: added on "2023-05-01", was ""`}},
		{"on the day of the first publication", []RowDate{addedOn("a", 20240101)}, []string{`a 2024-01-01: added on "2024-01-01", was ""`}},
		{"after the publication that prints it", []RowDate{addedOn("a", 20240102)}, nil},
		{"the last of several", []RowDate{addedOn("a", 20230501), addedOn("a", 20230801), addedOn("a", 20230601), addedOn("a", 20240105)},
			[]string{`a 2023-08-01: added on "2023-08-01", was ""`}},
		{"in both intervals", []RowDate{addedOn("b", 20240115), addedOn("b", 20230501)},
			[]string{`b 2023-05-01: added on "2023-05-01", was ""`, `b 2024-01-15: added on "2024-01-15", was ""`}},
		{"on the day of the publication that delisted it", []RowDate{addedOn("b", 20240110)}, []string{`b 2024-01-10: added on "2024-01-10", was ""`}},
		{"in the interval before, which had begun", []RowDate{addedOn("b", 20240109)}, nil},
		{"on the day of its publication, after one before", []RowDate{addedOn("b", 20240120), addedOn("b", 20240115)},
			[]string{`b 2024-01-20: added on "2024-01-20", was ""`}},
		{"of another party", []RowDate{{UID: "2", Text: "a", Symbol: "XBT", AddedOn: 20230501}}, nil},
		{"of another text", []RowDate{addedOn("A", 20230501)}, nil},
		{"of another symbol", []RowDate{{UID: "1", Text: "a", Symbol: "ETH", AddedOn: 20230501}}, nil},
		{"of another tag", []RowDate{{UID: "1", Text: "a", Symbol: "XBT", Tag: "1", AddedOn: 20230501}}, nil},
		{"with a printed start", []RowDate{addedOn("p", 20230501)}, nil},
		{"two rows", []RowDate{addedOn("c", 20230502), addedOn("a", 20230501)},
			[]string{`a 2023-05-01: added on "2023-05-01", was ""`, `c 2023-05-02: added on "2023-05-02", was ""`}},
	} {
		t.Run(test.name, func(t *testing.T) {
			before, encoding := copyOf(s), slices.Clone(s.Encoding())
			next, changes, err := s.DateRows(sdn.ID, test.dates)
			if err != nil {
				t.Fatal(err)
			}
			if (next == s) != (len(test.want) == 0) {
				t.Errorf("the snapshot itself: %t", next == s)
			}
			var got []string
			for i := range next.Listings() {
				l := &next.Listings()[i]
				from, _ := next.Interval(l)
				if l.AddedOn != 0 {
					got = append(got, l.Text+" "+from.String())
				}
			}
			if len(changes) != len(got) {
				t.Fatalf("%d changes, %d listings with a day", len(changes), len(got))
			}
			for i, c := range changes {
				got[i] += ": " + c.What
				want := Change{UID: "1", Party: "Party 1", Text: got[i][:1], Symbol: "XBT", Kind: KindDesignation, What: c.What}
				if c != want {
					t.Errorf("change %+v, want %+v", c, want)
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(before, s, sameContent); diff != "" || !slices.Equal(encoding, s.encode()) {
				t.Errorf("the receiver changed (-before +after):\n%s", diff)
			}
			decoded, err := Decode(next.Encoding())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(next, decoded, sameContent); diff != "" {
				t.Errorf("decoded (-want +got):\n%s", diff)
			}
			again, changes, err := next.DateRows(sdn.ID, test.dates)
			if err != nil || again != next || changes != nil {
				t.Errorf("the same dates again: changes %v, %v", changes, err)
			}
			// A day that is known is not given up for an earlier one.
			for _, text := range got {
				if text[0] == 'b' {
					continue // its first interval may take that day
				}
				again, changes, err := next.DateRows(sdn.ID, []RowDate{addedOn(text[:1], 20230102)})
				if err != nil || again != next || changes != nil {
					t.Errorf("an earlier date for %q: changes %v, %v", text[:1], changes, err)
				}
			}
		})
	}
}

func TestDateRowsRefuses(t *testing.T) {
	s := listed(t, "a")
	for _, test := range []struct {
		name string
		list ListID
		date Date
		want string
	}{
		{"a list that is not there", own.ID, 20230501, "the snapshot does not hold the list"},
		{"no date", sdn.ID, 0, `party "1": no date`},
		{"no such date", sdn.ID, 20230231, `party "1": no such date: 2023-02-31`},
	} {
		next, changes, err := s.DateRows(test.list, []RowDate{addedOn("a", 20230501), addedOn("a", test.date)})
		if err == nil || !strings.Contains(err.Error(), test.want) || next != nil || changes != nil {
			t.Errorf("%s: error %v, want one with %q", test.name, err, test.want)
		}
	}
}

// What is known of the days before and between the publications is answered, and
// nothing else.
func TestScreenOnDaysBetween(t *testing.T) {
	s := merged(t, Empty(), sdn, publication(sdn, 20240101, "1", party("1", rows(evm, other)...)))
	s = merged(t, s, sdn, publication(sdn, 20240110, "2", party("1", rows(other)...)))
	s = merged(t, s, sdn, publication(sdn, 20240120, "3", party("1", rows(evm, other, tronText)...)))
	s = merged(t, s, advisory, publication(advisory, 20240101, "fbi", party("1", row(badTron))))
	s = dated(t, s, advisory, addedOn(badTron, 20230601))
	s = dated(t, s, sdn, addedOn(evm, 20230501), addedOn(evm, 20240115), addedOn(tronText, 20240112))
	for _, test := range []struct {
		text string
		on   Date
		want Verdict
		why  Reason
	}{
		{evm, 20230430, VerdictCannotScreen, ReasonBeforeHistory},
		{evm, 20230501, VerdictListed, 0},
		{evm, 20231231, VerdictListed, 0},
		{evm, 20240101, VerdictListed, 0},
		{evm, 20240109, VerdictListed, 0},
		{evm, 20240110, VerdictNotListed, 0},
		{evm, 20240114, VerdictNotListed, 0},
		{evm, 20240115, VerdictListed, 0},
		{evm, 0, VerdictListed, 0},
		{tronText, 20231231, VerdictCannotScreen, ReasonBeforeHistory},
		{tronText, 20240111, VerdictNotListed, 0},
		{tronText, 20240112, VerdictListed, 0},
		{other, 20231231, VerdictCannotScreen, ReasonBeforeHistory}, // "by" the first publication, not since
		{other, 20240101, VerdictListed, 0},
		{evmWrong, 20231231, VerdictListed, 0}, // another way of writing
		{account(address.KindEVM, 7, false), 20231231, VerdictCannotScreen, ReasonBeforeHistory},
		{badTron, 20230531, VerdictCannotScreen, address.ReasonChecksum},
		{badTron, 20230601, VerdictAdvisory, address.ReasonChecksum},
	} {
		if got := screened(s, Query{AsOf: test.on}, test.text); got.Verdict != test.want || got.Reason != test.why {
			t.Errorf("%s as of %q: verdict %d, reason %s, want %d, %s", test.text, test.on, got.Verdict, got.Reason, test.want, test.why)
		}
	}
	before := map[string]bool{}
	for i := range s.Listings() {
		l := &s.Listings()[i]
		before[l.Text] = before[l.Text] || l.ListedBefore()
	}
	if diff := cmp.Diff(map[string]bool{evm: false, other: true, tronText: false, badTron: false}, before); diff != "" {
		t.Errorf("listed before (-want +got):\n%s", diff)
	}
}

func TestMergeKeepsDates(t *testing.T) {
	s := dated(t, listed(t, "a", "b"), sdn, addedOn("a", 20230501), addedOn("b", 20230601))
	amended := row("a")
	amended.Comment = "remark"
	s = merged(t, s, sdn, publication(sdn, 20240102, "2", party("1", amended)))
	s = merged(t, s, sdn, publication(sdn, 20240103, "3", party("1", rows("a", "b")...)))
	want := []interval{{"a", 1, 0, 20230501, 0}, {"b", 1, 2, 20230601, 20240102}, {"b", 3, 0, 20240103, 0}}
	if diff := cmp.Diff(want, intervals(s)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A publication that arrives late keeps the days that it does not disprove.
func TestBackfillKeepsDates(t *testing.T) {
	with := func(on Date, texts ...string) *Publication {
		return publication(sdn, on, on.String()+strings.Join(texts, ""), party("1", append(rows(texts...), row("z"))...))
	}
	for _, test := range []struct {
		name     string
		late     *Publication
		want     []interval // of "a"
		wantDays []Date
	}{
		{"before all, without it, before the day", with(20231101), []interval{{"a", 2, 3, 20231201, 20240110}, {"a", 4, 0, 20240115, 0}}, []Date{20231201, 20240115}},
		{"before all, without it, after the day", with(20231215), []interval{{"a", 2, 3, 20240101, 20240110}, {"a", 4, 0, 20240115, 0}}, []Date{0, 20240115}},
		{"before all, with it, before the day", with(20231101, "a"), []interval{{"a", 1, 3, 20231101, 20240110}, {"a", 4, 0, 20240115, 0}}, []Date{0, 20240115}},
		{"before all, with it, after the day", with(20231215, "a"), []interval{{"a", 1, 3, 20231201, 20240110}, {"a", 4, 0, 20240115, 0}}, []Date{20231201, 20240115}},
		{"in an interval, without it", with(20240105), []interval{{"a", 1, 2, 20231201, 20240105}, {"a", 4, 0, 20240115, 0}}, []Date{20231201, 20240115}},
		{"in an interval, with it", with(20240105, "a"), []interval{{"a", 1, 3, 20231201, 20240110}, {"a", 4, 0, 20240115, 0}}, []Date{20231201, 20240115}},
		{"between two, without it, before the day", with(20240112), []interval{{"a", 1, 2, 20231201, 20240110}, {"a", 4, 0, 20240115, 0}}, []Date{20231201, 20240115}},
		{"between two, without it, after the day", with(20240118), []interval{{"a", 1, 2, 20231201, 20240110}, {"a", 4, 0, 20240120, 0}}, []Date{20231201, 0}},
		{"between two, with it, before the day", with(20240112, "a"), []interval{{"a", 1, 2, 20231201, 20240110}, {"a", 3, 0, 20240112, 0}}, []Date{20231201, 0}},
		{"between two, with it, after the day", with(20240118, "a"), []interval{{"a", 1, 2, 20231201, 20240110}, {"a", 3, 0, 20240115, 0}}, []Date{20231201, 20240115}},
		{"in the second, without it", with(20240121), []interval{{"a", 1, 2, 20231201, 20240110}, {"a", 3, 4, 20240115, 20240121}, {"a", 5, 0, 20240130, 0}}, []Date{20231201, 20240115, 0}},
	} {
		s := merged(t, Empty(), own, publication(own, 20240101, "own", party("1", row("a"))))
		s = dated(t, s, own, addedOn("a", 20230101))
		for _, pub := range []*Publication{with(20240101, "a"), with(20240110), with(20240120, "a"), with(20240130, "a")} {
			s = merged(t, s, sdn, pub)
		}
		s = dated(t, s, sdn, addedOn("a", 20231201), addedOn("a", 20240115))
		s, _ = backfilled(t, s, sdn, test.late)
		var got []interval
		var days []Date
		for i := range s.Listings() {
			l := &s.Listings()[i]
			if s.ListOf(l).ID == own.ID && l.AddedOn != 20230101 {
				t.Errorf("%s: the day of another list is %s", test.name, l.AddedOn)
			}
			if s.ListOf(l).ID != sdn.ID || l.Text != "a" {
				continue
			}
			from, until := s.Interval(l)
			got, days = append(got, interval{l.Text, l.Listed, l.Delisted, from, until}), append(days, l.AddedOn)
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
		if diff := cmp.Diff(test.wantDays, days); diff != "" {
			t.Errorf("%s: days (-want +got):\n%s", test.name, diff)
		}
	}
}

// Nor does a day pass from one interval of a row to another, though the dates of
// the publications would let it.
func TestBackfillKeepsDatesApart(t *testing.T) {
	z := row("z")
	s := merged(t, Empty(), sdn, publication(sdn, 20240101, "1", party("1", row("a"), z)))
	s = merged(t, s, sdn, publication(sdn, 20240101, "2", party("1", z)))
	s = dated(t, s, sdn, addedOn("a", 20240101))
	s = merged(t, s, sdn, publication(sdn, 20240120, "3", party("1", row("a"), z)))
	s, _ = backfilled(t, s, sdn, publication(sdn, 20240101, "late", party("1", z)))
	want := []interval{{"a", 1, 2, 20240101, 20240101}, {"a", 4, 0, 20240120, 0}, {"z", 1, 0, 20240101, 0}}
	if diff := cmp.Diff(want, intervals(s)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Whenever publications and dates arrive, once all dates are given to the whole
// history the snapshot is the same, and no listing begins where a publication
// says otherwise.
func TestDateRowsInAnyOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pubs := history(t, own)
		for _, pub := range pubs { // two days apart, for dates between
			pub.PublishedOn = 20240101 + 2*(pub.PublishedOn-20240101)
		}
		dates := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) RowDate {
			return RowDate{
				UID:    rapid.SampledFrom([]string{"1", "2", "3"}).Draw(t, "party"),
				Text:   rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "text"),
				Symbol: "XBT", AddedOn: Date(rapid.OneOf(rapid.Uint32Range(20231230, 20231231), rapid.Uint32Range(20240101, 20240115)).Draw(t, "day")),
			}
		}), 0, 8).Draw(t, "dates")
		must := func(s *Snapshot, _ []Change, err error) *Snapshot {
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		want := Empty()
		for _, pub := range pubs {
			want, _, _ = want.Merge(own, pub)
		}
		want = must(want.DateRows(own.ID, dates))

		got := Empty()
		for _, pub := range rapid.Permutation(pubs).Draw(t, "order of arrival") {
			next, err := arrived(got, own, pub)
			if err != nil {
				t.Fatal(err)
			}
			got = next
			if rapid.Bool().Draw(t, "dates now") {
				some := dates[:rapid.IntRange(0, len(dates)).Draw(t, "how many")]
				got = must(got.DateRows(own.ID, some))
			}
			if _, err := Decode(got.Encoding()); err != nil {
				t.Fatal(err)
			}
		}
		got = must(got.DateRows(own.ID, rapid.Permutation(dates).Draw(t, "order of dates")))
		if !got.Equal(want) {
			t.Fatalf("(-in order of date +as they arrived):\n%s", cmp.Diff(string(want.Encoding()), string(got.Encoding())))
		}
		for i := range got.Listings() {
			l := &got.Listings()[i]
			from, until := got.Interval(l)
			list := got.ListOf(l)
			if l.AddedOn == 0 {
				continue
			}
			if from != l.AddedOn || until != 0 && until <= from || from > list.At(l.Listed).PublishedOn {
				t.Fatalf("%+v counts from %s to %s", l, from, until)
			}
			if before := list.At(l.Listed - 1); before != nil && from < before.PublishedOn {
				t.Fatalf("%+v counts from %s, the publication of %s does not print it", l, from, before.PublishedOn)
			}
			if !slices.ContainsFunc(dates, func(d RowDate) bool {
				return d.AddedOn == from && d.UID == got.PartyOf(l).UID && d.Text == l.Text
			}) {
				t.Fatalf("%+v: nobody says so", l)
			}
		}
	})
}
