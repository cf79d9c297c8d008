package fbi_test

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"walletscreen/loader/fbi"
	"walletscreen/loader/parsertest"
	"walletscreen/screen"
	"walletscreen/screen/address"
)

const (
	ones  = "0x1111111111111111111111111111111111111111"
	twos  = "0x2222222222222222222222222222222222222222"
	three = "0x3333333333333333333333333333333333333333"
	eip55 = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
	btc   = "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"
)

func TestParse(t *testing.T) {
	for name, want := range map[string]*screen.Publication{
		"announcement.html": {
			PublishedOn: 20260228,
			Records:     1,
			Parties: []screen.PublishedParty{{
				UID:   "I-022826-PSA",
				Facts: screen.Facts{Name: "Nobody Stole Much from Example & Sons", Entries: []screen.EntryEvent{{On: 20260228}}},
				Addresses: []screen.PublishedAddress{
					{Text: ones, ListedOn: 20260228},
					{Text: eip55, ListedOn: 20260228},
					{Text: eip55[:41] + "D", ListedOn: 20260228},
					{Text: "4Nd1mBQtrMJVYVfKf2PJy9NZUZdTAsp7D4xWLs4gDB4T", ListedOn: 20260228},
					{Text: btc, Symbol: "Bitcoin", ListedOn: 20260228},
					{Text: twos, Symbol: "Bitcoin", ListedOn: 20260228},
				},
			}},
			Unexpected: map[string]int{
				"misprinted address kept as printed: checksum":           1,
				"unreadable run where addresses stand: ambiguous_32byte": 1, // the transaction
				"address outside the main text":                          1,
				"link to an address that the text does not print":        1,
			},
		},
		"release.html": {
			PublishedOn: 20230906,
			Records:     1,
			Parties: []screen.PublishedParty{{
				UID: "fbi-identifies-nobody-as-responsible-for-theft",
				Facts: screen.Facts{
					Name:    "FBI Identifies Nobody as Responsible for Theft",
					Entries: []screen.EntryEvent{{On: 20230906}},
					URL:     "https://www.fbi.gov/news/press-releases/fbi-identifies-nobody-as-responsible-for-theft/?x=1",
				},
				Addresses: []screen.PublishedAddress{
					{Text: ones, Symbol: "Ethereum", ListedOn: 20230906},
					{Text: twos, Symbol: "Ethereum", ListedOn: 20230906},
					{Text: three, Symbol: "BSC", ListedOn: 20230906},
					{Text: btc, Symbol: "Bitcoin", ListedOn: 20230906},
					{Text: "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", Symbol: "Bitcoin", ListedOn: 20230906},
				},
			}},
		},
	} {
		for dress, in := range map[string]string{"as it is": parsertest.Fixture(t, name), "CRLF": strings.ReplaceAll(parsertest.Fixture(t, name), "\n", "\r\n")} {
			got, err := fbi.Parse(iotest.HalfReader(strings.NewReader(in)))
			if err != nil {
				t.Errorf("%s, %s: %v", name, dress, err)
			} else if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s, %s (-want +got):\n%s", name, dress, diff)
			}
		}
	}
}

// small is a page around a body.
func small(body string) string {
	return `<html><head><title>T</title><link rel="canonical" href="https://www.fbi.gov/a/b"></head><body>` + body + `</body></html>`
}

func TestParseWithout(t *testing.T) {
	pub, err := fbi.Parse(strings.NewReader(small("<h1>Beware</h1><p>Alert Number I-030126-PSA</p><p>Do not send cryptocurrency.</p>")))
	if err != nil {
		t.Fatal(err)
	}
	want := &screen.Publication{Records: 1, Unexpected: map[string]int{"text speaks of wallets, no address found": 1}}
	if diff := cmp.Diff(want, pub); diff != "" {
		t.Errorf("a notice without addresses (-want +got):\n%s", diff)
	}
	pub, err = fbi.Parse(strings.NewReader(small(ones)))
	if err != nil {
		t.Fatal(err)
	}
	want = &screen.Publication{Records: 1, Parties: []screen.PublishedParty{{
		UID: "b", Facts: screen.Facts{Name: "T", URL: "https://www.fbi.gov/a/b"}, Addresses: []screen.PublishedAddress{{Text: ones}},
	}}}
	if diff := cmp.Diff(want, pub); diff != "" {
		t.Errorf("a notice without a date (-want +got):\n%s", diff)
	}
}

