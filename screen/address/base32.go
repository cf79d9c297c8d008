package address

// Base 32 in five-bit characters without padding: RFC 4648 in upper case for
// Stellar and Algorand, in lower case for Filecoin, and the set of bech32
// (https://www.rfc-editor.org/rfc/rfc4648#section-6).

const base32Alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"

// base32Upper and base32Lower map a character to its five bits; 0xff is none.
var base32Upper, base32Lower = func() (upper, folded [256]uint8) {
	for i := range upper {
		upper[i], folded[i] = 0xff, 0xff
	}
	for i := range len(base32Alphabet) {
		c := base32Alphabet[i]
		upper[c], folded[lower(c)] = uint8(i), uint8(i)
	}
	return upper, folded
}()

// base32Bytes joins the characters of s, whose five bits stand in values, into
// bytes. It reports whether all are of the set, the bytes fit into dst and the
// bits left over are fewer than five and zero, so that no two texts have the
// same bytes.
func base32Bytes(values *[256]uint8, dst []byte, s string) (n int, ok bool) {
	acc, held, bad := uint32(0), 0, uint8(0)
	for _, c := range []byte(s) {
		v := values[c]
		bad |= v
		acc = acc<<5 | uint32(v)
		held += 5
		if held >= 8 {
			held -= 8
			if n == len(dst) {
				return 0, false
			}
			dst[n] = byte(acc >> held)
			n++
		}
	}
	return n, bad&0x80 == 0 && held < 5 && acc&(1<<held-1) == 0
}

// base32Text writes b in characters of the alphabet, bits left over as zeros.
func base32Text(b []byte) string {
	out := make([]byte, 0, (len(b)*8+4)/5)
	acc, held := uint32(0), 0
	for _, c := range b {
		acc = acc<<8 | uint32(c)
		for held += 8; held >= 5; {
			held -= 5
			out = append(out, base32Alphabet[acc>>held&31])
		}
	}
	if held > 0 {
		out = append(out, base32Alphabet[acc<<(5-held)&31])
	}
	return string(out)
}
