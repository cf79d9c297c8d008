package eu

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"walletscreen/loader/parsertest"
	"walletscreen/screen"
)

func TestGolden(t *testing.T) {
	parsertest.Golden(t, "list.golden.txt", parsertest.Parse(t, Parse, parsertest.Fixture(t, "list.xml")))
}

// The same document in other dress is the same publication.
func TestDress(t *testing.T) {
	doc := parsertest.Fixture(t, "list.xml")
	want := parsertest.Readable(parsertest.Parse(t, Parse, doc))
	for dress, wear := range map[string]func(string) string{
		"byte order mark": func(s string) string { return "\ufeff" + s },
		"line ends":       func(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") },
		"no namespace":    func(s string) string { return strings.Replace(s, ` xmlns="http://eu.europa.ec/fpi/fsd/export"`, "", 1) },
		"prefix": func(s string) string {
			return strings.Replace(regexp.MustCompile(`<(/?)([A-Za-z])`).ReplaceAllString(s, "<${1}f:$2"), " xmlns=", " xmlns:f=", 1)
		},
		"references": func(s string) string { return strings.Replace(s, "BTC: bc1", "B&#84;C:&#160;&#x62;c1", 1) },
		"comments":   func(s string) string { return strings.Replace(s, "BTC: bc1", "BT<!-- x -->C: <![CDATA[bc1]]>", 1) },
	} {
		in := wear(doc)
		if in == doc {
			t.Errorf("%s: nothing changed", dress)
		}
		if diff := cmp.Diff(want, parsertest.Readable(parsertest.Parse(t, Parse, in))); diff != "" {
			t.Errorf("%s: -want +got:\n%s", dress, diff)
		}
	}
}

// PublishedOn is the calendar date where the document was made.
func TestPublishedOn(t *testing.T) {
	for _, tt := range []struct {
		time string
		want screen.Date
	}{
		{"2026-09-22T23:30:34.799+02:00", 20260922},
		{"2026-09-23T00:30:34+02:00", 20260923},
		{"2026-09-22T23:30:34.799Z", 20260922},
	} {
		pub := parsertest.Parse(t, Parse, `<export generationDate="`+tt.time+`"/>`)
		if pub.PublishedOn != tt.want || pub.Records != 0 || pub.Unexpected != nil {
			t.Errorf("%s: %+v, want %s", tt.time, pub, tt.want)
		}
	}
}

// An address may stand in any text of the party; what is new is counted.
func TestUnexpected(t *testing.T) {
	const wallet = "TP7Ldb3q1KUBo6e48HjP4GZm392qKz96Nn"
	doc := parsertest.Fixture(t, "list.xml")
	const decoy = `<citizenship region="" countryIso2Code="IQ"`
	for _, tt := range []struct{ name, old, new, what, row string }{
		{"remark of the party", "UNSC RESOLUTION", "Wallet USDT: " + wallet + " UNSC RESOLUTION", "", "USDT " + wallet},
		{"remark of a citizenship", `<citizenship region=""`, "<citizenship><remark>TRX: " + wallet + `</remark></citizenship><citizenship region=""`, "", "TRX " + wallet},
		{"remark with elements", "UNSC RESOLUTION", "<b>Wallet</b> <i x='USDT " + wallet + "'/>", "", "USDT " + wallet},
		{"function", `wholeName="Decoy Person"`, `wholeName="Decoy Person" function="owner of USDT ` + wallet + `"`, "", "USDT " + wallet},
		{"details", `designationDetails="" unitedNationId="" euReferenceNumber="EU.2.22"`, `designationDetails="XBT ` + wallet + `" euReferenceNumber="EU.2.22"`, "", "XBT " + wallet},
		{"attribute", `<citizenship region=""`, `<citizenship new="USDT ` + wallet + `" region=""`, "", "USDT " + wallet},
		{"element", decoy, "<cryptoWallet><address number='" + wallet + "'/></cryptoWallet>" + decoy, "element export/sanctionEntity/cryptoWallet", " " + wallet},
		{"element without checksum", decoy, "<cryptoWallet number='4Nd1mBQtrMJVYVfKf2PJy9NZUZdTAsp7D4xWLs4gDB4U'>x</cryptoWallet>" + decoy, "element export/sanctionEntity/cryptoWallet",
			" 4Nd1mBQtrMJVYVfKf2PJy9NZUZdTAsp7D4xWLs4gDB4U"},
		{"element without checksum, text", decoy, "<cryptoWallet>4Nd1mBQtrMJVYVfKf2PJy9NZUZdTAsp7D4xWLs4gDB4U</cryptoWallet>" + decoy, "element export/sanctionEntity/cryptoWallet",
			" 4Nd1mBQtrMJVYVfKf2PJy9NZUZdTAsp7D4xWLs4gDB4U"},
		{"beside the parties", "<sanctionEntity designationDate=\"2020-07-30\"", "<new/><sanctionEntity designationDate=\"2020-07-30\"", "element export/new", ""},
		{"type", `logicalId="102">
        <remark>UNSC RESOLUTION 1483 BASIS</remark>
        <subjectType code="person"`, `logicalId="102">
        <subjectType code="vessel"`, "a subjectType other than person and enterprise", ""},
		{"date", `designationDate="2020-07-30"`, `designationDate="30.07.2020"`, "date of a party that is not of the form 2025-10-23", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			pub := parsertest.Parse(t, Parse, parsertest.ReplaceOnce(t, doc, tt.old, tt.new))
			if tt.what != "" && pub.Unexpected[tt.what] != 1 {
				t.Errorf("unexpected %v, want %q", pub.Unexpected, tt.what)
			}
			i := slices.IndexFunc(pub.Parties, func(p screen.PublishedParty) bool { return p.UID == "EU.2.22" })
			if (i >= 0) != (tt.row != "") || i >= 0 && (len(pub.Parties[i].Addresses) != 1 || pub.Parties[i].Addresses[0].Symbol+" "+pub.Parties[i].Addresses[0].Text != tt.row) {
				t.Errorf("want %q, got\n%s", tt.row, parsertest.Readable(pub))
			}
		})
	}
}

