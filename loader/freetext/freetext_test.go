package freetext

import (
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"testing"

	"walletscreen/loader/parsertest"
	"walletscreen/screen"
)

const (
	tron    = "TDsyFFDqucRK44kNcfgd33q6pBdYutm2eP"
	bitcoin = "14umFBr7ktJMttgk2Q2uWu8xuPtEheKCoR"
	evm     = "0x2ae2f0decb81fc1ec7b1dcbc19912b19605e312b"
	solana  = "4Nd1mBQtrMJVYVfKf2PJy9NZUZdTAsp7D4xWLs4gDB4T"
	hash    = "0xab5eab5eab5eab5eab5eab5eab5eab5eab5eab5eab5eab5eab5eab5eab5eab5e"

	misprinted = "TDsyFFDqucRK44kNcfgd33q6pBdYutm2eX" // the checksum fails
	tooLong    = evm + "0"
)

// rowsOf returns the rows as "symbol text tag".
func rowsOf(rows []screen.PublishedAddress) (out []string) {
	for _, a := range rows {
		out = append(out, strings.TrimSpace(a.Symbol+" "+a.Text+" "+a.Tag))
	}
	return out
}

func TestRows(t *testing.T) {
	for _, tt := range []struct {
		name   string
		cells  []string
		prose  []string
		detail []string
		rows   []string
		counts map[string]int
	}{
		{name: "nothing", prose: []string{"", "A company of that name."}},
		{name: "a label for each", prose: []string{"(1) ETH: " + evm + " (2) BNB:\u202f " + evm + "\n(3) USDT: " + tron}, rows: []string{"ETH " + evm, "BNB " + evm, "USDT " + tron}},
		{name: "no label", prose: []string{"wallets: " + tron + "; " + bitcoin + "."}, rows: []string{tron, bitcoin}},
		{name: "labeled later", prose: []string{"wallets " + tron + " and " + bitcoin, "USDT: " + tron, "USDT: " + tron}, rows: []string{"USDT " + tron, bitcoin}},
		{name: "labeled before", prose: []string{"USDT: " + tron, "wallet " + tron}, rows: []string{"USDT " + tron}},
		{name: "tag", prose: []string{"XRP: rGWrZyQqhTp9Xu7G5Pkayo7bXjH4k4QYpf (Address tag 1); rGWrZyQqhTp9Xu7G5Pkayo7bXjH4k4QYpf"},
			rows: []string{"XRP rGWrZyQqhTp9Xu7G5Pkayo7bXjH4k4QYpf 1", "XRP rGWrZyQqhTp9Xu7G5Pkayo7bXjH4k4QYpf"}},
		{name: "in a detail", detail: []string{"https://explorer.example/address/" + tron}, rows: []string{tron}},

		{name: "wallets without addresses", prose: []string{"Its crypto wallet is held by another.", "Bitcoin."}, counts: map[string]int{noAddress: 1}},
		{name: "wallets elsewhere", prose: []string{"Its crypto wallet is held by another.", "It has " + tron}, rows: []string{tron}},
		{name: "wallets in a detail", detail: []string{"https://crypto.example"}},

		{name: "wallet of a name", prose: []string{"Name of mother is Rhiachatou Wallet Sidi. Photo."}},
		{name: "wallet of names", prose: []string{"Aicha Wallet Fatma Wallet Hamidi, Mytel Wallet International Myanmar\nCompany"}},
		{name: "misprint beside such a name", prose: []string{"Rhiachatou Wallet Sidi " + misprinted}},
		{name: "wallet of a name and others", prose: []string{"Rhiachatou Wallet Sidi has a wallet."}, counts: map[string]int{noAddress: 1}},
		{name: "title of wallets", prose: []string{"Digital Wallet Provider"}, counts: map[string]int{noAddress: 1}},
		{name: "heading of wallets", prose: []string{"Other Wallet Addresses: unknown"}, counts: map[string]int{noAddress: 1}},
		{name: "wallet first", prose: []string{"Wallet Unknown"}, counts: map[string]int{noAddress: 1}},
		{name: "wallet of a symbol", prose: []string{"USD Wallet Unknown"}, counts: map[string]int{noAddress: 1}},
		{name: "wallet behind a sentence", prose: []string{"Born in Gao. Wallet Unknown"}, counts: map[string]int{noAddress: 1}},

		{name: "cells", cells: []string{evm, " " + solana, "rGWrZyQqhTp9Xu7G5Pkayo7bXjH4k4QYpf (Address tag 7)*", "USDT: " + tron, "", "-"},
			rows: []string{evm, solana, "rGWrZyQqhTp9Xu7G5Pkayo7bXjH4k4QYpf 7", "USDT " + tron}},
		{name: "cells of no address", cells: []string{misprinted, hash, "see below", "100000001"}, rows: []string{misprinted, hash},
			counts: map[string]int{misprint + "checksum": 1, misprint + "ambiguous_32byte": 1, unreadable + "unrecognized": 1, unreadable + "not_an_address": 1}},
		{name: "cell of two misprints", cells: []string{misprinted + " " + misprinted}, counts: map[string]int{unreadable + "unrecognized": 1}},
		{name: "cells repeated in prose", cells: []string{evm, solana, misprinted}, prose: []string{"Wallets: " + solana + ", ETH: " + evm + ", USDT: " + misprinted},
			rows: []string{"ETH " + evm, solana, "USDT " + misprinted}, counts: map[string]int{misprint + "checksum": 1}},

		{name: "misprint among wallets", prose: []string{"crypto wallet " + misprinted}, rows: []string{misprinted}, counts: map[string]int{misprint + "checksum": 1}},
		{name: "misprint among addresses", prose: []string{"Has " + tron + " and " + misprinted, misprinted + " next to " + tron}, rows: []string{tron, misprinted},
			counts: map[string]int{misprint + "checksum": 1}},
		{name: "misprint behind a label", detail: []string{"USDT " + misprinted}, rows: []string{"USDT " + misprinted}, counts: map[string]int{misprint + "checksum": 1}},
		{name: "misprint behind the label of another", prose: []string{"BTC: " + bitcoin + ", " + misprinted}, rows: []string{"BTC " + bitcoin, "BTC " + misprinted},
			counts: map[string]int{misprint + "checksum": 1}},
		{name: "misprint behind two words", prose: []string{"Bitcoin Cash " + misprinted}, rows: []string{"Bitcoin Cash " + misprinted}, counts: map[string]int{misprint + "checksum": 1}},
		{name: "misprint of no known place", prose: []string{"Registered as " + misprinted}},
		{name: "digit too many behind a label", prose: []string{"ETH: " + tooLong}, rows: []string{"ETH " + tooLong}, counts: map[string]int{misprint + "malformed": 1}},
		{name: "digit too many", prose: []string{"wallets " + bitcoin + " and " + tooLong}, rows: []string{bitcoin, tooLong}, counts: map[string]int{misprint + "malformed": 1}},
		{name: "digit too few", prose: []string{"wallet " + evm[:41]}, rows: []string{evm[:41]}, counts: map[string]int{misprint + "malformed": 1}},
		{name: "digit too many, no wallets", prose: []string{"Registered as " + tooLong}},

		{name: "no checksum, labeled", prose: []string{"SOL: " + solana}, rows: []string{"SOL " + solana}},
		{name: "no checksum among wallets", prose: []string{"crypto wallets: " + solana}, rows: []string{solana}, counts: map[string]int{unlabeled: 1}},
		{name: "no checksum, number of a company", prose: []string{"Legal Entity Identifier - " + solana}},

		{name: "hash", prose: []string{"transaction " + hash}},
		{name: "hash among wallets", prose: []string{"crypto wallet, transaction " + hash}, counts: map[string]int{noAddress: 1, unreadable + "ambiguous_32byte": 1}},
		{name: "hash of 32 digits behind a colon", prose: []string{"wallet " + tron + " MD5: 9e107d9d372bb6826bd81d3542a419d6"}, rows: []string{tron},
			counts: map[string]int{unreadable + "digits": 1}},
		{name: "account without 0x", prose: []string{"wallets " + tron + " " + evm[2:]}, rows: []string{tron}, counts: map[string]int{unreadable + "digits": 1}},
		{name: "account without 0x, labeled", prose: []string{"wallets " + tron + " ETH " + evm[2:]}, rows: []string{tron, "ETH " + evm[2:]}},
		{name: "account in wrong case", prose: []string{"wallet 0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeD"}, rows: []string{"0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeD"},
			counts: map[string]int{misprint + "checksum": 1}},
		{name: "rest of a run", prose: []string{tron + "The Director"}, rows: []string{tron}, counts: map[string]int{unreadable + "unrecognized": 1}},
		{name: "short rest of a run behind a label", prose: []string{"BTC: " + bitcoin + "3"}, rows: []string{"BTC " + bitcoin}, counts: map[string]int{unreadable + "not_an_address": 1}},
		{name: "broken, the checksum fails", prose: []string{"blockchain wallet\n" + tron[:20] + "\n" + misprinted[20:]}, counts: map[string]int{noAddress: 1}},
		{name: "broken", prose: []string{"blockchain wallet\n" + tron[:20] + "\n" + tron[20:]}, rows: []string{tron}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var r Rows
			for _, text := range tt.cells {
				r.Cell(text)
			}
			for _, text := range tt.prose {
				r.Prose(text)
			}
			for _, text := range tt.detail {
				r.Detail(text)
			}
			if got := rowsOf(r.Addresses()); !slices.Equal(got, tt.rows) {
				t.Errorf("rows %q, want %q", got, tt.rows)
			}
			counts := make(Counts)
			r.Count(counts)
			if !maps.Equal(counts, tt.counts) {
				t.Errorf("counts %v, want %v", counts, tt.counts)
			}
			if (r.Kept == 0) != (len(tt.rows) == 0 && tt.counts[noAddress] == len(tt.counts)) {
				t.Errorf("%d bytes kept", r.Kept)
			}
		})
	}
}

