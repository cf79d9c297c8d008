package address

import "strings"

// Avalanche's X and P chains and the atomic addresses of its C chain: bech32 of
// hash160 of a key, with the human-readable part avax, or fuji on the test
// network, perhaps with the chain and a hyphen before it
// (https://build.avax.network/docs/primary-network, section on addresses of
// https://docs.avax.network). The chain is no part of the account. Accounts of the
// C chain under 0x are made by Keccak-256 and cannot be told from these.

// readAvalanche reads a text with a chain before it. Without one the text is an
// account like any other in bech32.
func readAvalanche(s string, p *Parsed) (why Reason) {
	chain, text, ok := strings.Cut(s, "-")
	if !ok || chain != "X" && chain != "P" && chain != "C" {
		return ReasonNone
	}
	sh := shapeOf(text)
	hrp, _, ok := strings.Cut(text, "1")
	if !ok || !sh.only(classAlnum) || !strings.EqualFold(hrp, "avax") && !strings.EqualFold(hrp, "fuji") {
		return ReasonNone
	}
	return readBech32(text, sh, p)
}
