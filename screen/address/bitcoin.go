package address

// Bitcoin before segwit: base58check of a version byte and hash160 of a public
// key (P2PKH) or of a script (P2SH), versions from the chain parameters of
// Bitcoin Core (src/kernel/chainparams.cpp). Bitcoin Cash and Bitcoin SV took
// over the P2PKH form, Bitcoin Cash and Litecoin the P2SH form, with the same
// versions, so one text is an address of each.

const (
	p2pkhVersion     = 0x00
	p2shVersion      = 0x05
	p2pkhTestVersion = 0x6f
	p2shTestVersion  = 0xc4

	p2pkhLedgers = LedgerBTC | LedgerBCH | LedgerBSV
	p2shLedgers  = LedgerBTC | LedgerBCH | LedgerLTC
)

func readBitcoin(version byte, payload []byte, p *Parsed) {
	switch version {
	case p2pkhVersion:
		p.add(KindP2PKH, payload, p2pkhLedgers, false)
	case p2pkhTestVersion:
		p.add(KindP2PKH, payload, p2pkhLedgers, true)
	case p2shVersion:
		p.add(KindP2SH, payload, p2shLedgers, false)
	case p2shTestVersion:
		p.add(KindP2SH, payload, p2shLedgers, true)
	}
}

func formatP2PKH(payload []byte, testnet bool) string {
	if testnet {
		return formatBase58Check(p2pkhTestVersion, payload)
	}
	return formatBase58Check(p2pkhVersion, payload)
}

func formatP2SH(payload []byte, testnet bool) string {
	if testnet {
		return formatBase58Check(p2shTestVersion, payload)
	}
	return formatBase58Check(p2shVersion, payload)
}
