package address

import "crypto/sha256"

// Segwit: a witness version and a program in bech32 (version 0, BIP-173) or
// bech32m (versions 1 to 16, BIP-350). Version 0 has programs of 20 bytes
// (P2WPKH) and 32 (P2WSH), version 1 of 32 is taproot (BIP-341); every other
// version and length that BIP-141 allows is an output all the same, of a meaning
// not yet given, and reads as KindWitness. Litecoin, Bitcoin Gold, DigiByte and
// Verge took it over with human-readable parts of their own (src/chainparams.cpp of
// each). An output is no account of two of them, but equal programs are related.

// segwitNetwork is a human-readable part in use for segwit.
type segwitNetwork struct {
	hrp     string
	ledgers Ledgers
	testnet bool
}

var segwitNetworks = [...]segwitNetwork{
	{"bc", LedgerBTC, false},
	{"tb", LedgerBTC, true},   // testnet and signet
	{"bcrt", LedgerBTC, true}, // regression test
	{"ltc", LedgerLTC, false},
	{"tltc", LedgerLTC, true},
	{"rltc", LedgerLTC, true},
	{"btg", LedgerBTG, false},
	{"tbtg", LedgerBTG, true},
	{"dgb", LedgerDGB, false},
	{"dgbt", LedgerDGB, true},
	{"dgbrt", LedgerDGB, true},
	{"vg", LedgerXVG, false},
}

// segwitOf returns the network whose human-readable part and "1" begin s, in
// either case; nil if there is none.
func segwitOf(s string) *segwitNetwork {
next:
	for i := range segwitNetworks {
		hrp := segwitNetworks[i].hrp
		if len(s) <= len(hrp) || s[len(hrp)] != '1' {
			continue
		}
		for j := range len(hrp) {
			if lower(s[j]) != hrp[j] {
				continue next
			}
		}
		return &segwitNetworks[i]
	}
	return nil
}

// readSegwit reads a text that begins as segwit texts of network do. A text in
// mixed case, or under the checksum of the other variant, is malformed but still
// names its program with a checksum that holds, and so is read all the same.
func readSegwit(s string, sh shape, network *segwitNetwork, p *Parsed) (why Reason) {
	if len(s) > maxBech32Text {
		return ReasonTooLong
	}
	mixed := sh.mixedCase()
	hrp, data, ok := bech32Split(s)
	var variant bech32Variant
	if ok && len(hrp) == len(network.hrp) {
		variant = bech32Verify(hrp, data)
	}
	if variant == 0 {
		if mixed || len(s) < len(network.hrp)+1+6 {
			return ReasonMalformed
		}
		return ReasonChecksum
	}
	data = data[:len(data)-6]
	if len(data) == 0 {
		return ReasonMalformed
	}
	// The version stands before the program, so that both can be hashed as one.
	var output [1 + 40]byte
	output[0] = bech32Values[data[0]]
	n, ok := bech32Bytes(output[1:], data[1:])
	version, program := output[0], output[1:1+n]
	if !ok || n < 2 || version > 16 || version == 0 && n != 20 && n != 32 {
		return ReasonMalformed
	}
	switch {
	case version == 0 && n == 20:
		p.add(KindWPKH, program, network.ledgers, network.testnet)
	case version == 0:
		p.add(KindWSH, program, network.ledgers, network.testnet)
	case version == 1 && n == 32:
		p.add(KindTR, program, network.ledgers, network.testnet)
	default:
		sum := sha256.Sum256(output[:1+n])
		p.add(KindWitness, sum[:], network.ledgers, network.testnet)
	}
	if mixed {
		p.Warnings |= WarnMixedCase
		p.object(ReasonMalformed)
	}
	if (version == 0) != (variant == bech32Plain) {
		p.object(ReasonMalformed)
	}
	return ReasonNone
}

// formatWitness writes a witness program as its network does, one of no ledger
// as Bitcoin does.
func formatWitness(version byte, r *Reading) string {
	for i := range segwitNetworks {
		network := &segwitNetworks[i]
		if network.testnet == r.Testnet && (network.ledgers == r.Ledgers || r.Ledgers == 0) {
			return formatSegwit(network.hrp, version, r.Payload())
		}
	}
	return ""
}
