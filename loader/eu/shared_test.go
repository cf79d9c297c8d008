package eu

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"walletscreen/screen"
)

// shared is where real publications stand, beside the project; they are no part
// of it. README.md there says what is in them.
const shared = "../../../shared"

func sharedFile(t testing.TB, path ...string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(append([]string{shared}, path...)...))
	if err != nil {
		t.Skipf("not run: %s needs %s, which is no part of the project", t.Name(), filepath.Join(path...))
	}
	return string(b)
}

// counts returns how many rows and distinct addresses a publication has.
func counts(pub *screen.Publication) (rows, addresses int) {
	distinct := make(map[string]bool)
	for _, p := range pub.Parties {
		for _, a := range p.Addresses {
			rows++
			distinct[a.Text] = true
		}
	}
	return rows, len(distinct)
}

// checkListings checks that every case of a list in cases/listings.json is a row
// of one of the publications, with its party, program, date and symbols.
func checkListings(t *testing.T, list string, pubs []*screen.Publication) {
	t.Helper()
	var cases []struct {
		Address, Asset, Party, List string
		Programs                    []string
		UID                         string `json:"source_uid"`
		ListedOn                    string `json:"listed_on"`
	}
	if err := json.Unmarshal([]byte(sharedFile(t, "cases", "listings.json")), &cases); err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, c := range cases {
		if c.List != list {
			continue
		}
		n++
		found := false
		for _, pub := range pubs {
			for _, p := range pub.Parties {
				var symbols []string
				for _, a := range p.Addresses {
					if a.Text == c.Address {
						symbols = append(symbols, a.Symbol)
					}
				}
				if symbols == nil {
					continue
				}
				found = true
				asset := strings.Join(symbols, "/")
				if asset == "" {
					asset = "unlabelled"
				}
				if p.UID != c.UID || !strings.Contains(c.Party, p.Facts.Name) || !slices.Equal(p.Facts.Programs, c.Programs) || asset != c.Asset ||
					len(p.Facts.Entries) != 1 || p.Facts.Entries[0].On.String() != c.ListedOn {
					t.Errorf("%s: party %s, %+v, labels %s; want %+v", c.Address, p.UID, p.Facts, asset, c)
				}
			}
		}
		if !found {
			t.Errorf("%s of %s is in no publication", c.Address, c.UID)
		}
	}
	if n == 0 {
		t.Errorf("no case of list %s", list)
	}
}

func TestRealExcerpts(t *testing.T) {
	var pubs []*screen.Publication
	for _, tt := range []struct {
		name                              string
		date                              screen.Date
		records, parties, rows, addresses int
	}{
		{"FSF-1.1.excerpt-2026-08-05.xml", 20260805, 1, 0, 0, 0},
		{"FSF-1.1.excerpt-2026-09-22.xml", 20260922, 2, 2, 9, 9},
	} {
		pub := parseDoc(t, sharedFile(t, "data", "eu", tt.name))
		rows, addresses := counts(pub)
		if pub.PublishedOn != tt.date || pub.Records != tt.records || len(pub.Parties) != tt.parties || rows != tt.rows || addresses != tt.addresses || pub.Unexpected != nil {
			t.Errorf("%s: %s, %d records, %d parties, %d rows, %d addresses, unexpected %v; want %+v",
				tt.name, pub.PublishedOn, pub.Records, len(pub.Parties), rows, addresses, pub.Unexpected, tt)
		}
		pubs = append(pubs, pub)
	}
	checkListings(t, "EU_FSF", pubs)
}
