package address

import "crypto/sha256"

// Tezos: base58check of three version bytes and a hash of 20 bytes, of a key of
// one of four curves (tz1 to tz4), a contract (KT1) or a smart rollup (sr1)
// (https://docs.tezos.com/architecture/accounts; the bytes are those of
// src/proto_alpha/lib_protocol of Tezos). Test networks use the same.

var tezosVersions = [...][3]byte{
	{0x06, 0xa1, 0x9f}, // tz1, Ed25519
	{0x06, 0xa1, 0xa1}, // tz2, secp256k1
	{0x06, 0xa1, 0xa4}, // tz3, P-256
	{0x06, 0xa1, 0xa6}, // tz4, BLS12-381
	{0x02, 0x5a, 0x79}, // KT1
	{0x06, 0x7c, 0x75}, // sr1
}

// readTezos reads the 23 bytes before a checksum that verifies.
func readTezos(body []byte, p *Parsed) {
	for _, version := range tezosVersions {
		if [3]byte(body) == version {
			sum := sha256.Sum256(body)
			p.add(KindTezos, sum[:], LedgerXTZ, false)
		}
	}
}
