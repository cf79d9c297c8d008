package screen_test

import (
	"bufio"
	"cmp"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"walletscreen/loader/ofac"
	"walletscreen/screen"
)

// real is where publications of 2024 to 2026 stand, beside the project; they are
// no part of it. README.md there says what is in them.
const real = "../../shared/data/ofac/sdn_xml"

var sdnList = screen.List{ID: "us-ofac-sdn", Kind: screen.KindDesignation, Authority: "OFAC", Name: "Specially Designated Nationals and Blocked Persons List"}

// realPublications reads the publications in order of date.
func realPublications(t *testing.T) []*screen.Publication {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(real, "SDN-*.crypto-subset.xml.gz"))
	if err != nil {
		t.Fatal(err)
	}
	if len(names) == 0 {
		t.Skipf("not run: %s needs the publications of ofac/sdn_xml, which are no part of the project", t.Name())
	}
	if len(names) != 27 {
		t.Fatalf("%d publications, want 27", len(names))
	}
	var pubs []*screen.Publication
	for _, name := range names {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		z, err := gzip.NewReader(f)
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.New()
		pub, err := ofac.Parse(io.TeeReader(z, sum))
		if err != nil {
			t.Fatal(err)
		}
		f.Close()
		pub.List, pub.Digest = sdnList.ID, screen.Digest(sum.Sum(nil))
		pubs = append(pubs, pub)
	}
	slices.SortFunc(pubs, func(a, b *screen.Publication) int { return cmp.Compare(a.PublishedOn, b.PublishedOn) })
	return pubs
}

// truth reads lines of JSON.
func truth[T any](t *testing.T, name string) []T {
	t.Helper()
	f, err := os.Open(filepath.Join(real, name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var all []T
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var v T
		if err := json.Unmarshal(lines.Bytes(), &v); err != nil {
			t.Fatal(err)
		}
		all = append(all, v)
	}
	return all
}

// seen is one line of history.jsonl: the first and the last publication that
// print an address of a party, each under all of the symbols.
type seen struct {
	Address string   `json:"address"`
	UID     string   `json:"uid"`
	Symbols []string `json:"tickers"`
	First   string   `json:"first"`
	Last    string   `json:"last"`
}

func compareSeen(a, b seen) int {
	return cmp.Or(strings.Compare(a.UID, b.UID), strings.Compare(a.Address, b.Address), strings.Compare(a.First, b.First))
}

// history tells of a snapshot what history.jsonl does.
func history(s *screen.Snapshot) []seen {
	list := s.List(sdnList.ID)
	var all []seen
	for i := range s.Listings() {
		l := &s.Listings()[i]
		last := list.Current()
		if l.Delisted != 0 {
			last = list.At(l.Delisted - 1)
		}
		row := seen{l.Text, s.PartyOf(l).UID, []string{l.Symbol}, list.At(l.Listed).PublishedOn.String(), last.PublishedOn.String()}
		if n := len(all); n > 0 && compareSeen(all[n-1], row) == 0 && all[n-1].Last == row.Last {
			all[n-1].Symbols = append(all[n-1].Symbols, l.Symbol)
			continue
		}
		all = append(all, row)
	}
	slices.SortFunc(all, compareSeen)
	return all
}

// programs is one line of parties.jsonl: the programs of a party from each
// publication on that says something new of them.
type programs struct {
	UID      string              `json:"uid"`
	Name     string              `json:"name"`
	Programs map[string][]string `json:"programs"`
}

func comparePrograms(a, b programs) int { return strings.Compare(a.UID, b.UID) }

func programsOf(s *screen.Snapshot) []programs {
	var all []programs
	for i := range s.Parties() {
		p := &s.Parties()[i]
		of := programs{p.UID, p.Versions[0].Name, map[string][]string{}}
		for _, v := range p.Versions {
			of.Programs[s.List(sdnList.ID).At(v.Since).PublishedOn.String()] = v.Programs
		}
		all = append(all, of)
	}
	slices.SortFunc(all, comparePrograms)
	return all
}

// In whatever order the real publications arrive, the snapshot is the same, and
// its history is the truth.
func TestRealPublicationsInAnyOrder(t *testing.T) {
	pubs := realPublications(t)
	wantHistory, wantPrograms := truth[seen](t, "history.jsonl"), truth[programs](t, "parties.jsonl")
	slices.SortFunc(wantHistory, compareSeen)
	slices.SortFunc(wantPrograms, comparePrograms)

	random := rand.New(rand.NewPCG(27, 0))
	orders := 4
	if testing.Short() {
		orders = 3
	}
	var want *screen.Snapshot
	for i := range orders {
		s := screen.Empty()
		for _, pub := range pubs {
			next, _, err := s.Merge(sdnList, pub)
			if errors.Is(err, screen.ErrSuperseded) {
				next, _, err = s.Backfill(sdnList, pub)
			}
			if err != nil {
				t.Fatal(err)
			}
			s = next
		}
		if i == 0 {
			want = s
			if diff := gocmp.Diff(wantHistory, history(s)); diff != "" {
				t.Errorf("history (-history.jsonl +got):\n%s", diff)
			}
			if diff := gocmp.Diff(wantPrograms, programsOf(s)); diff != "" {
				t.Errorf("programs (-parties.jsonl +got):\n%s", diff)
			}
		}
		if !s.Equal(want) {
			t.Fatalf("order %d: another snapshot (-in order of date +got):\n%s", i, gocmp.Diff(string(want.Encoding()), string(s.Encoding())))
		}
		random.Shuffle(len(pubs), func(i, j int) { pubs[i], pubs[j] = pubs[j], pubs[i] })
		if i == 1 { // the worst order: each one earlier than all before it
			slices.SortFunc(pubs, func(a, b *screen.Publication) int { return cmp.Compare(b.PublishedOn, a.PublishedOn) })
		}
	}
}
