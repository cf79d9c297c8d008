package address

import (
	"crypto/sha256"
	"strings"
	"unicode"
	"unicode/utf8"
)

// keyMaterial looks at every run of letters and digits in s for what must never
// be screened, logged or echoed, a private key, and at all its words for a
// recovery phrase; then for an extended public key, of which an output descriptor
// may hold several. Shape is enough: a private key with a mistyped letter is as
// good as the key, and a sentence of twelve long words taken for a phrase does no
// harm. It returns ReasonSecretMaterial, ReasonExtendedKey or ReasonNone, the
// worst it finds.
func keyMaterial(s string) (why Reason) {
	gaps := 0
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
		if end < len(s) {
			gaps++
		}
		start = end
	}
	if gaps == 0 {
		return why
	}
	for _, marker := range [...]string{"private key", "secret-key-1", "secret-extended-key", "pvt_k1_"} {
		if containsFold(s, marker) {
			return ReasonSecretMaterial
		}
	}
	if gaps >= seedPhraseWords-1 && (seedPhrase(s) || keyBytes(s)) {
		return ReasonSecretMaterial
	}
	if why == ReasonNone && descriptor(s) {
		return ReasonExtendedKey
	}
	return why
}

// MayBeSecret reports whether text may be or hold a private key, and so must not
// be written anywhere: for the reason why it cannot be screened, or for a long run
// of hex digits in it. What is too long to be looked at may hold anything. A text
// that reads cleanly is no secret.
func MayBeSecret(text string) bool {
	var p Parsed
	Parse(text, &p)
	switch p.Reason {
	case ReasonNone:
		return false
	case ReasonSecretMaterial, ReasonAmbiguous32Byte, ReasonTooLong, ReasonInvalidText:
		return true
	}
	return hexRun(text) || hexRun(p.Text)
}

// hexRun reports whether s holds a run of hex digits about as long as a key, white
// space in it or not.
func hexRun(s string) bool {
	const digits = 60
	run := 0
	for _, c := range []byte(s) {
		switch {
		case c <= ' ':
		case classes[c]&classHex == 0:
			run = 0
		default:
			if run++; run == digits {
				return true
			}
		}
	}
	return false
}

// keyShape judges one run of letters and digits.
func keyShape(s string) Reason {
	n := len(s)
	if n < 22 {
		return ReasonNone
	}
	sh := shapeOf(s)
	switch {
	case !sh.only(classBase58):
	case n == 22 || n == 26 || n == 30:
		if s[0] == 'S' && miniKey(s) {
			return ReasonSecretMaterial
		}
	case wif(s) && sh.mixedCase(),
		n == 58 && s[:2] == "6P" && sh.mixedCase(),        // BIP-38
		n == 29 && s[0] == 's', n == 31 && s[:3] == "sEd", // XRP Ledger seed
		n >= 107 && n <= 112 && (s[1:4] == "prv" || s[1:4] == "tpv" || s[1:4] == "gpv"), // BIP-32, SLIP-132
		n >= 54 && hasAnyPrefix(s, "edsk", "spsk", "p2sk", "edesk", "spesk", "p2esk"),   // Tezos
		n >= 52 && hasAnyPrefix(s, "APrivateKey1"):                                      // Aleo
		return ReasonSecretMaterial
	case n >= 86 && n <= 88:
		// An Ed25519 key pair, as Solana and NEAR write it. A signature of Solana's
		// looks the same.
		var buf base58Data
		if bytes, _ := buf.decode(s); bytes == 64 {
			return ReasonSecretMaterial
		}
	case n >= 107 && n <= 112 && (s[1:4] == "pub" || s[1:4] == "tub" || s[1:4] == "gub"):
		return ReasonExtendedKey
	}
	digits, _ := cutHexPrefix(s)
	switch {
	case n == 56 && lower(s[0]) == 's' && base32Shaped(s), // Stellar seed
		n == 81 && trytes(s), // IOTA seed, or an old address without checksum
		len(digits) == 128 && shapeOf(digits).only(classHex),                 // Ed25519 key pair, BIP-39 seed
		n >= 48 && sh.onlyLetters() && !sh.only(classHex) && !sh.mixedCase(), // a recovery phrase without spaces
		n == 63 && hasAnyPrefix(s, "nsec1"),                                  // Nostr, NIP-19
		n >= 61 && hasAnyPrefix(s, "sk1", "xsk1", "xprv1"),                   // Cardano, CIP-5
		n >= 48 && hasAnyPrefix(s, "ms1", "ncryptsec1"),                      // BIP-93; NIP-49
		n >= 60 && hasAnyPrefix(s, "suiprivkey1", "secret1key"):              // Sui
		return ReasonSecretMaterial
	case n >= 61 && hasAnyPrefix(s, "xvk1", "xpub1", "zxviews1", "uview1", "uivk1", "zivks1"): // Cardano; Zcash viewing keys
		return ReasonExtendedKey
	}
	return ReasonNone
}

