package address

import (
	"crypto/sha256"
	"math/bits"
)

// Monero: a network byte, the public spend and view keys of 32 bytes each, in an
// integrated address a payment id of 8 bytes, and the first four bytes of their
// Keccak-256, in base 58 by blocks: each 8 bytes are 11 characters, the 5 left
// over at the end are 7 (https://docs.getmonero.org/public-address/). Payments to
// an integrated address go to the account of the standard one, so both are one
// account. Nothing but the view key can tell that a subaddress belongs to a main
// address: it is an account of its own here.

const (
	moneroText           = 95
	moneroIntegratedText = 106
)

type moneroNetwork struct {
	standard, integrated, subaddress byte
	testnet                          bool
}

// The bytes are those of src/cryptonote_config.h of Monero.
var moneroNetworks = [...]moneroNetwork{
	{18, 19, 42, false},
	{53, 54, 63, true}, // testnet
	{24, 25, 36, true}, // stagenet
}

// readMonero reads a text of base58 characters that has the length of an
// address and returns what stands against it if there is no reading.
func readMonero(s string, p *Parsed) (why Reason) {
	var data [1 + 64 + 8 + 4]byte
	n, ok := moneroBytes(&data, s)
	if !ok || !moneroVerifies(data[:n]) {
		return ReasonChecksum
	}
	for i := range moneroNetworks {
		network := &moneroNetworks[i]
		kind := KindMonero
		switch {
		case data[0] == network.standard && len(s) == moneroText:
		case data[0] == network.integrated && len(s) == moneroIntegratedText:
		case data[0] == network.subaddress && len(s) == moneroText:
			kind = KindMoneroSub
		default:
			continue
		}
		sum := sha256.Sum256(data[1 : 1+64])
		p.add(kind, sum[:], LedgerXMR, network.testnet)
		return ReasonNone
	}
	return ReasonUnsupportedNetwork
}

// moneroBytes decodes s block by block. A block whose number does not fit into
// its bytes is no block.
func moneroBytes(data *[1 + 64 + 8 + 4]byte, s string) (n int, ok bool) {
	for len(s) > 0 {
		size, width := 11, 8
		if len(s) < size {
			size, width = 7, 5
		}
		number, overflow := uint64(0), uint64(0)
		for _, c := range []byte(s[:min(size, 10)]) { // ten digits fit in 64 bits
			number = number*58 + uint64(base58Values[c])
		}
		if size > 10 {
			overflow, number = bits.Mul64(number, 58)
			sum, carry := bits.Add64(number, uint64(base58Values[s[10]]), 0)
			number, overflow = sum, overflow|carry
		} else {
			overflow = number >> (8 * width)
		}
		if overflow != 0 {
			return 0, false
		}
		for shift := 8 * (width - 1); shift >= 0; shift -= 8 {
			data[n] = byte(number >> shift)
			n++
		}
		s = s[size:]
	}
	return n, true
}

func moneroVerifies(data []byte) bool {
	k := keccaks.Get().(*keccak)
	defer keccaks.Put(k)
	body := data[:len(data)-4]
	sum := k.hash(copy(k.in[:], body))
	return [4]byte(sum[:4]) == [4]byte(data[len(body):])
}
