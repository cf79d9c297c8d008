package address

import "strings"

// CAIP10 returns the account id of the reading (https://chainagnostic.org/CAIPs/caip-10,
// with the profiles of https://github.com/ChainAgnostic/namespaces), which Parse
// reads back as the same account. Chain 0 of eip155 says that the account is not of
// one chain. Of several ledgers that have the account it names the first, and a tag
// or memo follows the address of the XRP Ledger or Stellar after a hyphen. It is
// empty for a memo that an account id cannot carry, for a reading without canonical
// text, for a network without a profile, and for test networks, of which the text
// does not tell which one it is.
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
		if reference := bip122Reference(r.Ledgers); reference != "" {
			return "bip122:" + reference
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