func TestErrors(t *testing.T) {
	doc := parsertest.Fixture(t, "list.xml")
	for _, tt := range []struct{ name, doc, want string }{
		{"empty", "", "line 1: unexpected EOF: no root element"},
		{"HTML", "<html><body>Internal Server Error", "line 1: root element <html>, want <export>"},
		{"HTML of old", "<!DOCTYPE html><html>", "line 1: a DOCTYPE"},
		{"JSON", `{"error":500}`, "line 1: text outside the root element"},
		{"no date", parsertest.ReplaceOnce(t, doc, `generationDate="2026-09-22T23:30:34.799+02:00" `, ""), `line 2, in export: generationDate "", want a time such as`},
		{"date without offset", parsertest.ReplaceOnce(t, doc, "34.799+02:00", "34"), `generationDate "2026-09-22T23:30:34", want`},
		{"no such date", parsertest.ReplaceOnce(t, doc, "2026-09-22T", "2026-09-31T"), `generationDate "2026-09-31T`},
		{"no id", parsertest.ReplaceOnce(t, doc, `euReferenceNumber="" logicalId="103"`, ""), "has neither euReferenceNumber nor logicalId"},
		{"id twice", parsertest.ReplaceOnce(t, doc, "EU.2.22", "EU.1.11"), `a second <sanctionEntity> "EU.1.11", after that of line 3`},
		{"no name", parsertest.ReplaceOnce(t, doc, `firstName="Ada" middleName="King" lastName="Lovelace"`, ""), `of line 52, "103", has no name`},
		{"two types", parsertest.ReplaceOnce(t, doc, `<subjectType code="enterprise" classificationCode="E"/>
        <nameAlias wholeName="All Talk"`, `<subjectType code="enterprise"/><subjectType code="person"/><nameAlias wholeName="All Talk"`), "a second <subjectType>"},
		{"cut short", doc[:len(doc)/2], "unexpected EOF inside"},
		{"root not closed", strings.TrimSuffix(strings.TrimSpace(doc), "</export>"), "unexpected EOF inside <export>"},
		{"twice", doc + doc, "an XML declaration, which may only begin the document"},
		{"entity", parsertest.ReplaceOnce(t, doc, "UNSC", "&unsc;"), "the entity &unsc;, which is refused"},
	} {
		t.Run(tt.name, func(t *testing.T) { parsertest.WantError(t, Parse, tt.doc, "eu: line ", tt.want) })
	}
}

func TestReadError(t *testing.T) {
	broken := errors.New("connection reset")
	doc := parsertest.Fixture(t, "list.xml")
	for _, n := range []int{0, len(doc) / 2, len(doc)} {
		if _, err := Parse(io.MultiReader(strings.NewReader(doc[:n]), iotest.ErrReader(broken))); !errors.Is(err, broken) {
			t.Errorf("%d bytes, then an error of the reader: %v", n, err)
		}
	}
}

// No input makes a publication of any size in memory, and what is dropped does
// not count.
func TestTooMuchToKeep(t *testing.T) {
	if parsertest.UnderRace {
		t.Skip("not run with -race: documents of more than 64 MB")
	}
	head := `<export generationDate="2026-09-22T23:30:34Z">`
	parsertest.WantError(t, Parse, head+`<sanctionEntity logicalId="1">`+strings.Repeat("<nameAlias wholeName='x'/>", 1<<20)+"</sanctionEntity></export>",
		"eu: line 1, in export/sanctionEntity", "names and addresses of more than 67108864 bytes")
	var b strings.Builder
	for i := range 2000 {
		fmt.Fprintf(&b, `<sanctionEntity logicalId="%d"><subjectType code="person"/><nameAlias wholeName="%s"/></sanctionEntity>`, i, strings.Repeat("x", 1<<15))
	}
	if pub := parsertest.Parse(t, Parse, head+b.String()+"</export>"); pub.Records != 2000 {
		t.Errorf("%d records", pub.Records)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(parsertest.Fixture(f, "list.xml")))
	f.Add([]byte(`<export generationDate="2026-09-22T23:30:34Z"><sanctionEntity logicalId="1"><nameAlias wholeName="x"><remark>wallet</remark></nameAlias></sanctionEntity></export>`))
	f.Fuzz(func(t *testing.T, in []byte) {
		if pub := parsertest.Fuzzed(t, Parse, in); pub != nil && pub.PublishedOn == 0 {
			t.Fatal("a publication without a date")
		}
	})
}
