package address

import "slices"

// Solana: the 32 bytes of an account key in base58 without a checksum
// (https://solana.com/docs/core/accounts). Any text of the right length is some
// account, so a mistyped address is the address of somebody else, and the reading
// is marked unchecked.

// solanaMinor is how many letters of either case a text must have to be read as
// an account. Fewer is an address in bech32, whose characters base58 knows too,
// mistyped in a letter or two: that is what it is more likely by far, for of the
// keys themselves one in some ten million is written so.
const solanaMinor = 3

// solanaOnes is how many ones make a text no bech32, where they part the
// human-readable part from the data. Programs of the system have many, and few
// letters.
const solanaOnes = 8

// readSolana reads a text whose base58 bytes are 32.
func readSolana(s string, payload []byte, p *Parsed) {
	upper, lower, ones := 0, 0, 0
	for _, c := range []byte(s) {
		switch {
		case c == '1':
			ones++
		case c >= 'a':
			lower++
		case c >= 'A':
			upper++
		}
	}
	if min(upper, lower) >= solanaMinor || ones >= solanaOnes {
		p.add(KindSolana, payload, LedgerSOL, false).Unchecked = true
	}
}

func formatSolana(payload []byte) string { return formatBase58(base58Alphabet, slices.Clone(payload)) }
