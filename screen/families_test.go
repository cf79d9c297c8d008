package screen

import (
	"testing"

	"walletscreen/screen/address"
)

// TestFamilies screens texts whose account is told by more than one network, and
// texts that are no address but tell whose it is.
func TestFamilies(t *testing.T) {
	const (
		key          = "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"
		uncompressed = "0479be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8"
		bitcoin      = "1BgGZ9tcN4rm9KBzDn7KprQz87SZ26SAMH" // P2PKH of the key
		litecoin     = "LVuDpNCSSj6pQ7t9Pv6d6sUkLKoqDEVUnJ"
		unknown      = "N7FdkoPbHSxKfrSVVbRu3NZtrLqc1oKpAR" // its hash behind a version of no known network
		digibyteOr   = "SXyGazfm6S3xfcySmD6QNkZYmtfysC2jvc" // P2SH of DigiByte or P2PKH of Stratis, with those 20 bytes
		scripts      = "3CNHUhP3uyB9EUtRLsmvFUmvGdjGdkTxJw" // P2SH with those 20 bytes
		nobody       = "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"
	)
	for _, test := range []struct {
		listed, asked string
		verdict       Verdict
		reason        Reason
		basis         Basis
	}{
		{bitcoin, key, VerdictRelated, address.ReasonNotAnAddress, BasisSameKey},
		{bitcoin, uncompressed, VerdictRelated, address.ReasonNotAnAddress, BasisSameKey},
		{key, bitcoin, VerdictRelated, address.ReasonNone, BasisSameKey},
		{nobody, key, VerdictCannotScreen, address.ReasonNotAnAddress, 0},
		{key, nobody, VerdictNotListed, address.ReasonNone, 0},
		{key, key, VerdictListed, address.ReasonNone, BasisExactText},
		{"0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf", key, VerdictRelated, address.ReasonNotAnAddress, BasisSameKey},
		{"TMVQGm1qAQYVdetCeGRRkTWYYrLXuHK2HC", key, VerdictRelated, address.ReasonNotAnAddress, BasisSameKey},
		{"3JvL6Ymt8MVWiCNHC7oWU6nLeHNJKLZGLN", key, VerdictRelated, address.ReasonNotAnAddress, BasisSameKey},

		{bitcoin, unknown, VerdictRelated, address.ReasonUnsupportedNetwork, BasisSameKey},
		{scripts, unknown, VerdictRelated, address.ReasonUnsupportedNetwork, BasisSameScriptOtherLedger},
		{unknown, bitcoin, VerdictRelated, address.ReasonNone, BasisSameKey},
		{nobody, unknown, VerdictCannotScreen, address.ReasonUnsupportedNetwork, 0},
		{unknown, unknown, VerdictListed, address.ReasonNone, BasisExactText},
		{unknown, "Vkg6Ts44mskyD668xZkxFkjqovjXX9yUzZ", VerdictRelated, address.ReasonUnsupportedNetwork, BasisSameKey}, // another such version
		{unknown, "pref:qp63uahgrxged4z5jswyt5dn5v3lzsem6ckal9cmf5", VerdictRelated, address.ReasonUnsupportedNetwork, BasisSameKey},
		{bitcoin, "QXHFfTBKYXjaaTH1e7Rox8CcdNPGHVhM59", VerdictRelated, address.ReasonNone, BasisSameKey}, // Qtum
		{litecoin, "QXHFfTBKYXjaaTH1e7Rox8CcdNPGHVhM59", VerdictRelated, address.ReasonNone, BasisSameKey},

		{bitcoin, litecoin, VerdictRelated, address.ReasonNone, BasisSameKey},
		{bitcoin, digibyteOr, VerdictRelated, address.ReasonNone, BasisSameKey},
		{scripts, digibyteOr, VerdictRelated, address.ReasonNone, BasisSameScriptOtherLedger},
		{scripts, "MJaRnao1s62a2zAKSkmG582KbLKianqb7v", VerdictListed, address.ReasonNone, BasisSameAccount},
		{scripts, litecoin, VerdictNotListed, address.ReasonNone, 0},

		{bitcoin, "CT9A8CEgF7qJ3T6QuXSFQN31kEexxxa2oX", VerdictListed, address.ReasonNone, BasisSameAccount},
		{bitcoin, "simpleledger:qp63uahgrxged4z5jswyt5dn5v3lzsem6cgwm6cc5f", VerdictListed, address.ReasonNone, BasisSameAccount},
		{nobody, "simpleledger:qp63uahgrxged4z5jswyt5dn5v3lzsem6cgwm6cc5f", VerdictCannotScreen, address.ReasonUnsupportedNetwork, 0},
		{bitcoin, "ecash:qp63uahgrxged4z5jswyt5dn5v3lzsem6cacy2kzvq", VerdictRelated, address.ReasonNone, BasisSameKey},
		{bitcoin, "rBgGZ9tc4him9KBzD8fKFiQz3fSZpaSwMH", VerdictRelated, address.ReasonNone, BasisSameKey},
		{scripts, "rBgGZ9tc4him9KBzD8fKFiQz3fSZpaSwMH", VerdictNotListed, address.ReasonNone, 0},
	} {
		var got Result
		NewIndex(listed(t, test.listed)).Screener(Query{Today: 20250101}).Screen(test.asked, &got)
		var basis Basis
		if len(got.Matches) > 0 {
			basis = got.Matches[0].Basis
		}
		if got.Verdict != test.verdict || got.Reason != test.reason || basis != test.basis {
			t.Errorf("%s listed, %s asked: verdict %d, reason %s, basis %d; want %d, %s, %d",
				test.listed, test.asked, got.Verdict, got.Reason, basis, test.verdict, test.reason, test.basis)
		}
	}
}

