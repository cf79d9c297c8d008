package uk

import (
	"errors"
	"fmt"
	"io"
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

// The XML and the CSV of one publication are the same publication.
func TestFormatsAgree(t *testing.T) {
	if diff := cmp.Diff(parsertest.Readable(parsertest.Parse(t, Parse, parsertest.Fixture(t, "list.xml"))), parsertest.Readable(parsertest.Parse(t, Parse, parsertest.Fixture(t, "list.csv")))); diff != "" {
		t.Errorf("-XML +CSV:\n%s", diff)
	}
}

// The same document in other dress is the same publication.
func TestDress(t *testing.T) {
	for _, name := range []string{"list.xml", "list.csv"} {
		want := parsertest.Readable(parsertest.Parse(t, Parse, parsertest.Fixture(t, name)))
		for dress, wear := range map[string]func(string) string{
			"byte order mark": func(s string) string { return "\ufeff" + s },
			"line ends":       func(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") },
			"case": func(s string) string {
				return strings.NewReplacer("Primary Name", "PRIMARY NAME", "ALias", "alias", "Low quality", "low quality").Replace(s)
			},
			"blanks": func(s string) string {
				return strings.NewReplacer("<UniqueID>", "<UniqueID> ", "</DateDesignated>", " </DateDesignated>", ",TST0001,", ", TST0001 ,").Replace(s)
			},
			"rows apart": func(s string) string {
				if name == "list.xml" {
					return s + "\n"
				}
				// The rows of the first designation in two places.
				head, rest, _ := strings.Cut(s, ",KHAYYAT,")
				at := strings.Index(rest, "\n09/04/2025,TST0001") + 1
				one := head[strings.LastIndex(head, "09/04/2025"):] + ",KHAYYAT," + rest[:at]
				return head[:strings.LastIndex(head, "09/04/2025")] + one + rest[at:] + strings.Replace(one, "1 Example", "3 Example", 1)
			},
			"padded": func(s string) string {
				return strings.Replace(s, "08-Oct-2026", "08-Oct-2026"+strings.Repeat(",", 57), 1) + strings.Repeat("\n", 3)
			},
			"empty row": func(s string) string {
				if name == "list.xml" {
					return s + " "
				}
				return s + strings.Repeat(",", 57) + "\n"
			},
		} {
			in := wear(parsertest.Fixture(t, name))
			if in == parsertest.Fixture(t, name) {
				t.Errorf("%s, %s: nothing changed", name, dress)
			}
			if diff := cmp.Diff(want, parsertest.Readable(parsertest.Parse(t, Parse, in))); diff != "" {
				t.Errorf("%s, %s: -want +got:\n%s", name, dress, diff)
			}
		}
	}
}

// What is new in the list is read for addresses and counted.
func TestUnexpected(t *testing.T) {
	const wallet = "TFvcWeZ19RDaSX1JnPZ9zXrA9bwHLeibHt"
	xml, csv := parsertest.Fixture(t, "list.xml"), parsertest.Fixture(t, "list.csv")
	addColumn := func(name, cell string) string {
		lines := strings.SplitAfter(csv, "\n")
		for i, line := range lines {
			switch {
			case strings.HasPrefix(line, "Last Updated,"):
				lines[i] = name + "," + line
			case strings.Contains(line, ",TST0002,"):
				lines[i] = cell + "," + line
			case strings.Contains(line, ",TST000"):
				lines[i] = "," + line
			}
		}
		return strings.Join(lines, "")
	}
	for _, tt := range []struct {
		name, doc, what string
		rows            string
	}{
		{"element", parsertest.ReplaceOnce(t, xml, "<PhoneNumbers>", "<CryptoWalletAddresses><CryptoWalletAddress note='x'>USDT: "+wallet+"</CryptoWalletAddress></CryptoWalletAddresses><PhoneNumbers>"),
			"element Designations/Designation/CryptoWalletAddresses", "USDT " + wallet},
		{"element without a label", parsertest.ReplaceOnce(t, xml, "<PhoneNumbers>", "<CryptoWalletAddresses><A n='4Nd1mBQtrMJVYVfKf2PJy9NZUZdTAsp7D4xWLs4gDB4U'/></CryptoWalletAddresses><PhoneNumbers>"),
			"element Designations/Designation/CryptoWalletAddresses", " 4Nd1mBQtrMJVYVfKf2PJy9NZUZdTAsp7D4xWLs4gDB4U"},
		{"attribute of an element", parsertest.ReplaceOnce(t, xml, "<PhoneNumbers>", "<CryptoWallet n='4Nd1mBQtrMJVYVfKf2PJy9NZUZdTAsp7D4xWLs4gDB4U'/><PhoneNumbers>"),
			"element Designations/Designation/CryptoWallet", " 4Nd1mBQtrMJVYVfKf2PJy9NZUZdTAsp7D4xWLs4gDB4U"},
		{"element in a known one", parsertest.ReplaceOnce(t, xml, "<EntityDetails><Entity>", "<EntityDetails><Entity><New>BTC 16xQWbBGzh6dHLwgC7uSUPA2EpByAMpExV</New>"), "", "BTC 16xQWbBGzh6dHLwgC7uSUPA2EpByAMpExV"},
		{"column", addColumn("Crypto wallet addresses", "USDT: "+wallet), `column "Crypto wallet addresses"`, "USDT " + wallet},
		{"column without a label", addColumn("Crypto wallet addresses", "4Nd1mBQtrMJVYVfKf2PJy9NZUZdTAsp7D4xWLs4gDB4U"), `column "Crypto wallet addresses"`, " 4Nd1mBQtrMJVYVfKf2PJy9NZUZdTAsp7D4xWLs4gDB4U"},
		{"part of a name", parsertest.ReplaceOnce(t, xml, "<Name6>DECOY", "<Name7>x</Name7><Name6>DECOY"), "element Designations/Designation/Names/Name/Name7", ""},
		{"beside names", parsertest.ReplaceOnce(t, xml, "<NonLatinNames>", "<NonLatinNames><New/>"), "element Designations/Designation/NonLatinNames/New", ""},
		{"beside designations", parsertest.ReplaceOnce(t, xml, "<DateGenerated>", "<Version>2</Version><DateGenerated>"), "element Designations/Version", ""},
		{"type", parsertest.ReplaceOnce(t, xml, "<IndividualEntityShip>Ship<", "<IndividualEntityShip>Aircraft<"), "a type of party other than Individual, Entity and Ship", ""},
		{"month first", parsertest.ReplaceOnce(t, xml, "<DateDesignated>04/05/2022", "<DateDesignated>05/31/2022"), "DateDesignated that is not DD/MM/YYYY", ""},
		{"month first, CSV", parsertest.ReplaceOnce(t, csv, "04/05/2022", "05/31/2022"), "DateDesignated that is not DD/MM/YYYY", ""},
		{"two dates", strings.Replace(csv, "26/05/2026", "27/05/2026", 1), `column "Date Designated" differs between the rows of a designation`, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			pub := parsertest.Parse(t, Parse, tt.doc)
			if tt.what != "" && pub.Unexpected[tt.what] != 1 {
				t.Errorf("unexpected %v, want %q", pub.Unexpected, tt.what)
			}
			i := slices.IndexFunc(pub.Parties, func(p screen.PublishedParty) bool { return p.UID == "TST0002" })
			if (i >= 0) != (tt.rows != "") || i >= 0 && (len(pub.Parties[i].Addresses) != 1 || pub.Parties[i].Addresses[0].Symbol+" "+pub.Parties[i].Addresses[0].Text != tt.rows) {
				t.Errorf("want %q, got\n%s", tt.rows, parsertest.Readable(pub))
			}
		})
	}
}

func TestNames(t *testing.T) {
	xml := parsertest.Fixture(t, "list.xml")
	// Without a primary name the first one is it.
	pub := parsertest.Parse(t, Parse, parsertest.ReplaceOnce(t, xml, "<Name6>KHAYYAM</Name6><NameType>Primary Name</NameType>", "<Name6>KHAYYAM</Name6>"))
	if f := pub.Parties[0].Facts; f.Name != "KHAYYAT" || f.Aliases[0] != (screen.Alias{Name: "Omar Example KHAYYAM"}) {
		t.Errorf("%+v", f)
	}
	// An id that cannot stand in a URL has none.
	pub = parsertest.Parse(t, Parse, parsertest.ReplaceOnce(t, xml, "TST0004", "TST/0004"))
	if f := pub.Parties[2].Facts; f.URL != "" || f.Type != screen.PartyVessel {
		t.Errorf("%+v", f)
	}
}

func TestErrors(t *testing.T) {
	xml, csv := parsertest.Fixture(t, "list.xml"), parsertest.Fixture(t, "list.csv")
	designations := strings.Index(xml, "<Designation>")
	for _, tt := range []struct{ name, doc, prefix, want string }{
		{"empty", "", "uk: unexpected EOF", "nothing to read"},
		{"blank", "\ufeff \r\n\t", "uk: unexpected EOF", "nothing to read"},
		{"HTML", "<html><body>Service unavailable", "uk: XML: line 1", "root element <html>, want <Designations>"},
		{"HTML of old", "<!DOCTYPE html><html>", "uk: XML: line 1", "a DOCTYPE"},
		{"no document", "<?xml version='1.0'?><!-- x -->", "uk: XML: line 1", "no root element"},
		{"JSON", `{"message":"Forbidden"}`, "uk: CSV: ", "bare \" in non-quoted"},
		{"text", "Forbidden", "uk: CSV: line 1", `"Forbidden", want a date as in "Report Date: 08-Oct-2026"`},
		{"workbook", "PK\x03\x04xl/", "uk: a workbook or archive", "want the XML or CSV file"},
		{"OFSI, XML", "<ArrayOfFinancialSanctionsTarget><FinancialSanctionsTarget/></ArrayOfFinancialSanctionsTarget>", "uk: XML: ", "the OFSI Consolidated List, which ended on 28 January 2026"},
		{"OFSI, CSV", "Last Updated,28/01/2026\nName 6,Name 1,Name 2\n", "uk: CSV: ", "the OFSI Consolidated List, which ended on 28 January 2026"},

		{"no date", parsertest.ReplaceOnce(t, xml, "<DateGenerated>08/10/2026</DateGenerated>", ""), "uk: XML: line", `DateGenerated: date "" is not of the form`},
		{"month first", parsertest.ReplaceOnce(t, xml, "08/10/2026", "10/18/2026"), "uk: XML: line", `DateGenerated: date "10/18/2026" is not`},
		{"one digit", parsertest.ReplaceOnce(t, xml, "08/10/2026", "8/10/2026"), "uk: XML: line", `DateGenerated: date "8/10/2026" is not`},
		{"two dates", parsertest.ReplaceOnce(t, xml, "<DateGenerated>", "<DateGenerated>07/10/2026</DateGenerated><DateGenerated>"), "uk: XML: line 3, in Designations:", "a second <DateGenerated>"},
		{"no id", parsertest.ReplaceOnce(t, xml, "<UniqueID>TST0003</UniqueID>", ""), "uk: XML: line", "the <Designation> of line 57 has no UniqueID"},
		{"blank id", parsertest.ReplaceOnce(t, xml, "<UniqueID>TST0003</UniqueID>", "<UniqueID> </UniqueID>"), "uk: XML: line", "has no UniqueID"},
		{"id twice", parsertest.ReplaceOnce(t, xml, "TST0003", "TST0001"), "uk: XML: line", `a second <Designation> with UniqueID "TST0001", after that of line 4`},
		{"two ids", parsertest.ReplaceOnce(t, xml, "<UniqueID>TST0003", "<UniqueID>TST0009</UniqueID><UniqueID>TST0003"), "uk: XML: line", `a second <UniqueID>: "TST0003" after "TST0009"`},
		{"no name", parsertest.ReplaceOnce(t, xml, "<Name><Name6>FLYING DUTCHMAN</Name6><NameType>Primary Name</NameType></Name>", ""), "uk: XML: line", `UniqueID "TST0004", has no name`},
		{"cut short", xml[:designations+100], "uk: XML: line", "unexpected EOF inside"},
		{"text behind", xml + "x", "uk: XML: line", "text outside the root element"},

		{"CSV without date", csv[strings.Index(csv, "\n")+1:], "uk: CSV: line 1", `"Last Updated", want a date`},
		{"CSV, other date", parsertest.ReplaceOnce(t, csv, "08-Oct-2026", "08/10/2026"), "uk: CSV: line 1", `"Report Date: 08/10/2026", want`},
		{"CSV, date alone", "Report Date: 08-Oct-2026\n", "uk: CSV: unexpected EOF", "cut short"},
		{"CSV, no column", parsertest.ReplaceOnce(t, csv, ",Other Information,", ",Information,"), "uk: CSV: line 2", `no column "Other Information"`},
		{"CSV, column twice", parsertest.ReplaceOnce(t, csv, ",OFSI Group ID,", ",Unique ID,"), "uk: CSV: line 2", `column "Unique ID" twice`},
		{"CSV, no id", parsertest.ReplaceOnce(t, csv, ",TST0002,", ",,"), "uk: CSV: line", `column "Unique ID" is empty`},
		{"CSV, no name", parsertest.ReplaceOnce(t, csv, "FLYING DUTCHMAN", ""), "uk: CSV: ", `Unique ID "TST0004" has no name`},
		{"CSV, cell missing", parsertest.ReplaceOnce(t, csv, ",TST0002,,", ",TST0002,"), "uk: CSV: behind the row of line", "wrong number of fields"},
		{"CSV, not UTF-8", parsertest.ReplaceOnce(t, csv, "DECOY", "D\xc9COY"), "uk: CSV: line", `column "Name 6": not valid UTF-8`},
		{"CSV, cut in a row", csv[:strings.Index(csv, "FLYING")], "uk: CSV: behind the row of line", "wrong number of fields"},
		{"CSV, cut in a cell", csv[:strings.Index(csv, "TTw3f85")], "uk: CSV: behind the row of line", "extraneous or missing \""},
		{"CSV, quote never closed", csv + "\"" + strings.Repeat("x\n", maxRecord/2+4096), "uk: CSV: behind the row of line", "a row of more than 1048576 bytes"},
	} {
		t.Run(tt.name, func(t *testing.T) { parsertest.WantError(t, Parse, tt.doc, tt.prefix, tt.want) })
	}
}

func TestReadError(t *testing.T) {
	broken := errors.New("connection reset")
	for _, name := range []string{"list.xml", "list.csv"} {
		doc := parsertest.Fixture(t, name)
		for _, n := range []int{0, 10, len(doc) / 2, len(doc)} {
			if _, err := Parse(io.MultiReader(strings.NewReader(doc[:n]), iotest.ErrReader(broken))); !errors.Is(err, broken) {
				t.Errorf("%s, %d bytes, then an error of the reader: %v", name, n, err)
			}
		}
	}
}

// No input makes a publication of any size in memory, and what is dropped does
// not count.
func TestTooMuchToKeep(t *testing.T) {
	if parsertest.UnderRace {
		t.Skip("not run with -race: documents of more than 64 MB")
	}
	const want = "names and addresses of more than 67108864 bytes"
	head := "<Designations><DateGenerated>08/10/2026</DateGenerated>"
	parsertest.WantError(t, Parse, head+"<Designation><Names>"+strings.Repeat("<Name><Name6>x</Name6><NameType>Alias</NameType></Name>", 1<<19)+"</Names></Designation></Designations>", "uk: XML: ", want)

	long := strings.Repeat("x", 1<<19)
	var b strings.Builder
	for i := range 130 {
		fmt.Fprintf(&b, "<Designation><UniqueID>%d</UniqueID><Names><Name><Name6>%s</Name6></Name></Names></Designation>", i, long)
	}
	if pub := parsertest.Parse(t, Parse, head+b.String()+"</Designations>"); pub.Records != 130 {
		t.Errorf("%d records", pub.Records)
	}

	csv := parsertest.Fixture(t, "list.csv")
	at := strings.Index(csv, "\nLast Updated")
	header := csv[:at+strings.IndexByte(csv[at+1:], '\n')+2]
	b.Reset()
	for i := range 130 {
		fmt.Fprintf(&b, ",TST%d,,,%s%s\n", i, long, strings.Repeat(",", 53))
	}
	parsertest.WantError(t, Parse, header+b.String(), "uk: CSV: line 1", want)
}

func FuzzParse(f *testing.F) {
	for _, name := range []string{"list.xml", "list.csv"} {
		f.Add([]byte(parsertest.Fixture(f, name)))
	}
	f.Add([]byte("<Designations><DateGenerated>08/10/2026</DateGenerated><Designation><UniqueID>A</UniqueID></Designation></Designations>"))
	f.Add([]byte("Report Date: 08-Oct-2026\nLast Updated,Unique ID\n"))
	f.Fuzz(func(t *testing.T, in []byte) {
		if pub := parsertest.Fuzzed(t, Parse, in); pub != nil && pub.PublishedOn == 0 {
			t.Fatal("a publication without a date")
		}
	})
}
