package address

// Zcash's transparent addresses: base58check as Bitcoin's, with a version of two
// bytes (Zcash protocol specification, section 5.6.1.1,
// https://zips.z.cash/protocol/protocol.pdf): t1 and tm for P2PKH, t3 and t2 for
// P2SH.

type zcashVersion struct {
	version [2]byte
	kind    Kind
	testnet bool
}

var zcashVersions = [...]zcashVersion{
	{[2]byte{0x1c, 0xb8}, KindP2PKH, false},
	{[2]byte{0x1c, 0xbd}, KindP2SH, false},
	{[2]byte{0x1d, 0x25}, KindP2PKH, true},
	{[2]byte{0x1c, 0xba}, KindP2SH, true},
}

func readZcashTransparent(version [2]byte, payload []byte, p *Parsed) {
	for i := range zcashVersions {
		if v := &zcashVersions[i]; v.version == version {
			p.add(v.kind, payload, LedgerZEC, v.testnet)
		}
	}
}

func formatZcash(r *Reading) string {
	for i := range zcashVersions {
		if v := &zcashVersions[i]; v.kind == r.Kind() && v.testnet == r.Testnet {
			return formatBase58Check(v.version[:], r.Payload())
		}
	}
	return ""
}
