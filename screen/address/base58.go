package address

import (
	"crypto/sha256"
	"encoding/binary"
	"math/bits"
	"slices"
)

// Base58 as Bitcoin made it: a big-endian number in base 58, each leading zero
// byte written as a leading "1". Base58check adds the first four bytes of the
// double SHA-256 of what precedes them
// (https://en.bitcoin.it/wiki/Base58Check_encoding).

const base58Alphabet = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"

// maxBase58Text is the longest base58 text that is decoded: the work grows with
// the square of the length, and no address of this encoding is longer.
const maxBase58Text = 128

// base58Values maps a character to its digit; 0xff is no digit.
var base58Values = base58ValuesOf(base58Alphabet)

func base58ValuesOf(alphabet string) (t [256]uint8) {
	for i := range t {
		t[i] = 0xff
	}
	for i := range len(alphabet) {
		t[alphabet[i]] = uint8(i)
	}
	return t
}

// base58Powers[n] is 58 to the n; the tenth is the last that fits in 64 bits.
var base58Powers = [11]uint64{
	1, 58, 58 * 58, 58 * 58 * 58, 58 * 58 * 58 * 58, 58 * 58 * 58 * 58 * 58,
	58 * 58 * 58 * 58 * 58 * 58, 58 * 58 * 58 * 58 * 58 * 58 * 58,
	58 * 58 * 58 * 58 * 58 * 58 * 58 * 58, 58 * 58 * 58 * 58 * 58 * 58 * 58 * 58 * 58,
	58 * 58 * 58 * 58 * 58 * 58 * 58 * 58 * 58 * 58,
}

// base58Data receives a decoded text of up to maxBase58Text characters, whose
// bytes are never more than its characters.
type base58Data [maxBase58Text]byte

// decode decodes s, of at most maxBase58Text characters, and returns the number
// of bytes.
func (d *base58Data) decode(s string) (n int, ok bool) {
	return d.decodeWith(&base58Values, base58Alphabet[0], s)
}

// decodeWith decodes s in the alphabet that values tells, of which zero is the
// first character. It takes ten digits at a time into 64-bit limbs.
func (d *base58Data) decodeWith(values *[256]uint8, zero byte, s string) (n int, ok bool) {
	var limbs [12]uint64 // least significant first; 58^128 < 2^750
	used := 0
	for i := 0; i < len(s); {
		size := min(10, len(s)-i)
		chunk, bad := uint64(0), uint8(0)
		for _, c := range []byte(s[i : i+size]) {
			v := values[c]
			bad |= v
			chunk = chunk*58 + uint64(v)
		}
		if bad&0x80 != 0 {
			return 0, false
		}
		i += size
		power, carry := base58Powers[size], chunk
		for j := range limbs[:used] {
			hi, lo := bits.Mul64(limbs[j], power)
			lo, c := bits.Add64(lo, carry, 0)
			limbs[j], carry = lo, hi+c
		}
		if carry != 0 {
			limbs[used] = carry
			used++
		}
	}
	for n < len(s) && s[n] == zero {
		d[n] = 0
		n++
	}
	if used == 0 {
		return n, true
	}
	top := limbs[used-1]
	for shift := (bits.Len64(top) - 1) &^ 7; shift >= 0; shift -= 8 {
		d[n] = byte(top >> shift)
		n++
	}
	for j := used - 2; j >= 0; j-- {
		binary.BigEndian.PutUint64(d[n:], limbs[j])
		n += 8
	}
	return n, true
}

// base58Checked reports whether the last four bytes of b are the checksum of
// the bytes before.
func base58Checked(b []byte) bool {
	if len(b) < 5 {
		return false
	}
	body := b[:len(b)-4]
	return binary.BigEndian.Uint32(b[len(body):]) == base58Checksum(body)
}

func base58Checksum(body []byte) uint32 {
	once := sha256.Sum256(body)
	twice := sha256.Sum256(once[:])
	return binary.BigEndian.Uint32(twice[:])
}

// formatBase58Check writes a version and a payload, with checksum.
func formatBase58Check(version, payload []byte) string {
	return formatBase58CheckWith(base58Alphabet, version, payload)
}

func formatBase58CheckWith(alphabet string, version, payload []byte) string {
	b := slices.Concat(version, payload)
	return formatBase58(alphabet, binary.BigEndian.AppendUint32(b, base58Checksum(b)))
}

// formatBase58 writes b, which it overwrites.
func formatBase58(alphabet string, b []byte) string {
	zeros := 0
	for zeros < len(b) && b[zeros] == 0 {
		zeros++
	}
	// 138/100 is a little over log 256 / log 58.
	out := make([]byte, zeros+(len(b)-zeros)*138/100+1)
	at := len(out)
	for start := zeros; start < len(b); {
		rest := 0
		for i := start; i < len(b); i++ {
			rest = rest<<8 | int(b[i])
			b[i] = byte(rest / 58)
			rest %= 58
		}
		at--
		out[at] = alphabet[rest]
		for start < len(b) && b[start] == 0 {
			start++
		}
	}
	for range zeros {
		at--
		out[at] = alphabet[0]
	}
	return string(out[at:])
}
