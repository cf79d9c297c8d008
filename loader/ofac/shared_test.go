package ofac

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"encoding/xml"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"walletscreen/loader/document"
	"walletscreen/loader/parsertest"
	"walletscreen/screen"
)

// shared is where real publications stand, beside the project; they are no part
// of it. README.md there says what is in them.
const shared = "../../../shared/data"

func sharedFile(t testing.TB, path ...string) string {
	t.Helper()
	name := filepath.Join(append([]string{shared}, path...)...)
	if _, err := os.Stat(name); err != nil {
		t.Skipf("not run: %s needs %s, which is no part of the project", t.Name(), filepath.Join(path...))
	}
	return name
}

// counts is what README.md says of one file, or what was found in it.
type counts struct {
	date             string
	records, parties int
	rows, addresses  int
	symbols          map[string]int
}

// wantCounts reads the counts of the files under ofac/ from README.md, by name.
func wantCounts(t *testing.T) map[string]counts {
	t.Helper()
	b, err := os.ReadFile(sharedFile(t, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	number := func(cell string) int {
		if cell == "" {
			return 0
		}
		n, err := strconv.Atoi(strings.ReplaceAll(cell, ",", ""))
		if err != nil {
			t.Fatalf("README.md: %v", err)
		}
		return n
	}
	want := make(map[string]counts)
	var symbols []string
	for line := range strings.Lines(string(b)) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		name := strings.Trim(cells[0], "`")
		switch {
		case strings.HasPrefix(name, "ofac/sdn_advanced/"), strings.HasPrefix(name, "ofac/sdn_xml/SDN-"):
			c := counts{date: cells[3], records: number(cells[4]), rows: number(cells[5]), addresses: number(cells[6])}
			c.parties = c.records // of a subset and of an excerpt, but for those without an address
			if _, text, ok := strings.Cut(cells[1], "; "); ok && strings.Contains(text, "parties have an address") {
				c.parties = number(strings.Fields(text)[0])
			}
			want[strings.TrimPrefix(name, "ofac/")] = c
		case len(cells) > 1 && cells[0] == "file" && cells[1] == "XBT":
			symbols = cells[1:]
		case symbols != nil && strings.HasPrefix(name, "sdn_"):
			c, ok := want[name]
			if !ok {
				continue
			}
			c.symbols = make(map[string]int)
			for i, cell := range cells[1:] {
				if n := number(cell); n > 0 {
					c.symbols[symbols[i]] = n
				}
			}
			want[name] = c
		}
	}
	return want
}

func count(pub *screen.Publication) counts {
	c := counts{date: pub.PublishedOn.String(), records: pub.Records, parties: len(pub.Parties), symbols: make(map[string]int)}
	distinct := make(map[string]bool)
	for _, p := range pub.Parties {
		for _, a := range p.Addresses {
			c.rows++
			distinct[a.Text] = true
			c.symbols[a.Symbol]++
		}
	}
	c.addresses = len(distinct)
	return c
}

func open(t testing.TB, name string) *document.Document {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	d, err := document.Open(filepath.Base(name), f, document.XML|document.Text)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
		f.Close()
	})
	return d
}

func checkCounts(t *testing.T, pub *screen.Publication, want counts) {
	t.Helper()
	if got := count(pub); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
	if len(pub.Unexpected) > 0 {
		t.Errorf("unexpected: %v", pub.Unexpected)
	}
	seen := make(map[string]bool)
	for _, p := range pub.Parties {
		if p.Facts.Name == "" || p.Facts.Type == screen.PartyUnspecified || len(p.Facts.Programs) == 0 {
			t.Errorf("party %s: %+v", p.UID, p.Facts)
		}
		for _, a := range p.Addresses {
			if len(a.SourceIDs) != 1 || seen[a.SourceIDs[0]] {
				t.Errorf("party %s: ids %q, want one of its own", p.UID, a.SourceIDs)
			} else {
				seen[a.SourceIDs[0]] = true
			}
		}
	}
}

