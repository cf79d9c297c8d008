package address

import "crypto/sha512"

// Algorand: base 32 in upper case of 32 bytes, an Ed25519 key or the hash of a
// program or of several keys, and the last four bytes of their SHA-512/256
// (https://developer.algorand.org/docs/get-details/accounts/). The last character
// has two bits to spare, which must be zero.

// algorandText is the length of an Algorand address.
const algorandText = 58

// readAlgorand reads a text of upper-case letters and digits and returns what
// stands against it if it has the form of an address that does not verify.
func readAlgorand(s string, p *Parsed) (why Reason) {
	if len(s) != algorandText {
		return ReasonNone
	}
	var data [32 + 4]byte
	_, ok := base32Bytes(&base32Upper, data[:], s)
	sum := sha512.Sum512_256(data[:32])
	if !ok || [4]byte(sum[28:]) != [4]byte(data[32:]) {
		return ReasonChecksum
	}
	p.add(KindAlgorand, data[:32], LedgerALGO, false)
	return ReasonNone
}

func formatAlgorand(payload []byte) string {
	sum := sha512.Sum512_256(payload)
	return base32Text(append(append(make([]byte, 0, 36), payload...), sum[28:]...))
}
