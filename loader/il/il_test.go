package il_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"walletscreen/loader/il"
	"walletscreen/loader/sheet/sheettest"
	"walletscreen/screen"
)

// The addresses in these tests are those of the reference vectors of their
// encodings; orders, people and account numbers are invented.
const (
	tron  = "TPQrYqxT2ss3BSq5VrAdX9FyrC11Sb4PH2"
	tron2 = "TL94ikrR7YUe1gvYHtU9nUUUDHN1YB7Pod"
	tron3 = "TCAVvaJxeFhBSJZHcc3mEBLMuxvrqt4Uja"
	evm   = "0x1111111111111111111111111111111111111111"
	btc   = "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"
	xrp   = "rGWrZyQqhTp9Xu7G5Pkayo7bXjH4k4QYpf"
)

const hebrew = "שם מלא,תעודת זהות,דרכון,תאריך לידה,מספר זיהוי הארנק האלקטרוני/ יוזר,מטבע\r\n"
const english = "Order ID,Full nam e,ID No,Passport No,D.O.B (DD/MM/YYYY),Virtual currency address / User ID,Currency\n"

// parse returns the publication as lines: "order: address symbol #tag [from, to)".
func parse(t *testing.T, table []byte) (*screen.Publication, []string) {
	t.Helper()
	pub, err := il.Parse(bytes.NewReader(table))
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, p := range pub.Parties {
		if p.Facts.Name != p.UID {
			t.Errorf("party %q is named %q", p.UID, p.Facts.Name)
		}
		for _, a := range p.Addresses {
			line := p.UID + ": " + a.Text
			if a.Symbol != "" {
				line += " " + a.Symbol
			}
			if a.Tag != "" {
				line += " #" + a.Tag
			}
			if a.ListedOn != 0 || a.DelistedOn != 0 {
				line += fmt.Sprintf(" [%s, %s)", a.ListedOn, a.DelistedOn)
			}
			lines = append(lines, line)
		}
	}
	return pub, lines
}

