package custom_test

import (
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"walletscreen/loader/custom"
	"walletscreen/screen"
	"walletscreen/screen/address"
)

const one = "0x1111111111111111111111111111111111111111"

func TestParse(t *testing.T) {
	pub, err := custom.Parse(strings.NewReader("party , address,symbol,party_id,party_type,programs,listed_on,delisted_on,tag,url\r\n" +
		"Mallory," + one + ",ETH,m-1,Individual, FRAUD ;ATO;,2026-01-31,2026-02-28,7,https://intranet.example/1\r\n" +
		"\"Trudy, \"\"T\"\"\", some text ,,,,,,,,\r\n" +
		",rEb8TK3gBgk5auZkwc6sHnwrGVJH8DuaLh,XRP,m-1,,FRAUD;AML,,,,\r\n"))
	if err != nil {
		t.Fatal(err)
	}
	if len(pub.Parties) != 2 || pub.Records != 3 {
		t.Fatalf("%d parties in %d records, want 2 in 3", len(pub.Parties), pub.Records)
	}
	m, trudy := pub.Parties[0], pub.Parties[1]
	if m.UID != "m-1" || m.Facts.Name != "Mallory" || m.Facts.Type != screen.PartyIndividual || m.Facts.URL != "https://intranet.example/1" ||
		strings.Join(m.Facts.Programs, "|") != "FRAUD|ATO|AML" || len(m.Addresses) != 2 {
		t.Errorf("Mallory: %+v", m)
	}
	if a := m.Addresses[0]; a.Text != one || a.Symbol != "ETH" || a.Tag != "7" || a.ListedOn.String() != "2026-01-31" || a.DelistedOn.String() != "2026-02-28" {
		t.Errorf("the first row: %+v", a)
	}
	if trudy.UID != `Trudy, "T"` || trudy.Facts.Name != `Trudy, "T"` || len(trudy.Addresses) != 1 || trudy.Addresses[0].Text != "some text" {
		t.Errorf("Trudy: %+v", trudy)
	}
}

// TestParseByteOrderMark reads what spreadsheets write as "CSV UTF-8".
func TestParseByteOrderMark(t *testing.T) {
	for _, text := range []string{"\ufeffaddress,party\r\n" + one + ",Mallory\r\n", "\ufeff\"address\",\"party\"\r\n\"" + one + "\",\"Mallory\"\r\n"} {
		pub, err := custom.Parse(strings.NewReader(text))
		if err != nil {
			t.Errorf("%q: %v", text, err)
		} else if len(pub.Parties) != 1 || pub.Parties[0].Addresses[0].Text != one {
			t.Errorf("%q: %+v", text, pub)
		}
	}
}

// TestParseRefuses reads what is no list. The errors say where.
func TestParseRefuses(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{"", "the file is empty"},
		{"wallet\n" + one + "\n", `line 1: unknown column "wallet"`},
		{"Address\n" + one + "\n", `line 1: unknown column "Address"`},
		{"address;party\n" + one + ";Mallory\n", "columns are parted by commas"},
		{"party\nMallory\n", "line 1: no column address"},
		{"address,address\n", `line 1: column "address" twice`},
		{"address,\ufeffparty\n", "unknown column"},
		{"address,party\n,Mallory\n", "line 2: column address is empty"},
		{"address,party\n" + one + ",a\n   ,b\n", "line 3: column address is empty"},
		{"address,party\n" + one + "\n", "record on line 2: wrong number of fields"},
		{"address,party\n\"" + one + ",a\n", "line 2"},
		{"address,party\n\n\n" + one + ",a\n,b\n", "line 5: column address is empty"},
		{"address\n\xff\n", "line 2: column address: not valid UTF-8"},
		{"address\n" + strings.Repeat("a", 4097) + "\n", "line 2: column address: not valid UTF-8 of at most 4096 bytes"},
		{"address,listed_on\n" + one + ",2026-02-30\n", `line 2: column listed_on: date "2026-02-30"`},
		{"address,delisted_on\n" + one + ",28.2.2026\n", `line 2: column delisted_on: date "28.2.2026"`},
		{"address,listed_on,delisted_on\n" + one + ",2026-02-01,2026-02-01\n", "line 2: delisted_on 2026-02-01 is not after listed_on 2026-02-01"},
		{"address,party_type\n" + one + ",person\n", "line 2: column party_type"},
		{"address,kind\n" + one + ",advisory\n" + one + ",sanction\n", `line 3: column kind: unknown list kind "sanction", want internal`},
		{"address,party_id,party\n" + one + ",m-1,Mallory\n" + one + ",m-1,Trudy\n", `line 3: party "m-1": column party says "Trudy", an earlier row "Mallory"`},
	} {
		pub, err := custom.Parse(strings.NewReader(test.text))
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q: %+v, %v; want an error with %q", test.text, pub, err, test.want)
		}
	}
}

