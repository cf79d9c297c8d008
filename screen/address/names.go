package address

import (
	"strconv"
	"strings"
)

// kinds says how each kind is written in a key's text and how long its payload is.
var kinds = [KindCount]struct {
	name string
	size int
}{
	KindNone:    {"none", 0},
	KindEVM:     {"evm", 20},
	KindTron:    {"tron", 20},
	KindP2PKH:   {"p2pkh", 20},
	KindP2SH:    {"p2sh", 20},
	KindWPKH:    {"wpkh", 20},
	KindWSH:     {"wsh", 32},
	KindTR:      {"tr", 32},
	KindWitness: {"witness", 32},

	KindXRP:             {"xrp", 20},
	KindStellar:         {"stellar", 32},
	KindStellarContract: {"stellar-contract", 32},
	KindStellarPool:     {"stellar-pool", 32},
	KindStellarBalance:  {"stellar-balance", 32},
	KindMonero:          {"monero", 32},
	KindMoneroSub:       {"monero-sub", 32},
	KindSolana:          {"solana", 32},
	KindTON:             {"ton", 32},
	KindTONMaster:       {"ton-master", 32},
	KindTONOther:        {"ton-other", 32},
	KindAccount:         {"account", 32},
	KindSS58:            {"ss58", 32},
	KindCardano:         {"cardano", 32},
	KindAlgorand:        {"algorand", 32},
	KindHedera:          {"hedera", 24},
	KindNEAR:            {"near", 32},
	KindSapling:         {"sapling", 32},
	KindOrchard:         {"orchard", 32},
	KindTezos:           {"tezos", 32},
	KindFilecoin:        {"filecoin", 32},
	KindSia:             {"sia", 32},
	KindLisk:            {"lisk", 8},
	KindPublicKey:       {"public-key", 32},
	KindUnified:         {"unified", 32},
	KindCashaddr:        {"cashaddr", 32},
}

var ledgerNames = [LedgerCount]string{
	"evm", "tron", "btc", "bch", "bsv", "ltc", "doge", "dgb", "xvg", "dash", "btg", "kmd", "strat", "zec", "xec",
	"xrp", "xlm", "xmr", "sol", "ton", "cosmos", "bnb", "avax", "dot", "ksm", "substrate", "ada", "algo", "hbar",
	"near", "xtz", "fil", "sc", "lsk", "other", "unknown",
}

var reasonNames = [ReasonCount]string{
	ReasonNone:                "none",
	ReasonEmpty:               "empty",
	ReasonTooLong:             "too_long",
	ReasonInvalidText:         "invalid_text",
	ReasonChecksum:            "checksum",
	ReasonMalformed:           "malformed",
	ReasonNonASCII:            "non_ascii",
	ReasonAmbiguous32Byte:     "ambiguous_32byte",
	ReasonUnsupportedNetwork:  "unsupported_network",
	ReasonNameNeedsResolution: "name_needs_resolution",
	ReasonExtendedKey:         "extended_key",
	ReasonNotAnAddress:        "not_an_address",
	ReasonSecretMaterial:      "secret_material",
	ReasonSeveralAddresses:    "several_addresses",
	ReasonUnrecognized:        "unrecognized",
}

var warningNames = [WarningCount]string{"normalized", "checksum_case", "mixed_case", "testnet", "homoglyph", "uri"}

// String returns the stable lower-case name of the kind, as it stands in the
// text of a Key.
func (k Kind) String() string {
	if k >= KindCount {
		return "kind(" + strconv.Itoa(int(k)) + ")"
	}
	return kinds[k].name
}

// String returns the stable snake-case name of the reason, "none" for
// ReasonNone, and a number for a reason that is not of this package.
func (r Reason) String() string {
	if r >= ReasonCount {
		return "reason(" + strconv.Itoa(int(r)) + ")"
	}
	return reasonNames[r]
}

// Names returns the stable short names of the ledgers in the set, in the order
// of their constants; nil for the empty set.
func (l Ledgers) Names() []string { return bitNames(uint64(l), ledgerNames[:]) }

// Names returns the stable snake-case names of the warnings in the set, in the
// order of their constants; nil for the empty set.
func (w Warnings) Names() []string { return bitNames(uint64(w), warningNames[:]) }

// String returns the names of the warnings in the set, joined by commas.
func (w Warnings) String() string { return strings.Join(w.Names(), ",") }

func bitNames(set uint64, names []string) []string {
	var out []string
	for i, name := range names {
		if set&(1<<i) != 0 {
			out = append(out, name)
		}
	}
	return out
}
