package ofac

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"walletscreen/loader/parsertest"
	"walletscreen/screen"
)

func parseCSVFixture(t testing.TB) *screen.Publication {
	t.Helper()
	pub, err := ParseCSV(strings.NewReader(fixture(t, "sdn.csv")), strings.NewReader(fixture(t, "sdn_comments.csv")))
	if err != nil {
		t.Fatal(err)
	}
	return pub
}

// The pair says what SDN.XML says, but for the date, the aliases, the ids and
// blanks around an address.
func TestCSVAgrees(t *testing.T) {
	want := sameInAll(parseFixture(t, "sdn.xml"))
	want.PublishedOn = 0
	for i := range want.Parties {
		p := &want.Parties[i]
		p.Facts.Aliases = nil
		for j := range p.Addresses {
			p.Addresses[j].Text = strings.TrimSpace(p.Addresses[j].Text)
			p.Addresses[j].SourceIDs = nil
		}
	}
	if got := sameInAll(parseCSVFixture(t)); !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%s\nwant\n%s", readable(t, *got), readable(t, *want))
	}
}

func TestGoldenCSV(t *testing.T) {
	got := readable(t, *parseCSVFixture(t))
	parsertest.GoldenText(t, "csv.golden.json", string(got))
}

// The publisher's remark, cut at every byte and continued in the comment, gives
// the same as a whole one.
func TestCSVCutAnywhere(t *testing.T) {
	const items = "Digital Currency Address - XBT 1BitcoinEaterAddressDontSendf59kuE; alt. Digital Currency Address - XBT 1CounterpartyXXXXXXXXXXXXXXXUWLpVr; " +
		"a.k.a. 'x'; Digital Currency Address - ETH 0x000000000000000000000000000000000000dEaD."
	want := []screen.PublishedAddress{
		{Text: "1BitcoinEaterAddressDontSendf59kuE", Symbol: "XBT"},
		{Text: "1CounterpartyXXXXXXXXXXXXXXXUWLpVr", Symbol: "XBT"},
		{Text: "0x000000000000000000000000000000000000dEaD", Symbol: "ETH"},
	}
	for cut := range len(items) {
		remark := strings.Repeat("w", remarkLength-2-cut) + "; " + items[:cut]
		sdn := func() io.Reader { return csvOf("7", remark) }

		pub, err := ParseCSV(sdn(), strings.NewReader("7,\""+items[cut:]+"\"\r\n"))
		if err != nil {
			t.Fatal(err)
		}
		if len(pub.Unexpected) > 0 || len(pub.Parties) != 1 || !reflect.DeepEqual(pub.Parties[0].Addresses, want) {
			t.Fatalf("cut at %d: %+v", cut, pub)
		}

		// Without its comment no part of an address is taken for one.
		pub, err = ParseCSV(sdn(), strings.NewReader("8,\"x.\"\r\n"))
		if err != nil {
			t.Fatal(err)
		}
		if pub.Unexpected[noComment] != 1 || pub.Unexpected[orphanComment] != 1 {
			t.Fatalf("cut at %d, no comment: unexpected %v", cut, pub.Unexpected)
		}
		rows := 0
		for _, p := range pub.Parties {
			for i, a := range p.Addresses {
				rows++
				if !reflect.DeepEqual(a, want[i]) {
					t.Fatalf("cut at %d, no comment: row %+v", cut, a)
				}
			}
		}
		// What is left out is counted, but for what nobody could see the beginning of.
		if lost := strings.Contains(items[:cut], ";") && rows < strings.Count(items[:cut], "Address - "); lost && pub.Unexpected[cutAddress] != 1 {
			t.Fatalf("cut at %d, no comment: %d rows, unexpected %v", cut, rows, pub.Unexpected)
		}
	}
}

// csvOf returns an sdn.csv of one entity.
func csvOf(uid, remark string) io.Reader {
	return strings.NewReader(fmt.Sprintf("%s,\"X\",-0- ,\"CUBA\",-0- ,-0- ,-0- ,-0- ,-0- ,-0- ,-0- ,%q\r\n\x1a", uid, remark))
}

