package uk

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"walletscreen/screen"
)

var update = flag.Bool("update", false, "write the golden files anew")

func fixture(t testing.TB, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func parseDoc(t testing.TB, doc string) *screen.Publication {
	t.Helper()
	pub, err := Parse(strings.NewReader(doc))
	if err != nil {
		t.Fatal(err)
	}
	return pub
}

// readable writes a publication for people, a fact a line.
func readable(pub *screen.Publication) string {
	var b strings.Builder
	fmt.Fprintf(&b, "published %s, %d records\n", pub.PublishedOn, pub.Records)
	for _, what := range slices.Sorted(maps.Keys(pub.Unexpected)) {
		fmt.Fprintf(&b, "unexpected %d: %s\n", pub.Unexpected[what], what)
	}
	for _, p := range pub.Parties {
		fmt.Fprintf(&b, "\nparty %s, %s: %s\n", p.UID, p.Facts.Type, p.Facts.Name)
		for _, a := range p.Facts.Aliases {
			fmt.Fprintf(&b, "alias, %q, weak %t: %s\n", a.Type, a.Weak, a.Name)
		}
		for _, program := range p.Facts.Programs {
			fmt.Fprintf(&b, "program %s\n", program)
		}
		for _, e := range p.Facts.Entries {
			fmt.Fprintf(&b, "entry %s: %s\n", e.On, e.LegalBasis)
		}
		fmt.Fprintf(&b, "url %s\n", p.Facts.URL)
		for _, a := range p.Addresses {
			fmt.Fprintf(&b, "address %s, symbol %q, tag %q\n", a.Text, a.Symbol, a.Tag)
		}
	}
	return b.String()
}

func checkGolden(t *testing.T, golden string, pub *screen.Publication) {
	t.Helper()
	golden = filepath.Join("testdata", golden)
	got := readable(pub)
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("not as in %s (-update writes it anew); -want +got:\n%s", golden, diff)
	}
}

func replaceOnce(t testing.TB, s, old, new string) string {
	t.Helper()
	if n := strings.Count(s, old); n != 1 {
		t.Fatalf("%q stands %d times in the fixture", old, n)
	}
	return strings.Replace(s, old, new, 1)
}

func wantError(t *testing.T, doc, prefix, want string) {
	t.Helper()
	pub, err := Parse(strings.NewReader(doc))
	if err == nil {
		t.Fatalf("no error, want %q; got\n%s", want, readable(pub))
	}
	if !strings.HasPrefix(err.Error(), prefix) || !strings.Contains(err.Error(), want) {
		t.Errorf("%v\nwant %q", err, prefix+"..."+want)
	}
	if pub != nil {
		t.Error("an error and a publication")
	}
}

// checkFuzzed asserts what holds for every input: the same result when it comes
// in pieces, and the promises of a publication.
func checkFuzzed(t *testing.T, in []byte) {
	t.Helper()
	pub, err := Parse(bytes.NewReader(in))
	again, err2 := Parse(iotest.HalfReader(bytes.NewReader(in)))
	if fmt.Sprint(err) != fmt.Sprint(err2) || !reflect.DeepEqual(pub, again) {
		t.Fatalf("whole: %v; in pieces: %v", err, err2)
	}
	if err != nil {
		if pub != nil || len(err.Error()) > 8<<10 {
			t.Fatalf("error of %d bytes, publication %v", len(err.Error()), pub)
		}
		return
	}
	if pub.PublishedOn == 0 || pub.Records < len(pub.Parties) {
		t.Fatalf("date %v, %d records, %d parties", pub.PublishedOn, pub.Records, len(pub.Parties))
	}
	seen := make(map[string]bool)
	for _, p := range pub.Parties {
		if p.UID == "" || seen[p.UID] || p.Facts.Name == "" || len(p.Addresses) == 0 {
			t.Fatalf("party %+v", p)
		}
		seen[p.UID] = true
		for _, a := range p.Addresses {
			if strings.TrimSpace(a.Text) == "" {
				t.Fatalf("party %s: address %+v", p.UID, a)
			}
		}
	}
}

