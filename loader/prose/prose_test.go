package prose_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"walletscreen/loader/prose"
	"walletscreen/screen"
)

const (
	evm    = "0x1111111111111111111111111111111111111111"
	pooled = "rEb8TK3gBgk5auZkwc6sHnwrGVJH8DuaLh"
	// The address of the genesis block, and with its last letter changed.
	genesis  = "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"
	misprint = "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb"
	hash     = "0xab5eab5eab5eab5eab5eab5eab5eab5eab5eab5eab5eab5eab5eab5eab5eab5e"
)

func TestRead(t *testing.T) {
	for _, test := range []struct {
		name       string
		texts      []string
		want       []screen.PublishedAddress
		unexpected map[string]int
	}{
		{name: "labels", texts: []string{"(1) ETH: " + evm + " (2) BNB: " + evm + "; also " + evm},
			want: []screen.PublishedAddress{{Text: evm, Symbol: "ETH"}, {Text: evm, Symbol: "BNB"}}},
		{name: "no label", texts: []string{"The wallet is " + genesis + "."}, want: []screen.PublishedAddress{{Text: genesis}}},
		{name: "several texts", texts: []string{"wallet " + evm, "ETH: " + evm, evm + " again"},
			want: []screen.PublishedAddress{{Text: evm}, {Text: evm, Symbol: "ETH"}}},
		{name: "tag", texts: []string{pooled + " (Address tag 7), " + pooled},
			want: []screen.PublishedAddress{{Text: pooled, Tag: "7"}, {Text: pooled}}},
		{name: "broken", texts: []string{"wallet " + genesis[:20] + "\n" + genesis[20:]}, want: []screen.PublishedAddress{{Text: genesis}}},
		{name: "wrong checksum", texts: []string{"Bitcoin " + misprint + ", " + genesis},
			want:       []screen.PublishedAddress{{Text: genesis, Symbol: "Bitcoin"}, {Text: misprint}},
			unexpected: map[string]int{prose.Misprint: 1}},
		{name: "wrong checksum alone", texts: []string{"wallet " + misprint},
			want:       []screen.PublishedAddress{{Text: misprint}},
			unexpected: map[string]int{prose.Misprint: 1}},
		{name: "39 digits", texts: []string{"ETH: " + evm[:41]},
			want:       []screen.PublishedAddress{{Text: evm[:41]}},
			unexpected: map[string]int{prose.Misprint: 1}},
		{name: "wrong case", texts: []string{"ETH: 0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeD"},
			want:       []screen.PublishedAddress{{Text: "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeD"}},
			unexpected: map[string]int{prose.Misprint: 1}},
		{name: "hashes", texts: []string{"transaction " + hash + " to " + evm + ", MD5 b41d8cd98f00b204e9800998ecf8427e, SHA-1 da39a3ee5e6b4b0d3255bfef95601890afd80709"},
			want:       []screen.PublishedAddress{{Text: evm}},
			unexpected: map[string]int{prose.Unread: 3}},
		{name: "hash elsewhere", texts: []string{"file " + hash}},
		{name: "word behind", texts: []string{"wallet " + genesis + "The owner"},
			want:       []screen.PublishedAddress{{Text: genesis}},
			unexpected: map[string]int{prose.Unread: 1}},
		{name: "decoys", texts: []string{"UK Company number - 11655602", "EVA ID - EEA90DD050C635EC8F637E8DB2F69969", "LEI 984500B899H9EED3B354, 447700900123"}},
		{name: "wallets", texts: []string{"He holds bitcoin."}, unexpected: map[string]int{prose.NoAddress: 1}},
		{name: "nothing", texts: []string{"", "He lives in Kinshasa."}},
	} {
		var rows prose.Rows
		for _, text := range test.texts {
			rows.Read(text)
		}
		if diff := cmp.Diff(test.want, rows.Addresses); diff != "" {
			t.Errorf("%s: rows (-want +got):\n%s", test.name, diff)
		}
		if diff := cmp.Diff(test.unexpected, rows.Unexpected); diff != "" {
			t.Errorf("%s: unexpected (-want +got):\n%s", test.name, diff)
		}
		for what := range rows.Unexpected {
			for _, a := range rows.Addresses {
				if strings.Contains(what, a.Text) {
					t.Errorf("%s: %q tells an address", test.name, what)
				}
			}
		}
	}
}

func TestReadCell(t *testing.T) {
	const solana = "4Nd1mBQtrMJVYVfKf2PJy9NZUZdTAsp7D4xWLs4gDB4T"
	var rows prose.Rows
	rows.Read("Ethereum: " + evm + ", Bitcoin " + misprint)
	for _, cell := range []string{evm, solana, " " + pooled + " (Address tag 7)*", misprint, hash, "see below", "", "-"} {
		rows.ReadCell(cell)
	}
	want := []screen.PublishedAddress{
		{Text: evm, Symbol: "Ethereum"}, {Text: misprint}, {Text: solana}, {Text: pooled, Tag: "7"}, {Text: hash},
	}
	if diff := cmp.Diff(want, rows.Addresses); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]int{prose.Misprint: 2, prose.Unread: 1}, rows.Unexpected); diff != "" {
		t.Errorf("unexpected (-want +got):\n%s", diff)
	}
}
