package address

import "slices"

// Solana: the 32 bytes of an account key in base58 without a checksum
// (https://solana.com/docs/core/accounts). Any text of the right length is some
// account, so a mistyped address is the address of somebody else, and the reading
// is marked unchecked. A text in a single case is none: it is more likely by far
// a mistyped address in bech32, whose characters base58 knows too.

// readSolana reads a text whose base58 bytes are 32. The system program, 32 zero
// bytes, is written without letters.
func readSolana(s string, payload []byte, p *Parsed) {
	if sh := shapeOf(s); sh.mixedCase() || sh.only(classDigit) {
		p.add(KindSolana, payload, LedgerSOL, false).Unchecked = true
	}
}

func formatSolana(payload []byte) string { return formatBase58(base58Alphabet, slices.Clone(payload)) }
