package address

import (
	"crypto/sha256"
	"encoding/binary"
	"strconv"
)

// Stellar strkeys (SEP-23,
// https://github.com/stellar/stellar-protocol/blob/master/ecosystem/sep-0023.md):
// base 32 in upper case of a version byte, the payload and CRC-16, low byte
// first. An account G is an Ed25519 key; a muxed account M is the same account
// with an id of 64 bits, which is read as the tag. Contracts C, liquidity pools L
// and claimable balances B are objects of their own: equal bytes in a G mean
// nothing. The other strkeys are signers, and S is a seed.

// The version byte is the index of the first character times eight.
const (
	stellarAccount  = 6 << 3  // G
	stellarMuxed    = 12 << 3 // M
	stellarContract = 2 << 3  // C
	stellarPool     = 11 << 3 // L
	stellarBalance  = 1 << 3  // B
	stellarPreAuth  = 19 << 3 // T
	stellarHashX    = 23 << 3 // X
)

// The lengths of a strkey: of 32 bytes, of a claimable balance with its type,
// and of an account with an id.
const (
	strkeyText        = 56
	strkeyBalanceText = 58
	strkeyMuxedText   = 69
)

// readStellar reads a text of upper-case letters and digits and returns what
// stands against it if it is a strkey that does not verify.
func readStellar(s string, p *Parsed) (why Reason) {
	switch s[0] {
	case 'G', 'M', 'C', 'L', 'B', 'T', 'X':
	default:
		return ReasonNone
	}
	var data [1 + 32 + 8 + 2]byte
	if len(s) < strkeyText-2 || len(s) > strkeyMuxedText+3 {
		return ReasonNone
	}
	n, ok := base32Bytes(&base32Upper, data[:], s)
	switch {
	case len(s) != strkeyText && len(s) != strkeyBalanceText && len(s) != strkeyMuxedText:
		return ReasonMalformed
	case !ok, crc16(data[:n-2]) != binary.LittleEndian.Uint16(data[n-2:]):
		return ReasonChecksum
	}
	payload := data[1 : n-2]
	switch version := data[0]; {
	case version == stellarAccount && len(payload) == 32:
		p.add(KindStellar, payload, LedgerXLM, false)
	case version == stellarMuxed && len(payload) == 32+8:
		r := p.add(KindStellar, payload[:32], LedgerXLM, false)
		r.Tag = strconv.FormatUint(binary.BigEndian.Uint64(payload[32:]), 10)
	case version == stellarContract && len(payload) == 32:
		p.add(KindStellarContract, payload, LedgerXLM, false)
	case version == stellarPool && len(payload) == 32:
		p.add(KindStellarPool, payload, LedgerXLM, false)
	case version == stellarBalance && len(payload) == 1+32 && payload[0] == 0: // version 0, the only one
		sum := sha256.Sum256(payload)
		p.add(KindStellarBalance, sum[:], LedgerXLM, false)
	case (version == stellarPreAuth || version == stellarHashX) && len(payload) == 32:
		return ReasonNotAnAddress
	default:
		return ReasonMalformed
	}
	return ReasonNone
}

// formatStellar writes an account, a muxed one if there is an id.
func formatStellar(r *Reading) string {
	if id, err := strconv.ParseUint(r.Tag, 10, 64); r.Tag != "" && err == nil {
		return formatStrkey(stellarMuxed, binary.BigEndian.AppendUint64(r.Key[1:33:33], id))
	}
	return formatStrkey(stellarAccount, r.Payload())
}

func formatStrkey(version byte, payload []byte) string {
	b := append([]byte{version}, payload...)
	return base32Text(binary.LittleEndian.AppendUint16(b, crc16(b)))
}
