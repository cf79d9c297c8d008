package address

// hexCase says which letters stand in a run of hex digits.
type hexCase uint8

const (
	hexLower hexCase = 1 << iota // a to f
	hexUpper                     // A to F
)

// hexTable maps a character to its value, in the low four bits, and its hexCase,
// in the bits above; 0xff is no hex digit.
var hexTable = func() (t [256]uint8) {
	for i := range t {
		t[i] = 0xff
	}
	for i := range uint8(10) {
		t['0'+i] = i
	}
	for i := range uint8(6) {
		t['a'+i] = 10 + i | uint8(hexLower)<<4
		t['A'+i] = 10 + i | uint8(hexUpper)<<4
	}
	return t
}()

// decodeHex decodes digits, which hold two characters for each byte of dst.
func decodeHex(dst []byte, digits string) (letters hexCase, ok bool) {
	digits = digits[:2*len(dst)]
	seen := uint8(0)
	for i := range dst {
		hi, lo := hexTable[digits[2*i]], hexTable[digits[2*i+1]]
		seen |= hi | lo
		dst[i] = hi<<4 | lo&0x0f
	}
	return hexCase(seen >> 4 & 0x03), seen&0x80 == 0
}

// cutHexPrefix removes a leading 0x or 0X.
func cutHexPrefix(s string) (rest string, found bool) {
	if len(s) >= 2 && s[0] == '0' && s[1]|0x20 == 'x' {
		return s[2:], true
	}
	return s, false
}

const lowerHexDigits = "0123456789abcdef"

// appendHex appends src in lower-case hex digits.
func appendHex(dst, src []byte) []byte {
	for _, b := range src {
		dst = append(dst, lowerHexDigits[b>>4], lowerHexDigits[b&0x0f])
	}
	return dst
}
