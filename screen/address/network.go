package address

import "strings"

// LedgerOf returns the ledgers that a network in CAIP-2 form belongs to
// (https://chainagnostic.org/CAIPs/caip-2), and whether the text has that form
// at all. A well-formed network that this package does not know gives 0, true.
//
// The namespaces are those of https://github.com/ChainAgnostic/namespaces, and
// ton, which wallets use for tvm.
func LedgerOf(network string) (Ledgers, bool) {
	namespace, reference, ok := strings.Cut(network, ":")
	if !ok || len(namespace) < 3 || len(namespace) > 8 || !isReferenceText(reference) {
		return 0, false
	}
	for _, c := range []byte(namespace) {
		if c != '-' && (c < '0' || c > '9') && (c < 'a' || c > 'z') {
			return 0, false
		}
	}
	return networkLedgers(namespace, reference), true
}

// isReferenceText reports whether s has the form of a reference of CAIP-2.
func isReferenceText(s string) bool {
	for _, c := range []byte(s) {
		if c != '-' && c != '_' && classes[c]&classAlnum == 0 {
			return false
		}
	}
	return 1 <= len(s) && len(s) <= 32
}

// networkLedgers returns the ledgers of a network, 0 if it is not known.
func networkLedgers(namespace, reference string) Ledgers {
	switch n := namespaces[namespace]; {
	case namespace == "bip122":
		return bip122Ledger(reference)
	case namespace == "polkadot" && reference == "91b171bb158e2d3848fa23a9f1c25182":
		return LedgerDOT
	case namespace == "polkadot" && reference == "b0a8d493285c2df73290dfb7e61f870f":
		return LedgerKSM
	case namespace == "polkadot":
		return LedgerSubstrate
	case namespace == "cosmos" && strings.HasPrefix(reference, "Binance-Chain-"):
		return LedgerBNB
	default:
		return n
	}
}

const substrateLedgers = LedgerDOT | LedgerKSM | LedgerSubstrate

// namespaces are the ledgers of each namespace, of all its networks together.
var namespaces = map[string]Ledgers{
	"eip155": LedgerEVM, "tron": LedgerTron, "xrpl": LedgerXRP, "stellar": LedgerXLM, "monero": LedgerXMR, "solana": LedgerSOL,
	"tvm": LedgerTON, "ton": LedgerTON, "cosmos": LedgerCosmos | LedgerBNB, "avax": LedgerAVAX, "polkadot": substrateLedgers,
	"cip34": LedgerADA, "algorand": LedgerALGO, "hedera": LedgerHBAR, "near": LedgerNEAR, "tezos": LedgerXTZ, "fil": LedgerFIL,
	"bsv":    LedgerBSV,
	"bip122": LedgerBTC | LedgerBCH | LedgerBSV | LedgerLTC | LedgerDOGE | LedgerDGB | LedgerXVG | LedgerDASH | LedgerKMD | LedgerZEC,
}

// bip122Networks are networks by the first 16 bytes of the hash of their genesis
// block, or of the first block after a fork. The first of a ledger's is the one
// that account ids are written with.
var bip122Networks = [...]struct {
	reference string
	ledger    Ledgers
}{
	{"000000000019d6689c085ae165831e93", LedgerBTC},
	{"000000000933ea01ad0ee984209779ba", LedgerBTC}, // testnet
	{"00000000da84f2bafbbc53dee25a72ae", LedgerBTC}, // testnet4
	{"00000008819873e925422c1ff0f99f7c", LedgerBTC}, // signet
	{"0f9188f13cb7b2c71f2a335e3a4fc328", LedgerBTC}, // regtest
	{"000000000000000000651ef99cb9fcbe", LedgerBCH},
	{"000000000000000000b15ad892af8f6a", LedgerBCH}, // as the namespace's profile has it
	{"000000000000000001d956714215d96f", LedgerBSV},
	{"12a765e31ffd4059bada1e25190f6e98", LedgerLTC},
	{"4966625a4b2851d9fdee139e56211a0d", LedgerLTC}, // testnet
	{"1a91e3dace36e2be3bf030a65679fe82", LedgerDOGE},
	{"00000000001a91e3dace36e2be3bf030", LedgerDOGE}, // a misprint in wide use
	{"bb0a78264637406b6360aad926284d54", LedgerDOGE}, // testnet
	{"7497ea1b465eb39f1c8f507bc877078f", LedgerDGB},
	{"00000fc63692467faeb20cdb3b53200d", LedgerXVG},
	{"00000ffd590b1485b3caadc19b22e637", LedgerDASH},
	{"027e3758c3a65b12aa1046462b486d0a", LedgerKMD},
	{"00040fe8ec8471911baa1db1266ea15d", LedgerZEC},
}

// bip122Ledger returns the ledger of a reference, 0 if it is not known.
func bip122Ledger(reference string) Ledgers {
	for i := range bip122Networks {
		if bip122Networks[i].reference == reference {
			return bip122Networks[i].ledger
		}
	}
	return 0
}

// bip122Reference returns the reference of the first of the ledgers that has one.
func bip122Reference(ledgers Ledgers) string {
	for set := ledgers; set != 0; set &= set - 1 {
		for i := range bip122Networks {
			if bip122Networks[i].ledger == set&-set {
				return bip122Networks[i].reference
			}
		}
	}
	return ""
}