// wif reports whether s has the length and the first characters of a private key
// in base58check, for the version bytes of Bitcoin and its relatives: of an
// uncompressed key 51 characters, of a compressed one 52. The addresses of Ergo
// have 51 characters too, and begin with 9e to 9i.
func wif(s string) bool {
	switch len(s) {
	case 51:
		return '5' <= s[0] && s[0] <= '8' || s[0] == '9' && s[1] <= '7'
	case 52:
		return strings.IndexByte("KLPQRTUVWXYc", s[0]) >= 0
	}
	return false
}

// miniKey reports whether s is a mini private key (Casascius): its hash with a
// question mark appended begins with a zero byte.
func miniKey(s string) bool {
	var in [31]byte
	n := copy(in[:], s)
	in[n] = '?'
	return sha256.Sum256(in[:n+1])[0] == 0
}

// trytes reports whether s is of the alphabet of IOTA's trytes.
func trytes(s string) bool {
	for _, c := range []byte(s) {
		if c != '9' && (c < 'A' || c > 'Z') {
			return false
		}
	}
	return true
}

// base32Shaped reports whether s is of the alphabet of base32 (RFC 4648), in
// either case.
func base32Shaped(s string) bool {
	for _, c := range []byte(s) {
		if classes[c]&(classLower|classUpper) == 0 && (c < '2' || c > '7') {
			return false
		}
	}
	return true
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

// seedPhraseWords is how many words in a row make a recovery phrase: the fewest
// that BIP-39 and the others have.
const seedPhraseWords = 12

// seedPhrase reports whether s holds a recovery phrase: words in a row, in any
// script and case and with any punctuation and numbering between them.
func seedPhrase(s string) bool {
	row := 0
	for s != "" {
		start := strings.IndexFunc(s, isWordRune)
		if start < 0 {
			break
		}
		s = s[start:]
		end := strings.IndexFunc(s, isNoWordRune)
		if end < 0 {
			end = len(s)
		}
		word := s[:end]
		s = s[end:]
		switch sh := shapeOf(word); {
		case sh.only(classDigit): // a number of the list
		case sh.has(classDigit):
			row = 0
		case sh.has(classBeyond):
			if row++; utf8.RuneCountInString(word) > 16 {
				row = 0
			}
		case len(word) < 3 || len(word) > 12:
			row = 0
		default:
			row++
		}
		if row == seedPhraseWords {
			return true
		}
	}
	return false
}

func isWordRune(r rune) bool   { return unicode.In(r, unicode.L, unicode.M, unicode.Nd) }
func isNoWordRune(r rune) bool { return !isWordRune(r) }

// keyBytes reports whether s is a list of the 32 or 64 bytes of a key in decimal,
// as the files of Solana's wallets are.
func keyBytes(s string) bool {
	count := 0
	for part := range strings.FieldsFuncSeq(s, isNoWordRune) {
		if len(part) > 3 || !shapeOf(part).only(classDigit) {
			return false
		}
		count++
	}
	return count == 32 || count == 64
}

func hasAnyPrefix(s string, prefixes ...string) bool {
	for _, p := range prefixes {
		if len(s) >= len(p) && strings.EqualFold(s[:len(p)], p) {
			return true
		}
	}
	return false
}

// containsFold reports whether s contains a text of ASCII in any letter case.
func containsFold(s, part string) bool {
	last := len(part) - 1
	for i := last; i < len(s); i++ {
		if lower(s[i]) == part[last] && strings.EqualFold(s[i-last:i+1], part) {
			return true
		}
	}
	return false
}