func TestCSVRemarks(t *testing.T) {
	const xbt, eth = "1BitcoinEaterAddressDontSendf59kuE", "0x000000000000000000000000000000000000dEaD"
	xbtRow := screen.PublishedAddress{Text: xbt, Symbol: "XBT"}
	long := strings.Repeat("w", remarkLength)
	tests := []struct {
		name, remark string
		want         []screen.PublishedAddress
		unexpected   map[string]int
	}{
		{"null", "-0- ", nil, nil},
		{"nothing", "a.k.a. 'BNC'.", nil, nil},
		{"one", "Digital Currency Address - XBT " + xbt + ".", []screen.PublishedAddress{xbtRow}, nil},
		{"twice", "Digital Currency Address - XBT " + xbt + "; alt. Digital Currency Address - XBT " + xbt + ".", []screen.PublishedAddress{xbtRow, xbtRow}, nil},
		{"lower case", "digital currency address - XBT " + xbt + ".", []screen.PublishedAddress{xbtRow}, nil},
		{"no symbol", "Digital Currency Address " + xbt + ".", []screen.PublishedAddress{{Text: xbt}}, nil},
		{"no blank behind the semicolon", "DOB 1963;Digital Currency Address - XBT " + xbt + ";Gender Male.", []screen.PublishedAddress{xbtRow}, nil},
		{"misprint", "Digital Currency Address - XMR 45ezvPejl.", []screen.PublishedAddress{{Text: "45ezvPejl", Symbol: "XMR"}}, nil},
		{"two in an item", "Digital Currency Address - XBT " + xbt + ", Digital Currency Address - ETH " + eth + ".",
			[]screen.PublishedAddress{{Text: xbt, Symbol: "XBT"}, {Text: eth, Symbol: "ETH"}}, map[string]int{oddItem: 1}},
		{"misprint with a blank", "Digital Currency Address - XMR 45ez vPejl.", []screen.PublishedAddress{{Text: "45ez vPejl", Symbol: "XMR"}}, map[string]int{oddItem: 1}},
		{"prose", "Wallets in digital currency: XBT " + xbt + ".", []screen.PublishedAddress{xbtRow}, map[string]int{oddItem: 1}},
		{"misspelt label", "alt. Digital Curency Address - XBT " + xbt + ".", []screen.PublishedAddress{xbtRow}, map[string]int{oddItem: 1}},
		{"no label", "DOB 1963; " + xbt + "; Gender Male.", []screen.PublishedAddress{{Text: xbt}}, map[string]int{oddItem: 1}},
		{"decoys", "Website https://example.test; Registration Number 1027700132195 (Russia); IMO 1234567; Tax ID No. 7707083893; Email Address 0x@x.test.", nil, nil},
		{"prose without address", "Trades in digital currency.", nil, map[string]int{oddItem: 1}},
		{"label alone", "Digital Currency Address - XBT; DOB 1963.", nil, map[string]int{oddItem: 1}},
		{"no full stop", "Digital Currency Address - XBT " + xbt, []screen.PublishedAddress{xbtRow}, map[string]int{openRemark: 1}},
		{"no full stop, no checksum", "DOB 1963; Digital Currency Address - ETH " + strings.ToLower(eth), nil, map[string]int{openRemark: 1, cutAddress: 1}},
		{"broken off", "Digital Currency Address - XBT " + xbt[:20], nil, map[string]int{openRemark: 1, cutAddress: 1}},
		{"longer than ever", long + "; Digital Currency Address - XBT " + xbt + ".", []screen.PublishedAddress{xbtRow}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			pub, err := ParseCSV(csvOf("7", tt.remark), strings.NewReader("7,\"\"\r\n"))
			if err != nil {
				t.Fatal(err)
			}
			var got []screen.PublishedAddress
			for _, p := range pub.Parties {
				got = append(got, p.Addresses...)
			}
			delete(pub.Unexpected, lateComment)
			if len(pub.Unexpected) == 0 {
				pub.Unexpected = nil
			}
			if !reflect.DeepEqual(got, tt.want) || !reflect.DeepEqual(pub.Unexpected, tt.unexpected) {
				t.Errorf("rows %+v, unexpected %v\nwant %+v, %v", got, pub.Unexpected, tt.want, tt.unexpected)
			}
		})
	}
}

func TestCSVOrphans(t *testing.T) {
	comments := fixture(t, "sdn_comments.csv") + "108,\"x.\"\r\n104,\"y.\"\r\n109,\" Digital Currency Address - XBT 1BitcoinEaterAddressDontSendf59kuE.\"\r\n\x1a"
	pub, err := ParseCSV(strings.NewReader("\ufeff"+fixture(t, "sdn.csv")), strings.NewReader(comments))
	if err != nil {
		t.Fatal(err)
	}
	want := parseCSVFixture(t)
	want.Unexpected = map[string]int{orphanComment: 1, orphanAddress: 1, lateComment: 1}
	// The comment that is not expected belongs to the entry all the same, to the byte.
	i := slices.IndexFunc(want.Parties, func(p screen.PublishedParty) bool { return p.UID == "104" })
	want.Parties[i].Addresses[0].Text += ".y"
	if !reflect.DeepEqual(pub, want) {
		t.Errorf("got\n%s%v", readable(t, *pub), pub.Unexpected)
	}
}