func TestParse(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		want       []string
		records    int
		unexpected map[string]int
	}{
		{
			name: "Hebrew, sections",
			text: "\ufeff" + hebrew + "צ.ת 901/26\r\n,,,," + tron + ",\r\n,,,, " + tron2 + "\u00a0,\r\n\"צ\"\"ת - 902/25\",\r\nאנונימי,,,," + btc + ",BTC\r\n",
			want: []string{"צ.ת 901/26: " + tron, "צ.ת 901/26: " + tron2, "צ.ת 902/25: " + btc + " BTC"}, records: 3,
		},
		{
			name: "English, a column filled once",
			text: english + "ASO - 34/24,,,,," + tron + ",\n,Mallory,100000009,,03/08/1991," + tron2 + ",USDT\nASO 2/24,,,,," + evm + ",\n",
			want: []string{"ASO 34/24: " + tron, "ASO 34/24: " + tron2 + " USDT", "ASO 2/24: " + evm}, records: 3,
		},
		{
			name: "look-alikes and invisible characters",
			text: hebrew + "צ.ת 1/26\n,,,,TL94ikrR7YUe1gvYHtU9nUUUDНN1YB7Pоd,\n,,,,TPQrYqxT2ss3\u200bBSq5VrAdX9FyrC11Sb4PH2,\n",
			want: []string{"צ.ת 1/26: " + tron2, "צ.ת 1/26: " + tron}, records: 2,
		},
		{
			name: "two in a cell, tags and stars",
			text: hebrew + "צ.ת 1/26\n,,,,\"" + evm + ", " + tron3 + "\",USDT\n,,,," + xrp + " (Address tag 100000002)*,XRP\n",
			want: []string{"צ.ת 1/26: " + evm + " USDT", "צ.ת 1/26: " + tron3 + " USDT", "צ.ת 1/26: " + xrp + " XRP #100000002"}, records: 2,
		},
		{
			name: "accounts",
			text: english + "ASO 1/26,Mallory,,,,100000001,\n,,,,,exampleiost (Address tag 100000004) *,IOST\n,,,,,447700900123,-\n,,,,,-,\n,Trudy,,,,,\n,,,,,,USDT\n,,ID card no. (Nowhere): 100000005,,,,\n",
			want: nil, records: 3, unexpected: map[string]int{"account that is no address": 3},
		},
		{
			name:    "misprints and unknown ledgers",
			text:    english + "ASO 1/26,,,,,1A1zP1eP5QGefi2DMPTfTL5SLmv7Div\u200bfNb *,BTC\n,,,,,\"" + tron + "; 1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNc\",\n,,,,,zz0Ab1Cd2Ef3Gh4Ij5Kl6Mn7Op8,NEW\n",
			want:    []string{"ASO 1/26: 1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb BTC", "ASO 1/26: " + tron, "ASO 1/26: 1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNc", "ASO 1/26: zz0Ab1Cd2Ef3Gh4Ij5Kl6Mn7Op8 NEW"},
			records: 3, unexpected: map[string]int{"misprint, or address of an unknown kind, kept as printed": 3},
		},
		{
			name: "shifted rows",
			text: english + "ASO 53/25\n,,,,," + tron + "," + tron + ",\n" + tron + "\n,,,,,," + tron2 + ",USDT\n,,,,,,100000007,USDT\n,,,,,," + tron3 + "," + tron3 + ",,\n284573866\n",
			want: []string{"ASO 53/25: " + tron, "ASO 53/25: " + tron2 + " USDT", "ASO 53/25: " + tron3}, records: 6,
			unexpected: map[string]int{"account that is no address": 2},
		},
		{
			name: "an address in a column of people",
			text: english + "ASO 1/26," + tron + ",,,,,\n,,100000001," + btc + ",,-,\n",
			want: []string{"ASO 1/26: " + tron, "ASO 1/26: " + btc},
		},
		{
			name: "repeats and symbols",
			text: english + "ASO 1/26,,,,," + tron + ",\n,,,,," + tron + ",TRX\n,,,,," + tron + ",\n,,,,," + tron + ",USDT\n,,,,,USDC: " + evm + ",\n",
			want: []string{"ASO 1/26: " + tron + " TRX", "ASO 1/26: " + tron + " USDT", "ASO 1/26: " + evm + " USDC"}, records: 5,
		},
		{
			name: "other columns, order and header again",
			text: "Currency,Wallet Address,ASO No.,Holder\nTRX," + tron + ",ASO 1/26,Mallory\nWallet Address,Order,Currency\n" + tron2 + ",ASO 2/26,TRX\n" + tron3 + ",,TRX\n",
			want: []string{"ASO 1/26: " + tron + " TRX", "ASO 2/26: " + tron2 + " TRX", "ASO 2/26: " + tron3 + " TRX"}, records: 3,
			unexpected: map[string]int{"column with an unknown header": 1},
		},
		{
			name: "orders of another kind",
			text: english + "ASO 1/26,,,,," + tron + ",\nFO 18/26,,,,," + tron2 + ",\nAmended annex,,,,," + tron3 + ",\n",
			want: []string{"ASO 1/26: " + tron, "FO 18/26: " + tron2, "Amended annex: " + tron3}, records: 3,
			unexpected: map[string]int{"order without a number such as 18/26": 1},
		},
		{
			name: "validity and date of an order",
			text: "Order ID,Order date,Validity of Issue,Wallet\nASO 1/26,01.07.2026,01.07.2028," + tron + "\n,,," + tron2 + "\nASO 2/26,,1/7/2028," + tron + "\nASO 3/26,,Forfeiture Order (FO 18/24)," + tron +
				"\nASO 4/26,,soon," + tron + "\nASO 5/26,02.07.2026,01.07.2026," + tron + "\nASO 6/26,,2028-12-31," + tron + "\n,,30.12.2028," + tron2 + "\n",
			want: []string{
				"ASO 1/26: " + tron + " [2026-07-01, 2028-07-02)", "ASO 1/26: " + tron2 + " [2026-07-01, 2028-07-02)", "ASO 2/26: " + tron + " [, 2028-07-02)", "ASO 3/26: " + tron,
				"ASO 4/26: " + tron, "ASO 5/26: " + tron, "ASO 6/26: " + tron + " [, 2029-01-01)", "ASO 6/26: " + tron2 + " [, 2029-01-01)",
			},
			records: 8,
			unexpected: map[string]int{
				"validity of an order that is no date": 1, "order with a second validity": 1, "order that ends before its date, taken without either": 1,
			},
		},
		{
			name: "a table of orders below",
			text: english + "ASO 43/25,,,,," + tron + ",\nASO 5/24,,,,," + tron2 + ",\nFile Type,Last Updated,Validity of Issue\n" +
				"Seizure order (ASO 43/25) of the Minister of Defense,03.09.2025,01.09.2027\nAnnex of the Seizure Order (ASO - 43/25) - Wallet Details,03.09.2025,-\n" +
				"Seizure order (ASO 5/24) of the Minister of Defense,28.03.2024,Forfeiture Order (FO 18/24)\nAnnex of the Seizure Order - Wallet Details,1.7.2021,01.01.2020\n",
			want: []string{"ASO 43/25: " + tron + " [, 2027-09-02)", "ASO 5/24: " + tron2}, records: 2,
		},
		{
			name: "a table of orders above",
			text: "סוג הקובץ,תאריך עדכון,תוקף הצו\nצו תפיסה מינהלי (צ.ת 18/26) של שר הביטחון,01.07.2026,01.07.2028\n" + hebrew + "צ.ת 18/26\n,,,," + tron + ",\n",
			want: []string{"צ.ת 18/26: " + tron + " [, 2028-07-02)"}, records: 1,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			pub, got := parse(t, []byte(tt.text))
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if pub.Records != tt.records || !maps.Equal(pub.Unexpected, tt.unexpected) {
				t.Errorf("%d records, unexpected %v; want %d, %v", pub.Records, pub.Unexpected, tt.records, tt.unexpected)
			}
			checkPrivacy(t, pub)
		})
	}
}

