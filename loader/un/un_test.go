package un

import (
	"compress/gzip"
	"fmt"
	"maps"
	"os"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"walletscreen/loader/parsertest"
	"walletscreen/screen"
)

func TestParse(t *testing.T) {
	want := &screen.Publication{
		PublishedOn: 20270301,
		Records:     4,
		Parties: []screen.PublishedParty{
			{
				UID: "XPi.001",
				Facts: screen.Facts{
					Name:     "ARNO BEISPIEL CARL D.",
					Type:     screen.PartyIndividual,
					Aliases:  []screen.Alias{{Name: "ARNO DER ERSTE", Type: "a.k.a."}, {Name: "Arnie", Type: "a.k.a.", Weak: true}},
					Programs: []string{"DPRK"},
					Entries:  []screen.EntryEvent{{On: 20150407}},
				},
				Addresses: []screen.PublishedAddress{
					{Text: "0x1111111111111111111111111111111111111111", Symbol: "ETH"},
					{Text: "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", Symbol: "BTC"},
					{Text: "TUEZSdKsoDHQMeZwihtdoBiN46zxhGWYdH", Symbol: "TRX"},
					{Text: "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb"},
				},
			},
			{
				UID: "XDi.002",
				Facts: screen.Facts{
					Name:     "DORA",
					Type:     screen.PartyIndividual,
					Programs: []string{"DRC"},
				},
				Addresses: []screen.PublishedAddress{{Text: "0x2222222222222222222222222222222222222222"}},
			},
			{
				UID: "XQe.003",
				Facts: screen.Facts{
					Name:     "MADE UP TRADING COMPANY",
					Type:     screen.PartyEntity,
					Aliases:  []screen.Alias{{Name: "OLDER COMPANY", Type: "f.k.a."}},
					Programs: []string{"Al-Qaida"},
					Entries:  []screen.EntryEvent{{On: 20010125}},
				},
				Addresses: []screen.PublishedAddress{{Text: "0x3333333333333333333333333333333333333333"}},
			},
		},
		Unexpected: map[string]int{
			"misprinted address kept as printed: checksum":           1,
			"unreadable run where addresses stand: ambiguous_32byte": 1,
			"text speaks of wallets, no address found":               1,
			badDate: 1,
			"element CONSOLIDATED_LIST/INDIVIDUALS/INDIVIDUAL/WALLET": 1,
		},
	}
	for name, in := range map[string]string{
		"as it is":        parsertest.Fixture(t, "list.xml"),
		"CRLF":            strings.ReplaceAll(parsertest.Fixture(t, "list.xml"), "\n", "\r\n"),
		"byte order mark": "\ufeff" + parsertest.Fixture(t, "list.xml"),
		"entities first":  entitiesFirst(t, parsertest.Fixture(t, "list.xml")),
	} {
		got, err := Parse(iotest.HalfReader(strings.NewReader(in)))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if name == "entities first" {
			got.Parties = append(got.Parties[1:], got.Parties[0])
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func entitiesFirst(t *testing.T, doc string) string {
	t.Helper()
	start, end := strings.Index(doc, "  <ENTITIES>"), strings.Index(doc, "</CONSOLIDATED_LIST>")
	entities := doc[start:end]
	return strings.Replace(strings.Replace(doc, entities, "", 1), "  <INDIVIDUALS>", entities+"  <INDIVIDUALS>", 1)
}

func TestParseRefuses(t *testing.T) {
	doc := parsertest.Fixture(t, "list.xml")
	for _, test := range []struct{ name, old, new, want string }{
		{"HTML", doc, "<!DOCTYPE html><html><body>Service unavailable</body></html>", "line 1: a DOCTYPE"},
		{"XHTML", doc, "<html><body/></html>", "line 1: root element <html>, want <CONSOLIDATED_LIST>"},
		{"nothing", doc, "", "no root element"},
		{"JSON", doc, `{"error": "no"}`, "text outside the root element"},
		{"entity", "<?xml", "<!DOCTYPE a [<!ENTITY b 'c'>]><?xml", "a DOCTYPE"},
		{"cut short", doc[strings.Index(doc, "</ENTITIES>"):], "", "the document is cut short"},
		{"something behind", "</CONSOLIDATED_LIST>", "</CONSOLIDATED_LIST><CONSOLIDATED_LIST/>", "a second root element"},
		{"no date", ` dateGenerated="2027-03-01T00:00:09.554Z"`, "", "line 3, in CONSOLIDATED_LIST: dateGenerated is no date"},
		{"no such date", `"2027-03-01T`, `"2027-02-30T`, "dateGenerated is no date"},
		{"date in words", `"2027-03-01T00:00:09.554Z"`, `"1 March 2027"`, "dateGenerated is no date"},
		{"date and more", `"2027-03-01T00:00:09.554Z"`, `"2027-03-011"`, "dateGenerated is no date"},
		{"no entities", doc[strings.Index(doc, "  <ENTITIES>"):strings.Index(doc, "</CONSOLIDATED_LIST>")], "", "the document has no <ENTITIES>"},
		{"no individuals", doc[strings.Index(doc, "  <INDIVIDUALS>"):strings.Index(doc, "  <ENTITIES>")], "", "the document has no <INDIVIDUALS>"},
		{"entities twice", "</CONSOLIDATED_LIST>", "<ENTITIES/></CONSOLIDATED_LIST>", "a second <ENTITIES>, after that of line 72"},
		{"no number", "<REFERENCE_NUMBER>XIe.004</REFERENCE_NUMBER>", "<REFERENCE_NUMBER> </REFERENCE_NUMBER>", "the entry of line 90 has no REFERENCE_NUMBER"},
		{"number twice", "XIe.004", "XPi.001", "in CONSOLIDATED_LIST/ENTITIES: the entry of line 90 has the REFERENCE_NUMBER XPi.001 of that of line 5"},
		{"two numbers", "<LISTED_ON>2003", "<REFERENCE_NUMBER>XIe.005</REFERENCE_NUMBER><LISTED_ON>2003", `a second <REFERENCE_NUMBER>: "XIe.005" after "XIe.004"`},
		{"no name", "MADE UP TRADING COMPANY", " ", "the entry of line 73, XQe.003, has no name"},
		{"element in a text", "Treasurer", "<b>Treasurer</b>", "an element where only text is expected"},
	} {
		t.Run(test.name, func(t *testing.T) {
			parsertest.WantError(t, Parse, parsertest.ReplaceOnce(t, doc, test.old, test.new), "un: ", test.want)
		})
	}
}

// TestEveryText puts an address into each text of an entry.
func TestEveryText(t *testing.T) {
	const wallet = "wallet 0x4444444444444444444444444444444444444444"
	document := func(inner string) string {
		return `<CONSOLIDATED_LIST dateGenerated="2027-03-01Z"><INDIVIDUALS><INDIVIDUAL><FIRST_NAME>A</FIRST_NAME><REFERENCE_NUMBER>X</REFERENCE_NUMBER>` +
			inner + `</INDIVIDUAL></INDIVIDUALS><ENTITIES/></CONSOLIDATED_LIST>`
	}
	try := func(name, inner string) {
		pub, err := Parse(strings.NewReader(document(inner)))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if len(pub.Parties) != 1 || len(pub.Parties[0].Addresses) != 1 {
			t.Errorf("%s: parties %+v, unexpected %v", name, pub.Parties, pub.Unexpected)
		}
	}
	const solana = "4Nd1mBQtrMJVYVfKf2PJy9NZUZdTAsp7D4xWLs4gDB4T" // needs a label
	try("attribute of a new element", "<CRYPTO_WALLET number='"+solana+"'/>")
	try("new element", "<CRYPTO_WALLET><NUMBER>"+solana+"</NUMBER></CRYPTO_WALLET>")
	try("new element of a group", "<INDIVIDUAL_DOCUMENT><CRYPTO_WALLET>"+solana+"</CRYPTO_WALLET></INDIVIDUAL_DOCUMENT>")
	for text := range maps.Keys(texts) {
		element := fmt.Sprintf("<%s>%s</%[1]s>", text, wallet)
		if text != "FIRST_NAME" && text != "REFERENCE_NUMBER" {
			try(text, element)
		}
		for group := range maps.Keys(groups) {
			try(group+"/"+text, fmt.Sprintf("<%s>%s</%[1]s>", group, element))
		}
	}
}

// TestShared reads the complete list of 27 February 2026.
func TestShared(t *testing.T) {
	const name = "../../../shared/data/un/consolidated-2026-02-27.xml.gz"
	f, err := os.Open(name)
	if err != nil {
		t.Skipf("not run: %s needs %s, which is no part of the project", t.Name(), name)
	}
	defer f.Close()
	in, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	pub, err := Parse(in)
	if err != nil {
		t.Fatal(err)
	}
	// Not even for somebody's mother, who has Wallet in her name.
	want := &screen.Publication{PublishedOn: 20260227, Records: 1003}
	if diff := cmp.Diff(want, pub); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(parsertest.Fixture(f, "list.xml")))
	f.Fuzz(func(t *testing.T, in []byte) {
		if pub := parsertest.Fuzzed(t, Parse, in); pub != nil && pub.PublishedOn == 0 {
			t.Fatal("a publication without a date")
		}
	})
}