// TestTags screens accounts that many people share: a listing with a tag is of
// one of them, a listing without is of all.
func TestTags(t *testing.T) {
	const (
		pool    = "rPEPPER7kfTD9w2To4CQk6UCfuHM9c6GDY"
		xPool   = "XV5sbjUmgPpvXv4ixFWZ5ptAYZ6PD2gYsjNFQLKYW33DzBm"
		xTag495 = "XV5sbjUmgPpvXv4ixFWZ5ptAYZ6PD2q1qM6owqNbug8W6KV"
		stellar = "GA7QYNF7SOWQ3GLR2BGMZEHXAVIRZA4KVWLTJJFC7MGXUA74P7UJVSGZ"
		muxed0  = "MA7QYNF7SOWQ3GLR2BGMZEHXAVIRZA4KVWLTJJFC7MGXUA74P7UJUAAAAAAAAAAAACJUQ"
	)
	tagged := func(text, tag string) *Snapshot {
		p := party("1", PublishedAddress{Text: text, Tag: tag})
		return merged(t, Empty(), sdn, publication(sdn, 20240101, "1", p))
	}
	for _, test := range []struct {
		name    string
		listed  *Snapshot
		asked   string
		verdict Verdict
		basis   Basis
	}{
		{"whole account, no tag", tagged(pool, ""), pool, VerdictListed, BasisExactText},
		{"whole account, a tag", tagged(pool, ""), pool + "?dt=7", VerdictListed, BasisSameAccount},
		{"a tag, none asked", tagged(pool, "1"), pool, VerdictRelated, BasisSameAccountOtherTag},
		{"a tag, none asked, other form", tagged(pool, "1"), xPool, VerdictRelated, BasisSameAccountOtherTag},
		{"a tag, another asked", tagged(pool, "1"), pool + "?dt=7", VerdictRelated, BasisSameAccountOtherTag},
		{"a tag, the same asked", tagged(pool, "7"), pool + "?dt=7", VerdictListed, BasisSameAccount},
		{"a tag, the same number asked", tagged(pool, "007"), pool + ":7", VerdictListed, BasisSameAccount},
		{"a tag in the text, the same in another form", tagged(xTag495, ""), pool + "?dt=495", VerdictListed, BasisSameAccount},
		{"a tag in the text, none asked", tagged(xTag495, ""), pool, VerdictRelated, BasisSameAccountOtherTag},
		{"a muxed account, another id", tagged(muxed0, ""), stellar, VerdictRelated, BasisSameAccountOtherTag},
		{"an account, one of its ids", tagged(stellar, ""), muxed0, VerdictListed, BasisSameAccount},
		{"a tag in the cell, the same asked", tagged(pool+" (Address tag 102334770)*", ""), pool + "?dt=102334770", VerdictListed, BasisSameAccount},
		{"a tag in the cell, none asked", tagged(pool+" (Address tag 102334770)*", ""), pool, VerdictRelated, BasisSameAccountOtherTag},
		{"the cell itself", tagged(pool+" (Address tag 102334770)*", ""), pool + " (Address tag 102334770)*", VerdictListed, BasisExactText},
	} {
		var got Result
		NewIndex(test.listed).Screener(Query{Today: 20250101}).Screen(test.asked, &got)
		if got.Verdict != test.verdict || len(got.Matches) != 1 || got.Matches[0].Basis != test.basis {
			t.Errorf("%s: %+v; want verdict %d on basis %d", test.name, got, test.verdict, test.basis)
		}
	}
}

