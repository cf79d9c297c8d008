package address

// Tron: the same 20 bytes as an EVM account of the key, behind the byte 41, in
// base58check or as 42 hex digits with or without 0x. The hex digits carry no
// checksum in either case. The old test network used the byte a0
// (https://developers.tron.network/docs/account).

const (
	tronVersion     = 0x41
	tronTestVersion = 0xa0
)

func readTron(version byte, payload []byte, p *Parsed) {
	switch version {
	case tronVersion:
		p.add(KindTron, payload, LedgerTron, false)
	case tronTestVersion:
		p.add(KindTron, payload, LedgerTron, true)
	}
}

func readTronHex(digits string, p *Parsed) {
	var data [21]byte
	if len(digits) != 2*len(data) {
		return
	}
	if _, ok := decodeHex(data[:], digits); ok && data[0] == tronVersion {
		p.add(KindTron, data[1:], LedgerTron, false).Unchecked = true
	}
}

func formatTron(payload []byte, testnet bool) string {
	if testnet {
		return formatBase58Check([]byte{tronTestVersion}, payload)
	}
	return formatBase58Check([]byte{tronVersion}, payload)
}
