package eu

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
	"regexp"
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

// The same document in other dress is the same publication.
func TestDress(t *testing.T) {
	doc := fixture(t, "list.xml")
	want := readable(parseDoc(t, doc))
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
		if diff := cmp.Diff(want, readable(parseDoc(t, in))); diff != "" {
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
		pub := parseDoc(t, `<export generationDate="`+tt.time+`"/>`)
		if pub.PublishedOn != tt.want || pub.Records != 0 || pub.Unexpected != nil {
			t.Errorf("%s: %+v, want %s", tt.time, pub, tt.want)
		}
	}
}

// An address may stand in any text of the party; what is new is counted.
func TestUnexpected(t *testing.T) {
	const wallet = "TP7Ldb3q1KUBo6e48HjP4GZm392qKz96Nn"
	doc := fixture(t, "list.xml")
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
			pub := parseDoc(t, replaceOnce(t, doc, tt.old, tt.new))
			if tt.what != "" && pub.Unexpected[tt.what] != 1 {
				t.Errorf("unexpected %v, want %q", pub.Unexpected, tt.what)
			}
			i := slices.IndexFunc(pub.Parties, func(p screen.PublishedParty) bool { return p.UID == "EU.2.22" })
			if (i >= 0) != (tt.row != "") || i >= 0 && (len(pub.Parties[i].Addresses) != 1 || pub.Parties[i].Addresses[0].Symbol+" "+pub.Parties[i].Addresses[0].Text != tt.row) {
				t.Errorf("want %q, got\n%s", tt.row, readable(pub))
			}
		})
	}
}

func TestErrors(t *testing.T) {
	doc := fixture(t, "list.xml")
	for _, tt := range []struct{ name, doc, want string }{
		{"empty", "", "line 1: unexpected EOF: no root element"},
		{"HTML", "<html><body>Internal Server Error", "line 1: root element <html>, want <export>"},
		{"HTML of old", "<!DOCTYPE html><html>", "line 1: a DOCTYPE"},
		{"JSON", `{"error":500}`, "line 1: text outside the root element"},
		{"no date", replaceOnce(t, doc, `generationDate="2026-09-22T23:30:34.799+02:00" `, ""), `line 2, in export: generationDate "", want a time such as`},
		{"date without offset", replaceOnce(t, doc, "34.799+02:00", "34"), `generationDate "2026-09-22T23:30:34", want`},
		{"no such date", replaceOnce(t, doc, "2026-09-22T", "2026-09-31T"), `generationDate "2026-09-31T`},
		{"no id", replaceOnce(t, doc, `euReferenceNumber="" logicalId="103"`, ""), "has neither euReferenceNumber nor logicalId"},
		{"id twice", replaceOnce(t, doc, "EU.2.22", "EU.1.11"), `a second <sanctionEntity> "EU.1.11", after that of line 3`},
		{"no name", replaceOnce(t, doc, `firstName="Ada" middleName="King" lastName="Lovelace"`, ""), `of line 52, "103", has no name`},
		{"two types", replaceOnce(t, doc, `<subjectType code="enterprise" classificationCode="E"/>
        <nameAlias wholeName="All Talk"`, `<subjectType code="enterprise"/><subjectType code="person"/><nameAlias wholeName="All Talk"`), "a second <subjectType>"},
		{"cut short", doc[:len(doc)/2], "unexpected EOF inside"},
		{"root not closed", strings.TrimSuffix(strings.TrimSpace(doc), "</export>"), "unexpected EOF inside <export>"},
		{"twice", doc + doc, "an XML declaration, which may only begin the document"},
		{"entity", replaceOnce(t, doc, "UNSC", "&unsc;"), "the entity &unsc;, which is refused"},
	} {
		t.Run(tt.name, func(t *testing.T) { wantError(t, tt.doc, "eu: line ", tt.want) })
	}
}

func TestReadError(t *testing.T) {
	broken := errors.New("connection reset")
	doc := fixture(t, "list.xml")
	for _, n := range []int{0, len(doc) / 2, len(doc)} {
		if _, err := Parse(io.MultiReader(strings.NewReader(doc[:n]), iotest.ErrReader(broken))); !errors.Is(err, broken) {
			t.Errorf("%d bytes, then an error of the reader: %v", n, err)
		}
	}
}

// No input makes a publication of any size in memory, and what is dropped does
// not count.
func TestTooMuchToKeep(t *testing.T) {
	if underRace {
		t.Skip("not run with -race: documents of more than 64 MB")
	}
	head := `<export generationDate="2026-09-22T23:30:34Z">`
	wantError(t, head+`<sanctionEntity logicalId="1">`+strings.Repeat("<nameAlias wholeName='x'/>", 1<<20)+"</sanctionEntity></export>",
		"eu: line 1, in export/sanctionEntity", "names and addresses of more than 67108864 bytes")
	var b strings.Builder
	for i := range 2000 {
		fmt.Fprintf(&b, `<sanctionEntity logicalId="%d"><subjectType code="person"/><nameAlias wholeName="%s"/></sanctionEntity>`, i, strings.Repeat("x", 1<<15))
	}
	if pub := parseDoc(t, head+b.String()+"</export>"); pub.Records != 2000 {
		t.Errorf("%d records", pub.Records)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(fixture(f, "list.xml")))
	f.Add([]byte(`<export generationDate="2026-09-22T23:30:34Z"><sanctionEntity logicalId="1"><nameAlias wholeName="x"><remark>wallet</remark></nameAlias></sanctionEntity></export>`))
	f.Fuzz(func(t *testing.T, in []byte) { checkFuzzed(t, in) })
}
