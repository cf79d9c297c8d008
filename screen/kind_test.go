package screen

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// ofKind is a row of a kind of its own.
func ofKind(text string, kind Kind) PublishedAddress { return PublishedAddress{Text: text, Kind: kind} }

func TestKindOfRowDecidesTheVerdict(t *testing.T) {
	for _, test := range []struct {
		list List
		row  Kind
		want Verdict
	}{
		{own, 0, VerdictListed},
		{own, KindInternal, VerdictListed},
		{own, KindAdvisory, VerdictAdvisory},
		{own, KindSeizureOrder, VerdictListed},
		{own, KindDesignation, VerdictListed},
		{advisory, 0, VerdictAdvisory},
		{advisory, KindAdvisory, VerdictAdvisory},
		{advisory, KindInternal, VerdictListed},
		{sdn, KindAdvisory, VerdictAdvisory},
	} {
		s := merged(t, Empty(), test.list, publication(test.list, 20240101, "1", party("1", ofKind(evm, test.row))))
		if got := screened(s, Query{}, evm).Verdict; got != test.want {
			t.Errorf("row of kind %q on a list of kind %q: verdict %d, want %d", test.row, test.list.Kind, got, test.want)
		}
		want := test.row
		if want == 0 {
			want = test.list.Kind
		}
		if got := s.KindOf(&s.Listings()[0]); got != want {
			t.Errorf("row of kind %q on a list of kind %q: kind %q", test.row, test.list.Kind, got)
		}
	}
}

// A match that binds comes before one that does not, though both be of one list.
func TestKindsOfOneAddress(t *testing.T) {
	s := merged(t, Empty(), own, publication(own, 20240101, "1", party("1", ofKind(evm, KindAdvisory)), party("2", ofKind(evm, 0))))
	var res Result
	NewIndex(s).Screener(Query{Today: 20250101}).Screen(evm, &res)
	if res.Verdict != VerdictListed || len(res.Matches) != 2 || s.PartyOf(res.Matches[0].Listing).UID != "2" {
		t.Errorf("verdict %d, matches %v", res.Verdict, res.Matches)
	}
}

// To say that a row is of the kind of its list is to say nothing.
func TestKindOfTheListIsNoneOfTheRow(t *testing.T) {
	pub := func(kind Kind) *Publication { return publication(own, 20240101, "1", party("1", ofKind("a", kind))) }
	said := pub(KindInternal)
	s := merged(t, Empty(), own, said)
	if !s.Equal(merged(t, Empty(), own, pub(0))) {
		t.Errorf("a row of the kind of its list: %s", s.Encoding())
	}
	if said.Parties[0].Addresses[0].Kind != KindInternal {
		t.Error("the merge changed the publication")
	}
	_, changes := mergedChanges(t, s, own, publication(own, 20240102, "2", party("1", ofKind("a", KindInternal), ofKind("a", 0))))
	if diff := cmp.Diff(&Changes{List: own.ID, Rows: 1, Parties: 1}, changes); diff != "" {
		t.Errorf("said both ways: changes (-want +got):\n%s", diff)
	}
}

func TestRowTurnsFromOneKindToAnother(t *testing.T) {
	printed := func(kind Kind) PublishedAddress {
		return PublishedAddress{Text: tronText, Tag: "7", ListedOn: 20230101, Kind: kind}
	}
	s := merged(t, Empty(), own, publication(own, 20240101, "1", party("1", ofKind(evm, KindAdvisory), printed(KindAdvisory))))
	s, changes := mergedChanges(t, s, own, publication(own, 20240201, "2", party("1", ofKind(evm, 0), printed(0)), party("2", ofKind("b", KindSeizureOrder))))

	change := func(uid, text, tag string, kind Kind, what string) Change {
		return Change{UID: uid, Party: "Party " + uid, Text: text, Tag: tag, Kind: kind, What: what}
	}
	want := &Changes{
		List: own.ID, Rows: 2, Parties: 1, PartiesListed: 1,
		Listed: []Change{
			change("1", evm, "", KindInternal, "kind internal, was advisory"),
			change("1", tronText, "7", KindInternal, "kind internal, was advisory"),
			change("2", "b", "", KindSeizureOrder, "kind seizure-order"),
		},
		Delisted: []Change{
			change("1", evm, "", KindAdvisory, "kind advisory, now internal"),
			change("1", tronText, "7", KindAdvisory, "kind advisory, now internal"),
		},
	}
	if diff := cmp.Diff(want, changes); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}

	s = merged(t, s, own, publication(own, 20240301, "3", party("2", row("b"))))
	s = merged(t, s, own, publication(own, 20240401, "4", party("1", ofKind(evm, KindAdvisory), printed(KindAdvisory))))
	s = merged(t, s, own, publication(own, 20240501, "5", party("1", ofKind(evm, 0), printed(0))))
	tagged := tronText // the row has a tag: the account alone is related to it
	for _, test := range []struct {
		text string
		on   Date
		want []Kind
	}{
		{evm, 20231231, nil},
		{evm, 20240101, []Kind{KindAdvisory}},
		{evm, 20240131, []Kind{KindAdvisory}},
		{evm, 20240201, []Kind{KindInternal}},
		{evm, 20240229, []Kind{KindInternal}},
		{evm, 20240301, nil},
		{evm, 20240401, []Kind{KindAdvisory}},
		{evm, 20240501, []Kind{KindInternal}},
		{evm, 0, []Kind{KindInternal}},

		// The printed start is that of the row as it first was; what it turned into
		// counts from when it turned.
		{tagged, 20221231, nil},
		{tagged, 20230101, []Kind{KindAdvisory}},
		{tagged, 20240131, []Kind{KindAdvisory}},
		{tagged, 20240201, []Kind{KindInternal}},
		{tagged, 20240501, []Kind{KindInternal}},
		{tagged, 0, []Kind{KindInternal}},
	} {
		var res Result
		NewIndex(s).Screener(Query{AsOf: test.on, Today: 20250101}).Screen(test.text, &res)
		var got []Kind
		for _, m := range res.Matches {
			got = append(got, s.KindOf(m.Listing))
		}
		slices.Sort(got)
		if !slices.Equal(got, test.want) {
			t.Errorf("%s as of %q: kinds %q, want %q", test.text, test.on, got, test.want)
		}
	}
}

// A row that is gone for a while and comes back as another kind counts from its
// printed start, but not while it was of the other kind. One that comes back as it
// was counts from its printed start.
func TestRowComesBackAsAnotherKind(t *testing.T) {
	printed := func(kind Kind) PublishedAddress {
		return PublishedAddress{Text: "a", ListedOn: 20230101, Kind: kind}
	}
	same := PublishedAddress{Text: "c", ListedOn: 20230101}
	s := merged(t, Empty(), own, publication(own, 20240101, "1", party("1", printed(KindAdvisory), same), party("2", row("b"))))
	s = merged(t, s, own, publication(own, 20240201, "2", party("2", row("b"))))
	s = merged(t, s, own, publication(own, 20240301, "3", party("1", printed(0), same), party("2", row("b"))))
	want := []interval{{"a", 3, 0, 20240201, 0}, {"a", 1, 2, 20230101, 20240201}, {"c", 1, 2, 20230101, 20240201}, {"c", 3, 0, 20230101, 0}, {"b", 1, 0, 20240101, 0}}
	if diff := cmp.Diff(want, intervals(s)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