const newest = "SDN_ADVANCED-2025-11-19.xml.bz2"

// digests are of the decompressed documents, as README.md has them.
var digests = map[string]string{
	"SDN_ADVANCED-2024-05-29.xml.bz2": "b6e13caa9c071658fe4d2bbacfd718496899b55f488833ed10242cda8f9bebdc",
	"SDN_ADVANCED-2025-03-04.xml.bz2": "3f55a900e828ad33d5b4c6d1b895d28fabe039e48d46f19e2de060200fc33430",
	"SDN_ADVANCED-2025-03-21.xml.bz2": "323a36271e705a1c817bd80f6580e056343b8ce8898457421ae053f4b7e54da6",
	"SDN_ADVANCED-2025-10-30.xml.bz2": "e0832ab60459cd8e7bfd2d3de30dfdfaa7fd6f4eba13b688a30aded01a1ff891",
	"SDN_ADVANCED-2025-11-04.xml.bz2": "2336e0a107beccc23ea147791a78e17d069f821cc1a3162ba04e11ba1bc8df9e",
	newest:                            "36c517bd264d8d97eff353eadd8d84427d5eb293505a8ce07271a5bc258c3117",
}

// sdnDates are those of the SDN_ADVANCED publications that have an SDN.XML of the
// same day.
var sdnDates = []string{"2025-03-04", "2025-03-21", "2025-10-30", "2025-11-04", "2025-11-19"}

// The real SDN_ADVANCED publications give exactly what is known to be in them,
// and what the SDN.XML of the same day gives.
func TestRealAdvanced(t *testing.T) {
	want := wantCounts(t)
	slots := make(chan struct{}, 2) // a publication is 120 MB to unpack
	for _, name := range slices.Sorted(maps.Keys(digests)) {
		t.Run(name, func(t *testing.T) {
			if parsertest.UnderRace {
				t.Skip("not run with -race: a publication of 120 MB, and one goroutine")
			}
			if name != newest {
				if testing.Short() {
					t.Skip("not run with -short: only the newest publication is")
				}
				t.Parallel()
				slots <- struct{}{}
				defer func() { <-slots }()
			}
			d := open(t, sharedFile(t, "ofac/sdn_advanced", name))
			runtime.GC() // what the tests before left
			heap := &heapPeak{r: d}
			pub, err := Parse(heap)
			if err != nil {
				t.Fatal(err)
			}
			if name == newest && heap.peak > 64<<20 {
				t.Errorf("%d MB of heap in use while reading, want less than 64", heap.peak>>20)
			}
			checkCounts(t, pub, want["sdn_advanced/"+name])
			if sum, err := d.Digest(); err != nil || sum.String() != digests[name] {
				t.Errorf("digest %v, %v; want %s", sum, err, digests[name])
			}
			for _, p := range pub.Parties {
				if len(p.Facts.Entries) == 0 {
					t.Errorf("party %s has no entry event", p.UID)
				}
			}
			if name == newest {
				checkOddities(t, pub)
			}
			switch name {
			case newest:
				compareWithEnhanced(t, pub)
			case "SDN_ADVANCED-2024-05-29.xml.bz2":
				compareWithCSV(t, pub)
			}
			if date := pub.PublishedOn.String(); slices.Contains(sdnDates, date) {
				compareWithSDN(t, pub, date)
			}
		})
	}
}

// heapPeak samples the heap while it is read from.
type heapPeak struct {
	r       io.Reader
	read, n int
	peak    uint64
}

func (h *heapPeak) Read(p []byte) (int, error) {
	n, err := h.r.Read(p)
	if h.read += n; h.read >= h.n {
		h.n += 1 << 20
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		h.peak = max(h.peak, m.HeapInuse)
	}
	return n, err
}

