package screen

import (
	"crypto/sha256"
	"flag"
	"os"
	"testing"

	"walletscreen/screen/address"
)

var update = flag.Bool("update", false, "write the golden files anew")

// The lists of the tests, one of each kind that matters.
var (
	sdn      = List{ID: "us-ofac-sdn", Kind: KindDesignation, Authority: "OFAC", Name: "Specially Designated Nationals and Blocked Persons List", URL: "https://example.org/sdn"}
	seizures = List{ID: "il-nbctf", Kind: KindSeizureOrder, Authority: "NBCTF", Name: "Seizure orders", URL: "https://example.org/nbctf"}
	own      = List{ID: "own", Kind: KindInternal, Authority: "we", Name: "Our own list"}
	advisory = List{ID: "us-fbi", Kind: KindAdvisory, Authority: "FBI", Name: "Notices", URL: "https://example.org/fbi"}
)

// publication makes a publication whose digest is that of name.
func publication(list List, on Date, name string, parties ...PublishedParty) *Publication {
	return &Publication{List: list.ID, PublishedOn: on, Digest: sha256.Sum256([]byte(name)), Records: 10 + len(parties), Parties: parties}
}

func party(uid string, addresses ...PublishedAddress) PublishedParty {
	return PublishedParty{UID: uid, Facts: Facts{Name: "Party " + uid, Type: PartyEntity, Programs: []string{"DPRK4"}}, Addresses: addresses}
}

func row(text string) PublishedAddress { return PublishedAddress{Text: text, Symbol: "XBT"} }

func rows(texts ...string) []PublishedAddress {
	var all []PublishedAddress
	for _, text := range texts {
		all = append(all, row(text))
	}
	return all
}

// merged is Merge for publications that must merge.
func merged(t testing.TB, s *Snapshot, list List, pub *Publication) *Snapshot {
	t.Helper()
	next, _ := mergedChanges(t, s, list, pub)
	return next
}

func mergedChanges(t testing.TB, s *Snapshot, list List, pub *Publication) (*Snapshot, *Changes) {
	t.Helper()
	next, changes, err := s.Merge(list, pub)
	if err != nil {
		t.Fatal(err)
	}
	return next, changes
}

// listed is a snapshot of the SDN list with one party and the given texts.
func listed(t testing.TB, texts ...string) *Snapshot {
	t.Helper()
	return merged(t, Empty(), sdn, publication(sdn, 20240101, "listed", party("1", rows(texts...)...)))
}

// account writes the account of a kind whose payload is filled with one byte.
func account(kind address.Kind, fill byte, testnet bool) string {
	r := address.Reading{Key: address.Key{byte(kind)}, Testnet: testnet}
	for i := range r.Payload() {
		r.Payload()[i] = fill
	}
	return r.Format()
}

func golden(t *testing.T, file string, got []byte) []byte {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return want
}
