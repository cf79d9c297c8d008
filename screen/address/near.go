package address

import (
	"encoding/hex"
	"strings"
)

// NEAR (https://docs.near.org/protocol/account-id): an implicit account is the
// Ed25519 key of its owner as 64 lower-case hex digits. So are the hash of a
// transaction and many another thing, and nothing in the digits tells which is
// meant: they are read so that a listed account is found, and are ambiguous all
// the same. A key with the name of its curve, ed25519: and base58, is no account,
// but that of the implicit account and of others. The implicit account of an EVM
// key is its address, 0x and 40 digits. Other accounts are names.

const nearKeyPrefix = "ed25519:"

// readNEAR reads 64 hex digits. With 0x, or with capitals, they are no account of
// NEAR, but may be the key of one, as Substrate chains write keys.
func readNEAR(digits string, prefixed bool, p *Parsed) {
	var key [32]byte
	if len(digits) != 2*len(key) {
		return
	}
	letters, ok := decodeHex(key[:], digits)
	if !ok {
		return
	}
	ledgers := LedgerNEAR
	if prefixed || letters&hexUpper != 0 {
		ledgers = LedgerOther
	}
	p.add(KindNEAR, key[:], ledgers, false).Unchecked = true
	p.object(ReasonAmbiguous32Byte)
}

// readNEARKey reads a key with the name of its curve. The account that it opens
// need not be the implicit one, so a key cannot be screened but for its relations.
func readNEARKey(s string, p *Parsed) (why Reason) {
	text, ok := strings.CutPrefix(s, nearKeyPrefix)
	if !ok || len(text) > maxBase58Text {
		return ReasonNone
	}
	var buf base58Data
	n, ok := buf.decode(text)
	switch {
	case ok && n == 64: // with the private key
		return ReasonSecretMaterial
	case !ok || n != 32:
		return ReasonMalformed
	}
	p.add(KindNEAR, buf[:n], LedgerOther, false).Unchecked = true
	p.object(ReasonNotAnAddress)
	return ReasonNone
}

// formatNEAR writes an implicit account, nothing for what is none.
func formatNEAR(payload []byte, ledgers Ledgers) string {
	if ledgers == LedgerOther {
		return ""
	}
	return hex.EncodeToString(payload)
}
