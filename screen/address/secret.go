package address

import "strings"

// keyMaterial looks at every run of letters and digits in s for what must never
// be screened, logged or echoed, a private key, and for an extended public key,
// of which an output descriptor may hold several. Shape is enough: a private key
// with a mistyped letter is as good as the key. It returns ReasonSecretMaterial,
// ReasonExtendedKey or ReasonNone, the worst it finds.
func keyMaterial(s string) (why Reason) {
	for start := 0; start < len(s); start++ {
		end := start
		for end < len(s) && classes[s[end]]&classAlnum != 0 {
			end++
		}
		switch keyShape(s[start:end]) {
		case ReasonSecretMaterial:
			return ReasonSecretMaterial
		case ReasonExtendedKey:
			why = ReasonExtendedKey
		}
		start = end
	}
	if why == ReasonNone && descriptor(s) {
		return ReasonExtendedKey
	}
	return why
}

// keyShape judges one run of letters and digits.
func keyShape(s string) Reason {
	switch n := len(s); {
	case n < 29:
		return ReasonNone
	case n == 51 && (s[0] == '5' || s[0] == '9'), // WIF, uncompressed key
		n == 52 && (s[0] == 'K' || s[0] == 'L' || s[0] == 'c'), // WIF, compressed key
		n == 58 && s[:2] == "6P",                               // BIP-38
		n == 29 && s[0] == 's', n == 31 && s[:3] == "sEd",      // XRP Ledger seed
		n >= 107 && n <= 112 && s[1:4] == "prv",                            // BIP-32, SLIP-132
		n >= 54 && (s[:4] == "edsk" || s[:4] == "spsk" || s[:4] == "p2sk"): // Tezos
		if shapeOf(s).only(classBase58) {
			return ReasonSecretMaterial
		}
	case n == 56 && s[0] == 'S': // Stellar seed
		if base32Only(s) {
			return ReasonSecretMaterial
		}
	case n >= 107 && n <= 112 && (s[1:4] == "pub" || s[1:4] == "tub" || s[1:4] == "gub"):
		if shapeOf(s).only(classBase58) {
			return ReasonExtendedKey
		}
	case n == 63 && strings.EqualFold(s[:5], "nsec1"): // Nostr, NIP-19
		return ReasonSecretMaterial
	}
	return ReasonNone
}

// descriptor reports whether s is an output descriptor (BIP-380): a function
// with its arguments, and perhaps "#" and a checksum.
func descriptor(s string) bool {
	name, rest, ok := strings.Cut(s, "(")
	if !ok || !strings.Contains(rest, ")") {
		return false
	}
	switch name {
	case "pk", "pkh", "wpkh", "sh", "wsh", "tr", "rawtr", "combo", "multi", "sortedmulti", "addr", "raw":
		return true
	}
	return false
}

// seedPhraseWords reports whether a recovery phrase can have n words: BIP-39's
// lengths, and Monero's 25.
func seedPhraseWords(n int) bool {
	return n == 12 || n == 15 || n == 18 || n == 21 || n == 24 || n == 25
}