func TestCSVErrors(t *testing.T) {
	doc, comments := fixture(t, "sdn.csv"), fixture(t, "sdn_comments.csv")
	row104 := doc[strings.Index(doc, "104,"):strings.Index(doc, "105,")]
	tests := []struct{ name, sdn, comments, want string }{
		{"no comments", doc, "", "sdn_comments.csv is empty"},
		{"comments of nothing", doc, "\r\n\x1a", "sdn_comments.csv is empty"},
		{"HTML", "<html><head>", comments, "sdn.csv: line 1: 1 columns, want 12"},
		{"HTML as comments", doc, "<html><head>", "sdn_comments.csv: line 1: 1 columns, want 2"},
		{"the files the other way", comments, doc, "sdn_comments.csv: line 1: 12 columns, want 2"},
		{"nothing", "", comments, "sdn.csv: unexpected EOF: the document is cut short"},
		{"header", "ent_num,SDN_Name,SDN_Type,Program,Title,Call_Sign,Vess_type,Tonnage,GRT,Vess_flag,Vess_owner,Remarks\r\n" + doc, comments, `line 1: ent_num "ent_num", want a number`},
		{"no end", strings.TrimSuffix(doc, "\x1a"), comments, "sdn.csv: unexpected EOF: the document is cut short, its last byte is not 0x1A"},
		{"text behind the end", doc + "\r\n" + row104, comments, "line 7: text behind the byte 0x1A"},
		{"row twice", strings.TrimSuffix(doc, "\x1a") + row104 + "\x1a", comments, "line 6: a second row with ent_num 104, after that of line 4"},
		{"comment twice", doc, comments + "101,\"x\"\r\n", "sdn_comments.csv: line 4: a second comment to entry 101"},
		{"column too many", strings.Replace(doc, row104, strings.TrimRight(row104, "\r\n")+",x\r\n", 1), comments, "line 4: 13 columns, want 12"},
		{"column too few", strings.Replace(doc, `104,"FLYING DUTCHMAN",`, "104,", 1), comments, "line 4: 11 columns, want 12"},
		{"no number", strings.Replace(doc, "104,", "1o4,", 1), comments, `line 4: ent_num "1o4", want a number`},
		{"null for a number", strings.Replace(doc, "104,", "-0- ,", 1), comments, `line 4: ent_num "-0- ", want a number`},
		{"no name", strings.Replace(doc, `"FLYING DUTCHMAN"`, "-0- ", 1), comments, "line 4: entry 104 has no name"},
		{"quote", strings.Replace(doc, "FLYING", `FL"YING`, 1), comments, `sdn.csv: reading: parse error on line 4`},
		{"not UTF-8", strings.Replace(doc, "DUTCHMAN", "DUTCHM\xe4N", 1), comments, "line 4: column 2 is not valid UTF-8"},
		{"cut comments", doc, comments[:len(comments)-20], "sdn_comments.csv: reading: "},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			pub, err := ParseCSV(strings.NewReader(tt.sdn), strings.NewReader(tt.comments))
			if err == nil || pub != nil || !strings.HasPrefix(err.Error(), "ofac: ") || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v, want %q", err, tt.want)
			}
		})
	}
	if _, err := ParseCSV(strings.NewReader(doc), nil); err == nil || !strings.Contains(err.Error(), "sdn_comments.csv is missing") {
		t.Errorf("nil comments: %v", err)
	}
	broken := errors.New("connection reset")
	if _, err := ParseCSV(io.MultiReader(strings.NewReader(doc), iotest.ErrReader(broken)), strings.NewReader(comments)); !errors.Is(err, broken) {
		t.Errorf("an error of the reader: %v", err)
	}
	if _, err := ParseCSV(strings.NewReader(doc), &endless{}); err == nil || !strings.Contains(err.Error(), "more than 33554432 bytes") {
		t.Errorf("endless comments: %v", err)
	}
	for n := range len(doc) {
		if _, err := ParseCSV(strings.NewReader(doc[:n]), strings.NewReader(comments)); err == nil {
			t.Fatalf("cut at byte %d of %d: no error", n, len(doc))
		}
	}
}

// endless is one quoted field that never ends.
type endless struct{ begun bool }

func (e *endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	if !e.begun {
		copy(p, "1,\"")
		e.begun = true
	}
	return len(p), nil
}

// FuzzParseCSV checks that what is accepted keeps the promises of a publication.
func FuzzParseCSV(f *testing.F) {
	f.Add([]byte(fixture(f, "sdn.csv")), []byte(fixture(f, "sdn_comments.csv")))
	f.Add([]byte("\x1a"), []byte("1,\"x\"\r\n\x1a"))
	f.Fuzz(func(t *testing.T, sdn, comments []byte) {
		pub, err := ParseCSV(bytes.NewReader(sdn), bytes.NewReader(comments))
		again, err2 := ParseCSV(iotest.OneByteReader(bytes.NewReader(sdn)), iotest.OneByteReader(bytes.NewReader(comments)))
		if fmt.Sprint(err) != fmt.Sprint(err2) || !reflect.DeepEqual(pub, again) {
			t.Fatalf("whole: %v; in pieces: %v", err, err2)
		}
		if err != nil {
			if pub != nil || len(err.Error()) > 1<<10 {
				t.Fatalf("error of %d bytes, publication %v", len(err.Error()), pub)
			}
			return
		}
		if pub.Records < len(pub.Parties) {
			t.Fatalf("%d records, %d parties", pub.Records, len(pub.Parties))
		}
		for _, p := range pub.Parties {
			if p.UID == "" || p.Facts.Name == "" || len(p.Addresses) == 0 {
				t.Fatalf("party %+v", p)
			}
			for _, a := range p.Addresses {
				if strings.TrimSpace(a.Text) == "" {
					t.Fatalf("address %+v", a)
				}
			}
		}
	})
}
