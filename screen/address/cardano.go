package address

import "crypto/sha256"

// Cardano since Shelley (CIP-19, https://cips.cardano.org/cip/CIP-19): bech32,
// without a limit of length, of a header byte, type and network, and the parts of
// the type: a payment credential, and a stake credential or a pointer to its
// registration; a reward account has the stake credential alone. A credential is
// BLAKE2b-224 of a key or a script. The account is the whole address; addresses
// that share a credential have an owner of the payment or of the stake in common
// and are related, though an attacker can put the stake credential of another
// into an address of his own.

type shelleyNetwork struct {
	hrp     string
	stake   bool // reward accounts, types 14 and 15
	testnet bool
}

var shelleyNetworks = [...]shelleyNetwork{
	{"addr", false, false},
	{"addr_test", false, true},
	{"stake", true, false},
	{"stake_test", true, true},
}

func shelleyOf(hrp string) *shelleyNetwork {
	for i := range shelleyNetworks {
		if shelleyNetworks[i].hrp == hrp {
			return &shelleyNetworks[i]
		}
	}
	return nil
}

const (
	cardanoHash = 28
	// A pointer is three numbers of ten bytes at most.
	maxShelley = 1 + cardanoHash + max(cardanoHash, 30)
)

// readShelley reads a text of a human-readable part of the network.
func readShelley(s string, sh shape, network *shelleyNetwork, p *Parsed) (why Reason) {
	var buf [maxShelley]byte
	n, why := bech32Read(buf[:], s, sh, bech32Plain, p)
	if why != ReasonNone {
		return why
	}
	data := buf[:n]
	tag := buf[0] & 0x0f // of the network, of which only two are in use
	if n < 1+cardanoHash || tag > 1 {
		return ReasonMalformed
	}
	first, rest := data[1:1+cardanoHash], data[1+cardanoHash:]
	var second []byte
	switch header := data[0] >> 4; {
	case header <= 3 && len(rest) == cardanoHash && !network.stake:
		second = rest
	case (header == 4 || header == 5) && isPointer(rest) && !network.stake:
	case (header == 6 || header == 7) && len(rest) == 0 && !network.stake:
	case (header == 14 || header == 15) && len(rest) == 0 && network.stake:
	default:
		return ReasonMalformed
	}
	sum := sha256.Sum256(data)
	r := p.add(KindCardano, sum[:], LedgerADA, tag == 0)
	r.relate(SpaceCardano, first)
	if second != nil {
		r.relate(SpaceCardano, second)
	}
	if r.Testnet != network.testnet { // CIP-19 itself prints such an address
		p.object(ReasonMalformed)
	}
	return ReasonNone
}

// isPointer reports whether b is three numbers of 64 bits, seven bits a byte, the
// highest first, each without leading zeros.
func isPointer(b []byte) bool {
	for range 3 {
		n := 0
		for n < len(b) && b[n]&0x80 != 0 {
			n++
		}
		if n == len(b) || n > 9 || n == 9 && b[0] > 0x81 || b[0] == 0x80 {
			return false
		}
		b = b[n+1:]
	}
	return len(b) == 0
}