// TestParseJSON reads the same list in both formats.
func TestParseJSON(t *testing.T) {
	table, err := custom.Parse(strings.NewReader("address,symbol,party,party_id,party_type,programs,kind,listed_on,delisted_on,tag,url\n" +
		one + ",ETH,Mallory,m-1,individual,FRAUD;ATO,,2026-01-31,2026-02-28,7,https://intranet.example/1\n" +
		"some text,,Mallory,m-1,,AML,seizure-order,,,,\n" +
		"other text,,,,,,internal,,,,\n" +
		"\"Zoë, \"\"T\"\"\",,,,,,Advisory,,,,\n"))
	if err != nil {
		t.Fatal(err)
	}
	const objects = "\ufeff\r\n [" + `
		{"address": " ` + one + `", "symbol": "ETH", "party": "Mallory", "party_id": "m-1", "party_type": "Individual",
		 "programs": ["FRAUD", " ATO ", ""], "listed_on": "2026-01-31", "delisted_on": "2026-02-28", "tag": "7", "url": "https://intranet.example/1"},
		{"kind": "seizure-order", "address": "some text", "party_id": "m-1", "programs": ["AML"]},
		{"address": "other text", "kind": "internal", "programs": [], "party": ""},
		{"address": "Zo\u00eb, \"T\"", "kind": "advisory"}
	]` + "\n"
	for name, r := range map[string]io.Reader{
		"whole":     strings.NewReader(objects),
		"in pieces": iotest.OneByteReader(strings.NewReader(objects)),
	} {
		pub, err := custom.Parse(r)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if diff := cmp.Diff(table, pub); diff != "" {
			t.Errorf("%s: CSV (-) and JSON (+) differ:\n%s", name, diff)
		}
	}
	kinds := []screen.Kind{table.Parties[0].Addresses[0].Kind, table.Parties[0].Addresses[1].Kind, table.Parties[1].Addresses[0].Kind, table.Parties[1].Addresses[1].Kind}
	if want := []screen.Kind{0, screen.KindSeizureOrder, 0, screen.KindAdvisory}; !slices.Equal(kinds, want) {
		t.Errorf("kinds %v, want %v", kinds, want)
	}
}

