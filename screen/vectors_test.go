package screen

import (
	"bytes"
	"encoding/json"
	"os"
	"reflect"
	"slices"
	"testing"
)

// vectors is a file of address texts and what a screener must answer, which
// implementations in any language can read. Fields that it does not have fail the
// test.
type vectors struct {
	Meta struct {
		For          string `json:"for_"`
		Built        string
		Counts       vectorCounts
		ExpectValues string `json:"expect_values"`
	}
	Groups []struct {
		ID, Chain, Certainty, Source string
		ListedAs                     string `json:"listed_as"`
		Account                      struct{ Kind, Hex string }
		Members                      []struct{ Text, Form, Expect, Tier, Note string }
	} `json:"equivalent_groups"`
	MustNotMatch []vectorPair `json:"must_not_match"`
	Invalid      []struct {
		Text, Reason, Expect, Source string
		ChainHint                    string `json:"chain_hint"`
	}
	ValidDecode   []struct{ Text, Chain, Kind, Hex, Source string }             `json:"valid_decode"`
	ExactTextOnly []vectorPair                                                  `json:"exact_text_only"`
	NotAddresses  []struct{ Text, What, Expect, Source string }                 `json:"not_addresses"`
	NoisyInput    []struct{ Text, Listed, Noise, Chain, Expect, Source string } `json:"noisy_input"`
}

type vectorPair struct{ Listed, Query, Why, Expect, Source string }

// vectorCounts is what a file says of itself, so that a part that is lost shows.
type vectorCounts struct {
	Groups        int `json:"equivalent_groups"`
	Members       int
	MustNotMatch  int `json:"must_not_match"`
	Invalid       int
	ValidDecode   int `json:"valid_decode"`
	ExactTextOnly int `json:"exact_text_only"`
	NotAddresses  int `json:"not_addresses"`
	NoisyInput    int `json:"noisy_input"`
	Chains        []string
}

// TestVectors screens the project's vectors.
func TestVectors(t *testing.T) { screenVectors(t, "testdata/vectors.json") }

// TestSharedVectors screens the maintainers' vectors.
func TestSharedVectors(t *testing.T) {
	const file = "../../shared/vectors/addresses.json"
	if _, err := os.Stat(file); err != nil {
		t.Skip("the vectors of the reference material are absent: equivalent_groups, must_not_match, invalid, valid_decode, exact_text_only, not_addresses and noisy_input are not run")
	}
	screenVectors(t, file)
}

// screenVectors screens a file of vectors through an index, as a caller does: what
// is listed alone on the list, then every text that is asked. A section, field,
// expectation or tier that it does not know fails. What valid_decode says of
// payloads is for the test of package address.
func screenVectors(t *testing.T, file string) {
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var v vectors
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	checkCounts(t, &v)
	allowed := map[string][]Verdict{
		"LISTED":                  {VerdictListed},
		"RELATED":                 {VerdictRelated},
		"LISTED_OR_RELATED":       {VerdictListed, VerdictRelated},
		"NOT_LISTED":              {VerdictNotListed},
		"NOT_LISTED_OR_RELATED":   {VerdictNotListed, VerdictRelated, VerdictCannotScreen},
		"CANNOT_SCREEN":           {VerdictCannotScreen},
		"CANNOT_SCREEN_OR_LISTED": {VerdictCannotScreen, VerdictListed},
		"LISTED_OR_CANNOT_SCREEN": {VerdictCannotScreen, VerdictListed},
		"CANNOT_SCREEN unless listed as account id": {VerdictCannotScreen},
	}
	indexes := map[string]*Index{} // many texts are asked of one that is listed
	check := func(what, listedText, text, expect string) {
		t.Helper()
		want, ok := allowed[expect]
		if !ok {
			t.Fatalf("%s: unknown expectation %q", what, expect)
		}
		x := indexes[listedText]
		if x == nil {
			x = NewIndex(listed(t, listedText))
			indexes[listedText] = x
		}
		var got Result
		x.Screener(Query{Today: 20250101}).Screen(text, &got)
		if !slices.Contains(want, got.Verdict) {
			t.Errorf("%s: %+q against %+q: verdict %d, reason %s, want %s", what, text, listedText, got.Verdict, got.Reason, expect)
		}
	}
	const unrelated = "0x00000000000000000000000000000000000000aa"
	for _, g := range v.Groups {
		for _, m := range g.Members {
			switch m.Tier {
			case "core", "extended", "uri", "exotic":
			default:
				t.Errorf("%s: unknown tier %q", g.ID, m.Tier)
			}
			check(g.ID+", "+m.Form, g.ListedAs, m.Text, m.Expect)
		}
	}
	for _, p := range v.MustNotMatch {
		check(p.Why, p.Listed, p.Query, p.Expect)
	}
	for _, p := range v.ExactTextOnly {
		check(p.Why, p.Listed, p.Query, p.Expect)
	}
	for _, n := range v.NoisyInput {
		check(n.Noise, n.Listed, n.Text, n.Expect)
	}
	for _, i := range v.Invalid {
		check(i.Reason, unrelated, i.Text, i.Expect)
		// What is published in this form is met in it all the same.
		check(i.Reason, i.Text, i.Text, "LISTED")
	}
	for _, n := range v.NotAddresses {
		check(n.What, unrelated, n.Text, n.Expect)
	}
	for _, d := range v.ValidDecode {
		check(d.Chain, d.Text, d.Text, "LISTED")
	}
}

// checkCounts compares what is in a file with what the file says is in it, and
// demands that every entry names its source.
func checkCounts(t *testing.T, v *vectors) {
	t.Helper()
	var sources []string
	got := vectorCounts{
		Groups: len(v.Groups), MustNotMatch: len(v.MustNotMatch), Invalid: len(v.Invalid), ValidDecode: len(v.ValidDecode),
		ExactTextOnly: len(v.ExactTextOnly), NotAddresses: len(v.NotAddresses), NoisyInput: len(v.NoisyInput),
	}
	for _, g := range v.Groups {
		got.Members += len(g.Members)
		got.Chains = append(got.Chains, g.Chain)
		sources = append(sources, g.Source)
	}
	for _, d := range v.ValidDecode {
		got.Chains = append(got.Chains, d.Chain)
		sources = append(sources, d.Source)
	}
	slices.Sort(got.Chains)
	got.Chains = slices.Compact(got.Chains)
	for _, p := range slices.Concat(v.MustNotMatch, v.ExactTextOnly) {
		sources = append(sources, p.Source)
	}
	for _, i := range v.Invalid {
		sources = append(sources, i.Source)
	}
	for _, n := range v.NotAddresses {
		sources = append(sources, n.Source)
	}
	for _, n := range v.NoisyInput {
		sources = append(sources, n.Source)
	}
	if want := v.Meta.Counts; !reflect.DeepEqual(got, want) {
		t.Errorf("the file holds %+v and says that it holds %+v", got, want)
	}
	if slices.Contains(sources, "") {
		t.Error("an entry has no source")
	}
}