func TestGolden(t *testing.T) { checkGolden(t, "list.golden.txt", parseDoc(t, fixture(t, "list.xml"))) }

// The XML and the CSV of one publication are the same publication.
func TestFormatsAgree(t *testing.T) {
	if diff := cmp.Diff(readable(parseDoc(t, fixture(t, "list.xml"))), readable(parseDoc(t, fixture(t, "list.csv")))); diff != "" {
		t.Errorf("-XML +CSV:\n%s", diff)
	}
}

// The same document in other dress is the same publication.
func TestDress(t *testing.T) {
	for _, name := range []string{"list.xml", "list.csv"} {
		want := readable(parseDoc(t, fixture(t, name)))
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
			in := wear(fixture(t, name))
			if in == fixture(t, name) {
				t.Errorf("%s, %s: nothing changed", name, dress)
			}
			if diff := cmp.Diff(want, readable(parseDoc(t, in))); diff != "" {
				t.Errorf("%s, %s: -want +got:\n%s", name, dress, diff)
			}
		}
	}
}

// What is new in the list is read for addresses and counted.
func TestUnexpected(t *testing.T) {
	const wallet = "TFvcWeZ19RDaSX1JnPZ9zXrA9bwHLeibHt"
	xml, csv := fixture(t, "list.xml"), fixture(t, "list.csv")
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
		{"element", replaceOnce(t, xml, "<PhoneNumbers>", "<CryptoWalletAddresses><CryptoWalletAddress note='x'>USDT: "+wallet+"</CryptoWalletAddress></CryptoWalletAddresses><PhoneNumbers>"),
			"element Designations/Designation/CryptoWalletAddresses", "USDT " + wallet},
		{"element without a label", replaceOnce(t, xml, "<PhoneNumbers>", "<CryptoWalletAddresses><A n='4Nd1mBQtrMJVYVfKf2PJy9NZUZdTAsp7D4xWLs4gDB4U'/></CryptoWalletAddresses><PhoneNumbers>"),
			"element Designations/Designation/CryptoWalletAddresses", " 4Nd1mBQtrMJVYVfKf2PJy9NZUZdTAsp7D4xWLs4gDB4U"},
		{"attribute of an element", replaceOnce(t, xml, "<PhoneNumbers>", "<CryptoWallet n='4Nd1mBQtrMJVYVfKf2PJy9NZUZdTAsp7D4xWLs4gDB4U'/><PhoneNumbers>"),
			"element Designations/Designation/CryptoWallet", " 4Nd1mBQtrMJVYVfKf2PJy9NZUZdTAsp7D4xWLs4gDB4U"},
		{"element in a known one", replaceOnce(t, xml, "<EntityDetails><Entity>", "<EntityDetails><Entity><New>BTC 16xQWbBGzh6dHLwgC7uSUPA2EpByAMpExV</New>"), "", "BTC 16xQWbBGzh6dHLwgC7uSUPA2EpByAMpExV"},
		{"column", addColumn("Crypto wallet addresses", "USDT: "+wallet), `column "Crypto wallet addresses"`, "USDT " + wallet},
		{"column without a label", addColumn("Crypto wallet addresses", "4Nd1mBQtrMJVYVfKf2PJy9NZUZdTAsp7D4xWLs4gDB4U"), `column "Crypto wallet addresses"`, " 4Nd1mBQtrMJVYVfKf2PJy9NZUZdTAsp7D4xWLs4gDB4U"},
		{"part of a name", replaceOnce(t, xml, "<Name6>DECOY", "<Name7>x</Name7><Name6>DECOY"), "element Designations/Designation/Names/Name/Name7", ""},
		{"beside names", replaceOnce(t, xml, "<NonLatinNames>", "<NonLatinNames><New/>"), "element Designations/Designation/NonLatinNames/New", ""},
		{"beside designations", replaceOnce(t, xml, "<DateGenerated>", "<Version>2</Version><DateGenerated>"), "element Designations/Version", ""},
		{"type", replaceOnce(t, xml, "<IndividualEntityShip>Ship<", "<IndividualEntityShip>Aircraft<"), "a type of party other than Individual, Entity and Ship", ""},
		{"month first", replaceOnce(t, xml, "<DateDesignated>04/05/2022", "<DateDesignated>05/31/2022"), "DateDesignated that is not DD/MM/YYYY", ""},
		{"month first, CSV", replaceOnce(t, csv, "04/05/2022", "05/31/2022"), "DateDesignated that is not DD/MM/YYYY", ""},
		{"two dates", strings.Replace(csv, "26/05/2026", "27/05/2026", 1), `column "Date Designated" differs between the rows of a designation`, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			pub := parseDoc(t, tt.doc)
			if tt.what != "" && pub.Unexpected[tt.what] != 1 {
				t.Errorf("unexpected %v, want %q", pub.Unexpected, tt.what)
			}
			i := slices.IndexFunc(pub.Parties, func(p screen.PublishedParty) bool { return p.UID == "TST0002" })
			if (i >= 0) != (tt.rows != "") || i >= 0 && (len(pub.Parties[i].Addresses) != 1 || pub.Parties[i].Addresses[0].Symbol+" "+pub.Parties[i].Addresses[0].Text != tt.rows) {
				t.Errorf("want %q, got\n%s", tt.rows, readable(pub))
			}
		})
	}
}

