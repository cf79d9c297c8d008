package opensanctions

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"walletscreen/loader/parsertest"
	"walletscreen/screen"
)

func fixture(t testing.TB) string {
	t.Helper()
	b, err := os.ReadFile("testdata/entities.ftm.json")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func evm(digit string) string { return "0x" + strings.Repeat(digit, 40) }

// wantFixture is what the fixture says.
func wantFixture() *screen.Publication {
	const (
		btc  = "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"
		xrp  = "rEb8TK3gBgk5auZkwc6sHnwrGVJH8DuaLh"
		page = "https://www.opensanctions.org/entities/"
	)
	w1, w2 := []string{"xx-w1"}, []string{"xx-w2"}
	pooled := screen.PublishedAddress{Text: xrp, Tag: "102334770", Comment: "exchange: Example Exchange", SourceIDs: w2}
	return &screen.Publication{
		PublishedOn: 20261120,
		Records:     15,
		Parties: []screen.PublishedParty{
			{
				UID:   "NK-before",
				Facts: screen.Facts{Name: "Before Ltd.", Type: screen.PartyEntity, Programs: []string{"xx_list", "yy_list", "zz_orders", "XX-CYBER", "XX-OLD"}, URL: page + "NK-before/"},
				Addresses: []screen.PublishedAddress{
					{Text: evm("1"), Symbol: "ETH", Comment: "topics: sanction", SourceIDs: w1},
					{Text: evm("1"), Symbol: "USDT", Comment: "topics: sanction", SourceIDs: w1},
					{Text: btc, Symbol: "ETH", Comment: "topics: sanction", SourceIDs: w1},
					{Text: btc, Symbol: "USDT", Comment: "topics: sanction", SourceIDs: w1},
					pooled,
				},
			},
			{
				UID:   "NK-behind",
				Facts: screen.Facts{Name: "Behind, Person", Type: screen.PartyIndividual, Programs: []string{"zz_orders"}, URL: page + "NK-behind/"},
				Addresses: []screen.PublishedAddress{
					pooled,
					{Text: evm("6"), SourceIDs: []string{"xx-ended"}, DelistedOn: 20240301},
					{Text: evm("7"), SourceIDs: []string{"xx-open"}},
				},
			},
			{
				UID:       "xx-w3",
				Facts:     screen.Facts{Name: "MadeUpLocker", Programs: []string{"madeup_ransoms"}, URL: page + "xx-w3/"},
				Addresses: []screen.PublishedAddress{{Text: evm("2"), Symbol: "XMR", Comment: "topics: crime.theft", SourceIDs: []string{"xx-w3"}}},
			},
			{
				UID:   "Somebody, as a text",
				Facts: screen.Facts{Programs: []string{"zz_orders"}},
				Addresses: []screen.PublishedAddress{
					{Text: "a made up name", SourceIDs: []string{"xx-w4"}},
					{Text: btc[:33] + "b", SourceIDs: []string{"xx-w4"}},
				},
			},
		},
		Unexpected: map[string]int{
			noAddress: 3, noHolder: 1, noKey: 1, noDate: 1,
			"property CryptoWallet:walletAddress": 1,
			"other property of CryptoWallet":      1,
		},
	}
}

func TestParse(t *testing.T) {
	doc := fixture(t)
	var lines []string
	for line := range strings.Lines(doc) {
		if strings.TrimSpace(line) != "" {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	for name, in := range map[string]string{
		"as it is":        doc,
		"byte order mark": "\ufeff" + doc,
		"CRLF":            strings.ReplaceAll(doc, "\n", "\r\n"),
		"array":           " \n[" + strings.Join(lines, ",\n") + "]\n",
		"one line":        strings.Join(lines, ""),
	} {
		got, err := Parse(iotest.HalfReader(strings.NewReader(in)))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if diff := cmp.Diff(wantFixture(), got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	for what := range wantFixture().Unexpected {
		if strings.Contains(what, "0x") {
			t.Errorf("%q tells an address", what)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	const wallet = `{"id":"w","schema":"CryptoWallet","properties":{"publicKey":["x"],"holder":["h"]},"datasets":["d"]}`
	const holder = `{"id":"h","schema":"Person","caption":"H","properties":{},"datasets":["d"]}`
	for _, test := range []struct{ name, in, want string }{
		{"nothing", "", "the document has no entity"},
		{"blank", " \n", "the document has no entity"},
		{"empty array", "[]", "the document has no entity"},
		{"HTML", "<!DOCTYPE html><html></html>", "entity 1: invalid character '<'"},
		{"error", `{"detail": "Not Found"}`, "entity 1: no id or no schema"},
		{"no schema", `{"id": "x"}`, "entity 1: no id or no schema"},
		{"null", holder + "\nnull", "entity 2: no id or no schema"},
		{"number", "1", "entity 1: json: cannot unmarshal number"},
		{"cut short", holder + "\n" + wallet[:40], "entity 2: unexpected EOF: the document is cut short"},
		{"open array", "[" + holder, "after entity 1: unexpected EOF: the document is cut short"},
		{"array cut in an entity", "[" + holder + "," + wallet[:40], "entity 2: unexpected EOF: the document is cut short"},
		{"array cut behind a comma", "[" + holder + ",", "cut short"},
		{"two arrays", "[" + holder + "]\n[" + wallet + "]", "something follows the array"},
		{"bracket", holder + "]", "entity 2: invalid character ']'"},
		{"nested", strings.Replace(wallet, `["h"]`, `[`+holder+`]`, 1), "want entities.ftm.json"},
		{"number for a word", strings.Replace(wallet, `["x"]`, `[1]`, 1), `entity 1: CryptoWallet "w": json: cannot unmarshal number`},
		{"wallet twice", wallet + wallet, `entity 2: CryptoWallet "w": a second one of this id`},
		{"holder twice", holder + wallet + holder, `a second entity with the id "h"`},
		{"sanction", `{"id":"s","schema":"Sanction","properties":{"entity":"w"}}`, `entity 1: Sanction "s": json: cannot unmarshal string`},
	} {
		pub, err := Parse(strings.NewReader(test.in))
		if err == nil || !strings.HasPrefix(err.Error(), "opensanctions: ") || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %+v, %v; want an error with %q", test.name, pub, err, test.want)
		}
	}
	// A key that is nothing makes no party.
	if pub, err := Parse(strings.NewReader(strings.Replace(wallet, `"x"`, `"-"`, 1))); err != nil || len(pub.Parties) != 0 || pub.Unexpected[noAddress] != 1 {
		t.Errorf("a key without text: %+v, %v", pub, err)
	}
	if _, err := Parse(iotest.ErrReader(errors.New("broken line"))); err == nil || !strings.Contains(err.Error(), "broken line") {
		t.Errorf("a reader that fails: %v", err)
	}
}

// repeated hands out head and then body without end.
type repeated struct {
	head, body string
	read       int
}

func (r *repeated) Read(b []byte) (int, error) {
	if r.read > 1<<30 {
		return 0, errors.New("read without an end")
	}
	from := r.head
	if from == "" {
		from = r.body
	}
	n := copy(b, from)
	if r.head != "" {
		r.head = r.head[n:]
	}
	r.read += n
	return n, nil
}

// TestBounds reads documents of which too much would have to be kept.
func TestBounds(t *testing.T) {
	if parsertest.UnderRace {
		t.Skip("not run with -race: many megabytes, and one goroutine")
	}
	entities := func(form string, n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, form+"\n", i, strings.Repeat("x", 4000))
		}
		return b.String()
	}
	words := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `%s"%d"`, map[bool]string{true: ","}[i > 0], i)
		}
		return b.String()
	}
	const keep = 4 << 20
	for name, in := range map[string]string{
		"wallets":   entities(`{"id":"w%d","schema":"CryptoWallet","properties":{"publicKey":["%s"]}}`, 1200),
		"sanctions": entities(`{"id":"s%d","schema":"Sanction","properties":{"entity":["%s"]}}`, 1200),
		"holders":   entities(`{"id":"h%d%s","schema":"Person"}`, 1200),
		"rows":      `{"id":"w","schema":"CryptoWallet","properties":{"publicKey":[` + words(200) + `],"currency":[` + words(200) + `]}}`,
		"parties":   `{"id":"w","schema":"CryptoWallet","properties":{"publicKey":[` + words(200) + `],"holder":[` + words(200) + `]}}`,
	} {
		_, err := parse(strings.NewReader(in), keep)
		if err == nil || !strings.Contains(err.Error(), "more than 4194304 bytes would have to be kept") {
			t.Errorf("%s: %v, want an error about what is to be kept", name, err)
		}
	}
	// Names of holders are cut off, and of other entities nothing is kept.
	for name, in := range map[string]string{
		"names": entities(`{"id":"h%d","schema":"Person","caption":"%s"}`, 1200),
		"other": entities(`{"id":"a%d","schema":"Address","properties":{"full":["%s"]}}`, 1200),
	} {
		if _, err := parse(strings.NewReader(in), keep); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, r := range map[string]*repeated{
		"string":      {head: `{"id":"`, body: strings.Repeat("a", 1<<16)},
		"array":       {head: `[{"id":[`, body: strings.Repeat("1,", 1<<15)},
		"white space": {head: `{"id":`, body: strings.Repeat(" \n", 1<<15)},
	} {
		_, err := Parse(r)
		if err == nil || !strings.Contains(err.Error(), "more than 8388608 bytes") || r.read > 16<<20 {
			t.Errorf("%s: %v after %d bytes, want an error about the size at once", name, err, r.read)
		}
	}
}

func TestRecords(t *testing.T) {
	var r records
	var want, got [][]string
	for i := range 50_000 {
		words := []string{fmt.Sprint("id", i), "", strings.Repeat("n", i%300)}[:1+i%3]
		if i == 777 {
			words = []string{strings.Repeat("large", blockSize)}
		}
		want = append(want, words)
		r.add(words)
	}
	for one := range r.all() {
		var words []string
		for !one.end() {
			words = append(words, string(one.next()))
		}
		got = append(got, words)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%d records, want %d, or other words", len(got), len(want))
	}
	if len(r.blocks) < 3 || r.size < 10*blockSize/2 {
		t.Errorf("%d blocks of %d bytes", len(r.blocks), r.size)
	}
	n := 0
	for one := range r.all() { // records that are not read to their end
		one.next()
		n++
	}
	if n != len(want) {
		t.Errorf("%d records, want %d", n, len(want))
	}
}

func TestLastDay(t *testing.T) {
	for text, want := range map[string]string{
		"2024-02-29": "2024-02-29", "2024-02": "2024-02-29", "2024": "2024-12-31", "2024-12": "2024-12-31",
		"2024-02-29T12:13:14": "2024-02-29", "2024-02-29 12:13:14": "2024-02-29",
		"": "", "2024-02-30": "", "24": "", "2024-02-291": "", "yesterday": "", "9999": "", "0001-01-01": "",
	} {
		got := ""
		if day, ok := lastDay(text); ok {
			got = day.Format("2006-01-02")
		}
		if got != want {
			t.Errorf("lastDay(%q) = %q, want %q", text, got, want)
		}
	}
}

// FuzzParse checks that what is accepted keeps the promises of a publication,
// and is accepted the same when it comes in pieces.
func FuzzParse(f *testing.F) {
	f.Add([]byte(fixture(f)))
	f.Fuzz(func(t *testing.T, in []byte) {
		pub, err := Parse(bytes.NewReader(in))
		again, err2 := Parse(iotest.OneByteReader(bytes.NewReader(in)))
		if fmt.Sprint(err) != fmt.Sprint(err2) || !reflect.DeepEqual(pub, again) {
			t.Fatalf("whole: %v; in pieces: %v", err, err2)
		}
		if err != nil {
			if pub != nil || len(err.Error()) > 8<<10 {
				t.Fatalf("error of %d bytes, publication %v", len(err.Error()), pub)
			}
			return
		}
		for _, p := range pub.Parties {
			if p.UID == "" {
				t.Fatalf("party %+v", p)
			}
		}
		pub.List, pub.Digest = "opensanctions", screen.Digest{1}
		if pub.PublishedOn == 0 {
			pub.PublishedOn = 20261121
		}
		list := screen.List{ID: pub.List, Kind: screen.KindAdvisory, Authority: "OpenSanctions", Name: "list"}
		s, _, err := screen.Empty().Merge(list, pub)
		if err != nil {
			t.Fatalf("merging: %v", err)
		}
		if _, err := screen.Decode(s.Encoding()); err != nil {
			t.Fatalf("reading back: %v", err)
		}
	})
}
