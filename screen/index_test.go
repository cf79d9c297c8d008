package screen

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"walletscreen/screen/address"
)

const (
	evm      = "0x098B716B8Aaf21512996dC57EB0615e2383E2f96"
	evmLower = "0x098b716b8aaf21512996dc57eb0615e2383e2f96"
	evmWrong = "0x098b716B8Aaf21512996dC57EB0615e2383E2f96" // one letter in the wrong case
	other    = "0x000000000000000000000000000000000000dEaD"
	tronText = "TA3941uFAvmVibSkQ6fMJXxmaSNovX86mz"
	badTron  = "TA3941uFAvmVibSkQ6fMJXxmaSNovX86mx" // the checksum fails
)

// answer is a result as tests write it.
type answer struct {
	Verdict  Verdict
	Reason   Reason
	Warnings Warnings
	Matches  []string // basis, list, text
}

func screened(s *Snapshot, q Query, text string) answer {
	if q.Today == 0 {
		q.Today = 20250101
	}
	var res Result
	NewIndex(s).Screener(q).Screen(text, &res)
	a := answer{Verdict: res.Verdict, Reason: res.Reason, Warnings: res.Warnings}
	for _, m := range res.Matches {
		a.Matches = append(a.Matches, fmt.Sprintf("%d %s %s", m.Basis, s.ListOf(m.Listing).ID, m.Listing.Text))
	}
	return a
}

func match(basis Basis, list List, text string) string {
	return fmt.Sprintf("%d %s %s", basis, list.ID, text)
}

func always(bool) func(ListID) bool         { return func(ListID) bool { return true } }
func onlyStale(id ListID) func(ListID) bool { return func(other ListID) bool { return other == id } }

