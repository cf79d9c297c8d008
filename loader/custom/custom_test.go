package custom_test

import (
	"strings"
	"testing"

	"walletscreen/loader/custom"
	"walletscreen/screen"
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
		{"address,party_id,party\n" + one + ",m-1,Mallory\n" + one + ",m-1,Trudy\n", `line 3: party "m-1": column party says "Trudy", an earlier row "Mallory"`},
	} {
		pub, err := custom.Parse(strings.NewReader(test.text))
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q: %+v, %v; want an error with %q", test.text, pub, err, test.want)
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
