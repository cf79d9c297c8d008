package address

import "strings"

// Bech32 (BIP-173) and bech32m (BIP-350): a human-readable part, "1", data in
// five-bit characters, of which the last six are the checksum
// (https://github.com/bitcoin/bips/blob/master/bip-0173.mediawiki, bip-0350).

const bech32Charset = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"

// maxBech32Text is the longest text that BIP-173 allows.
const maxBech32Text = 90

// bech32Variant is the constant that the checksum came out as.
type bech32Variant uint32

const (
	bech32Plain bech32Variant = 1
	bech32M     bech32Variant = 0x2bc830a3
)

// bech32Values maps a character of either case to its five bits; 0xff is none.
var bech32Values = func() (t [256]uint8) {
	for i := range t {
		t[i] = 0xff
	}
	for i := range len(bech32Charset) {
		c := bech32Charset[i]
		t[c] = uint8(i)
		if c >= 'a' {
			t[c&^0x20] = uint8(i)
		}
	}
	return t
}()

// bech32Steps[top] is what the five bits shifted out of the checksum give back.
var bech32Steps = func() (t [32]uint32) {
	generator := [5]uint32{0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3}
	for top := range t {
		for i, g := range generator {
			if top>>i&1 != 0 {
				t[top] ^= g
			}
		}
	}
	return t
}()

func bech32Step(sum uint32, value uint8) uint32 {
	return sum&0x1ffffff<<5 ^ uint32(value) ^ bech32Steps[sum>>25]
}

// bech32HRP returns the checksum's state after the lower-cased human-readable part.
func bech32HRP(hrp string) uint32 {
	sum := uint32(1)
	for _, c := range []byte(hrp) {
		sum = bech32Step(sum, lower(c)>>5)
	}
	sum = bech32Step(sum, 0)
	for _, c := range []byte(hrp) {
		sum = bech32Step(sum, lower(c)&31)
	}
	return sum
}

// bech32Split cuts s at its last "1" and reports whether there is a
// human-readable part and what follows is data: a checksum at least, of the
// character set, in either case. It does not verify the checksum.
func bech32Split(s string) (hrp, data string, ok bool) {
	at := strings.LastIndexByte(s, '1')
	if at < 1 || len(s)-at-1 < 6 {
		return "", "", false
	}
	for _, c := range []byte(s[at+1:]) {
		if bech32Values[c] == 0xff {
			return "", "", false
		}
	}
	return s[:at], s[at+1:], true
}

// bech32Verify returns the variant under which the checksum holds, 0 if none.
// All characters of data must be of the character set.
func bech32Verify(hrp, data string) bech32Variant {
	sum := bech32HRP(hrp)
	for _, c := range []byte(data) {
		sum = bech32Step(sum, bech32Values[c])
	}
	if v := bech32Variant(sum); v == bech32Plain || v == bech32M {
		return v
	}
	return 0
}

// bech32Bytes joins the five-bit characters of data into bytes, as many as dst
// has room for, and reports whether they fit and the padding is less than five
// zero bits, as BIP-173 demands.
func bech32Bytes(dst []byte, data string) (n int, ok bool) {
	return base32Bytes(&bech32Values, dst, data)
}

// bech32Read verifies a text whose human-readable part is known, with the
// checksum of the variant, and joins its data into dst. It returns what makes the
// text unreadable. A text in mixed case or with the checksum of the other variant
// is malformed, but names its account all the same.
func bech32Read(dst []byte, s string, sh shape, variant bech32Variant, p *Parsed) (n int, why Reason) {
	hrp, data, ok := bech32Split(s)
	mixed := sh.mixedCase()
	found := bech32Variant(0)
	if ok && strings.IndexByte(hrp, '1') < 0 {
		found = bech32Verify(hrp, data)
	}
	switch {
	case found == 0 && mixed:
		return 0, ReasonMalformed
	case found == 0:
		return 0, ReasonChecksum
	}
	if n, ok = bech32Bytes(dst, data[:len(data)-6]); !ok {
		return 0, ReasonMalformed
	}
	if mixed {
		p.Warnings |= WarnMixedCase
	}
	if mixed || found != variant {
		p.object(ReasonMalformed)
	}
	return n, ReasonNone
}

// lower folds an ASCII letter to lower case.
func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c | 0x20
	}
	return c
}

// formatSegwit writes a witness program (BIP-173, BIP-350).
func formatSegwit(hrp string, version byte, program []byte) string {
	out := append(make([]byte, 0, maxBech32Text), hrp...)
	sum := bech32HRP(hrp)
	put := func(value uint8) {
		sum = bech32Step(sum, value)
		out = append(out, bech32Charset[value])
	}
	out = append(out, '1')
	put(version)
	acc, held := uint32(0), 0
	for _, b := range program {
		acc = acc<<8 | uint32(b)
		for held += 8; held >= 5; {
			held -= 5
			put(uint8(acc>>held) & 31)
		}
	}
	if held > 0 {
		put(uint8(acc<<(5-held)) & 31)
	}
	variant := bech32M
	if version == 0 {
		variant = bech32Plain
	}
	for range 6 {
		sum = bech32Step(sum, 0)
	}
	sum ^= uint32(variant)
	for shift := 25; shift >= 0; shift -= 5 {
		out = append(out, bech32Charset[sum>>shift&31])
	}
	return string(out)
}
