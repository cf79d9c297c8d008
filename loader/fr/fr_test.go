package fr

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
	parsertest.Golden(t, "list.golden.txt", parsertest.Parse(t, Parse, parsertest.Fixture(t, "list.json")))
}

// The same document in other dress is the same publication.
func TestDress(t *testing.T) {
	doc := parsertest.Fixture(t, "list.json")
	want := parsertest.Readable(parsertest.Parse(t, Parse, doc))
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
		if diff := cmp.Diff(want, parsertest.Readable(parsertest.Parse(t, Parse, in))); diff != "" {
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
		pub := parsertest.Parse(t, Parse, fmt.Sprintf(`{"Publications":{"PublicationDetail":[],"DatePublication":%q}}`, tt.time))
		if pub.PublishedOn != tt.want || pub.Records != 0 || pub.Unexpected != nil {
			t.Errorf("%s: %+v, want %s", tt.time, pub, tt.want)
		}
	}
}

// What is new in the register is read for addresses and counted.
func TestUnexpected(t *testing.T) {
	const wallet = "TFvcWeZ19RDaSX1JnPZ9zXrA9bwHLeibHt"
	doc := parsertest.Fixture(t, "list.json")
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
			pub := parsertest.Parse(t, Parse, parsertest.ReplaceOnce(t, doc, tt.old, tt.new))
			if tt.what != "" && pub.Unexpected[tt.what] != 1 {
				t.Errorf("unexpected %v, want %q", pub.Unexpected, tt.what)
			}
			i := slices.IndexFunc(pub.Parties, func(p screen.PublishedParty) bool { return p.UID == "4964" })
			if (i >= 0) != (tt.row != "") || i >= 0 && (len(pub.Parties[i].Addresses) != 1 || pub.Parties[i].Addresses[0].Symbol+" "+pub.Parties[i].Addresses[0].Text != tt.row) {
				t.Errorf("want %q, got\n%s", tt.row, parsertest.Readable(pub))
			}
		})
	}
}

func TestErrors(t *testing.T) {
	doc := parsertest.Fixture(t, "list.json")
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
		{"no date", parsertest.ReplaceOnce(t, doc, `"DatePublication": "2026-10-09T23:50:59+02:00",`, ""), "line", `DatePublication "", want a time such as`},
		{"French date", parsertest.ReplaceOnce(t, doc, "2026-10-09T23:50:59+02:00", "09/10/2026"), "line", `DatePublication "09/10/2026", want`},
		{"two dates", parsertest.ReplaceOnce(t, doc, `"DatePublication"`, `"DatePublication": "2026-10-01", "DatePublication"`), "line 3, in Publications/DatePublication", "a second date"},
		{"date of another form", parsertest.ReplaceOnce(t, doc, `"2026-10-09T23:50:59+02:00"`, "true"), "line 3, in Publications/DatePublication", "a truth value, want text"},
		{"party of another form", parsertest.ReplaceOnce(t, doc, `"PublicationDetail": [`, `"PublicationDetail": [ 7,`), "line 4, in Publications/PublicationDetail", "a number, want an object"},
		{"no id", parsertest.ReplaceOnce(t, doc, `"IdRegistre": 5200,`, ""), "line", "party number 4 has no IdRegistre"},
		{"id of another form", parsertest.ReplaceOnce(t, doc, `5200`, "[]"), "line 54, in Publications/PublicationDetail/IdRegistre", "an array, want text"},
		{"two ids", parsertest.ReplaceOnce(t, doc, `"IdRegistre": 5200,`, `"IdRegistre": 5200, "IdRegistre": 5201,`), "line", "a second id"},
		{"id twice", parsertest.ReplaceOnce(t, doc, `5200`, "5100"), "line", `a second party with IdRegistre "5100"`},
		{"no name", parsertest.ReplaceOnce(t, doc, `EXEMPLE PLATEFORME`, ""), "line", `the party with IdRegistre "5100" has no name`},
		{"two fields", parsertest.ReplaceOnce(t, doc, `{"TypeChamp": "TELEPHONE",`, `{"TypeChamp": "x", "TypeChamp": "TELEPHONE",`), "line", "a second TypeChamp"},
		{"two lists", parsertest.ReplaceOnce(t, doc, `"DatePublication"`, `"PublicationDetail": [], "DatePublication"`), "line", "want one Publications with one PublicationDetail"},
		{"cut short", doc[:len(doc)/2], "line", "unexpected EOF"},
		{"not closed", doc[:strings.LastIndex(doc, "}")], "line", "unexpected EOF: the document is cut short"},
		{"behind", doc + "{}", "line", "behind the end of the document: an object"},
		{"syntax", parsertest.ReplaceOnce(t, doc, `"Nom": "LEURRE",`, `"Nom": "LEURRE"`), "line", "after object key:value pair"},
		{"deep objects", parsertest.ReplaceOnce(t, doc, `"DatePublication"`, `"x": `+deep+`, "DatePublication"`), "line 3", "more than 32 open objects and arrays"},
		{"deep arrays", parsertest.ReplaceOnce(t, doc, `"DatePublication"`, `"x": `+flat+`, "DatePublication"`), "line 3", "more than 32 open objects and arrays"},
		{"long value", parsertest.ReplaceOnce(t, doc, "HOLLANDAIS", strings.Repeat("x", 3*maxValue)), "line 56, in Publications/PublicationDetail/Nom", "a value of more than 1048576 bytes"},
		{"long party", parsertest.ReplaceOnce(t, doc, `{"NumeroOMI": "9191734"}`, strings.Repeat(`{"x": "`+strings.Repeat("x", 1<<19)+`"},`, 9)+"{}"), "line", "a party of more than 4194304 bytes"},
	} {
		t.Run(tt.name, func(t *testing.T) { parsertest.WantError(t, Parse, tt.doc, "fr: "+tt.where, tt.want) })
	}
}

func TestReadError(t *testing.T) {
	broken := errors.New("connection reset")
	doc := parsertest.Fixture(t, "list.json")
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
	parsertest.WantError(t, Parse, document("TFvcWeZ19RDaSX1JnPZ9zXrA9bwHLeibHt"), "fr: line 1, in Publications/PublicationDetail", "names and addresses of more than 67108864 bytes")
	if pub := parsertest.Parse(t, Parse, document("x")); pub.Records != 130 || pub.Unexpected != nil {
		t.Errorf("%d records, unexpected %v", pub.Records, pub.Unexpected)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(parsertest.Fixture(f, "list.json")))
	f.Add([]byte(`{"Publications":{"DatePublication":"2026-10-01","PublicationDetail":[{"IdRegistre":1,"Nom":"x","RegistreDetail":[{"TypeChamp":"MOTIFS","Valeur":[{"Motifs":"x"}]}]}]}}`))
	f.Fuzz(func(t *testing.T, in []byte) {
		if pub := parsertest.Fuzzed(t, Parse, in); pub != nil && pub.PublishedOn == 0 {
			t.Fatal("a publication without a date")
		}
	})
}