// compareWithSDN compares an SDN_ADVANCED publication with the SDN.XML of the
// same date. But for what SDN.XML cannot say, which it takes away from advanced,
// no difference is left in the facts of any party.
func compareWithSDN(t *testing.T, advanced *screen.Publication, date string) {
	t.Helper()
	sdn, err := Parse(open(t, sharedFile(t, "ofac/sdn_xml", "SDN-"+date+".crypto-subset.xml.gz")))
	if err != nil {
		t.Fatal(err)
	}
	compare(t, "SDN_ADVANCED", sameInAll(advanced), "SDN.XML", sameInAll(sdn))
}

// compareWithEnhanced compares the SDN_ADVANCED publication of 2025-11-19 with
// the SDN_ENHANCED, which has one date of an entry, the first.
func compareWithEnhanced(t *testing.T, advanced *screen.Publication) {
	t.Helper()
	name := sharedFile(t, "ofac/sdn_enhanced", "SDN_ENHANCED-2025-11-19.crypto-subset.xml.gz")
	enhanced, err := Parse(open(t, name))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ParseConsolidated(open(t, name)); err == nil || !strings.Contains(err.Error(), `of the SDN List: 79 entries are on ["SDN List"], 0 on others`) {
		t.Errorf("read as consolidated: %v", err)
	}
	checkCounts(t, enhanced, func() counts { c := count(advanced); c.records = 79; return c }())
	first := make(map[string]screen.EntryEvent)
	for _, p := range advanced.Parties {
		event := slices.MinFunc(p.Facts.Entries, func(a, b screen.EntryEvent) int { return int(a.On) - int(b.On) })
		if slices.ContainsFunc(p.Facts.Entries, func(e screen.EntryEvent) bool { return e.LegalBasis != event.LegalBasis }) {
			event.LegalBasis = ""
		}
		first[p.UID] = event
	}
	for _, p := range enhanced.Parties {
		if want := []screen.EntryEvent{first[p.UID]}; !slices.Equal(p.Facts.Entries, want) {
			t.Errorf("party %s: entries %+v, want %+v", p.UID, p.Facts.Entries, want)
		}
	}
	compare(t, "SDN_ADVANCED", sameInAll(copyOf(advanced)), "SDN_ENHANCED", sameInAll(enhanced))
}

// compareWithCSV compares the SDN_ADVANCED publication of 2024-05-28 with the pair
// of 2023, whose parties have the same names and, but for one that OFAC removed in
// between, the same rows.
func compareWithCSV(t *testing.T, advanced *screen.Publication) {
	t.Helper()
	type row struct{ uid, symbol, text string }
	rows := func(pub *screen.Publication, parties map[string]screen.PublishedParty) map[row]int {
		n := make(map[row]int)
		for _, p := range pub.Parties {
			if _, ok := parties[p.UID]; ok {
				for _, a := range p.Addresses {
					n[row{p.UID, a.Symbol, a.Text}]++
				}
			}
		}
		return n
	}
	pair := parseRealCSV(t, "2023", true)
	parties := make(map[string]screen.PublishedParty)
	for _, p := range pair.Parties {
		parties[p.UID] = p
	}
	want, got := rows(advanced, parties), rows(pair, parties)
	removed := row{"33854", "ETH", "0x6acdfba02d390b97ac2b2d42a63e85293bcc160e"}
	if got[removed] != 1 {
		t.Errorf("no row %v", removed)
	}
	delete(got, removed)
	if !maps.Equal(got, want) {
		t.Errorf("rows differ from those of SDN_ADVANCED:\n%v\n%v", got, want)
	}
	for _, p := range advanced.Parties {
		if c, ok := parties[p.UID]; ok && (!strings.EqualFold(c.Facts.Name, p.Facts.Name) || c.Facts.Type != p.Facts.Type) {
			t.Errorf("party %s: %q, %v; want %q, %v", p.UID, c.Facts.Name, c.Facts.Type, p.Facts.Name, p.Facts.Type)
		}
	}
}