// TestParsePieces reads addresses that markup parts or joins.
func TestParsePieces(t *testing.T) {
	for _, test := range []struct{ body, want string }{
		{"<b>0x111111111111111111</b>1111111111111111111111", ones},
		{"<p>" + ones + "</p><p>11</p>", ones},
		{"<td>" + ones + "<td>" + twos, ones + " " + twos},
		{"<li>" + btc[:20] + "<br>" + btc[20:] + "</li>", btc},
		{"<li>" + btc[:20] + "</li><li>" + btc[20:] + "</li>" + ones, ones},
		{ones + "<sup>2</sup>", ones},
		{"&#48;x" + ones[2:], ones},
		{"<nav>" + twos + "</nav>" + ones + "</nav>", ones},
		{"<noscript><nav>" + twos + "</nav>" + twos + "</noscript>" + ones, ones},
		{"<style>" + twos + "</style><svg/>" + ones, ones},
		{"<!--" + twos + "-->" + ones + "<img alt='" + twos + "'>", ones},
		{"<main>" + ones + "</main>" + twos + "<main>" + three + "</main>", ones + " " + three},
	} {
		pub, err := fbi.Parse(strings.NewReader(small(test.body)))
		if err != nil {
			t.Errorf("%s: %v", test.body, err)
			continue
		}
		var got []string
		for _, a := range pub.Parties[0].Addresses {
			got = append(got, a.Text)
		}
		if strings.Join(got, " ") != test.want {
			t.Errorf("%s: got %q, want %q", test.body, got, test.want)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	announcement := parsertest.Fixture(t, "announcement.html")
	for _, test := range []struct{ name, in, want string }{
		{"nothing", "", "no HTML page"},
		{"JSON", `{"error": "no"}`, "no HTML page"},
		{"text", ones, "no HTML page"},
		{"maintenance", "<!doctype html><html><head><title>Scheduled Maintenance</title></head><body><h1>We will be back</h1></body></html>",
			`the page, titled "We will be back", is no notice: it has neither an alert number nor an address`},
		{"refusal", "<html><head><title>Attention Required!</title></head><body>Ray ID: 8f1f1f1f1f1f1f1f</body></html>", `titled "Attention Required!", is no notice`},
		{"cut short", announcement[:strings.Index(announcement, "</main>")], "the page is cut short"},
		{"cut in a tag", announcement[:strings.Index(announcement, "</html>")+4], "the page is cut short"},
		{"open navigation", strings.Replace(announcement, "</nav>", "", 1), "line 10: a <nav>, <footer> or the like without an end"},
		{"open script", small("<script>" + ones), "cut short"},
		{"no title", "<html><body>Alert Number: I-1 " + ones + "</body></html>", "has addresses and no title"},
		{"no identity", "<html><body><h1>T</h1>" + ones + "</body></html>", "has neither an alert number nor a canonical link"},
		{"another site", "<html><head><link rel=canonical href=https://news.example/fbi></head><body><h1>T</h1>" + ones + "</body></html>", "nor a canonical link"},
		{"Latin-1", small("caf\xe9 " + ones), "the page is not in UTF-8"},
		{"large", strings.Repeat(" ", 8<<20+1), "the page has more than 8388608 bytes"},
	} {
		t.Run(test.name, func(t *testing.T) { parsertest.WantError(t, fbi.Parse, test.in, "fbi: ", test.want) })
	}
}

// TestShared reads what is there of the notice about the theft from Bybit.
func TestShared(t *testing.T) {
	const dir = "../../../shared/data/fbi/"
	page, err := os.ReadFile(dir + "ic3-psa250226.excerpt.html")
	if err != nil {
		t.Skipf("not run: %s needs %s, which is no part of the project", t.Name(), dir)
	}
	list, err := os.ReadFile(dir + "ic3-psa250226-bybit-51-eth.txt")
	if err != nil {
		t.Fatal(err)
	}
	pub, err := fbi.Parse(bytes.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	if len(pub.Parties) != 1 || pub.PublishedOn != 20250226 || pub.Unexpected != nil {
		t.Fatalf("%d parties, date %s, unexpected %v", len(pub.Parties), pub.PublishedOn, pub.Unexpected)
	}
	p := pub.Parties[0]
	if p.UID != "I-022625-PSA" || p.Facts.Name != "North Korea Responsible for $1.5 Billion Bybit Hack" {
		t.Errorf("party %q, %q", p.UID, p.Facts.Name)
	}
	var got []string
	for _, a := range p.Addresses {
		got = append(got, a.Text)
		var parsed address.Parsed
		if address.Parse(a.Text, &parsed); parsed.Reason != address.ReasonNone || strings.ToLower(a.Text) == a.Text || a.Symbol != "" || a.ListedOn != 20250226 {
			t.Errorf("row %+v: %s", a, parsed.Reason)
		}
	}
	if want := strings.Fields(string(list)); len(want) != 51 || cmp.Diff(want, got) != "" {
		t.Errorf("want the %d addresses of the list (-want +got):\n%s", len(want), cmp.Diff(want, got))
	}
}

// TestSharedReleases reads the addresses of two press releases, in pages made
// around them: a heading for each network, an address a line.
func TestSharedReleases(t *testing.T) {
	const dir = "../../../shared/data/fbi/"
	for name, rows := range map[string]int{"fbi-stake-2023-09-07.partial.csv": 24, "fbi-2023-08-22-btc.csv": 6} {
		text, err := os.ReadFile(dir + name)
		if err != nil {
			t.Skipf("not run: %s needs %s, which is no part of the project", t.Name(), dir)
		}
		var body strings.Builder
		var want []string
		network := ""
		for _, line := range strings.Fields(string(text))[1:] {
			wallet, label, _ := strings.Cut(line, ",")
			if label != network {
				fmt.Fprintf(&body, "<p><strong>%s</strong></p>\n", label)
				network = label
			}
			fmt.Fprintf(&body, "<p>%s</p>\n", wallet)
			want = append(want, wallet+" "+label)
		}
		pub, err := fbi.Parse(strings.NewReader(small(body.String())))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var got []string
		for _, a := range pub.Parties[0].Addresses {
			got = append(got, a.Text+" "+a.Symbol)
		}
		if diff := cmp.Diff(want, got); diff != "" || len(want) != rows || pub.Unexpected != nil {
			t.Errorf("%s: %d rows, want %d, unexpected %v (-want +got):\n%s", name, len(got), rows, pub.Unexpected, diff)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(parsertest.Fixture(f, "announcement.html")))
	f.Add([]byte(parsertest.Fixture(f, "release.html")))
	f.Fuzz(func(t *testing.T, in []byte) {
		if pub := parsertest.Fuzzed(t, fbi.Parse, in); pub != nil && (pub.Records != 1 || len(pub.Parties) > 1) {
			t.Fatalf("%d records, %d parties", pub.Records, len(pub.Parties))
		}
	})
}
