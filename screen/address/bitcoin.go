package address

// Bitcoin before segwit and the networks that took over its addresses:
// base58check of a version byte and hash160 of a public key (P2PKH) or of a
// script (P2SH). The versions are those of each network's chain parameters
// (src/chainparams.cpp of Bitcoin Core, Litecoin, Dogecoin, DigiByte, Verge, Dash,
// Bitcoin Gold, Komodo and Qtum; StratisMain of the Stratis full node; BitPay's
// bitcore-lib-cash for the second pair of Bitcoin Cash). Zcash has versions of two
// bytes, see zcash_transparent.go.
//
// Networks share versions, so one text may be an address of several, and its
// account is one. Bitcoin Cash and Bitcoin SV took over the P2PKH form of Bitcoin,
// Bitcoin Cash and at first Litecoin its P2SH form; Dogecoin, DigiByte and Verge
// have one P2PKH version. Stratis has for P2PKH what DigiByte has for P2SH, and Qtum
// what Litecoin's test network has: such a text has two readings.

// An outputVersion is one meaning of a version byte.
type outputVersion struct {
	version byte
	kind    Kind
	ledgers Ledgers
	testnet bool
}

const (
	p2pkhLedgers = LedgerBTC | LedgerBCH | LedgerBSV
	p2shLedgers  = LedgerBTC | LedgerBCH | LedgerLTC
)

var outputVersions = [...]outputVersion{
	{0x00, KindP2PKH, p2pkhLedgers, false},
	{0x05, KindP2SH, p2shLedgers, false},
	{0x6f, KindP2PKH, p2pkhLedgers, true},
	{0xc4, KindP2SH, p2shLedgers, true},
	{0x1c, KindP2PKH, LedgerBCH, false},
	{0x28, KindP2SH, LedgerBCH, false},
	{0x30, KindP2PKH, LedgerLTC, false},
	{0x32, KindP2SH, LedgerLTC, false},
	{0x3a, KindP2SH, LedgerLTC, true},     // its P2PKH of the test network is Bitcoin's
	{0x3a, KindP2PKH, LedgerOther, false}, // Qtum
	{0x1e, KindP2PKH, LedgerDOGE | LedgerDGB | LedgerXVG, false},
	{0x16, KindP2SH, LedgerDOGE, false},
	{0x71, KindP2PKH, LedgerDOGE, true}, // its P2SH of the test network is Bitcoin's
	{0x3f, KindP2SH, LedgerDGB, false},
	{0x21, KindP2SH, LedgerXVG, false},
	{0x3f, KindP2PKH, LedgerSTRAT, false},
	{0x7d, KindP2SH, LedgerSTRAT, false},
	{0x4c, KindP2PKH, LedgerDASH, false},
	{0x10, KindP2SH, LedgerDASH, false},
	{0x26, KindP2PKH, LedgerBTG, false},
	{0x17, KindP2SH, LedgerBTG, false},
	{0x3c, KindP2PKH, LedgerKMD, false},
	{0x55, KindP2SH, LedgerKMD, false},
}

func readBitcoin(version byte, payload []byte, p *Parsed) {
	for i := range outputVersions {
		if v := &outputVersions[i]; v.version == version {
			p.add(v.kind, payload, v.ledgers, v.testnet)
		}
	}
}

// readUnknownVersion reads 20 bytes behind a version, of one byte or two, that no
// network has that is known here.
// They are looked up as a key's hash and as a script's, on no ledger that is
// known: what they meet is related. If they meet nothing, nothing follows.
func readUnknownVersion(payload []byte, p *Parsed) {
	p.add(KindP2PKH, payload, LedgerUnknown, false)
	p.add(KindP2SH, payload, LedgerUnknown, false)
	p.object(ReasonUnsupportedNetwork)
}

// formatOutput writes a P2PKH or P2SH reading as its network does, one of no
// ledger as Bitcoin does. Of an unknown version it does not know the text.
func formatOutput(r *Reading) string {
	switch r.Ledgers {
	case LedgerBCH, LedgerXEC:
		return formatCashaddr(r)
	case LedgerZEC:
		return formatZcash(r)
	}
	for i := range outputVersions {
		v := &outputVersions[i]
		if v.kind == r.Kind() && v.testnet == r.Testnet && (v.ledgers == r.Ledgers || r.Ledgers == 0) {
			return formatBase58Check([]byte{v.version}, r.Payload())
		}
	}
	return ""
}