// parseRealCSV reads a real sdn.csv, with its comments or, as if all of them had
// been lost, with one that belongs to none of its entries.
func parseRealCSV(t *testing.T, year string, joined bool) *screen.Publication {
	t.Helper()
	comments := io.Reader(strings.NewReader("1,\"x.\"\r\n"))
	if joined {
		comments = open(t, sharedFile(t, "ofac/csv", year, "sdn_comments.csv"))
	}
	pub, err := ParseCSV(open(t, sharedFile(t, "ofac/csv", year, "sdn.csv.gz")), comments)
	if err != nil {
		t.Fatalf("%s: %v", year, err)
	}
	return pub
}

// The counts are those of csv/README.md. Alone, that counts the addresses that are
// cut, too: 1 in 2021 and 7 in 2023, one of them of no character.
func TestRealCSV(t *testing.T) {
	tests := []struct {
		year       string
		joined     bool
		want       counts
		unexpected map[string]int
	}{
		{"2021-04", false, counts{records: 8890, parties: 15, rows: 81 - 1, addresses: 80 - 1},
			map[string]int{orphanComment: 1, noComment: 7, cutAddress: 2}},
		{"2021-07", false, counts{records: 8976, parties: 15, rows: 81 - 1, addresses: 80 - 1},
			map[string]int{orphanComment: 1, noComment: 5, cutAddress: 2}},
		{"2021-07", true, counts{records: 8976, parties: 15, rows: 97, addresses: 95}, nil},
		{"2023", false, counts{records: 11443, parties: 30, rows: 209 - 7, addresses: 200},
			map[string]int{orphanComment: 1, noComment: 14, cutAddress: 10}},
		{"2023", true, counts{records: 11443, parties: 30, rows: 513, addresses: 503},
			map[string]int{orphanComment: 1, orphanAddress: 1}},
	}
	for _, tt := range tests {
		pub := parseRealCSV(t, tt.year, tt.joined)
		got := count(pub)
		got.symbols = nil
		if !reflect.DeepEqual(got, tt.want) || !maps.Equal(pub.Unexpected, tt.unexpected) {
			t.Errorf("%s, joined %v: got %+v, %v\nwant %+v, %v", tt.year, tt.joined, got, pub.Unexpected, tt.want, tt.unexpected)
		}
		for _, p := range pub.Parties {
			if p.Facts.Name == "" || strings.Contains(p.Facts.Name, ", ") && p.Facts.Type == screen.PartyIndividual || len(p.Facts.Programs) == 0 {
				t.Errorf("%s: party %s: %+v", tt.year, p.UID, p.Facts)
			}
		}
	}
}

// copyOf returns a copy whose parties and rows can be changed.
func copyOf(pub *screen.Publication) *screen.Publication {
	c := *pub
	c.Parties = slices.Clone(pub.Parties)
	for i := range c.Parties {
		c.Parties[i].Addresses = slices.Clone(c.Parties[i].Addresses)
		c.Parties[i].Facts.Aliases = slices.Clone(c.Parties[i].Facts.Aliases)
	}
	return &c
}

// compare compares two publications party by party. Rows and aliases are compared
// as sets: the subsets that were derived from publications have them in an order
// of their own.
func compare(t *testing.T, nameA string, pubA *screen.Publication, nameB string, pubB *screen.Publication) {
	t.Helper()
	normal := func(pub *screen.Publication) map[string]screen.PublishedParty {
		byUID := make(map[string]screen.PublishedParty)
		for _, p := range pub.Parties {
			slices.SortFunc(p.Addresses, func(a, b screen.PublishedAddress) int {
				return strings.Compare(fmt.Sprint(a), fmt.Sprint(b))
			})
			slices.SortFunc(p.Facts.Aliases, func(a, b screen.Alias) int {
				return strings.Compare(fmt.Sprint(a), fmt.Sprint(b))
			})
			byUID[p.UID] = p
		}
		return byUID
	}
	a, b := normal(pubA), normal(pubB)
	for uid := range a {
		if !reflect.DeepEqual(a[uid], b[uid]) {
			t.Errorf("party %s\n%s: %s%s: %s", uid, nameA, readable(t, a[uid]), nameB, readable(t, b[uid]))
		}
	}
	if len(a) != len(b) {
		t.Errorf("%d parties in %s, %d in %s", len(a), nameA, len(b), nameB)
	}
}