// checkPrivacy wants nothing of what the tables say about people.
func checkPrivacy(t *testing.T, pub *screen.Publication) {
	t.Helper()
	b, err := json.Marshal(pub)
	if err != nil {
		t.Fatal(err)
	}
	for _, personal := range []string{"Mallory", "Trudy", "אנונימי", "100000001", "100000005", "100000009", "447700900123", "1991", "exampleiost"} {
		if strings.Contains(string(b), personal) {
			t.Errorf("the publication holds %q", personal)
		}
	}
}

func TestFacts(t *testing.T) {
	pub, _ := parse(t, []byte("Order,Wallet,Order date\nASO 1/26,"+tron+",1.7.2026\nFO 2/26,"+tron2+",\n"))
	want := []screen.Facts{
		{Name: "ASO 1/26", Programs: []string{"Anti-Terrorism Law 5776-2016"}, Entries: []screen.EntryEvent{{On: 20260701, LegalBasis: "Anti-Terrorism Law 5776-2016"}}},
		{Name: "FO 2/26"},
	}
	for i, p := range pub.Parties {
		if diff := cmp.Diff(want[i], p.Facts); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
	if pub.PublishedOn != 0 {
		t.Errorf("published on %s, which the tables do not say", pub.PublishedOn)
	}
}

// The address is given as it reads, and what is printed is kept beside it.
func TestPrinted(t *testing.T) {
	pub, _ := parse(t, []byte(hebrew+"צ.ת 1/26\n,,,,TL94ikrR7YUe1gvYHtU9nUUUDНN1YB7Pоd,\n,,,, TPQrYqxT2ss3\u200bBSq5VrAdX9FyrC11Sb4PH2 *,\n,,,, "+tron3+"\u00a0 *,\n"))
	want := []screen.PublishedAddress{
		{Text: tron2, Comment: `printed as "TL94ikrR7YUe1gvYHtU9nUUUDНN1YB7Pоd"`},
		{Text: tron, Comment: `printed as "TPQrYqxT2ss3\u200bBSq5VrAdX9FyrC11Sb4PH2"`},
		{Text: tron3},
	}
	if diff := cmp.Diff(want, pub.Parties[0].Addresses); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestWorkbook(t *testing.T) {
	end := time.Date(2028, 7, 1, 0, 0, 0, 0, time.UTC)
	pub, got := parse(t, sheettest.Workbook(t,
		sheettest.Sheet{Name: "wallets", Rows: [][]any{
			{"Order ID", "Full name", "Virtual currency address / User ID", "Currency"},
			{"ASO 18/26"},
			{nil, nil, tron, "TRX"},
			{nil, "Mallory", 100000001},
		}},
		sheettest.Sheet{Name: "orders", Rows: [][]any{
			{"File Type", "Validity of Issue"},
			{"Seizure order (ASO 18/26)", end},
		}},
		sheettest.Sheet{Name: "old", Hidden: true, Rows: [][]any{{"Order ID", "Wallet"}, {"ASO 1/20", btc}}},
	))
	want := []string{"ASO 18/26: " + tron + " TRX [, 2028-07-02)", "ASO 1/20: " + btc}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if want := map[string]int{"account that is no address": 1, "hidden worksheet, which was read": 1}; !maps.Equal(pub.Unexpected, want) {
		t.Errorf("unexpected %v, want %v", pub.Unexpected, want)
	}
	checkPrivacy(t, pub)
}

func TestParseErrors(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"empty", "", "il: no column of wallets"},
		{"another table", "address,symbol\n", "il: no column of wallets"},
		{"orders alone", "File Type,Validity of Issue\nASO 1/26,01.07.2028\n", "il: no column of wallets"},
		{"no header", "ASO 1/26\n" + tron + "\n", "il: line 2: an address above the header of the table"},
		{"no order", english + ",,,,," + tron + ",\n", `il: line 2: an address before the first order number`},
		{"no order in the second table", "Order,Validity\nASO 1/26,1.1.2027\n" + english + ",,,,," + tron + ",\n", `il: line 4: an address before the first order number`},
		{"not UTF-8", english + "\xf6.\xfa 18/26\n", "il: line 2: column 1: not valid UTF-8"},
		{"page", "<html>", "il: no column of wallets"},
	} {
		_, err := il.Parse(strings.NewReader(tt.text))
		if err == nil != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
		if err != nil && strings.Contains(err.Error(), tron) {
			t.Errorf("%s: the error repeats an address: %v", tt.name, err)
		}
	}
}

