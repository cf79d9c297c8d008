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
