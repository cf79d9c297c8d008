package address

import (
	"encoding/csv"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// scanFixtures is testdata/scan.json, which any language can read. Fields that
// this test does not know fail it.
type scanFixture struct {
	ID         string   `json:"id"`
	Text       string   `json:"text"`
	Expect     []found  `json:"expect"`
	Unread     []string `json:"unread"` // the runs as printed
	Suspicious bool     `json:"suspicious"`
	Why        string   `json:"why"`
}

type found struct {
	Address  string   `json:"address"`
	Printed  string   `json:"printed"` // "" if as the address
	Labels   []string `json:"labels"`
	Tag      string   `json:"tag"`
	Joined   bool     `json:"joined"`
	Split    bool     `json:"split"`
	Mismatch bool     `json:"mismatch"`
	Warnings []string `json:"warnings"`
}

func TestScan(t *testing.T) {
	var fixtures []scanFixture
	readJSON(t, "testdata/scan.json", &fixtures)
	for _, f := range fixtures {
		t.Run(f.ID, func(t *testing.T) {
			got := Scan(f.Text)
			checkScanned(t, f.Text, got)
			if len(got.Found) != len(f.Expect) {
				t.Fatalf("found %q, want %d: %s", addresses(got), len(f.Expect), f.Why)
			}
			for i, g := range got.Found {
				want := f.Expect[i]
				if want.Printed == "" {
					want.Printed = want.Address
				}
				if g.Text != want.Address || f.Text[g.Start:g.End] != want.Printed || g.Tag != want.Tag ||
					g.Joined != want.Joined || g.Split != want.Split || g.Mismatch != want.Mismatch ||
					!slices.Equal(g.Labels, want.Labels) || !slices.Equal(g.Warnings.Names(), want.Warnings) {
					t.Errorf("found %+v, printed %q, warnings %q, want %+v: %s", g, f.Text[g.Start:g.End], g.Warnings, want, f.Why)
				}
			}
			var unread []string
			for _, u := range got.Unread {
				unread = append(unread, f.Text[u.Start:u.End])
			}
			if !slices.Equal(unread, f.Unread) {
				t.Errorf("unread %q, want %q: %s", unread, f.Unread, f.Why)
			}
			if got.Suspicious != f.Suspicious {
				t.Errorf("suspicious %t: %s", got.Suspicious, f.Why)
			}
		})
	}
}

func addresses(s Scanned) (texts []string) {
	for _, f := range s.Found {
		texts = append(texts, f.Text)
	}
	return texts
}

// checkScanned asserts what holds for every text.
func checkScanned(t *testing.T, text string, s Scanned) {
	t.Helper()
	last := -1
	type mention struct{ text, tag string }
	seen := map[mention]bool{}
	for _, f := range s.Found {
		if f.Start <= last || f.End <= f.Start || f.End > len(text) {
			t.Fatalf("%q: bytes %d to %d after %d", text, f.Start, f.End, last)
		}
		last = f.Start
		if seen[mention{f.Text, f.Tag}] {
			t.Fatalf("%q: %s is found twice", text, f.Text)
		}
		seen[mention{f.Text, f.Tag}] = true
		alone := f.Text
		if f.Warnings&WarnURI != 0 { // which may say what the address alone does not
			alone = text[f.Start:f.End]
		}
		var p Parsed
		Parse(alone, &p)
		if p.Reason != ReasonNone && !(p.Reason == ReasonAmbiguous32Byte && len(f.Labels) > 0) || !slices.Equal(p.Readings(), f.Readings) || len(f.Readings) == 0 {
			t.Fatalf("%q: %s parses with reason %s to %v, found as %v", text, f.Text, p.Reason, p.Readings(), f.Readings)
		}
	}
	last = -1
	for _, u := range s.Unread {
		if u.Start <= last || u.End <= u.Start || u.End > len(text) {
			t.Fatalf("%q: unread from %d to %d after %d", text, u.Start, u.End, last)
		}
		last = u.Start
	}
}

func TestScanSharedTexts(t *testing.T) {
	const file = "../../../shared/cases/extraction_texts.json"
	if _, err := os.Stat(file); err != nil {
		t.Skip("the cases of the reference material are absent: the free texts of publishers are not scanned")
	}
	var cases []struct {
		ID, List, Field, Text, Why string
		Expect                     []string
		EvidenceRef                string `json:"evidence_ref"`
		Real                       bool
	}
	readJSON(t, file, &cases)
	for _, c := range cases {
		got := Scan(c.Text)
		checkScanned(t, c.Text, got)
		if !slices.Equal(addresses(got), c.Expect) {
			t.Errorf("%s: found %q, want %q: %s", c.ID, addresses(got), c.Expect, c.Why)
		}
	}
}

// TestScanSharedPublications scans every text of the publishers' files that are
// at hand, for the counts that come with them.
func TestScanSharedPublications(t *testing.T) {
	const folder = "../../../shared/data/"
	if _, err := os.Stat(folder); err != nil {
		t.Skip("the publications of the reference material are absent: their texts are not scanned")
	}
	for _, file := range []struct {
		name            string
		rows, addresses int // address rows count every label of an address
	}{
		{"uk/UK-Sanctions-List.excerpt-2026-09-10.xml", 0, 0},
		{"uk/UK-Sanctions-List.excerpt-2026-09-21.xml", 16, 14},
		{"uk/UK-Sanctions-List.excerpt-2026-10-02.xml", 43, 43},
		{"uk/OFSI-ConList-2025-04-10.crypto-rows.csv", 26, 11},
		{"eu/FSF-1.1.excerpt-2026-08-05.xml", 0, 0},
		{"eu/FSF-1.1.excerpt-2026-09-22.xml", 9, 9},
		{"fr/gels-avoirs-remarks.txt", 14, 9},
		{"fbi/ic3-psa250226-bybit-51-eth.txt", 51, 51},
		{"fbi/ic3-psa250226.excerpt.html", 51, 51},
		{"fbi/fbi-2023-08-22-btc.csv", 6, 6},
		{"fbi/fbi-stake-2023-09-07.partial.csv", 24, 24},
	} {
		rows, distinct := 0, map[string]bool{}
		for _, text := range texts(t, folder+file.name) {
			got := Scan(text)
			checkScanned(t, text, got)
			for _, u := range got.Unread {
				t.Errorf("%s: unread %q", file.name, text[u.Start:u.End])
			}
			for _, f := range got.Found {
				rows += max(1, len(f.Labels))
				distinct[f.Text] = true
			}
		}
		if rows != file.rows || len(distinct) != file.addresses {
			t.Errorf("%s: %d rows with %d addresses, want %d with %d", file.name, rows, len(distinct), file.rows, file.addresses)
		}
	}
}

// texts returns the texts of a file: the elements and attributes of XML, the
// cells of CSV, the lines of anything else.
func texts(t *testing.T, file string) (out []string) {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	switch {
	case strings.HasSuffix(file, ".csv"):
		r := csv.NewReader(strings.NewReader(string(content)))
		r.FieldsPerRecord = -1
		rows, err := r.ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		return slices.Concat(rows...)
	case strings.HasSuffix(file, ".xml"):
		d := xml.NewDecoder(strings.NewReader(string(content)))
		for {
			token, err := d.Token()
			if errors.Is(err, io.EOF) {
				return out
			}
			if err != nil {
				t.Fatal(err)
			}
			switch token := token.(type) {
			case xml.CharData:
				out = append(out, string(token))
			case xml.StartElement:
				for _, a := range token.Attr {
					out = append(out, a.Value)
				}
			}
		}
	}
	return strings.Split(string(content), "\n")
}

func TestScanCell(t *testing.T) {
	const xrp = "rGWrZyQqhTp9Xu7G5Pkayo7bXjH4k4QYpf"
	for _, test := range []struct {
		cell       string
		addresses  []string
		tag, other string
		reason     Reason
	}{
		{"", nil, "", "", ReasonNone},
		{" - ", nil, "", "", ReasonNone},
		{" TPQrYqxT2ss3BSq5VrAdX9FyrC11Sb4PH2\u00a0", []string{"TPQrYqxT2ss3BSq5VrAdX9FyrC11Sb4PH2"}, "", "", ReasonNone},
		{"c077bbfcf9b5b9eec0dd105e15b65ebc2a030600", []string{"c077bbfcf9b5b9eec0dd105e15b65ebc2a030600"}, "", "", ReasonNone},
		{"0xc077bbfcf9b5b9eec0dd105e15b65ebc2a030600, TCAVvaJxeFhBSJZHcc3mEBLMuxvrqt4Uja",
			[]string{"0xc077bbfcf9b5b9eec0dd105e15b65ebc2a030600", "TCAVvaJxeFhBSJZHcc3mEBLMuxvrqt4Uja"}, "", "", ReasonNone},
		{xrp + " (Address tag 100000002)*", []string{xrp}, "100000002", "", ReasonNone},
		{xrp + " *", []string{xrp}, "", "", ReasonNone},
		{"exampleiost (Address tag 100000004) *", nil, "100000004", "exampleiost", ReasonUnrecognized},
		{"18yzhmcgHtRVoEX3doCrqhis6fFU1dHFUE", nil, "", "18yzhmcgHtRVoEX3doCrqhis6fFU1dHFUE", ReasonChecksum},
		{"100000001", nil, "", "100000001", ReasonNotAnAddress},
		{"a person (of note)", nil, "", "a person (of note)", ReasonUnrecognized},
	} {
		got := ScanCell(test.cell)
		checkScanned(t, test.cell, got.Scanned)
		tag := got.Tag
		if len(got.Found) > 0 {
			tag += got.Found[0].Tag
		}
		if !slices.Equal(addresses(got.Scanned), test.addresses) || tag != test.tag || got.Other != test.other || got.Reason != test.reason {
			t.Errorf("%q: %+v, want %q, tag %q, other %q, reason %s", test.cell, got, test.addresses, test.tag, test.other, test.reason)
		}
	}
}

func TestScanCellShared(t *testing.T) {
	const folder = "../../../shared/data/il/"
	if _, err := os.Stat(folder); err != nil {
		t.Skip("the tables of the reference material are absent: the shapes of seizure orders are not read")
	}
	var rows []struct {
		Row                             int
		Kind, Order, Tag, Account, Note string
		ExactText                       string `json:"exact_text"`
		Extract                         []string
	}
	readJSON(t, folder+"nbctf-shapes.expected.json", &rows)
	f, err := os.Open(folder + "nbctf-shapes.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r := csv.NewReader(f)
	r.FieldsPerRecord = -1
	table, err := r.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		record := table[row.Row]
		if row.Kind == "section" {
			continue
		}
		at := 4
		if len(record) == 8 { // shifted
			at = 5
		}
		got := ScanCell(record[at])
		checkScanned(t, record[at], got.Scanned)
		tag := got.Tag
		if len(got.Found) > 0 {
			tag += got.Found[0].Tag
		}
		other := row.Account + row.ExactText
		if !slices.Equal(addresses(got.Scanned), row.Extract) || tag != row.Tag || got.Other != other {
			t.Errorf("row %d, %q: %+v, want %q, tag %q, other %q", row.Row, record[at], got, row.Extract, row.Tag, other)
		}
		if (row.Kind == "unparsed") != (got.Reason == ReasonChecksum) {
			t.Errorf("row %d, %s: reason %s", row.Row, row.Kind, got.Reason)
		}
	}
}

// TestScanLinear scans a megabyte of what costs most, each kind in a time that
// no quadratic scan could keep.
func TestScanLinear(t *testing.T) {
	size := 1 << 20
	if raceEnabled {
		size >>= 3
	}
	for _, unit := range []string{
		"TNZxGWCwvsHr6JxQxzoeDXV597Yf7Zb7nX ", "TNZxGWCwvsHr6JxQxzoeDXV597Yf7Zb7nV", "bc1", "1", "aB1aB1aB1aB1a ", "BTC:", "BTC", "0x",
		"(tag ", "(", "a-", "ф1", "bc1qwtz3zv95x2flu4w26kgfepf529z50r2sqc5zml", "q", "a.b@", "\u200b", "x1q", "BTC " + strings.Repeat("z", 512) + "-",
	} {
		text := strings.Repeat(unit, size/len(unit)+1)
		start := time.Now()
		Scan(text)
		ScanCell(text)
		if took := time.Since(start); took > 20*time.Second {
			t.Errorf("%d bytes of %.20q took %v", size, unit, took)
		}
	}
}

func FuzzScan(f *testing.F) {
	var fixtures []scanFixture
	readJSON(f, "testdata/scan.json", &fixtures)
	for _, c := range fixtures {
		f.Add(c.Text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		checkScanned(t, text, Scan(text))
		cell := ScanCell(text)
		checkScanned(t, text, cell.Scanned)
		if cell.Other != "" && len(cell.Found) > 0 {
			t.Fatalf("%q: %+v", text, cell)
		}
	})
}

func BenchmarkScan(b *testing.B) {
	const prose = "The Secretary of State considers that there are reasonable grounds to suspect that the company is or has been involved in " +
		"obtaining a benefit from or supporting the Government of Russia, company number 11655602, IMO 9191734, a national of Iran born 28 Oct 2008. "
	for _, c := range []struct{ name, text string }{
		{"prose", strings.Repeat(prose, 100)},
		{"list", strings.Repeat("TW5tokvhEfrb77z98Rc8HqbkzQJ6sxYtGX; TBKpozurdWLrbKkxtDqkveeq1dSB8Axj3V; ", 100)},
		{"glued", strings.Repeat("bc1qwtz3zv95x2flu4w26kgfepf529z50r2sqc5zml3My1ffQr5qQzmq4aBFgRqwRYqfB5zPAt8t", 100)},
		{"misprints", strings.Repeat("TW5tokvhEfrb77z98Rc8HqbkzQJ6sxYtGx; TBKpozurdWLrbKkxtDqkveeq1dSB8Axj3v; ", 100)},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.SetBytes(int64(len(c.text)))
			b.ReportAllocs()
			for b.Loop() {
				Scan(c.text)
			}
		})
	}
}