func TestCounts(t *testing.T) {
	c := make(Counts)
	if c.Unexpected(nil) != nil {
		t.Error("nothing counted, and not nil")
	}
	for i := range 2 * maxCounts {
		c.Add(fmt.Sprint(i))
	}
	c.Add("0")
	got := c.Unexpected(map[string]int{"element a/b": 3, "0": 1})
	if len(got) != maxCounts+2 || got["0"] != 3 || got["other things"] != maxCounts || got["element a/b"] != 3 {
		t.Errorf("%d descriptions, %d, %d, %d", len(got), got["0"], got["other things"], got["element a/b"])
	}
}

// A text four times as long takes about four times the memory in all, which no
// work that grows faster would: what is allocated is counted, not timed.
func TestLinear(t *testing.T) {
	size := 1 << 20
	if parsertest.UnderRace {
		size >>= 3
	}
	work := func(text string) (allocated, objects uint64) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		var r Rows
		r.Prose(text)
		r.Cell(text)
		runtime.ReadMemStats(&after)
		if n := len(r.Addresses()); n > 2 || r.Kept > 4000 {
			t.Errorf("%.20q: %d rows, %d bytes kept", text, n, r.Kept)
		}
		return after.TotalAlloc - before.TotalAlloc, after.Mallocs - before.Mallocs
	}
	for _, unit := range []string{
		misprinted + " ", tooLong + " ", "ETH: " + tooLong + " ", hash + " ", solana + ";", "Aa Wallet ", "ETH: ", "BTC", "ETH " + evm + " ",
		"0x", "0xab ", "ab", "aB1", "z", evm + "\n",
	} {
		text := "wallet " + strings.Repeat(unit, size/len(unit))
		allocated, objects := work(text[:len(text)/4])
		allocatedAll, objectsAll := work(text)
		const fixed = 1 << 16 // bytes and objects that are nothing beside a megabyte
		if allocatedAll > 6*allocated+fixed || objectsAll > 6*objects+fixed {
			t.Errorf("%.20q: %d bytes in %d objects, and %d in %d for a text four times as long", unit, allocated, objects, allocatedAll, objectsAll)
		}
	}
}

func FuzzRows(f *testing.F) {
	for _, seed := range []string{"ETH: " + evm + " BNB: " + evm, "wallet " + misprinted, "USDT " + tooLong, tron + "The Director", "crypto " + hash, "MD5: " + solana} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var once, twice Rows
		once.Prose(text)
		twice.Prose(text)
		twice.Prose(text)
		if !slices.Equal(rowsOf(once.Addresses()), rowsOf(twice.Addresses())) {
			t.Fatalf("once %q, twice %q", rowsOf(once.Addresses()), rowsOf(twice.Addresses()))
		}
		once.Cell(text)
		for _, a := range once.Addresses() {
			if a.Text == "" {
				t.Fatalf("%+v", a)
			}
		}
	})
}
