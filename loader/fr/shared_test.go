package fr

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"walletscreen/loader/parsertest"
)

// The remarks of the register on two parties, as the list has them: each as a
// value, whole, and with its first words as the comment.
func TestRealRemarks(t *testing.T) {
	const file = "../../../shared/data/fr/gels-avoirs-remarks.txt"
	b, err := os.ReadFile(file)
	if err != nil {
		t.Skipf("not run: %s needs %s, which is no part of the project", t.Name(), file)
	}
	remarks := strings.Split(strings.TrimSpace(string(b)), "\n")
	symbols := [][]string{{"ETH"}, {"BTC", "BTC", "BTC"}, {"BSC", "TRX"}, {"BTC", "BTC", "BTC"}, {"BSC", "TRX"}, {"", "", ""}}
	if len(remarks) != len(symbols) {
		t.Fatalf("%d remarks, want %d", len(remarks), len(symbols))
	}
	distinct := make(map[string]bool)
	for i, remark := range remarks {
		comment, rest, _ := strings.Cut(remark, ": ")
		for _, value := range []string{
			fmt.Sprintf(`{"Identification": %q}`, remark),
			fmt.Sprintf(`{"Identification": %q, "Commentaire": %q}`, rest, comment),
		} {
			pub := parsertest.Parse(t, Parse, `{"Publications":{"DatePublication":"2026-10-01","PublicationDetail":[{"IdRegistre":1,"Nom":"x","Nature":"Personne morale",`+
				`"RegistreDetail":[{"TypeChamp":"IDENTIFICATION","Valeur":[`+value+`]}]}]}}`)
			if len(pub.Parties) != 1 || pub.Unexpected != nil {
				t.Fatalf("remark %d: %s", i+1, parsertest.Readable(pub))
			}
			var got []string
			for _, a := range pub.Parties[0].Addresses {
				got = append(got, a.Symbol)
				distinct[a.Text] = true
			}
			if !slices.Equal(got, symbols[i]) {
				t.Errorf("remark %d: labels %q, want %q", i+1, got, symbols[i])
			}
		}
	}
	if len(distinct) != 9 {
		t.Errorf("%d addresses, want 9", len(distinct))
	}
}