// TestParseJSONRefuses reads what is no list in JSON. The errors say where.
func TestParseJSONRefuses(t *testing.T) {
	const entry = `{"address": "` + one + `"}`
	for _, test := range []struct{ text, want string }{
		{`{"addresses": [` + entry + `]}`, "the JSON begins an object, want an array of objects"},
		{`[`, "the file is cut short"},
		{`[` + entry, "after entry 1: unexpected EOF: the file is cut short"},
		{`[` + entry + `,`, "the file is cut short"},
		{`[` + entry + `,` + "\n" + `{"address": "` + one, "entry 2 (line 2): key address: unexpected EOF: the file is cut short"},
		{`[` + entry + `,]`, "invalid character ']'"},
		{`[` + entry + ` ` + entry + `]`, "after array element"},
		{`[` + entry + "]\n" + entry, "line 2: something follows the array"},
		{`[` + entry + "]\n]", "something follows the array"},
		{"[\n\n" + entry + ",\n\n  \"" + one + "\"]", "entry 2 (line 5): a string, want an object"},
		{`[[]]`, "entry 1 (line 1): an array, want an object"},
		{`[null]`, "entry 1 (line 1): a null, want an object"},
		{`[{}]`, "entry 1 (line 1): key address is empty"},
		{`[{"address": "  "}]`, "entry 1 (line 1): key address is empty"},
		{`[{"address": 1}]`, "entry 1 (line 1): key address: a number, want a string"},
		{`[` + entry + ",\n" + `{"address": "` + one + `", "tag": 7}]`, "entry 2 (line 2): key tag: a number, want a string"},
		{`[{"address": null}]`, "key address: a null, want a string"},
		{`[{"address": true}]`, "key address: a boolean, want a string"},
		{`[{"address": {"text": "x"}}]`, "key address: an object, want a string"},
		{`[{"address": ["x"]}]`, "key address: an array, want a string"},
		{`[{"address": "\ud800"}]`, "key address: not valid Unicode"},
		{"[{\"address\": \"\xff\"}]", "key address: not valid Unicode"},
		{`[{"address": "x", "Symbol": "ETH"}]`, `entry 1 (line 1): unknown key "Symbol", want some of address, symbol`},
		{`[{"address": "x", "symbol": "ETH", "symbol": "BTC"}]`, "entry 1 (line 1): key symbol twice"},
		{`[{"address": "x", "programs": [], "programs": []}]`, "key programs twice"},
		{`[{"address": "x", "programs": "A;B"}]`, "key programs: a string, want an array of strings"},
		{`[{"address": "x", "programs": ["A", 1]}]`, "key programs: a number, want a string"},
		{`[{"address": "x", "programs": [["A"]]}]`, "key programs: an array, want a string"},
		{`[{"address": "x", "programs": ["A"}]`, "entry 1 (line 1): key programs: invalid character '}'"},
		{`[{"address": "x", "kind": "person"}]`, `key kind: unknown list kind "person"`},
		{`[{"address": "x", "kind": "unspecified"}]`, `key kind: unknown list kind "unspecified"`},
		{`[{"address": "x", "listed_on": "31.1.2026"}]`, `key listed_on: date "31.1.2026"`},
		{`[{"address": "x", "party_id": "m", "url": "a"}, {"address": "x", "party_id": "m", "url": "b"}]`, `entry 2 (line 1): party "m": key url says "b", an earlier row "a"`},
		{`[{"address": "` + strings.Repeat("a", 4097) + `"}]`, "key address: not valid UTF-8 of at most 4096 bytes"},
		{`[{"address": "x", "programs": [` + strings.Repeat(`"`+strings.Repeat("p", 1000)+`",`, 4) + `"` + strings.Repeat("p", 97) + `"]}]`, "key programs: more than 4096 bytes"},
	} {
		pub, err := custom.Parse(strings.NewReader(test.text))
		if err == nil || !strings.HasPrefix(err.Error(), "custom list: ") || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%.200q: %+v, %v; want an error with %q", test.text, pub, err, test.want)
		}
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

// TestParseJSONBounds reads documents without an end, which must not be read far.
func TestParseJSONBounds(t *testing.T) {
	for name, r := range map[string]*repeated{
		"string":      {head: `[{"address": "`, body: strings.Repeat("a", 1<<16)},
		"key":         {head: `[{"`, body: strings.Repeat("a", 1<<16)},
		"white space": {head: `[`, body: strings.Repeat(" \n", 1<<15)},
		"programs":    {head: `[{"programs": [""`, body: strings.Repeat(`,""`, 1<<14)},
		"number":      {head: `[{"address": 1`, body: strings.Repeat("1", 1<<16)},
	} {
		_, err := custom.Parse(r)
		if err == nil || !strings.Contains(err.Error(), "more than 1048576 bytes") || r.read > 2<<20 {
			t.Errorf("%s: %v after %d bytes, want an error about the size at once", name, err, r.read)
		}
	}
}

// TestPage reads the examples of the page about custom lists.
func TestPage(t *testing.T) {
	page, err := os.ReadFile("../../docs/custom-lists.md")
	if err != nil {
		t.Fatal(err)
	}
	examples := 0
	for i, block := range strings.Split(string(page), "```") {
		language, text, _ := strings.Cut(block, "\n")
		if i%2 == 0 || language == "sh" {
			continue
		}
		examples++
		pub, err := custom.Parse(strings.NewReader(text))
		if err != nil {
			t.Errorf("%s\n%v", text, err)
			continue
		}
		for _, p := range pub.Parties {
			for _, a := range p.Addresses {
				var parsed address.Parsed
				if address.Parse(a.Text, &parsed); parsed.Reason != address.ReasonNone {
					t.Errorf("%s: %s", a.Text, parsed.Reason)
				}
			}
		}
	}
	if examples != 3 {
		t.Errorf("%d examples of lists, want 3", examples)
	}
	for _, line := range strings.Split(string(page), "\n") {
		if name, _, ok := strings.Cut(strings.TrimPrefix(line, "| `"), "` |"); ok && strings.HasPrefix(line, "| `") {
			if _, err := custom.Parse(strings.NewReader("address," + name + "\n")); err != nil && name != "address" {
				t.Errorf("the page has a row for %s: %v", name, err)
			}
		}
	}
}

// FuzzParse reads anything: what is accepted can be merged into a snapshot, and
// the snapshot read back.
func FuzzParse(f *testing.F) {
	f.Fuzz(func(t *testing.T, text string) {
		pub, err := custom.Parse(strings.NewReader(text))
		if err != nil || len(pub.Parties) == 0 {
			return
		}
		rows := 0
		for i := range pub.Parties {
			rows += len(pub.Parties[i].Addresses)
		}
		if rows != pub.Records {
			t.Fatalf("%d rows of %d records", rows, pub.Records)
		}
		pub.List, pub.PublishedOn, pub.Digest = "house", 20261121, screen.Digest{1}
		s, _, err := screen.Empty().Merge(screen.List{ID: "house", Kind: screen.KindInternal, Authority: "operator", Name: "house"}, pub)
		if err != nil {
			t.Fatalf("merging: %v", err)
		}
		if _, err := screen.Decode(s.Encoding()); err != nil {
			t.Fatalf("reading back: %v", err)
		}
	})
}