func TestNames(t *testing.T) {
	xml := fixture(t, "list.xml")
	// Without a primary name the first one is it.
	pub := parseDoc(t, replaceOnce(t, xml, "<Name6>KHAYYAM</Name6><NameType>Primary Name</NameType>", "<Name6>KHAYYAM</Name6>"))
	if f := pub.Parties[0].Facts; f.Name != "KHAYYAT" || f.Aliases[0] != (screen.Alias{Name: "Omar Example KHAYYAM"}) {
		t.Errorf("%+v", f)
	}
	// An id that cannot stand in a URL has none.
	pub = parseDoc(t, replaceOnce(t, xml, "TST0004", "TST/0004"))
	if f := pub.Parties[2].Facts; f.URL != "" || f.Type != screen.PartyVessel {
		t.Errorf("%+v", f)
	}
}

func TestErrors(t *testing.T) {
	xml, csv := fixture(t, "list.xml"), fixture(t, "list.csv")
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

		{"no date", replaceOnce(t, xml, "<DateGenerated>08/10/2026</DateGenerated>", ""), "uk: XML: line", `DateGenerated: date "" is not of the form`},
		{"month first", replaceOnce(t, xml, "08/10/2026", "10/18/2026"), "uk: XML: line", `DateGenerated: date "10/18/2026" is not`},
		{"one digit", replaceOnce(t, xml, "08/10/2026", "8/10/2026"), "uk: XML: line", `DateGenerated: date "8/10/2026" is not`},
		{"two dates", replaceOnce(t, xml, "<DateGenerated>", "<DateGenerated>07/10/2026</DateGenerated><DateGenerated>"), "uk: XML: line 3, in Designations:", "a second <DateGenerated>"},
		{"no id", replaceOnce(t, xml, "<UniqueID>TST0003</UniqueID>", ""), "uk: XML: line", "the <Designation> of line 57 has no UniqueID"},
		{"blank id", replaceOnce(t, xml, "<UniqueID>TST0003</UniqueID>", "<UniqueID> </UniqueID>"), "uk: XML: line", "has no UniqueID"},
		{"id twice", replaceOnce(t, xml, "TST0003", "TST0001"), "uk: XML: line", `a second <Designation> with UniqueID "TST0001", after that of line 4`},
		{"two ids", replaceOnce(t, xml, "<UniqueID>TST0003", "<UniqueID>TST0009</UniqueID><UniqueID>TST0003"), "uk: XML: line", `a second <UniqueID>: "TST0003" after "TST0009"`},
		{"no name", replaceOnce(t, xml, "<Name><Name6>FLYING DUTCHMAN</Name6><NameType>Primary Name</NameType></Name>", ""), "uk: XML: line", `UniqueID "TST0004", has no name`},
		{"cut short", xml[:designations+100], "uk: XML: line", "unexpected EOF inside"},
		{"text behind", xml + "x", "uk: XML: line", "text outside the root element"},

		{"CSV without date", csv[strings.Index(csv, "\n")+1:], "uk: CSV: line 1", `"Last Updated", want a date`},
		{"CSV, other date", replaceOnce(t, csv, "08-Oct-2026", "08/10/2026"), "uk: CSV: line 1", `"Report Date: 08/10/2026", want`},
		{"CSV, date alone", "Report Date: 08-Oct-2026\n", "uk: CSV: unexpected EOF", "cut short"},
		{"CSV, no column", replaceOnce(t, csv, ",Other Information,", ",Information,"), "uk: CSV: line 2", `no column "Other Information"`},
		{"CSV, column twice", replaceOnce(t, csv, ",OFSI Group ID,", ",Unique ID,"), "uk: CSV: line 2", `column "Unique ID" twice`},
		{"CSV, no id", replaceOnce(t, csv, ",TST0002,", ",,"), "uk: CSV: line", `column "Unique ID" is empty`},
		{"CSV, no name", replaceOnce(t, csv, "FLYING DUTCHMAN", ""), "uk: CSV: ", `Unique ID "TST0004" has no name`},
		{"CSV, cell missing", replaceOnce(t, csv, ",TST0002,,", ",TST0002,"), "uk: CSV: behind the row of line", "wrong number of fields"},
		{"CSV, not UTF-8", replaceOnce(t, csv, "DECOY", "D\xc9COY"), "uk: CSV: line", `column "Name 6": not valid UTF-8`},
		{"CSV, cut in a row", csv[:strings.Index(csv, "FLYING")], "uk: CSV: behind the row of line", "wrong number of fields"},
		{"CSV, cut in a cell", csv[:strings.Index(csv, "TTw3f85")], "uk: CSV: behind the row of line", "extraneous or missing \""},
		{"CSV, quote never closed", csv + "\"" + strings.Repeat("x\n", maxRecord/2+4096), "uk: CSV: behind the row of line", "a row of more than 1048576 bytes"},
	} {
		t.Run(tt.name, func(t *testing.T) { wantError(t, tt.doc, tt.prefix, tt.want) })
	}
}

