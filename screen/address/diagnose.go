package address

import "strings"

// The functions of this file say why a text has no reading. They decide nothing
// but the reason: whatever they answer, the text cannot be screened.

// diagnose judges a text by its likeness to things that this package does not
// read. It never returns ReasonNone.
func diagnose(s string, sh shape) Reason {
	digits, prefixed := cutHexPrefix(s)
	hex := shapeOf(digits).only(classHex)
	switch {
	case len(digits) == 64 && hex:
		return ReasonAmbiguous32Byte
	case hex && publicKeyShape(digits): // a point that is not on the curve
		return ReasonMalformed
	case prefixed && sh.only(classAlnum):
		return ReasonMalformed
	case hex && 36 <= len(s) && len(s) <= 48:
		return ReasonMalformed
	case sh.only(classDigit), payeeRequest(s): // digits: an account number of an exchange
		return ReasonNotAnAddress
	case sh.only(classAlnum):
		return diagnoseAlnum(s, sh)
	case dottedName(s), s[0] == '$' && isHandle(s[1:]): // a handle of Cardano or HandCash
		return ReasonNameNeedsResolution
	}
	return ReasonUnrecognized
}

// diagnoseBase58 judges the bytes of a base58 text that is of no length that a
// family reads.
func diagnoseBase58(data []byte) Reason {
	n := len(data)
	if !base58Checked(data) {
		switch n {
		case 64: // a Solana key pair as wallets export it
			return ReasonSecretMaterial
		case 26, 27: // two or three bytes of version, or a mistyped character that overflows
			return ReasonChecksum
		}
		return ReasonNone
	}
	switch {
	case (n == 1+32+4 || n == 1+33+4) && data[0] >= 0x80, // WIF of any coin
		n == 2+37+4 && data[0] == 0x01,     // BIP-38
		n == 78+4 && data[4+1+4+4+32] == 0: // BIP-32: the key field begins with a zero byte
		return ReasonSecretMaterial
	case n == 78+4:
		return ReasonExtendedKey
	case n == 1+80+4: // BIP-47
		return ReasonNotAnAddress
	}
	return ReasonUnsupportedNetwork
}

// diagnoseAlnum judges a text of letters and digits: one that begins and is as
// long as an address of a family in base58 or bech32 is taken for a mistyped one.
func diagnoseAlnum(s string, sh shape) Reason {
	switch s[0] {
	case '1', '3', 'T', 'L', 'M', 'D', '9', 'A', 'S', 's', 'X', '7', 'G', 'R', 'b', 'C', 'H', 't', 'r':
		if 25 <= len(s) && len(s) <= 36 {
			return ReasonChecksum
		}
	}
	if (len(s) == moneroText || len(s) == moneroIntegratedText) && (s[0] == '4' || s[0] == '8') {
		return ReasonChecksum
	}
	hrp, data, ok := bech32Split(s)
	if !ok {
		return ReasonUnrecognized
	}
	switch verified := bech32Verify(hrp, data) != 0; {
	case verified && sh.mixedCase():
		return ReasonMalformed
	case verified:
		return ReasonUnsupportedNetwork
	case len(data) >= 32 && len(hrp) <= 10:
		return ReasonChecksum
	}
	return ReasonUnrecognized
}

// payeeRequest reports whether s is something that is paid but is no address:
// a Lightning invoice (BOLT 11), offer (BOLT 12) or LNURL, a silent payment
// address (BIP-352), a user of Nostr (NIP-19).
func payeeRequest(s string) bool {
	if len(s) < 40 {
		return false
	}
	for _, prefix := range [...]string{"lnbc", "lntb", "lno1", "lni1", "lnr1", "lnurl1", "sp1", "tsp1", "npub1"} {
		if strings.EqualFold(s[:len(prefix)], prefix) {
			return shapeOf(s).only(classAlnum)
		}
	}
	return false
}

// dottedName reports whether s is a name of dotted labels, perhaps behind a user
// and a mark, that ends in letters: ENS, Solana and NEAR names, Unstoppable
// Domains, Lightning addresses, federated names of Stellar (SEP-2), PayString.
func dottedName(s string) bool {
	if at := strings.IndexAny(s, "@*$"); at > 0 {
		s = s[at+1:]
	}
	dot := strings.LastIndexByte(s, '.')
	if dot < 1 || dot+1 == len(s) || !shapeOf(s[dot+1:]).onlyLetters() {
		return false
	}
	for _, c := range []byte(s[:dot]) {
		if classes[c]&classAlnum == 0 && c != '.' && c != '-' && c != '_' {
			return false
		}
	}
	return true
}
