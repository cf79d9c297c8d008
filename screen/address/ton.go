package address

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"strings"
)

// TON (TEP-2, https://github.com/ton-blockchain/TEPs/blob/master/text/0002-address.md):
// a workchain and an account id of 32 bytes, the hash of the contract's first
// state. The raw form is the decimal workchain, a colon and 64 hex digits, which
// has no checksum. The user-friendly form is base64 of 36 bytes, in either
// alphabet but not in both: flags, workchain, account id and CRC-16, high byte
// first. The flags say whether a payment to no contract comes back, which is no
// part of the account, and whether the address is for a test network only.

const (
	tonBounceable    = 0x11
	tonNonBounceable = 0x51
	tonTestOnly      = 0x80

	tonText = 48 // characters of the user-friendly form

	tonBasechain = 0
	tonMaster    = -1
)

// readTON reads a text of 48 characters, or with a colon, and returns what
// stands against it if it has the form of an address and does not verify.
func readTON(s string, p *Parsed) (why Reason) {
	if workchain, digits, ok := strings.Cut(s, ":"); ok {
		return readTONRaw(workchain, digits, p)
	}
	if len(s) != tonText {
		return ReasonNone
	}
	var data [1 + 1 + 32 + 2]byte
	if !tonBytes(&data, s) {
		return ReasonNone
	}
	flags := data[0] &^ tonTestOnly
	if flags != tonBounceable && flags != tonNonBounceable {
		return ReasonNone
	}
	switch {
	case crc16(data[:34]) != binary.BigEndian.Uint16(data[34:]):
		return ReasonChecksum
	case strings.ContainsAny(s, "+/") && strings.ContainsAny(s, "-_"):
		return ReasonMalformed
	}
	addTON(int32(int8(data[1])), data[2:34], data[0]&tonTestOnly != 0, p)
	return ReasonNone
}

// readTONRaw reads the raw form. A workchain is a number of 32 bits.
func readTONRaw(workchain, digits string, p *Parsed) (why Reason) {
	number, ok := decimal(strings.TrimPrefix(workchain, "-"))
	negative := workchain != "" && workchain[0] == '-'
	switch {
	case !ok || len(digits) < 60 || len(digits) > 68 || !shapeOf(digits).only(classHex):
		return ReasonNone
	case len(digits) != 64, negative && (number == 0 || number > 1<<31), !negative && number >= 1<<31:
		return ReasonMalformed
	}
	var id [32]byte
	decodeHex(id[:], digits) // the characters are known to be digits
	signed := int64(number)
	if negative {
		signed = -signed
	}
	addTON(int32(signed), id[:], false, p).Unchecked = true
	return ReasonNone
}

// addTON notes the account. In a workchain other than the two in use a key has
// no room for both numbers.
func addTON(workchain int32, id []byte, testnet bool, p *Parsed) *Reading {
	switch workchain {
	case tonBasechain:
		return p.add(KindTON, id, LedgerTON, testnet)
	case tonMaster:
		return p.add(KindTONMaster, id, LedgerTON, testnet)
	}
	var account [4 + 32]byte
	binary.BigEndian.PutUint32(account[:], uint32(workchain))
	copy(account[4:], id)
	sum := sha256.Sum256(account[:])
	r := p.add(KindTONOther, sum[:], LedgerTON, testnet)
	r.relate(SpaceTON, id)
	return r
}

// base64Values maps a character of either alphabet to its six bits; 0xff is none.
var base64Values = func() (t [256]uint8) {
	const common = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	for i := range t {
		t[i] = 0xff
	}
	for _, alphabet := range []string{common + "+/", common + "-_"} {
		for i := range len(alphabet) {
			t[alphabet[i]] = uint8(i)
		}
	}
	return t
}()

// tonBytes decodes 48 characters, which fill 36 bytes to the last bit, and
// reports whether all are of an alphabet.
func tonBytes(data *[36]byte, s string) bool {
	bad := uint8(0)
	for i := 0; i < tonText/4; i++ {
		quad := s[4*i : 4*i+4]
		a, b, c, d := base64Values[quad[0]], base64Values[quad[1]], base64Values[quad[2]], base64Values[quad[3]]
		bad |= a | b | c | d
		group := uint32(a)<<18 | uint32(b)<<12 | uint32(c)<<6 | uint32(d)
		data[3*i], data[3*i+1], data[3*i+2] = byte(group>>16), byte(group>>8), byte(group)
	}
	return bad&0x80 == 0
}

// formatTON writes the form that wallets show, non-bounceable and in the
// alphabet for URLs.
func formatTON(workchain int8, id []byte, testnet bool) string {
	flags := byte(tonNonBounceable)
	if testnet {
		flags |= tonTestOnly
	}
	b := append([]byte{flags, byte(workchain)}, id...)
	return base64.URLEncoding.EncodeToString(binary.BigEndian.AppendUint16(b, crc16(b)))
}
