// Package parsertest holds what the tests of parsers have in common: what is true
// of every parser of a publisher's document, fixtures, golden files, and the
// publications that may stand beside the project.
package parsertest

import (
	"bytes"
	"encoding/json"
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

// A Parser reads one publication.
type Parser func(io.Reader) (*screen.Publication, error)

// Fixture returns the file of that name in testdata.
func Fixture(t testing.TB, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// ReplaceOnce replaces what must stand exactly once in a fixture.
func ReplaceOnce(t testing.TB, fixture, old, new string) string {
	t.Helper()
	if n := strings.Count(fixture, old); n != 1 {
		t.Fatalf("%.80q stands %d times in the fixture", old, n)
	}
	return strings.Replace(fixture, old, new, 1)
}

// Parse parses a document that must be read.
func Parse(t testing.TB, parse Parser, doc string) *screen.Publication {
	t.Helper()
	pub, err := parse(strings.NewReader(doc))
	if err != nil {
		t.Fatal(err)
	}
	return pub
}

// WantError parses a document that must be refused, with an error that begins
// with prefix and holds want.
func WantError(t testing.TB, parse Parser, doc, prefix, want string) {
	t.Helper()
	pub, err := parse(strings.NewReader(doc))
	if err == nil {
		t.Fatalf("no error, want %q; got\n%s", want, Readable(pub))
	}
	if !strings.HasPrefix(err.Error(), prefix) || !strings.Contains(err.Error(), want) {
		t.Errorf("%v\nwant %q", err, prefix+"..."+want)
	}
	if pub != nil {
		t.Error("an error and a publication")
	}
}

// Readable writes a publication for people, a fact a line.
func Readable(pub *screen.Publication) string {
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

// Golden compares a publication with the golden file of that name in testdata,
// which the flag -update writes anew.
func Golden(t testing.TB, golden string, pub *screen.Publication) {
	t.Helper()
	GoldenText(t, golden, Readable(pub))
}

// GoldenText is Golden for a text.
func GoldenText(t testing.TB, golden, got string) {
	t.Helper()
	golden = filepath.Join("testdata", golden)
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

// Fuzzed checks what holds of every input: it gives the same when it comes in
// pieces, an error is short, and a publication keeps its promises, can be merged,
// written and read again. It returns the publication, nil if there is none.
func Fuzzed(t testing.TB, parse Parser, in []byte) *screen.Publication {
	t.Helper()
	pub, err := parse(bytes.NewReader(in))
	again, err2 := parse(iotest.OneByteReader(bytes.NewReader(in)))
	if fmt.Sprint(err) != fmt.Sprint(err2) || !reflect.DeepEqual(pub, again) {
		t.Fatalf("whole: %v; in pieces: %v", err, err2)
	}
	if err != nil {
		if pub != nil || len(err.Error()) > 8<<10 {
			t.Fatalf("error of %d bytes, publication %v", len(err.Error()), pub)
		}
		return nil
	}
	if pub.Records < len(pub.Parties) {
		t.Fatalf("%d records, %d parties", pub.Records, len(pub.Parties))
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
	whole := *pub
	whole.List, whole.Digest = "list", screen.Digest{1}
	if whole.PublishedOn == 0 {
		whole.PublishedOn = 20261121 // the loader dates what does not say its date
	}
	list := screen.List{ID: whole.List, Kind: screen.KindDesignation, Authority: "Authority", Name: "List"}
	snapshot, _, err := screen.Empty().Merge(list, &whole)
	if err != nil {
		t.Fatalf("merging: %v", err)
	}
	if len(whole.Parties) > 0 {
		if _, err := screen.Decode(snapshot.Encoding()); err != nil {
			t.Fatalf("reading back: %v", err)
		}
	}
	return pub
}

// shared is where real publications stand, seen from a parser's folder; they are
// no part of the project. README.md there says what is in them.
const shared = "../../../shared"

// SharedFile returns a real publication, and skips the test where there is none.
func SharedFile(t testing.TB, path ...string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(append([]string{shared}, path...)...))
	if err != nil {
		t.Skipf("not run: %s needs %s, which is no part of the project", t.Name(), filepath.Join(path...))
	}
	return string(b)
}

// Counts returns how many address rows and distinct addresses a publication has.
func Counts(pub *screen.Publication) (rows, addresses int) {
	distinct := make(map[string]bool)
	for _, p := range pub.Parties {
		for _, a := range p.Addresses {
			rows++
			distinct[a.Text] = true
		}
	}
	return rows, len(distinct)
}

// Listings checks that every case of a list in cases/listings.json is a row of one
// of the publications, with its party, program, date and symbols.
func Listings(t testing.TB, list string, pubs []*screen.Publication) {
	t.Helper()
	var cases []struct {
		Address, Asset, Party, List string
		Programs                    []string
		UID                         string `json:"source_uid"`
		ListedOn                    string `json:"listed_on"`
	}
	if err := json.Unmarshal([]byte(SharedFile(t, "cases", "listings.json")), &cases); err != nil {
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
