package address

import (
	"encoding/binary"
	"strconv"
)

// The XRP Ledger: base58check as Bitcoin's with an alphabet of its own, in which
// zero is r (https://xrpl.org/docs/references/protocol/data-types/base58-encodings).
// A classic address is the byte 00 and the account id, hash160 of the account's
// public key; it is the same on test networks. An X-address
// (XLS-5, https://github.com/XRPLF/XRPL-Standards/tree/master/XLS-0005-x-addresses)
// packs a destination tag into it: two bytes of prefix, 05 44 (X) on the main
// network and 04 93 (T) on a test network, the account id, a byte of flags, and the
// tag as eight bytes, little-endian. Flag 0 says that there is no tag, whose bytes
// are zeros then; flag 1 that there is one, of 32 bits, of which the upper four
// bytes are zeros. Other flags are reserved.

const xrpAlphabet = "rpshnaf39wBUDNEGHJKLM4PQRST7VWXYZ2bcdeCg65jkm8oFqi1tuvAxyz"

const xAddressText = 47 // characters of an X-address

var (
	xAddressVersion     = [2]byte{0x05, 0x44}
	xAddressTestVersion = [2]byte{0x04, 0x93}
)

// xrpValues maps a character to its digit; 0xff is no digit.
var xrpValues = base58ValuesOf(xrpAlphabet)

// readXRP reads a text of base58 characters, which are those of this alphabet
// too, and returns what stands against it if it is of that shape and has no
// reading.
func readXRP(s string, p *Parsed) (why Reason) {
	switch {
	case s[0] == 'r' && 25 <= len(s) && len(s) <= 35:
	case (s[0] == 'X' || s[0] == 'T') && len(s) == xAddressText:
	default:
		return ReasonNone
	}
	var buf base58Data
	n, _ := buf.decodeWith(&xrpValues, xrpAlphabet[0], s)
	data := buf[:n]
	switch {
	case !base58Checked(data):
		return ReasonChecksum
	case n == 1+20+4 && data[0] == 0:
		p.add(KindXRP, data[1:21], LedgerXRP, false)
		return ReasonNone
	case n == 2+20+1+8+4:
		return readXAddress(data[:31], p)
	}
	return ReasonMalformed
}

func readXAddress(data []byte, p *Parsed) (why Reason) {
	version := [2]byte(data)
	flags, tag := data[22], binary.LittleEndian.Uint64(data[23:])
	if version != xAddressVersion && version != xAddressTestVersion ||
		flags > 1 || flags == 0 && tag != 0 || tag > 1<<32-1 {
		return ReasonMalformed
	}
	r := p.add(KindXRP, data[2:22], LedgerXRP, version == xAddressTestVersion)
	if flags == 1 {
		r.Tag = strconv.FormatUint(tag, 10)
	}
	return ReasonNone
}

// formatXRP writes a classic address, or an X-address if there is a tag or a
// test network, which only that can tell.
func formatXRP(r *Reading) string {
	tag, err := strconv.ParseUint(r.Tag, 10, 32)
	tagged := r.Tag != "" && err == nil
	if !tagged && !r.Testnet {
		return formatBase58CheckWith(xrpAlphabet, []byte{0}, r.Payload())
	}
	version := xAddressVersion
	if r.Testnet {
		version = xAddressTestVersion
	}
	var payload [20 + 1 + 8]byte
	copy(payload[:], r.Payload())
	if tagged {
		payload[20] = 1
		binary.LittleEndian.PutUint64(payload[21:], tag)
	}
	return formatBase58CheckWith(xrpAlphabet, version[:], payload[:])
}
