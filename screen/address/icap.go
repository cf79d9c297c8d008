package address

import (
	"encoding/binary"
	"math/bits"
)

// ICAP writes an EVM account as an IBAN of the country code XE: two check digits
// and the 20 bytes as a number of 30 digits of base 36 ("direct", which only a
// number below 36^30 fits) or of 31 ("basic"). The check is IBAN's (ISO 13616, ISO
// 7064 MOD 97-10): with the first four characters moved to the end and letters
// read as 10 to 35, the number is 1 modulo 97. It finds every digit mistyped as
// another digit and every letter mistyped as another letter. An IBAN of 20 characters is
// "indirect", a name within an institution that a registry resolves
// (https://github.com/ethereum/wiki/wiki/ICAP:-Inter-exchange-Client-Address-Protocol).

const (
	icapDirect   = 2 + 2 + 30
	icapBasic    = 2 + 2 + 31
	icapIndirect = 2 + 2 + 16
)

// readICAP reads a text of letters and digits and returns what stands against it
// if it is of that shape and has no reading.
func readICAP(s string, p *Parsed) (why Reason) {
	switch len(s) {
	case icapDirect, icapBasic, icapIndirect:
	default:
		return ReasonNone
	}
	if lower(s[0]) != 'x' || lower(s[1]) != 'e' || classes[s[2]]&classes[s[3]]&classDigit == 0 {
		return ReasonNone
	}
	if !ibanVerifies(s) {
		return ReasonChecksum
	}
	if len(s) == icapIndirect {
		return ReasonNameNeedsResolution
	}
	var limbs [3]uint64 // least significant first; 36^31 < 2^161
	for _, c := range []byte(s[4:]) {
		carry := uint64(base36(c))
		for i := range limbs {
			hi, lo := bits.Mul64(limbs[i], 36)
			var over uint64
			limbs[i], over = bits.Add64(lo, carry, 0)
			carry = hi + over
		}
	}
	if limbs[2]>>32 != 0 {
		return ReasonMalformed
	}
	var payload [20]byte
	binary.BigEndian.PutUint32(payload[:], uint32(limbs[2]))
	binary.BigEndian.PutUint64(payload[4:], limbs[1])
	binary.BigEndian.PutUint64(payload[12:], limbs[0])
	p.add(KindEVM, payload[:], LedgerEVM, false)
	return ReasonNone
}

// ibanVerifies reports whether the check digits of s, letters and digits, hold.
func ibanVerifies(s string) bool {
	rest := uint32(0)
	for i := range len(s) {
		at := i + 4
		if at >= len(s) {
			at -= len(s)
		}
		if digit := base36(s[at]); digit < 10 {
			rest = (rest*10 + digit) % 97
		} else {
			rest = (rest*100 + digit) % 97
		}
	}
	return rest == 1
}

// base36 returns the value of a digit or a letter of either case.
func base36(c byte) uint32 {
	if c <= '9' {
		return uint32(c - '0')
	}
	return uint32(lower(c)-'a') + 10
}
