package address

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"slices"
	"strconv"
	"testing"
)

// vectors is testdata/vectors.json, which any language can read. Fields and
// names that this test does not know fail it.
type vectors struct {
	Readings []struct {
		Text     string   `json:"text"`
		Reason   string   `json:"reason"`
		Warnings []string `json:"warnings"`
		Kind     string   `json:"kind"`
		Payload  string   `json:"payload"` // hex
		Ledgers  []string `json:"ledgers"`
		Testnet  bool     `json:"testnet"`
		Tag      string   `json:"tag"`    // left out where the text carries none
		Format   string   `json:"format"` // canonical text, empty if the key holds a digest or the network is not known
		Source   string   `json:"source"`
	} `json:"readings"`
	Refused []struct {
		Text   string `json:"text"`
		Hex    string `json:"hex"` // instead of text, where it is not UTF-8
		Reason string `json:"reason"`
		What   string `json:"what"`
	} `json:"refused"`
	Relations []struct {
		A       string `json:"a"`
		B       string `json:"b"`
		Related bool   `json:"related"`
		Why     string `json:"why"`
	} `json:"relations"`
}

func readVectors(t testing.TB) vectors {
	t.Helper()
	var v vectors
	readJSON(t, "testdata/vectors.json", &v)
	return v
}

func readJSON(t testing.TB, file string, into any) {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	d := json.NewDecoder(bytes.NewReader(content))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}

// text returns the text of a refused vector.
func refusedText(t testing.TB, text, digits string) string {
	t.Helper()
	if digits == "" {
		return text
	}
	b, err := hex.DecodeString(digits)
	if err != nil || text != "" {
		t.Fatalf("vector %q, hex %q: want one of them", text, digits)
	}
	return string(b)
}

func TestVectorReadings(t *testing.T) {
	kinds, warnings := map[string]bool{}, map[string]bool{}
	var p Parsed
	all := readVectors(t).Readings
	stated := map[string]int{} // a text of several readings has one vector for each
	for _, v := range all {
		stated[v.Text]++
	}
	for _, v := range all {
		kinds[v.Kind] = true
		for _, w := range v.Warnings {
			warnings[w] = true
		}
		Parse(v.Text, &p)
		if got := p.Reason.String(); got != v.Reason {
			t.Errorf("%+q: reason %s, want %s", v.Text, got, v.Reason)
		}
		if got, want := slices.Sorted(slices.Values(p.Warnings.Names())), slices.Sorted(slices.Values(v.Warnings)); !slices.Equal(got, want) {
			t.Errorf("%+q: warnings %q, want %q", v.Text, got, want)
		}
		if len(p.Readings()) != stated[v.Text] {
			t.Errorf("%+q: %d readings, want %d", v.Text, len(p.Readings()), stated[v.Text])
			continue
		}
		at := slices.IndexFunc(p.Readings(), func(r Reading) bool { return r.Key.String() == v.Kind+":"+v.Payload })
		if at < 0 {
			t.Errorf("%+q: key %s, want %s:%s", v.Text, p.Readings()[0].Key, v.Kind, v.Payload)
			continue
		}
		r := &p.Readings()[at]
		if r.Tag != v.Tag {
			t.Errorf("%+q: tag %q, want %q", v.Text, r.Tag, v.Tag)
		}
		if got := r.Ledgers.Names(); !slices.Equal(got, v.Ledgers) {
			t.Errorf("%+q: ledgers %q, want %q", v.Text, got, v.Ledgers)
		}
		if r.Testnet != v.Testnet {
			t.Errorf("%+q: testnet %t, want %t", v.Text, r.Testnet, v.Testnet)
		}
		if got := r.Format(); got != v.Format {
			t.Errorf("%+q: formatted as %q, want %q", v.Text, got, v.Format)
		}
	}
	for k := KindNone + 1; k < KindCount; k++ {
		if !kinds[k.String()] {
			t.Errorf("no vector of kind %s", k)
		}
	}
	for i := range WarningCount {
		if w := Warnings(1 << i); !warnings[w.String()] {
			t.Errorf("no vector with warning %s", w)
		}
	}
}

