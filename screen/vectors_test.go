package screen

import (
	"bytes"
	"encoding/json"
	"os"
	"slices"
	"testing"
)

// TestSharedVectors screens the maintainers' vectors through an index, as a
// caller does: what is listed alone on the list, then every text that is asked.
// A section, field, expectation or tier that this test does not know fails it.
// What valid_decode says of payloads is for the test of package address.
func TestSharedVectors(t *testing.T) {
	const file = "../../shared/vectors/addresses.json"
	data, err := os.ReadFile(file)
	if err != nil {
		t.Skip("the vectors of the reference material are absent: equivalent_groups, must_not_match, invalid, valid_decode, exact_text_only, not_addresses and noisy_input are not run")
	}
	type pair struct{ Listed, Query, Why, Expect, Source string }
	var vectors struct {
		Meta struct {
			For          string `json:"for_"`
			Built        string
			Counts       map[string]json.RawMessage
			ExpectValues string `json:"expect_values"`
		}
		Groups []struct {
			ID, Chain, Certainty, Source string
			ListedAs                     string `json:"listed_as"`
			Account                      struct{ Kind, Hex string }
			Members                      []struct{ Text, Form, Expect, Tier, Note string }
		} `json:"equivalent_groups"`
		MustNotMatch []pair `json:"must_not_match"`
		Invalid      []struct {
			Text, Reason, Expect, Source string
			ChainHint                    string `json:"chain_hint"`
		}
		ValidDecode   []struct{ Text, Chain, Kind, Hex, Source string }             `json:"valid_decode"`
		ExactTextOnly []pair                                                        `json:"exact_text_only"`
		NotAddresses  []struct{ Text, What, Expect, Source string }                 `json:"not_addresses"`
		NoisyInput    []struct{ Text, Listed, Noise, Chain, Expect, Source string } `json:"noisy_input"`
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&vectors); err != nil {
		t.Fatal(err)
	}
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
	check := func(what, listedText, text, expect string) {
		t.Helper()
		want, ok := allowed[expect]
		if !ok {
			t.Fatalf("%s: unknown expectation %q", what, expect)
		}
		got := screened(listed(t, listedText), Query{}, text)
		if !slices.Contains(want, got.Verdict) {
			t.Errorf("%s: %q against %q: verdict %d, reason %s, want %s", what, text, listedText, got.Verdict, got.Reason, expect)
		}
	}
	const unrelated = "0x00000000000000000000000000000000000000aa"
	for _, g := range vectors.Groups {
		for _, m := range g.Members {
			switch m.Tier {
			case "core", "extended", "uri", "exotic":
			default:
				t.Errorf("%s: unknown tier %q", g.ID, m.Tier)
			}
			check(g.ID+", "+m.Form, g.ListedAs, m.Text, m.Expect)
		}
	}
	for _, v := range vectors.MustNotMatch {
		check(v.Why, v.Listed, v.Query, v.Expect)
	}
	for _, v := range vectors.ExactTextOnly {
		check(v.Why, v.Listed, v.Query, v.Expect)
	}
	for _, v := range vectors.NoisyInput {
		check(v.Noise, v.Listed, v.Text, v.Expect)
	}
	for _, v := range vectors.Invalid {
		check(v.Reason, unrelated, v.Text, v.Expect)
		// What is published in this form is met in it all the same.
		check(v.Reason, v.Text, v.Text, "LISTED")
	}
	for _, v := range vectors.NotAddresses {
		check(v.What, unrelated, v.Text, v.Expect)
	}
	for _, v := range vectors.ValidDecode {
		check(v.Chain, v.Text, v.Text, "LISTED")
	}
}