// TestCells screens addresses that stand in a published row beside others or
// beside words: none that is printed is lost.
func TestCells(t *testing.T) {
	const evm, tron = "0xc8fe1c81e927540fcc99ebb3c880a840082293da", "TR2nTb64cQMx6tqFwisoC6o7barFWHhPiw"
	s := listed(t, evm+", "+tron, "wallet: 1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa (see annex)")
	x := NewIndex(s)
	for _, text := range []string{evm, tron, "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", evm + ", " + tron} {
		var got Result
		if x.Screener(Query{Today: 20250101}).Screen(text, &got); got.Verdict != VerdictListed {
			t.Errorf("%q: verdict %d, want listed", text, got.Verdict)
		}
	}
	if c := x.Counts(sdn.ID); c.Unparsed != 2 {
		t.Errorf("%d rows that are no address as they stand, want 2", c.Unparsed)
	}
}

// TestNetworkHint asks with the network that the caller means.
func TestNetworkHint(t *testing.T) {
	const near, other = "9685af3fe2dc231e5069ccff8ec6950eb961d42ebb9116a8ab9c0d38f9e45249", "5be5543ff73456ab9f2d207887e2af87322c651ea1a873c5b25b7ffae456c320"
	s := listed(t, near)
	for _, test := range []struct {
		text    string
		network address.Ledgers
		want    Verdict
		warned  bool
	}{
		{near, 0, VerdictListed, false},
		{near, address.LedgerNEAR, VerdictListed, false},
		{other, 0, VerdictCannotScreen, false},
		{other, address.LedgerNEAR, VerdictNotListed, false},
		{"0x" + other, address.LedgerNEAR, VerdictCannotScreen, true},
		{other, address.LedgerBTC, VerdictCannotScreen, true},
		{"SXyGazfm6S3xfcySmD6QNkZYmtfysC2jvc", address.LedgerSTRAT, VerdictNotListed, false},
		{"SXyGazfm6S3xfcySmD6QNkZYmtfysC2jvc", address.LedgerDGB, VerdictNotListed, false},
		{"SXyGazfm6S3xfcySmD6QNkZYmtfysC2jvc", address.LedgerBTC, VerdictNotListed, true},
	} {
		var got Result
		NewIndex(s).Screener(Query{Today: 20250101, Network: test.network}).Screen(test.text, &got)
		if got.Verdict != test.want || (got.Warnings&WarnNetworkMismatch != 0) != test.warned {
			t.Errorf("%s on %v: verdict %d, warnings %b; want %d, network mismatch %t", test.text, test.network.Names(), got.Verdict, got.Warnings, test.want, test.warned)
		}
	}
}
