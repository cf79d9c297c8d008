package address

import (
	"encoding/binary"
	"math/bits"
	"strings"
)

// Interoperable addresses (ERC-7930, https://eips.ethereum.org/EIPS/eip-7930): in
// hex digits, version 0001, the type of the chain, the length of its reference and
// the reference, the length of the address and the address. The types and how
// their references and addresses are laid out stand in the CAIP-350 profiles of
// https://github.com/ChainAgnostic/namespaces: 0000 is eip155, whose reference is
// the chain's number without leading zeros, none for all chains; 0002 is Solana,
// whose reference is the hash of the genesis block.
//
// The names of the same standard and of ERC-7828 are address@chain#checksum. The
// checksum is the first four bytes of Keccak-256 of the binary form without its
// version. Where the binary form cannot be told, because only a resolver knows
// the chain's number, the checksum cannot be verified and the text is not clean.

const (
	interoperableEVM    = "\x00\x01\x00\x00"
	interoperableSolana = "\x00\x01\x00\x02"
)

// readInteroperable reads the binary form in hex digits.
func readInteroperable(digits string, p *Parsed) {
	var data [4 + 1 + 32 + 1 + 32]byte
	n := len(digits) / 2
	if len(digits)%2 != 0 || n < 4+1+1+20 || n > len(data) || digits[:4] != "0001" {
		return
	}
	if _, ok := decodeHex(data[:n], digits); !ok {
		return
	}
	size := int(data[4]) // of the reference
	if 5+size >= n || int(data[5+size]) != n-6-size {
		return
	}
	reference, account := data[5:5+size], data[6+size:n]
	switch string(data[:4]) {
	case interoperableEVM:
		if len(account) != 20 || size > 0 && reference[0] == 0 {
			return
		}
		p.add(KindEVM, account, LedgerEVM, false)
	case interoperableSolana:
		if len(account) != 32 || size != 32 {
			return
		}
		p.add(KindSolana, account, LedgerSOL, false)
	default:
		return
	}
	p.readings[p.n-1].Unchecked = true
	if n == 32 {
		p.object(ReasonAmbiguous32Byte) // a hash may begin like this
	}
}

// readInteroperableName reads an address before "@" and the chain after it, with
// a checksum or, as account ids once were, without.
func (u *uri) readInteroperableName(p *Parsed, address, rest string) {
	name, checksum, summed := strings.Cut(rest, "#")
	ledgers, known, number := chainOf(name)
	u.take(p, address, "", ledgers)
	switch {
	case !known:
		p.object(ReasonUnsupportedNetwork)
	case !summed:
	case len(checksum) != 8 || !shapeOf(checksum).only(classHex):
		p.object(ReasonMalformed)
	case p.n == 1 && p.readings[0].Kind() == KindEVM && number != unknownChain:
		size := (bits.Len64(number) + 7) / 8
		var reference [8]byte
		binary.BigEndian.PutUint64(reference[:], number)
		if !interoperableVerifies(checksum, interoperableEVM, reference[8-size:], p.readings[0].Payload()) {
			p.object(ReasonChecksum)
		}
	case p.n == 1 && p.readings[0].Kind() == KindSolana && name == "solana:"+solanaGenesis:
		var reference base58Data
		n, _ := reference.decode(solanaGenesis)
		if !interoperableVerifies(checksum, interoperableSolana, reference[:n], p.readings[0].Payload()) {
			p.object(ReasonChecksum)
		}
	default:
		p.object(ReasonUnsupportedNetwork)
	}
}

// solanaGenesis is the hash of the genesis block of Solana's main network, which
// CAIP-2 cuts to 32 characters and the names of ERC-7930 do not.
const solanaGenesis = "5eykt4UsFv8P8NJdTREpY1vzqKqZKvdpKuc147dw2N9d"

// onKnownChain reports whether what follows an address is "@" and a chain that is
// known.
func onKnownChain(rest string) bool {
	if rest == "" || rest[0] != '@' {
		return false
	}
	name, _, _ := strings.Cut(rest[1:], "#")
	_, known, _ := chainOf(name)
	return known
}

// unknownChain is the number of a chain that has none, or whose number the text
// does not tell.
const unknownChain = ^uint64(0)

// chainOf returns the ledgers of a chain as it stands after "@": in CAIP-2, as a
// namespace alone, as a number or as a name, and the number of an EVM chain, 0
// for all.
func chainOf(name string) (ledgers Ledgers, known bool, number uint64) {
	if namespace, reference, ok := strings.Cut(name, ":"); ok {
		ledgers, _ = LedgerOf(name)
		if namespace == "solana" && reference == solanaGenesis {
			ledgers = LedgerSOL
		}
		if namespace != "eip155" {
			return ledgers, ledgers != 0, unknownChain
		}
		return ledgers, ledgers != 0, chainNumber(reference)
	}
	if name == "eip155" {
		return LedgerEVM, true, 0
	}
	if number = chainNumber(name); number != unknownChain {
		return LedgerEVM, true, number
	}
	name = strings.TrimSuffix(name, ".l2.eth")
	sc, ok := schemeOf(name)
	switch {
	case !ok:
		return 0, false, unknownChain
	case sc.chain != 0:
		return LedgerEVM, true, sc.chain
	}
	return sc.ledgers, sc.ledgers != 0, unknownChain
}

// chainNumber returns a chain's number of decimal digits without leading zeros,
// or unknownChain: no chain in use has more than 18 digits.
func chainNumber(s string) (number uint64) {
	if s == "" || len(s) > 18 || s[0] == '0' {
		return unknownChain
	}
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return unknownChain
		}
		number = number*10 + uint64(c-'0')
	}
	return number
}

// interoperableVerifies reports whether the upper-case hex digits are the checksum
// of an account on a chain: of the form, its version and type, the reference of the
// chain, empty for all chains of the type, and the account.
func interoperableVerifies(checksum, form string, reference, account []byte) bool {
	k := keccaks.Get().(*keccak)
	defer keccaks.Put(k)
	in := append(k.in[:0], form[2:]...) // without the version
	in = append(in, byte(len(reference)))
	in = append(in, reference...)
	in = append(in, byte(len(account)))
	in = append(in, account...)
	sum := k.hash(len(in))
	var got [4]byte
	letters, ok := decodeHex(got[:], checksum)
	return ok && letters&hexLower == 0 && got == [4]byte(sum[:4])
}
