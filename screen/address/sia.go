package address

import (
	"encoding/hex"

	"golang.org/x/crypto/blake2b"
)

// Sia: the unlock hash of 32 bytes and the first six bytes of its BLAKE2b-256 as
// 76 hex digits (https://docs.sia.tech/, types.Address of go.sia.tech/core).

// readSia reads hex digits and returns what stands against them if they are as
// many as an address has and do not verify.
func readSia(digits string, p *Parsed) (why Reason) {
	var data [32 + 6]byte
	if len(digits) != 2*len(data) {
		return ReasonNone
	}
	if _, ok := decodeHex(data[:], digits); !ok {
		return ReasonNone
	}
	sum := blake2b.Sum256(data[:32])
	if [6]byte(sum[:6]) != [6]byte(data[32:]) {
		return ReasonChecksum
	}
	p.add(KindSia, data[:32], LedgerSC, false)
	return ReasonNone
}

func formatSia(payload []byte) string {
	sum := blake2b.Sum256(payload)
	return hex.EncodeToString(payload) + hex.EncodeToString(sum[:6])
}