// The shapes that stand beside the project give what is written of them there.
func TestShapes(t *testing.T) {
	const folder = "../../../shared/data/il/"
	table, err := os.ReadFile(folder + "nbctf-shapes.csv")
	if err != nil {
		t.Skip("not run: the shapes of the tables, which are no part of the project, are absent")
	}
	b, err := os.ReadFile(folder + "nbctf-shapes.expected.json")
	if err != nil {
		t.Fatal(err)
	}
	var rows []struct {
		Kind, Order, Tag string
		Extract          []string
		ExactText        string `json:"exact_text"`
		Row              int
	}
	if err := json.Unmarshal(b, &rows); err != nil {
		t.Fatal(err)
	}
	in := csv.NewReader(bytes.NewReader(table))
	in.FieldsPerRecord = -1
	records, err := in.ReadAll()
	if err != nil || len(records) != len(rows)+1 {
		t.Fatalf("%d rows, %d expectations, %v", len(records), len(rows), err)
	}
	want := map[string]bool{}
	order, accounts := "", 0
	for _, row := range rows {
		switch row.Kind {
		case "section":
			order = row.Order
		case "account_id", "account_name":
			accounts++
		}
		for _, text := range append(row.Extract, row.ExactText) {
			if text != "" {
				line := order + ": " + text
				if c := records[row.Row]; len(c) == 6 && c[5] != "" {
					line += " " + c[5]
				}
				if row.Tag != "" {
					line += " #" + row.Tag
				}
				want[line] = true
			}
		}
	}
	pub, lines := parse(t, table)
	got := map[string]bool{}
	for _, line := range lines {
		got[line] = true
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(want)), slices.Sorted(maps.Keys(got))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if len(lines) != len(want) || pub.Unexpected["account that is no address"] != accounts {
		t.Errorf("%d rows, unexpected %v; want %d rows, %d accounts", len(lines), pub.Unexpected, len(want), accounts)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(english + "ASO - 34/24,,,,,TL94ikrR7YUe1gvYHtU9nUUUDНN1YB7Pоd,\n,,,,," + xrp + " (Address tag 1)*,XRP\n,,,,,," + tron + "," + tron + "\n"))
	f.Add([]byte(hebrew + "צ.ת 901/26\n,,,,\"" + evm + ", " + tron3 + "\",\n"))
	f.Add([]byte("Order,Wallet,Order date,Validity\nASO 1/26," + tron + ",1.7.2026,1.7.2028\n"))
	f.Add(sheettest.Workbook(f, sheettest.Sheet{Name: "S", Rows: [][]any{{"Order", "Wallet"}, {"ASO 1/26", tron}}}))
	f.Fuzz(func(t *testing.T, table []byte) {
		pub, err := il.Parse(bytes.NewReader(table))
		if err != nil || len(pub.Parties) == 0 {
			return
		}
		pub.List, pub.PublishedOn, pub.Digest = "il-nbctf", 20261121, screen.Digest{1}
		s, _, err := screen.Empty().Merge(screen.List{ID: "il-nbctf", Kind: screen.KindSeizureOrder, Authority: "NBCTF", Name: "orders"}, pub)
		if err != nil {
			t.Fatalf("merging: %v", err)
		}
		if _, err := screen.Decode(s.Encoding()); err != nil {
			t.Fatalf("reading back: %v", err)
		}
	})
}