// The only entity at hand of a real document of the consolidated lists has no
// address, as none has so far.
func TestRealConsolidated(t *testing.T) {
	name := sharedFile(t, "ofac/sdn_enhanced", "CONS_ENHANCED-2026-09-04.entity-9640.xml")
	pub, err := ParseConsolidated(open(t, name))
	if err != nil {
		t.Fatal(err)
	}
	if want := (&screen.Publication{PublishedOn: 20260727, Records: 1}); !reflect.DeepEqual(pub, want) {
		t.Errorf("got %+v, want %+v", pub, want)
	}
	const want = `the document is of another list: 0 entries are on the list "SDN List", 2 on ["Non-SDN Palestinian Legislative Council List" "Consolidated List"]`
	if _, err := Parse(open(t, name)); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%v, want %q", err, want)
	}

	// With an address it is a party.
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	pub, err = ParseConsolidated(strings.NewReader(replaceOnce(t, string(b), "</features>",
		`<feature id="1"><type featureTypeId="344">Digital Currency Address - XBT</type><value>1BitcoinEaterAddressDontSendf59kuE</value></feature></features>`)))
	if err != nil {
		t.Fatal(err)
	}
	party := []screen.PublishedParty{{
		UID: "9640",
		Facts: screen.Facts{
			Name: "Mohammed ABU TEIR", Type: screen.PartyIndividual, Programs: []string{"NS-PLC"},
			Aliases: []screen.Alias{{Name: "Mohammed Mahmud ABU TAIR", Type: "a.k.a."}},
			Entries: []screen.EntryEvent{{On: 20060412}, {On: 20141010}},
			URL:     partyURL("9640"),
		},
		Addresses: []screen.PublishedAddress{{Text: "1BitcoinEaterAddressDontSendf59kuE", Symbol: "XBT", SourceIDs: []string{"1"}}},
	}}
	if !reflect.DeepEqual(pub.Parties, party) {
		t.Errorf("got %+v", pub.Parties)
	}
}

// checkOddities checks single facts of the publication of 2025-11-19.
func checkOddities(t *testing.T, pub *screen.Publication) {
	t.Helper()
	parties := make(map[string]screen.PublishedParty)
	for _, p := range pub.Parties {
		parties[p.UID] = p
	}
	cheil := parties["22985"]
	entries := []screen.EntryEvent{{On: 20170926, LegalBasis: "Executive Order 13810 (North Korea)"}}
	if f := cheil.Facts; !slices.Equal(f.Entries, entries) || f.Name != "CHEIL CREDIT BANK" || f.Type != screen.PartyEntity || !slices.Equal(f.Programs, []string{"DPRK4"}) ||
		len(cheil.Addresses) != 53 || !slices.Contains(f.Aliases, screen.Alias{Name: "FIRST CREDIT BANK", Type: "a.k.a."}) {
		t.Errorf("Cheil Credit Bank: %+v, %d addresses", f, len(cheil.Addresses))
	}
	reliabilities := make(map[string]int)
	comments := 0
	for _, p := range pub.Parties {
		for _, a := range p.Addresses {
			reliabilities[a.Reliability]++
			if a.Comment != "" {
				comments++
			}
		}
	}
	if want := map[string]int{"": 690, "Confirmed": 71}; !maps.Equal(reliabilities, want) || comments != 18 {
		t.Errorf("reliabilities %v and %d comments, want %v and 18", reliabilities, comments, want)
	}
	find := func(uid, text string) (rows []screen.PublishedAddress) {
		for _, a := range parties[uid].Addresses {
			if a.Text == text {
				rows = append(rows, a)
			}
		}
		return rows
	}
	for _, tt := range []struct {
		uid, text string
		symbols   []string
	}{
		{"45404", "TUCsTq7TofTCJRRoHk6RvhMoS2mJLm5Yzq", []string{"XBT"}},
		{"37070", "3F6bbvS1krsc1qR8FsbTDfYQyvkMm3QvmR", []string{"XBT", "XBT"}},
		{"30518", "LeKvNdNEzgQkzVVnRdV3fAu2DSF1nLsNw6", []string{"LTC"}},
		{"30520", "LeKvNdNEzgQkzVVnRdV3fAu2DSF1nLsNw6", []string{"LTC"}},
		{"29585", "5be5543ff73456ab9f2d207887e2af87322c651ea1a873c5b25b7ffae456c320", []string{"XMR"}},
		{"56360", "bnb136ns6lfw4zs5hg4n85vdthaad7hq5m4gtkgf23", []string{"BNB"}},
	} {
		var symbols []string
		for _, a := range find(tt.uid, tt.text) {
			symbols = append(symbols, a.Symbol)
		}
		if !slices.Equal(symbols, tt.symbols) {
			t.Errorf("party %s, %s: symbols %q, want %q", tt.uid, tt.text, symbols, tt.symbols)
		}
	}
}

