package fr

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

func TestGolden(t *testing.T) {
	checkGolden(t, "list.golden.txt", parseDoc(t, fixture(t, "list.json")))
}

// The same document in other dress is the same publication.
func TestDress(t *testing.T) {
	doc := fixture(t, "list.json")
	want := readable(parseDoc(t, doc))
	for dress, wear := range map[string]func(string) string{
		"byte order mark": func(s string) string { return "\ufeff" + s },
		"line ends":       func(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") },
		"one line":        func(s string) string { return strings.NewReplacer("\n", "", "  ", "").Replace(s) },
		"escapes": func(s string) string {
			return strings.NewReplacer("ETH: 0x", `ET\u0048:\u00a00x`, "é", `\u00e9`).Replace(s)
		},
		"texts": func(s string) string { return strings.NewReplacer("5100", `"5100"`, "1815", `" 1815 "`).Replace(s) },
		"one value, no array": func(s string) string {
			return strings.Replace(s, `[{"Sexe": "Féminin"}]`, `{"Sexe": "Féminin"}`, 1)
		},
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

func TestPublishedOn(t *testing.T) {
	for _, tt := range []struct {
		time string
		want screen.Date
	}{
		{"2026-10-09T23:50:59+02:00", 20261009},
		{"2026-10-10T00:50:59+02:00", 20261010},
		{"2026-10-09T23:50:59.1234567", 20261009},
		{"2026-07-11 12:00:00", 20260711},
		{"2026-10-01", 20261001},
	} {
		pub := parseDoc(t, fmt.Sprintf(`{"Publications":{"PublicationDetail":[],"DatePublication":%q}}`, tt.time))
		if pub.PublishedOn != tt.want || pub.Records != 0 || pub.Unexpected != nil {
			t.Errorf("%s: %+v, want %s", tt.time, pub, tt.want)
		}
	}
}

// What is new in the register is read for addresses and counted.
func TestUnexpected(t *testing.T) {
	const wallet = "TFvcWeZ19RDaSX1JnPZ9zXrA9bwHLeibHt"
	doc := fixture(t, "list.json")
	const decoy = `{"TypeChamp": "TELEPHONE",`
	for _, tt := range []struct{ name, old, new, what, row string }{
		{"field", decoy, `{"TypeChamp": "PORTEFEUILLE", "Valeur": [{"Portefeuille": "` + wallet + `", "Commentaire": "USDT"}]}, ` + decoy, `TypeChamp "PORTEFEUILLE"`, "USDT " + wallet},
		{"field without checksum", decoy, `{"TypeChamp": "PORTEFEUILLE", "Valeur": "4Nd1mBQtrMJVYVfKf2PJy9NZUZdTAsp7D4xWLs4gDB4U"}, ` + decoy, `TypeChamp "PORTEFEUILLE"`,
			" 4Nd1mBQtrMJVYVfKf2PJy9NZUZdTAsp7D4xWLs4gDB4U"},
		{"no field", decoy, `{"Valeur": [["` + wallet + `"], true]}, ` + decoy, `TypeChamp ""`, " " + wallet},
		{"key of a field", decoy, `{"Note": {"x": [{"y": "USDT ` + wallet + `"}]}, "TypeChamp": "TELEPHONE",`, "key Publications/PublicationDetail/RegistreDetail/Note", "USDT " + wallet},
		{"key of a value", `{"Telephone":`, `{"Note": "USDT ` + wallet + `", "Telephone":`, "", "USDT " + wallet},
		{"key of the party", `"Nom": "LEURRE",`, `"Nom": "LEURRE", "Portefeuilles": ["` + wallet + `", 1, false, null],`, "key Publications/PublicationDetail/Portefeuilles", " " + wallet},
		{"key of the publication", `"DatePublication"`, `"Version": {"a": [1, {"b": "` + wallet + `"}]}, "DatePublication"`, "key Publications/Version", ""},
		{"key of the document", `"Publications"`, `"Version": [[[]]], "Publications"`, "key Version", ""},
		{"nature", `"Nature": "Navire"`, `"Nature": "Aéronef"`, "a Nature other than Personne physique, Personne morale and Navire", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			pub := parseDoc(t, replaceOnce(t, doc, tt.old, tt.new))
			if tt.what != "" && pub.Unexpected[tt.what] != 1 {
				t.Errorf("unexpected %v, want %q", pub.Unexpected, tt.what)
			}
			i := slices.IndexFunc(pub.Parties, func(p screen.PublishedParty) bool { return p.UID == "4964" })
			if (i >= 0) != (tt.row != "") || i >= 0 && (len(pub.Parties[i].Addresses) != 1 || pub.Parties[i].Addresses[0].Symbol+" "+pub.Parties[i].Addresses[0].Text != tt.row) {
				t.Errorf("want %q, got\n%s", tt.row, readable(pub))
			}
		})
	}
}

func TestErrors(t *testing.T) {
	doc := fixture(t, "list.json")
	deep := strings.Repeat(`{"x":`, 40) + "1" + strings.Repeat("}", 40)
	flat := strings.Repeat("[", 40) + strings.Repeat("]", 40)
	for _, tt := range []struct{ name, doc, where, want string }{
		{"empty", "", "line 1, in the document", "unexpected EOF: the document is cut short"},
		{"HTML", "<html><body>", "line 1, in the document", "invalid character '<'"},
		{"another object", `{"message":"Forbidden"}`, "line 1, in the document", "want one Publications with one PublicationDetail: not the register"},
		{"an array", `[]`, "line 1, in the document", "an array, want an object"},
		{"a string", `"Forbidden"`, "line 1, in the document", "a string, want an object"},
		{"nothing in it", `{"Publications":null}`, "line 1, in Publications", "null, want an object"},
		{"no list", `{"Publications":{"DatePublication":"2026-10-01"}}`, "line 1, in the document", "not the register"},
		{"list of another form", `{"Publications":{"PublicationDetail":{}}}`, "line 1, in Publications/PublicationDetail", "an object, want an array"},
		{"no date", replaceOnce(t, doc, `"DatePublication": "2026-10-09T23:50:59+02:00",`, ""), "line", `DatePublication "", want a time such as`},
		{"French date", replaceOnce(t, doc, "2026-10-09T23:50:59+02:00", "09/10/2026"), "line", `DatePublication "09/10/2026", want`},
		{"two dates", replaceOnce(t, doc, `"DatePublication"`, `"DatePublication": "2026-10-01", "DatePublication"`), "line 3, in Publications/DatePublication", "a second date"},
		{"date of another form", replaceOnce(t, doc, `"2026-10-09T23:50:59+02:00"`, "true"), "line 3, in Publications/DatePublication", "a truth value, want text"},
		{"party of another form", replaceOnce(t, doc, `"PublicationDetail": [`, `"PublicationDetail": [ 7,`), "line 4, in Publications/PublicationDetail", "a number, want an object"},
		{"no id", replaceOnce(t, doc, `"IdRegistre": 5200,`, ""), "line", "party number 4 has no IdRegistre"},
		{"id of another form", replaceOnce(t, doc, `5200`, "[]"), "line 54, in Publications/PublicationDetail/IdRegistre", "an array, want text"},
		{"two ids", replaceOnce(t, doc, `"IdRegistre": 5200,`, `"IdRegistre": 5200, "IdRegistre": 5201,`), "line", "a second id"},
		{"id twice", replaceOnce(t, doc, `5200`, "5100"), "line", `a second party with IdRegistre "5100"`},
		{"no name", replaceOnce(t, doc, `EXEMPLE PLATEFORME`, ""), "line", `the party with IdRegistre "5100" has no name`},
		{"two fields", replaceOnce(t, doc, `{"TypeChamp": "TELEPHONE",`, `{"TypeChamp": "x", "TypeChamp": "TELEPHONE",`), "line", "a second TypeChamp"},
		{"two lists", replaceOnce(t, doc, `"DatePublication"`, `"PublicationDetail": [], "DatePublication"`), "line", "want one Publications with one PublicationDetail"},
		{"cut short", doc[:len(doc)/2], "line", "unexpected EOF"},
		{"not closed", doc[:strings.LastIndex(doc, "}")], "line", "unexpected EOF: the document is cut short"},
		{"behind", doc + "{}", "line", "behind the end of the document: an object"},
		{"syntax", replaceOnce(t, doc, `"Nom": "LEURRE",`, `"Nom": "LEURRE"`), "line", "after object key:value pair"},
		{"deep objects", replaceOnce(t, doc, `"DatePublication"`, `"x": `+deep+`, "DatePublication"`), "line 3", "more than 32 open objects and arrays"},
		{"deep arrays", replaceOnce(t, doc, `"DatePublication"`, `"x": `+flat+`, "DatePublication"`), "line 3", "more than 32 open objects and arrays"},
		{"long value", replaceOnce(t, doc, "HOLLANDAIS", strings.Repeat("x", 3*maxValue)), "line 56, in Publications/PublicationDetail/Nom", "a value of more than 1048576 bytes"},
		{"long party", replaceOnce(t, doc, `{"NumeroOMI": "9191734"}`, strings.Repeat(`{"x": "`+strings.Repeat("x", 1<<19)+`"},`, 9)+"{}"), "line", "a party of more than 4194304 bytes"},
	} {
		t.Run(tt.name, func(t *testing.T) { wantError(t, tt.doc, "fr: "+tt.where, tt.want) })
	}
}

func TestReadError(t *testing.T) {
	broken := errors.New("connection reset")
	doc := fixture(t, "list.json")
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
	long := strings.Repeat("x", 1<<19)
	document := func(wallet string) string {
		var b strings.Builder
		b.WriteString(`{"Publications":{"DatePublication":"2026-10-01","PublicationDetail":[`)
		for i := range 130 {
			if i > 0 {
				b.WriteByte(',')
			}
			fmt.Fprintf(&b, `{"IdRegistre":%d,"Nature":"Navire","Nom":"%s","RegistreDetail":[{"TypeChamp":"MOTIFS","Valeur":[{"Motifs":"%s"}]}]}`, i, long, wallet)
		}
		b.WriteString("]}}")
		return b.String()
	}
	wantError(t, document("TFvcWeZ19RDaSX1JnPZ9zXrA9bwHLeibHt"), "fr: line 1, in Publications/PublicationDetail", "names and addresses of more than 67108864 bytes")
	if pub := parseDoc(t, document("x")); pub.Records != 130 || pub.Unexpected != nil {
		t.Errorf("%d records, unexpected %v", pub.Records, pub.Unexpected)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(fixture(f, "list.json")))
	f.Add([]byte(`{"Publications":{"DatePublication":"2026-10-01","PublicationDetail":[{"IdRegistre":1,"Nom":"x","RegistreDetail":[{"TypeChamp":"MOTIFS","Valeur":[{"Motifs":"x"}]}]}]}}`))
	f.Fuzz(func(t *testing.T, in []byte) { checkFuzzed(t, in) })
}