func TestReadError(t *testing.T) {
	broken := errors.New("connection reset")
	for _, name := range []string{"list.xml", "list.csv"} {
		doc := fixture(t, name)
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
	if underRace {
		t.Skip("not run with -race: documents of more than 64 MB")
	}
	const want = "names and addresses of more than 67108864 bytes"
	head := "<Designations><DateGenerated>08/10/2026</DateGenerated>"
	wantError(t, head+"<Designation><Names>"+strings.Repeat("<Name><Name6>x</Name6><NameType>Alias</NameType></Name>", 1<<19)+"</Names></Designation></Designations>", "uk: XML: ", want)

	long := strings.Repeat("x", 1<<19)
	var b strings.Builder
	for i := range 130 {
		fmt.Fprintf(&b, "<Designation><UniqueID>%d</UniqueID><Names><Name><Name6>%s</Name6></Name></Names></Designation>", i, long)
	}
	if pub := parseDoc(t, head+b.String()+"</Designations>"); pub.Records != 130 {
		t.Errorf("%d records", pub.Records)
	}

	csv := fixture(t, "list.csv")
	at := strings.Index(csv, "\nLast Updated")
	header := csv[:at+strings.IndexByte(csv[at+1:], '\n')+2]
	b.Reset()
	for i := range 130 {
		fmt.Fprintf(&b, ",TST%d,,,%s%s\n", i, long, strings.Repeat(",", 53))
	}
	wantError(t, header+b.String(), "uk: CSV: line 1", want)
}

func FuzzParse(f *testing.F) {
	for _, name := range []string{"list.xml", "list.csv"} {
		f.Add([]byte(fixture(f, name)))
	}
	f.Add([]byte("<Designations><DateGenerated>08/10/2026</DateGenerated><Designation><UniqueID>A</UniqueID></Designation></Designations>"))
	f.Add([]byte("Report Date: 08-Oct-2026\nLast Updated,Unique ID\n"))
	f.Fuzz(func(t *testing.T, in []byte) { checkFuzzed(t, in) })
}