func TestRealSDN(t *testing.T) {
	want := wantCounts(t)
	files := 0
	for name, want := range want {
		base, ok := strings.CutPrefix(name, "sdn_xml/")
		if !ok || !strings.HasSuffix(base, ".gz") {
			continue
		}
		files++
		t.Run(base, func(t *testing.T) {
			pub, err := Parse(open(t, sharedFile(t, "ofac", name)))
			if err != nil {
				t.Fatal(err)
			}
			checkCounts(t, pub, want)
		})
	}
	if files != 27 {
		t.Errorf("%d subsets in README.md, want 27", files)
	}
}

// The excerpts are cut out of whole publications. Two of them are refused for
// that, and have the counts of README.md when the cut is mended.
func TestRealExcerpts(t *testing.T) {
	want := wantCounts(t)
	tests := []struct {
		name, refused, old, new string
		parties                 int // one or more entries have no address
	}{
		{"SDN-2026-09-23.excerpt.xml", "Record_Count announces 19391 entries, the document has 5", ">19391<", ">5<", 4},
		{"SDN-2026-09-29.entry-57118.xml", "publshInformation/Publish_Date \"\"", "<sdnEntry>",
			"<publshInformation><Publish_Date>09/29/2026</Publish_Date><Record_Count>1</Record_Count></publshInformation><sdnEntry>", 1},
		{"SDN-2026-09-30.excerpt.xml", "", "", "", 3},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b, err := os.ReadFile(sharedFile(t, "ofac/sdn_xml", tt.name))
			if err != nil {
				t.Fatal(err)
			}
			doc := string(b)
			if tt.refused != "" {
				wantError(t, doc, "ofac: SDN.XML: ", tt.refused)
				doc = replaceOnce(t, doc, tt.old, tt.new)
			}
			pub, err := Parse(strings.NewReader(doc))
			if err != nil {
				t.Fatal(err)
			}
			want := want["sdn_xml/"+tt.name]
			want.parties = tt.parties
			checkCounts(t, pub, want)
		})
	}
}

// BenchmarkAdvanced reads the newest real publication from memory, beside what
// encoding/xml takes to do nothing with it.
func BenchmarkAdvanced(b *testing.B) {
	f, err := os.Open(sharedFile(b, "ofac/sdn_advanced", newest))
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	doc, err := io.ReadAll(bzip2.NewReader(bufio.NewReader(f)))
	if err != nil {
		b.Fatal(err)
	}
	b.Run("Parse", func(b *testing.B) {
		b.SetBytes(int64(len(doc)))
		b.ReportAllocs()
		for b.Loop() {
			if _, err := Parse(bytes.NewReader(doc)); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("encoding-xml-Token", func(b *testing.B) {
		b.SetBytes(int64(len(doc)))
		b.ReportAllocs()
		for b.Loop() {
			d := xml.NewDecoder(bytes.NewReader(doc))
			for {
				if _, err := d.Token(); err == io.EOF {
					break
				} else if err != nil {
					b.Fatal(err)
				}
			}
		}
	})
}
