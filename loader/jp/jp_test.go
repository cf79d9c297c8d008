package jp_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"walletscreen/loader/jp"
	"walletscreen/loader/parsertest"
	"walletscreen/loader/sheet/sheettest"
	"walletscreen/screen"
)

// The addresses in these tests are those of the reference vectors of their
// encodings; parties and notices are invented.
const (
	tron   = "TPQrYqxT2ss3BSq5VrAdX9FyrC11Sb4PH2"
	tron2  = "TL94ikrR7YUe1gvYHtU9nUUUDHN1YB7Pod"
	evm    = "0x1111111111111111111111111111111111111111"
	btc    = "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"
	btcBad = "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb"
)

// workbook has the shapes of the ministry's: a title, headers that differ between
// worksheets, two header rows, names for the same column in different words.
func workbook(t testing.TB) []byte {
	return sheettest.Workbook(t,
		sheettest.Sheet{Name: "改訂履歴", Rows: [][]any{{"改訂履歴"}, {"令和８年７月１日", "追加"}}},
		sheettest.Sheet{Name: "北朝鮮（個人）", Rows: [][]any{
			{"北朝鮮のミサイル又は大量破壊兵器計画に関連する者", nil, "（令和８年７月１日現在）"},
			{},
			{"告示日付", "告示 番号", "日 本 語 表 記", "英 語 表 記", "別 名", "確定に十分でない別名", "旧 称", "生 年 月 日", "旅券番号", "そ の 他 の 情 報"},
			{"2022年3月1日\n（2023年4月1日改訂）", "第１００号", "マロリー", "MALLORY Example", "（a）Mal（b）不明\nThe Mole", "M.", "Malory\n-", "1970年1月1日", "AB0000001",
				"仮想通貨アドレス：XBT " + btc + "_x000D_\nETH：" + evm + "、USDT: " + tron + "。会社番号 1180000012345"},
			{time.Date(2022, 3, 1, 0, 0, 0, 0, time.UTC), "第100号", "トルーディ", "Trudy", nil, nil, nil, nil, nil, "暗号資産のウォレットを保有"},
			{"平成元年２月３日", "第101号", "不明", "Peggy", nil, nil, nil, nil, nil, "所在地不明"},
			{nil, nil, nil, nil, nil, nil, nil, nil, nil, "仮想通貨アドレス（TRX）：" + tron2},
		}},
		sheettest.Sheet{Name: "ロシア（団体）", Rows: [][]any{
			{"資産凍結等の措置の対象となるロシア連邦の団体"},
			{"告示日付", "告示番号", "名称", nil, "詳 細"},
			{nil, nil, "日本語表記\n（Japanese）", "英語表記 (English)"},
			{"R4.3.1", 55, "取引所", "Exchange LLC", "Bitcoin address: " + btcBad},
			{"未定", 56, "別の取引所", nil, "ビットコイン " + btc},
			{"注"},
		}},
		sheettest.Sheet{Name: "旧", Hidden: true, Rows: [][]any{
			{"告示日付", "告示番号", "氏名", "備考"},
			{"2022.3.1", "第100号", "MALLORY Example", "ETH " + evm},
		}},
	)
}

