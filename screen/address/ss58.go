package address

import "golang.org/x/crypto/blake2b"

// SS58, the addresses of Substrate chains
// (https://docs.polkadot.com/polkadot-protocol/parachain-basics/accounts/): base58
// of the network's prefix of one byte, or two from 64 on, a 32-byte account key
// and the first two bytes of BLAKE2b-512 of "SS58PRE" and what precedes. The
// prefix names a network, not another key: 0 is Polkadot, 2 Kusama, and 42 is the
// key on any network. Networks are those of the registry
// (https://github.com/paritytech/ss58-registry); all but these three are read as
// one ledger.

const (
	ss58Polkadot = 0
	ss58Kusama   = 2
	ss58Generic  = 42

	ss58Context = "SS58PRE"
)

// readSS58 reads the base58 bytes of a text, 35 or 36 of them, and returns what
// stands against them if there is no reading.
func readSS58(data []byte, p *Parsed) (why Reason) {
	var buf [len(ss58Context) + 2 + 32]byte
	body := data[:len(data)-2]
	sum := blake2b.Sum512(append(append(buf[:0], ss58Context...), body...))
	if [2]byte(sum[:2]) != [2]byte(data[len(body):]) {
		return ReasonChecksum
	}
	prefix, size := ss58Prefix(body)
	switch {
	case size == 0 || size+32 != len(body):
		return ReasonMalformed
	case prefix == 46 || prefix == 47: // reserved
		return ReasonUnsupportedNetwork
	}
	ledgers := LedgerSubstrate
	switch prefix {
	case ss58Polkadot:
		ledgers = LedgerDOT
	case ss58Kusama:
		ledgers = LedgerKSM
	case ss58Generic:
		ledgers = substrateLedgers
	}
	p.add(KindSS58, body[size:], ledgers, false)
	return ReasonNone
}

// ss58Prefix returns the prefix and its size in bytes, size 0 if there is none.
// A prefix of two bytes has 14 bits in an order of its own, and is 64 at least.
func ss58Prefix(b []byte) (prefix uint16, size int) {
	switch {
	case b[0] < 64:
		return uint16(b[0]), 1
	case b[0] < 128:
		low := b[0]<<2 | b[1]>>6
		prefix = uint16(b[1]&0x3f)<<8 | uint16(low)
		if prefix >= 64 {
			return prefix, 2
		}
	}
	return 0, 0
}

// formatSS58 writes the key for Polkadot or Kusama, and with the generic prefix
// if it is read on any network. On one of the other networks there is no telling
// which.
func formatSS58(payload []byte, ledgers Ledgers) string {
	prefix := byte(ss58Generic)
	switch ledgers {
	case LedgerDOT:
		prefix = ss58Polkadot
	case LedgerKSM:
		prefix = ss58Kusama
	case LedgerSubstrate:
		return ""
	}
	b := append(append([]byte(ss58Context), prefix), payload...)
	sum := blake2b.Sum512(b)
	return formatBase58(base58Alphabet, append(b[len(ss58Context):], sum[:2]...))
}