func TestScreen(t *testing.T) {
	on := func(list List, addresses ...PublishedAddress) func(testing.TB, *Snapshot) *Snapshot {
		return func(t testing.TB, s *Snapshot) *Snapshot {
			return merged(t, s, list, publication(list, 20240101, string(list.ID), party("1", addresses...)))
		}
	}
	type lists []func(testing.TB, *Snapshot) *Snapshot
	nobody := row(account(address.KindEVM, 0x77, false))
	tagged := PublishedAddress{Text: evm, Tag: "1234"}
	long := strings.Repeat("2", 200) // base58 characters, but no encoding is as long
	p2pkh, wpkh, p2sh, wsh := account(address.KindP2PKH, 1, false), account(address.KindWPKH, 1, false), account(address.KindP2SH, 1, false), account(address.KindWSH, 1, false)
	nested := nestedIn(t, wpkh)

	for _, test := range []struct {
		name  string
		lists lists
		query Query
		text  string
		want  answer
	}{
		{"not listed", lists{on(sdn, row(evm))}, Query{}, other, answer{Verdict: VerdictNotListed}},
		{"exact text", lists{on(sdn, row(evm))}, Query{}, evm, answer{Verdict: VerdictListed, Matches: []string{match(BasisExactText, sdn, evm)}}},
		{"same account", lists{on(sdn, row(evm))}, Query{}, evmLower, answer{Verdict: VerdictListed, Matches: []string{match(BasisSameAccount, sdn, evm)}}},
		{"listed in bad letter case", lists{on(sdn, row(evmWrong))}, Query{}, evm, answer{Verdict: VerdictListed, Matches: []string{match(BasisSameAccount, sdn, evmWrong)}}},
		{"LISTED beats a checksum that fails", lists{on(sdn, row(evm))}, Query{}, evmWrong,
			answer{Verdict: VerdictListed, Warnings: Warnings(address.WarnChecksumCase), Matches: []string{match(BasisSameAccount, sdn, evm)}}},
		{"white space is not to the letter", lists{on(sdn, row(evm))}, Query{}, " " + evm + "\n",
			answer{Verdict: VerdictListed, Warnings: Warnings(address.WarnNormalized), Matches: []string{match(BasisSameAccount, sdn, evm)}}},
		{"white space as published", lists{on(sdn, row(" "+evm))}, Query{}, " " + evm,
			answer{Verdict: VerdictListed, Warnings: Warnings(address.WarnNormalized), Matches: []string{match(BasisExactText, sdn, " "+evm)}}},
		{"published with white space", lists{on(sdn, row(" "+evm+" "))}, Query{}, evmLower, answer{Verdict: VerdictListed, Matches: []string{match(BasisSameAccount, sdn, " "+evm+" ")}}},

		{"unreadable, to the letter", lists{on(sdn, row(badTron))}, Query{}, badTron, answer{Verdict: VerdictListed, Matches: []string{match(BasisExactText, sdn, badTron)}}},
		{"unreadable, with white space around", lists{on(sdn, row(badTron))}, Query{}, " " + badTron,
			answer{Verdict: VerdictListed, Warnings: Warnings(address.WarnNormalized), Matches: []string{match(BasisSameAccount, sdn, badTron)}}},
		{"unreadable, published with white space", lists{on(sdn, row("\n"+badTron+" "))}, Query{}, badTron,
			answer{Verdict: VerdictListed, Matches: []string{match(BasisSameAccount, sdn, "\n"+badTron+" ")}}},
		{"unreadable, published with an invisible character", lists{on(sdn, row("\ufeff"+badTron+"."))}, Query{}, badTron,
			answer{Verdict: VerdictListed, Matches: []string{match(BasisSameAccount, sdn, "\ufeff"+badTron+".")}}},
		{"unreadable, in other letter case", lists{on(sdn, row(badTron))}, Query{}, strings.ToLower(badTron), answer{Verdict: VerdictCannotScreen, Reason: address.ReasonChecksum}},
		{"unreadable, longer than any encoding", lists{on(sdn, row(long))}, Query{}, long, answer{Verdict: VerdictListed, Matches: []string{match(BasisExactText, sdn, long)}}},
		{"unreadable, published in more white space than a text may have", lists{on(sdn, row(badTron+strings.Repeat(" ", 600)))}, Query{}, badTron,
			answer{Verdict: VerdictListed, Matches: []string{match(BasisSameAccount, sdn, badTron+strings.Repeat(" ", 600))}}},
		{"nothing but white space published", lists{on(sdn, row("  "), row("''"))}, Query{}, "", answer{Verdict: VerdictCannotScreen, Reason: address.ReasonEmpty}},
		{"nothing but quotes asked", lists{on(sdn, row("  "), row("''"))}, Query{}, `""`,
			answer{Verdict: VerdictCannotScreen, Reason: address.ReasonEmpty, Warnings: Warnings(address.WarnNormalized)}},
		{"too long", lists{on(sdn, nobody)}, Query{}, strings.Repeat("x", 513), answer{Verdict: VerdictCannotScreen, Reason: address.ReasonTooLong}},
		{"not UTF-8", lists{on(sdn, nobody)}, Query{}, "\xff", answer{Verdict: VerdictCannotScreen, Reason: address.ReasonInvalidText}},
		{"a checksum fails", lists{on(sdn, nobody)}, Query{}, badTron, answer{Verdict: VerdictCannotScreen, Reason: address.ReasonChecksum}},
		{"letter case fails", lists{on(sdn, nobody)}, Query{}, evmWrong, answer{Verdict: VerdictCannotScreen, Reason: address.ReasonChecksum, Warnings: Warnings(address.WarnChecksumCase)}},

		{"advisory", lists{on(advisory, row(evm))}, Query{}, evm, answer{Verdict: VerdictAdvisory, Matches: []string{match(BasisExactText, advisory, evm)}}},
		{"advisory, checksum fails", lists{on(advisory, row(evm))}, Query{}, evmWrong,
			answer{Verdict: VerdictAdvisory, Reason: address.ReasonChecksum, Warnings: Warnings(address.WarnChecksumCase), Matches: []string{match(BasisSameAccount, advisory, evm)}}},
		{"advisory and listed", lists{on(advisory, row(evm)), on(sdn, row(evmLower))}, Query{}, evm,
			answer{Verdict: VerdictListed, Matches: []string{match(BasisSameAccount, sdn, evmLower), match(BasisExactText, advisory, evm)}}},
		{"advisory alone is asked", lists{on(advisory, row(evm)), on(sdn, row(evmLower))}, Query{Lists: []ListID{advisory.ID}}, evm,
			answer{Verdict: VerdictAdvisory, Matches: []string{match(BasisExactText, advisory, evm)}}},
		{"seizure order and own list bind", lists{on(seizures, row(evm)), on(own, row(evm))}, Query{}, evm,
			answer{Verdict: VerdictListed, Matches: []string{match(BasisExactText, seizures, evm), match(BasisExactText, own, evm)}}},
		{"related on a binding list beside advisory", lists{on(advisory, row(evm)), on(sdn, tagged)}, Query{}, evm,
			answer{Verdict: VerdictAdvisory, Matches: []string{match(BasisExactText, advisory, evm), match(BasisSameAccountOtherTag, sdn, evm)}}},

		{"another list is asked", lists{on(sdn, row(evm)), on(own, nobody)}, Query{Lists: []ListID{own.ID, own.ID}}, evm, answer{Verdict: VerdictNotListed}},
		{"unknown list", lists{on(sdn, row(evm))}, Query{Lists: []ListID{"nobodys"}}, evm, answer{Verdict: VerdictCannotScreen, Reason: ReasonNotLoaded}},
		{"unknown list beside a known one", lists{on(sdn, row(evm))}, Query{Lists: []ListID{"nobodys", sdn.ID}}, other, answer{Verdict: VerdictCannotScreen, Reason: ReasonNotLoaded}},
		{"unknown list, LISTED on a known one", lists{on(sdn, row(evm))}, Query{Lists: []ListID{"nobodys", sdn.ID}}, evm,
			answer{Verdict: VerdictListed, Matches: []string{match(BasisExactText, sdn, evm)}}},
		{"no lists at all", nil, Query{}, evm, answer{Verdict: VerdictCannotScreen, Reason: ReasonNotLoaded}},
		{"no lists at all, a bad text", nil, Query{}, badTron, answer{Verdict: VerdictCannotScreen, Reason: address.ReasonChecksum}},

		{"stale", lists{on(sdn, row(evm))}, Query{Stale: onlyStale(sdn.ID)}, other, answer{Verdict: VerdictCannotScreen, Reason: ReasonStale}},
		{"stale, LISTED", lists{on(sdn, row(evm))}, Query{Stale: onlyStale(sdn.ID)}, evm, answer{Verdict: VerdictListed, Matches: []string{match(BasisExactText, sdn, evm)}}},
		{"stale, ADVISORY", lists{on(advisory, row(evm)), on(sdn, nobody)}, Query{Stale: onlyStale(sdn.ID)}, evm,
			answer{Verdict: VerdictAdvisory, Reason: ReasonStale, Matches: []string{match(BasisExactText, advisory, evm)}}},
		{"stale, RELATED", lists{on(sdn, tagged)}, Query{Stale: onlyStale(sdn.ID)}, evm,
			answer{Verdict: VerdictRelated, Reason: ReasonStale, Matches: []string{match(BasisSameAccountOtherTag, sdn, evm)}}},
		{"a list that is not asked is stale", lists{on(sdn, row(evm)), on(own, nobody)}, Query{Stale: onlyStale(sdn.ID), Lists: []ListID{own.ID}}, other, answer{Verdict: VerdictNotListed}},
		{"the text comes before the lists", lists{on(sdn, row(evm))}, Query{Stale: onlyStale(sdn.ID)}, badTron, answer{Verdict: VerdictCannotScreen, Reason: address.ReasonChecksum}},
		{"not loaded comes before stale", lists{on(sdn, row(evm))}, Query{Stale: onlyStale(sdn.ID), Lists: []ListID{sdn.ID, "nobodys"}}, other, answer{Verdict: VerdictCannotScreen, Reason: ReasonNotLoaded}},

		{"before the history", lists{on(sdn, row(evm))}, Query{AsOf: 20231231}, evm, answer{Verdict: VerdictCannotScreen, Reason: ReasonBeforeHistory}},
		{"on the first day", lists{on(sdn, row(evm))}, Query{AsOf: 20240101}, evm, answer{Verdict: VerdictListed, Matches: []string{match(BasisExactText, sdn, evm)}}},
		{"on the first day, not listed", lists{on(sdn, row(evm))}, Query{AsOf: 20240101}, other, answer{Verdict: VerdictNotListed}},
		{"before the history comes before stale", lists{on(sdn, row(evm))}, Query{AsOf: 20231231, Stale: onlyStale(sdn.ID)}, other, answer{Verdict: VerdictCannotScreen, Reason: ReasonBeforeHistory}},
		{"an own list has no beginning", lists{on(own, row(evm))}, Query{AsOf: 20231231}, evm, answer{Verdict: VerdictNotListed}},
		{"an own list beside another, before its history", lists{on(own, nobody), on(sdn, nobody)}, Query{AsOf: 20231231}, evm, answer{Verdict: VerdictCannotScreen, Reason: ReasonBeforeHistory}},

		{"before the printed start, now", lists{on(own, PublishedAddress{Text: evm, ListedOn: 20250102})}, Query{}, evm, answer{Verdict: VerdictNotListed}},
		{"on the printed start, now", lists{on(own, PublishedAddress{Text: evm, ListedOn: 20250101})}, Query{}, evm, answer{Verdict: VerdictListed, Matches: []string{match(BasisExactText, own, evm)}}},
		{"before the printed end, now", lists{on(own, PublishedAddress{Text: evm, DelistedOn: 20250102})}, Query{}, evm, answer{Verdict: VerdictListed, Matches: []string{match(BasisExactText, own, evm)}}},
		{"on the printed end, now", lists{on(own, PublishedAddress{Text: evm, DelistedOn: 20250101})}, Query{}, evm, answer{Verdict: VerdictNotListed}},
		{"in the printed interval, before the publication", lists{on(own, PublishedAddress{Text: evm, ListedOn: 20230101, DelistedOn: 20230201})}, Query{AsOf: 20230131}, evm,
			answer{Verdict: VerdictListed, Matches: []string{match(BasisExactText, own, evm)}}},
		{"on the printed end, then", lists{on(own, PublishedAddress{Text: evm, ListedOn: 20230101, DelistedOn: 20230201})}, Query{AsOf: 20230201}, evm, answer{Verdict: VerdictNotListed}},

		{"tagged", lists{on(sdn, tagged)}, Query{}, evm, answer{Verdict: VerdictRelated, Matches: []string{match(BasisSameAccountOtherTag, sdn, evm)}}},
		{"tagged, another way of writing", lists{on(sdn, tagged)}, Query{}, evmLower, answer{Verdict: VerdictRelated, Matches: []string{match(BasisSameAccountOtherTag, sdn, evm)}}},
		{"tagged, unreadable", lists{on(sdn, PublishedAddress{Text: badTron, Tag: "1"})}, Query{}, badTron,
			answer{Verdict: VerdictRelated, Reason: address.ReasonChecksum, Matches: []string{match(BasisSameAccountOtherTag, sdn, badTron)}}},
		{"tagged and untagged", lists{on(sdn, tagged, row(evm))}, Query{}, evm,
			answer{Verdict: VerdictListed, Matches: []string{match(BasisExactText, sdn, evm), match(BasisSameAccountOtherTag, sdn, evm)}}},

		{"Tron listed, EVM asked", lists{on(sdn, row(account(address.KindTron, 1, false)))}, Query{}, account(address.KindEVM, 1, false),
			answer{Verdict: VerdictRelated, Matches: []string{match(BasisSameKey, sdn, account(address.KindTron, 1, false))}}},
		{"EVM listed, Tron asked", lists{on(sdn, row(account(address.KindEVM, 1, false)))}, Query{}, account(address.KindTron, 1, false),
			answer{Verdict: VerdictRelated, Matches: []string{match(BasisSameKey, sdn, account(address.KindEVM, 1, false))}}},
		{"Tron listed, its 0x form asked on Tron", lists{on(sdn, row(account(address.KindTron, 1, false)))}, Query{Network: address.LedgerTron}, account(address.KindEVM, 1, false),
			answer{Verdict: VerdictListed, Matches: []string{match(BasisSameAccount, sdn, account(address.KindTron, 1, false))}}},
		{"EVM listed, its 0x form asked on Tron", lists{on(sdn, row(account(address.KindEVM, 1, false)))}, Query{Network: address.LedgerTron}, account(address.KindEVM, 1, false),
			answer{Verdict: VerdictListed, Warnings: WarnNetworkMismatch, Matches: []string{match(BasisExactText, sdn, account(address.KindEVM, 1, false))}}},
		{"Tron listed, Bitcoin is meant", lists{on(sdn, row(tronText))}, Query{Network: address.LedgerBTC}, tronText,
			answer{Verdict: VerdictListed, Warnings: WarnNetworkMismatch, Matches: []string{match(BasisExactText, sdn, tronText)}}},
		{"not listed, another network", lists{on(sdn, nobody)}, Query{Network: address.LedgerBTC}, tronText, answer{Verdict: VerdictNotListed, Warnings: WarnNetworkMismatch}},
		{"not listed, one of its networks", lists{on(sdn, nobody)}, Query{Network: address.LedgerBCH}, p2pkh, answer{Verdict: VerdictNotListed}},

		{"P2PKH listed, P2WPKH asked", lists{on(sdn, row(p2pkh))}, Query{}, wpkh, answer{Verdict: VerdictRelated, Matches: []string{match(BasisSameKey, sdn, p2pkh)}}},
		{"P2WPKH listed, P2PKH asked", lists{on(sdn, row(wpkh))}, Query{}, p2pkh, answer{Verdict: VerdictRelated, Matches: []string{match(BasisSameKey, sdn, wpkh)}}},
		{"P2WPKH listed, nested asked", lists{on(sdn, row(wpkh))}, Query{}, nested, answer{Verdict: VerdictRelated, Matches: []string{match(BasisSameKey, sdn, wpkh)}}},
		{"nested listed, P2PKH asked", lists{on(sdn, row(nested))}, Query{}, p2pkh, answer{Verdict: VerdictRelated, Matches: []string{match(BasisSameKey, sdn, nested)}}},
		{"P2WSH listed, nested asked", lists{on(sdn, row(wsh))}, Query{}, nestedIn(t, wsh), answer{Verdict: VerdictRelated, Matches: []string{match(BasisSameScriptOtherLedger, sdn, wsh)}}},
		{"nested listed, P2WSH asked", lists{on(sdn, row(nestedIn(t, wsh)))}, Query{}, wsh, answer{Verdict: VerdictRelated, Matches: []string{match(BasisSameScriptOtherLedger, sdn, nestedIn(t, wsh))}}},
		{"a script hash of the bytes of a key hash", lists{on(sdn, row(p2pkh), row(wpkh))}, Query{}, p2sh, answer{Verdict: VerdictNotListed}},
		{"a key hash of the bytes of a script hash", lists{on(sdn, row(p2sh))}, Query{}, p2pkh, answer{Verdict: VerdictNotListed}},
		{"a key hash of the bytes of an EVM account", lists{on(sdn, row(account(address.KindEVM, 1, false)))}, Query{}, p2pkh, answer{Verdict: VerdictNotListed}},
		{"a taproot output of the bytes of a P2WSH", lists{on(sdn, row(wsh))}, Query{}, account(address.KindTR, 1, false), answer{Verdict: VerdictNotListed}},
		{"main network listed, test network asked", lists{on(sdn, row(p2pkh))}, Query{}, account(address.KindP2PKH, 1, true),
			answer{Verdict: VerdictRelated, Warnings: Warnings(address.WarnTestnet), Matches: []string{match(BasisSameKey, sdn, p2pkh)}}},
		{"test network listed, main network asked", lists{on(sdn, row(account(address.KindP2SH, 1, true)))}, Query{}, p2sh,
			answer{Verdict: VerdictRelated, Matches: []string{match(BasisSameScriptOtherLedger, sdn, account(address.KindP2SH, 1, true))}}},
		{"taproot of the test network", lists{on(sdn, row(account(address.KindTR, 1, true)))}, Query{}, account(address.KindTR, 1, false),
			answer{Verdict: VerdictRelated, Matches: []string{match(BasisSameKey, sdn, account(address.KindTR, 1, true))}}},

		{"under two symbols", lists{on(sdn, PublishedAddress{Text: evm, Symbol: "USDT"}, PublishedAddress{Text: evm, Symbol: "ETH"}, PublishedAddress{Text: evmLower, Symbol: "ETH"})}, Query{}, evm,
			answer{Verdict: VerdictListed, Matches: []string{match(BasisExactText, sdn, evm), match(BasisExactText, sdn, evm), match(BasisSameAccount, sdn, evmLower)}}},
		{"the strongest first", lists{on(sdn, row(wpkh), row(p2pkh))}, Query{}, p2pkh,
			answer{Verdict: VerdictListed, Matches: []string{match(BasisExactText, sdn, p2pkh), match(BasisSameKey, sdn, wpkh)}}},
		{"every list stale", lists{on(sdn, nobody)}, Query{Stale: always(true)}, other, answer{Verdict: VerdictCannotScreen, Reason: ReasonStale}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := Empty()
			for _, list := range test.lists {
				s = list(t, s)
			}
			if diff := cmp.Diff(test.want, screened(s, test.query, test.text)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// nestedIn returns the P2SH address that wraps a segwit one.
func nestedIn(t testing.TB, text string) string {
	t.Helper()
	var p address.Parsed
	address.Parse(text, &p)
	for _, h := range p.Readings()[0].AppendHashes(nil) {
		if address.Space(h[0]) == address.SpaceScriptHash {
			r := address.Reading{Key: address.Key{byte(address.KindP2SH)}}
			copy(r.Payload(), h[1:])
			return r.Format()
		}
	}
	t.Fatalf("%s has no script hash", text)
	return ""
}

func TestScreenThenAndNow(t *testing.T) {
	s := listed(t, evm)
	s = merged(t, s, sdn, publication(sdn, 20240201, "2", party("2", row(other))))
	s = merged(t, s, sdn, publication(sdn, 20240301, "3", party("1", row(evm))))
	for on, want := range map[Date]Verdict{
		20231231: VerdictCannotScreen,
		20240101: VerdictListed, 20240131: VerdictListed,
		20240201: VerdictNotListed, 20240229: VerdictNotListed,
		20240301: VerdictListed, 20991231: VerdictListed, 0: VerdictListed,
	} {
		if got := screened(s, Query{AsOf: on}, evm).Verdict; got != want {
			t.Errorf("as of %q: verdict %d, want %d", on, got, want)
		}
	}
	// What is listed now is what the newest publication prints, though its date
	// be tomorrow in UTC.
	if got := screened(s, Query{Today: 20240229}, evm).Verdict; got != VerdictListed {
		t.Errorf("a publication of tomorrow: verdict %d, want LISTED", got)
	}
}

func TestScreenUsesResultAgain(t *testing.T) {
	screener := NewIndex(listed(t, evm)).Screener(Query{Today: 20250101})
	var res Result
	for range 2 {
		screener.Screen(evmWrong, &res)
		if res.Verdict != VerdictListed || len(res.Matches) != 1 {
			t.Fatalf("%+v", res)
		}
		screener.Screen(other, &res)
		if res.Verdict != VerdictNotListed || res.Reason != address.ReasonNone || res.Warnings != 0 || len(res.Matches) != 0 {
			t.Fatalf("%+v", res)
		}
	}
}

func TestConsulted(t *testing.T) {
	s := merged(t, listed(t, evm), own, publication(own, 20240101, "own", party("1", row(evm))))
	for _, test := range []struct {
		lists []ListID
		want  []ListID
	}{
		{nil, []ListID{own.ID, sdn.ID}},
		{[]ListID{sdn.ID, "nobodys", sdn.ID}, []ListID{sdn.ID}},
		{[]ListID{"nobodys"}, nil},
	} {
		var got []ListID
		for _, list := range NewIndex(s).Screener(Query{Lists: test.lists}).Consulted() {
			got = append(got, list.ID)
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("asked for %q: consulted %q, want %q", test.lists, got, test.want)
		}
	}
}

func TestCounts(t *testing.T) {
	s := merged(t, Empty(), sdn, publication(sdn, 20240101, "1",
		party("1", row(evm), row(badTron), PublishedAddress{Text: evm, Symbol: "ETH"}),
		party("2", row(evm)), party("3", row(tronText), row("  "))))
	s = merged(t, s, own, publication(own, 20240101, "own", party("1", row(evm))))
	x := NewIndex(s)
	if got, want := x.Counts(sdn.ID), (ListCounts{Parties: 3, Rows: 6, Addresses: 4, Unparsed: 2, Added: 6}); got != want {
		t.Errorf("counts %+v, want %+v", got, want)
	}
	s = merged(t, s, sdn, publication(sdn, 20240102, "2", party("1", row(evm), row(badTron), row(other))))
	x = NewIndex(s)
	if got, want := x.Counts(sdn.ID), (ListCounts{Parties: 1, Rows: 3, Addresses: 3, Unparsed: 1, Delisted: 4, Added: 1, Removed: 4}); got != want {
		t.Errorf("after the second publication: counts %+v, want %+v", got, want)
	}
	if got, want := x.Counts(own.ID), (ListCounts{Parties: 1, Rows: 1, Addresses: 1, Added: 1}); got != want {
		t.Errorf("own list: counts %+v, want %+v", got, want)
	}
	if got := x.Counts("nobodys"); got != (ListCounts{}) {
		t.Errorf("a list that is not there: counts %+v", got)
	}
}

func TestMissAllocatesNothing(t *testing.T) {
	s := merged(t, listed(t, evm, tronText, account(address.KindWPKH, 1, false)), own, publication(own, 20240101, "own", party("1", row(badTron))))
	screener := NewIndex(s).Screener(Query{Today: 20250101, Network: address.LedgerEVM, AsOf: 20240601})
	var res Result
	for _, text := range []string{
		other, strings.ToLower(other), account(address.KindTron, 2, false), account(address.KindP2PKH, 2, false), account(address.KindP2SH, 2, false),
		account(address.KindWPKH, 2, false), account(address.KindWSH, 2, false), account(address.KindTR, 2, false), "TA3941uFAvmVibSkQ6fMJXxmaSNovX86my", "",
	} {
		if n := testing.AllocsPerRun(100, func() { screener.Screen(text, &res) }); n != 0 {
			t.Errorf("%q: %v allocations", text, n)
		}
		if len(res.Matches) != 0 {
			t.Errorf("%q matches", text)
		}
	}
}

// universe is texts that meet one another in every way.
func universe(t testing.TB) []string {
	texts := []string{evm, evmLower, evmWrong, " " + evm, badTron, tronText, "", "nonsense", "vitalik.eth", strings.Repeat("2", 200)}
	for _, fill := range []byte{1, 2} {
		for kind := address.KindEVM; kind <= address.KindTR; kind++ {
			texts = append(texts, account(kind, fill, false))
			if kind >= address.KindP2PKH {
				texts = append(texts, account(kind, fill, true))
			}
		}
		texts = append(texts, nestedIn(t, account(address.KindWPKH, fill, false)), nestedIn(t, account(address.KindWSH, fill, false)))
	}
	return texts
}

// naive answers by reading every listing for every query.
func naive(s *Snapshot, q Query, text string) (Verdict, map[string]Basis) {
	var asked, read address.Parsed
	address.Parse(text, &asked)
	unsure := asked.Reason != address.ReasonNone || len(s.Lists()) == 0
	matches := map[string]Basis{}
	verdict := VerdictNotListed
	for i := range s.Lists() {
		list := &s.Lists()[i]
		if q.AsOf != 0 && q.AsOf < list.Publications[0].PublishedOn && list.Kind != KindInternal {
			unsure = true
		}
	}
	for i := range s.Listings() {
		l := &s.Listings()[i]
		from, until := s.Interval(l)
		if q.AsOf == 0 && l.Delisted != 0 || q.AsOf != 0 && (q.AsOf < from || until != 0 && until <= q.AsOf) {
			continue
		}
		address.Parse(l.Text, &read)
		basis := BasisUnspecified
		stronger := func(b Basis) {
			if l.Tag != "" {
				b = max(b, BasisSameAccountOtherTag)
			}
			if basis == BasisUnspecified || b < basis {
				basis = b
			}
		}
		if text == l.Text {
			stronger(BasisExactText)
		} else if asked.Text != "" && asked.Text == read.Text {
			stronger(BasisSameAccount)
		}
		for _, a := range asked.Readings() {
			for _, b := range read.Readings() {
				script := func(r *address.Reading) bool {
					return r.Kind() == address.KindP2SH || r.Kind() == address.KindWSH
				}
				related := BasisSameKey
				if script(&a) && script(&b) {
					related = BasisSameScriptOtherLedger
				}
				if a.Key == b.Key {
					if a.Testnet == b.Testnet && a.Ledgers&b.Ledgers != 0 {
						stronger(BasisSameAccount)
					} else {
						stronger(related)
					}
				}
				for _, h := range a.AppendHashes(nil) {
					if a.Key != b.Key && slices.Contains(b.AppendHashes(nil), h) {
						stronger(related)
					}
				}
			}
		}
		if basis == BasisUnspecified {
			continue
		}
		matches[fmt.Sprint(s.ListOf(l).ID, " ", i)] = basis
		switch {
		case basis > BasisSameAccount:
			verdict = min(verdict, VerdictRelated)
		case l.Kind == KindAdvisory || l.Kind == 0 && s.ListOf(l).Kind == KindAdvisory:
			verdict = min(verdict, VerdictAdvisory)
		default:
			verdict = min(verdict, VerdictListed)
		}
	}
	if unsure {
		verdict = min(verdict, VerdictCannotScreen)
	}
	return verdict, matches
}

func TestScreenAgainstModel(t *testing.T) {
	texts := universe(t)
	lists := []List{sdn, advisory, own}
	rapid.Check(t, func(t *rapid.T) {
		s := Empty()
		for i := range rapid.IntRange(0, 6).Draw(t, "publications") {
			list := rapid.SampledFrom(lists).Draw(t, "list")
			var addresses []PublishedAddress
			for range rapid.IntRange(1, 5).Draw(t, "rows") {
				a := PublishedAddress{
					Text: rapid.SampledFrom(texts).Draw(t, "text"),
					Tag:  rapid.SampledFrom([]string{"", "", "1"}).Draw(t, "tag"),
					Kind: rapid.SampledFrom([]Kind{0, 0, KindAdvisory, KindInternal}).Draw(t, "kind"),
				}
				if a.Text != "" {
					addresses = append(addresses, a)
				}
			}
			if len(addresses) == 0 {
				continue
			}
			next, _, err := s.Merge(list, publication(list, Date(20240101+i), fmt.Sprint(i), party("1", addresses...)))
			if err != nil {
				t.Fatal(err)
			}
			s = next
		}
		q := Query{Today: 20250101, AsOf: Date(rapid.SampledFrom([]int{0, 20231231, 20240101, 20240103, 20240601}).Draw(t, "as of"))}
		screener := NewIndex(s).Screener(q)
		var res Result
		for _, text := range texts {
			screener.Screen(text, &res)
			got := map[string]Basis{}
			for _, m := range res.Matches {
				got[fmt.Sprint(s.ListOf(m.Listing).ID, " ", slices.IndexFunc(s.Listings(), func(l Listing) bool { return cmp.Equal(l, *m.Listing) }))] = m.Basis
			}
			verdict, want := naive(s, q, text)
			if diff := cmp.Diff(want, got); diff != "" || len(got) != len(res.Matches) {
				t.Fatalf("%q: matches (-model +got):\n%s", text, diff)
			}
			if res.Verdict != verdict {
				t.Fatalf("%q: verdict %d, the model has %d", text, res.Verdict, verdict)
			}
			checkPromises(t, &res, text)
		}
	})
}

// checkPromises holds a result to what is promised of every one.
func checkPromises(t interface{ Errorf(string, ...any) }, res *Result, text string) {
	var p address.Parsed
	address.Parse(text, &p)
	switch res.Verdict {
	case VerdictNotListed:
		if p.Reason != address.ReasonNone || len(p.Readings()) == 0 {
			t.Errorf("%q is NOT_LISTED with reason %s and %d readings", text, p.Reason, len(p.Readings()))
		}
		if res.Reason != address.ReasonNone || len(res.Matches) != 0 {
			t.Errorf("%q is NOT_LISTED with reason %s and %d matches", text, res.Reason, len(res.Matches))
		}
	case VerdictCannotScreen:
		if res.Reason == address.ReasonNone || len(res.Matches) != 0 {
			t.Errorf("%q is CANNOT_SCREEN with reason %s and %d matches", text, res.Reason, len(res.Matches))
		}
	case VerdictListed:
		if res.Reason != address.ReasonNone || len(res.Matches) == 0 {
			t.Errorf("%q is LISTED with reason %s and %d matches", text, res.Reason, len(res.Matches))
		}
	case VerdictAdvisory, VerdictRelated:
		if len(res.Matches) == 0 {
			t.Errorf("%q is verdict %d without matches", text, res.Verdict)
		}
	default:
		t.Errorf("%q is verdict %d", text, res.Verdict)
	}
}

func FuzzScreen(f *testing.F) {
	texts := universe(f)
	for _, text := range texts {
		f.Add(text)
	}
	f.Add("\xff" + evm)
	f.Add(evm + " " + tronText)
	empty := NewIndex(Empty()).Screener(Query{Today: 20250101})
	full := NewIndex(merged(f, listed(f, evm, tronText, badTron), advisory, publication(advisory, 20240101, "1", party("1", row(account(address.KindP2SH, 1, false)))))).
		Screener(Query{Today: 20250101})
	f.Fuzz(func(t *testing.T, text string) {
		var res Result
		full.Screen(text, &res)
		checkPromises(t, &res, text)
		if empty.Screen(text, &res); res.Verdict != VerdictCannotScreen {
			t.Errorf("%q: verdict %d against a snapshot without lists", text, res.Verdict)
		}
		checkPromises(t, &res, text)
		// Whatever is published matches itself, unless it is longer than what is read.
		if text == "" || checkText(text) != nil || len(text) > address.MaxTextBytes {
			return
		}
		s := listed(t, text)
		NewIndex(s).Screener(Query{Today: 20250101}).Screen(text, &res)
		if res.Verdict != VerdictListed || res.Matches[0].Basis != BasisExactText {
			t.Errorf("%q listed and asked: verdict %d, reason %s", text, res.Verdict, res.Reason)
		}
	})
}
