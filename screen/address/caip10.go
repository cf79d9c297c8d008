package address

import (
	"math/bits"
	"strings"
)

// bip122References is the reference of each ledger with a genesis block of its own
// in bip122, by the number of the ledger's bit.
var bip122References = func() (t [LedgerCount]string) {
	for reference, ledger := range map[string]Ledgers{
		"000000000019d6689c085ae165831e93": LedgerBTC,
		"000000000000000000651ef99cb9fcbe": LedgerBCH,
		"000000000000000001d956714215d96f": LedgerBSV,
		"12a765e31ffd4059bada1e25190f6e98": LedgerLTC,
		"1a91e3dace36e2be3bf030a65679fe82": LedgerDOGE,
		"7497ea1b465eb39f1c8f507bc877078f": LedgerDGB,
		"00000fc63692467faeb20cdb3b53200d": LedgerXVG,
		"00000ffd590b1485b3caadc19b22e637": LedgerDASH,
		"027e3758c3a65b12aa1046462b486d0a": LedgerKMD,
		"00040fe8ec8471911baa1db1266ea15d": LedgerZEC,
	} {
		t[bits.TrailingZeros64(uint64(ledger))] = reference
	}
	return t
}()

// CAIP10 returns the account id of the reading (https://chainagnostic.org/CAIPs/caip-10,
// with the profiles of https://github.com/ChainAgnostic/namespaces), which Parse
// reads back as the same account. Chain 0 of eip155 says that the account is not of
// one chain. Of several ledgers that have the account it names the first, and a tag
// or memo follows the address of the XRP Ledger or Stellar after a hyphen. It is
// empty for a memo that an account id cannot carry, for a reading without canonical text, for a network without a profile, and
// for test networks, of which the text does not tell which one it is.
func (r *Reading) CAIP10() string {
	if r.Testnet {
		return ""
	}
	untagged := *r
	untagged.Tag = ""
	text := untagged.Format()
	if text == "" {
		return ""
	}
	network := r.network()
	if network == "" {
		return ""
	}
	if r.Ledgers == LedgerBCH {
		_, text, _ = strings.Cut(text, ":") // an account id has no colon in the address
	}
	if r.Tag != "" && (r.Kind() == KindXRP || r.Kind() == KindStellar) {
		if !isHandle(r.Tag) {
			return ""
		}
		text += "-" + r.Tag
	}
	return network + ":" + text
}

// network returns the network of the reading in CAIP-2, "" where it has none.
func (r *Reading) network() string {
	switch r.Kind() {
	case KindEVM:
		return "eip155:0"
	case KindTron:
		return "tron:728126428"
	case KindP2PKH, KindP2SH, KindWPKH, KindWSH, KindTR:
		for set := r.Ledgers; set != 0; set &= set - 1 {
			if reference := bip122References[bits.TrailingZeros64(uint64(set))]; reference != "" {
				return "bip122:" + reference
			}
		}
	case KindXRP:
		return "xrpl:0"
	case KindStellar:
		return "stellar:pubnet"
	case KindSolana:
		return "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp"
	case KindSS58:
		switch r.Ledgers {
		case LedgerDOT:
			return "polkadot:91b171bb158e2d3848fa23a9f1c25182"
		case LedgerKSM:
			return "polkadot:b0a8d493285c2df73290dfb7e61f870f"
		}
	case KindAlgorand:
		return "algorand:wGHE2Pwdvd7S12BL5FaOP20EGYesN73k"
	case KindHedera:
		return "hedera:mainnet"
	}
	return ""
}