func TestVectorRefused(t *testing.T) {
	reasons := map[string]bool{}
	var p Parsed
	for i, v := range readVectors(t).Refused {
		reasons[v.Reason] = true
		text := refusedText(t, v.Text, v.Hex)
		Parse(text, &p)
		if got := p.Reason.String(); got != v.Reason || len(p.Readings()) != 0 {
			t.Errorf("vector %d, %s: %+q: reason %s with %d readings, want %s with none", i, v.What, text, got, len(p.Readings()), v.Reason)
		}
	}
	for r := ReasonNone + 1; r < ReasonCount; r++ {
		if !reasons[r.String()] {
			t.Errorf("no vector with reason %s", r)
		}
	}
}

func TestVectorRelations(t *testing.T) {
	for _, v := range readVectors(t).Relations {
		if a, b := onlyReading(t, v.A), onlyReading(t, v.B); a.Key == b.Key && a.Ledgers&b.Ledgers != 0 {
			t.Errorf("%s and %s are one account; want only a relation, or none: %s", v.A, v.B, v.Why)
		} else if got := related(&a, &b); got != v.Related {
			t.Errorf("%s and %s related: %t, want %t: %s", v.A, v.B, got, v.Related, v.Why)
		}
	}
}

// cleanReading returns the reading that a text has under a key.
func cleanReading(t testing.TB, text string, key Key) Reading {
	t.Helper()
	var p Parsed
	Parse(text, &p)
	at := slices.IndexFunc(p.Readings(), func(r Reading) bool { return r.Key == key })
	if p.Reason != ReasonNone || at < 0 {
		t.Fatalf("%+q: reason %s with %d readings, want none with one under %s", text, p.Reason, len(p.Readings()), key)
	}
	return p.Readings()[at]
}

func onlyReading(t testing.TB, text string) Reading {
	t.Helper()
	var p Parsed
	Parse(text, &p)
	if p.Reason != ReasonNone || len(p.Readings()) != 1 {
		t.Fatalf("%+q: reason %s with %d readings, want none with 1", text, p.Reason, len(p.Readings()))
	}
	return p.Readings()[0]
}

func related(a, b *Reading) bool {
	if a.Key == b.Key {
		return true
	}
	for _, h := range a.AppendHashes(nil) {
		if slices.Contains(b.AppendHashes(nil), h) {
			return true
		}
	}
	return false
}