func TestParse(t *testing.T) {
	pub, err := jp.Parse(bytes.NewReader(workbook(t)))
	if err != nil {
		t.Fatal(err)
	}
	want := &screen.Publication{
		PublishedOn: 20260701,
		Records:     6,
		Parties: []screen.PublishedParty{
			{
				UID: "第100号 MALLORY Example",
				Facts: screen.Facts{
					Name: "マロリー", Type: screen.PartyIndividual,
					Aliases: []screen.Alias{
						{Name: "MALLORY Example"}, {Name: "Mal", Type: "a.k.a."}, {Name: "The Mole", Type: "a.k.a."},
						{Name: "Malory", Type: "f.k.a."}, {Name: "M.", Type: "a.k.a.", Weak: true},
					},
					Programs: []string{"北朝鮮（個人）", "旧"},
					Entries:  []screen.EntryEvent{{On: 20220301, LegalBasis: "第100号"}},
				},
				Addresses: []screen.PublishedAddress{
					{Text: btc, Symbol: "XBT"}, {Text: evm, Symbol: "ETH"}, {Text: tron, Symbol: "USDT"}, {Text: evm, Symbol: "ETH"},
				},
			},
			{
				UID: "第101号 Peggy",
				Facts: screen.Facts{
					Name: "Peggy", Type: screen.PartyIndividual, Programs: []string{"北朝鮮（個人）"},
					Entries: []screen.EntryEvent{{On: 19890203, LegalBasis: "第101号"}},
				},
				Addresses: []screen.PublishedAddress{{Text: tron2, Symbol: "TRX"}},
			},
			{
				UID: "55 Exchange LLC",
				Facts: screen.Facts{
					Name: "取引所", Type: screen.PartyEntity, Aliases: []screen.Alias{{Name: "Exchange LLC"}}, Programs: []string{"ロシア（団体）"},
					Entries: []screen.EntryEvent{{On: 20220301, LegalBasis: "55"}},
				},
				Addresses: []screen.PublishedAddress{{Text: btcBad, Symbol: "Bitcoin"}},
			},
			{
				UID:       "56 別の取引所",
				Facts:     screen.Facts{Name: "別の取引所", Type: screen.PartyEntity, Programs: []string{"ロシア（団体）"}},
				Addresses: []screen.PublishedAddress{{Text: btc, Symbol: "ビットコイン"}},
			},
		},
		Unexpected: map[string]int{
			"worksheet without the column 告示日付":            1,
			"hidden worksheet, which was read":             1,
			"text speaks of wallets, no address found":     1,
			"misprinted address kept as printed: checksum": 1,
			"告示日付 that is no date":                         1,
			"row of one cell within a table":               1,
		},
	}
	if diff := cmp.Diff(want, pub); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestParseCSV(t *testing.T) {
	pub, err := jp.Parse(strings.NewReader("\ufeffタリバーン関係者等,,\n告示日付,告示番号,英語表記,その他の情報\n2001年9月22日,第1号,Mallory,\"ETH: " + evm + "\n\"\n,,,TRX: " + tron + "\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := []screen.PublishedParty{{
		UID:       "第1号 Mallory",
		Facts:     screen.Facts{Name: "Mallory", Programs: []string{"タリバーン関係者等"}, Entries: []screen.EntryEvent{{On: 20010922, LegalBasis: "第1号"}}},
		Addresses: []screen.PublishedAddress{{Text: evm, Symbol: "ETH"}, {Text: tron, Symbol: "TRX"}},
	}}
	if diff := cmp.Diff(want, pub.Parties); diff != "" || pub.PublishedOn != 0 || pub.Records != 1 {
		t.Errorf("published on %s, %d records, (-want +got):\n%s", pub.PublishedOn, pub.Records, diff)
	}
}

// Of two entries with one UID one party is made, with the acts of both.
func TestSameUID(t *testing.T) {
	pub, err := jp.Parse(strings.NewReader("一覧（2026年7月1日現在）\n告示日付,告示番号,英語表記,詳細\n2001年9月22日,第１号,M,ETH " + evm + "\n2002年9月22日,第1号,Ｍ,TRX " + tron + "\n2001年9月22日,第1号,M,XBT " + btc + "\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := []screen.PublishedParty{{
		UID: "第1号 M",
		Facts: screen.Facts{
			Name: "M", Programs: []string{"一覧(2026年7月1日現在)"},
			Entries: []screen.EntryEvent{{On: 20010922, LegalBasis: "第1号"}, {On: 20020922, LegalBasis: "第1号"}},
		},
		Addresses: []screen.PublishedAddress{{Text: evm, Symbol: "ETH"}, {Text: tron, Symbol: "TRX"}, {Text: btc, Symbol: "XBT"}},
	}}
	if diff := cmp.Diff(want, pub.Parties); diff != "" || pub.PublishedOn != 20260701 || pub.Records != 3 {
		t.Errorf("published on %s, %d records, (-want +got):\n%s", pub.PublishedOn, pub.Records, diff)
	}
}

// What looks like an address to a pattern and is none gives no row.
func TestDecoys(t *testing.T) {
	pub, err := jp.Parse(strings.NewReader("告示日付,告示番号,英語表記,旅券番号,その他の情報\n" +
		"2001年9月22日,第1号,Mallory,AB0000001,\"電話 +81-3-0000-0000、適格請求書発行事業者登録番号 T1234567890123、IMO 9191734\"\n" +
		"2001年9月22日,第1号,Trudy,,取引 0x46deef0f52e3a983b67abf4714448a41dd7ffd6d32d32da69d62081c68ad7882\n"))
	if err != nil {
		t.Fatal(err)
	}
	if len(pub.Parties) != 0 || pub.Records != 2 || pub.Unexpected != nil {
		t.Errorf("%d parties in %d records, unexpected %v", len(pub.Parties), pub.Records, pub.Unexpected)
	}
}

// An entry without a name has one that says so.
func TestNoName(t *testing.T) {
	pub := parsertest.Parse(t, jp.Parse, "告示日付,告示番号,日本語表記,英語表記,別名,詳細\n2001年9月22日,1,不明,,M,ETH "+evm+"\n2001年9月22日,2,,,,ETH "+evm+"\n")
	for i, uid := range []string{"1", "2"} {
		if p := pub.Parties[i]; p.UID != uid || p.Facts.Name != "不明" {
			t.Errorf("party %+v, want %s, 不明", p, uid)
		}
	}
}

// The name of a column that is new says what is in it. What names say of wallets
// is nothing to count.
func TestColumns(t *testing.T) {
	const solana = "4Nd1mBQtrMJVYVfKf2PJy9NZUZdTAsp7D4xWLs4gDB4T" // needs a label
	pub, err := jp.Parse(strings.NewReader("告示日付,告示番号,英語表記,暗号資産のアドレス,備考\n" +
		"2001年9月22日,1,M," + solana + ",\n" +
		"2001年9月22日,2,Wallet Company,,\n" +
		"2001年9月22日,3,N,,仮想通貨\n"))
	if err != nil {
		t.Fatal(err)
	}
	if len(pub.Parties) != 1 || len(pub.Parties[0].Addresses) != 1 || pub.Parties[0].Addresses[0].Text != solana {
		t.Errorf("parties %+v", pub.Parties)
	}
	want := map[string]int{"address without checksum or label kept": 1, "text speaks of wallets, no address found": 1}
	if diff := cmp.Diff(want, pub.Unexpected); diff != "" {
		t.Errorf("unexpected (-want +got):\n%s", diff)
	}
}

func TestParseErrors(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"empty", "", "jp: no column 告示日付 in any row"},
		{"another table", "address,symbol\n", "jp: no column 告示日付 in any row"},
		{"above the table", "ETH " + evm + "\n告示日付,告示番号\n", "jp: line 1: an address outside of all entries"},
		{"before the first entry", "告示日付,告示番号,英語表記,詳細\n,,,ETH " + evm + "\n", "jp: line 2: an address outside of all entries"},
		{"after a note", "告示日付,告示番号,英語表記,詳細\n2001年9月22日,1,M,\n注\n,,,ETH " + evm + "\n", "jp: line 4: an address outside of all entries"},
		{"Shift JIS", "\x8d\x90\x8e\xa6\x93\xfa\x95t\n", "jp: line 1: column 1: not valid UTF-8"},
	} {
		_, err := jp.Parse(strings.NewReader(tt.text))
		if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), evm) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}

