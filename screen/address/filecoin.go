package address

import (
	"crypto/sha256"
	"encoding/binary"
	"strings"
)

// Filecoin (https://spec.filecoin.io/appendix/address/): f, or t on a test
// network, and the protocol as a digit. Protocol 0 is the number of an actor in
// decimal, without a checksum; 1 to 3 are base 32 in lower case of a hash of 20
// bytes, of a secp256k1 key or of an actor, or of a BLS key of 48 bytes; 4 is the
// number of the actor that manages a namespace, f, and base 32 of a subaddress of
// up to 54 bytes (FIP-0048, https://github.com/filecoin-project/FIPs). The four
// bytes at the end are BLAKE2b-32 of the protocol and the payload. A subaddress of
// namespace 10 is an EVM address, to which the account is related, as the number of
// an actor is to the address that stands for it.

const (
	filecoinEVM     = 10 // the Ethereum Address Manager
	filecoinSubaddr = 54

	// Characters of 20 and 48 bytes with their checksum.
	filecoinHashText = 39
	filecoinBLSText  = 84
)

// readFilecoin reads a text of lower-case letters and digits and returns what
// stands against it if it has the form of an address and does not verify.
func readFilecoin(s string, p *Parsed) (why Reason) {
	if len(s) < 3 || s[0] != 'f' && s[0] != 't' {
		return ReasonNone
	}
	testnet, body := s[0] == 't', s[2:]
	var data [1 + binary.MaxVarintLen64 + filecoinSubaddr + 4]byte // protocol, payload, checksum
	data[0] = s[1] - '0'
	size := 1
	switch data[0] {
	case 0:
		if number, ok := decimal(body); ok && number < 1<<63 {
			n := 1 + binary.PutUvarint(data[1:], number)
			r := addFilecoin(data[:n], testnet, p)
			r.Unchecked = true
			evm := filecoinMasked(number)
			r.relate(SpaceKeccak, evm[:])
		}
		return ReasonNone
	case 1, 2:
		if len(body) != filecoinHashText {
			return ReasonNone
		}
	case 3:
		if len(body) != filecoinBLSText {
			return ReasonNone
		}
	case 4:
		namespace, rest, ok := strings.Cut(body, "f")
		number, good := decimal(namespace)
		if !ok || !good {
			return ReasonNone
		}
		size += binary.PutUvarint(data[1:], number)
		body = rest
	default:
		return ReasonNone
	}
	namespaced := size
	n, ok := base32Bytes(&base32Lower, data[size:size+filecoinSubaddr+4], body)
	if !ok || n < 4 {
		return ReasonChecksum
	}
	size += n - 4
	var sum [4]byte
	blake2bSum(sum[:], [16]byte{}, data[:size])
	if sum != [4]byte(data[size:]) {
		return ReasonChecksum
	}
	r := addFilecoin(data[:size], testnet, p)
	if data[0] == 4 && data[1] == filecoinEVM && namespaced == 2 && size-namespaced == 20 {
		r.relate(SpaceKeccak, data[namespaced:size])
	}
	return ReasonNone
}

// filecoinMasked is the address under which contracts see an actor that has none
// of EVM (FIP-0055): ff, zeros and the number.
func filecoinMasked(number uint64) (evm [20]byte) {
	evm[0] = 0xff
	binary.BigEndian.PutUint64(evm[12:], number)
	return evm
}

func addFilecoin(account []byte, testnet bool, p *Parsed) *Reading {
	sum := sha256.Sum256(account)
	return p.add(KindFilecoin, sum[:], LedgerFIL, testnet)
}