// TestSharedVectors runs the maintainers' vectors for all chains. Those of the
// families read now must come out as they say; of all others it asserts that
// none is taken for a clean address.
func TestSharedVectors(t *testing.T) {
	const file = "../../../shared/vectors/addresses.json"
	if _, err := os.Stat(file); err != nil {
		t.Skip("the vectors of the reference material are absent: equivalent_groups, must_not_match, invalid, valid_decode, not_addresses and noisy_input are not run")
	}
	type query struct {
		Listed, Query, Why, Expect, Source string
	}
	var all struct {
		Meta   json.RawMessage
		Groups []struct {
			ID, Chain, Certainty, Source string
			ListedAs                     string `json:"listed_as"`
			Account                      struct{ Kind, Hex string }
			Members                      []struct{ Text, Form, Expect, Tier, Note, Source string }
		} `json:"equivalent_groups"`
		MustNotMatch []query `json:"must_not_match"`
		Invalid      []struct {
			Text, Reason, Expect, Source string
			ChainHint                    string `json:"chain_hint"`
		}
		ValidDecode   []struct{ Text, Chain, Kind, Hex, Source string }             `json:"valid_decode"`
		ExactTextOnly []query                                                       `json:"exact_text_only"`
		NotAddresses  []struct{ Text, What, Expect, Source string }                 `json:"not_addresses"`
		NoisyInput    []struct{ Text, Listed, Noise, Chain, Expect, Source string } `json:"noisy_input"`
	}
	readJSON(t, file, &all)

	parse := func(text string) *Parsed {
		p := new(Parsed)
		Parse(text, p)
		return p
	}
	// verdict answers as a screener would with listed alone on its list.
	verdict := func(listed, text string) string {
		l, q := parse(listed), parse(text)
		for i := range l.Readings() {
			for j := range q.Readings() {
				a, b := &l.Readings()[i], &q.Readings()[j]
				switch {
				case a.Key == b.Key && a.Ledgers&b.Ledgers != 0 && a.Testnet == b.Testnet:
					return "LISTED"
				case a.Key == b.Key, related(a, b):
					return "RELATED"
				}
			}
		}
		if q.Reason == ReasonNone {
			return "NOT_LISTED"
		}
		return "CANNOT_SCREEN"
	}
	allows := map[string][]string{
		"LISTED":                  {"LISTED"},
		"RELATED":                 {"RELATED"},
		"LISTED_OR_RELATED":       {"LISTED", "RELATED"},
		"NOT_LISTED":              {"NOT_LISTED"},
		"NOT_LISTED_OR_RELATED":   {"NOT_LISTED", "RELATED", "CANNOT_SCREEN"},
		"CANNOT_SCREEN":           {"CANNOT_SCREEN"},
		"CANNOT_SCREEN_OR_LISTED": {"CANNOT_SCREEN", "LISTED"},
		"LISTED_OR_CANNOT_SCREEN": {"CANNOT_SCREEN", "LISTED"},
		"CANNOT_SCREEN unless listed as account id": {"CANNOT_SCREEN"},
	}
	checked := 0
	check := func(what, listed, text, expect string) {
		t.Helper()
		want, known := allows[expect]
		if !known {
			t.Fatalf("%s: unknown expectation %q", what, expect)
		}
		got := verdict(listed, text)
		// What neither side can be read as yet may only be refused.
		if got == "CANNOT_SCREEN" && (notReadYet(parse(listed)) || notReadYet(parse(text))) {
			return
		}
		// A listed text of a family to come cannot be met by one that is read.
		if got == "NOT_LISTED" && notReadYet(parse(listed)) {
			return
		}
		checked++
		if !slices.Contains(want, got) {
			t.Errorf("%s: %+q with %q listed: %s, want %s", what, text, listed, got, expect)
		}
	}
	for _, g := range all.Groups {
		for _, m := range g.Members {
			if slices.Contains([]string{"core", "extended", "uri", "exotic"}, m.Tier) {
				check(g.ID+" "+m.Form, g.ListedAs, m.Text, m.Expect)
			} else {
				t.Errorf("%s: unknown tier %q", g.ID, m.Tier)
			}
		}
	}
	for _, m := range all.MustNotMatch {
		check(m.Why, m.Listed, m.Query, m.Expect)
	}
	for _, n := range all.NoisyInput {
		check(n.Noise, n.Listed, n.Text, n.Expect)
	}
	for _, e := range all.ExactTextOnly {
		if p := parse(e.Query); p.Reason != ReasonChecksum {
			t.Errorf("%s: reason %s, want checksum", e.Why, p.Reason)
		}
	}
	for _, e := range all.Invalid {
		check(e.Reason, "", e.Text, e.Expect)
		if p := parse(e.Text); p.Reason == ReasonNone {
			t.Errorf("%s: %q parses", e.Reason, e.Text)
		}
	}
	for _, e := range all.NotAddresses {
		check(e.What, "", e.Text, e.Expect)
		if p := parse(e.Text); p.Reason == ReasonNone {
			t.Errorf("%s: %q parses", e.What, e.Text)
		}
	}
	for _, e := range all.ValidDecode {
		p := parse(e.Text)
		if p.Reason != ReasonNone {
			continue
		}
		checked++
		payload := hex.EncodeToString(p.Readings()[0].Payload())
		script, err := hex.DecodeString(e.Hex)
		if err != nil {
			t.Fatalf("%s: %v", e.Text, err)
		}
		var want string
		switch kind := p.Readings()[0].Kind(); kind {
		case KindWPKH, KindWSH, KindTR:
			want = hex.EncodeToString(script[2:])
		case KindTron:
			want = hex.EncodeToString(script[1:])
		case KindP2PKH:
			want = e.Hex
		case KindWitness: // the key holds a digest
			want = payload
		default:
			t.Errorf("%s: kind %s", e.Text, kind)
		}
		if payload != want {
			t.Errorf("%s: payload %s, want %s", e.Text, payload, want)
		}
	}
	if checked < 132 {
		t.Errorf("only %s vectors were of families that are read", strconv.Itoa(checked))
	}
}

// notReadYet reports whether p was refused as of a family or a form, such as a
// URI, that this package does not read.
func notReadYet(p *Parsed) bool {
	switch p.Reason {
	case ReasonUnsupportedNetwork, ReasonUnrecognized, ReasonNameNeedsResolution, ReasonAmbiguous32Byte, ReasonMalformed:
		return len(p.Readings()) == 0
	}
	return false
}