func TestDates(t *testing.T) {
	for text, want := range map[string]string{
		"2022年3月1日": "2022-03-01", "２０２２年１２月３１日": "2022-12-31", "令和4年3月1日": "2022-03-01", "令和元年５月１日": "2019-05-01",
		"平成13年9月22日": "2001-09-22", "昭和64年1月7日": "1989-01-07", "H13.9.22": "2001-09-22", "2001/9/22": "2001-09-22",
		"2001 年 9 月 22 日（2016年3月1日改訂）": "2001-09-22", "2022年2月30日": "", "22年3月1日": "", "2022年3月": "", "第100号": "",
	} {
		pub, err := jp.Parse(strings.NewReader("告示日付,告示番号,英語表記,詳細\n" + text + ",1,M,ETH " + evm + "\n"))
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, e := range pub.Parties[0].Facts.Entries {
			got += e.On.String()
		}
		if got != want || (want == "") != (pub.Unexpected["告示日付 that is no date"] == 1) {
			t.Errorf("%s: %q, unexpected %v, want %q", text, got, pub.Unexpected, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(workbook(f))
	f.Add([]byte("タリバーン関係者等\n告示日付,告示番号,日本語表記,英語表記,別名,詳細\n令和元年5月1日,第１号,マロリー,Mallory,(a)M,ETH: " + evm + "\n,,,,,TRX: " + tron + "\n"))
	f.Fuzz(func(t *testing.T, table []byte) { parsertest.Fuzzed(t, jp.Parse, table) })
}
