package address

import (
	"crypto/sha256"
	"encoding/binary"
)

// Zcash in bech32. tex (ZIP-320, https://zips.z.cash/zip-0320) is the key hash of a
// t1 address in bech32m, the same account, paid from transparent funds only. zs is
// a Sapling receiver of 43 bytes (protocol specification, section 5.6.3.1). u is a
// unified address (ZIP-316, https://zips.z.cash/zip-0316): bech32m without a limit
// of length of jumbled items, type, length and bytes each, one at most for a key
// hash or script hash, for Sapling and for Orchard, and others to come.
//
// A unified address is read once for its transparent receiver, as the account
// that it is, and once for the whole of it. Its shielded receivers are related
// only: who made an address decides what goes into it, and one of Sapling alone
// and one of several are not the same address. An address of nothing but an
// Orchard receiver is that receiver, which has no other form.

type zcashForm uint8

const (
	zcashTEX zcashForm = iota
	zcashSapling
	zcashUnified
	zcashViewing // a viewing key, from which all addresses of an account are made
)

type zcashNetwork struct {
	hrp     string
	form    zcashForm
	testnet bool
}

var zcashNetworks = [...]zcashNetwork{
	{"tex", zcashTEX, false},
	{"textest", zcashTEX, true},
	{"texregtest", zcashTEX, true},
	{"zs", zcashSapling, false},
	{"ztestsapling", zcashSapling, true},
	{"zregtestsapling", zcashSapling, true},
	{"u", zcashUnified, false},
	{"utest", zcashUnified, true},
	{"uregtest", zcashUnified, true},
	{"zxviews", zcashViewing, false},
	{"zxviewtestsapling", zcashViewing, true},
	{"zivks", zcashViewing, false},
	{"uview", zcashViewing, false},
	{"uviewtest", zcashViewing, true},
	{"uivk", zcashViewing, false},
	{"uivktest", zcashViewing, true},
}

func zcashOf(hrp string) *zcashNetwork {
	if hrp[0] != 't' && hrp[0] != 'z' && hrp[0] != 'u' {
		return nil
	}
	for i := range zcashNetworks {
		if zcashNetworks[i].hrp == hrp {
			return &zcashNetworks[i]
		}
	}
	return nil
}

const (
	zcashReceiver = 43 // bytes of a Sapling or Orchard receiver

	// maxUnified is what a text of MaxTextBytes has room for.
	maxUnified = MaxTextBytes * 5 / 8
)

// readZcash reads a text of a human-readable part of the network.
func readZcash(s string, sh shape, network *zcashNetwork, p *Parsed) (why Reason) {
	variant := bech32M
	switch network.form {
	case zcashViewing:
		if hrp, data, ok := bech32Split(s); !ok || bech32Verify(hrp, data) == 0 {
			return ReasonChecksum
		}
		return ReasonExtendedKey
	case zcashSapling:
		variant = bech32Plain
	}
	var buf [maxUnified]byte
	n, why := bech32Read(buf[:], s, sh, variant, p)
	data := buf[:n]
	switch {
	case why != ReasonNone:
		return why
	case network.form == zcashUnified:
		return readUnified(s, data, network, p)
	case network.form == zcashTEX && n == 20:
		p.add(KindP2PKH, data, LedgerZEC, network.testnet)
	case network.form == zcashSapling && n == zcashReceiver:
		sum := sha256.Sum256(data)
		p.add(KindSapling, sum[:], LedgerZEC, network.testnet)
	default:
		return ReasonMalformed
	}
	return ReasonNone
}

// The types of the items of a unified address.
const (
	unifiedP2PKH        = 0x00
	unifiedP2SH         = 0x01
	unifiedSapling      = 0x02
	unifiedOrchard      = 0x03
	unifiedMetadata     = 0xc0 // to 0xfc; from 0xe0 on those that a reader must understand
	unifiedMetadataMust = 0xe0
	unifiedMetadataEnd  = 0xfc
	unifiedMaxNumber    = 0x2000000
)

// readUnified reads the jumbled items of s. Items of types to come are passed
// over, as the specification demands, but the address as a whole has them.
func readUnified(s string, data []byte, network *zcashNetwork, p *Parsed) (why Reason) {
	if len(data) < f4jumbleMin {
		return ReasonMalformed
	}
	f4jumbleInverse(data)
	items, padding := data[:len(data)-16], [16]byte(data[len(data)-16:])
	var want [16]byte
	if copy(want[:], network.hrp); padding != want {
		return ReasonMalformed
	}
	var transparent, sapling, orchard []byte
	var kind Kind
	count, shielded := 0, false
	for last := -1; len(items) > 0; count++ {
		code, rest, ok := compactSize(items)
		size, rest, whole := compactSize(rest)
		if !ok || !whole || int(code) <= last || int(size) > len(rest) {
			return ReasonMalformed
		}
		last = int(code)
		item := rest[:size]
		items = rest[size:]
		switch {
		case code == unifiedP2PKH && size == 20:
			transparent, kind = item, KindP2PKH
		case code == unifiedP2SH && size == 20 && transparent == nil:
			transparent, kind = item, KindP2SH
		case code == unifiedSapling && size == zcashReceiver:
			sapling, shielded = item, true
		case code == unifiedOrchard && size == zcashReceiver:
			orchard, shielded = item, true
		case code <= unifiedOrchard, unifiedMetadataMust <= code && code <= unifiedMetadataEnd:
			return ReasonMalformed
		case code < unifiedMetadata || code > unifiedMetadataEnd:
			shielded = true // a receiver to come; none will be transparent
		}
	}
	if !shielded {
		return ReasonMalformed
	}
	if transparent != nil {
		p.add(kind, transparent, LedgerZEC, network.testnet)
	}
	if orchard != nil && count == 1 {
		sum := sha256.Sum256(orchard)
		p.add(KindOrchard, sum[:], LedgerZEC, network.testnet)
		return ReasonNone
	}
	var text [MaxTextBytes]byte
	for i := range len(s) {
		text[i] = lower(s[i])
	}
	sum := sha256.Sum256(text[:len(s)])
	r := p.add(KindUnified, sum[:], LedgerZEC, network.testnet)
	for _, receiver := range [...][]byte{sapling, orchard} {
		if receiver != nil {
			sum := sha256.Sum256(receiver)
			r.relate(SpaceShielded, sum[:])
		}
	}
	return ReasonNone
}

// compactSize takes a number in the shortest of Bitcoin's encodings, as large as
// an item may have, from b.
func compactSize(b []byte) (number uint32, rest []byte, ok bool) {
	switch {
	case len(b) >= 1 && b[0] < 0xfd:
		return uint32(b[0]), b[1:], true
	case len(b) >= 3 && b[0] == 0xfd:
		number = uint32(binary.LittleEndian.Uint16(b[1:]))
		return number, b[3:], number >= 0xfd
	case len(b) >= 5 && b[0] == 0xfe:
		number = binary.LittleEndian.Uint32(b[1:])
		return number, b[5:], number > 0xffff && number <= unifiedMaxNumber
	}
	return 0, nil, false
}
